#include "base/slab.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/memory.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { SLAB_GAP = SLAB_PAGE };
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
enum { SLAB_GAP = 0 };
#endif

struct slab {
    struct slab *older;
    uint8_t *at;
    size_t carved;
};

/* What of a slab is not carved was never touched: it costs nothing. Without huge pages, which would
 * come and go as a whole. */
static struct slab *slab_new(struct slab *older) {
    void *at = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED && "out of memory");
    madvise(at, SLAB_BYTES, MADV_NOHUGEPAGE); /* a kernel may know of none */
    struct slab *slab = new_zero(struct slab);
    *slab = (struct slab){.older = older, .at = at};
    return slab;
}

void *slabs_carve(struct slabs *slabs, size_t size) {
    check(size > 0 && size % SLAB_PAGE == 0 && size <= SLAB_BYTES / 2);
    struct slab *slab = slabs->newest;
    if (!slab || slab->carved + size + SLAB_GAP > SLAB_BYTES) slab = slabs->newest = slab_new(slab);
    uint8_t *at = slab->at + slab->carved;
    slab_rest(at + size, SLAB_GAP);
    slab->carved += size + SLAB_GAP;
    slabs->carved_bytes += size;
    return at;
}

void slabs_deinit(struct slabs *slabs) {
    while (slabs->newest) {
        struct slab *slab = slabs->newest;
        slabs->newest = slab->older;
        slab_use(slab->at, slab->carved);
        munmap(slab->at, SLAB_BYTES);
        free(slab);
    }
    *slabs = (struct slabs){0};
}

void slab_rest(void *at, size_t size) { ASAN_POISON_MEMORY_REGION(at, size); }

void slab_use(void *at, size_t size) { ASAN_UNPOISON_MEMORY_REGION(at, size); }

void slab_give_back(void *at, size_t size) {
    madvise(at, size, MADV_DONTNEED); /* or it stays, where memory is locked */
    slab_rest(at, size);
}
