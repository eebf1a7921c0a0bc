/* The runtime of coordinators. A coordinator is a state machine whose truth is the log of one
 * partition of an internal topic: state = replay of its records. It does no I/O of its own: a call
 * is a function (state, request) -> records + answer, and the runtime lets the answer go once the
 * records that it rests on are durable.
 *
 *   coordinator_submit() ─► run(call, state)     changes the state, adds records, finishes
 *                              │                 (now, or later: a member waits for others)
 *                  end of the round: all records added become one batch of the log
 *                              │
 *   done(call) ◄── durable ────┘                 a call that rests on nothing newer than what is
 *                                                durable is done at once
 *
 *   COORDINATOR_LOADING ──► COORDINATOR_ACTIVE ──► COORDINATOR_STOPPED
 *      │     ▲                     │
 *      │     └── a batch is refused┘
 *      └──► COORDINATOR_DAMAGED
 *
 *   LOADING  reads its log; calls are refused with COORDINATOR_LOAD_IN_PROGRESS
 *   ACTIVE   serves
 *   DAMAGED  the log could not be read; COORDINATOR_NOT_AVAILABLE until the next start
 *   STOPPED  coordinator_stop(); COORDINATOR_NOT_AVAILABLE
 *
 * State changes when records are added, before they are durable, so every answer computed from it
 * names the newest record it rests on (coordinator_finish()): an answer waits for the records of
 * its own group, transaction …, not for unrelated ones. There is no way back to undo. Where the log
 * does not take a batch (the disk is full, for longer than a call may wait), the state is more than
 * what the log says: everybody who waits is told COORDINATOR_NOT_AVAILABLE, and once nothing is on
 * its way to the disk any more, the state is dropped and read again. The same when the process
 * stops, so this is the one recovery path. What was answered is durable, and stays.
 *
 * Time. Deadlines are on the coordinator's own clock, which stands still while this broker is late:
 * as long as the loop is, or the oldest batch on its way to the disk. So a stall of ours never
 * expires anybody's session, and all deadlines move alike. Timers start afresh after loading.
 *
 * A log is kept short by its image: when it has grown past COORDINATOR_LOG_BYTES and four times the
 * size of the last image, the state is written again, piece by piece between other calls, and what
 * lies before it is trimmed. A crash in between leaves records that say the same thing twice. The
 * image consists of the same records in Kafka's formats, so there is no second kind of file to
 * trust.
 *
 * A coordinator belongs to the core that runs its log's shard. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/heap.h"
#include "io/ring.h"
#include "protocol/error_code.h"
#include "protocol/message.h"

struct coordinator;
struct coordinator_record;
struct partition;

enum coordinator_status {
    COORDINATOR_LOADING,
    COORDINATOR_ACTIVE,
    COORDINATOR_DAMAGED,
    COORDINATOR_STOPPED,
};

enum { COORDINATOR_LOG_BYTES = 4 << 20 };

/* What kind of state a log holds: its functions. The state is theirs; the runtime only passes it
 * on. */
struct coordinator_kind {
    const char *name; /* for log lines: "groups" */
    /* Keys and values are no messages of Kafka's but whatever they are: written with
     * coordinator_write_raw(), replayed as they are stored, with type and value_version -1. Others
     * may have written to such a log, so that compressed batches are read, too. */
    bool raw;
    /* Nothing is known yet. `context` is that of coordinator_open(). */
    void *(*state_new)(struct coordinator *coordinator, void *context);
    /* Disarms its timers; nothing waits any more. Another state may follow. */
    void (*state_free)(void *state);
    /* Applies one record of the log, in order. False and `error`: the record is not readable, the
     * log counts as damaged. Records of a kind that is not known are for the machine to judge. */
    bool (*replay)(void *state, const struct coordinator_record *record, struct error *error);
    /* Everything is replayed: the time for arming timers and dropping what was left half-done. May
     * add records. Once for each state. */
    void (*loaded)(void *state);
    /* About how many bytes of records make this state from nothing. */
    size_t (*image_bytes)(void *state);
    /* An image begins: image_step() will be asked for all that is here now. */
    void (*image_begin)(void *state);
    /* Adds the records of the next piece of the state (some 64 KiB: the journal takes them also
     * where the disk is full). False when nothing was left. What was created or changed since
     * image_begin() need not be in it: its records are in the log behind the beginning. */
    bool (*image_step)(void *state);
};

/* --- life --- */

/* The coordinators of one core. */
struct coordinator_host;

/* What the broker does before timers fire: everything that has arrived on any core's sockets by now
 * is handed to the coordinators; then it calls coordinator_host_drained(), not from inside. */
struct coordinator_drain {
    void (*begin)(struct coordinator_drain *drain, struct coordinator_host *host);
};

/* To be made before the store's hook is installed, so that records join the round's commit. Without
 * a drain (NULL) two rounds of the ring are waited for. */
struct coordinator_host *coordinator_host_new(struct ring *ring, struct coordinator_drain *drain);
void coordinator_host_drained(struct coordinator_host *host);
void coordinator_host_free(struct coordinator_host *host);

