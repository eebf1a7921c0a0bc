/* One store over many simulated lives, and what is done to it: partitions, appends, trims, reads
 * and deletions, each held against the model; opening, verifying, stopping. Who draws the load is
 * elsewhere: store_sim.c by seed, script_sim.c by a script. */
#pragma once

#include "base/random.h"
#include "storage/recover.h"
#include "storage/store.h"
#include "tests/sim/model.h"

struct sim;

enum {
    CORES_MAX = 3,
    PARTITIONS_MAX = 24, /* ids 1… over all lives; 0 is the catalog's */
    PRODUCERS = 2,       /* idempotent ones per partition */
    IN_FLIGHT_MAX = 5,
    OUTSTANDING_MAX = 40, /* appends per partition */
    READS_MAX = 8,
};

/* What a seed has drawn: its own mixture. */
struct mixture {
    unsigned partitions, lives, cores;
    unsigned steps_max;                                    /* events per life */
    unsigned small, large, idempotent, trim, read, delete; /* weights */
    unsigned compacted;                                    /* of eight partitions */
    unsigned journal_files; /* small ones made by hand; 0: as the store makes them */
    uint64_t journal_file_bytes;
    struct store_options options;
    struct partition_rules rules;
    bool has_faults, changes_cores;
    bool ends_at_switches; /* lives end while blocks of two journal files are on their way */
};

/* One idempotent producer: its batches in order of sequence. */
struct producer_sim {
    int64_t id;
    uint32_t *batches;
    uint32_t count, capacity;
    uint32_t answered;  /* before it, all are acknowledged */
    uint32_t sent;      /* before it, all are sent in this life */
    uint32_t in_flight; /* answers that are to come */
    bool refused;       /* waits until nothing is in flight, then begins again at `answered` */
};

struct slot {
    uint32_t id;
    bool given, dead;
    bool lost; /* what a lying disk has lost of it was reported */
    struct partition_rules rules;
    bool compacted, switched_off; /* cleanup.policy has "compact", and has it not for a while */
    uint32_t outstanding, reads;
    struct producer_sim producers[PRODUCERS];
};

struct core_sim {
    struct run *run;
    struct ring *ring;
    struct store *store;
    struct timer tick;
};

/* Between two crashes. Left behind by a crash as it is: only its rings are freed. */
struct life {
    struct data_directory directory;
    struct core_sim cores[CORES_MAX];
    unsigned core_count, stopped;
};

struct run {
    struct random random;
    struct sim *sim;
    struct mixture mix;
    struct model *model;
    struct slot slots[PARTITIONS_MAX];
    unsigned given;
    struct life *life;
    struct list attempts; /* appends on their way */
    bool fault_is_armed, has_started, is_open, last;
    bool may_lose;    /* the disk lies: loss is no failure where it is reported */
    unsigned pending; /* of the verifying pass */
    struct error error;
};

static inline uint64_t run_below(struct run *run, uint64_t bound) {
    return random_below(&run->random, bound);
}
static inline bool run_chance(struct run *run, unsigned parts, unsigned of) {
    return run_below(run, of) < parts;
}
/* One of the values. */
#define RUN_PICK(run, ...) \
    ((const uint64_t[]){   \
        __VA_ARGS__}[run_below(run, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))])

/* The caller fills `mix` before the first life. */
struct run *run_new(uint64_t seed);
/* Answers a digest of all that was seen. */
uint64_t run_end(struct run *run);

/* --- partitions; the catalog is durable by decree --- */

/* One more partition that the catalog knows; a life under way does not create it. */
struct slot *slot_give(struct run *run);
/* Before anything is appended. */
void slot_shape(struct run *run, struct slot *slot, const struct partition_rules *rules);
/* Neither deleted nor lost. */
static inline bool slot_serves(const struct slot *slot) { return !slot->dead && !slot->lost; }
struct core_sim *slot_core(struct run *run, const struct slot *slot);
struct partition *slot_partition(struct run *run, const struct slot *slot);
/* Watermarks against the model. */
void slot_look(struct run *run, struct slot *slot);
void slot_create(struct run *run, struct slot *slot);
enum partition_life run_life(void *context, uint32_t id, struct partition_definition *definition);

/* --- what is done to one; each may find that it cannot be done now --- */

void act_append(struct run *run, struct slot *slot);
/* By an idempotent producer: the next batch, or again those that a crash left unanswered. */
void act_produce(struct run *run, struct slot *slot);
/* One of its last five that were answered, again. */
void act_repeat(struct run *run, struct slot *slot);
void act_trim(struct run *run, struct slot *slot);
void act_read(struct run *run, struct slot *slot);
/* Everything, from the log start on; run->pending counts it until it is done. */
void act_read_all(struct run *run, struct slot *slot);
void act_delete(struct run *run, struct slot *slot);
/* "compact" goes from the cleanup policy, or comes back. */
void act_switch(struct run *run, struct slot *slot);
/* Appends that the life has left behind. */
void run_forget_attempts(struct run *run);

/* --- a life --- */

/* As sim_step(); where the disk has stopped, so does the life. */
bool run_step(struct run *run, uint64_t until_ns);

/* False when a fault prevented it; the life is to be ended all the same. */
bool life_open(struct run *run);
/* Everything is read once. */
void life_verify(struct run *run);
/* No more load; everything is answered, and the closing block written. */
void life_stop(struct run *run);
/* After the crash. `whole`: the life was opened and no failed operation ended it midway. */
void life_free(struct run *run, bool whole);
/* For the reader of a seed: what it has done, and how a partition stands. */
void life_tell(const struct run *run);
void slot_print(struct run *run, const struct slot *slot);
