#include "storage/checkpoint.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/settle.h"
#include "storage/snapshot.h"
#include "storage/space.h"

enum {
    KEPT_IN_SNAPSHOT_BYTES = 16 << 10,
    TARGETS_AT_ONCE = 2 * SETTLE_IN_FLIGHT_MAX,
};
#define RETRY_NS (100 * NS_PER_MS)

enum stage { STAGE_SETTLE, STAGE_CAPTURE, STAGE_SYNC, STAGE_BARRIER, STAGE_WRITE, STAGE_DONE };

struct target {
    struct partition *partition; /* pinned */
    struct place settled;        /* SETTLE: how far */
    int64_t offset;              /* BARRIER: how far */
};

struct captured {
    uint32_t shard;
    struct byte_buffer bytes;
};

struct checkpoint {
    struct work work;   /* SYNC */
    struct blob_op put; /* WRITE */
    struct store *store;
    enum stage stage;
    struct target *targets;
    size_t target_count;
    struct captured *captured;
    size_t captured_count, written_count;
    struct segment_file **files; /* pinned */
    size_t file_count, file_capacity;
    uint64_t through;  /* acknowledged when captured … */
    uint64_t bytes;    /* … and how much of the journal that was, or a little more */
    uint64_t retry_ns; /* there was no space: not before this */
    bool working;
    int result;
};

/* --- targets --- */

static void targets_clear(struct checkpoint *checkpoint) {
    for (size_t at = 0; at < checkpoint->target_count; at++)
        partition_unpin(checkpoint->targets[at].partition);
    free(checkpoint->targets);
    checkpoint->targets = NULL;
    checkpoint->target_count = 0;
}

static void targets_add(struct checkpoint *checkpoint, struct partition *partition,
                        struct place settled, int64_t offset) {
    size_t at = checkpoint->target_count++;
    if ((at & (at + 1)) == 0)
        checkpoint->targets =
            memory_resize(checkpoint->targets, (at * 2 + 2) * sizeof *checkpoint->targets);
    checkpoint->targets[at] = (struct target){partition, settled, offset};
    partition_pin(partition);
}

/* --- SETTLE --- */

static void settle_targets(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    for (uint32_t id = 0; id < store->directory->shard_count; id++) {
        struct shard *shard = store->shards[id];
        if (!shard || !shard->unsnapshotted) continue;
        list_each(node, &shard->partitions) {
            struct partition *partition = list_entry(node, struct partition, in_shard);
            struct place goal = partition->durable;
            goal.position = round_down(goal.position, DISK_BLOCK);
            bool few =
                partition->settled.segment == goal.segment &&
                partition->durable.position - partition->settled.position < KEPT_IN_SNAPSHOT_BYTES;
            if (!few && !partition->offline) targets_add(checkpoint, partition, goal, 0);
        }
    }
}

/* A few at a time, because so few are written out at once: it is asked each round. */
static bool settle_reached(struct checkpoint *checkpoint) {
    for (size_t at = 0; at < checkpoint->target_count && at < TARGETS_AT_ONCE;) {
        struct target *target = &checkpoint->targets[at];
        struct partition *partition = target->partition;
        if (partition->dead || place_compare(partition->settled, target->settled) >= 0) {
            *target = checkpoint->targets[--checkpoint->target_count];
            partition_unpin(partition);
        } else {
            settle_force(partition);
            at++;
        }
    }
    return checkpoint->target_count == 0;
}

/* --- CAPTURE --- */

static void capture_files(struct checkpoint *checkpoint, struct partition *partition) {
    for (size_t at = 0; at < partition->segment_count; at++) {
        struct segment_file *file = partition->segments[at].file;
        if (!file || !file->unsynced) continue;
        if (checkpoint->file_count == checkpoint->file_capacity) {
            checkpoint->file_capacity = checkpoint->file_capacity * 2 + 8;
            checkpoint->files = memory_resize(
                checkpoint->files, checkpoint->file_capacity * sizeof *checkpoint->files);
        }
        file->unsynced = false;
        segment_file_pin(file);
        checkpoint->files[checkpoint->file_count++] = file;
    }
}

