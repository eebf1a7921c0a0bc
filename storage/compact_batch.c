#include "storage/compact_batch.h"

#include "base/check.h"
#include "base/mutant.h"
#include "protocol/record.h"
#include "protocol/varint.h"

void compact_filter_deinit(struct compact_filter *filter) {
    byte_buffer_deinit(&filter->kept);
    byte_buffer_deinit(&filter->shifted);
}

static int64_t wrapping_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrapping_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

/* --- decoding --- */

static bool batch_unreadable(struct compact_reader *reader) {
    reader->unreadable++;
    return false;
}

/* The records of a batch, inflated if need be; they stay the inflater's until its next use. */
static bool batch_open(struct compact_reader *reader, struct bytes batch,
                       const struct batch_header *header, struct bytes *records) {
    *records = batch_records(bytes_make(batch.at, batch_size(header)));
    enum codec codec = batch_codec(header);
    if (codec == CODEC_NONE || header->record_count == 0) return true;
    if (codec >= CODEC_COUNT) return batch_unreadable(reader);
    enum inflate_result result =
        inflater_run(reader->inflater, codec, *records, reader->limits, records);
    return result == INFLATE_DONE || batch_unreadable(reader);
}

bool compact_map_batch(struct compact_map *map, struct compact_reader *reader, struct bytes batch,
                       int64_t first, int64_t *mapped_end) {
    struct batch_header header;
    struct bytes records;
    struct record record;
    check(batch_header_read(batch, &header) && batch_size(&header) <= batch.len);
    *mapped_end = batch_last_offset(&header) + 1;
    if (batch_control(&header) || !batch_open(reader, batch, &header, &records)) return true;
    while (record_next(&records, &record) == RECORD_READ) {
        int64_t offset = wrapping_add(header.base_offset, record.offset_delta);
        if (bytes_is_null(record.key) || offset < first || offset >= *mapped_end) continue;
        if (compact_map_put(map, record.key, offset)) continue;
        *mapped_end = offset;
        return false;
    }
    return true;
}

/* --- deciding --- */

static bool record_stays(const struct compact_filter *filter, const struct batch_header *header,
                         const struct record *record) {
    int64_t offset = wrapping_add(header->base_offset, record->offset_delta);
    if (offset >= filter->mapped_end) return true;
    if (bytes_is_null(record->key)) return false;
    if (compact_map_find(filter->map, record->key) > offset - MUTANT(newest_key_dropped))
        return false;
    if (!bytes_is_null(record->value)) return true;
    if (MUTANT(tombstone_dropped)) return false;
    return !batch_delete_horizon(header) || filter->now_ms < header->base_timestamp;
}

