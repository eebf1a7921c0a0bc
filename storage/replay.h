/* Applies journal entries to partitions at start. Deterministic: the same entries give the same
 * state, and entries that a snapshot already contains change nothing, so replay may overlap it. */
#pragma once

#include "storage/journal_block.h"
#include "storage/state.h"

/* One entry of a live partition; `time_ms` is its block's. */
bool replay_entry(struct partition *partition, const struct block_entry_view *entry,
                  int64_t time_ms, struct data_directory *directory, struct error *error);
/* Writes out the whole blocks of a partition's tail (blocking): memory stays bounded. */
bool replay_settle(struct partition *partition, uint64_t upto, struct data_directory *directory,
                   struct error *error);
