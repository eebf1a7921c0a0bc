/* Makes journal files free again: settles what they hold, captures the state of the core's shards,
 * and writes it as snapshots. One flow at a time, a staged switch, advanced once a round:
 *
 *   SETTLE    write out every partition that has 16 KiB or more below the journal's mark
 *   CAPTURE   encode the changed shards; remember what is appended but not durable
 *   SYNC      fdatasync the segment files that were written
 *   BARRIER   wait until what was appended before the capture is durable
 *   WRITE     replace the snapshot files
 *   (done)    the journal may release every block acknowledged before the capture
 *
 * A crash at any stage leaves the older snapshots and the whole journal behind them. */
#pragma once

#include "storage/state.h"

void checkpoint_start(struct store *store);
/* Advances the flow as far as it goes. */
void checkpoint_round(struct store *store);
/* It waits for space that may never come. */
bool checkpoint_is_stuck(const struct store *store);
/* Forgets the one that waits; no worker may be at it. */
void checkpoint_abandon(struct store *store);
