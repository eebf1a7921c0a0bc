#include "storage/partition.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/say.h"
#include "base/search.h"
#include "storage/commit.h"
#include "storage/overdue.h"
#include "storage/remove.h"
#include "storage/settle.h"
#include "storage/space.h"
#include "storage/state.h"

/* --- segments --- */

struct segment_search {
    const struct segment *segments;
    int64_t wanted;
};

static bool number_is_reached(const void *context, size_t at) {
    const struct segment_search *search = context;
    return search->segments[at].number >= search->wanted;
}

static bool offset_is_passed(const void *context, size_t at) {
    const struct segment_search *search = context;
    return search->segments[at].next_offset > search->wanted;
}

struct segment *partition_segment(const struct partition *partition, uint32_t number) {
    struct segment_search search = {partition->segments, number};
    size_t at = search_first(partition->segment_count, number_is_reached, &search);
    bool found = at < partition->segment_count && partition->segments[at].number == number;
    return found ? &partition->segments[at] : NULL;
}

struct segment *partition_same_segment(const struct partition *partition,
                                       const struct segment_identity *identity) {
    struct segment *segment = partition_segment(partition, identity->segment);
    return segment && segment->revision == identity->revision ? segment : NULL;
}

struct segment *partition_segment_of_offset(const struct partition *partition, int64_t offset) {
    struct segment_search search = {partition->segments, offset};
    size_t at = search_first(partition->segment_count, offset_is_passed, &search);
    return at < partition->segment_count ? &partition->segments[at] : NULL;
}

struct segment *partition_add_segment(struct partition *partition, uint32_t number,
                                      int64_t base_offset, int64_t now_ms) {
    check(partition->segment_count == 0 || partition_active(partition)->number < number);
    if (partition->segment_count == partition->segment_capacity) {
        partition->segment_capacity = partition->segment_capacity * 2 + 1;
        partition->segments = memory_resize(
            partition->segments, partition->segment_capacity * sizeof *partition->segments);
    }
    struct segment *segment = &partition->segments[partition->segment_count++];
    *segment = (struct segment){.number = number,
                                .base_offset = base_offset,
                                .next_offset = base_offset,
                                .end = SEGMENT_START,
                                .timestamp_max = -1,
                                .timestamp_max_offset = -1,
                                .durable_timestamp_max = -1,
                                .durable_timestamp_max_offset = -1,
                                .created_ms = now_ms,
                                .index = new_zero(struct index),
                                .index_whole = true};
    segment_set_interval(partition, segment);
    return segment;
}

void segment_set_interval(const struct partition *partition, struct segment *segment) {
    segment->index_interval = index_interval(partition->definition.rules.index_interval_bytes);
    if (segment->index) segment->index->interval = segment->index_interval;
}

struct segment_identity partition_identity(const struct partition *partition,
                                           const struct data_directory *directory,
                                           const struct segment *segment) {
    return (struct segment_identity){.cluster_id = directory->cluster_id,
                                     .partition = partition->definition.id,
                                     .segment = segment->number,
                                     .base_offset = segment->base_offset,
                                     .revision = segment->revision};
}

void segment_forget(struct segment *segment) {
    segment_file_abandon(segment->file);
    if (segment->index) index_deinit(segment->index);
    free(segment->index);
}

/* --- life --- */

struct partition *partition_new(const struct partition_definition *definition, struct shard *shard,
                                struct chunk_pool *pool) {
    struct partition *partition = new_zero(struct partition);
    partition->definition = *definition;
    partition->shard = shard;
    partition->references = 1;
    partition->settled = partition->durable = partition->formed = partition->end =
        (struct place){0, SEGMENT_START};
    producers_init(&partition->producers, PRODUCERS_MAX);
    tail_init(&partition->tail, pool, partition);
    list_init(&partition->pending);
    list_init(&partition->bypasses);
    list_init(&partition->trims);
    list_init(&partition->replacements);
    list_init(&partition->waiters);
    list_init(&partition->dirty);
    list_init(&partition->settling);
    list_init(&partition->write_out);
    list_init(&partition->unsealed.in_store);
    list_append(&shard->partitions, &partition->in_shard);
    return partition;
}

