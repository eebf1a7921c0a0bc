/* Intrusive doubly linked list: a ring of nodes through its head. A node is embedded in its owner
 * and belongs to at most one list; a node that is not in a list points at itself, so removing twice
 * is harmless. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *node) { node->next = node->previous = node; }
static inline bool list_is_empty(const struct list *head) { return head->next == head; }
static inline bool list_is_linked(const struct list *node) { return node->next != node; }

static inline void list_insert_before(struct list *at, struct list *node) {
    node->next = at;
    node->previous = at->previous;
    at->previous->next = node;
    at->previous = node;
}
static inline void list_append(struct list *head, struct list *node) {
    list_insert_before(head, node);
}
static inline void list_prepend(struct list *head, struct list *node) {
    list_insert_before(head->next, node);
}
static inline void list_remove(struct list *node) {
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}
/* The first node, or NULL. */
static inline struct list *list_first(const struct list *head) {
    return list_is_empty(head) ? NULL : head->next;
}
/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_move_all(struct list *to, struct list *from) {
    if (list_is_empty(from)) return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)
/* Iteration that allows removing `node` itself. */
#define list_each(node, head)                                                         \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)
