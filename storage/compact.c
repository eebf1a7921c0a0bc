#include "storage/compact.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/compact_batch.h"
#include "storage/compact_select.h"
#include "storage/compact_source.h"
#include "storage/compact_target.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/remove.h"
#include "storage/replace.h"

enum {
    SLICE_BYTES = 4 << 20, /* read by a worker at a time */
    INFLATE_MAX = 128 << 20,
    INFLATE_RATIO_MAX = 1000,
    FREE_BYTES_MIN = 64 << 20, /* left on the disk for what cannot wait */
};
#define PAUSE_NS_MAX (100 * NS_PER_MS)
#define ROOM_PAUSE_NS (20 * NS_PER_MS)

enum stage { STAGE_MAP, STAGE_GROUP, STAGE_REWRITE, STAGE_COMMIT, STAGE_ENTRY, STAGE_CLEAR };

struct compaction {
    struct work work;
    struct timer pause;
    struct store *store;
    struct partition *partition; /* pinned */
    enum stage stage;
    bool waiting; /* for a worker, the timer or the entry */
    bool failed;
    struct compact_range range;
    struct compact_part *parts;
    size_t part_count;
    size_t group_first, group_count;
    struct compact_producer *producers;
    uint32_t index_interval;
    struct replacement replacement;
    uint64_t slice_began_ns, slice_commits;

    /* The worker's while it is at it. */
    struct compact_map map;
    struct compact_reader reader;
    struct compact_filter filter;
    struct compact_source source;
    struct compact_target target;
    struct byte_buffer out;
    size_t at;     /* the part that is read */
    bool finished; /* the stage's work is done */
    bool dry;      /* nothing of the group has changed yet, nothing is written */
    bool has_file; /* the target's file is there */
    bool is_write; /* `result` is of a write */
    int result;
    uint64_t read_bytes, written_bytes;
};

/* --- on a worker --- */

static struct segment_identity part_identity(const struct compaction *compaction, size_t at) {
    const struct compact_part *part = &compaction->parts[at];
    return (struct segment_identity){.cluster_id = compaction->store->directory->cluster_id,
                                     .partition = compaction->partition->definition.id,
                                     .segment = part->name.number,
                                     .base_offset = part->base_offset,
                                     .revision = part->name.revision};
}

/* The next batch of parts [at, end), opening and closing them: 1, 0 behind the last one, or a
 * negative errno. */
static int parts_next(struct compaction *compaction, size_t end, struct bytes *batch) {
    struct compact_source *source = &compaction->source;
    for (;;) {
        if (compaction->at == end) return 0;
        if (!source->file) {
            struct segment_identity identity = part_identity(compaction, compaction->at);
            int result = compact_source_open(source, compaction->store->directory->disk, &identity,
                                             compaction->parts[compaction->at].end);
            if (result < 0) return result;
        }
        int result = compact_source_next(source, batch);
        if (result != 0) return result;
        compact_source_close(source);
        compaction->at++;
    }
}

static void map_run(struct work *work) {
    struct compaction *compaction = container_of(work, struct compaction, work);
    int64_t *mapped_end = &compaction->filter.mapped_end;
    for (uint64_t slice = 0; slice < SLICE_BYTES;) {
        struct bytes batch;
        struct batch_header header;
        compaction->result = parts_next(compaction, compaction->part_count, &batch);
        if (compaction->result < 0) return;
        compaction->finished = compaction->result == 0;
        if (compaction->finished) *mapped_end = compaction->range.end;
        if (compaction->finished) return;
        slice += batch.len;
        compaction->read_bytes += batch.len;
        check(batch_header_read(batch, &header));
        if (batch_last_offset(&header) < compaction->range.first_dirty) continue;
        compaction->finished = !compact_map_batch(&compaction->map, &compaction->reader, batch,
                                                  compaction->range.first_dirty, mapped_end);
        if (compaction->finished) return;
    }
}

static int target_open(struct compaction *compaction) {
    struct disk *disk = compaction->store->directory->disk;
    struct segment_identity identity = part_identity(compaction, compaction->group_first);
    identity.revision++;
    uint64_t bytes = FREE_BYTES_MIN;
    for (size_t at = 0; at < compaction->group_count; at++)
        bytes += compaction->parts[compaction->group_first + at].end;
    int64_t free_bytes = disk_free_bytes(disk);
    if (free_bytes >= 0 && (uint64_t)free_bytes < bytes) return -ENOSPC;
    compaction->has_file = true;
    return compact_target_open(&compaction->target, disk, &identity, compaction->index_interval);
}

static int target_put(struct compaction *compaction, struct bytes batch) {
    int result = compaction->has_file ? 0 : target_open(compaction);
    if (result == 0) result = compact_target_add(&compaction->target, batch);
    compaction->written_bytes += batch.len;
    compaction->is_write = result < 0;
    return result;
}

