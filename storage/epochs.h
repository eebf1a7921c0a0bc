/* At which offsets a partition's leader epochs began (KIP-101, KIP-320): how a consumer learns that
 * records which it has read are gone. On one broker an epoch ends only when a repair removed
 * readable records, so nearly every log has one epoch and an empty table. */
#pragma once

#include "base/byte_buffer.h"

struct epoch_start {
    int32_t epoch;
    int64_t offset; /* the first of this epoch */
};

struct epochs {
    struct epoch_start *items; /* epochs rise, offsets never fall */
    uint32_t count;
};

void epochs_deinit(struct epochs *epochs);
/* A new epoch begins at the log's end; `before` is the one that ends. */
void epochs_begin(struct epochs *epochs, int32_t before, int32_t epoch, int64_t offset);
/* Where the largest epoch <= `asked` ended, as Kafka's LeaderEpochFileCache answers: the log's end
 * for the current one; (-1, -1) for one that is not known. */
void epochs_end(const struct epochs *epochs, int32_t current, int64_t log_end, int32_t asked,
                int32_t *epoch, int64_t *end_offset);

/* count 4 | {epoch 4, offset 8} … */
void epochs_encode(const struct epochs *epochs, struct byte_buffer *out);
/* Takes it off the front of `from`; false when it is not that. */
bool epochs_decode(struct epochs *epochs, struct bytes *from);
