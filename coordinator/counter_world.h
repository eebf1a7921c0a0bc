/* For tests of the runtime: a state machine of a few counters, each with its records, on a log in
 * the simulated world; and calls to it. */
#pragma once

#include "coordinator/log_fixture.h"
#include "coordinator/runtime.h"

enum { COUNTERS = 64, COUNTER_RECORD_BYTES = 30 << 10 };

struct counter_world {
    struct sim *sim;
    uint32_t payload_bytes;         /* of each change, in records of COUNTER_RECORD_BYTES */
    bool refuses;                   /* replay finds every record unreadable */
    struct coordinator_drain drain; /* begin NULL: rounds of the ring are waited for */
    /* --- one life --- */
    struct ring *ring;
    struct data_directory *directory;
    struct store *store;
    struct coordinator_host *host;
    struct coordinator *coordinator;
    /* --- of the machine --- */
    int64_t values[COUNTERS];     /* 0: there is none */
    int64_t release_at[COUNTERS]; /* of the newest record of each */
    int image_next;
    unsigned replayed, loaded, freed;
};

void counter_init(struct counter_world *world, uint64_t seed);
/* Opens the coordinator without waiting for it. */
void counter_open(struct counter_world *world);
void counter_load(struct counter_world *world);
void counter_crash(struct counter_world *world, bool power_cut);
/* Stops as a clean shutdown does. */
void counter_stop(struct counter_world *world);
void counter_deinit(struct counter_world *world);
/* Lets what came from outside be seen, and the time pass. */
void counter_pass_ms(struct counter_world *world, int64_t ms);

/* COUNTER_PUSH sets, too, but does not ask whether there is space. */
enum counter_kind { COUNTER_SET, COUNTER_GET, COUNTER_WAIT, COUNTER_PUSH };

struct counter_call {
    struct coordinator_call call;
    struct counter_world *world;
    enum counter_kind kind;
    int index;
    int64_t value; /* to be set; what was got */
    bool begun, hurried, done;
    unsigned order; /* how many calls were done before it */
    unsigned *count;
};

/* GET and WAIT add no records; a call that waits is finished by counter_wake() or when it is
 * hurried. `count` counts the calls that are done, if it is not NULL. */
void counter_send(struct counter_world *world, struct counter_call *call, enum counter_kind kind,
                  int index, int64_t value, unsigned *count);
void counter_wake(struct counter_call *call);
void counter_wait(struct counter_world *world, const struct counter_call *call);
/* Sends and waits; the code. */
enum error_code counter_set(struct counter_world *world, int index, int64_t value);
