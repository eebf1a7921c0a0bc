#include "base/list.h"

#include <criterion/criterion.h>

struct item {
    int number;
    struct list node;
};

static int list_digits(struct list *head) {
    int digits = 0;
    list_each(node, head) digits = digits * 10 + list_entry(node, struct item, node)->number;
    return digits;
}

static void items_init(struct item *items, int count) {
    for (int at = 0; at < count; at++) {
        items[at].number = at + 1;
        list_init(&items[at].node);
    }
}

Test(list, append_and_prepend_keep_order) {
    struct list head;
    struct item items[4];
    list_init(&head);
    items_init(items, 4);
    cr_assert(list_is_empty(&head));
    cr_assert_null(list_first(&head));
    list_append(&head, &items[1].node);
    list_append(&head, &items[2].node);
    list_prepend(&head, &items[0].node);
    list_insert_before(&items[2].node, &items[3].node);
    cr_assert_eq(list_digits(&head), 1243);
    cr_assert_eq(list_first(&head), &items[0].node);
}

Test(list, removing_twice_is_harmless) {
    struct list head;
    struct item items[3];
    list_init(&head);
    items_init(items, 3);
    for (int at = 0; at < 3; at++) list_append(&head, &items[at].node);
    list_remove(&items[1].node);
    cr_assert_not(list_is_linked(&items[1].node));
    list_remove(&items[1].node);
    cr_assert_eq(list_digits(&head), 13);
}

Test(list, each_allows_removing_the_node) {
    struct list head;
    struct item items[5];
    list_init(&head);
    items_init(items, 5);
    for (int at = 0; at < 5; at++) list_append(&head, &items[at].node);
    list_each(node, &head) if (list_entry(node, struct item, node)->number % 2) list_remove(node);
    cr_assert_eq(list_digits(&head), 24);
}

Test(list, move_all_appends_and_empties) {
    struct list to, from;
    struct item items[4];
    list_init(&to);
    list_init(&from);
    items_init(items, 4);
    list_move_all(&to, &from);
    cr_assert(list_is_empty(&to));
    for (int at = 0; at < 2; at++) list_append(&to, &items[at].node);
    for (int at = 2; at < 4; at++) list_append(&from, &items[at].node);
    list_move_all(&to, &from);
    cr_assert(list_is_empty(&from));
    cr_assert_eq(list_digits(&to), 1234);
    list_remove(&items[3].node);
    cr_assert_eq(list_digits(&to), 123);
}
