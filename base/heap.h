/* Intrusive binary min-heap over uint64_t keys (deadlines). The heap owns only its pointer array;
 * nodes know their place, so removal is logarithmic. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    size_t place; /* 1-based index in the heap; 0 when not in it */
};

struct heap {
    struct heap_node **nodes;
    size_t count, capacity;
};

void heap_init(struct heap *heap);
void heap_deinit(struct heap *heap);
/* Inserts, or moves when it is in the heap already. */
void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
/* Harmless when the node is not in the heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The node with the smallest key, or NULL. */
struct heap_node *heap_top(const struct heap *heap);
static inline bool heap_has(const struct heap_node *node) { return node->place != 0; }
