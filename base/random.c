#include "base/random.h"

#include "base/check.h"

static uint64_t rotate(uint64_t value, int by) { return value << by | value >> (64 - by); }

void random_init(struct random *random, uint64_t seed) {
    for (int at = 0; at < 4; at++) { /* splitmix64 spreads a small seed over the state */
        seed += 0x9e3779b97f4a7c15ull;
        uint64_t mixed = seed;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
        random->state[at] = mixed ^ mixed >> 31;
    }
}

uint64_t random_next(struct random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9, kept = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= kept;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound) {
    check(bound > 0);
    return (uint64_t)((__uint128_t)random_next(random) * bound >> 64);
}
