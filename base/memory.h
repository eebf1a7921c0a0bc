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

#define new_zero(type) ((type *)memory_zero(1, sizeof(type)))
