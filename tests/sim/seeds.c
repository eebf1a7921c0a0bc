#include "tests/sim/seeds.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"

enum {
    SEEDS_PER_CHILD = 8, /* what crashed lives leave behind adds up */
    SEED_S_MAX = 60,
    FAILURES_MAX = 8,
    SWEEP_FAILURES_MAX = 100,
    SWEEP_JOBS_MAX = 64,
};

#ifdef __SANITIZE_ADDRESS__
enum { SPEED = 1 };
/* Large blocks come and go all the time: keep few of them in quarantine. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "quarantine_size_mb=8:malloc_context_size=8"; }
#else
enum { SPEED = 2 };
#endif

/* Shared with the children. */
struct progress {
    uint64_t done;
    _Atomic uint64_t crashes;                /* of several children at the same time */
    _Atomic uint64_t met, visited, failures; /* points of a sweep */
    uint64_t digests[SEEDS_PER_CHILD];
};

/* Of the child that this is. */
static struct progress *own_progress;

void seed_crashes(void) {
    if (own_progress) own_progress->crashes++;
}

noreturn void seed_failed(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    abort();
}

static uint64_t environment_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

bool seeds_tells(void) { return getenv("MILLRACE_SIM_SEED") && !getenv("MILLRACE_SIM_SEEDS"); }

static void process_prepare(void) {
    if (!seeds_tells()) say_configure((enum say_level)(SAY_ERROR + 1), SAY_PLAIN);
    /* Large blocks come and go all the time: keep them from the kernel. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

static noreturn void child_main(struct progress *progress, uint64_t first, uint64_t count,
                                simulation *run) {
    process_prepare();
    own_progress = progress;
    for (progress->done = 0; progress->done < count; progress->done++) {
        alarm(SEED_S_MAX);
        progress->digests[progress->done] = run(first + progress->done);
    }
    _exit(0);
}

/* False, and says how to repeat it, when the child did not end well. */
static bool status_is_fine(int status, const char *name, uint64_t at) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    unsigned long seed = (unsigned long)at;
    fprintf(stderr, "seed %lu of %s %s %d; again: MILLRACE_SIM_SEED=%lu sim_test --filter %s\n",
            seed, name, WIFSIGNALED(status) ? "ended by signal" : "exited",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), seed, name);
    return false;
}

/* True when all are fine; otherwise progress->done is how many were before the one that is not. */
static bool child_run(struct progress *progress, uint64_t first, uint64_t count, simulation *run,
                      const char *name) {
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) child_main(progress, first, count, run);
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    return status_is_fine(status, name, first + progress->done);
}

static struct progress *progress_new(void) {
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(progress != MAP_FAILED);
    return progress;
}

static double crashes_a_minute(const struct progress *progress, uint64_t begun_ns) {
    double minutes = (double)(clock_monotonic_ns() - begun_ns) / (60.0 * NS_PER_S);
    return (double)progress->crashes / minutes;
}

void seeds_run(const char *name, uint64_t count, simulation *run) {
    uint64_t first = environment_number("MILLRACE_SIM_SEED", 0);
    count = environment_number("MILLRACE_SIM_SEEDS", seeds_tells() ? 1 : count * SPEED);
    struct progress *progress = progress_new();
    unsigned failures = 0;
    uint64_t begun_ns = clock_monotonic_ns();
    for (uint64_t at = 0; at < count && failures < FAILURES_MAX; at += progress->done) {
        uint64_t some = count - at < SEEDS_PER_CHILD ? count - at : SEEDS_PER_CHILD;
        if (child_run(progress, first + at, some, run, name)) continue;
        failures++;
        progress->done++;
    }
    fprintf(stderr, "%s: %lu seeds, %lu crashes and starts, %.0f a minute\n", name,
            (unsigned long)count, (unsigned long)progress->crashes,
            crashes_a_minute(progress, begun_ns));
    munmap(progress, sizeof *progress);
    cr_assert_eq(failures, 0, "%u seeds of %s failed", failures, name);
}

void seeds_repeat(const char *name, uint64_t count, simulation *run) {
    struct progress *progress = progress_new();
    uint64_t digests[SEEDS_PER_CHILD];
    cr_assert(count <= SEEDS_PER_CHILD);
    cr_assert(child_run(progress, 0, count, run, name));
    memcpy(digests, progress->digests, sizeof digests);
    cr_assert(child_run(progress, 0, count, run, name));
    for (uint64_t seed = 0; seed < count; seed++)
        cr_assert_eq(digests[seed], progress->digests[seed], "seed %lu runs in two ways",
                     (unsigned long)seed);
    cr_assert(count < 2 || digests[0] != digests[1]);
    munmap(progress, sizeof *progress);
}

/* --- sweeps --- */

bool sweep_branches(struct sweep *sweep, uint64_t seed) {
    struct progress *progress = sweep->progress;
    uint64_t stride = environment_number("MILLRACE_SIM_STRIDE", sweep->stride);
    uint64_t point = sweep->met++;
    if (point % stride != stride / 2 || point / stride % sweep->jobs != sweep->job) return false;
    if (progress->failures >= SWEEP_FAILURES_MAX) return false;
    progress->visited++;
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        alarm(SEED_S_MAX);
        sweep->is_branch = true;
        return true;
    }
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    progress->failures += !status_is_fine(status, sweep->name, seed);
    return false;
}

void sweep_end(struct sweep *sweep) {
    if (!sweep->is_branch) sweep->progress->met = sweep->met;
    _exit(0); /* what crashed lives leave behind goes with it */
}

static pid_t sweep_begin(struct sweep *sweep, unsigned job, void (*run)(struct sweep *sweep)) {
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child > 0) return child;
    process_prepare();
    own_progress = sweep->progress;
    sweep->job = job;
    run(sweep);
    abort(); /* it ends in sweep_end() */
}

void sweep_run(struct sweep *sweep, void (*run)(struct sweep *sweep)) {
    struct progress *progress = sweep->progress = progress_new();
    uint64_t begun_ns = clock_monotonic_ns(), jobs = environment_number("MILLRACE_SIM_JOBS", 1);
    sweep->jobs = jobs < 1 ? 1 : jobs < SWEEP_JOBS_MAX ? (unsigned)jobs : SWEEP_JOBS_MAX;
    pid_t children[SWEEP_JOBS_MAX];
    for (unsigned job = 0; job < sweep->jobs; job++) children[job] = sweep_begin(sweep, job, run);
    bool fine = true;
    for (unsigned job = 0; job < sweep->jobs; job++) {
        int status = 0;
        cr_assert(waitpid(children[job], &status, 0) == children[job]);
        fine = fine && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    fprintf(stderr,
            "%s: %lu of %lu points visited, %lu failed; %lu crashes and starts, %.0f a minute\n",
            sweep->name, (unsigned long)progress->visited, (unsigned long)progress->met,
            (unsigned long)progress->failures, (unsigned long)progress->crashes,
            crashes_a_minute(progress, begun_ns));
    fine = fine && progress->visited > 0 && progress->failures == 0;
    munmap(progress, sizeof *progress);
    cr_assert(fine, "points of %s failed", sweep->name);
}
