#include "tests/sim/script_sim.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "io/sim.h"
#include "storage/checkpoint.h"
#include "storage/state.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"
#include "tests/sim/store_run.h"

enum {
    SCRIPT_SEED = 4, /* of the delays, and of what each operation draws */
    ROUNDS = 10,
    FAULTS = 9,
    FORGOTTEN = 7,
    LOST = 8,
    STEPS_MAX = 24, /* events between two operations */
};
#define QUIET_NS (60 * NS_PER_MS)
#define PAUSE_NS (3 * NS_PER_S)

/* One partition of each kind at a time. */
enum role { PLAIN, RETAINED, COMPACTED, BOTH, BUSY, ROLE_COUNT };

struct script {
    struct run *run;
    struct slot *slots[ROLE_COUNT]; /* that play the roles now */
    unsigned round;
    struct sweep *sweep; /* that branches from it, or NULL */
    unsigned first_kind, end_kind;
    uint64_t at; /* the disk operation that goes wrong; 0 = none */
    unsigned kind;
    bool is_over; /* the fault is behind us */
};

/* --- the faults --- */

struct fault_kind {
    const char *name;
    int error_number; /* or 0 */
    enum sim_spoil spoil;
    int keep;                 /* in eighths: what the power cut leaves; -1: a kill */
    enum sim_operation least; /* what does less to the disk knows no such fault */
};

/* Between two changes the disk is the same: at what only reads, one crash stands for all. */
static const struct fault_kind kinds[FAULTS] = {
    {"fails with EIO", EIO, 0, 4, SIM_READ},
    {"fails with ENOSPC", ENOSPC, 0, 0, SIM_CHANGE},
    {"is short", 0, SIM_SPOIL_SHORT, 7, SIM_WRITE},
    {"is torn by a power cut", 0, SIM_SPOIL_TORN, 4, SIM_WRITE},
    {"is cut off, nothing unsynced is kept", 0, SIM_SPOIL_STOP, 0, SIM_CHANGE},
    {"is cut off, most of the unsynced is kept", 0, SIM_SPOIL_STOP, 7, SIM_READ},
    {"is cut off by a kill", 0, SIM_SPOIL_STOP, -1, SIM_CHANGE},
    {"is read back but not durable, and a kill", 0, SIM_SPOIL_FORGOTTEN, -1, SIM_WRITE},
    {"is lost", 0, SIM_SPOIL_LOST, 4, SIM_WRITE},
};

/* A crash forgets what is armed: once in each life. */
static void script_arm(struct script *script) {
    struct run *run = script->run;
    uint64_t done = sim_disk_operations(run->sim);
    run->fault_is_armed = !script->is_over && script->at > done;
    if (!run->fault_is_armed) return;
    const struct fault_kind *kind = &kinds[script->kind];
    run->may_lose = script->kind == LOST;
    if (kind->error_number)
        sim_fail_disk(run->sim, script->at - done, kind->error_number);
    else
        sim_spoil_disk(run->sim, script->at - done, kind->spoil);
}

static bool script_is_past(const struct script *script) {
    return script->at > 0 && sim_disk_operations(script->run->sim) >= script->at;
}

/* --- the operations --- */

static void play(struct script *script, enum role role) {
    struct run *run = script->run;
    struct partition_rules rules = run->mix.rules;
    rules.compacted = role == COMPACTED || role == BOTH;
    rules.delete_old = role == RETAINED || role == BOTH;
    if (rules.compacted) rules.segment_bytes = 12 << 10;
    if (role == COMPACTED) rules.delete_retention_ms = INT64_MAX;
    script->slots[role] = slot_give(run);
    slot_shape(run, script->slots[role], &rules);
    if (run->life) slot_create(run, script->slots[role]);
}

static void do_append(struct script *script, struct slot *slot) { act_append(script->run, slot); }
static void do_produce(struct script *script, struct slot *slot) { act_produce(script->run, slot); }
static void do_repeat(struct script *script, struct slot *slot) { act_repeat(script->run, slot); }
static void do_trim(struct script *script, struct slot *slot) { act_trim(script->run, slot); }
static void do_read(struct script *script, struct slot *slot) { act_read(script->run, slot); }

/* Large enough to go straight to the segment. */
static void do_bypass(struct script *script, struct slot *slot) {
    struct mixture *mix = &script->run->mix;
    mix->small = 0;
    act_append(script->run, slot);
    mix->small = 1;
}

static void do_delete(struct script *script, struct slot *slot) {
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        if (script->slots[role] != slot) continue;
        act_delete(script->run, slot);
        play(script, role);
        return;
    }
}

