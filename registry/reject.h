/* What is told of a batch that broke its contract, as the topic __millrace_rejects holds it
 * (proto/millrace/v1/reject.proto). Written by hand: it is small, and what is read comes from a
 * topic. */
#pragma once

#include "base/byte_buffer.h"
#include "registry/batch_check.h"

#define REJECTS_TOPIC "__millrace_rejects"

struct reject_violation {
    int32_t record_index, schema_id;
    bool in_key;
    struct bytes path, reason;
    struct bytes payload; /* its first bytes, as the topic allows; empty: none */
    int32_t payload_size; /* of all of it, where there are some */
};

enum { REJECT_VIOLATIONS_MAX = BATCH_BREACHES_TOLD };

/* Texts are slices of what it was read from, or of whoever writes it. */
struct reject {
    int64_t time_ms;
    struct bytes topic, client_id, peer;
    int32_t partition;
    int64_t producer_id;
    int32_t producer_epoch, base_sequence;
    int32_t record_count, bad_count;
    bool observed;
    int64_t left_out;
    size_t violation_count;
    struct reject_violation violations[REJECT_VIOLATIONS_MAX];
};

/* Fills counts and violations; they point into `breaches`. */
void reject_tell(struct reject *reject, const struct batch_breaches *breaches);
/* Appends the message. */
void reject_write(const struct reject *reject, struct byte_buffer *to);
/* False when it is none; violations beyond REJECT_VIOLATIONS_MAX are left out. */
bool reject_read(struct bytes from, struct reject *reject);
