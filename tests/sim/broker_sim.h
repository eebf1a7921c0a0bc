/* The whole broker on the simulated network and disk, with producers and consumers that know no
 * more than a Kafka client does. Lives end in a power cut, a kill, a failed disk operation or a
 * drain, at a random event; producers retry what was not answered, as clients do, and an auditor
 * reads everything back. */
#pragma once

#include <stdint.h>

uint64_t broker_sim(uint64_t seed);
/* The same with disk operations failing. */
uint64_t broker_sim_faults(uint64_t seed);
/* The same with another number of cores in each life. */
uint64_t broker_sim_cores(uint64_t seed);
/* One batch is produced and fetched, in every version, and nothing else happens. */
uint64_t broker_sim_once(uint64_t seed);
