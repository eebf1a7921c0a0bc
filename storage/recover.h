/* Start-up: reads every journal that is there, whatever today's number of cores, and gives each
 * shard the state that it had: snapshot, then replay in (incarnation, sequence) order. Blocking; it
 * runs before the cores start.
 *
 * 1. recover_open(): journals scanned, torn tails told from damage, snapshots read, all replayed.
 * 2. recover_catalog(): the catalog's batches, which say what partitions live, handed to the
 * caller.
 * 3. recover_partitions(): what was replayed held against the caller's list of live partitions.
 * 4. recover_finish(): the journals are as the coming number of cores needs them.
 *
 * What is damaged is taken offline and reported; everything else serves. Only the catalog must be
 * whole: without it nobody knows what there is. Where something is damaged, recover_finish() moves
 * everything that could be read into segments and snapshots and sets the damaged files aside
 * (LAYOUT_DAMAGED), so that a repair can still look at them and the next start need not. */
#pragma once

#include "storage/damage.h"
#include "storage/data_directory.h"
#include "storage/layout.h"
#include "storage/partition.h"

struct recovered;

/* Replay keeps about `unsettled_bytes_max` in memory; what is more goes into segment files. */
bool recover_open(struct data_directory *directory, uint64_t unsettled_bytes_max,
                  struct recovered **recovered, struct error *error);
/* Each batch of the catalog partition in offset order; the callback answers false to refuse (a
 * record that it cannot understand). False with EBADMSG where the log is not whole: the words name
 * the place, and what can be done. */
bool recover_catalog(struct recovered *recovered,
                     bool (*batch)(void *context, struct bytes batch, struct error *error),
                     void *context, struct error *error);

enum partition_life { PARTITION_LIVE, PARTITION_DEAD, PARTITION_NOT_GIVEN };
/* `life` tells what a partition id is, and fills the definition of a live one. */
bool recover_partitions(struct recovered *recovered,
                        enum partition_life (*life)(void *context, uint32_t id,
                                                    struct partition_definition *definition),
                        void *context, struct error *error);
/* When something is damaged, or shards move to other cores than last time: everything goes into
 * segments and snapshots, and the journals begin anew. Before the stores are made. */
bool recover_finish(struct recovered *recovered, unsigned core_count, struct error *error);
/* The same whatever there is: what was changed since (a repair) is in the snapshots then. */
bool recover_begin_anew(struct recovered *recovered, struct error *error);
/* Moves a file of the directory into this life's folder of LAYOUT_DAMAGED, durably; 0, or a
 * negative errno. */
int recover_set_aside(struct recovered *recovered, const char *path);
/* The same with a copy: the file stays until something takes its place. */
int recover_copy_aside(struct recovered *recovered, const char *path);
void recover_free(struct recovered *recovered);

struct recover_report {
    uint64_t blocks, bytes, batches, torn_blocks, lost_blocks, offline_partitions;
    uint64_t elapsed_ms;
    bool damaged;
};
/* Each partition that is offline or whose leader epoch has risen, after recover_partitions(). */
void recover_each_changed(const struct recovered *recovered,
                          void (*each)(void *context, const struct partition_definition *definition,
                                       enum damage damage),
                          void *context);
void recover_report(const struct recovered *recovered, struct recover_report *report);
