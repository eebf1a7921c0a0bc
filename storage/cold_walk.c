#include "storage/cold_walk.h"

#include "base/check.h"
#include "base/crc32c.h"

enum { CRC_COVERS_FROM = 21 };

static uint64_t held_end(const struct cold_walk *walk) {
    return walk->held_from + (uint64_t)walk->held_count * WINDOW_BYTES;
}

/* What of this window is settled. */
static size_t window_wanted(const struct cold_walk *walk, uint64_t position) {
    return walk->upto - position < WINDOW_BYTES ? walk->upto - position : WINDOW_BYTES;
}

static void walk_let_go(struct cold_walk *walk, uint64_t before) {
    unsigned gone = 0;
    while (gone < walk->held_count &&
           walk->held_from + (uint64_t)(gone + 1) * WINDOW_BYTES <= before)
        window_give(walk->held[gone++]);
    walk->held_count -= gone;
    walk->held_from += (uint64_t)gone * WINDOW_BYTES;
    memmove(walk->held, walk->held + gone, walk->held_count * sizeof *walk->held);
}

enum hold_state { HOLD_DONE, HOLD_TOO_MUCH, HOLD_NO_ROOM };

/* Holds the windows up to `to`, from the first batch of the answer on, else from `from` on. */
static enum hold_state walk_hold(struct cold_walk *walk, uint64_t from, uint64_t to) {
    walk_let_go(walk, walk->reached ? walk->found : from);
    if (walk->held_count == 0) walk->held_from = round_down(from, WINDOW_BYTES);
    while (held_end(walk) < to) {
        if (walk->held_count == COLD_WINDOWS_MAX) return HOLD_TOO_MUCH;
        struct window *window = window_take(walk->windows, walk->file, held_end(walk));
        if (!window) return HOLD_NO_ROOM;
        walk->held[walk->held_count++] = window;
    }
    return HOLD_DONE;
}

enum need_state { NEED_MET, NEED_WAITS, NEED_FAILED };

/* Whether [from, to) is in windows. All that are missing are asked for before one is waited for. */
static enum need_state walk_need(struct cold_walk *walk, uint64_t from, uint64_t to,
                                 struct window_waiter *waiter) {
    enum hold_state hold = walk_hold(walk, from, to);
    if (hold == HOLD_TOO_MUCH) return NEED_FAILED;
    if (hold == HOLD_NO_ROOM) {
        windows_wait(walk->windows, waiter);
        return NEED_WAITS;
    }
    struct window *missing = NULL;
    bool failed = false;
    for (unsigned at = 0; at < walk->held_count; at++) {
        struct window *window = walk->held[at];
        if (window->position + WINDOW_BYTES <= from || window->position >= to) continue;
        size_t wanted = window_wanted(walk, window->position);
        if (!window_want(window, walk->file, wanted, &walk->inline_left) && !missing)
            missing = window;
        failed |= window->result < 0;
        walk->from_disk |= window->from_disk;
    }
    if (failed) return NEED_FAILED;
    if (!missing) return NEED_MET;
    window_wait(missing, waiter);
    return NEED_WAITS;
}

void cold_walk_begin(struct cold_walk *walk) {
    uint64_t to = walk->at + walk->bytes_max;
    uint64_t most = round_down(walk->at, WINDOW_BYTES) + COLD_BYTES_MIN;
    walk->inline_left = WINDOWS_INLINE;
    if (to > walk->upto) to = walk->upto;
    if (to > most) to = most;
    if (walk->at >= to || walk_hold(walk, walk->at, to) == HOLD_NO_ROOM) return;
    for (unsigned at = 0; at < walk->held_count; at++) {
        struct window *window = walk->held[at];
        size_t wanted = window_wanted(walk, window->position);
        window_want(window, walk->file, wanted, &walk->inline_left);
    }
}

/* The slice of a held window that begins at `position`, no longer than `len`. */
static struct bytes walk_slice(const struct cold_walk *walk, uint64_t position, size_t len) {
    size_t skip = position % WINDOW_BYTES;
    const struct window *window = walk->held[(position - walk->held_from) / WINDOW_BYTES];
    check(skip < window->len);
    size_t there = window->len - skip;
    return bytes_make(window->chunk->at + skip, there < len ? there : len);
}

