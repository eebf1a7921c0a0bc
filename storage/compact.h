/* Log compaction (cleanup.policy=compact): keeps the newest record of each key. One partition at a
 * time per core, the one with the largest share of dirty bytes first, in passes:
 *
 *   MAP       reads the dirty segments: the newest offset of each key goes into a map of bounded
 *             size; what does not fit is left to the next pass
 *   then for each group of neighbouring closed segments:
 *   REWRITE   reads them again, writes the batches that are left into a new file (compact_batch.h);
 *             a single segment of which nothing goes stays as it is
 *   ENTRY     the REPLACE entry, which makes the new file the segment (replace.h)
 *
 * All reading and writing is done by workers, in slices; between them come pauses as long as the
 * slice took while the core has commits to make. Nothing of a pass is needed after a crash: each
 * group is old or new, and the compacted offset, which the last entry moves, says where the next
 * pass begins.
 *
 * A log that is switched to compaction is all dirty; one that is switched away stays as it is, and
 * what is under way ends. Damage that a pass meets ends compaction of that partition, until the
 * next start; a full disk ends the pass. */
#pragma once

#include "storage/state.h"

/* Closes active segments that are old enough, and starts a pass where one is due. */
void compact_round(struct store *store);
/* Forgets the pass under way; no worker may be at it. */
void compact_abandon(struct store *store);
