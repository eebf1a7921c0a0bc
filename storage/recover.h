/* Start-up: reads every journal that is there, whatever today's number of cores, and gives each
 * shard the state that it had: snapshot, then replay in (incarnation, sequence) order. Blocking; it
 * runs before the cores start.
 *
 * Shard 0's catalog partition comes first and completely, because it says which partitions live:
 *   recover_open()        journals scanned, torn tails told from damage, snapshots read
 *   recover_catalog()     the catalog partition replayed; its batches handed to the caller
 *   recover_partitions()  everything else replayed against the caller's list of live partitions
 * What is damaged is taken offline and reported; everything else serves. */
#pragma once

#include "storage/data_directory.h"
#include "storage/layout.h"
#include "storage/partition.h"

struct recovered;

bool recover_open(struct data_directory *directory, struct recovered **recovered,
                  struct error *error);
/* Each batch of the catalog partition in offset order; the callback answers false to refuse (a
 * record that it cannot understand). */
bool recover_catalog(struct recovered *recovered,
                     bool (*batch)(void *context, struct bytes batch, struct error *error),
                     void *context, struct error *error);

enum partition_life { PARTITION_LIVE, PARTITION_DEAD, PARTITION_NOT_GIVEN };
/* `life` tells what a partition id is, and fills the definition of a live one. */
bool recover_partitions(struct recovered *recovered,
                        enum partition_life (*life)(void *context, uint32_t id,
                                                    struct partition_definition *definition),
                        void *context, struct error *error);
/* When shards move to other cores than last time: everything goes into segments and snapshots, and
 * the journals begin anew. Before the stores are made. */
bool recover_finish(struct recovered *recovered, unsigned core_count, struct error *error);
void recover_free(struct recovered *recovered);

struct recover_report {
    uint64_t blocks, bytes, batches, torn_blocks, offline_partitions;
    uint64_t elapsed_ms;
};
void recover_report(const struct recovered *recovered, struct recover_report *report);
