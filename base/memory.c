#include "base/memory.h"

#include <stdint.h>
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

void memory_copy(void *to, const void *from, size_t len) {
    enum { PIECE_BYTES = 2048 };
    uint8_t *into = to;
    const uint8_t *at = from;
    while (len) {
        size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES;
        memmove(into, at, piece); /* compilers put that very instruction for a short memcpy() */
        into += piece;
        at += piece;
        len -= piece;
    }
}