void partition_free(struct partition *partition) {
    check(!partition->settle.in_flight);
    bypass_abandon(partition);
    overdue_forget(partition);
    while (partition->tail.count) settle_drop_oldest(partition);
    tail_deinit(&partition->tail);
    for (size_t at = 0; at < partition->segment_count; at++)
        segment_forget(&partition->segments[at]);
    free(partition->segments);
    producers_deinit(&partition->producers);
    epochs_deinit(&partition->epochs);
    list_remove(&partition->in_shard);
    list_remove(&partition->dirty);
    list_remove(&partition->settling);
    list_remove(&partition->write_out);
    list_remove(&partition->unsealed.in_store);
    free(partition);
}

void partition_pin(struct partition *partition) { partition->references++; }

void partition_unpin(struct partition *partition) {
    check(partition->references > 0);
    if (--partition->references == 0) partition_free(partition);
}

void partition_dirty(struct partition *partition) {
    struct shard *shard = partition->shard;
    if (!list_is_linked(&partition->dirty)) list_append(&shard->dirty, &partition->dirty);
    if (!list_is_linked(&shard->in_store))
        list_append(&partition->store->dirty_shards, &shard->in_store);
    shard->unsnapshotted = true;
}

uint32_t partition_id(const struct partition *partition) { return partition->definition.id; }
struct producers *partition_producers(struct partition *partition) {
    return &partition->producers;
}

uint64_t partition_unsettled_bytes(const struct partition *partition) {
    uint64_t bytes = 0;
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (segment->number < partition->settled.segment) continue;
        bool partly = segment->number == partition->settled.segment;
        uint64_t from = partly ? partition->settled.position : SEGMENT_START;
        if (segment->end > from) bytes += segment->end - from;
    }
    return bytes;
}

uint64_t partition_size_bytes(const struct partition *partition) {
    uint64_t size = 0;
    for (size_t at = 0; at < partition->segment_count; at++)
        size += partition->segments[at].end - SEGMENT_START;
    return size;
}

void partition_configure(struct partition *partition, const struct partition_rules *rules) {
    partition->definition.rules = *rules;
}

/* --- append --- */

void partition_roll(struct partition *partition, uint32_t number, int64_t base_offset,
                    int64_t now_ms) {
    if (partition->segment_count) tail_pad(&partition->tail, partition_active(partition)->number);
    partition_add_segment(partition, number, base_offset, now_ms);
    bool all_formed = place_equal(partition->formed, partition->end);
    bool all_durable = place_equal(partition->durable, partition->end);
    bool all_settled = place_equal(partition->settled, partition->end);
    partition->end = (struct place){number, SEGMENT_START};
    if (all_formed) partition->formed = partition->end;
    if (all_durable) partition->durable = partition->end;
    if (all_settled) partition->settled = partition->end;
}

bool partition_roll_now(struct partition *partition, int64_t now_ms) {
    if (partition->segment_count == 0) return false;
    const struct segment *active = partition_active(partition);
    if (active->end == SEGMENT_START) return false;
    partition_roll(partition, active->number + 1, partition->next_offset, now_ms);
    settle_consider(partition);
    return true;
}

int64_t partition_segment_ms(const struct partition *partition) {
    const struct partition_rules *rules = &partition->definition.rules;
    bool sooner = rules->compacted && rules->compaction_lag_ms_max > 0 &&
                  rules->compaction_lag_ms_max < rules->segment_ms;
    return sooner ? rules->compaction_lag_ms_max : rules->segment_ms;
}

void partition_formed_next_segment(struct partition *partition) {
    const struct segment *segment = partition_segment(partition, partition->formed.segment);
    if (segment && partition->end.segment > segment->number &&
        partition->formed.position == segment->end)
        partition->formed = (struct place){segment->number + 1, SEGMENT_START};
}

static bool partition_wants_roll(const struct partition *partition, size_t batch_bytes,
                                 int64_t now_ms) {
    if (partition->segment_count == 0) return true;
    const struct segment *active = partition_active(partition);
    const struct partition_rules *rules = &partition->definition.rules;
    if (active->end == SEGMENT_START) return false;
    if (partition->store->disk.short_since_ns) return false; /* replay writes out what is closed */
    return active->end - SEGMENT_START + batch_bytes > (uint64_t)rules->segment_bytes ||
           now_ms - active->created_ms >= partition_segment_ms(partition);
}

