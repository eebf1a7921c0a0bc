/* Storage alone on the simulated disk: partitions under load, life after life. Each seed draws its
 * own mixture (sizes, segments, journal, caches, cores, faults); each life ends in a power cut, a
 * kill, a failed operation or a clean stop, at a random event; what the next life finds is held
 * against the model. */
#pragma once

#include <stdint.h>

uint64_t store_sim(uint64_t seed);
/* The same with disk operations failing. */
uint64_t store_sim_faults(uint64_t seed);
/* The same with another number of cores in each life. */
uint64_t store_sim_cores(uint64_t seed);
/* All partitions are compacted, in small segments. */
uint64_t store_sim_compaction(uint64_t seed);
/* Lives end while the journal goes on from one file to the next: what a crash leaves then is spread
 * over both. */
uint64_t store_sim_switches(uint64_t seed);
