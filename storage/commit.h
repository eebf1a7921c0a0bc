/* Group commit: each round, everything that was appended on this core goes into one block while up
 * to four blocks are in flight: commit when idle, else accumulate. What a block carries becomes
 * durable together; answers leave in order of blocks. */
#pragma once

#include "storage/state.h"

/* Forms and submits blocks as far as slots and room allow. */
void commit_round(struct store *store);
/* A block without entries, when the journal wants one and is quiet. */
void commit_empty(struct store *store);
/* Installed as journal.durable. */
void commit_durable(struct journal *journal, struct journal_slot *slot);
/* Nothing is waiting to be formed or durable. */
bool commit_is_quiet(const struct store *store);
