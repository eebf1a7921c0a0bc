/* Pieces of segment files in memory, for readers that lag: 256 KiB at a multiple of that, or as
 * much of it as is settled. A window is read once, for all who want it while it is there, and ahead
 * of readers whose windows come from the disk; together a core's windows are bounded.
 *
 *   window_take() ──► LOADING ──► READY ──more is settled, and wanted──► LOADING …
 *                        └──────► FAILED: out of the table; its holders see `result`
 *
 * What is in the page cache is copied at once, without waiting (RWF_NOWAIT); the rest is a
 * worker's. A window that nobody holds stays until its room is needed, the one used longest ago
 * first. Its bytes never change below `len`; the memory is a chunk, which an answer on its way may
 * pin for longer than the window lives. One core's, on its thread. */
#pragma once

#include "base/map.h"
#include "io/ring.h"
#include "storage/chunk.h"
#include "storage/segment.h"

enum {
    WINDOW_BYTES = 256 << 10,
    WINDOWS_AHEAD = 4,  /* behind the last that a reader wants */
    WINDOWS_INLINE = 5, /* copied from the page cache at a time: they hold up the core */
};

struct windows {
    struct ring *ring;
    struct chunk_pool *pool;
    uint32_t *flows; /* of the store: loads under way */
    struct map by_place;
    struct list idle;     /* held by nobody, the one used longest ago first */
    struct list roomless; /* struct window_waiter: who waits for room */
    uint64_t bytes, bytes_max;
    uint64_t loads; /* from a file, so far */
};

struct window {
    struct map_node by_place;
    struct list idle;
    struct windows *windows;
    uint64_t file; /* number of the segment file: a file that takes its place has another */
    uint64_t position;
    struct chunk *chunk;
    size_t len;
    int result;
    uint32_t holders;
    bool loading, from_disk, listed;
    struct list waiters;
    /* The load under way */
    struct work work;
    struct segment_file *source; /* pinned */
    struct file *handle;
    size_t wanted;
    int outcome; /* the worker's, like the next one, until the loop has taken it */
    bool waited; /* for the disk */
};

/* Called from the loop, never from inside a call here. */
struct window_waiter {
    struct list link; /* list_init() before first use */
    void (*ready)(struct window_waiter *waiter);
};

void windows_init(struct windows *windows, struct ring *ring, struct chunk_pool *pool,
                  uint32_t *flows, uint64_t bytes_max);
/* No load is under way, or the world of its ring has ended. */
void windows_deinit(struct windows *windows);
/* Each round: whoever waited for room tries again once there is some. */
void windows_round(struct windows *windows);

/* Holds the window of an open file at `position`. NULL: there is no room; see windows_wait(). */
struct window *window_take(struct windows *windows, struct segment_file *file, uint64_t position);
/* True when its first `wanted` bytes are there, or never will be (`result` says why). False: they
 * are being loaded; see window_wait(). `inline_left` counts down the copies that may be made at
 * once. */
bool window_want(struct window *window, struct segment_file *file, size_t wanted,
                 unsigned *inline_left);
void window_give(struct window *window);
/* Loads it for later, when there is room. */
void window_ahead(struct windows *windows, struct segment_file *file, uint64_t position,
                  size_t wanted);
/* While it is being loaded. */
void window_wait(struct window *window, struct window_waiter *waiter);
void windows_wait(struct windows *windows, struct window_waiter *waiter);
