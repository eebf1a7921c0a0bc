#include "storage/compact.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/compact_pass.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/remove.h"
#include "storage/replace.h"

enum {
    SLICE_BYTES = 4 << 20, /* read by a worker at a time, unless an option says otherwise */
    INFLATE_MAX = 128 << 20,
    INFLATE_RATIO_MAX = 1000,
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
    struct compact_pass pass; /* a worker's while it is at it */
    struct compact_producer *producers;
    struct replacement replacement;
    uint64_t slice_began_ns, slice_commits;
};

static void map_run(struct work *work) {
    compact_pass_map(&container_of(work, struct compaction, work)->pass);
}
static void rewrite_run(struct work *work) {
    compact_pass_rewrite(&container_of(work, struct compaction, work)->pass);
}
static void clear_run(struct work *work) {
    compact_pass_clear(&container_of(work, struct compaction, work)->pass);
}

/* --- the flow --- */

static void compaction_go(struct compaction *compaction);

static bool error_is_no_space(int result) {
    return result == -ENOSPC || result == -EDQUOT || result == -EMFILE || result == -ENFILE;
}

/* The segments that the pass reads are still those of the log. */
static bool parts_are_there(const struct compaction *compaction) {
    for (size_t at = 0; at < compaction->pass.part_count; at++) {
        struct segment_identity identity = compact_part_identity(&compaction->pass, at);
        if (at >= compaction->pass.group_first &&
            !partition_same_segment(compaction->partition, &identity))
            return false;
    }
    return true;
}

static void compaction_failed(struct compaction *compaction) {
    struct partition *partition = compaction->partition;
    uint32_t unsaid;
    compaction->failed = true;
    if (error_is_no_space(compaction->pass.result)) {
        if (store_may_say(compaction->store, &unsaid))
            say_warning("compaction of partition %u waits for space: %s", partition->definition.id,
                        strerror(-compaction->pass.result));
        return;
    }
    if (compaction->pass.is_write)
        fail_stop("compacting in", LAYOUT_SEGMENTS, -compaction->pass.result);
    if (partition->dead || !parts_are_there(compaction)) return; /* retention was faster */
    partition->uncompactable = true;
    say_error(
        "compaction of partition %u has ended: segment %u cannot be read (%s)",
        partition->definition.id, compaction->pass.parts[compaction->pass.at].name.number,
        compaction->pass.result == -EBADMSG ? "it is damaged" : strerror(-compaction->pass.result));
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
    if (compaction->pass.result < 0) compaction_failed(compaction);
    bool busy = store->journal.commits != compaction->slice_commits;
    uint64_t took_ns = ring_now_ns(store->ring) - compaction->slice_began_ns;
    if (busy && !store->stopping)
        compaction_pause(compaction, took_ns < PAUSE_NS_MAX ? took_ns : PAUSE_NS_MAX);
    else
        compaction_go(compaction);
}

static void compaction_work(struct compaction *compaction, void (*run)(struct work *)) {
    struct store *store = compaction->store;
    compaction->work = (struct work){.run = run, .done = slice_done, .is_background = true};
    compaction->pass.result = 0;
    compaction->waiting = true;
    compaction->slice_began_ns = ring_now_ns(store->ring);
    compaction->slice_commits = store->journal.commits;
    store->flows++;
    ring_work(store->ring, &compaction->work);
}

static void group_replaced(struct replacement *replacement) {
    struct compaction *compaction = container_of(replacement, struct compaction, replacement);
    struct segment_identity identity = compaction->pass.target.identity;
    free(replacement->old);
    replacement->old = NULL;
    if (replacement->has_new && !replacement->is_taken)
        remove_segment(compaction->store, &identity);
    compaction->pass.has_file = false;
    compaction->waiting = false;
    compaction->stage = STAGE_GROUP;
    compaction_go(compaction);
}

/* What the group has become; with nothing old, only how far the pass has come. */
static void group_describe(struct compaction *compaction, struct segment_name *old) {
    struct replacement *replacement = &compaction->replacement;
    *replacement = (struct replacement){.old = old, .done = group_replaced};
    if (compact_group_is_last(&compaction->pass))
        replacement->compacted_offset = compaction->pass.filter.mapped_end;
    if (compaction->pass.dry) return;
    replacement->old_count = (uint32_t)compaction->pass.group_count;
    for (size_t at = 0; at < compaction->pass.group_count; at++)
        old[at] = compaction->pass.parts[compaction->pass.group_first + at].name;
    replacement->has_new = compaction->pass.has_file;
    replacement->new_segment = compaction->pass.target.segment;
    replacement->new_segment.created_ms =
        compaction->pass.parts[compaction->pass.group_first].created_ms;
}

