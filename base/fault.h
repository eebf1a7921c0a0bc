/* Named fault points in real code, in one sorted list. In a build with MILLRACE_FAULTS they are
 * armed by MILLRACE_FAULT="name:after[:errno[:times]]": the point fires on its after-th pass and on
 * every later one (0 and 1 both mean at once), or on so many of them, with that errno value, EIO
 * when none is given. Otherwise fault_hit() is a constant 0 and costs nothing. */
#pragma once

#include <stdbool.h>

#define FAULT_LIST(X)     \
    X(compact_write)      \
    X(coordinator_append) \
    X(disk_free)          \
    X(journal_fill)       \
    X(journal_write)      \
    X(segment_allocate)   \
    X(segment_read)       \
    X(segment_sync)       \
    X(segment_write)      \
    X(snapshot_rename)    \
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
