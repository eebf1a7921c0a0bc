/* Time. Deadlines and timeouts use the monotonic clock only; the wall clock only stamps records and
 * decides retention. Code that the simulator runs takes time from its ring (ring_now_ns,
 * ring_wall_ms), never from here. */
#pragma once

#include <stdint.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

uint64_t clock_monotonic_ns(void);
/* Milliseconds since 1970, as Kafka's timestamps. */
int64_t clock_wall_ms(void);
