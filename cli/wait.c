/* millrace wait: for scripts that have just started a broker. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cluster.h"
#include "cli/command.h"

enum { PAUSE_MS = 25 };

static enum cli_exit run(const struct settings *settings, struct error *error) {
    uint64_t deadline = clock_monotonic_ns() + (uint64_t)settings->timeout_ms * NS_PER_MS;
    struct error last = {0};
    for (;;) {
        struct settings attempt = *settings;
        struct cluster *cluster;
        uint64_t now = clock_monotonic_ns();
        if (now < deadline) attempt.timeout_ms = (int64_t)((deadline - now) / NS_PER_MS) + 1;
        if (cluster_open(&attempt, &cluster, &last)) {
            cluster_close(cluster);
            return CLI_DONE;
        }
        if (clock_monotonic_ns() + PAUSE_MS * NS_PER_MS >= deadline) break;
        nanosleep(&(struct timespec){0, PAUSE_MS * (long)NS_PER_MS}, NULL);
    }
    error_set(error, last.code, "gave up after %lldms: %.200s", (long long)settings->timeout_ms,
              last.text);
    return CLI_UNREACHABLE;
}

const struct command command_wait = {
    .name = "wait",
    .usage = "[FLAGS]",
    .summary = "Wait until a broker answers.",
    .text =
        "Ends with status 0 as soon as a broker answers, with 3 when the time-out is over. For\n"
        "scripts that have just started one:\n\n"
        "  millrace serve --ephemeral &\n"
        "  millrace wait --timeout 10s && run-my-tests\n",
    .names_max = 0,
    .run = run,
};
