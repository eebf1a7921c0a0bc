#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "io/sim.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/recover.h"
#include "storage/space.h"
#include "storage/state.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"
#include "tests/sim/store_run.h"

/* --- for the reader of a failed seed --- */

static void partition_print(const struct partition *partition) {
    fprintf(stderr, "partition %u: start %ld, watermark %ld, next %ld\n", partition->definition.id,
            (long)partition->log_start, (long)partition->high_watermark,
            (long)partition->next_offset);
    const struct {
        const char *name;
        struct place place;
    } places[] = {{"settled", partition->settled},
                  {"durable", partition->durable},
                  {"formed", partition->formed},
                  {"end", partition->end}};
    for (size_t at = 0; at < array_count(places); at++)
        fprintf(stderr, "  %s %u:%lu\n", places[at].name, places[at].place.segment,
                (unsigned long)places[at].place.position);
    for (size_t at = 0; at < partition->segment_count; at++)
        fprintf(stderr, "  segment %u: offsets %ld to %ld, end %lu%s%s\n",
                partition->segments[at].number, (long)partition->segments[at].base_offset,
                (long)partition->segments[at].next_offset,
                (unsigned long)partition->segments[at].end,
                partition->segments[at].file ? ", file" : "",
                partition->segments[at].sealed ? ", sealed" : "");
    for (size_t at = 0; at < partition->tail.count; at++) {
        const struct chunk *chunk = tail_chunk(&partition->tail, at);
        fprintf(stderr, "  chunk %u:%lu + %u, batches from %ld at %lu to %lu\n", chunk->segment,
                (unsigned long)chunk->position, chunk->used, (long)chunk->first_offset,
                (unsigned long)chunk->first_position, (unsigned long)chunk->batches_end);
    }
}

static void store_print(const struct store *store) {
    const struct journal *journal = &store->journal;
    fprintf(stderr,
            "store %u: unsettled %lu, reserved %lu, flows %u, checkpoint %d, waiting for space %d,"
            " stopping %d\n",
            store->core, (unsigned long)store->unsettled_bytes,
            (unsigned long)store->reserved_bytes, store->flows, store->checkpoint != NULL,
            space_is_awaited(store), store->stopping);
    fprintf(stderr,
            "  dirty shards %d, sequence next %lu, acknowledged %lu, released %lu, quiet %d\n",
            !list_is_empty(&store->dirty_shards), (unsigned long)journal->sequence_next,
            (unsigned long)journal->acknowledged_through, (unsigned long)journal->released_through,
            journal_is_quiet(journal));
    for (unsigned at = 0; at < journal->file_count; at++)
        fprintf(stderr, "  journal file %u: state %d, %lu of %lu, last %lu\n",
                journal->files[at].number, (int)journal->files[at].state,
                (unsigned long)journal->files[at].used, (unsigned long)journal->files[at].size,
                (unsigned long)journal->files[at].last_sequence);
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        partition_print(map_entry(node, struct partition, by_id));
}

void slot_print(struct run *run, const struct slot *slot) {
    partition_print(slot_partition(run, slot));
}

/* --- opening --- */

static bool run_catalog(void *context, struct bytes batch, struct error *error) {
    (void)context, (void)batch, (void)error;
    return true;
}

static bool make_small_journals(struct run *run, struct life *life) {
    for (unsigned number = 0; number < run->mix.journal_files; number++) {
        char path[LAYOUT_PATH_SIZE];
        layout_journal(path, 0, number);
        struct file *file = NULL;
        int result = file_open(life->directory.disk, path, FILE_WRITE | FILE_CREATE, &file);
        if (result == 0) result = file_allocate(file, run->mix.journal_file_bytes);
        if (result == 0) result = file_sync(file);
        if (file) file_close(file);
        if (result < 0)
            return error_set(&run->error, -result, "journal files: %s", strerror(-result));
    }
    int result = disk_sync_directory(life->directory.disk, LAYOUT_JOURNALS);
    return result == 0 || error_set(&run->error, -result, "journal files: %s", strerror(-result));
}

static bool life_open_core(struct run *run, struct recovered *recovered, unsigned index) {
    struct core_sim *core = &run->life->cores[index];
    core->run = run;
    struct store_options options = run->mix.options;
    if (run->last) options.compact_check_ms = 0; /* what is read then stays as it is */
    core->store = store_new(core->ring, &run->life->directory, &options, index,
                            run->life->core_count, recovered, &run->error);
    if (!core->store) return false;
    return true;
}

static bool life_recover(struct run *run, struct recovered *recovered) {
    struct life *life = run->life;
    if (!recover_catalog(recovered, run_catalog, run, &run->error)) return false;
    if (!recover_partitions(recovered, run_life, run, &run->error)) return false;
    if (!recover_finish(recovered, life->core_count, &run->error)) return false;
    struct recover_report report;
    recover_report(recovered, &report);
    seed_expect(report.offline_partitions == 0 || run->may_lose, "%lu partitions are offline",
                (unsigned long)report.offline_partitions);
    for (unsigned core = 0; core < life->core_count; core++)
        if (!life_open_core(run, recovered, core)) return false;
    return true;
}

static void life_open_partitions(struct run *run) {
    for (unsigned at = 0; at < run->given; at++) {
        struct slot *slot = &run->slots[at];
        slot->outstanding = slot->reads = 0;
        if (slot->dead) continue;
        slot_create(run, slot);
        slot_look(run, slot);
        for (unsigned each = 0; each < PRODUCERS; each++) {
            struct producer_sim *producer = &slot->producers[each];
            producer->in_flight = 0;
            producer->refused = false;
            producer->sent = producer->answered;
        }
    }
}

