#include "config/suggest.h"

#include <criterion/criterion.h>

Test(suggest, distance) {
    cr_assert_eq(edit_distance("", ""), 0);
    cr_assert_eq(edit_distance("", "abc"), 3);
    cr_assert_eq(edit_distance("kitten", "sitting"), 3);
    cr_assert_eq(edit_distance("topic", "tpoic"), 1, "neighbours swapped are one edit");
    cr_assert_eq(edit_distance("LOG_LEVEL", "log-level"), 0);
    cr_assert_eq(edit_distance("log.level", "log-level"), 0);
}

Test(suggest, long_words_are_bounded) {
    char a[500], b[500];
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    a[499] = 0;
    b[400] = 0;
    cr_assert_eq(edit_distance(a, b), 0);
}

Test(suggest, nearest_word) {
    static const char *const words[] = {"topic", "produce", "consume"};
    cr_assert_str_eq(suggest_word("tpoic", words, 3), "topic");
    cr_assert_str_eq(suggest_word("consum", words, 3), "consume");
    cr_assert_null(suggest_word("banana", words, 3));
    cr_assert_null(suggest_word("topic", words, 0));
}
