#include "storage/validate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "protocol/record.h"

enum {
    TEXT_MAX = 512,
    ZSTD_PRODUCE_VERSION_MIN = 7, /* KIP-110 */
    MESSAGE_SHOWS = 3             /* record errors named in the message, as Kafka has it */
};

/* Texts are short and few, but a request's arena has a limit: without room there is no text. */
static struct bytes text_of(struct arena *arena, const char *format, va_list list) {
    char text[TEXT_MAX];
    int len = vsnprintf(text, sizeof text, format, list);
    check(len >= 0);
    size_t kept = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    uint8_t *at = arena_try(arena, kept);
    if (!at) return BYTES_OF("the batch was refused");
    memcpy(at, text, kept);
    return bytes_make(at, kept);
}

/* Ends the validation; false, so that checks read `return refuse(...)`. */
__attribute__((format(printf, 4, 5))) static bool refuse(struct validate_result *result,
                                                         const struct validate_context *context,
                                                         enum error_code code, const char *format,
                                                         ...) {
    va_list list;
    va_start(list, format);
    result->code = code;
    result->error_message = text_of(context->arena, format, list);
    va_end(list);
    return false;
}

/* --- header --- */

static bool check_frame(struct bytes input, const struct validate_context *context,
                        struct validate_result *result) {
    const struct batch_header *header = &result->header;
    if (input.len == 0) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "a partition's records must be exactly one batch, but there are none");
    }
    bool read = batch_header_read(input, &result->header);
    if (input.len > BATCH_OVERHEAD + 4 && input.at[BATCH_OVERHEAD + 4] != BATCH_MAGIC) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "the batch has magic %d, but produce requests carry magic 2 only",
                      (int8_t)input.at[BATCH_OVERHEAD + 4]);
    }
    if (!read || batch_size(header) > input.len) {
        return refuse(result, context, ERROR_CORRUPT_MESSAGE,
                      "the batch's length does not fit the %zu bytes sent", input.len);
    }
    if (!batch_crc_valid(input)) {
        return refuse(result, context, ERROR_CORRUPT_MESSAGE,
                      "the batch does not match its CRC 0x%08" PRIx32, header->crc);
    }
    if (batch_size(header) < input.len) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "a partition's records must be exactly one batch, but %zu bytes follow it",
                      input.len - batch_size(header));
    }
    return true;
}

static bool check_attributes(const struct validate_context *context,
                             struct validate_result *result) {
    const struct batch_header *header = &result->header;
    if (batch_control(header)) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "clients are not allowed to write control records");
    }
    if (batch_delete_horizon(header)) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "clients are not allowed to set a delete horizon");
    }
    if (batch_append_time(header)) {
        return refuse(result, context, ERROR_INVALID_TIMESTAMP,
                      "producers should not set the timestamp type to LogAppendTime");
    }
    if (batch_codec(header) >= CODEC_COUNT) {
        return refuse(result, context, ERROR_INVALID_RECORD, "unknown compression type %d",
                      batch_codec(header));
    }
    if (batch_codec(header) == CODEC_ZSTD &&
        context->rules->produce_version < ZSTD_PRODUCE_VERSION_MIN) {
        return refuse(result, context, ERROR_UNSUPPORTED_COMPRESSION_TYPE,
                      "produce requests of version %d may not use zstd; it needs version %d",
                      context->rules->produce_version, ZSTD_PRODUCE_VERSION_MIN);
    }
    return true;
}

static bool check_counts(const struct validate_context *context, struct validate_result *result) {
    const struct batch_header *header = &result->header;
    if (header->base_offset != 0) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "the batch's base offset should be 0, but it is %" PRId64,
                      header->base_offset);
    }
    if (header->record_count <= 0) {
        return refuse(result, context, ERROR_INVALID_RECORD, "invalid record count %" PRId32,
                      header->record_count);
    }
    if (header->last_offset_delta != header->record_count - 1) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "inconsistent offset range [0, %" PRId32 "] and count of records %" PRId32,
                      header->last_offset_delta, header->record_count);
    }
    return true;
}

