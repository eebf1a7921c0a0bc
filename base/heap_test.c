#include "base/heap.h"

#include <criterion/criterion.h>

#include "base/random.h"

enum { NODES = 500 };

/* What the heap must agree with: a look at every node. */
static uint64_t smallest_key(const struct heap_node *nodes) {
    uint64_t smallest = UINT64_MAX;
    for (int at = 0; at < NODES; at++)
        if (heap_has(&nodes[at]) && nodes[at].key < smallest) smallest = nodes[at].key;
    return smallest;
}

Test(heap, empty_has_no_top) {
    struct heap heap;
    heap_init(&heap);
    cr_assert_null(heap_top(&heap));
    heap_deinit(&heap);
}

Test(heap, pops_in_order) {
    struct heap heap;
    struct heap_node nodes[NODES] = {0};
    struct random random;
    heap_init(&heap);
    random_init(&random, 1);
    for (int at = 0; at < NODES; at++) heap_put(&heap, &nodes[at], random_below(&random, 100));
    uint64_t last = 0;
    for (int at = 0; at < NODES; at++) {
        struct heap_node *top = heap_top(&heap);
        cr_assert_geq(top->key, last);
        last = top->key;
        heap_remove(&heap, top);
        cr_assert_not(heap_has(top));
    }
    cr_assert_null(heap_top(&heap));
    heap_deinit(&heap);
}

Test(heap, random_puts_moves_and_removals_keep_the_top_right) {
    struct heap heap;
    struct heap_node nodes[NODES] = {0};
    struct random random;
    heap_init(&heap);
    random_init(&random, 2);
    for (int round = 0; round < 5000; round++) {
        struct heap_node *node = &nodes[random_below(&random, NODES)];
        if (random_below(&random, 3))
            heap_put(&heap, node, random_below(&random, 1000));
        else
            heap_remove(&heap, node);
        cr_assert_eq(heap_top(&heap) ? heap_top(&heap)->key : UINT64_MAX, smallest_key(nodes));
    }
    heap_deinit(&heap);
}

Test(heap, removing_what_is_not_in_it_is_harmless) {
    struct heap heap;
    struct heap_node in = {0}, out = {0};
    heap_init(&heap);
    heap_put(&heap, &in, 5);
    heap_remove(&heap, &out);
    cr_assert_eq(heap_top(&heap), &in);
    heap_deinit(&heap);
}
