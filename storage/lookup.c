/* Offsets by time (KIP-79, KIP-734): the segment table and the index narrow it down, then batches
 * are read, and the records of the one that matters are decoded on a worker. */
#include "base/check.h"
#include "base/memory.h"
#include "protocol/compress.h"
#include "protocol/record.h"
#include "storage/state.h"

enum { LOOKUP_READ_BYTES = 256 << 10, LOOKUP_INFLATE_MAX = 64 << 20, LOOKUP_RATIO_MAX = 1000 };

struct lookup_flow {
    struct read read;
    struct work work;
    struct lookup *lookup;
    struct store *store;
    int64_t log_start, high_watermark;
    uint8_t *bytes; /* whole batches, in one piece */
    size_t len;
    bool found;
    int64_t next_offset; /* where the search goes on */
};

static bool lookup_is_max(const struct lookup *lookup) {
    return lookup->timestamp_ms == LOOKUP_MAX_TIMESTAMP;
}

/* The record of this batch that answers: the first at or after the time, or the first with the
 * largest one. */
static bool batch_lookup(struct lookup_flow *flow, struct bytes batch,
                         const struct batch_header *header) {
    struct lookup *lookup = flow->lookup;
    int64_t wanted = lookup_is_max(lookup) ? header->max_timestamp : lookup->timestamp_ms;
    struct inflater *inflater = inflater_new();
    struct bytes records = batch_records(batch);
    struct compress_limits limits = {LOOKUP_INFLATE_MAX, LOOKUP_RATIO_MAX};
    bool readable =
        batch_codec(header) == CODEC_NONE ||
        inflater_run(inflater, batch_codec(header), records, limits, &records) == INFLATE_DONE;
    struct record record;
    while (readable && !flow->found && record_next(&records, &record) == RECORD_READ) {
        int64_t offset = header->base_offset + record.offset_delta;
        int64_t timestamp = batch_append_time(header)
                                ? header->max_timestamp
                                : header->base_timestamp + record.timestamp_delta;
        if (timestamp < wanted || offset < flow->log_start) continue;
        flow->found = true;
        lookup->offset = offset;
        lookup->found_timestamp_ms = timestamp;
    }
    inflater_free(inflater);
    return flow->found;
}

static void lookup_run(struct work *work) {
    struct lookup_flow *flow = container_of(work, struct lookup_flow, work);
    struct bytes rest = bytes_make(flow->bytes, flow->len);
    struct batch_header header;
    while (batch_header_read(rest, &header) && batch_size(&header) <= rest.len) {
        flow->next_offset = batch_last_offset(&header) + 1;
        bool candidate =
            lookup_is_max(flow->lookup) || header.max_timestamp >= flow->lookup->timestamp_ms;
        if (candidate && !batch_control(&header) && batch_lookup(flow, rest, &header)) return;
        rest = bytes_make(rest.at + batch_size(&header), rest.len - batch_size(&header));
    }
}

static void lookup_finish(struct lookup_flow *flow, enum error_code code) {
    struct lookup *lookup = flow->lookup;
    struct partition *partition = lookup->partition;
    lookup->code = code;
    free(flow->bytes);
    free(flow);
    lookup->done(lookup);
    partition_unpin(partition);
}

static void lookup_read(struct lookup_flow *flow, int64_t offset);

static void lookup_scanned(struct work *work) {
    struct lookup_flow *flow = container_of(work, struct lookup_flow, work);
    flow->store->flows--;
    bool more = !flow->found && flow->next_offset < flow->high_watermark;
    if (more)
        lookup_read(flow, flow->next_offset);
    else
        lookup_finish(flow, ERROR_NONE);
}

static void lookup_read_done(struct read *read) {
    struct lookup_flow *flow = container_of(read, struct lookup_flow, read);
    if (read->code != ERROR_NONE || read->total == 0) {
        enum error_code code = read->code;
        read_release(read);
        lookup_finish(flow, code);
        return;
    }
    free(flow->bytes);
    flow->bytes = memory_new(read->total);
    flow->len = 0;
    for (int32_t at = 0; at < read->piece_count; at++) {
        memcpy(flow->bytes + flow->len, read->pieces[at].at, read->pieces[at].len);
        flow->len += read->pieces[at].len;
    }
    read_release(read);
    flow->store->flows++;
    ring_work(flow->store->ring, &flow->work);
}

static void lookup_read(struct lookup_flow *flow, int64_t offset) {
    flow->read = (struct read){.offset = offset,
                               .bytes_max = lookup_is_max(flow->lookup) ? 1 : LOOKUP_READ_BYTES,
                               .minimum_one = true,
                               .done = lookup_read_done};
    if (partition_read(flow->lookup->partition, &flow->read)) lookup_read_done(&flow->read);
}

/* The offset from which a scan finds the time; -1 when no readable record can have it. */
static int64_t lookup_start(const struct partition *partition, const struct lookup *lookup) {
    const struct segment *best = NULL;
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (segment->next_offset <= partition->log_start || segment->timestamp_max < 0) continue;
        if (!lookup_is_max(lookup) && segment->timestamp_max >= lookup->timestamp_ms) {
            best = segment;
            break;
        }
        if (lookup_is_max(lookup) && (!best || segment->timestamp_max > best->timestamp_max))
            best = segment;
    }
    if (!best) return -1;
    int64_t offset = best->base_offset;
    if (lookup_is_max(lookup))
        offset = best->timestamp_max_offset;
    else if (best->index && best->index_whole) {
        const struct index_entry *entry = index_find_timestamp(best->index, lookup->timestamp_ms);
        if (entry) offset = entry->offset;
    }
    if (offset < partition->log_start) offset = partition->log_start;
    return offset < partition->high_watermark ? offset : -1;
}

bool partition_lookup(struct partition *partition, struct lookup *lookup) {
    lookup->partition = partition;
    lookup->offset = lookup->found_timestamp_ms = -1;
    lookup->leader_epoch = partition->definition.leader_epoch;
    lookup->code = partition->dead      ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
                   : partition->offline ? ERROR_KAFKA_STORAGE_ERROR
                                        : ERROR_NONE;
    int64_t offset = lookup->code == ERROR_NONE ? lookup_start(partition, lookup) : -1;
    if (offset < 0) return true;
    struct lookup_flow *flow = new_zero(struct lookup_flow);
    flow->lookup = lookup;
    flow->store = partition->store;
    flow->log_start = partition->log_start;
    flow->high_watermark = partition->high_watermark;
    flow->work = (struct work){.run = lookup_run, .done = lookup_scanned};
    partition_pin(partition);
    lookup_read(flow, offset);
    return false;
}