static bool is_last_of_producer(const struct compact_filter *filter,
                                const struct batch_header *header) {
    size_t low = 0, high = filter->producer_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (filter->producers[middle].id < header->producer_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < filter->producer_count && filter->producers[low].id == header->producer_id &&
           filter->producers[low].last_offset == batch_last_offset(header);
}

static bool batch_stays_empty(const struct compact_filter *filter,
                              const struct batch_header *header) {
    return batch_last_offset(header) == filter->last_offset ||
           (batch_idempotent(header) && is_last_of_producer(filter, header));
}

/* What a walk over the records found: those that stay are in filter->kept. */
struct survey {
    int32_t seen, kept;
    int64_t timestamp_max;
    bool has_tombstone;
};

static bool survey_batch(struct compact_filter *filter, const struct batch_header *header,
                         struct bytes records, struct survey *survey) {
    *survey = (struct survey){.timestamp_max = INT64_MIN};
    filter->kept.len = 0;
    struct record record;
    enum record_result result = RECORD_READ;
    while (result == RECORD_READ) {
        const uint8_t *from = records.at;
        result = record_next(&records, &record);
        if (result != RECORD_READ) break;
        survey->seen++;
        if (!record_stays(filter, header, &record)) continue;
        survey->kept++;
        int64_t timestamp = wrapping_add(header->base_timestamp, record.timestamp_delta);
        if (timestamp > survey->timestamp_max) survey->timestamp_max = timestamp;
        if (bytes_is_null(record.value)) survey->has_tombstone = true;
        byte_buffer_append(&filter->kept, bytes_make(from, (size_t)(records.at - from)));
    }
    return result == RECORD_END && survey->seen == header->record_count;
}

/* --- writing --- */

/* The record as it is, but for a timestamp delta that is `shift` larger. */
static void put_shifted(struct byte_buffer *out, struct bytes *records, int64_t shift) {
    int32_t size = 0;
    int64_t delta = 0;
    check(varint_take_i32(records, &size) && size > 0 && (size_t)size <= records->len);
    struct bytes rest = bytes_make(records->at + 1, (size_t)size - 1);
    uint8_t attributes = records->at[0];
    check(varint_take_i64(&rest, &delta) && "record_next() has read it");
    *records = bytes_make(records->at + size, records->len - (size_t)size);
    delta = wrapping_add(delta, shift);
    size_t body = 1 + varint_size_i64(delta) + rest.len;
    check(body <= INT32_MAX);
    uint8_t *start = byte_buffer_reserve(out, VARINT_32_MAX + body), *at = start;
    at += varint_put_i32(at, (int32_t)body);
    *at++ = attributes;
    at += varint_put_i64(at, delta);
    memcpy(at, rest.at, rest.len);
    out->len += (size_t)(at - start) + rest.len;
}

/* The base becomes the horizon, without a change of any record's time. */
static struct bytes set_horizon(struct compact_filter *filter, struct batch_header *header) {
    int64_t horizon;
    if (__builtin_add_overflow(filter->now_ms, filter->delete_retention_ms, &horizon))
        horizon = INT64_MAX;
    int64_t shift = wrapping_sub(header->base_timestamp, horizon);
    filter->shifted.len = 0;
    for (struct bytes rest = byte_buffer_bytes(&filter->kept); rest.len;)
        put_shifted(&filter->shifted, &rest, shift);
    header->attributes |= BATCH_DELETE_HORIZON;
    header->base_timestamp = horizon;
    return byte_buffer_bytes(&filter->shifted);
}

static void put_batch(struct batch_header *header, struct bytes records, struct byte_buffer *out) {
    struct error error;
    size_t start = out->len;
    byte_buffer_reserve(out, BATCH_HEADER_SIZE);
    out->len += BATCH_HEADER_SIZE;
    if (batch_codec(header) == CODEC_NONE)
        byte_buffer_append(out, records);
    else
        check(compress_deflate(batch_codec(header), records, out, &error));
    size_t size = out->len - start;
    check(size <= INT32_MAX);
    header->length = (int32_t)(size - BATCH_OVERHEAD);
    batch_header_write(out->at + start, header);
    batch_patch_max_timestamp(out->at + start, header->max_timestamp);
    check(batch_crc_valid(bytes_make(out->at + start, size)) && "pair: it reads back");
}

/* The header alone, uncompressed and without a horizon, as Kafka leaves it. */
static void put_empty(struct batch_header header, struct byte_buffer *out) {
    header.attributes &= BATCH_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL;
    header.base_timestamp = header.max_timestamp;
    header.record_count = 0;
    put_batch(&header, BYTES_NULL, out);
}

static void put_kept(struct compact_filter *filter, struct batch_header header,
                     const struct survey *survey, struct byte_buffer *out) {
    struct bytes records = byte_buffer_bytes(&filter->kept);
    if (survey->has_tombstone && !batch_delete_horizon(&header))
        records = set_horizon(filter, &header);
    if (!batch_append_time(&header)) header.max_timestamp = survey->timestamp_max;
    header.record_count = survey->kept;
    put_batch(&header, records, out);
}

enum compact_verdict compact_batch(struct compact_filter *filter, struct compact_reader *reader,
                                   struct bytes batch, struct byte_buffer *out) {
    struct batch_header header;
    struct bytes records;
    struct survey survey;
    check(batch_header_read(batch, &header) && batch_size(&header) <= batch.len);
    if (batch_control(&header) || header.base_offset >= filter->mapped_end) return COMPACT_KEEP;
    bool stays = batch_stays_empty(filter, &header);
    if (header.record_count == 0) return stays ? COMPACT_KEEP : COMPACT_DROP;
    if (!batch_open(reader, batch, &header, &records)) return COMPACT_KEEP;
    if (!survey_batch(filter, &header, records, &survey)) {
        batch_unreadable(reader);
        return COMPACT_KEEP;
    }
    bool new_horizon = survey.has_tombstone && !batch_delete_horizon(&header);
    if (survey.kept == survey.seen && !new_horizon) return COMPACT_KEEP;
    filter->records_dropped += (uint64_t)(survey.seen - survey.kept);
    if (survey.kept > 0)
        put_kept(filter, header, &survey, out);
    else if (stays)
        put_empty(header, out);
    else
        return COMPACT_DROP;
    return COMPACT_REPLACE;
}
