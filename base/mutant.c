#include "base/mutant.h"

#ifdef MILLRACE_FAULTS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/check.h"

static const char *const mutant_names[MUTANT_COUNT] = {
#define X(name) #name,
    MUTANT_LIST(X)
#undef X
};

static enum mutant planted; /* what the environment asks for, read once; MUTANT_COUNT: none */

static void mutant_plant(void) {
    const char *name = getenv("MILLRACE_MUTANT");
    unsigned at = 0;
    while (at < MUTANT_COUNT && !(name && strcmp(name, mutant_names[at]) == 0)) at++;
    planted = (enum mutant)at;
    if (planted < MUTANT_COUNT || !name || !*name) return;
    /* Not planted, and looked for: a test that checks nothing must not pass. */
    fprintf(stderr, "millrace: MILLRACE_MUTANT=%s is not one of base/mutant.h\n", name);
    abort();
}

bool mutant_is_planted(enum mutant mutant) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, mutant_plant);
    check(mutant < MUTANT_COUNT);
    return planted == mutant;
}
#endif
