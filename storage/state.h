/* The inside of storage: what a partition, a shard and a store hold. Only storage/ includes this,
 * and offline/, which looks at it where no store runs.
 *
 * The bytes of a partition, oldest to newest, and the cursors that divide them:
 *
 *      log start    settled       durable        formed         end
 *         │            │             │              │             │
 *   ──────┼────────────┼─────────────┼──────────────┼─────────────┤
 *         │ in segment │ in journal  │  in a block  │ in the tail │
 *         │ files      │ and tail    │  being       │ only        │
 *         │            │             │  written     │             │
 *
 * settled <= durable <= formed <= end, and (offsets) high watermark belongs to `durable`.
 * Append moves `end`, a commit moves `formed`, an acknowledged block moves `durable` and answers,
 * write-out moves `settled`. A bypass writes [settled, …) into the segment first and then moves
 * `formed` with an EXTENT entry. */
#pragma once

#include "storage/cold.h"
#include "storage/damage.h"
#include "storage/epochs.h"
#include "storage/journal.h"
#include "storage/lookup.h"
#include "storage/segment.h"
#include "storage/store.h"
#include "storage/tail.h"

enum {
    BYPASS_BYTES = 128 << 10,     /* pending bytes of one partition that go straight to a segment */
    BYPASS_BATCH_BYTES = 4 << 10, /* … when its batches are this large on average */
    BYPASS_BYTES_MAX = 4 << 20,   /* of one write, unless a single batch is larger */
    BYPASS_BATCHES_MAX = 1024,    /* their headers go into one journal entry */
    BYPASS_IN_FLIGHT_MAX = 4,
    SETTLE_BYTES_MIN = 64 << 10,
    SETTLE_BYTES_MAX = 256 << 10,
    SETTLE_IN_FLIGHT_MAX = 8,    /* write-outs at once: commits share the disk with them */
    PRODUCERS_MAX = 100000,      /* per partition; the one idle for longest goes */
    SEGMENTS_WITH_INDEX_MAX = 4, /* sealed ones per partition that keep their index in memory */
};

/* One write straight to the segment, on its way through: writing -> written -> its EXTENT entry in
 * a block -> durable. In order per partition. */
struct bypass {
    struct io_op op;
    struct partition *partition;
    struct list link;
    struct segment_file *file; /* pinned */
    struct iovec *pieces;
    struct place from;    /* multiple of 4096 */
    uint64_t upto;        /* multiple of 4096: [from, upto) is written */
    uint64_t first_batch; /* position of its first new batch */
    uint64_t end;         /* position after its last batch */
    int64_t end_offset;
    struct append *first, *last; /* pending appends that it carries */
    uint64_t reserved;           /* of the journal, until it is formed */
    bool in_flight, written, formed;
};

/* A write-out of whole blocks that the journal has already made durable. */
struct settle {
    struct io_op op;
    struct segment_file *file; /* pinned while in flight */
    struct iovec *pieces;
    struct place upto;
    bool in_flight;
};

/* The numbers of segments that were rolled before a start may be unsealed (seal.h). */
struct unsealed {
    struct list in_store; /* while there are some */
    uint32_t next, upto;  /* [next, upto) are to be looked at */
};

/* What start-up finds out about a partition. */
struct partition_start {
    bool has_file;        /* of the active segment, by name */
    bool met;             /* a journal has an entry of it; its snapshot … */
    uint32_t ends_in;     /* … ends in this segment, … */
    bool wants_file;      /* … whose file has not been looked at yet, … */
    bool lacks_file;      /* … or has, and is not there or not its own */
    bool lacks_space;     /* an entry needs room on a full disk: replay has stopped there */
    uint32_t whole_since; /* the newest gap of the journals behind which an entry went on */
};

struct partition {
    struct partition_definition definition;
    struct shard *shard;
    struct store *store; /* NULL during recovery */
    struct map_node by_id;
    struct list in_shard;

    /* --- persisted: in the journal and in snapshots --- */
    int64_t log_start, high_watermark, next_offset;
    int64_t compacted_offset; /* what is below has been through a compaction */
    struct segment *segments; /* oldest first; the last one is active */
    size_t segment_count, segment_capacity;
    struct producers producers;
    struct epochs epochs;
    enum damage offline; /* anything but DAMAGE_NONE: KAFKA_STORAGE_ERROR */