void partition_place(struct partition *partition, const struct batch_header *header,
                     struct bytes batch) {
    struct segment *active = partition_active(partition);
    check(header->base_offset >= partition->next_offset);
    tail_append(&partition->tail, partition->end, header->base_offset, batch);
    if (active->index)
        index_add(active->index, header->base_offset, active->end, active->timestamp_max);
    if (header->max_timestamp > active->timestamp_max) {
        active->timestamp_max = header->max_timestamp;
        active->timestamp_max_offset = header->base_offset;
    }
    active->end += batch.len;
    active->next_offset = batch_last_offset(header) + 1;
    partition->next_offset = active->next_offset;
    partition->end.position = active->end;
}

static enum append_state append_refuse(struct append *append, enum error_code code) {
    append->code = code;
    append->base_offset = -1;
    return APPEND_REFUSED;
}

static enum append_state append_duplicate(struct partition *partition, struct append *append,
                                          const struct producer_check *verdict) {
    uint32_t unsaid;
    if (verdict->crc_differs && store_may_say(partition->store, &unsaid))
        say_warning(
            "partition %u: producer %lld repeated sequence %d with other contents; the "
            "stored batch stays (%u lines left out before)",
            partition->definition.id, (long long)append->header.producer_id,
            append->header.base_sequence, unsaid);
    append->bytes = 0;
    append->base_offset = verdict->base_offset;
    append->timestamp_ms = partition->definition.rules.append_time ? verdict->max_timestamp : -1;
    append->log_start_offset = partition->log_start;
    append->release_at = verdict->base_offset + append->header.last_offset_delta + 1;
    bool durable = append->release_at <= partition->high_watermark;
    list_append(durable ? &partition->store->answers : &partition->pending, &append->link);
    return APPEND_PENDING;
}

static void append_assign(struct partition *partition, struct append *append) {
    uint8_t *batch = (uint8_t *)append->batch.at;
    append->timestamp_ms = -1;
    if (append->append_time_ms >= 0) {
        batch_patch_append_time(batch, append->append_time_ms);
        append->timestamp_ms = append->append_time_ms;
    }
    if (!MUTANT(base_offset_kept))
        batch_patch(batch, partition->next_offset, partition->definition.leader_epoch);
    check(batch_header_read(append->batch, &append->header));
    append->base_offset = partition->next_offset;
    append->release_at = batch_last_offset(&append->header) + 1;
    append->log_start_offset = partition->log_start;
}

static void append_enqueue(struct partition *partition, struct append *append) {
    struct store *store = partition->store;
    append->bytes = append->batch.len;
    append->reserved = (uint32_t)commit_reservation(partition, append->batch.len);
    append->segment = partition->end.segment;
    list_append(&partition->pending, &append->link);
    if (!partition->unformed) partition->unformed = append;
    partition->unformed_bytes += append->bytes;
    partition->unformed_reserved += append->reserved;
    partition->unformed_count++;
    store->unsettled_bytes += append->bytes;
    store->reserved_bytes += append->reserved;
    partition_dirty(partition);
}

enum append_state partition_append_now(struct partition *partition, struct append *append) {
    append->code = ERROR_NONE;
    if (batch_idempotent(&append->header)) {
        struct producer_check verdict;
        producers_check(&partition->producers, &append->header, &verdict);
        if (verdict.verdict == PRODUCER_DUPLICATE)
            return append_duplicate(partition, append, &verdict);
        if (verdict.verdict == PRODUCER_ERROR) return append_refuse(append, verdict.code);
    }
    enum error_code judged = append->judge ? append->judge(append) : ERROR_NONE;
    if (judged != ERROR_NONE) return append_refuse(append, judged);
    int64_t now_ms = ring_wall_ms(partition->store->ring);
    if (partition_wants_roll(partition, append->batch.len, now_ms)) {
        uint32_t number = partition->segment_count ? partition_active(partition)->number + 1
                                                   : partition->end.segment;
        partition_roll(partition, number, partition->next_offset, now_ms);
        settle_consider(partition);
    }
    struct segment *active = partition_active(partition);
    if (active->end == SEGMENT_START) active->created_ms = now_ms;
    append_assign(partition, append);
    if (batch_idempotent(&append->header))
        producers_apply(&partition->producers, &append->header, append->base_offset, now_ms);
    partition_place(partition, &append->header, append->batch);
    append_enqueue(partition, append);
    return APPEND_PENDING;
}

static enum producer_verdict append_verdict(const struct partition *partition,
                                            const struct batch_header *header) {
    struct producer_check verdict = {.verdict = PRODUCER_APPEND};
    if (batch_idempotent(header)) producers_check(&partition->producers, header, &verdict);
    return verdict.verdict;
}

