#include "tests/sim/seeds.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/say.h"

enum {
    SEEDS_PER_CHILD = 8, /* what crashed lives leave behind adds up */
    SEED_S_MAX = 60,
    FAILURES_MAX = 8,
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
    uint64_t seed;
    uint64_t digests[SEEDS_PER_CHILD];
};

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

static noreturn void child_main(struct progress *progress, uint64_t first, uint64_t end,
                                simulation *run) {
    if (!seeds_tells()) say_configure((enum say_level)(SAY_ERROR + 1), SAY_PLAIN);
    /* Large blocks come and go all the time: keep them from the kernel. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    for (uint64_t seed = first; seed < end; seed++) {
        progress->seed = seed;
        alarm(SEED_S_MAX);
        progress->digests[seed - first] = run(seed);
    }
    _exit(0);
}

/* True when all of [first, end) are fine; otherwise progress->seed is the one that is not. */
static bool child_run(struct progress *progress, uint64_t first, uint64_t end, simulation *run,
                      const char *name) {
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) child_main(progress, first, end, run);
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    fprintf(stderr, "seed %lu of %s %s %d; again: MILLRACE_SIM_SEED=%lu sim_test --filter %s\n",
            (unsigned long)progress->seed, name, WIFSIGNALED(status) ? "ended by signal" : "exited",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
            (unsigned long)progress->seed, name);
    return false;
}

static struct progress *progress_new(void) {
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(progress != MAP_FAILED);
    return progress;
}

void seeds_run(const char *name, uint64_t count, simulation *run) {
    uint64_t first = environment_number("MILLRACE_SIM_SEED", 0);
    count = environment_number("MILLRACE_SIM_SEEDS", seeds_tells() ? 1 : count * SPEED);
    struct progress *progress = progress_new();
    unsigned failures = 0;
    for (uint64_t at = first, end; at < first + count && failures < FAILURES_MAX; at = end) {
        end = at + SEEDS_PER_CHILD < first + count ? at + SEEDS_PER_CHILD : first + count;
        if (child_run(progress, at, end, run, name)) continue;
        failures++;
        end = progress->seed + 1;
    }
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
