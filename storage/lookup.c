/* Offsets by time (KIP-79, KIP-734), exact to the record. The segment table and the indexes narrow
 * it down; batches from there on are read, and decoded on a worker.
 *
 *   a time             the first batch from there on that has it, then the record in it
 *   the largest time   the batch that the segment table names. Where that one is below the log
 *                      start, the rest of its segment is scanned first, header by header
 *
 * Only what was readable when the search began is looked at. */
#include "storage/lookup.h"

#include "base/check.h"
#include "base/memory.h"
#include "protocol/compress.h"
#include "protocol/record.h"
#include "storage/state.h"

enum { LOOKUP_READ_BYTES = 256 << 10, LOOKUP_INFLATE_MAX = 64 << 20, LOOKUP_RATIO_MAX = 1000 };

/* The largest timestamp of a range, and where: a batch's base offset, or the record's own. */
struct peak {
    int64_t timestamp, offset;
    bool is_record;
};

enum lookup_stage {
    LOOKUP_TIME, /* batches from `next_offset` on, until one has the time */
    LOOKUP_SCAN, /* batches of [next_offset, scan_end), all of them, for the largest time */
    LOOKUP_PEAK, /* the one batch at `peak` */
};

struct lookup_flow {
    struct read read;
    struct work work;
    struct lookup *lookup;
    struct store *store;
    enum lookup_stage stage;
    int64_t log_start, high_watermark;
    int64_t next_offset, scan_end;
    struct peak peak;
    uint8_t *bytes; /* whole batches, in one piece */
    size_t len;
    int64_t wanted; /* the first record at or after this answers */
    bool found;
};

/* --- on a worker: records --- */

typedef bool record_visit(struct lookup_flow *flow, int64_t offset, int64_t timestamp);

static bool record_answers(struct lookup_flow *flow, int64_t offset, int64_t timestamp) {
    struct lookup *lookup = flow->lookup;
    if (timestamp < flow->wanted) return false;
    flow->found = true;
    lookup->offset = offset;
    lookup->found_timestamp_ms = timestamp;
    return true;
}

static bool record_raises_peak(struct lookup_flow *flow, int64_t offset, int64_t timestamp) {
    if (timestamp > flow->peak.timestamp) flow->peak = (struct peak){timestamp, offset, true};
    return false;
}

/* Visits records at or above the log start until one is taken. False when the batch cannot be
 * decoded, which was the producer's business. */
static bool batch_visit(struct lookup_flow *flow, struct bytes batch,
                        const struct batch_header *header, record_visit *visit) {
    struct inflater *inflater = inflater_new();
    struct bytes records = batch_records(batch);
    struct compress_limits limits = {LOOKUP_INFLATE_MAX, LOOKUP_RATIO_MAX};
    bool readable =
        batch_codec(header) == CODEC_NONE ||
        inflater_run(inflater, batch_codec(header), records, limits, &records) == INFLATE_DONE;
    struct record record;
    bool taken = false;
    int32_t seen = 0;
    while (readable && !taken && record_next(&records, &record) == RECORD_READ) {
        int64_t offset = header->base_offset + record.offset_delta;
        int64_t timestamp = batch_append_time(header)
                                ? header->max_timestamp
                                : header->base_timestamp + record.timestamp_delta;
        seen++;
        if (offset >= flow->log_start) taken = visit(flow, offset, timestamp);
    }
    inflater_free(inflater);
    return taken || seen == header->record_count;
}

/* As a batch whose records cannot be told apart: as exact as its header is. */
static void batch_visit_whole(struct lookup_flow *flow, const struct batch_header *header,
                              record_visit *visit) {
    int64_t offset = header->base_offset > flow->log_start ? header->base_offset : flow->log_start;
    visit(flow, offset, header->max_timestamp);
}

static void batch_visit_any(struct lookup_flow *flow, struct bytes batch,
                            const struct batch_header *header, record_visit *visit) {
    if (batch_control(header) || batch_last_offset(header) < flow->log_start) return;
    if (!batch_visit(flow, batch, header, visit)) batch_visit_whole(flow, header, visit);
}

/* --- on a worker: batches --- */

