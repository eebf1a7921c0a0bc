#include "base/fault.h"

#ifdef MILLRACE_FAULTS
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/check.h"

static const char *const fault_names[FAULT_COUNT] = {
#define X(name) #name,
    FAULT_LIST(X)
#undef X
};

/* What the environment armed, read once; only the count of passes changes afterwards. */
static struct {
    enum fault fault; /* FAULT_COUNT: nothing is armed */
    unsigned long after, times;
    int code;
    atomic_ulong passes;
} fault_armed = {.fault = FAULT_COUNT};

static enum fault fault_find(const char *name, size_t len) {
    unsigned at = 0;
    while (at < FAULT_COUNT &&
           !(strlen(fault_names[at]) == len && memcmp(fault_names[at], name, len) == 0))
        at++;
    return (enum fault)at;
}

static void fault_arm(void) {
    const char *spec = getenv("MILLRACE_FAULT");
    if (!spec || !*spec) return;
    size_t len = strcspn(spec, ":");
    fault_armed.fault = fault_find(spec, len);
    fault_armed.code = EIO;
    char *rest = NULL;
    if (spec[len]) fault_armed.after = strtoul(spec + len + 1, &rest, 10);
    if (rest && *rest == ':') fault_armed.code = (int)strtol(rest + 1, &rest, 10);
    fault_armed.times = ULONG_MAX;
    if (rest && *rest == ':') fault_armed.times = strtoul(rest + 1, &rest, 10);
    /* Meant to fail and would not: a test that checks nothing must not pass. */
    if (fault_armed.fault == FAULT_COUNT || !rest || *rest || fault_armed.code <= 0) {
        fprintf(stderr, "millrace: MILLRACE_FAULT=%s: want name:after[:errno[:times]]\n", spec);
        abort();
    }
}

int fault_hit(enum fault fault) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, fault_arm);
    check(fault < FAULT_COUNT);
    if (fault_armed.fault != fault) return 0;
    unsigned long pass = atomic_fetch_add(&fault_armed.passes, 1) + 1;
    unsigned long first = fault_armed.after ? fault_armed.after : 1;
    return pass >= first && pass - first < fault_armed.times ? fault_armed.code : 0;
}
#endif
