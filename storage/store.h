/* The storage of one core: its journal, the shards that it runs and their partitions, the memory
 * that they hold, and the background flows (settling, checkpoints, retention) that keep both
 * bounded. Everything here is called on the core's own thread. */
#pragma once

#include "io/ring.h"
#include "storage/data_directory.h"
#include "storage/partition.h"

struct store;
struct recovered; /* storage/recover.h */

struct store_options {
    uint64_t journal_bytes_max; /* of this core's journal files together */
    uint64_t replay_bytes_max;  /* of this journal, that a start has to read; 0: no limit */
    uint64_t cache_bytes_max;   /* settled tail chunks kept for readers */
    uint64_t cold_bytes_max;    /* windows of segment files for readers that lag; 0 = 16 MiB */
    uint64_t unsettled_bytes_max;
    uint64_t retention_check_ms;
    uint64_t compact_check_ms;    /* 0: never by itself */
    uint64_t compact_bytes_max;   /* of the map of keys that a compaction needs */
    uint64_t compact_slice_bytes; /* that it reads at a time; 0 = 4 MiB */
    uint64_t producer_expiration_ms;
    unsigned segment_handles_max; /* open descriptors of segment files; 0 = 256 */
    bool durable; /* false: --ephemeral, nothing is synced and the journal is not written */
};

/* `core` of `core_count` runs the shards with shard % core_count == core; it takes their recovered
 * state. NULL and `error` when the journal cannot be opened. */
struct store *store_new(struct ring *ring, struct data_directory *directory,
                        const struct store_options *options, unsigned core, unsigned core_count,
                        struct recovered *recovered, struct error *error);
/* Takes over the intervals of retention, compaction and producers' expiration. */
void store_set_intervals(struct store *store, const struct store_options *options);
/* Stops accepting appends, commits what is pending, makes a last checkpoint, so that the next start
 * has nothing to replay, and writes the closing block; then `stopped` runs. store_free()
 * afterwards. */
void store_stop(struct store *store, void (*stopped)(void *context), void *context);
void store_free(struct store *store);

/* A partition that the catalog has recorded durably. */
struct partition *store_create_partition(struct store *store,
                                         const struct partition_definition *definition);
struct partition *store_find_partition(struct store *store, uint32_t id);
/* The catalog has recorded the deletion durably: waiters wake, pending appends are answered
 * UNKNOWN_TOPIC_OR_PARTITION, files go. The pointer is dead for the caller. */
void store_delete_partition(struct store *store, uint32_t id);

struct store_usage {
    uint64_t tail_bytes, cached_bytes, journal_bytes, segment_bytes;
    uint64_t commits, commit_bytes, checkpoints;
    uint64_t compactions, compaction_read_bytes, compaction_written_bytes;
    uint64_t disk_full; /* 1: there is too little space for records (storage/space.h) */
    uint64_t appends_refused_for_space;
};
void store_usage(const struct store *store, struct store_usage *usage);
