/* What must be true of the logs, whoever looks: the batches that were made, where they were seen,
 * and what was promised. A batch's base timestamp names it, so that it is known wherever it turns
 * up. Everything here stops the seed when it is not so:
 *   - an acknowledged batch stays at its offset, byte for byte; so does one that was ever read
 *   - a log has no gaps, and nothing that was refused or never sent
 *   - a batch of an idempotent producer is in the log once, in order of its sequence
 *   - high watermark and log start never go back, whatever crashes
 * A compacted log may have gaps; tests/sim/model_compacted.h says what holds instead. */
#pragma once

#include "base/bytes.h"

struct model;

struct model_batch {
    uint8_t *bytes; /* as the producer sends it */
    size_t len;
    uint32_t log;
    int32_t count;       /* of records */
    int64_t producer_id; /* -1: not idempotent */
    int32_t sequence;
    int64_t base;   /* acknowledged, or seen; -1 = not yet */
    uint32_t tries; /* sends that were not refused */
    bool acked;
};

struct model_log {
    int64_t log_start, high_watermark; /* the highest ever seen */
    int64_t trim_wanted;               /* the highest that was asked for */
    bool is_retained;                  /* the log start moves by itself */
    bool is_compacted;                 /* set before the first batch is made */
    bool keeps_tombstones;             /* delete.retention.ms is longer than all of this takes */
    bool is_quiet;                     /* nothing is compacted during the full pass */
    uint32_t *known;                   /* ids, by base */
    size_t known_count, known_capacity;
    int64_t full_from, full_next; /* the full pass under way */
    uint8_t *present;             /* by offset: a record was met since it began */
    size_t present_capacity;
};

/* Logs are numbered from 0; there may be more of them than are used. */
struct model *model_new(uint32_t log_count);
void model_free(struct model *model);
struct model_log *model_log(struct model *model, uint32_t log);
struct model_batch *model_batch(struct model *model, uint32_t id);
uint32_t model_batch_count(const struct model *model);

/* Makes a batch of `count` records of `value_bytes` each; answers its id. */
uint32_t model_make(struct model *model, uint32_t log, int32_t count, size_t value_bytes,
                    int64_t producer_id, int32_t sequence);
void model_sent(struct model *model, uint32_t id);
void model_refused(struct model *model, uint32_t id);
void model_acked(struct model *model, uint32_t id, int64_t base);
/* Whole batches, as a fetch from `offset` got them; answers the offset after the last one. */
int64_t model_read(struct model *model, uint32_t log, int64_t offset, struct bytes batches);
/* Somebody saw these. */
void model_view(struct model *model, uint32_t log, int64_t log_start, int64_t high_watermark);
/* The first record whose timestamp is at least `timestamp`, from the log start on; -1 = none. */
int64_t model_lookup(struct model *model, uint32_t log, int64_t timestamp, int64_t *found);
int64_t model_timestamp(uint32_t id);
/* The batch that has a record with this timestamp. */
uint32_t model_id_at(uint32_t log, int64_t timestamp);

/* A pass over the whole log, begun at its log start: model_read() moves it on, and at the end it
 * must have met all that is known. */
void model_full_begin(struct model *model, uint32_t log, int64_t log_start);
void model_full_end(struct model *model, uint32_t log, int64_t high_watermark);

uint64_t model_digest(struct model *model);
