/* Applies journal entries to partitions at start. Deterministic: the same entries give the same
 * state, and entries that a snapshot already contains change nothing, so replay may overlap it. */
#pragma once

#include "storage/journal_block.h"
#include "storage/state.h"

/* One entry of a live partition; `time_ms` is its block's. */
bool replay_entry(struct partition *partition, const struct block_entry_view *entry,
                  int64_t time_ms, struct data_directory *directory, struct error *error);
/* At its first entry: the file of the segment in which its snapshot ends must be there. It is
 * looked at before replay writes to it, or behind all entries, with those of others
 * (recovered.h). */
void replay_meet(struct partition *partition);
/* Whether the segment file in which the log goes on is there and its own: 0, -ENOENT, -EBADMSG,
 * another errno. 0 as well when there need not be one. */
int replay_has_file(const struct partition *partition, const struct data_directory *directory);
/* What came of looking at it. False and `error` when it can be neither used nor called missing. */
bool replay_found_file(struct partition *partition, int result, struct error *error);
/* Writes out the whole blocks of a partition's tail (blocking), up to this position of the segment
 * in which the log ends, and before them what is closed and not written yet: memory stays bounded.
 * False with ENOSPC or EDQUOT: what is not written stays in memory, and may be written later.
 * Nothing is synced: with many partitions that would take longer than everything else. The
 * checkpoint that gives their journal blocks up syncs the files; their names,
 * recovered_sync_names(). */
bool replay_settle(struct partition *partition, uint64_t upto, struct data_directory *directory,
                   struct error *error);