/* False when a fault prevented it; the life is to be ended all the same. */
bool life_open(struct run *run) {
    struct life *life = run->life = new_zero(struct life);
    life->core_count = run->mix.cores;
    if (run->mix.changes_cores) life->core_count = 1 + (unsigned)run_below(run, CORES_MAX);
    for (unsigned core = 0; core < life->core_count; core++)
        life->cores[core].ring = sim_ring_new(run->sim);
    struct disk *disk = sim_disk_open(run->sim);
    if (!data_directory_open(disk, 1, &life->directory, &run->error)) return false;
    if (!run->has_started && !make_small_journals(run, life)) return false;
    struct recovered *recovered = NULL;
    if (!recover_open(&life->directory, run->mix.options.unsettled_bytes_max / 2, &recovered,
                      &run->error))
        return false;
    if (!life_recover(run, recovered)) return false;
    recover_free(recovered);
    if (!data_directory_expect_journals(&life->directory, life->core_count, &run->error))
        return false;
    life_open_partitions(run);
    run->has_started = true;
    return true;
}

bool run_step(struct run *run, uint64_t until_ns) {
    bool happened = sim_step(run->sim, until_ns);
    if (sim_disk_has_stopped(run->sim)) fail_stop("the disk", "", EIO);
    return happened;
}

void life_verify(struct run *run) {
    run->pending = 0;
    for (unsigned at = 0; at < run->given; at++) {
        struct slot *slot = &run->slots[at];
        if (!slot_serves(slot)) continue;
        model_log(run->model, slot->id)->is_quiet = run->last;
        act_read_all(run, slot);
    }
    while (run->pending > 0) seed_expect(run_step(run, UINT64_MAX), "the full pass stands still");
}

static void core_stopped(void *context) { ((struct run *)context)->life->stopped++; }

static void core_idle(struct timer *timer) { (void)timer; }

void life_stop(struct run *run) {
    struct life *life = run->life;
    uint64_t deadline_ns = sim_now_ns(run->sim) + 60 * NS_PER_S;
    for (unsigned core = 0; core < life->core_count; core++) {
        struct core_sim *self = &life->cores[core];
        store_stop(self->store, core_stopped, run);
        self->tick.fire = core_idle; /* no more load, but a round */
        timer_arm(self->ring, &self->tick, sim_now_ns(run->sim));
    }
    while (life->stopped < life->core_count) {
        if (run_step(run, deadline_ns)) continue;
        for (unsigned core = 0; core < life->core_count; core++)
            store_print(life->cores[core].store);
        seed_expect(false, "a store does not stop");
    }
    for (unsigned at = 0; at < run->given; at++)
        seed_expect(run->slots[at].dead || run->slots[at].outstanding == 0 || run->fault_is_armed,
                    "partition %u: %u appends without an answer", run->slots[at].id,
                    run->slots[at].outstanding);
}

/* --- what a crashed life leaves in memory --- */

static void partition_abandon(struct partition *partition) {
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        list_remove(node);
        segment_file_release(bypass->file);
        free(bypass->pieces);
        free(bypass);
    }
    if (!partition->settle.in_flight) return;
    segment_file_release(partition->settle.file);
    free(partition->settle.pieces);
    partition->settle.in_flight = false;
}

static void store_abandon(struct store *store) {
    store->journal.forming = NULL;
    store->journal.filling = NULL;
    for (unsigned slot = 0; slot < JOURNAL_IN_FLIGHT_MAX; slot++)
        store->journal.slots[slot].busy = false;
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        partition_abandon(map_entry(node, struct partition, by_id));
    store_free(store);
}

void life_free(struct run *run, bool whole) {
    struct life *life = run->life;
    for (unsigned core = 0; core < life->core_count; core++) {
        if (whole && life->cores[core].store) store_abandon(life->cores[core].store);
        ring_free(life->cores[core].ring);
    }
    run_forget_attempts(run);
    if (whole) data_directory_close(&life->directory);
    if (whole) free(life);
    run->life = NULL;
}

void life_tell(const struct run *run) {
    for (unsigned core = 0; core < run->life->core_count; core++) {
        const struct store *store = run->life->cores[core].store;
        if (!store) continue;
        fprintf(stderr, "--- core %u: %lu checkpoints, %lu compactions, %lu records dropped%s\n",
                core, (unsigned long)store->checkpoints, (unsigned long)store->compacted.passes,
                (unsigned long)store->compacted.records_dropped,
                store->compaction ? ", one under way" : "");
    }
}

/* --- the run --- */

struct run *run_new(uint64_t seed) {
    struct run *run = new_zero(struct run);
    random_init(&run->random, seed ^ 0x5eed);
    run->sim = sim_new(seed);
    seams_use(run->sim, seed);
    list_init(&run->attempts);
    run->model = model_new(PARTITIONS_MAX + 1);
    return run;
}

uint64_t run_end(struct run *run) {
    uint64_t digest = model_digest(run->model);
    digest = hash_u64(digest ^ sim_now_ns(run->sim));
    digest = hash_u64(digest ^ sim_disk_operations(run->sim));
    for (unsigned at = 0; at < run->given; at++)
        for (unsigned each = 0; each < PRODUCERS; each++)
            free(run->slots[at].producers[each].batches);
    model_free(run->model);
    sim_free(run->sim);
    seams_use(NULL, 0);
    free(run);
    return digest;
}
