#include "storage/store.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/checkpoint.h"
#include "storage/commit.h"
#include "storage/compact.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/remove.h"
#include "storage/replace.h"
#include "storage/retain.h"
#include "storage/seal.h"
#include "storage/settle.h"
#include "storage/space.h"
#include "storage/state.h"

enum {
    SAID_EVERY_S = 10,
    CHUNKS_KEPT_MAX = 16 << 20,
    CHUNKS_KEPT_IDLE = 1 << 20,
    TAILS_MANY = 256,
    HANDLES_MAX = 256,
};
#define IDLE_NS (1 * NS_PER_S)
#define INTERVAL_MAX_MS (365ull * 24 * 3600 * 1000)
#define HANDLES_PAUSE_NS (1 * NS_PER_S)

/* --- lines --- */

bool store_may_say(struct store *store, uint32_t *unsaid) {
    uint64_t now_ns = ring_now_ns(store->ring);
    *unsaid = store->unsaid;
    if (store->said_ns && now_ns - store->said_ns < SAID_EVERY_S * NS_PER_S) {
        store->unsaid++;
        return false;
    }
    store->said_ns = now_ns;
    store->unsaid = 0;
    return true;
}

/* --- rounds --- */

static void answers_round(struct store *store) {
    while (!list_is_empty(&store->answers)) {
        struct append *append = list_entry(list_first(&store->answers), struct append, link);
        list_remove(&append->link);
        append->done(append);
    }
}

static void settling_round(struct store *store) {
    if (store->unsettled_bytes <= store->options.unsettled_bytes_max / 2) return;
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        settle_force(map_entry(node, struct partition, by_id));
}

/* A file that was written stays open until it is synced, which a checkpoint does. */
static bool handles_want_checkpoint(struct store *store) {
    uint64_t now = ring_now_ns(store->ring);
    if (store->handles.open <= store->handles.open_max) return false;
    if (now - store->handles_ns < HANDLES_PAUSE_NS) return false;
    store->handles_ns = now;
    return true;
}

static bool journal_wants_checkpoint(struct store *store) {
    return store->options.durable && journal_tend(&store->journal);
}

static bool store_is_in_checkpoint(const struct store *store) {
    return store->checkpoint && !checkpoint_is_stuck(store);
}

/* Nothing is under way. What waits for disk space cannot be waited for: it was never answered. */
static bool store_is_quiet(const struct store *store) {
    if (store->flows > 0 || !journal_is_quiet(&store->journal)) return false;
    if (!list_is_empty(&store->settling)) return true;
    return commit_is_quiet(store) && !store_is_in_checkpoint(store) && !store->compaction;
}

static bool store_has_changed(const struct store *store) {
    for (uint32_t id = 0; id < store->directory->shard_count; id++)
        if (store->shards[id] && store->shards[id]->unsnapshotted) return true;
    return false;
}

/* Once everything is durable: a last checkpoint. A block behind it says what it released. */
static void closing_round(struct store *store) {
    if (store->closing || store->checkpoint || store->compaction || !commit_is_quiet(store)) return;
    store->closing = true;
    if (store_has_changed(store)) checkpoint_start(store);
}

static void store_round(struct round_hook *hook) {
    struct store *store = container_of(hook, struct store, hook);
    answers_round(store);
    cold_round(store);
    space_round(store);
    commit_round(store);
    if (space_is_awaited(store)) settling_round(store);
    if (journal_wants_checkpoint(store) || handles_want_checkpoint(store)) checkpoint_start(store);
    seal_round(store);
    if (store->stopping) closing_round(store);
    checkpoint_round(store);
    bool closes = store->stopping && !store_is_in_checkpoint(store);
    if (closes || journal_must_say_release(&store->journal)) commit_empty(store);
    if (journal_wants_empty_block(&store->journal) && !timer_is_armed(&store->idle))
        timer_arm(store->ring, &store->idle, ring_now_ns(store->ring) + IDLE_NS);
    if (store->stopped && store_is_quiet(store)) {
        void (*stopped)(void *) = store->stopped;
        store->stopped = NULL;
        stopped(store->stopped_context);
    }
}

/* A second after commits, and again until a whole one was without any: then nobody needs memory
 * soon. */
static void idle_timer(struct timer *timer) {
    struct store *store = container_of(timer, struct store, idle);
    bool idle = store->journal.commits == store->idle_commits;
    commit_empty(store);
    store->idle_commits = store->journal.commits;
    if (idle)
        chunk_pool_trim(&store->chunks, CHUNKS_KEPT_IDLE);
    else
        timer_arm(store->ring, timer, ring_now_ns(store->ring) + IDLE_NS);
}

