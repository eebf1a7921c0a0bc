/* Where there is room for what comes in: in the journal, in memory and on the disk. What finds none
 * waits in its queue, and after its time-out is refused with KAFKA_STORAGE_ERROR; a disk that was
 * full is noticed to have room again without anybody's help.
 *
 * Two reserves, so that a disk can be emptied through the broker that has filled it:
 *
 *   of the disk      SPACE_RESERVE_BYTES. Clients' records are refused while less is free, as the
 *                    file system said within the last second; snapshots, the catalog, the groups
 *                    and a growing journal have the rest.
 *   of the journal   whose files exist and are written in place, so that a commit needs no room on
 *                    the disk, also where somebody else has taken the last byte. The last part of
 *                    it is kept for what matters more: groups, then the catalog (DeleteTopics),
 *                    then trims (DeleteRecords, retention) and the closing blocks.
 *
 * Whatever is acknowledged while the disk is full is in the journal; write-out goes on later. */
#pragma once

#include "storage/state.h"

/* Whether so many bytes may be appended now; 0 asks for a trim or the like. */
bool space_has(const struct partition *partition, size_t bytes);
/* As space_has(), and nothing of its kind waits already. */
bool space_has_now(const struct partition *partition, size_t bytes);
/* The append waits for its turn. */
void space_queue(struct append *append);
bool space_is_awaited(const struct store *store);
/* Each round, before the commit. */
void space_round(struct store *store);
/* Installed as the store's timer: deadlines, and write-outs that met a full disk. */
void space_timer(struct timer *timer);
/* Looks again after a while. */
void space_check_later(struct store *store);

/* An operation met a full disk; what waits for it is in store->settling or tries by itself. */
void space_met_full(struct store *store);
/* One got through: those that wait try again at once. */
void space_got_through(struct store *store);
/* For other files than those that are needed now. */
uint64_t space_to_spare(const struct store *store);
