#include "storage/window.h"

#include <errno.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"

static uint64_t window_hash(uint64_t file, uint64_t position) {
    return hash_u64(file ^ hash_u64(position));
}

void windows_init(struct windows *windows, struct ring *ring, struct chunk_pool *pool,
                  uint32_t *flows, uint64_t bytes_max) {
    *windows = (struct windows){.ring = ring, .pool = pool, .flows = flows, .bytes_max = bytes_max};
    map_init(&windows->by_place);
    list_init(&windows->idle);
    list_init(&windows->roomless);
}

/* --- the table --- */

static void window_unlist(struct window *window) {
    struct windows *windows = window->windows;
    if (!window->listed) return;
    window->listed = false;
    map_remove(&windows->by_place, &window->by_place);
    windows->bytes -= WINDOW_BYTES;
}

static void window_free(struct window *window) {
    window_unlist(window);
    list_remove(&window->idle);
    chunk_release(window->chunk);
    free(window);
}

void windows_deinit(struct windows *windows) {
    for (struct map_node *node; (node = map_first(&windows->by_place));) {
        struct window *window = map_entry(node, struct window, by_place);
        segment_file_release(window->source);
        window_free(window);
    }
    map_deinit(&windows->by_place);
}

static struct window *window_find(const struct windows *windows, uint64_t file, uint64_t position) {
    struct map_node *node = map_find(&windows->by_place, window_hash(file, position));
    for (; node; node = map_find_next(node)) {
        struct window *window = map_entry(node, struct window, by_place);
        if (window->file == file && window->position == position) return window;
    }
    return NULL;
}

/* Whether there is room for one more, after letting go of one that nobody holds. */
static bool windows_make_room(struct windows *windows) {
    if (windows->bytes + WINDOW_BYTES <= windows->bytes_max) return true;
    struct list *oldest = list_first(&windows->idle);
    if (!oldest) return false;
    window_free(list_entry(oldest, struct window, idle));
    return windows->bytes + WINDOW_BYTES <= windows->bytes_max;
}

static struct window *window_new(struct windows *windows, uint64_t file, uint64_t position) {
    struct window *window = new_zero(struct window);
    window->windows = windows;
    window->file = file;
    window->position = position;
    window->chunk = chunk_new(windows->pool, (struct place){0, position}, WINDOW_BYTES);
    list_init(&window->idle);
    list_init(&window->waiters);
    map_insert(&windows->by_place, &window->by_place, window_hash(file, position));
    window->listed = true;
    windows->bytes += WINDOW_BYTES;
    return window;
}

/* Nobody needs it now: it waits for the next reader, or for its room to be wanted. */
static void window_rest(struct window *window) {
    if (window->holders > 0 || window->loading) return;
    if (window->listed)
        list_append(&window->windows->idle, &window->idle);
    else
        window_free(window);
}

/* --- loading --- */

/* Whether it had to wait for the disk decides about loading ahead: while the page cache has what
 * follows, the loop copies that itself. */
static void window_run(struct work *work) {
    struct window *window = container_of(work, struct window, work);
    uint8_t *into = window->chunk->at + window->len;
    uint64_t position = window->position + window->len;
    size_t len = window->wanted - window->len;
    int fault = fault_hit(FAULT_segment_read);
    int64_t got = fault ? -fault : file_read_cached(window->handle, into, len, position);
    window->waited = got != (int64_t)len;
    if (!fault && window->waited) got = file_read_at(window->handle, into, len, position);
    window->outcome = got < 0 ? (int)got : got < (int64_t)len ? -EIO : 0; /* shorter than it says */
}

static void window_loaded(struct work *work) {
    struct window *window = container_of(work, struct window, work);
    struct list woken;
    window->loading = false;
    --*window->windows->flows;
    segment_file_release(window->source);
    window->source = NULL;
    window->result = window->outcome;
    window->from_disk = window->waited;
    if (window->result == 0) window->len = window->wanted;
    if (window->result < 0) window_unlist(window); /* the next reader asks the disk again */
    list_init(&woken);
    list_move_all(&woken, &window->waiters);
    window->holders++;
    for (struct list *node; (node = list_first(&woken));) {
        struct window_waiter *waiter = list_entry(node, struct window_waiter, link);
        list_remove(node);
        waiter->ready(waiter);
    }
    window_give(window);
}

static bool window_copy_cached(struct window *window, struct segment_file *file, size_t wanted) {
    size_t len = wanted - window->len;
    if (file_read_cached(file->read, window->chunk->at + window->len, len,
                         window->position + window->len) != (int64_t)len)
        return false;
    window->len = wanted;
    window->windows->loads++;
    return true;
}

static void window_load(struct window *window, struct segment_file *file, size_t wanted) {
    window->windows->loads++;
    window->loading = true;
    window->wanted = wanted;
    window->source = file;
    window->handle = file->read;
    segment_file_pin(file);
    window->work = (struct work){.run = window_run, .done = window_loaded};
    ++*window->windows->flows;
    ring_work(window->windows->ring, &window->work);
}

static struct window *window_find_or_make(struct windows *windows, const struct segment_file *file,
                                          uint64_t position) {
    struct window *window = window_find(windows, file->number, position);
    if (window || !windows_make_room(windows)) return window;
    return window_new(windows, file->number, position);
}

struct window *window_take(struct windows *windows, struct segment_file *file, uint64_t position) {
    check(file->number && position % WINDOW_BYTES == 0);
    struct window *window = window_find_or_make(windows, file, position);
    if (!window) return NULL;
    window->holders++;
    list_remove(&window->idle);
    return window;
}

bool window_want(struct window *window, struct segment_file *file, size_t wanted,
                 unsigned *inline_left) {
    check(window->holders > 0 && file->read && wanted <= WINDOW_BYTES);
    if (window->result < 0 || window->len >= wanted) return true;
    if (window->loading) return false;
    bool tries = *inline_left > 0;
    if (tries) --*inline_left;
    if (tries && window_copy_cached(window, file, wanted)) return true;
    *inline_left = 0; /* what follows is hardly cached either */
    window_load(window, file, wanted);
    return false;
}

void window_ahead(struct windows *windows, struct segment_file *file, uint64_t position,
                  size_t wanted) {
    struct window *window = window_find_or_make(windows, file, position);
    if (!window || window->loading || window->len >= wanted) return;
    list_remove(&window->idle);
    window_load(window, file, wanted);
}

void window_give(struct window *window) {
    check(window->holders > 0);
    window->holders--;
    window_rest(window);
}

/* --- waiting --- */

void window_wait(struct window *window, struct window_waiter *waiter) {
    check(window->loading && !list_is_linked(&waiter->link));
    list_append(&window->waiters, &waiter->link);
}

void windows_wait(struct windows *windows, struct window_waiter *waiter) {
    check(!list_is_linked(&waiter->link));
    list_append(&windows->roomless, &waiter->link);
}

void windows_round(struct windows *windows) {
    struct list due;
    if (list_is_empty(&windows->roomless) || !windows_make_room(windows)) return;
    list_init(&due);
    list_move_all(&due, &windows->roomless);
    for (struct list *node; (node = list_first(&due));) {
        struct window_waiter *waiter = list_entry(node, struct window_waiter, link);
        list_remove(node);
        waiter->ready(waiter);
    }
}