static void batch_look(struct lookup_flow *flow, struct bytes batch,
                       const struct batch_header *header) {
    if (header->record_count == 0) return; /* compaction has left nothing of it */
    bool begins_below = header->base_offset < flow->log_start;
    switch (flow->stage) {
        case LOOKUP_TIME:
            if (header->max_timestamp >= flow->lookup->timestamp_ms)
                batch_visit_any(flow, batch, header, record_answers);
            return;
        case LOOKUP_SCAN:
            if (header->max_timestamp <= flow->peak.timestamp || batch_control(header)) return;
            if (begins_below) /* the largest may be of a record below the log start */
                batch_visit_any(flow, batch, header, record_raises_peak);
            else
                flow->peak = (struct peak){header->max_timestamp, header->base_offset, false};
            return;
        case LOOKUP_PEAK:
            flow->wanted = header->max_timestamp;
            batch_visit_any(flow, batch, header, record_answers);
            if (!flow->found) batch_visit_whole(flow, header, record_answers);
            return;
    }
}

static void lookup_run(struct work *work) {
    struct lookup_flow *flow = container_of(work, struct lookup_flow, work);
    struct bytes rest = bytes_make(flow->bytes, flow->len);
    struct batch_header header;
    while (!flow->found && batch_header_read(rest, &header) && batch_size(&header) <= rest.len) {
        struct bytes batch = bytes_make(rest.at, batch_size(&header));
        flow->next_offset = batch_last_offset(&header) + 1;
        batch_look(flow, batch, &header);
        rest = bytes_make(rest.at + batch.len, rest.len - batch.len);
    }
}

/* --- where to look --- */

static bool segment_is_readable(const struct lookup_flow *flow, const struct segment *segment) {
    return segment->next_offset > flow->log_start && segment->base_offset < flow->high_watermark;
}

/* The first offset from `from` on at which a record may have the time; -1 when none has it. */
static int64_t lookup_next(const struct lookup_flow *flow, int64_t from) {
    const struct partition *partition = flow->lookup->partition;
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (segment->next_offset <= from || segment->timestamp_max < flow->wanted) continue;
        if (!segment_is_readable(flow, segment)) continue;
        int64_t offset = segment->base_offset > from ? segment->base_offset : from;
        const struct index_entry *entry =
            segment->index ? index_find_timestamp(segment->index, flow->wanted) : NULL;
        if (entry && entry->offset > offset) offset = entry->offset;
        return offset < flow->high_watermark ? offset : -1;
    }
    return -1;
}

/* The largest time by the segment table alone, and what of a segment has to be scanned first. */
static void lookup_begin_peak(struct lookup_flow *flow) {
    const struct partition *partition = flow->lookup->partition;
    const struct segment *partly = NULL;
    flow->peak = (struct peak){-1, -1, false};
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (!segment_is_readable(flow, segment)) continue;
        if (segment->durable_timestamp_max <= flow->peak.timestamp) continue;
        if (segment->durable_timestamp_max_offset < flow->log_start)
            partly = segment;
        else
            flow->peak = (struct peak){segment->durable_timestamp_max,
                                       segment->durable_timestamp_max_offset, false};
    }
    flow->stage = LOOKUP_PEAK;
    if (!partly || partly->durable_timestamp_max <= flow->peak.timestamp) return;
    flow->stage = LOOKUP_SCAN;
    flow->next_offset = flow->log_start;
    flow->scan_end =
        partly->next_offset < flow->high_watermark ? partly->next_offset : flow->high_watermark;
}

static void lookup_begin(struct lookup_flow *flow) {
    const struct partition *partition = flow->lookup->partition;
    flow->log_start = partition->log_start;
    flow->high_watermark = partition->high_watermark;
    flow->next_offset = flow->log_start;
    flow->stage = LOOKUP_TIME;
    flow->wanted = flow->lookup->timestamp_ms;
    if (flow->lookup->timestamp_ms == LOOKUP_MAX_TIMESTAMP) lookup_begin_peak(flow);
}

/* The offset to read next; -1 when the search is over. */
static int64_t lookup_offset(struct lookup_flow *flow) {
    struct lookup *lookup = flow->lookup;
    if (flow->found) return -1;
    if (flow->stage == LOOKUP_TIME) return lookup_next(flow, flow->next_offset);
    if (flow->stage == LOOKUP_SCAN && flow->next_offset < flow->scan_end) return flow->next_offset;
    bool was_read = flow->stage == LOOKUP_PEAK && flow->next_offset > flow->peak.offset;
    flow->stage = LOOKUP_PEAK;
    if (flow->peak.offset < 0 || was_read) return -1;
    if (!flow->peak.is_record) return flow->peak.offset;
    lookup->offset = flow->peak.offset;
    lookup->found_timestamp_ms = flow->peak.timestamp;
    return -1;
}

