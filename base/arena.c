#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

enum { ALIGNMENT = 16, BLOCK_MIN = 1024, BLOCK_MAX = 64 * 1024 };

/* So that plain malloc() does; posix_memalign() has no fast path for small blocks. */
static_assert(alignof(max_align_t) >= ALIGNMENT, "alignment of malloc");

struct arena_block {
    struct arena_block *older;
    size_t size;
};

void arena_init(struct arena *arena, size_t limit) { *arena = (struct arena){.limit = limit}; }

void arena_lend(struct arena *arena, void *memory, size_t size) {
    check(!arena->next && (uintptr_t)memory % ALIGNMENT == 0);
    arena->next = memory;
    arena->end = arena->next + size;
}

void arena_reset(struct arena *arena) {
    for (struct arena_block *block = arena->newest; block;) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    arena_init(arena, arena->limit);
}

static void arena_grow(struct arena *arena, size_t size) {
    size_t block_size = arena->newest ? arena->newest->size * 2 : BLOCK_MIN;
    if (block_size > BLOCK_MAX) block_size = BLOCK_MAX;
    size_t header = round_up(sizeof(struct arena_block), ALIGNMENT);
    if (block_size < size + header) block_size = size + header;
    struct arena_block *block = memory_new(block_size);
    block->older = arena->newest;
    block->size = block_size;
    arena->newest = block;
    arena->next = (uint8_t *)block + header;
    arena->end = (uint8_t *)block + block_size;
}

void *arena_try(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT) return NULL;
    size = round_up(size ? size : 1, ALIGNMENT);
    if (size > arena->limit - arena->used) return NULL;
    if (!arena->next || size > (size_t)(arena->end - arena->next)) arena_grow(arena, size);
    void *at = arena->next;
    arena->next += size;
    arena->used += size;
    return at;
}

void *arena_zero(struct arena *arena, size_t count, size_t size) {
    size_t total;
    check(!__builtin_mul_overflow(count, size, &total));
    void *at = arena_try(arena, total);
    check(at && "arena limit");
    return memset(at, 0, total);
}

struct bytes arena_copy(struct arena *arena, struct bytes source) {
    if (bytes_is_null(source)) return BYTES_NULL;
    uint8_t *at = arena_zero(arena, 1, source.len);
    memcpy(at, source.at, source.len);
    return bytes_make(at, source.len);
}

char *arena_text(struct arena *arena, struct bytes source) {
    char *text = arena_zero(arena, 1, source.len + 1);
    if (source.len) memcpy(text, source.at, source.len);
    return text;
}

char *arena_format(struct arena *arena, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, list);
    check(len >= 0);
    char *text = arena_zero(arena, 1, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(list);
    va_end(again);
    return text;
}
