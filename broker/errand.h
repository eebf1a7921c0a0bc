/* Work for the core that owns a shard: goes there, runs, comes back with its result. On the same
 * core it runs at once, without mail. The errand is embedded in its owner (a part of a request),
 * which lives until `back` has run.
 *
 *   owner's core                     shard's core
 *   errand_send() ───── mail ──────► run(errand, there)
 *                                       ⋮ (may wait: for durability, a cold read …)
 *   back(errand)  ◄──── mail ─────── errand_return(errand)
 */
#pragma once

#include "io/ring.h"

struct core;

struct errand {
    struct mail mail;
    struct core *home, *there;
    /* On the shard's core; must lead to exactly one errand_return(), now or later. */
    void (*run)(struct errand *errand, struct core *there);
    /* On the owner's core. When home == there it may run inside errand_send() / errand_return(). */
    void (*back)(struct errand *errand);
};

void errand_send(struct errand *errand, struct core *home, struct core *there);
void errand_return(struct errand *errand);
