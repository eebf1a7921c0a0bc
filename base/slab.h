/* Memory in pieces of whole pages, carved one behind the other from large maps of the system: they
 * leave no holes in the heap, and the memory of each can go back by itself. A piece keeps its place
 * until slabs_deinit(), which ends all of them; who keeps lists of free pieces says so with
 * slab_rest() and slab_use(), so that AddressSanitizer sees what touches them in between (and, a
 * page apart, what writes beyond them). For one thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SLAB_PAGE = 4096, SLAB_BYTES = 8 << 20 };

struct slab;
struct slabs {
    struct slab *newest;
    uint64_t carved_bytes; /* of all pieces */
};

/* A piece in use, of zeros; a multiple of SLAB_PAGE up to SLAB_BYTES / 2. `slabs` begins zeroed. */
void *slabs_carve(struct slabs *slabs, size_t size);
void slabs_deinit(struct slabs *slabs);
/* Nobody may touch the piece from here on … */
void slab_rest(void *at, size_t size);
/* … to here. */
void slab_use(void *at, size_t size);
/* As slab_rest(), and its memory goes back to the system with what it holds. */
void slab_give_back(void *at, size_t size);
