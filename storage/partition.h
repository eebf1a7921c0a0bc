/* One partition's log, owned by its shard and touched by one core only.
 *
 *   log start      high watermark        next offset
 *      │  readable        │   in flight        │
 *      ▼                  ▼                    ▼
 *   ───┬──────────────────┬────────────────────┬──
 *      │ segments │ tail (memory)              │
 *   ───┴──────────┴──────────────────────────────
 *                 ▲ settled: below it every byte is in a segment file
 *
 * An append assigns offsets at once and is answered when durable; nothing at or above the high
 * watermark is readable. log start <= settled <= next offset, high watermark <= next offset.
 * A crash leaves everything below the high watermark: in segments below the last snapshot's settled
 * end, in the journal from there on (storage/journal.h). */
#pragma once

#include "base/list.h"
#include "protocol/batch.h"
#include "protocol/error_code.h"
#include "storage/producers.h"

struct partition;
struct store;

/* What the catalog knows and the log needs. Resolved from topic configs by the caller. */
struct partition_rules {
    int64_t retention_ms;    /* -1 = unlimited */
    int64_t retention_bytes; /* -1 = unlimited */
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t index_interval_bytes;
    bool delete_old; /* cleanup.policy has "delete" */
    bool compacted;  /* cleanup.policy has "compact" */
    bool append_time;
    /* Of compaction */
    int64_t delete_retention_ms;   /* tombstones stay so long */
    int64_t compaction_lag_ms_min; /* records younger than this stay as they are */
    int64_t compaction_lag_ms_max; /* records older than this wait no longer; 0 = no limit */
    double dirty_ratio_min;        /* of new bytes to all, above which it is worth while */
};

struct partition_definition {
    uint32_t id; /* never reused */
    uint16_t shard;
    bool internal; /* of a coordinator's: before clients' records where space is short */
    int32_t leader_epoch;
    struct partition_rules rules;
};

/* --- append --- */

/* A validated batch on its way into the log. The caller owns it, and the batch's bytes, until
 * `done`; base offset, leader epoch and (LogAppendTime) timestamps are patched into those bytes. */
struct append {
    struct bytes batch; /* one whole batch, CRC checked */
    struct batch_header header;
    int64_t append_time_ms; /* in: LogAppendTime to stamp, or -1 to keep CreateTime */
    uint64_t deadline_ns;   /* how long it may wait for space; 0: for ever */
    bool may_time_out;      /* with its offset, too: REQUEST_TIMED_OUT, and the batch may follow */
    void (*done)(struct append *append);
    /* Has the last word on a batch that is new and in sequence, right before it gets its offsets,
     * also when it has waited for space: another code than NONE refuses it and leaves no trace. A
     * duplicate is not asked about. NULL: nothing to say. */
    enum error_code (*judge)(struct append *append);
    /* Result */
    enum error_code code;
    int64_t base_offset;
    int64_t timestamp_ms; /* of a LogAppendTime batch, else -1 */
    int64_t log_start_offset;
    /* The log's own */
    int64_t release_at; /* answered once the high watermark has reached this offset */
    uint64_t bytes;     /* in the tail; 0 for a duplicate */
    uint32_t reserved;  /* journal bytes set aside for it */
    uint32_t segment;
    struct partition *partition;
    struct list link;
};

enum append_state {
    APPEND_REFUSED, /* code is set; `done` will not run */
    APPEND_PENDING, /* `done` runs later, from the loop */
};

/* Dedupes, reserves space, assigns offsets, copies the batch into the tail. */
enum append_state partition_append(struct partition *partition, struct append *append);
/* Whether so many bytes would be taken at once, rather than wait for space or be refused. */
bool partition_accepts(const struct partition *partition, size_t bytes);
/* Whether the disk has space, as far as is known: what can wait while it has none, should. */
bool partition_has_space(const struct partition *partition);
/* A retriable refusal decided by the caller (a contract that loads, a time-out) for a batch with a
 * producer id: until that sequence is appended or the epoch rises, other sequences are refused. */
void partition_mark_refused(struct partition *partition, const struct batch_header *header);

/* --- look and read --- */

struct partition_view {
    enum error_code
        code; /* OFFSET_OUT_OF_RANGE, FENCED/UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR */
    int64_t high_watermark;
    int64_t last_stable_offset;
    int64_t log_start_offset;
    int32_t leader_epoch;
    uint64_t bytes_available; /* readable from the asked offset; an estimate above the last batch */
};

/* offset -1 asks for no position; leader_epoch -1 asks for no check. */
void partition_look(const struct partition *partition, int64_t offset, int32_t leader_epoch,
                    struct partition_view *view);

/* Woken once, when the high watermark or the log start moves or the partition goes away. */
struct waiter {
    struct list link; /* list_init() before first use */
    void (*wake)(struct waiter *waiter);
};
void partition_wait(struct partition *partition, struct waiter *waiter);
/* Harmless when it is not waiting. */
void waiter_cancel(struct waiter *waiter);

enum { READ_PIECES_MAX = 64 };

/* Whole batches from the one that holds `offset`, byte-exact, in pieces that stay pinned until
 * read_release(). At least one batch when `minimum_one`, else none that passes bytes_max. */
struct read {
    int64_t offset;
    size_t bytes_max;
    bool minimum_one;
    void (*done)(struct read *read);
    /* Result: pieces are valid until read_release(). */
    enum error_code code;
    int32_t piece_count;
    size_t total;
    struct bytes pieces[READ_PIECES_MAX];
    /* The log's own */
    struct partition *partition;
    void *pins[READ_PIECES_MAX]; /* chunks; NULL for a piece of `buffer` */
    uint8_t *buffer;             /* of a cold read */
};

/* True: completed now (`done` will not run). False: `done` runs later, from the loop. */
bool partition_read(struct partition *partition, struct read *read);
void read_release(struct read *read);

/* --- offsets --- */

/* The first offset whose record timestamp is >= timestamp_ms (KIP-79); -1 when there is none.
 * LOOKUP_MAX_TIMESTAMP asks for the offset of the largest timestamp (KIP-734). */
#define LOOKUP_MAX_TIMESTAMP INT64_MIN
struct lookup {
    int64_t timestamp_ms;
    void (*done)(struct lookup *lookup);
    enum error_code code;
    int64_t offset, found_timestamp_ms;
    int32_t leader_epoch;
    struct partition *partition;
    struct list link;
};
/* As partition_read(): true when the answer is there at once. Only records that are readable when
 * the search begins count. */
bool partition_lookup(struct partition *partition, struct lookup *lookup);

/* End of the largest leader epoch <= the asked one: (-1, -1) when unknown (KIP-320). */
void partition_epoch_end(const struct partition *partition, int32_t asked, int32_t *epoch,
                         int64_t *end_offset);

/* --- changes --- */

/* DeleteRecords: moves the log start durably; offset -1 means the high watermark. */
struct trim {
    int64_t offset;
    void (*done)(struct trim *trim);
    enum error_code code; /* OFFSET_OUT_OF_RANGE beyond the high watermark */
    int64_t low_watermark;
    struct partition *partition;
    struct list link;
};
/* True when refused or nothing to do (code is set), else `done` runs when durable. */
bool partition_trim(struct partition *partition, struct trim *trim);
void partition_configure(struct partition *partition, const struct partition_rules *rules);

uint32_t partition_id(const struct partition *partition);
/* Bytes of batches in its segments, as Kafka counts a log's size: with those below the log start
 * that share a segment with others above it. */
uint64_t partition_size_bytes(const struct partition *partition);
struct producers *partition_producers(struct partition *partition);
