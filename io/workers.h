/* The worker threads' side that only rings use; workers_new() and workers_free() are in ring.h. */
#pragma once

#include "io/ring.h"

/* Runs work->run on a thread, then posts work->mail to work->home. */
void workers_add(struct workers *workers, struct work *work);