static void group_again(struct compaction *compaction) {
    compact_source_close(&compaction->source);
    compaction->at = compaction->group_first;
    compaction->dry = false;
}

static int group_batch(struct compaction *compaction, struct bytes batch) {
    compaction->out.len = 0;
    enum compact_verdict verdict =
        compact_batch(&compaction->filter, &compaction->reader, batch, &compaction->out);
    if (compaction->dry) {
        if (verdict != COMPACT_KEEP) group_again(compaction);
        return 0;
    }
    if (verdict == COMPACT_DROP) return 0;
    if (verdict == COMPACT_REPLACE) batch = byte_buffer_bytes(&compaction->out);
    return target_put(compaction, batch);
}

static int group_finish(struct compaction *compaction) {
    if (!compaction->has_file) return 0;
    int result = compact_target_finish(&compaction->target, compaction->store->options.durable);
    compaction->is_write = result < 0;
    return result;
}

static void rewrite_run(struct work *work) {
    struct compaction *compaction = container_of(work, struct compaction, work);
    size_t end = compaction->group_first + compaction->group_count;
    for (uint64_t slice = 0; slice < SLICE_BYTES;) {
        struct bytes batch;
        int result = parts_next(compaction, end, &batch);
        compaction->finished = result == 0;
        if (result == 1) {
            slice += batch.len;
            compaction->read_bytes += batch.len;
            result = group_batch(compaction, batch);
        } else if (result == 0) {
            result = group_finish(compaction);
        }
        compaction->result = result;
        if (result < 0 || compaction->finished) return;
    }
}

static void clear_run(struct work *work) {
    struct compaction *compaction = container_of(work, struct compaction, work);
    compact_target_abandon(&compaction->target);
    compaction->has_file = false;
}

/* --- the flow --- */

static void compaction_go(struct compaction *compaction);

static bool error_is_no_space(int result) {
    return result == -ENOSPC || result == -EDQUOT || result == -EMFILE || result == -ENFILE;
}

/* The segments that the pass reads are still those of the log. */
static bool parts_are_there(const struct compaction *compaction) {
    for (size_t at = 0; at < compaction->part_count; at++) {
        struct segment_identity identity = part_identity(compaction, at);
        if (at >= compaction->group_first &&
            !partition_same_segment(compaction->partition, &identity))
            return false;
    }
    return true;
}

static void compaction_failed(struct compaction *compaction) {
    struct partition *partition = compaction->partition;
    uint32_t unsaid;
    compaction->failed = true;
    if (error_is_no_space(compaction->result)) {
        if (store_may_say(compaction->store, &unsaid))
            say_warning("compaction of partition %u waits for space: %s", partition->definition.id,
                        strerror(-compaction->result));
        return;
    }
    if (compaction->is_write) fail_stop("compacting in", LAYOUT_SEGMENTS, -compaction->result);
    if (partition->dead || !parts_are_there(compaction)) return; /* retention was faster */
    partition->uncompactable = true;
    say_error("compaction of partition %u has ended: segment %u cannot be read (%s)",
              partition->definition.id, compaction->parts[compaction->at].name.number,
              compaction->result == -EBADMSG ? "it is damaged" : strerror(-compaction->result));
}

static void compaction_wake(struct timer *timer) {
    compaction_go(container_of(timer, struct compaction, pause));
}

static void compaction_pause(struct compaction *compaction, uint64_t ns) {
    struct ring *ring = compaction->store->ring;
    compaction->waiting = true;
    timer_arm(ring, &compaction->pause, ring_now_ns(ring) + ns);
}

static void slice_done(struct work *work) {
    struct compaction *compaction = container_of(work, struct compaction, work);
    struct store *store = compaction->store;
    store->flows--;
    compaction->waiting = false;
    if (compaction->result < 0) compaction_failed(compaction);
    bool busy = store->journal.commits != compaction->slice_commits;
    uint64_t took_ns = ring_now_ns(store->ring) - compaction->slice_began_ns;
    if (busy && !store->stopping)
        compaction_pause(compaction, took_ns < PAUSE_NS_MAX ? took_ns : PAUSE_NS_MAX);
    else
        compaction_go(compaction);
}

static void compaction_work(struct compaction *compaction, void (*run)(struct work *)) {
    struct store *store = compaction->store;
    compaction->work = (struct work){.run = run, .done = slice_done};
    compaction->result = 0;
    compaction->waiting = true;
    compaction->slice_began_ns = ring_now_ns(store->ring);
    compaction->slice_commits = store->journal.commits;
    store->flows++;
    ring_work(store->ring, &compaction->work);
}

