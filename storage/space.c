#include "storage/space.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/say.h"
#include "storage/commit.h"
#include "storage/layout.h"
#include "storage/overdue.h"
#include "storage/settle.h"

enum {
    SPACE_RESERVE_BYTES = 16 << 20, /* of the disk */
    SPACE_CHECK_MS = 20,
    JOURNAL_SHARE = 4,    /* one part in so many of what is to spare may become a journal file */
    SPACE_TRIES_MAX = 16, /* write-outs that try again at a time, while none gets through */
};
#define SPACE_ASK_NS (1 * NS_PER_S)          /* how old an answer of the file system may be … */
#define SPACE_ASK_SHORT_NS (200 * NS_PER_MS) /* … and while there is too little */
#define SPACE_ASK_SOON_NS (10 * NS_PER_MS)   /* … and where it may be used up */
#define SPACE_QUIET_NS (2 * NS_PER_S)        /* without a full disk, until it counts as over */

/* --- the journal's part --- */

/* Of the journal's room; `share` is that part of its size while the disk is full, when it is all
 * that there is. */
static const struct {
    uint64_t bytes, share;
} kept[] = {
    [SPACE_OF_RECORDS] = {320 << 10, 4},
    [SPACE_OF_GROUPS] = {256 << 10, 8},
    [SPACE_OF_CATALOG] = {192 << 10, UINT64_MAX},
};
enum { KEPT_FOR_TRIMS = 64 << 10 };

static enum space_kind kind_of(const struct partition *partition) {
    if (partition->definition.id == CATALOG_PARTITION_ID) return SPACE_OF_CATALOG;
    return partition->definition.internal ? SPACE_OF_GROUPS : SPACE_OF_RECORDS;
}

static uint64_t journal_kept(const struct store *store, enum space_kind kind) {
    uint64_t share = store->disk.short_since_ns ? store->journal.bytes / kept[kind].share : 0;
    return share > kept[kind].bytes ? share : kept[kind].bytes;
}

/* A partition's last block is not full and stays in memory: that much does not count. */
static bool memory_has(const struct store *store, enum space_kind kind, size_t bytes) {
    uint64_t rest = store->partitions.count * DISK_BLOCK;
    uint64_t most = store->options.unsettled_bytes_max;
    if (kind != SPACE_OF_RECORDS) most += most / 8;
    return store->unsettled_bytes <= rest || store->unsettled_bytes + bytes <= rest + most;
}

/* --- the disk's part --- */

uint64_t space_to_spare(const struct store *store) {
    if (store->disk.free_bytes == INT64_MAX) return UINT64_MAX;
    int64_t wanted = (int64_t)(store->unsettled_bytes + store->disk.written_bytes);
    int64_t spare = store->disk.free_bytes - wanted - SPACE_RESERVE_BYTES;
    return spare > 0 ? (uint64_t)spare : 0;
}

/* Behind one that has its offset, and cannot be written, nothing would be answered in time. */
static bool waits_for_disk(const struct partition *partition) {
    return partition->store->disk.short_since_ns && partition->unformed &&
           partition->unformed->bytes >= BYPASS_BYTES;
}

bool space_has(const struct partition *partition, size_t bytes) {
    const struct store *store = partition->store;
    enum space_kind kind = kind_of(partition);
    if (bytes > 0 && !memory_has(store, kind, bytes)) return false;
    if (!store->options.durable) return true;
    if (kind == SPACE_OF_RECORDS && bytes > space_to_spare(store)) return false;
    /* Its segment could not be written; what the journal takes can wait. */
    if (bytes >= BYPASS_BYTES && !list_is_empty(&store->settling)) return false;
    if (bytes > 0 && waits_for_disk(partition)) return false;
    uint64_t wanted = store->reserved_bytes + commit_reservation(partition, bytes);
    uint64_t rest = bytes > 0 ? journal_kept(store, kind) : KEPT_FOR_TRIMS;
    return journal_room(&store->journal) >= wanted + rest;
}

static void disk_is_short(struct store *store) {
    if (store->disk.short_since_ns) return;
    store->disk.short_since_ns = ring_now_ns(store->ring);
    say_error(
        "the disk of %s is full, or nearly: appends wait, and are refused with KAFKA_STORAGE_ERROR "
        "after their time-out, until there is space; reads go on, topics and records can be "
        "deleted (core %u)",
        disk_root(store->directory->disk), store->core);
}

static void disk_has_space(struct store *store) {
    uint64_t seconds = (ring_now_ns(store->ring) - store->disk.short_since_ns) / NS_PER_S;
    store->disk.short_since_ns = 0;
    say_info("the disk of %s has space again, after %llu s (core %u)",
             disk_root(store->directory->disk), (unsigned long long)seconds, store->core);
}

static void ask_run(struct work *work) {
    struct disk_space *disk = container_of(work, struct disk_space, work);
    int64_t found = disk_free_bytes(disk->store->directory->disk);
    disk->found_bytes = fault_hit(FAULT_disk_free) ? 0 : found < 0 ? INT64_MAX : found;
}

static void ask_done(struct work *work) {
    struct disk_space *disk = container_of(work, struct disk_space, work);
    struct store *store = disk->store;
    store->flows--;
    disk->asking = false;
    disk->asked_ns = ring_now_ns(store->ring);
    disk->free_bytes = disk->found_bytes;
    disk->written_bytes -= disk->written_asking;
    store->journal.growth_max = space_to_spare(store) / JOURNAL_SHARE;
    bool full = space_to_spare(store) == 0;
    if (full) disk_is_short(store);
    bool quiet = ring_now_ns(store->ring) - disk->met_full_ns >= SPACE_QUIET_NS;
    if (disk->short_since_ns && !full && quiet && list_is_empty(&store->settling))
        disk_has_space(store);
}