bool partition_has_stored(const struct partition *partition, const struct append *append) {
    return append_verdict(partition, &append->header) == PRODUCER_DUPLICATE;
}

static bool append_waits(const struct partition *partition, size_t bytes) {
    return !space_has_now(partition, bytes);
}

bool partition_accepts(const struct partition *partition, size_t bytes) {
    return !partition->dead && !partition->offline && !partition->store->stopping &&
           !append_waits(partition, bytes);
}

bool partition_has_space(const struct partition *partition) {
    return !partition->store->disk.short_since_ns;
}

enum append_state partition_append(struct partition *partition, struct append *append) {
    append->partition = partition;
    append->code = ERROR_NONE;
    list_init(&append->link);
    struct store *store = partition->store;
    if (partition->dead) return append_refuse(append, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    if (partition->offline || store->stopping)
        return append_refuse(append, ERROR_KAFKA_STORAGE_ERROR);
    bool waits = append_waits(partition, append->batch.len);
    if (waits && !partition_has_stored(partition, append)) {
        space_queue(append);
        return APPEND_PENDING;
    }
    return partition_append_now(partition, append);
}

void partition_mark_refused(struct partition *partition, const struct batch_header *header) {
    if (batch_idempotent(header) && append_verdict(partition, header) == PRODUCER_APPEND)
        producers_refuse(&partition->producers, header, ring_wall_ms(partition->store->ring));
}

/* --- durable --- */

void partition_wake(struct partition *partition) {
    struct list woken;
    list_init(&woken);
    list_move_all(&woken, &partition->waiters);
    while (!list_is_empty(&woken)) {
        struct waiter *waiter = list_entry(list_first(&woken), struct waiter, link);
        list_remove(&waiter->link);
        waiter->wake(waiter);
    }
}

static void append_is_durable(struct partition *partition, const struct append *append) {
    struct segment *segment = partition_segment(partition, append->segment);
    if (append->bytes == 0 || !segment) return;
    if (append->header.max_timestamp <= segment->durable_timestamp_max) return;
    segment->durable_timestamp_max = append->header.max_timestamp;
    segment->durable_timestamp_max_offset = append->base_offset;
}

void partition_advance(struct partition *partition, int64_t high_watermark, struct place durable) {
    check(high_watermark >= partition->high_watermark);
    partition_began(partition, durable.segment);
    const struct segment *segment = partition_segment(partition, durable.segment);
    if (segment && durable.position == segment->end && partition->end.segment > durable.segment)
        durable = (struct place){durable.segment + 1, SEGMENT_START};
    check(place_compare(durable, partition->durable) >= 0);
    partition->high_watermark = high_watermark;
    partition->durable = durable;
    if (place_compare(partition->formed, durable) < 0) partition->formed = durable; /* a roll */
    if (partition->unformed) partition_dirty(partition); /* it may have waited for this */
    partition->shard->unsnapshotted = true;
    while (!list_is_empty(&partition->pending)) {
        struct append *append = list_entry(list_first(&partition->pending), struct append, link);
        if (append->release_at > high_watermark) break;
        check(append != partition->unformed);
        list_remove(&append->link);
        append_is_durable(partition, append);
        append->done(append);
    }
    partition_wake(partition);
    settle_consider(partition);
}

/* --- look --- */

static uint64_t partition_bytes_from(const struct partition *partition, int64_t offset) {
    struct chunk *chunk = tail_find(&partition->tail, offset);
    uint64_t bytes = 0;
    size_t at = partition->segment_count;
    while (at-- > 0) {
        const struct segment *segment = &partition->segments[at];
        uint64_t upto = segment->number == partition->durable.segment  ? partition->durable.position
                        : segment->number > partition->durable.segment ? SEGMENT_START
                                                                       : segment->end;
        uint64_t from = SEGMENT_START;
        bool here = segment->base_offset <= offset;
        if (here && chunk && chunk->segment == segment->number)
            from = chunk->first_position;
        else if (here && segment->index) {
            const struct index_entry *entry = index_find_offset(segment->index, offset);
            if (entry) from = entry->position;
        }
        if (upto > from) bytes += upto - from;
        if (here) break;
    }
    return bytes ? bytes : 1;
}

void partition_look(const struct partition *partition, int64_t offset, int32_t leader_epoch,
                    struct partition_view *view) {
    *view = (struct partition_view){
        .high_watermark = partition->high_watermark,
        .last_stable_offset = partition->high_watermark,
        .log_start_offset = partition->log_start,
        .leader_epoch = partition->definition.leader_epoch,
    };
    if (partition->dead)
        view->code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (partition->offline)
        view->code = ERROR_KAFKA_STORAGE_ERROR;
    else if (leader_epoch >= 0 && leader_epoch != partition->definition.leader_epoch)
        view->code = leader_epoch < partition->definition.leader_epoch ? ERROR_FENCED_LEADER_EPOCH
                                                                       : ERROR_UNKNOWN_LEADER_EPOCH;
    else if (offset != -1 && (offset < partition->log_start || offset > partition->next_offset))
        view->code = ERROR_OFFSET_OUT_OF_RANGE;
    else if (offset != -1 && offset < partition->high_watermark)
        view->bytes_available = partition_bytes_from(partition, offset);
}

void partition_wait(struct partition *partition, struct waiter *waiter) {
    waiter_cancel(waiter);
    list_append(&partition->waiters, &waiter->link);
}

void waiter_cancel(struct waiter *waiter) {
    if (waiter->link.next) list_remove(&waiter->link);
}

void partition_epoch_end(const struct partition *partition, int32_t asked, int32_t *epoch,
                         int64_t *end_offset) {
    epochs_end(&partition->epochs, partition->definition.leader_epoch, partition->high_watermark,
               asked, epoch, end_offset);
}

/* --- trim --- */

static bool trim_answer(struct trim *trim, enum error_code code, int64_t low_watermark) {
    trim->code = code;
    trim->low_watermark = low_watermark;
    return true;
}

bool partition_trim(struct partition *partition, struct trim *trim) {
    trim->partition = partition;
    list_init(&trim->link);
    if (partition->dead) return trim_answer(trim, ERROR_UNKNOWN_TOPIC_OR_PARTITION, -1);
    if (partition->offline || partition->store->stopping)
        return trim_answer(trim, ERROR_KAFKA_STORAGE_ERROR, -1);
    if (trim->offset == -1) trim->offset = partition->high_watermark;
    if (trim->offset < 0 || trim->offset > partition->high_watermark)
        return trim_answer(trim, ERROR_OFFSET_OUT_OF_RANGE, -1);
    if (trim->offset <= partition->log_start)
        return trim_answer(trim, ERROR_NONE, partition->log_start);
    if (!space_has(partition, 0)) return trim_answer(trim, ERROR_KAFKA_STORAGE_ERROR, -1);
    partition->store->reserved_bytes += COMMIT_TRIM_BYTES;
    list_append(&partition->trims, &trim->link);
    partition_dirty(partition);
    return false;
}

void partition_trimmed(struct partition *partition, int64_t log_start) {
    if (log_start <= partition->log_start) return;
    partition->log_start = log_start;
    partition->shard->unsnapshotted = true;
    partition_drop_segments(partition);
    if (partition->store) partition_wake(partition);
}

void partition_began(struct partition *partition, uint32_t segment) {
    if (segment <= partition->begun) return;
    partition->begun = segment;
    partition_drop_segments(partition);
}

/* A segment may go when its last record is below the log start, nothing of it is still on its way
 * into the file, and replay would not go on in it: after a crash, the active segment is the newest
 * one that something durable names. */
static bool segment_is_past(const struct partition *partition, const struct segment *segment) {
    if (segment->next_offset > partition->log_start) return false;
    return partition->begun > segment->number && partition->durable.segment > segment->number &&
           partition->settled.segment > segment->number;
}

void partition_drop_segments(struct partition *partition) {
    size_t count = 0;
    while (count + 1 < partition->segment_count &&
           segment_is_past(partition, &partition->segments[count]))
        count++;
    if (count == 0) return;
    if (partition->store)
        remove_segments(partition->store, partition->definition.id, partition->segments, count);
    for (size_t at = 0; at < count; at++) segment_forget(&partition->segments[at]);
    partition->segment_count -= count;
    memmove(partition->segments, partition->segments + count,
            partition->segment_count * sizeof *partition->segments);
    while (partition->tail.count &&
           tail_chunk(&partition->tail, 0)->segment < partition->segments[0].number)
        settle_drop_oldest(partition);
}
