/* Where the project's code asks the process or the kernel for something that is not repeatable, the
 * linker leads it here (CMakeLists.txt): fail_stop() ends the simulated life instead of the
 * process, clocks read the world's time, and entropy comes from the seed. */
#pragma once

#include "io/sim.h"

/* From here on this world rules: its clock, and entropy from `seed`. NULL ends that. */
void seams_use(const struct sim *sim, uint64_t seed);
/* Runs it; false when it ended in fail_stop(). Nothing that it was doing may be continued then. */
bool seams_survives(void (*run)(void *context), void *context);
