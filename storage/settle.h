/* Write-out: moves durable bytes from the tail into segment files, in whole 4 KiB blocks, each
 * written once, in pieces of 64-256 KiB; and the bypass, where a commit of 128 KiB or more for one
 * partition goes to the segment first and only its headers to the journal.
 *
 * Nothing here is acknowledged by being settled: after a crash the journal rewrites whatever lies
 * past the last snapshot's settled end. A bypass is durable (RWF_DSYNC) before its EXTENT entry is
 * formed. A write error stops the process; no space keeps the bytes in memory and tries again. */
#pragma once

#include "storage/state.h"

/* Starts a write-out when enough is durable and not settled, or when the store is short of memory
 * or its checkpoint wants it; also prepares files ahead of need. */
void settle_consider(struct partition *partition);
/* Writes out every whole durable block, whatever the amount. */
void settle_force(struct partition *partition);
/* After a start on a full disk: what is closed waits for space, to be written out. */
void settle_adopt(struct partition *partition);
/* Goes on with whatever waited for a file, a write or space. */
void settle_again(struct partition *partition);
/* Whether settle_force() would still have something to do. */
bool settle_is_pending(const struct partition *partition);

/* Whether the partition's unformed appends should bypass the journal. */
bool bypass_is_wanted(const struct partition *partition);
/* Starts as many bypass writes as may be in flight; waits for a file when there is none yet. */
void bypass_start(struct partition *partition);
/* The oldest bypass that is written and has no EXTENT entry yet, or NULL. */
struct bypass *bypass_to_form(struct partition *partition);
/* Its EXTENT entry is durable, or its partition is gone. */
void bypass_finish(struct bypass *bypass);
/* Writes again what met a full disk. */
void bypass_again(struct partition *partition);
/* Lets go of those that no block will carry any more: the store ends. */
void bypass_abandon(struct partition *partition);

/* Lets go of the oldest chunk, with the store's accounts. */
void settle_drop_oldest(struct partition *partition);
/* Lets go of settled chunks, oldest first, until the cache fits its budget. */
void settle_trim_cache(struct store *store);