static bool walk_header(const struct cold_walk *walk, struct batch_header *header) {
    uint8_t bytes[BATCH_HEADER_SIZE];
    for (size_t at = 0; at < sizeof bytes;) {
        struct bytes slice = walk_slice(walk, walk->at + at, sizeof bytes - at);
        memcpy(bytes + at, slice.at, slice.len);
        at += slice.len;
    }
    return batch_header_read(bytes_make(bytes, sizeof bytes), header);
}

static bool walk_crc_holds(const struct cold_walk *walk, const struct batch_header *header) {
    uint32_t crc = 0;
    for (uint64_t at = walk->at + CRC_COVERS_FROM, end = walk->at + batch_size(header); at < end;) {
        struct bytes slice = walk_slice(walk, at, end - at);
        crc = crc32c_extend(crc, slice.at, slice.len);
        at += slice.len;
    }
    return crc == header->crc;
}

bool cold_walk_fits(const struct cold_walk *walk, const struct batch_header *header) {
    return header->base_offset == walk->next_offset ||
           (walk->has_gaps && header->base_offset > walk->next_offset);
}

void cold_walk_pass(struct cold_walk *walk, const struct batch_header *header) {
    walk->at += batch_size(header);
    walk->next_offset = batch_last_offset(header) + 1;
}

/* What stops the walk: with something to answer, that is all there is to say. */
static enum walk_state walk_stop(const struct cold_walk *walk, enum walk_state otherwise) {
    return walk->reached ? WALK_DONE : otherwise;
}

/* Takes the batch at `at` into the answer. WALK_DONE: it did. */
static enum walk_state walk_take(struct cold_walk *walk, const struct batch_header *header,
                                 struct window_waiter *waiter) {
    size_t size = batch_size(header);
    enum need_state need = walk_need(walk, walk->at, walk->at + size, waiter);
    if (need == NEED_WAITS) return WALK_WAITS;
    if (need == NEED_FAILED) return WALK_ALONE;
    if (!walk_crc_holds(walk, header)) return WALK_ALONE;
    if (!walk->reached) walk->found = walk->at;
    cold_walk_pass(walk, header);
    walk->reached = walk->at;
    return WALK_DONE;
}

enum walk_state cold_walk_on(struct cold_walk *walk, struct window_waiter *waiter) {
    for (;;) {
        if (walk->at + BATCH_HEADER_SIZE > walk->upto)
            return walk_stop(walk, walk->at < walk->end ? WALK_CUT : WALK_DONE);
        enum need_state need = walk_need(walk, walk->at, walk->at + BATCH_HEADER_SIZE, waiter);
        if (need == NEED_WAITS) return WALK_WAITS;
        if (need == NEED_FAILED) return walk_stop(walk, WALK_ALONE);
        struct batch_header header;
        if (!walk_header(walk, &header) || !cold_walk_fits(walk, &header))
            return walk_stop(walk, WALK_ALONE);
        size_t size = batch_size(&header), total = walk->reached ? walk->reached - walk->found : 0;
        if (batch_last_offset(&header) < walk->offset) {
            cold_walk_pass(walk, &header);
            continue;
        }
        bool fits = total + size <= walk->bytes_max || (total == 0 && walk->minimum_one);
        if (!fits) return walk_stop(walk, WALK_FULL);
        if (walk->at + size > walk->upto) return walk_stop(walk, WALK_CUT);
        enum walk_state taken = walk_take(walk, &header, waiter);
        if (taken == WALK_WAITS) return taken;
        if (taken != WALK_DONE) return walk_stop(walk, taken);
    }
}

void cold_walk_end(struct cold_walk *walk) {
    uint64_t next = held_end(walk);
    bool goes_on = walk->reached && walk->from_disk;
    walk_let_go(walk, UINT64_MAX);
    for (unsigned ahead = 0; goes_on && ahead < WINDOWS_AHEAD && next < walk->upto; ahead++) {
        window_ahead(walk->windows, walk->file, next, window_wanted(walk, next));
        next += WINDOW_BYTES;
    }
}