static bool check_producer(const struct validate_context *context, struct validate_result *result) {
    const struct batch_header *header = &result->header;
    if (batch_transactional(header) && !batch_idempotent(header)) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "a transactional batch needs a producer id");
    }
    if (!batch_idempotent(header)) return true;
    if (header->producer_epoch < 0 || header->base_sequence < 0) {
        return refuse(result, context, ERROR_INVALID_RECORD,
                      "invalid epoch %d or sequence %" PRId32 " with producer id %" PRId64,
                      header->producer_epoch, header->base_sequence, header->producer_id);
    }
    return true;
}

static bool check_size(const struct validate_context *context, struct validate_result *result) {
    size_t size = batch_size(&result->header);
    if ((int64_t)size <= context->rules->message_bytes_max) return true;
    return refuse(result, context, ERROR_MESSAGE_TOO_LARGE,
                  "the batch's size of %zu bytes exceeds the maximum of %" PRId32
                  " (max.message.bytes)",
                  size, context->rules->message_bytes_max);
}

void validate_header(struct bytes input, const struct validate_context *context,
                     struct validate_result *result) {
    *result = (struct validate_result){.code = ERROR_NONE, .max_timestamp = -1};
    (void)(check_frame(input, context, result) && check_attributes(context, result) &&
           check_counts(context, result) && check_producer(context, result) &&
           check_size(context, result));
}

size_t validate_inflate_size(const struct batch_header *header) {
    return batch_codec(header) == CODEC_NONE ? 0 : batch_size(header) - BATCH_HEADER_SIZE;
}

/* --- records --- */

/* Collects what is wrong with single records while the walk goes on. */
struct walk {
    const struct validate_context *context;
    struct validate_result *result;
    size_t refused; /* listed or not */
    bool timestamps_refused;
    int64_t earliest, latest; /* what a timestamp may be */
};

__attribute__((format(printf, 3, 4))) static void refuse_record(struct walk *walk, int32_t index,
                                                                const char *format, ...) {
    struct validate_result *result = walk->result;
    if (walk->refused++ == 0) {
        int32_t count = result->header.record_count;
        if (count > VALIDATE_RECORD_ERRORS_MAX) count = VALIDATE_RECORD_ERRORS_MAX;
        result->record_errors =
            arena_try(walk->context->arena, (size_t)count * sizeof *result->record_errors);
    }
    if (!result->record_errors || walk->refused > VALIDATE_RECORD_ERRORS_MAX) return;
    va_list list;
    va_start(list, format);
    result->record_errors[result->record_error_count++] = (struct validate_record_error){
        .batch_index = index, .text = text_of(walk->context->arena, format, list)};
    va_end(list);
}

/* Keys first, and one error per record, as in Kafka. */
static void check_record(struct walk *walk, const struct record *record, int32_t index) {
    int64_t timestamp = (int64_t)((uint64_t)walk->result->header.base_timestamp +
                                  (uint64_t)record->timestamp_delta);
    if (timestamp > walk->result->max_timestamp) walk->result->max_timestamp = timestamp;
    if (walk->context->rules->compacted && bytes_is_null(record->key)) {
        refuse_record(walk, index, "Compacted topic cannot accept message without key");
        return;
    }
    if (timestamp == -1 || (timestamp >= walk->earliest && timestamp <= walk->latest)) return;
    walk->timestamps_refused = true;
    refuse_record(walk, index,
                  "Timestamp %" PRId64 " is out of range. The timestamp should be within [%" PRId64
                  ", %" PRId64 "]",
                  timestamp, walk->earliest, walk->latest);
}

static bool walk_records(struct walk *walk, struct bytes rest) {
    struct validate_result *result = walk->result;
    int32_t count = result->header.record_count;
    struct record record;
    for (int32_t index = 0; index < count; index++) {
        enum record_result read = record_next(&rest, &record);
        if (read != RECORD_READ) {
            return refuse(result, walk->context, ERROR_INVALID_RECORD,
                          read == RECORD_END ? "the batch ends before record %" PRId32
                                             : "record %" PRId32 " cannot be read",
                          index);
        }
        if (record.offset_delta != index) {
            return refuse(result, walk->context, ERROR_INVALID_RECORD,
                          "record %" PRId32 " has the offset delta %" PRId32, index,
                          record.offset_delta);
        }
        check_record(walk, &record, index);
    }
    if (rest.len == 0) return true;
    return refuse(result, walk->context, ERROR_INVALID_RECORD,
                  "%zu bytes follow the batch's %" PRId32 " records", rest.len, count);
}

