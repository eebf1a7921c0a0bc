/* Named fault points in real code, in one sorted list. In a build with MILLRACE_FAULTS they are
 * armed by MILLRACE_FAULT="name:after[:errno]" (fires on the after-th pass, and ever after with
 * after = 0 at once); otherwise fault_hit() is a constant false and costs nothing. */
#pragma once

#include <stdbool.h>

#define FAULT_LIST(X)  \
    X(journal_write)   \
    X(segment_read)    \
    X(segment_sync)    \
    X(segment_write)   \
    X(snapshot_rename) \
    X(snapshot_write)

enum fault {
#define X(name) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_COUNT
};

#ifdef MILLRACE_FAULTS
/* 0, or the errno value that the operation shall fail with. */
int fault_hit(enum fault fault);
#else
static inline int fault_hit(enum fault fault) {
    (void)fault;
    return 0;
}
#endif