/* --- the flow --- */

enum lookup_progress { LOOKUP_UNDER_WAY, LOOKUP_AGAIN, LOOKUP_OVER };

/* A read has ended: its bytes go to a worker. */
static enum lookup_progress lookup_take(struct lookup_flow *flow) {
    struct read *read = &flow->read;
    const struct partition *partition = flow->lookup->partition;
    flow->lookup->code = read->code;
    if (read->code == ERROR_OFFSET_OUT_OF_RANGE && partition->log_start > flow->log_start) {
        flow->lookup->code = ERROR_NONE; /* the log has become shorter meanwhile */
        lookup_begin(flow);
        return LOOKUP_AGAIN;
    }
    if (read->code != ERROR_NONE || read->total == 0) {
        read_release(read);
        return LOOKUP_OVER;
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
    return LOOKUP_UNDER_WAY;
}

static void lookup_read_done(struct read *read);

/* Reads what is next; true when the search is over. */
static bool lookup_step(struct lookup_flow *flow) {
    for (;;) {
        int64_t offset = lookup_offset(flow);
        if (offset < 0) return true;
        size_t bytes_max = flow->stage == LOOKUP_PEAK ? 1 : LOOKUP_READ_BYTES;
        flow->read = (struct read){.offset = offset,
                                   .bytes_max = bytes_max,
                                   .minimum_one = true,
                                   .done = lookup_read_done};
        if (!partition_read(flow->lookup->partition, &flow->read)) return false;
        enum lookup_progress progress = lookup_take(flow);
        if (progress != LOOKUP_AGAIN) return progress == LOOKUP_OVER;
    }
}

static void lookup_start_next(struct store *store);

static void lookup_finish(struct lookup_flow *flow) {
    struct lookup *lookup = flow->lookup;
    struct store *store = flow->store;
    struct partition *partition = lookup->partition;
    free(flow->bytes);
    free(flow);
    store->lookups.running--;
    lookup->done(lookup);
    partition_unpin(partition);
    lookup_start_next(store);
}

static void lookup_read_done(struct read *read) {
    struct lookup_flow *flow = container_of(read, struct lookup_flow, read);
    enum lookup_progress progress = lookup_take(flow);
    if (progress == LOOKUP_OVER || (progress == LOOKUP_AGAIN && lookup_step(flow)))
        lookup_finish(flow);
}

static void lookup_scanned(struct work *work) {
    struct lookup_flow *flow = container_of(work, struct lookup_flow, work);
    flow->store->flows--;
    if (lookup_step(flow)) lookup_finish(flow);
}

/* True when it is over at once. */
static bool lookup_start(struct lookup *lookup) {
    struct partition *partition = lookup->partition;
    struct lookup_flow *flow = new_zero(struct lookup_flow);
    flow->lookup = lookup;
    flow->store = partition->store;
    flow->work = (struct work){.run = lookup_run, .done = lookup_scanned};
    lookup_begin(flow);
    if (lookup_step(flow)) {
        free(flow);
        return true;
    }
    partition_pin(partition);
    partition->store->lookups.running++;
    return false;
}

static void lookup_start_next(struct store *store) {
    struct lookups *lookups = &store->lookups;
    while (lookups->running < LOOKUPS_MAX && !list_is_empty(&lookups->waiting)) {
        struct lookup *lookup = list_entry(list_first(&lookups->waiting), struct lookup, link);
        struct partition *partition = lookup->partition;
        list_remove(&lookup->link);
        if (partition->dead) lookup->code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        if (partition->dead || lookup_start(lookup)) lookup->done(lookup);
        partition_unpin(partition);
    }
}

bool partition_lookup(struct partition *partition, struct lookup *lookup) {
    lookup->partition = partition;
    lookup->offset = lookup->found_timestamp_ms = -1;
    lookup->leader_epoch = partition->definition.leader_epoch;
    lookup->code = partition->dead      ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
                   : partition->offline ? ERROR_KAFKA_STORAGE_ERROR
                                        : ERROR_NONE;
    if (lookup->code != ERROR_NONE) return true;
    struct lookups *lookups = &partition->store->lookups;
    if (lookups->running < LOOKUPS_MAX) return lookup_start(lookup);
    list_init(&lookup->link);
    list_append(&lookups->waiting, &lookup->link);
    partition_pin(partition);
    return false;
}