/* Intervals may be as long as a number can say. */
static void timer_arm_ms(struct store *store, struct timer *timer, uint64_t interval_ms) {
    uint64_t most_ms = INTERVAL_MAX_MS;
    uint64_t ms = interval_ms < most_ms ? interval_ms : most_ms;
    timer_arm(store->ring, timer, ring_now_ns(store->ring) + ms * NS_PER_MS);
}

static void retention_timer(struct timer *timer) {
    struct store *store = container_of(timer, struct store, retention);
    retain_round(store);
    timer_arm_ms(store, timer, store->options.retention_check_ms);
}

static void compact_timer(struct timer *timer) {
    struct store *store = container_of(timer, struct store, compact);
    if (store->options.compact_check_ms)
        timer_arm_ms(store, timer, store->options.compact_check_ms);
    compact_round(store);
}

/* --- life --- */

/* Of the newest chunk of each tail half is not used yet, as a rule: many tails take smaller ones.
 */
static void store_choose_chunks(struct store *store) {
    store->chunks.usual_bytes = store->partitions.count < TAILS_MANY ? CHUNK_USUAL : CHUNK_SMALL;
}

static void store_adopt_partition(struct store *store, struct partition *partition) {
    partition->store = store;
    partition->tail.pool = &store->chunks;
    for (size_t at = 0; at < partition->segment_count; at++) {
        struct segment *segment = &partition->segments[at];
        segment->durable_timestamp_max = segment->timestamp_max;
        segment->durable_timestamp_max_offset = segment->timestamp_max_offset;
        segment_set_interval(partition, segment);
        if (segment->file) segment_file_used(segment->file, &store->handles);
    }
    map_insert(&store->partitions, &partition->by_id, hash_u64(partition->definition.id));
    store_choose_chunks(store);
    seal_adopt(partition);
    store->unsettled_bytes += partition_unsettled_bytes(partition);
    if (partition->segment_count && partition->settled.segment < partition->end.segment)
        settle_adopt(partition);
}

static void store_make_shards(struct store *store, struct recovered *recovered) {
    uint32_t count = store->directory->shard_count;
    store->shards = memory_zero(count, sizeof(struct shard *));
    for (uint32_t id = 0; id < count; id++) {
        if (id % store->core_count != store->core) continue;
        struct shard *shard = recovered_take_shard(recovered, id);
        store->shards[id] = shard;
        if (id == CATALOG_SHARD) store->journal.catalog_mark = shard->sequence + 1;
        list_each(node, &shard->partitions)
            store_adopt_partition(store, list_entry(node, struct partition, in_shard));
    }
}

struct store *store_new(struct ring *ring, struct data_directory *directory,
                        const struct store_options *options, unsigned core, unsigned core_count,
                        struct recovered *recovered, struct error *error) {
    struct store *store = new_zero(struct store);
    store->ring = ring;
    store->directory = directory;
    store->options = *options;
    if (options->segment_handles_max == 0) store->options.segment_handles_max = HANDLES_MAX;
    store->core = core;
    store->core_count = core_count;
    map_init(&store->partitions);
    list_init(&store->dirty_shards);
    list_init(&store->settling);
    list_init(&store->write_outs);
    list_init(&store->unsealed);
    list_init(&store->answers);
    for (size_t kind = 0; kind < SPACE_KINDS; kind++) list_init(&store->space_queues[kind]);
    store->disk.free_bytes = INT64_MAX;
    list_init(&store->lookups.waiting);
    list_init(&store->cached);
    list_init(&store->handles.used);
    store->handles.open_max = store->options.segment_handles_max;
    chunk_pool_init(&store->chunks, CHUNKS_KEPT_MAX);
    cold_init(store, options->cold_bytes_max);
    store->journal.durable = commit_durable;
    store->journal.context = store;
    store->journal.replay_bytes_max = options->replay_bytes_max;
    recovered_take_journal(recovered, core, &store->journal);
    if (options->durable &&
        !journal_open(&store->journal, ring, directory, core, options->journal_bytes_max, error)) {
        free(store);
        return NULL;
    }
    store->space.fire = space_timer; /* what is adopted may wait for space */
    store_make_shards(store, recovered);
    store->idle.fire = idle_timer;
    store->retention.fire = retention_timer;
    if (options->retention_check_ms)
        timer_arm_ms(store, &store->retention, options->retention_check_ms);
    store->compact.fire = compact_timer;
    if (options->compact_check_ms) timer_arm_ms(store, &store->compact, options->compact_check_ms);
    store->hook.run = store_round;
    ring_hook(ring, &store->hook);
    return store;
}

void store_set_intervals(struct store *store, const struct store_options *options) {
    bool retention = options->retention_check_ms != store->options.retention_check_ms;
    bool compact = options->compact_check_ms != store->options.compact_check_ms;
    store->options.retention_check_ms = options->retention_check_ms;
    store->options.compact_check_ms = options->compact_check_ms;
    store->options.producer_expiration_ms = options->producer_expiration_ms;
    if (retention && timer_is_armed(&store->retention))
        timer_arm_ms(store, &store->retention, options->retention_check_ms);
    if (compact && timer_is_armed(&store->compact))
        timer_arm_ms(store, &store->compact, options->compact_check_ms);
}

