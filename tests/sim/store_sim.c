#include "tests/sim/store_sim.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "io/sim.h"
#include "storage/state.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"
#include "tests/sim/store_run.h"

enum { TICK_NS = 300 * 1000 };

/* --- the mixture --- */

static void mixture_draw(struct run *run) {
    struct mixture *mix = &run->mix;
    mix->partitions = 1 + (unsigned)run_below(run, 8);
    mix->lives = 3 + (unsigned)run_below(run, 6);
    mix->cores = 1;
    mix->steps_max = (unsigned)RUN_PICK(run, 40, 120, 400, 400, 2000);
    mix->small = (unsigned)RUN_PICK(run, 1, 4, 8);
    mix->large = (unsigned)RUN_PICK(run, 0, 0, 0, 1, 3);
    mix->idempotent = (unsigned)RUN_PICK(run, 0, 4, 8);
    mix->trim = (unsigned)RUN_PICK(run, 0, 0, 1);
    mix->read = (unsigned)RUN_PICK(run, 0, 1, 4);
    mix->delete = (unsigned)RUN_PICK(run, 0, 0, 1);
    mix->compacted = (unsigned)RUN_PICK(run, 0, 0, 2, 8);
    mix->journal_files = (unsigned)RUN_PICK(run, 0, 2, 3, 3, 4);
    mix->journal_file_bytes = RUN_PICK(run, 640 << 10, 1 << 20);
    mix->options = (struct store_options){
        .journal_bytes_max = mix->journal_files ? 1 : 24 << 20,
        .cache_bytes_max = RUN_PICK(run, 0, 64 << 10, 16 << 20),
        .unsettled_bytes_max = RUN_PICK(run, 512 << 10, 4 << 20, 64 << 20),
        .retention_check_ms = RUN_PICK(run, 0, 0, 1, 20),
        .producer_expiration_ms = 86400000,
        .compact_check_ms = RUN_PICK(run, 1, 5, 30),
        .compact_bytes_max = 1 << 20,
        .compact_slice_bytes = RUN_PICK(run, 1, 20000, 1 << 20),
        .durable = true,
    };
    mix->rules = (struct partition_rules){
        .retention_ms = -1,
        .retention_bytes = (int64_t)RUN_PICK(run, UINT64_MAX, 100 << 10, 2 << 20),
        .segment_bytes = (int64_t)RUN_PICK(run, 16 << 10, 100 << 10, 1 << 20, 1 << 30),
        .segment_ms = (int64_t)RUN_PICK(run, INT64_MAX, INT64_MAX, 50),
        .index_interval_bytes = 4096,
        .delete_old = mix->options.retention_check_ms > 0,
        .delete_retention_ms = (int64_t)RUN_PICK(run, 0, 10, INT64_MAX),
        .compaction_lag_ms_min = (int64_t)RUN_PICK(run, 0, 0, 20),
        .compaction_lag_ms_max = (int64_t)RUN_PICK(run, 0, 5, 40),
        .dirty_ratio_min = (double)RUN_PICK(run, 0, 1) / 2,
    };
    mix->options.replay_bytes_max = RUN_PICK(run, 0, 0, 64 << 10, 1 << 20);
}

static void delete_rarely(struct run *run, struct slot *slot) {
    if (run->given == PARTITIONS_MAX || !run_chance(run, 1, 100)) return;
    act_delete(run, slot);
    slot_create(run, slot_give(run));
}

static void switch_rarely(struct run *run, struct slot *slot) {
    if (slot->compacted && run_chance(run, 1, 20)) act_switch(run, slot);
}

static void act(struct run *run, struct slot *slot) {
    static void (*const acts[])(struct run *, struct slot *) = {
        act_append, act_produce, act_repeat, act_trim, act_read, delete_rarely, switch_rarely};
    const struct mixture *mix = &run->mix;
    unsigned weights[] = {mix->small + mix->large,
                          mix->idempotent,
                          (mix->idempotent + 3) / 4,
                          mix->trim,
                          mix->read,
                          mix->delete,
                          mix->compacted > 0};
    unsigned all = 0, at = 0;
    for (size_t each = 0; each < array_count(weights); each++) all += weights[each];
    for (uint64_t drawn = run_below(run, all); drawn >= weights[at]; at++) drawn -= weights[at];
    acts[at](run, slot);
}

static void core_tick(struct timer *timer) {
    struct core_sim *core = container_of(timer, struct core_sim, tick);
    struct run *run = core->run;
    for (uint64_t count = run_below(run, 6); count > 0; count--) {
        struct slot *slot = &run->slots[run_below(run, run->given)];
        if (slot->dead || slot_core(run, slot) != core) continue;
        act(run, slot);
        if (!slot->dead) slot_look(run, slot);
    }
    timer_arm(core->ring, timer, ring_now_ns(core->ring) + 1 + run_below(run, TICK_NS));
}

static void life_begin_load(struct run *run) {
    for (unsigned at = 0; at < run->life->core_count; at++) {
        struct core_sim *core = &run->life->cores[at];
        core->tick.fire = core_tick;
        timer_arm(core->ring, &core->tick, 0);
    }
}

/* Whether a block on its way is the last of a full file, and one behind it is in the next. */
static bool journal_is_switching(const struct journal *journal) {
    if (!journal->current || journal->current->used == 0) return false;
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FULL &&
            journal->files[at].last_sequence > journal->acknowledged_through)
            return true;
    return false;
}

