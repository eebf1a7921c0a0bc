/* Memory that lives as long as one request and is freed at once.
 * The owner of the arena owns everything allocated from it. Blocks double from 1 KiB to 64 KiB; a
 * large allocation gets a block of its own. `limit` bounds the bytes handed out: past it
 * arena_try() answers NULL (for sizes that a peer chose) and arena_new() stops the process. */
#pragma once

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *newest;
    uint8_t *next, *end;
    size_t used;
    size_t limit;
};

void arena_init(struct arena *arena, size_t limit);
/* Memory of the owner's, aligned to 16, that is handed out before any block is asked for; for an
 * arena from which nothing was taken yet. It counts towards the limit and is never freed here. */
void arena_lend(struct arena *arena, void *memory, size_t size);
/* Frees everything and forgets what was lent; the arena may be used again with the same limit. */
void arena_reset(struct arena *arena);
#define arena_deinit arena_reset

/* Memory aligned to 16, not initialised; NULL when the limit would be passed. */
void *arena_try(struct arena *arena, size_t size);
/* As arena_try, zeroed; stops the process at the limit. */
void *arena_zero(struct arena *arena, size_t count, size_t size);
struct bytes arena_copy(struct arena *arena, struct bytes source);
/* A terminated copy. */
char *arena_text(struct arena *arena, struct bytes source);
/* A terminated, formatted text. */
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define arena_new(arena, type) ((type *)arena_zero(arena, 1, sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_zero(arena, count, sizeof(type)))