/* Begins to load. The log must be on this core; the context stays. */
struct coordinator *coordinator_open(struct coordinator_host *host, struct partition *log,
                                     const struct coordinator_kind *kind, void *context);
/* No further calls; those that wait are hurried. Works under way go on: free it when
 * coordinator_is_busy() says no. */
void coordinator_stop(struct coordinator *coordinator);
/* Whether appends, reads or held works are under way. */
bool coordinator_is_busy(const struct coordinator *coordinator);
/* Calls that still wait are dropped without a word. */
void coordinator_free(struct coordinator *coordinator);

enum coordinator_status coordinator_status(const struct coordinator *coordinator);
void *coordinator_state(const struct coordinator *coordinator);
struct ring *coordinator_ring(const struct coordinator *coordinator);
/* Work on another thread that will come back to this coordinator. */
void coordinator_hold(struct coordinator *coordinator);
void coordinator_drop(struct coordinator *coordinator);

/* --- calls --- */

/* One request to the state, embedded in its owner, which lives until `done` ran. Also for work of
 * the machine's own (the result of a worker): a call with nobody waiting. Zeroed but for the fields
 * of the first part. */
struct coordinator_call {
    /* On the log's core while it is ACTIVE, once: leads to exactly one coordinator_finish(), now or
     * later. */
    void (*run)(struct coordinator_call *call, void *state);
    /* The answer may leave. `code` is ERROR_NONE when `run` was called, else why it was not. May be
     * called from inside coordinator_submit(). */
    void (*done)(struct coordinator_call *call);
    /* NULL for calls that never wait inside the machine. The one who asked waits no more: finish
     * now; the state may keep what it knows. After coordinator_finish() it is not called. */
    void (*hurry)(struct coordinator_call *call, void *state);
    bool writes; /* may add records: waits while the log cannot take any */
    /* Of the ring's clock: how long it may wait for that; 0 = 5 s. Then COORDINATOR_NOT_AVAILABLE.
     */
    uint64_t deadline_ns;
    /* Result */
    enum error_code code;
    /* The runtime's own. */
    struct coordinator *coordinator;
    struct list link;
    struct heap_node release;
    bool begun, finished;
};

void coordinator_submit(struct coordinator *coordinator, struct coordinator_call *call);
/* The answer is ready and rests on records before offset `release_at` (coordinator_end() at the
 * time when the newest of them was added; 0: on none). */
void coordinator_finish(struct coordinator_call *call, int64_t release_at);
/* The one who asked waits no more. `done` will run, if not from inside then soon. */
void coordinator_hurry(struct coordinator_call *call);

/* --- records --- */

/* Adds one record: from inside `run`, a timer, loaded() or image_step() only. The records added by
 * one of these become durable together or not at all. The key's number is its message's key; both
 * are encoded at once. */
void coordinator_write(struct coordinator *coordinator, const struct message *key_message,
                       const void *key, const struct message *value_message, int16_t value_version,
                       const void *value);
/* A tombstone. */
void coordinator_erase(struct coordinator *coordinator, const struct message *key_message,
                       const void *key);
/* As coordinator_write(), for raw kinds: the bytes are copied; a null value is a tombstone. */
void coordinator_write_raw(struct coordinator *coordinator, struct bytes key, struct bytes value);
/* The offset after the newest record added. */
int64_t coordinator_end(const struct coordinator *coordinator);

/* A record of the log as it is replayed. Slices are good until replay() returns. */
struct coordinator_record {
    int16_t type; /* the key's number */
    struct bytes key;
    struct bytes value;    /* behind its version; null: a tombstone */
    int16_t value_version; /* -1 for a tombstone */
    int64_t offset, timestamp_ms;
};

/* Splits key and value of a stored record; false when there is no number or no version. */
bool coordinator_record_parse(struct bytes key, struct bytes value,
                              struct coordinator_record *record);
/* Decodes; strings point into the record. False and `error` for what is not such a message. */
bool coordinator_record_key(const struct coordinator_record *record, const struct message *message,
                            struct arena *arena, void *out, struct error *error);
bool coordinator_record_value(const struct coordinator_record *record,
                              const struct message *message, struct arena *arena, void *out,
                              struct error *error);

/* --- time --- */

/* A deadline on the coordinator's clock. Before it fires, everything that had arrived on sockets by
 * its time was handled, so a heartbeat that is only late with us counts. */
struct coordinator_timer {
    struct heap_node node;
    /* May add records: it waits while the log cannot take any. */
    void (*fire)(struct coordinator_timer *timer);
    struct coordinator *coordinator; /* the runtime's */
};

/* Arms, or moves. */
void coordinator_arm(struct coordinator *coordinator, struct coordinator_timer *timer,
                     int64_t after_ms);
void coordinator_disarm(struct coordinator *coordinator, struct coordinator_timer *timer);
static inline bool coordinator_timer_is_armed(const struct coordinator_timer *timer) {
    return heap_has(&timer->node);
}
/* The coordinator's clock, for measuring; and the wall clock, for stamping. */
uint64_t coordinator_now_ms(const struct coordinator *coordinator);
int64_t coordinator_wall_ms(const struct coordinator *coordinator);