/* Asks the file system when its last answer is old; nothing is asked of it while nothing comes. */
static void disk_ask(struct store *store) {
    struct disk_space *disk = &store->disk;
    uint64_t age_ns = ring_now_ns(store->ring) - disk->asked_ns;
    uint64_t wanted_ns = disk->short_since_ns ? SPACE_ASK_SHORT_NS : SPACE_ASK_NS;
    if (disk->written_bytes > space_to_spare(store)) wanted_ns = SPACE_ASK_SOON_NS;
    if (disk->asking || age_ns < wanted_ns) return;
    disk->asking = true;
    disk->written_asking = disk->written_bytes;
    disk->store = store;
    disk->work = (struct work){.run = ask_run, .done = ask_done};
    store->flows++;
    ring_work(store->ring, &disk->work);
}

void space_met_full(struct store *store) {
    store->disk.met_full_ns = ring_now_ns(store->ring);
    disk_is_short(store);
    space_check_later(store);
}

void space_got_through(struct store *store) {
    if (list_is_empty(&store->settling)) return;
    store->disk.got_through = true;
    space_check_later(store);
}

/* --- waiting --- */

bool space_has_now(const struct partition *partition, size_t bytes) {
    return list_is_empty(&partition->store->space_queues[kind_of(partition)]) &&
           space_has(partition, bytes);
}

void space_queue(struct append *append) {
    struct partition *partition = append->partition;
    list_append(&partition->store->space_queues[kind_of(partition)], &append->link);
    partition_pin(partition);
    space_check_later(partition->store);
}

bool space_is_awaited(const struct store *store) {
    for (size_t kind = 0; kind < SPACE_KINDS; kind++)
        if (!list_is_empty(&store->space_queues[kind])) return true;
    return false;
}

void space_check_later(struct store *store) {
    if (timer_is_armed(&store->space)) return;
    timer_arm(store->ring, &store->space, ring_now_ns(store->ring) + SPACE_CHECK_MS * NS_PER_MS);
}

static void append_leave(struct append *append, bool takes) {
    struct partition *partition = append->partition;
    enum append_state state = APPEND_REFUSED;
    list_remove(&append->link);
    append->code = partition->dead ? ERROR_UNKNOWN_TOPIC_OR_PARTITION : ERROR_KAFKA_STORAGE_ERROR;
    append->base_offset = -1;
    if (takes) {
        state = partition_append_now(partition, append);
    } else if (!partition->dead) {
        partition->store->disk.refused++;
        partition_mark_refused(partition, &append->header);
    }
    if (state == APPEND_REFUSED) append->done(append);
    partition_unpin(partition);
}

/* In order of arrival, so that a producer's sequences stay in order. */
static void queue_round(struct store *store, struct list *queue) {
    while (!list_is_empty(queue)) {
        struct append *append = list_entry(list_first(queue), struct append, link);
        struct partition *partition = append->partition;
        bool stored = !partition->dead && partition_has_stored(partition, append);
        bool space = stored || space_has(partition, append->batch.len);
        if (!space && !store->stopping && !partition->dead) return;
        append_leave(append, stored || (space && !store->stopping && !partition->dead));
    }
}

void space_round(struct store *store) {
    bool awaited = space_is_awaited(store);
    if (store->options.durable && (awaited || store->reserved_bytes > 0)) disk_ask(store);
    for (size_t kind = 0; awaited && kind < SPACE_KINDS; kind++)
        queue_round(store, &store->space_queues[kind]);
}

/* Also those behind one that may wait longer. */
static void queue_expire(struct store *store, struct list *queue) {
    uint64_t now = ring_now_ns(store->ring);
    struct list due;
    list_init(&due);
    list_each(node, queue) {
        const struct append *append = list_entry(node, struct append, link);
        if (!append->deadline_ns || now < append->deadline_ns) continue;
        list_remove(node);
        list_append(&due, node);
    }
    for (struct list *node; (node = list_first(&due));)
        append_leave(list_entry(node, struct append, link), false);
}

/* A few of them, unless one has just got through: each asks the file system for room. */
static void settle_try(struct store *store) {
    struct list due;
    list_init(&due);
    unsigned count = 0, most = store->disk.got_through ? UINT32_MAX : SPACE_TRIES_MAX;
    store->disk.got_through = false;
    store->disk.tried_ns = ring_now_ns(store->ring);
    for (struct list *node; count < most && (node = list_first(&store->settling)); count++) {
        list_remove(node);
        list_append(&due, node);
    }
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        settle_again(list_entry(node, struct partition, settling));
    }
}

void space_timer(struct timer *timer) {
    struct store *store = container_of(timer, struct store, space);
    uint64_t now = ring_now_ns(store->ring);
    overdue_answer(store);
    bool due = now - store->disk.tried_ns >= SPACE_ASK_SHORT_NS;
    if (due || store->disk.got_through) settle_try(store);
    for (size_t kind = 0; kind < SPACE_KINDS; kind++)
        queue_expire(store, &store->space_queues[kind]);
    if (store->disk.short_since_ns) disk_ask(store);
    if (space_is_awaited(store) || store->disk.short_since_ns || !list_is_empty(&store->settling))
        space_check_later(store);
}