/* What is behind this group is not there, or not mapped. */
static bool group_is_last(const struct compaction *compaction) {
    size_t next = compaction->group_first + compaction->group_count;
    return next == compaction->part_count ||
           compaction->parts[next].base_offset >= compaction->filter.mapped_end;
}

/* The next group, if there is one whose records are mapped. */
static bool group_begin(struct compaction *compaction) {
    size_t first = compaction->group_first + compaction->group_count;
    if (group_is_last(compaction)) return false;
    compact_source_close(&compaction->source);
    compaction->group_first = compaction->at = first;
    compaction->group_count =
        compact_group(&compaction->parts[first], compaction->part_count - first,
                      compaction->partition->definition.rules.segment_bytes);
    compaction->dry = compaction->group_count == 1;
    compaction->finished = false;
    return true;
}

static void group_replaced(struct replacement *replacement) {
    struct compaction *compaction = container_of(replacement, struct compaction, replacement);
    struct segment_identity identity = compaction->target.identity;
    free(replacement->old);
    replacement->old = NULL;
    if (replacement->has_new && !replacement->is_taken)
        remove_segment(compaction->store, &identity);
    compaction->has_file = false;
    compaction->waiting = false;
    compaction->stage = STAGE_GROUP;
    compaction_go(compaction);
}

/* What the group has become; with nothing old, only how far the pass has come. */
static void group_describe(struct compaction *compaction, struct segment_name *old) {
    struct replacement *replacement = &compaction->replacement;
    *replacement = (struct replacement){.old = old, .done = group_replaced};
    if (group_is_last(compaction)) replacement->compacted_offset = compaction->filter.mapped_end;
    if (compaction->dry) return;
    replacement->old_count = (uint32_t)compaction->group_count;
    for (size_t at = 0; at < compaction->group_count; at++)
        old[at] = compaction->parts[compaction->group_first + at].name;
    replacement->has_new = compaction->has_file;
    replacement->new_segment = compaction->target.segment;
    replacement->new_segment.created_ms = compaction->parts[compaction->group_first].created_ms;
}

/* False when the journal has no room for the entry now. */
static bool group_commit(struct compaction *compaction) {
    struct segment_name *old = memory_new(compaction->group_count * sizeof *old);
    group_describe(compaction, old);
    if (partition_replace(compaction->partition, &compaction->replacement)) return true;
    free(old);
    return false;
}

static bool compaction_must_end(const struct compaction *compaction) {
    const struct partition *partition = compaction->partition;
    return compaction->failed || compaction->store->stopping || partition->dead ||
           partition->offline || !partition->definition.rules.compacted;
}

static void compaction_free(struct compaction *compaction) {
    struct store *store = compaction->store;
    timer_cancel(store->ring, &compaction->pause);
    compact_source_close(&compaction->source);
    compact_target_close(&compaction->target);
    compact_filter_deinit(&compaction->filter);
    compact_map_deinit(&compaction->map);
    inflater_free(compaction->reader.inflater);
    byte_buffer_deinit(&compaction->out);
    free(compaction->replacement.old);
    free(compaction->producers);
    free(compaction->parts);
    store->compaction = NULL;
    free(compaction);
}

static void compaction_end(struct compaction *compaction) {
    struct store *store = compaction->store;
    struct partition *partition = compaction->partition;
    bool done = !compaction_must_end(compaction);
    store->compacted.passes += done;
    store->compacted.read_bytes += compaction->read_bytes;
    store->compacted.written_bytes += compaction->written_bytes;
    store->compacted.records_dropped += compaction->filter.records_dropped;
    compaction_free(compaction);
    partition_unpin(partition);
    /* The next one, as long as one is due. */
    if (done) timer_arm(store->ring, &store->compact, ring_now_ns(store->ring));
}

/* One stage further; false when it must wait, or has ended. */
static bool compaction_step(struct compaction *compaction) {
    if (compaction->waiting) return false;
    if (compaction_must_end(compaction)) compaction->stage = STAGE_CLEAR;
    switch (compaction->stage) {
        case STAGE_MAP:
            if (!compaction->finished) {
                compaction_work(compaction, map_run);
                return false;
            }
            compaction->stage = STAGE_GROUP;
            return true;
        case STAGE_GROUP:
            compaction->stage = group_begin(compaction) ? STAGE_REWRITE : STAGE_CLEAR;
            return true;
        case STAGE_REWRITE:
            if (!compaction->finished) {
                compaction_work(compaction, rewrite_run);
                return false;
            }
            compaction->stage = STAGE_COMMIT;
            return true;
        case STAGE_COMMIT:
            if (compaction->dry && !group_is_last(compaction)) {
                compaction->stage = STAGE_GROUP;
                return true;
            }
            compaction->waiting = group_commit(compaction);
            if (!compaction->waiting)
                compaction_pause(compaction, ROOM_PAUSE_NS);
            else
                compaction->stage = STAGE_ENTRY;
            return false;
        case STAGE_ENTRY: unreachable(); /* it waits */
        case STAGE_CLEAR:
            if (compaction->has_file) {
                compaction_work(compaction, clear_run);
                return false;
            }
            compaction_end(compaction);
            return false;
    }
    unreachable();
}