static void do_configure(struct script *script, struct slot *slot) {
    struct run *run = script->run;
    slot->rules.segment_bytes = (int64_t)RUN_PICK(run, 8 << 10, 40 << 10, 1 << 20);
    slot->rules.retention_bytes = (int64_t)RUN_PICK(run, 30 << 10, 200 << 10);
    if (slot->compacted) act_switch(run, slot);
    partition_configure(slot_partition(run, slot), &slot->rules);
}

static void do_checkpoint(struct script *script, struct slot *slot) {
    checkpoint_start(slot_core(script->run, slot)->store);
}

/* Timers fire: retention, compaction, the block that ends a pause. */
static void script_wait(struct script *script, uint64_t ns) {
    struct run *run = script->run;
    uint64_t until_ns = sim_now_ns(run->sim) + ns;
    while (sim_now_ns(run->sim) < until_ns) run_step(run, until_ns);
}

static void do_wait(struct script *script, struct slot *slot) {
    (void)slot;
    script_wait(script, QUIET_NS);
}

static const struct operation {
    void (*perform)(struct script *script, struct slot *slot);
    enum role role;
} operations[] = {
    {do_append, PLAIN},     {do_produce, BUSY},     {do_append, COMPACTED},  {do_produce, RETAINED},
    {do_append, BOTH},      {do_produce, BUSY},     {do_append, COMPACTED},  {do_bypass, RETAINED},
    {do_produce, BUSY},     {do_read, PLAIN},       {do_append, COMPACTED},  {do_repeat, BUSY},
    {do_bypass, PLAIN},     {do_trim, PLAIN},       {do_produce, COMPACTED}, {do_append, BOTH},
    {do_checkpoint, PLAIN}, {do_produce, BUSY},     {do_configure, BOTH},    {do_append, BOTH},
    {do_produce, PLAIN},    {do_wait, PLAIN},       {do_append, COMPACTED},  {do_bypass, RETAINED},
    {do_trim, BUSY},        {do_produce, RETAINED}, {do_read, COMPACTED},    {do_produce, BUSY},
    {do_append, PLAIN},     {do_produce, BUSY},
};

static void script_look(struct script *script) {
    for (unsigned at = 0; at < script->run->given; at++)
        if (slot_serves(&script->run->slots[at])) slot_look(script->run, &script->run->slots[at]);
}

static void script_perform(struct script *script, const struct operation *operation) {
    struct run *run = script->run;
    struct slot *slot = script->slots[operation->role];
    if (slot_serves(slot)) operation->perform(script, slot);
    for (uint64_t steps = run_below(run, STEPS_MAX); steps > 0; steps--) run_step(run, UINT64_MAX);
    script_look(script);
}

/* Thirty of them; one partition of each kind is deleted in its time. Behind the fault ten are load
 * enough, at each point others. */
static void script_round(struct script *script) {
    size_t step = script->is_over ? 3 : 1;
    for (size_t at = script->at % step; at < array_count(operations); at += step)
        script_perform(script, &operations[at]);
    struct operation last = {do_delete, (enum role)(script->round % ROLE_COUNT)};
    if (script->round % 2) script_perform(script, &last);
}

/* --- lives --- */

/* What was read back but is not durable only a power cut can show: before anything else has made
 * it so, or has made it needless. */
static bool script_is_cut_at_once(const struct script *script) {
    return script->is_over && script->kind == FORGOTTEN && !script->run->last;
}

/* After a lost write a pause, whose closing block says what was acknowledged: else nobody could
 * tell. Not a clean stop, which needs the journal no more. */
static void script_finish(struct script *script) {
    struct run *run = script->run;
    if (run->may_lose && run->fault_is_armed && script_is_past(script))
        script_wait(script, PAUSE_NS);
    else if (script->is_over || script->round % 3 == 0)
        life_stop(run);
}

static void script_live(void *context) {
    struct script *script = context;
    struct run *run = script->run;
    script_arm(script);
    if (!life_open(run)) {
        seed_expect(run->fault_is_armed || run->may_lose, "the store does not open: %s",
                    run->error.text);
        return;
    }
    run->is_open = true;
    if (script->is_over || script->round % 2) life_verify(run);
    if (script_is_cut_at_once(script)) return;
    if (!run->last) script_round(script);
    script_finish(script);
}