static bool life_ends_here(struct run *run) {
    if (!run->mix.ends_at_switches || run->last) return false;
    for (unsigned core = 0; core < run->life->core_count; core++)
        if (journal_is_switching(&run->life->cores[core].store->journal))
            return run_chance(run, 1, 2);
    return false;
}

/* --- the run --- */

static void run_arm_fault(struct run *run) {
    run->fault_is_armed = run->mix.has_faults && run_chance(run, 3, 4);
    if (!run->fault_is_armed) return;
    int error_number = (int)RUN_PICK(run, EIO, EIO, ENOSPC, 0);
    uint64_t at = 1 + run_below(run, run_chance(run, 1, 2) ? 100 : 1000);
    sim_fail_disk(run->sim, at, error_number);
    if (seeds_tells())
        fprintf(stderr, "--- disk operation %lu fails: %d\n",
                (unsigned long)(sim_disk_operations(run->sim) + at), error_number);
}

/* One life up to its end; guarded, because a failed operation may end it anywhere. */
static void run_live(void *context) {
    struct run *run = context;
    run_arm_fault(run);
    if (!life_open(run)) {
        seed_expect(run->fault_is_armed, "the store does not open: %s", run->error.text);
        return;
    }
    run->is_open = true;
    if (run->last || run_chance(run, 1, 2)) life_verify(run);
    life_begin_load(run);
    for (uint64_t steps = run_below(run, run->mix.steps_max); steps > 0; steps--) {
        seed_expect(run_step(run, UINT64_MAX), "nothing happens any more");
        if (life_ends_here(run)) return;
    }
    if (run->last || run_chance(run, 1, 5)) life_stop(run);
}

static void run_crash(struct run *run) {
    /* A power cut leaves few blocks whole of those that were on their way. */
    bool cut = run_chance(run, run->mix.ends_at_switches ? 1 : 3, 5);
    seed_crashes();
    if (cut)
        sim_power_cut(run->sim);
    else
        sim_kill(run->sim);
    if (seeds_tells())
        fprintf(stderr, "--- %s at %lu us, disk operation %lu\n", cut ? "power cut" : "kill",
                (unsigned long)(sim_now_ns(run->sim) / 1000),
                (unsigned long)sim_disk_operations(run->sim));
}

static uint64_t run_all(struct run *run) {
    while (run->given < run->mix.partitions) slot_give(run);
    for (unsigned life = 0; life < run->mix.lives; life++) {
        run->last = life + 1 == run->mix.lives;
        if (run->last) run->mix.has_faults = false;
        run->is_open = false;
        bool survived = seams_survives(run_live, run);
        if (seeds_tells())
            fprintf(stderr, "--- life %u ends%s%s\n", life, survived ? "" : ", stopped",
                    run->is_open ? "" : ", never opened");
        if (seeds_tells() && survived && run->is_open) life_tell(run);
        seed_expect(survived || run->fault_is_armed, "stopped without a fault");
        run_crash(run);
        life_free(run, survived && run->is_open);
    }
    return run_end(run);
}

static struct run *run_drawn(uint64_t seed) {
    struct run *run = run_new(seed);
    mixture_draw(run);
    return run;
}

uint64_t store_sim(uint64_t seed) { return run_all(run_drawn(seed)); }

uint64_t store_sim_faults(uint64_t seed) {
    struct run *run = run_drawn(seed);
    run->mix.has_faults = true;
    return run_all(run);
}

/* Small segments of which all are compacted again and again. */
uint64_t store_sim_compaction(uint64_t seed) {
    struct run *run = run_drawn(seed);
    run->mix.compacted = 8;
    run->mix.large = 0;
    run->mix.partitions = 1 + (unsigned)run_below(run, 3);
    run->mix.steps_max = (unsigned)RUN_PICK(run, 400, 1500, 4000);
    run->mix.options.compact_check_ms = RUN_PICK(run, 1, 1, 4);
    run->mix.rules.segment_bytes = (int64_t)RUN_PICK(run, 8 << 10, 30 << 10, 100 << 10);
    run->mix.has_faults = seed % 3 == 0;
    return run_all(run);
}

/* Small logs that soon forget what they had, so that most of it is about the journal. */
uint64_t store_sim_switches(uint64_t seed) {
    struct run *run = run_drawn(seed);
    struct mixture *mix = &run->mix;
    mix->ends_at_switches = true;
    mix->lives = 16;
    mix->steps_max = 600;
    mix->partitions = 2 + (unsigned)run_below(run, 3);
    mix->small = mix->large = 2;
    mix->read = mix->delete = mix->compacted = 0;
    mix->journal_files = (unsigned)RUN_PICK(run, 3, 4, 4);
    mix->journal_file_bytes = 1 << 20; /* smaller ones go with the next start */
    mix->options.journal_bytes_max = 1;
    mix->options.unsettled_bytes_max = 4 << 20;
    mix->options.retention_check_ms = 5;
    mix->rules.delete_old = true;
    mix->rules.retention_bytes = mix->rules.segment_bytes = 200 << 10;
    return run_all(run);
}

uint64_t store_sim_cores(uint64_t seed) {
    struct run *run = run_drawn(seed);
    run->mix.changes_cores = true;
    run->mix.journal_files = 0;
    run->mix.options.journal_bytes_max = 24 << 20;
    run->mix.has_faults = seed % 2;
    return run_all(run);
}