    /* --- derived --- */
    struct tail tail;
    struct place settled, durable, formed, end;
    uint32_t begun;          /* the newest segment that a durable entry names: replay gets there */
    int64_t formed_offset;   /* next offset of what `formed` covers */
    int64_t formed_start;    /* the highest log start in a block; log_start may be beyond it */
    struct list pending;     /* struct append, by offset */
    struct append *unformed; /* the first pending append that is in no block yet, or NULL */
    uint64_t unformed_bytes, unformed_reserved;
    uint32_t unformed_count;
    struct list bypasses;
    uint32_t bypass_count;
    struct settle settle;
    struct list trims;        /* struct trim waiting for their entry */
    struct list replacements; /* struct replacement waiting for theirs */
    struct list waiters;      /* struct waiter */
    struct list dirty;        /* in its shard while there is something to form */
    struct list settling;     /* in its store while write-out waits for space */
    struct list write_out;    /* in its store while write-out waits for its turn */
    struct unsealed unsealed; /* segments that were not sealed before the last start */
    bool uncompactable;       /* compaction met damage */
    bool preparing;           /* a worker creates or extends the active segment's file */
    bool dead;                /* deleted; freed when nothing refers to it */
    struct partition_start start;
    uint32_t references; /* flows in flight: notes, bypasses, settles, cold reads, works */
};

/* Up to where a snapshot contains what the journals hold: all blocks of earlier incarnations, and
 * those of its own up to `through` in the journal of `core`. */
struct journal_mark {
    uint64_t incarnation; /* 0: not known (format 1) */
    uint32_t core;
    uint64_t through;
};

struct shard {
    uint32_t id, epoch;
    uint64_t sequence;             /* of the last run formed */
    struct journal_mark contained; /* in its snapshot */
    struct list partitions;
    struct list dirty;    /* partitions with something to form */
    struct list in_store; /* in the store's dirty shards */
    bool unsnapshotted;   /* changed since its last snapshot */
};

struct checkpoint;
struct compaction;

/* Whose append it is that needs space, the least important first. */
enum space_kind { SPACE_OF_RECORDS, SPACE_OF_GROUPS, SPACE_OF_CATALOG, SPACE_KINDS };

/* What is known of the file system's room (space.h). */
struct disk_space {
    struct work work; /* asks it */
    struct store *store;
    bool asking;
    int64_t found_bytes;      /* the worker's */
    int64_t free_bytes;       /* as of asked_ns; INT64_MAX: not known */
    uint64_t written_bytes;   /* of the tails, since then: they are not in it */
    uint64_t written_asking;  /* … when it was asked */
    uint64_t asked_ns;        /* when it last answered */
    uint64_t short_since_ns;  /* 0: there is room */
    uint64_t met_full_ns;     /* when an operation last met a full disk */
    uint64_t tried_ns;        /* when write-outs that met one last tried again */
    bool got_through;         /* one of them has */
    uint64_t ahead_failed_ns; /* when there was no room for a file's growth ahead of need */
    uint64_t refused;         /* appends, since the start */
};

struct store {
    struct ring *ring;
    struct data_directory *directory;
    struct store_options options;
    unsigned core, core_count;
    struct journal journal;
    struct shard **shards; /* by id; NULL where another core runs it */
    struct map partitions;
    struct list dirty_shards;
    struct list settling;                  /* partitions whose write-out met a full disk */
    struct list unsealed;                  /* partitions with segments to seal after a start */
    bool sealing;                          /* one of them is being sealed */
    struct list write_outs;                /* partitions whose write-out waits for its turn */
    uint32_t write_out_count;              /* write-outs in flight */
    struct list answers;                   /* appends to answer in the next round (duplicates) */
    struct list space_queues[SPACE_KINDS]; /* appends that wait for space (space.h) */
    struct disk_space disk;
    struct cold_reads cold;
    struct lookups lookups;
    struct chunk_pool chunks;
    struct segment_handles handles;
    uint64_t census_ns;       /* when a block last named every shard's sequence */
    uint64_t handles_ns;      /* when too many of them last asked for a checkpoint */
    struct list cached;       /* settled chunks, oldest first */
    uint64_t cached_bytes;    /* of settled chunks */
    uint64_t unsettled_bytes; /* appended and not settled, of all partitions */
    uint64_t reserved_bytes;  /* of the journal, for what was accepted and is in no block yet */
    struct round_hook hook;
    struct timer idle, retention, space, compact;
    uint64_t idle_commits;         /* of the journal, when the idle timer last fired */
    struct checkpoint *checkpoint; /* the one under way, or NULL */
    struct compaction *compaction; /* the pass under way, or NULL */
    struct {
        uint64_t passes, read_bytes, written_bytes, records_dropped;
    } compacted; /* since the start */
    bool stopping;
    bool closing; /* the last checkpoint was begun, if there is anything for it */
    void (*stopped)(void *context);
    void *stopped_context;
    uint32_t flows; /* workers and writes under way that store_free() must not outrun */
    uint64_t checkpoints;
    uint64_t said_ns; /* the last line of store_may_say() */
    uint32_t unsaid;
};

