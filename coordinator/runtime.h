/* The inside of the runtime: what a coordinator and the coordinators of one core hold. Only
 * coordinator/ includes this.
 *
 *   log.c     records: encoding, batches on their way to the disk, what becomes durable
 *   load.c    reading the log: at the start, and again where it took no more
 *   image.c   writing the state again and trimming what lies before
 *   time.c    the clock, timers, and what counts as our own lateness
 *   coordinator.c  life and calls
 *
 *     log start      image           durable_end      appended_end      end
 *        │             │                  │                 │            │
 *   ─────┼─────────────┼──────────────────┼─────────────────┼────────────┤
 *        │       replayed and done        │ batches under   │ records of │
 *        │                                │ way             │ this round │
 */
#pragma once

#include "base/byte_buffer.h"
#include "coordinator/coordinator.h"
#include "protocol/batch_build.h"
#include "protocol/compress.h"
#include "storage/partition.h"

enum {
    BATCH_BYTES = 64 << 10,        /* a batch is closed behind the call that passes this */
    UNDER_WAY_BYTES_MAX = 8 << 20, /* with so much not durable yet, calls that write wait */
    ACCEPT_BYTES = 64 << 10,       /* the space that a call that writes has to find */
    SPACE_WAIT_MS = 5000,          /* of calls and batches */
    SPACE_CHECK_MS = 20,
    LOAD_BYTES = 1 << 20, /* one read */
    INFLATED_BYTES_MAX = 64 << 20,
    INFLATED_RATIO_MAX = 1024,
    TICK_MS = 250,
    LATE_MS = 50,         /* a loop that is later than this stops the clock */
    COMMIT_LATE_MS = 250, /* as a batch does that is under way for longer */
    SAY_S = 10,
};

/* One batch on its way to the disk; freed when it is there. */
struct log_write {
    struct append append;
    struct coordinator *coordinator;
    struct list link; /* host->under_way, oldest first */
    struct byte_buffer batch;
    int64_t base_offset, end_offset;
    uint64_t started_ns;
};

struct load {
    struct read read;
    struct mail next; /* one step per round of the ring */
    int64_t offset, end;
    struct byte_buffer bytes; /* the pieces of a read in one */
    struct inflater *inflater;
    struct arena arena;
    bool reading, posted;
    /* A batch was refused: none may follow it, and the state is to be read again. */
    bool again;
    int64_t overdue_end; /* … when the log is durable up to here */
};

struct image {
    enum { IMAGE_NONE, IMAGE_WRITING, IMAGE_WRITTEN, IMAGE_TRIMMING } stage;
    int64_t begin, end; /* offsets of its records */
    uint64_t log_bytes; /* of the log when it began */
    uint64_t due_bytes; /* the next is due at this size of the log at the earliest */
    struct trim trim;
};

struct coordinator {
    struct coordinator_host *host;
    struct partition *log;
    const struct coordinator_kind *kind;
    void *context; /* of the state */
    void *state;
    enum coordinator_status status;
    struct list link; /* host->coordinators */

    /* --- records --- */
    struct batch_build build; /* added, not appended */
    struct arena arena;       /* for encoding; emptied behind each record */
    int64_t appended_end;     /* the offset of the next batch */
    int64_t durable_end;
    uint64_t under_way_bytes;
    uint64_t log_bytes; /* of batches from the log's start on */
    struct list dirty;  /* in host->dirty while there are records to append */
    bool running;       /* inside a machine's function: records may be added */

    /* --- calls --- */
    struct list waiting;   /* begun and not finished */
    struct heap finished;  /* by release_at */
    struct list for_space; /* not begun */

    struct load load;
    struct image image;
    uint32_t held;
};

struct coordinator_host {
    struct ring *ring;
    struct coordinator_drain *drain;
    struct round_hook hook;
    struct list coordinators;
    struct list dirty;
    struct list under_way; /* struct log_write of all coordinators, oldest first */
    struct timer space;    /* looks whether calls that wait, or loads, can begin */
    uint64_t said_ns;      /* when a log was last said to take no more */

    /* --- time --- */
    struct heap timers; /* struct coordinator_timer, by the host's clock */
    struct timer tick;
    uint64_t tick_due_ns;      /* when it should have fired */
    uint64_t stalled_ns;       /* how far the clock is behind the ring's */
    uint64_t stalled_until_ns; /* lateness is counted up to here */
    uint64_t due_ns;           /* timers up to here fire when the drain is over */
    bool draining;
    struct mail drained;
    unsigned drain_rounds;
};

/* coordinator.c */
/* Around every function of the machine that may add records. */
void coordinator_enter(struct coordinator *coordinator);
void coordinator_leave(struct coordinator *coordinator);
bool coordinator_may_write(const struct coordinator *coordinator);
/* The state is not what the log says, or cannot be known: nobody gets an answer from it any more,
 * and what was added and not appended is dropped. */
void coordinator_fail(struct coordinator *coordinator, enum coordinator_status status);
/* Looks after a while whether what waits for space, or to be read again, can begin. */
void coordinator_look_later(struct coordinator_host *host);
/* Lets go all calls that rest on nothing newer than what is durable. */
void coordinator_release_finished(struct coordinator *coordinator);

/* log.c */
/* Appends what was added. */
void log_flush(struct coordinator *coordinator);

/* load.c */
void load_begin(struct coordinator *coordinator);
bool load_is_busy(const struct coordinator *coordinator);
void load_end(struct coordinator *coordinator);
/* A batch was refused. `durable_at` is where the log is durable when it is there after all. */
void load_again(struct coordinator *coordinator, int64_t durable_at);
/* Begins to load again if that is wanted and possible. */
void load_look(struct coordinator *coordinator);
static inline bool load_waits(const struct coordinator *coordinator) {
    return coordinator->load.again && coordinator->status == COORDINATOR_LOADING;
}

/* image.c */
/* Begins an image when one is due, or goes on with it. */
void image_advance(struct coordinator *coordinator);
bool image_is_busy(const struct coordinator *coordinator);

/* time.c */
void time_init(struct coordinator_host *host);
void time_deinit(struct coordinator_host *host);
/* A batch has become durable that had been under way since then. */
void time_count_commit(struct coordinator_host *host, uint64_t started_ns);
