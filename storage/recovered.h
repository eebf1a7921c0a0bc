/* What start-up read back, until the stores take it over. Only storage/ and offline/ include this.
 */
#pragma once

#include "storage/journal_scan.h"
#include "storage/recover.h"
#include "storage/state.h"

enum { CATALOG_BATCH_MAX = 64 << 20 }; /* bytes of a batch of the catalog's log */

/* What replay knows of one shard. Gaps are numbered as they are met, over all journals; a partition
 * of a shard with a hole is whole only when an entry behind the hole went on at its end. */
struct shard_trace {
    uint16_t seen_in;  /* the journal in which it was last seen, plus one; 0 = in none */
    bool is_known;     /* `sequence` was read from a journal … */
    uint64_t sequence; /* … and is that of its newest run so far */
    uint32_t doubt;    /* a gap that may have held runs of it; 0 = none */
    uint32_t hole;     /* the newest gap that did, or that nothing clears any more; 0 = none */
    bool lost;         /* its snapshot cannot be read */
    bool is_absent;    /* it has none */
};

struct recovered {
    struct data_directory *directory;
    uint64_t unsettled_bytes_max;
    struct shard **shards;      /* by id */
    struct shard_trace *traces; /* by id */
    struct map partitions;      /* by id, until the stores have them */
    struct journal_scan *scans; /* by core of the last life */
    unsigned scan_count;
    uint32_t gaps;
    uint64_t unsettled_bytes; /* in the tails */
    bool damaged;             /* something that was stored cannot be read */
    struct error catalog_gap; /* where blocks are missing that may be the catalog's, in words */
    bool reset;               /* everything is in snapshots and segments: journals begin anew */
    struct recover_report report;
    uint64_t started_ns;
};

struct partition *recovered_find(const struct recovered *recovered, uint32_t id);
/* A partition of which nothing was met yet. */
struct partition *recovered_add(struct recovered *recovered,
                                const struct partition_definition *definition);
/* Forgets what was met of it; its files stay. */
void recovered_drop(struct recovered *recovered, struct partition *partition);
/* Says so, and serves it no more. */
void recovered_take_offline(struct recovered *recovered, struct partition *partition,
                            enum damage damage);
/* Whether there was room for all that its entries needed. */
bool recovered_had_space(const struct recovered *recovered, const struct partition *partition,
                         struct error *error);
/* Whether every entry of this partition was met, as far as can be known. */
bool recovered_is_whole(const struct recovered *recovered, const struct partition *partition);

/* The files in which met partitions' snapshots end, as far as nobody has looked at them and the log
 * still goes on there (recover_files.c). */
bool recovered_look_at_files(struct recovered *recovered, struct error *error);

/* Copies bytes of the catalog's log from memory or from the segment file, wherever they are
 * (recover_catalog.c). EBADMSG where they cannot be read. */
bool recovered_copy_log(struct recovered *recovered, struct partition *partition,
                        struct segment *segment, uint64_t position, uint8_t *into, size_t len,
                        struct error *error);

/* Segment files that replay made have durable names behind it. */
bool recovered_sync_names(struct recovered *recovered, struct error *error);

/* Reads all journals through into the partitions (recover_replay.c). */
bool recovered_replay(struct recovered *recovered, struct error *error);

/* The shard passes to the caller. */
struct shard *recovered_take_shard(struct recovered *recovered, uint32_t id);
/* The journal's files and sequence pass to the journal; none when that core is new. */
void recovered_take_journal(struct recovered *recovered, unsigned core, struct journal *journal);
