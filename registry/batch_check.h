/* A batch's records against the contracts of their topic: every record's key and value, in order.
 * What is bad is kept on the heap, so that a good batch, which is nearly every one, allocates
 * nothing, and so that what is bad may travel between cores. Any thread. */
#pragma once

#include "base/byte_buffer.h"
#include "registry/topic_contract.h"

enum {
    BATCH_BREACHES_TOLD = 16,      /* with words */
    BATCH_BREACHES_SEEN = 4,       /* of those that are only observed, with words */
    BATCH_BREACHES_LISTED = 10000, /* by index; more are counted */
};

struct record_breach {
    int32_t index; /* of the record in its batch */
    enum contract_part part;
    struct breach breach;
    size_t payload_size;               /* of the key or value; 0: nothing of it is told */
    size_t payload_at, payload_length; /* its first bytes, among the batch's payloads */
};

/* What is bad of one batch. */
struct batch_breaches {
    int32_t record_count; /* of the batch */
    int32_t bad_count;    /* records that must not be stored */
    int32_t seen_count;   /* records whose breaches are only observed (on.violation=observe) */
    int32_t listed_count, told_count, shown_count;
    int32_t *listed; /* indexes of the bad ones, ascending */
    struct record_breach told[BATCH_BREACHES_TOLD];
    struct record_breach seen[BATCH_BREACHES_SEEN]; /* shown_count of them */
    struct byte_buffer payloads;                    /* as millrace.contract.rejects.bytes allows */
};

/* `records` were walked before (storage/validate.h), and are `count`. NULL when all honour their
 * contract; free with batch_breaches_free(). */
struct batch_breaches *batch_check(const struct topic_config *config, struct bytes topic,
                                   const struct schema_view *view, struct bytes records,
                                   int32_t count);
void batch_breaches_free(struct batch_breaches *breaches);

/* What is told of a record's payload; empty: nothing. */
struct bytes record_breach_payload(const struct batch_breaches *breaches,
                                   const struct record_breach *breach);

/* "record 17: Order.items[3].qty: expected varint, found 2 bytes length-delimited (schema id 4)" */
enum { BREACH_TEXT_MAX = 600 };
struct bytes record_breach_print(const struct record_breach *breach, char text[BREACH_TEXT_MAX]);
