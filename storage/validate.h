/* What is checked of a produced batch before it is appended: the rules of Kafka's broker, so that a
 * stock client cannot tell us apart (KIP-467 for the answers). Runs on the connection's core, or on
 * a worker; touches no partition.
 *
 *   validate_header   exactly one batch, CRC, attributes, counts, sequence fields, size
 *   validate_records  every record: readable, in order, keys, timestamps; inflates first if need be
 *   validate_batch    both
 *
 * CORRUPT_MESSAGE means a wrong length or CRC and nothing else, because clients send such a batch
 * again for ever. What is wrong with the content is INVALID_RECORD, or the code that names it. */
#pragma once

#include "base/arena.h"
#include "protocol/batch.h"
#include "protocol/compress.h"
#include "protocol/error_code.h"

/* A topic's rules, and the request's version. */
struct validate_rules {
    int32_t message_bytes_max;       /* max.message.bytes, of the whole batch as sent */
    bool compacted;                  /* cleanup.policy has "compact": keys are needed */
    bool append_time;                /* message.timestamp.type is LogAppendTime */
    int64_t timestamp_before_ms_max; /* message.timestamp.before.max.ms */
    int64_t timestamp_after_ms_max;  /* message.timestamp.after.max.ms */
    size_t decompressed_bytes_max;
    uint32_t ratio_max;
    int16_t produce_version;
};

struct validate_context {
    const struct validate_rules *rules;
    int64_t now_ms;
    struct inflater *inflater; /* this thread's; only compressed batches use it */
    struct arena *arena;       /* the request's; texts and lists of the result */
};

enum {
    /* More errors than these are counted but not listed: clients take the others' fate from the
     * code, or send them again and learn of them then. */
    VALIDATE_RECORD_ERRORS_MAX = 1000
};

struct validate_record_error {
    int32_t batch_index;
    struct bytes text;
};

struct validate_result {
    enum error_code code;
    struct batch_header header; /* set unless code is CORRUPT_MESSAGE */
    /* Set when code is NONE: the records, uncompressed. They lie in the input, or in the inflater
     * until its next use. */
    struct bytes records;
    int64_t max_timestamp; /* the largest of the records; -1 when none has one */
    /* Set for refused records; ascending by index. */
    struct validate_record_error *record_errors;
    size_t record_error_count;
    struct bytes error_message; /* null when code is NONE */
};

void validate_header(struct bytes input, const struct validate_context *context,
                     struct validate_result *result);
/* Goes on after validate_header() with code NONE. */
void validate_records(struct bytes input, const struct validate_context *context,
                      struct validate_result *result);
/* The whole of it. */
void validate_batch(struct bytes input, const struct validate_context *context,
                    struct validate_result *result);

/* The compressed bytes that validate_records() would inflate, 0 when there are none: by it the
 * caller chooses between its own core and a worker. */
size_t validate_inflate_size(const struct batch_header *header);

/* Corrects a header whose max_timestamp is not its records' largest, with a new CRC, in the batch
 * and in the result, as Kafka does. Does nothing for LogAppendTime, which is stamped at append.
 * `batch` is the input of a validation that ended with NONE. */
void validate_correct(uint8_t *batch, const struct validate_rules *rules,
                      struct validate_result *result);