static void compaction_go(struct compaction *compaction) {
    compaction->waiting = false;
    while (compaction_step(compaction)) continue;
}

/* --- beginning --- */

static int producer_compare(const void *a, const void *b) {
    const struct compact_producer *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

/* Of each producer the offset at which its newest batch ends: its marker's, where it has no batch.
 */
static void collect_producers(struct compaction *compaction) {
    const struct producers *producers = &compaction->partition->producers;
    struct compact_filter *filter = &compaction->filter;
    compaction->producers =
        memory_new((producers_count(producers) + 1) * sizeof *compaction->producers);
    list_each(node, &producers->by_age) {
        const struct producer *producer = list_entry(node, struct producer, by_age);
        const struct producer_batch *newest =
            producer->batch_count ? &producer->batches[producer->batch_count - 1] : NULL;
        int64_t last =
            newest ? newest->base_offset + newest->last_offset_delta : producer->last_offset;
        if (last < compaction->range.end)
            compaction->producers[filter->producer_count++] =
                (struct compact_producer){producer->id, last};
    }
    qsort(compaction->producers, filter->producer_count, sizeof *compaction->producers,
          producer_compare);
    filter->producers = compaction->producers;
}

static void collect_parts(struct compaction *compaction) {
    const struct partition *partition = compaction->partition;
    compaction->part_count = compaction->range.segment_count;
    compaction->parts = memory_new(compaction->part_count * sizeof *compaction->parts);
    for (size_t at = 0; at < compaction->part_count; at++) {
        const struct segment *segment = &partition->segments[at];
        compaction->parts[at] = (struct compact_part){.name = {segment->number, segment->revision},
                                                      .base_offset = segment->base_offset,
                                                      .next_offset = segment->next_offset,
                                                      .created_ms = segment->created_ms,
                                                      .end = segment->end};
        /* Clean ones have nothing to map. */
        if (segment->next_offset <= compaction->range.first_dirty) compaction->at = at + 1;
    }
    compaction->filter.last_offset = compaction->parts[compaction->part_count - 1].next_offset - 1;
}

static void compaction_begin(struct partition *partition, const struct compact_range *range) {
    struct store *store = partition->store;
    struct compaction *compaction = new_zero(struct compaction);
    compaction->store = store;
    compaction->partition = partition;
    compaction->range = *range;
    compaction->index_interval = index_interval(partition->definition.rules.index_interval_bytes);
    compaction->pause.fire = compaction_wake;
    compaction->reader = (struct compact_reader){.inflater = inflater_new(),
                                                 .limits = {INFLATE_MAX, INFLATE_RATIO_MAX}};
    compaction->filter = (struct compact_filter){
        .map = &compaction->map,
        .now_ms = ring_wall_ms(store->ring),
        .delete_retention_ms = partition->definition.rules.delete_retention_ms};
    compact_map_init(&compaction->map, store->options.compact_bytes_max);
    collect_parts(compaction);
    collect_producers(compaction);
    store->compaction = compaction;
    partition_pin(partition);
    compaction_go(compaction);
}

static bool is_compacted(const struct partition *partition) {
    return partition->definition.rules.compacted && !partition->offline &&
           !partition->uncompactable && partition->segment_count > 0;
}

/* A log to which little is appended would otherwise never have a closed segment. */
static void close_active(struct partition *partition, int64_t now_ms) {
    const struct segment *active = partition_active(partition);
    if (active->end > SEGMENT_START &&
        now_ms - active->created_ms >= partition_segment_ms(partition))
        partition_roll_now(partition, now_ms);
}

void compact_round(struct store *store) {
    if (store->stopping || store->compaction) return;
    int64_t now_ms = ring_wall_ms(store->ring);
    struct partition *chosen = NULL;
    struct compact_range chosen_range = {0};
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node)) {
        struct partition *partition = map_entry(node, struct partition, by_id);
        struct compact_range range;
        if (!is_compacted(partition)) continue;
        close_active(partition, now_ms);
        compact_range(partition, now_ms, &range);
        if (!compact_is_due(partition, &range)) continue;
        if (chosen && compact_ratio(&range) <= compact_ratio(&chosen_range)) continue;
        chosen = partition;
        chosen_range = range;
    }
    if (chosen) compaction_begin(chosen, &chosen_range);
}

void compact_abandon(struct store *store) {
    if (!store->compaction) return;
    struct partition *partition = store->compaction->partition;
    compaction_free(store->compaction);
    partition_unpin(partition);
}
