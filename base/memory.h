/* Heap allocation that works or stops the process: inside, running out of memory is not a case to
 * handle, because budgets refuse work long before (architecture, "Bounds"). Free with free(). */
#pragma once

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

/* The struct that embeds `member`, from a pointer to the member. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define array_count(array) (sizeof(array) / sizeof((array)[0]))

/* Uninitialised memory; size 0 gives a unique pointer. */
void *memory_new(size_t size);
/* Zeroed memory for count elements; overflow of the product stops the process. */
void *memory_zero(size_t count, size_t size);
/* Grows or shrinks; the content is kept. */
void *memory_resize(void *old, size_t size);
/* Memory aligned for O_DIRECT; alignment is a power of two. Free with free(). */
void *memory_aligned(size_t alignment, size_t size);
char *memory_copy_text(const char *text);
/* memcpy() for long runs of bytes, in pieces: beyond 2,112 bytes C libraries before glibc 2.40 use
 * an instruction that AMD's cores since Zen 3 execute at a fifteenth of their speed when the
 * destination lies up to 63 bytes further in its page than the source does in its own, as it does
 * when headers move what follows them (glibc's bug 30994). */
void memory_copy(void *to, const void *from, size_t len);

#define new_zero(type) ((type *)memory_zero(1, sizeof(type)))
