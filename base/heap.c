#include "base/heap.h"

#include "base/check.h"
#include "base/memory.h"

void heap_init(struct heap *heap) { *heap = (struct heap){0}; }

void heap_deinit(struct heap *heap) {
    free(heap->nodes);
    heap_init(heap);
}

static void heap_set(struct heap *heap, size_t place, struct heap_node *node) {
    heap->nodes[place - 1] = node;
    node->place = place;
}

static struct heap_node *heap_at(const struct heap *heap, size_t place) {
    return heap->nodes[place - 1];
}

static void heap_rise(struct heap *heap, struct heap_node *node) {
    size_t place = node->place;
    for (; place > 1 && heap_at(heap, place / 2)->key > node->key; place /= 2)
        heap_set(heap, place, heap_at(heap, place / 2));
    heap_set(heap, place, node);
}

static void heap_sink(struct heap *heap, struct heap_node *node) {
    size_t place = node->place;
    for (;;) {
        size_t child = place * 2;
        if (child > heap->count) break;
        if (child < heap->count && heap_at(heap, child + 1)->key < heap_at(heap, child)->key)
            child++;
        if (heap_at(heap, child)->key >= node->key) break;
        heap_set(heap, place, heap_at(heap, child));
        place = child;
    }
    heap_set(heap, place, node);
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t key) {
    if (!heap_has(node)) {
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity ? heap->capacity * 2 : 16;
            heap->nodes = memory_resize(heap->nodes, heap->capacity * sizeof *heap->nodes);
        }
        heap_set(heap, ++heap->count, node);
    }
    node->key = key;
    heap_rise(heap, node);
    heap_sink(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (!heap_has(node)) return;
    check(heap_at(heap, node->place) == node);
    struct heap_node *last = heap_at(heap, heap->count--);
    if (last != node) {
        heap_set(heap, node->place, last);
        heap_rise(heap, last);
        heap_sink(heap, last);
    }
    node->place = 0;
}

struct heap_node *heap_top(const struct heap *heap) {
    return heap->count ? heap->nodes[0] : NULL;
}