static void capture_shard(struct checkpoint *checkpoint, struct shard *shard) {
    struct captured *captured = &checkpoint->captured[checkpoint->captured_count++];
    *captured = (struct captured){.shard = shard->id};
    shard->contained =
        (struct journal_mark){.incarnation = checkpoint->store->directory->incarnation,
                              .core = checkpoint->store->core,
                              .through = checkpoint->through};
    snapshot_encode(shard, &captured->bytes);
    shard->unsnapshotted = false;
    list_each(node, &shard->partitions) {
        struct partition *partition = list_entry(node, struct partition, in_shard);
        capture_files(checkpoint, partition);
        if (partition->next_offset > partition->high_watermark)
            targets_add(checkpoint, partition, partition->end, partition->next_offset);
    }
}

static bool capture(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    uint32_t shard_count = store->directory->shard_count;
    for (uint32_t id = 0; id < shard_count; id++)
        if (store->shards[id] && store->shards[id]->unsnapshotted &&
            !snapshot_is_possible(store->shards[id]))
            return false;
    checkpoint->captured = memory_zero(shard_count, sizeof *checkpoint->captured);
    checkpoint->through = store->journal.acknowledged_through;
    checkpoint->bytes = store->journal.replay_bytes;
    for (uint32_t id = 0; id < shard_count; id++)
        if (store->shards[id] && store->shards[id]->unsnapshotted)
            capture_shard(checkpoint, store->shards[id]);
    return true;
}

/* --- SYNC and WRITE, without waiting --- */

static void sync_run(struct work *work) {
    struct checkpoint *checkpoint = container_of(work, struct checkpoint, work);
    checkpoint->result = -fault_hit(FAULT_segment_sync);
    if (MUTANT(segment_unsynced)) return;
    for (size_t at = 0; at < checkpoint->file_count && checkpoint->result == 0; at++)
        checkpoint->result = file_sync(checkpoint->files[at]->write);
}

static void work_over(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    /* Snapshots are written anew when there is space again; until then the journal keeps all. */
    bool full = checkpoint->result == -ENOSPC || checkpoint->result == -EDQUOT;
    if (checkpoint->result < 0 && !(full && checkpoint->stage == STAGE_WRITE))
        fail_stop("checkpoint in", disk_root(store->directory->disk), -checkpoint->result);
    if (checkpoint->result < 0) {
        checkpoint->stage = STAGE_BARRIER;
        checkpoint->result = 0;
        checkpoint->retry_ns = ring_now_ns(store->ring) + RETRY_NS;
        space_met_full(store);
    }
    checkpoint->working = false;
    store->flows--;
}

static void sync_done(struct work *work) { work_over(container_of(work, struct checkpoint, work)); }

static void work_begin(struct checkpoint *checkpoint) {
    checkpoint->working = true;
    checkpoint->store->flows++;
}

static void sync_start(struct checkpoint *checkpoint) {
    work_begin(checkpoint);
    checkpoint->work = (struct work){.run = sync_run, .done = sync_done};
    ring_work(checkpoint->store->ring, &checkpoint->work);
}

/* The catalog's shard comes first, and its copy last. */
static size_t write_count(const struct checkpoint *checkpoint) {
    size_t count = checkpoint->captured_count;
    return count > 0 && checkpoint->captured[0].shard == CATALOG_SHARD ? count + 1 : count;
}

static void write_next(struct checkpoint *checkpoint) {
    const struct data_directory *directory = checkpoint->store->directory;
    if (checkpoint->result < 0 || checkpoint->written_count == write_count(checkpoint)) {
        work_over(checkpoint);
        return;
    }
    bool is_copy = checkpoint->written_count == checkpoint->captured_count;
    const struct captured *captured =
        &checkpoint->captured[is_copy ? 0 : checkpoint->written_count];
    char path[LAYOUT_PATH_SIZE];
    if (is_copy)
        layout_snapshot_copy(path);
    else
        layout_snapshot(path, captured->shard);
    bool more = checkpoint->written_count + 1 < write_count(checkpoint); /* one sync for all */
    blob_op_put(checkpoint->store->ring, &checkpoint->put, directory->blobs, path,
                byte_buffer_bytes(&captured->bytes), more);
}