/* The batch's code and message from those of its records. */
static bool judge_records(struct walk *walk) {
    struct validate_result *result = walk->result;
    if (walk->refused == 0) return true;
    if (walk->timestamps_refused) {
        return refuse(result, walk->context, ERROR_INVALID_TIMESTAMP,
                      "One or more records have been rejected due to invalid timestamp");
    }
    char shown[TEXT_MAX / 2] = "";
    size_t len = 0;
    for (size_t i = 0; i < result->record_error_count && i < MESSAGE_SHOWS; i++) {
        const struct validate_record_error *error = &result->record_errors[i];
        int more = snprintf(shown + len, sizeof shown - len, "%srecord %" PRId32 ": %.*s",
                            i ? ", " : "", error->batch_index, BYTES_FORMAT(error->text));
        if (more < 0 || (size_t)more >= sizeof shown - len) break;
        len += (size_t)more;
    }
    return refuse(result, walk->context, ERROR_INVALID_RECORD,
                  "One or more records have been rejected due to %zu record errors in total, and "
                  "only showing the first three errors at most: [%s]",
                  walk->refused, shown);
}

static bool inflate_records(const struct validate_context *context,
                            struct validate_result *result) {
    enum codec codec = batch_codec(&result->header);
    if (codec == CODEC_NONE) return true;
    struct compress_limits limits = {.output_max = context->rules->decompressed_bytes_max,
                                     .ratio_max = context->rules->ratio_max};
    switch (inflater_run(context->inflater, codec, result->records, limits, &result->records)) {
        case INFLATE_DONE: return true;
        case INFLATE_CORRUPT:
            return refuse(result, context, ERROR_INVALID_RECORD, "the records are not valid %s",
                          codec_name(codec));
        case INFLATE_TOO_LARGE:
            return refuse(result, context, ERROR_MESSAGE_TOO_LARGE,
                          "the %s records inflate to more than %zu bytes, or to more than %" PRIu32
                          " times their size",
                          codec_name(codec), limits.output_max, limits.ratio_max);
    }
    unreachable();
}

/* now - before and now + after, at most what fits. */
static struct walk walk_begin(const struct validate_context *context,
                              struct validate_result *result) {
    struct walk walk = {
        .context = context, .result = result, .earliest = INT64_MIN, .latest = INT64_MAX};
    if (context->rules->append_time) return walk;
    int64_t bound;
    if (!__builtin_sub_overflow(context->now_ms, context->rules->timestamp_before_ms_max, &bound)) {
        walk.earliest = bound;
    }
    if (!__builtin_add_overflow(context->now_ms, context->rules->timestamp_after_ms_max, &bound)) {
        walk.latest = bound;
    }
    return walk;
}

void validate_records(struct bytes input, const struct validate_context *context,
                      struct validate_result *result) {
    check(result->code == ERROR_NONE && batch_size(&result->header) == input.len);
    struct walk walk = walk_begin(context, result);
    result->records = batch_records(input);
    bool readable = inflate_records(context, result) && walk_records(&walk, result->records);
    if (!readable) result->record_error_count = 0; /* then no single record is to blame */
    if (!readable || !judge_records(&walk)) result->records = BYTES_NULL;
}

void validate_batch(struct bytes input, const struct validate_context *context,
                    struct validate_result *result) {
    validate_header(input, context, result);
    if (result->code == ERROR_NONE) validate_records(input, context, result);
}

void validate_correct(uint8_t *batch, const struct validate_rules *rules,
                      struct validate_result *result) {
    check(result->code == ERROR_NONE);
    if (rules->append_time || result->header.max_timestamp == result->max_timestamp) return;
    batch_patch_max_timestamp(batch, result->max_timestamp);
    check(batch_header_read(bytes_make(batch, batch_size(&result->header)), &result->header));
}
