/* Runs a simulation for many seeds, each in a child process, so that a crash of one is a result and
 * what its crashed lives leave behind goes with it. Failing seeds are printed with the command that
 * repeats them.
 *
 *   MILLRACE_SIM_SEEDS=N   how many seeds per simulation, instead of the everyday number
 *   MILLRACE_SIM_SEED=S    begin with S; alone: only S, with log lines
 *   MILLRACE_SIM_STRIDE=N  each Nth point of a sweep; 1: all
 *   MILLRACE_SIM_JOBS=N    so many processes share a sweep; 1 by itself */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

/* One simulation: aborts or fails through seed_expect(); answers a digest of all that it saw. */
typedef uint64_t simulation(uint64_t seed);

/* Asserts (criterion) that no seed fails; twice as many without sanitizers. `name` is
 * suite/test. */
void seeds_run(const char *name, uint64_t count, simulation *run);
/* Asserts that these seeds run the same way twice. */
void seeds_repeat(const char *name, uint64_t count, simulation *run);

/* One run that branches at many points: the same simulation, from each of them on as another seed,
 * in a child process. What lies before a point is run once for all of them; or once for each job,
 * of which each visits its share of the points. */
struct sweep {
    const char *name;
    uint64_t stride; /* each so manieth point is visited */
    /* Inside */
    uint64_t met;
    unsigned job, jobs;
    bool is_branch;
    struct progress *progress;
};
/* A point has come: true in the child that goes on as `seed`; false in the run itself, when that
 * child is through or the point is not one to visit. */
bool sweep_branches(struct sweep *sweep, uint64_t seed);
/* The end of the run or the branch. */
noreturn void sweep_end(struct sweep *sweep);
/* Asserts that no point fails, and says how many were visited; `run` ends in sweep_end(). */
void sweep_run(struct sweep *sweep, void (*run)(struct sweep *sweep));

/* Whether one seed alone runs: for lines that say what happened. */
bool seeds_tells(void);

/* A life has ended in a crash: runs and sweeps say how many there were. */
void seed_crashes(void);

noreturn void seed_failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define seed_expect(condition, ...)                                        \
    do {                                                                   \
        if (!(condition)) seed_failed(__FILE__, __LINE__, "" __VA_ARGS__); \
    } while (0)