/* False when the journal has no room for the entry now. */
static bool group_commit(struct compaction *compaction) {
    struct segment_name *old = memory_new(compaction->pass.group_count * sizeof *old);
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
    compact_pass_deinit(&compaction->pass);
    free(compaction->replacement.old);
    free(compaction->producers);
    store->compaction = NULL;
    free(compaction);
}

static void compaction_end(struct compaction *compaction) {
    struct store *store = compaction->store;
    struct partition *partition = compaction->partition;
    bool done = !compaction_must_end(compaction);
    store->compacted.passes += done;
    store->compacted.read_bytes += compaction->pass.read_bytes;
    store->compacted.written_bytes += compaction->pass.written_bytes;
    store->compacted.records_dropped += compaction->pass.filter.records_dropped;
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
            if (!compaction->pass.finished) {
                compaction_work(compaction, map_run);
                return false;
            }
            compaction->stage = STAGE_GROUP;
            return true;
        case STAGE_GROUP:
            compaction->stage =
                compact_pass_next_group(&compaction->pass,
                                        compaction->partition->definition.rules.segment_bytes)
                    ? STAGE_REWRITE
                    : STAGE_CLEAR;
            return true;
        case STAGE_REWRITE:
            if (!compaction->pass.finished) {
                compaction_work(compaction, rewrite_run);
                return false;
            }
            compaction->stage = STAGE_COMMIT;
            return true;
        case STAGE_COMMIT:
            if (compaction->pass.dry && !compact_group_is_last(&compaction->pass)) {
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
            if (compaction->pass.has_file) {
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
    struct compact_filter *filter = &compaction->pass.filter;
    compaction->producers =
        memory_new((producers_count(producers) + 1) * sizeof *compaction->producers);
    list_each(node, &producers->by_age) {
        const struct producer *producer = list_entry(node, struct producer, by_age);
        const struct producer_batch *newest =
            producer->batch_count ? &producer->batches[producer->batch_count - 1] : NULL;
        int64_t last =
            newest ? newest->base_offset + newest->last_offset_delta : producer->last_offset;
        if (last < compaction->pass.end)
            compaction->producers[filter->producer_count++] =
                (struct compact_producer){producer->id, last};
    }
    qsort(compaction->producers, filter->producer_count, sizeof *compaction->producers,
          producer_compare);
    filter->producers = compaction->producers;
}

static void collect_parts(struct compaction *compaction, const struct compact_range *range) {
    const struct partition *partition = compaction->partition;
    struct compact_pass *pass = &compaction->pass;
    pass->part_count = range->segment_count;
    pass->parts = memory_new(pass->part_count * sizeof *pass->parts);
    for (size_t at = 0; at < pass->part_count; at++) {
        const struct segment *segment = &partition->segments[at];
        pass->parts[at] = (struct compact_part){.name = {segment->number, segment->revision},
                                                .base_offset = segment->base_offset,
                                                .next_offset = segment->next_offset,
                                                .created_ms = segment->created_ms,
                                                .end = segment->end};
        /* Clean ones have nothing to map. */
        if (segment->next_offset <= range->first_dirty) pass->at = at + 1;
    }
    pass->filter.last_offset = pass->parts[pass->part_count - 1].next_offset - 1;
}

static void pass_init(struct compaction *compaction, const struct compact_range *range) {
    const struct store *store = compaction->store;
    const struct partition_definition *definition = &compaction->partition->definition;
    uint64_t slice_bytes = store->options.compact_slice_bytes;
    compaction->pass = (struct compact_pass){
        .disk = store->directory->disk,
        .cluster_id = store->directory->cluster_id,
        .partition = definition->id,
        .index_interval = index_interval(definition->rules.index_interval_bytes),
        .durable = store->options.durable,
        .slice_bytes = slice_bytes ? slice_bytes : SLICE_BYTES,
        .first_dirty = range->first_dirty,
        .end = range->end,
        .reader = {.inflater = inflater_new(), .limits = {INFLATE_MAX, INFLATE_RATIO_MAX}},
        .filter = {.map = &compaction->pass.map,
                   .now_ms = ring_wall_ms(store->ring),
                   .delete_retention_ms = definition->rules.delete_retention_ms}};
    compact_map_init(&compaction->pass.map, store->options.compact_bytes_max);
    collect_parts(compaction, range);
    collect_producers(compaction);
}

static void compaction_begin(struct partition *partition, const struct compact_range *range) {
    struct store *store = partition->store;
    struct compaction *compaction = new_zero(struct compaction);
    compaction->store = store;
    compaction->partition = partition;
    compaction->pause.fire = compaction_wake;
    pass_init(compaction, range);
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
