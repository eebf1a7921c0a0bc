/* Long work of a request on a worker thread, so that the loop goes on meanwhile: large answers,
 * mostly. A core has one chore under way at a time, and begins none while answers that have not
 * left have overdrawn the memory budget: what is made at once is bounded, whoever asks.
 *
 *   chore_begin() ─► in line ─► run() on a worker ─► done() on the core
 *
 * Embedded in its owner, in the request's arena. From chore_begin() to done() nobody else touches
 * the request, and `run` touches nothing but the request. */
#pragma once

#include "io/ring.h"

struct core;

struct chore {
    void (*run)(struct chore *chore);
    void (*done)(struct chore *chore);
    /* The core's own. */
    struct core *core;
    struct work work;
    struct list link;
};

void chore_begin(struct chore *chore, struct core *core);
/* From the core: answers have left. */
void chore_go_on(struct core *core);