void store_stop(struct store *store, void (*stopped)(void *context), void *context) {
    store->stopping = true;
    store->stopped = stopped;
    store->stopped_context = context;
    timer_cancel(store->ring, &store->retention);
    timer_cancel(store->ring, &store->compact);
}

static void shard_free(struct shard *shard) {
    list_each(node, &shard->partitions)
        partition_free(list_entry(node, struct partition, in_shard));
    free(shard);
}

void store_free(struct store *store) {
    ring_unhook(&store->hook);
    timer_cancel(store->ring, &store->idle);
    timer_cancel(store->ring, &store->space);
    timer_cancel(store->ring, &store->retention);
    timer_cancel(store->ring, &store->compact);
    checkpoint_abandon(store);
    compact_abandon(store);
    if (store->options.durable) journal_close(&store->journal);
    for (uint32_t id = 0; id < store->directory->shard_count; id++)
        if (store->shards[id]) shard_free(store->shards[id]);
    free(store->shards);
    map_deinit(&store->partitions);
    cold_deinit(store);
    chunk_pool_deinit(&store->chunks);
    free(store);
}

/* --- partitions --- */

struct partition *store_find_partition(struct store *store, uint32_t id) {
    struct map_node *node = map_find(&store->partitions, hash_u64(id));
    for (; node; node = map_find_next(node)) {
        struct partition *partition = map_entry(node, struct partition, by_id);
        if (partition->definition.id == id) return partition;
    }
    return NULL;
}

struct partition *store_create_partition(struct store *store,
                                         const struct partition_definition *definition) {
    struct partition *partition = store_find_partition(store, definition->id);
    if (partition) {
        partition_configure(partition, &definition->rules);
        return partition;
    }
    struct shard *shard = store->shards[definition->shard];
    check(shard);
    partition = partition_new(definition, shard, &store->chunks);
    store_adopt_partition(store, partition);
    return partition;
}

static void partition_answer_all(struct partition *partition) {
    while (!list_is_empty(&partition->pending)) {
        struct append *append = list_entry(list_first(&partition->pending), struct append, link);
        list_remove(&append->link);
        append->code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        append->base_offset = -1;
        append->done(append);
    }
    while (!list_is_empty(&partition->replacements)) {
        struct replacement *replacement =
            list_entry(list_first(&partition->replacements), struct replacement, link);
        list_remove(&replacement->link);
        partition->store->reserved_bytes -= replacement->reserved;
        partition_replaced(partition, replacement);
    }
    while (!list_is_empty(&partition->trims)) {
        struct trim *trim = list_entry(list_first(&partition->trims), struct trim, link);
        list_remove(&trim->link);
        partition->store->reserved_bytes -= COMMIT_TRIM_BYTES;
        trim->code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        trim->done(trim);
    }
    partition_wake(partition);
}

void store_delete_partition(struct store *store, uint32_t id) {
    struct partition *partition = store_find_partition(store, id);
    if (!partition) return;
    partition->dead = true;
    map_remove(&store->partitions, &partition->by_id);
    store_choose_chunks(store);
    list_remove(&partition->in_shard);
    list_remove(&partition->dirty);
    list_remove(&partition->settling);
    list_remove(&partition->write_out);
    list_remove(&partition->unsealed.in_store);
    partition->shard->unsnapshotted = true;
    store->unsettled_bytes -= partition_unsettled_bytes(partition);
    store->reserved_bytes -= partition->unformed_reserved;
    partition->unformed = NULL;
    partition->unformed_bytes = partition->unformed_reserved = 0;
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        if (!bypass->in_flight && !bypass->formed) bypass_finish(bypass);
    }
    partition_answer_all(partition);
    remove_segments(store, id, partition->segments, partition->segment_count);
    partition_unpin(partition);
}

void store_usage(const struct store *store, struct store_usage *usage) {
    *usage =
        (struct store_usage){.tail_bytes = store->chunks.used_bytes - store->cold.windows.bytes,
                             .cached_bytes = store->cached_bytes,
                             .journal_bytes = store->journal.bytes,
                             .commits = store->journal.commits,
                             .commit_bytes = store->journal.commit_bytes,
                             .checkpoints = store->checkpoints,
                             .compactions = store->compacted.passes,
                             .compaction_read_bytes = store->compacted.read_bytes,
                             .compaction_written_bytes = store->compacted.written_bytes,
                             .disk_full = store->disk.short_since_ns != 0,
                             .appends_refused_for_space = store->disk.refused};
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        usage->segment_bytes += partition_size_bytes(map_entry(node, struct partition, by_id));
}
