#include "tests/sim/seams.h"

#include <setjmp.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "storage/fail_stop.h"

#define WALL_START_MS 1700000000000ll

/* One world at a time: each seed runs alone in its process. */
static struct {
    const struct sim *sim;
    struct random entropy;
    jmp_buf stopped;
    bool is_running;
} seams;

void seams_use(const struct sim *sim, uint64_t seed) {
    seams.sim = sim;
    random_init(&seams.entropy, ~seed);
}

bool seams_survives(void (*run)(void *context), void *context) {
    check(!seams.is_running);
    seams.is_running = true;
    bool survived = _setjmp(seams.stopped) == 0;
    if (survived) run(context);
    seams.is_running = false;
    return survived;
}

noreturn void __real_fail_stop(const char *what, const char *path, int error_number);
noreturn void __wrap_fail_stop(const char *what, const char *path, int error_number);
noreturn void __wrap_fail_stop(const char *what, const char *path, int error_number) {
    if (seams.is_running) longjmp(seams.stopped, 1);
    __real_fail_stop(what, path, error_number);
}

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void) {
    return seams.sim ? sim_now_ns(seams.sim) : __real_clock_monotonic_ns();
}

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void) {
    if (!seams.sim) return __real_clock_wall_ms();
    return WALL_START_MS + (int64_t)(sim_now_ns(seams.sim) / NS_PER_MS); /* as its rings have it */
}

ssize_t __real_getrandom(void *at, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *at, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *at, size_t len, unsigned flags) {
    if (!seams.sim) return __real_getrandom(at, len, flags);
    for (size_t byte = 0; byte < len; byte++)
        ((uint8_t *)at)[byte] = (uint8_t)random_next(&seams.entropy);
    return (ssize_t)len;
}

int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us);
int __wrap_usleep(useconds_t us) { return seams.sim ? 0 : __real_usleep(us); }