static void write_done(struct blob_op *put) {
    struct checkpoint *checkpoint = container_of(put, struct checkpoint, put);
    checkpoint->result = (int)put->result;
    /* After it: whether the rename is durable is what such an error leaves open. */
    if (checkpoint->result == 0) checkpoint->result = -fault_hit(FAULT_snapshot_rename);
    checkpoint->written_count++;
    write_next(checkpoint);
}

static void write_start(struct checkpoint *checkpoint) {
    work_begin(checkpoint);
    checkpoint->put.done = write_done;
    checkpoint->written_count = MUTANT(snapshot_skipped) ? write_count(checkpoint) : 0;
    checkpoint->result = -fault_hit(FAULT_snapshot_write);
    write_next(checkpoint);
}

/* --- the flow --- */

static bool barrier_reached(struct checkpoint *checkpoint) {
    while (checkpoint->target_count > 0) {
        const struct target *last = &checkpoint->targets[checkpoint->target_count - 1];
        if (!last->partition->dead && last->partition->high_watermark < last->offset) return false;
        checkpoint->target_count--;
        partition_unpin(last->partition);
    }
    return true;
}

static bool checkpoint_must_wait(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    if (ring_now_ns(store->ring) >= checkpoint->retry_ns) return false;
    space_check_later(store);
    return true;
}

static void checkpoint_free(struct checkpoint *checkpoint) {
    for (size_t at = 0; at < checkpoint->captured_count; at++)
        byte_buffer_deinit(&checkpoint->captured[at].bytes);
    for (size_t at = 0; at < checkpoint->file_count; at++)
        segment_file_release(checkpoint->files[at]);
    segment_handles_trim(&checkpoint->store->handles);
    targets_clear(checkpoint);
    free(checkpoint->captured);
    free(checkpoint->files);
    free(checkpoint);
}

static void checkpoint_finish(struct checkpoint *checkpoint) {
    struct store *store = checkpoint->store;
    check(!checkpoint->working);
    journal_release(&store->journal, checkpoint->through, checkpoint->bytes);
    store->checkpoint = NULL;
    store->checkpoints++;
    checkpoint_free(checkpoint);
}

bool checkpoint_is_stuck(const struct store *store) {
    return store->checkpoint && store->checkpoint->retry_ns > 0 && !store->checkpoint->working;
}

void checkpoint_abandon(struct store *store) {
    if (store->checkpoint) checkpoint_free(store->checkpoint);
    store->checkpoint = NULL;
}

void checkpoint_start(struct store *store) {
    if (store->checkpoint || !store->options.durable) return;
    struct checkpoint *checkpoint = new_zero(struct checkpoint);
    checkpoint->store = store;
    store->checkpoint = checkpoint;
    settle_targets(checkpoint);
}

/* One stage further; false when it must wait. */
static bool checkpoint_step(struct checkpoint *checkpoint) {
    if (checkpoint->working) return false;
    switch (checkpoint->stage) {
        case STAGE_SETTLE:
            if (!settle_reached(checkpoint)) return false;
            checkpoint->stage = STAGE_CAPTURE;
            return true;
        case STAGE_CAPTURE:
            if (!capture(checkpoint)) {
                settle_targets(checkpoint);
                checkpoint->stage = STAGE_SETTLE;
                return checkpoint->target_count > 0;
            }
            checkpoint->stage = STAGE_SYNC;
            sync_start(checkpoint);
            return false;
        case STAGE_SYNC: checkpoint->stage = STAGE_BARRIER; return true;
        case STAGE_BARRIER:
            if (!barrier_reached(checkpoint) || checkpoint_must_wait(checkpoint)) return false;
            checkpoint->stage = STAGE_WRITE;
            write_start(checkpoint);
            return !checkpoint->working; /* there was nothing to write, or no room at once */
        case STAGE_WRITE: checkpoint->stage = STAGE_DONE; return true;
        case STAGE_DONE: return false;
    }
    unreachable();
}

void checkpoint_round(struct store *store) {
    struct checkpoint *checkpoint = store->checkpoint;
    if (!checkpoint) return;
    while (checkpoint_step(checkpoint)) continue;
    if (checkpoint->stage == STAGE_DONE) checkpoint_finish(checkpoint);
}
