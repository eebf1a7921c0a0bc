#include "base/memory.h"

#include <string.h>

#include "base/check.h"

void *memory_new(size_t size) {
    void *at = malloc(size ? size : 1);
    check(at && "out of memory");
    return at;
}

void *memory_zero(size_t count, size_t size) {
    void *at = calloc(count ? count : 1, size ? size : 1);
    check(at && "out of memory");
    return at;
}

void *memory_resize(void *old, size_t size) {
    void *at = realloc(old, size ? size : 1);
    check(at && "out of memory");
    return at;
}

void *memory_aligned(size_t alignment, size_t size) {
    void *at = NULL;
    check(posix_memalign(&at, alignment, size ? size : alignment) == 0);
    return at;
}

char *memory_copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(memory_new(size), text, size);
}
