/* Group commit: each round, everything that was appended on this core goes into one block while up
 * to four blocks are in flight: commit when idle, else accumulate. What a block carries becomes
 * durable together; answers leave in order of blocks. */
#pragma once

#include "storage/state.h"

enum { COMMIT_TRIM_BYTES = JOURNAL_RUN_BYTES + JOURNAL_ENTRY_BYTES + 8 };

/* What an append of so many bytes takes of the journal at most, with its share of entries, headers
 * and padding; a large one bypasses it and leaves an EXTENT there. */
size_t commit_reservation(const struct partition *partition, size_t bytes);
/* Forms and submits blocks as far as slots and room allow. */
void commit_round(struct store *store);
/* A block without entries, when the journal wants one and is quiet. */
void commit_empty(struct store *store);
/* Installed as journal.durable. */
void commit_durable(struct journal *journal, struct journal_slot *slot);
/* Nothing is waiting to be formed or durable. */
bool commit_is_quiet(const struct store *store);