static inline struct segment *partition_active(const struct partition *partition) {
    return &partition->segments[partition->segment_count - 1];
}
/* Up to where a segment's bytes are in its file, as far as they count. */
static inline uint64_t partition_settled_in(const struct partition *partition,
                                            const struct segment *segment) {
    struct place settled = partition->settled;
    if (segment->number > settled.segment) return SEGMENT_START;
    if (segment->number < settled.segment || segment->end < settled.position) return segment->end;
    return settled.position;
}
/* The segment with this number, or NULL. */
struct segment *partition_segment(const struct partition *partition, uint32_t number);
/* That one, unless compaction has put another in its place. */
struct segment *partition_same_segment(const struct partition *partition,
                                       const struct segment_identity *identity);
/* The first one that reaches beyond the offset: it holds it, or what follows its gap. */
struct segment *partition_segment_of_offset(const struct partition *partition, int64_t offset);
struct segment *partition_add_segment(struct partition *partition, uint32_t number,
                                      int64_t base_offset, int64_t now_ms);
/* As the partition's rules are now. */
void segment_set_interval(const struct partition *partition, struct segment *segment);
/* Lets go of its file and index; the table entry is dead. */
void segment_forget(struct segment *segment);
struct segment_identity partition_identity(const struct partition *partition,
                                           const struct data_directory *directory,
                                           const struct segment *segment);

/* A partition without a store (recovery), or in one. */
struct partition *partition_new(const struct partition_definition *definition, struct shard *shard,
                                struct chunk_pool *pool);
void partition_free(struct partition *partition);
/* Keeps a dead partition's memory until the last flow has ended. */
void partition_pin(struct partition *partition);
void partition_unpin(struct partition *partition);
/* Begins a new segment: the old one is padded, then settled and sealed. Only an entry that names
 * the new one makes that durable. */
void partition_roll(struct partition *partition, uint32_t number, int64_t base_offset,
                    int64_t now_ms);
/* The same without an append, if the active segment has records; its end is written out. */
bool partition_roll_now(struct partition *partition, int64_t now_ms);
/* After how long the active segment is closed. */
int64_t partition_segment_ms(const struct partition *partition);
/* Behind the last byte of a segment that was rolled away from, `formed` goes on in the next one. */
void partition_formed_next_segment(struct partition *partition);
/* Puts it among those that have something to form. */
void partition_dirty(struct partition *partition);
/* Copies a batch that has its offset to the end of the log and moves `end` (append and replay). */
void partition_place(struct partition *partition, const struct batch_header *header,
                     struct bytes batch);
/* Whether one more line about what clients can bring about again and again may be logged: one in
 * ten seconds. `unsaid` is the number that was left out before it. */
bool store_may_say(struct store *store, uint32_t *unsaid);
/* Whether it is a duplicate, which needs no space and is never refused for want of it. */
bool partition_has_stored(const struct partition *partition, const struct append *append);
/* Dedupes and appends without asking for space. */
enum append_state partition_append_now(struct partition *partition, struct append *append);
/* A block made everything below durable: answers, wakes, may settle. */
void partition_advance(struct partition *partition, int64_t high_watermark, struct place durable);
/* A trim became durable: forgets what is below, removes whole segments. */
void partition_trimmed(struct partition *partition, int64_t log_start);
void partition_wake(struct partition *partition);
/* Appended and in no segment file yet. */
uint64_t partition_unsettled_bytes(const struct partition *partition);
/* An entry that names this segment is durable. */
void partition_began(struct partition *partition, uint32_t segment);
/* Segments wholly below the log start, gone from the table; their files go to a worker. */
void partition_drop_segments(struct partition *partition);
