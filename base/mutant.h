/* Planted bugs: one line each, at their places in real code. tests/sim/mutants builds with
 * MILLRACE_FAULTS and wants the simulator to find each of them; otherwise MUTANT() is a constant
 * and costs nothing. MILLRACE_MUTANT=name plants one, and no mutant is planted without it. */
#pragma once

#include <stdbool.h>

#define MUTANT_LIST(X)     \
    X(ack_before_sync)     \
    X(acknowledged_ahead)  \
    X(base_offset_kept)    \
    X(bypass_unsynced)     \
    X(crc_unchecked)       \
    X(damage_ignored)      \
    X(directory_unsynced)  \
    X(duplicate_unknown)   \
    X(journal_freed_early) \
    X(newest_key_dropped)  \
    X(producers_dropped)   \
    X(replace_unsynced)    \
    X(segment_unsynced)    \
    X(snapshot_skipped)    \
    X(start_unsynced)      \
    X(tail_left)           \
    X(tombstone_dropped)   \
    X(trim_early)          \
    X(watermark_ahead)

enum mutant {
#define X(name) MUTANT_##name,
    MUTANT_LIST(X)
#undef X
        MUTANT_COUNT
};

#ifdef MILLRACE_FAULTS
bool mutant_is_planted(enum mutant mutant);
#define MUTANT(name) mutant_is_planted(MUTANT_##name)
#else
#define MUTANT(name) false
#endif
