/* Sealing: when a rolled segment is wholly settled, a worker writes its footer, gives back what was
 * allocated behind it and syncs the file. Then nothing writes there any more and the handle for
 * writing is closed. The footer is a cache: without space for it there is none.
 *
 * A segment that was rolled when the process died is sealed after the next start, one at a time,
 * with an index that a worker walks for; not where it is damaged. A crash on the way leaves it
 * unsealed: its footer lies behind what the segment table says of it, and is written again.
 *
 * Also what a partition keeps of its sealed segments: the newest few keep their index in memory. */
#pragma once

#include "storage/state.h"

/* After a start: takes note of what is to be sealed. */
void seal_adopt(struct partition *partition);
/* Each round: begins the next of those. */
void seal_round(struct store *store);

void seal_start(struct partition *partition, struct segment *segment);
