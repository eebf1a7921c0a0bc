/* The data directory of `--ephemeral`: a directory under TMPDIR that goes with the process. One
 * whose process has died without removing it is removed by the next ephemeral broker: a live owner
 * holds a lock (flock) on the directory itself. */
#pragma once

#include "base/error.h"

struct ephemeral {
    char path[512];
    int lock;
};

bool ephemeral_open(struct ephemeral *ephemeral, struct error *error);
/* Removes the directory. */
void ephemeral_close(struct ephemeral *ephemeral);