/* Ends the life: by what the fault wants, or as the script has it. */
static void script_crash(struct script *script, bool hit) {
    struct run *run = script->run;
    int keep = script->round % 3 == 1 ? -1 : 4;
    if (hit) keep = kinds[script->kind].keep;
    if (script_is_cut_at_once(script)) keep = 0;
    seed_crashes();
    if (keep < 0)
        sim_kill(run->sim);
    else
        sim_power_cut_keeping(run->sim, (unsigned)keep);
}

static void script_life(struct script *script) {
    struct run *run = script->run;
    run->is_open = false;
    bool survived = seams_survives(script_live, script);
    bool hit = run->fault_is_armed && script_is_past(script);
    seed_expect(survived || hit || run->may_lose, "stopped without a fault");
    if (seeds_tells())
        fprintf(stderr, "--- round %u ends at disk operation %lu%s%s%s\n", script->round,
                (unsigned long)sim_disk_operations(run->sim), survived ? "" : ", stopped",
                run->is_open ? "" : ", never opened", hit ? ", the fault in it" : "");
    if (seeds_tells() && survived && run->is_open) life_tell(run);
    script_crash(script, hit);
    life_free(run, survived && run->is_open);
    script->is_over = script_is_past(script);
    script->round++;
}

static struct script *script_new(uint64_t at, unsigned kind) {
    struct script *script = new_zero(struct script);
    struct run *run = script->run = run_new(SCRIPT_SEED);
    script->at = at;
    script->kind = kind;
    run->mix = (struct mixture){
        .cores = 1,
        .small = 1,
        .large = 1,
        .journal_files = 3,
        .journal_file_bytes = 1 << 20,
        .has_faults = true,
        .options = {.journal_bytes_max = 1,
                    .cache_bytes_max = 64 << 10,
                    .unsettled_bytes_max = 4 << 20,
                    .retention_check_ms = 20,
                    .producer_expiration_ms = 86400000,
                    .compact_check_ms = 5,
                    .compact_bytes_max = 1 << 20,
                    .compact_slice_bytes = 20000,
                    .durable = true},
        .rules = {.retention_ms = -1,
                  .retention_bytes = 100 << 10,
                  .segment_bytes = 100 << 10,
                  .segment_ms = INT64_MAX,
                  .index_interval_bytes = 4096,
                  .compaction_lag_ms_max = 40,
                  .dirty_ratio_min = 0.1},
    };
    for (enum role role = 0; role < ROLE_COUNT; role++) play(script, role);
    return script;
}

/* What the fault left is read, loaded, stopped, and read again. */
static void script_after(struct script *script) {
    struct run *run = script->run;
    script_life(script);
    if (run->may_lose && !run->is_open) return; /* refused to start: that says it */
    run->last = true;
    script_life(script);
}

/* The next disk operation goes wrong in each way, each in a child. */
static void script_meets(void *context, enum sim_operation operation) {
    struct script *script = context;
    if (script->at > 0) return;
    uint64_t next = sim_disk_operations(script->run->sim) + 1;
    for (unsigned kind = script->first_kind; kind < script->end_kind; kind++) {
        if (operation < kinds[kind].least) continue;
        if (!sweep_branches(script->sweep, next * FAULTS + kind)) continue;
        script->at = next;
        script->kind = kind;
        script_arm(script);
        return;
    }
}

static void script_run(struct script *script) {
    struct run *run = script->run;
    if (script->sweep) sim_watch_disk(run->sim, script_meets, script);
    while (script->round < ROUNDS && !script->is_over) script_life(script);
    sim_watch_disk(run->sim, NULL, NULL);
    script->is_over = true;
    script_after(script);
}

static uint64_t script_free(struct script *script) {
    uint64_t digest = run_end(script->run);
    free(script);
    return digest;
}

static void script_sweep(struct sweep *sweep, unsigned first_kind, unsigned end_kind) {
    struct script *script = script_new(0, 0);
    script->sweep = sweep;
    script->first_kind = first_kind;
    script->end_kind = end_kind;
    script_run(script);
    if (!sweep->is_branch) script_free(script); /* a branch ends with all that it has */
    sweep_end(sweep);
}

void script_sweep_faults(struct sweep *sweep) { script_sweep(sweep, 0, LOST); }
void script_sweep_lies(struct sweep *sweep) { script_sweep(sweep, LOST, LOST + 1); }

uint64_t script_sim(uint64_t seed) {
    struct script *script = script_new(seed / FAULTS, (unsigned)(seed % FAULTS));
    fprintf(stderr, "--- disk operation %lu %s\n", (unsigned long)script->at,
            kinds[script->kind].name);
    script_run(script);
    return script_free(script);
}
