#include "cli/partition_choice.h"

#include <criterion/criterion.h>

/* The partitions below 10 that the text chooses, as digits. */
static void assert_choice(const char *text, const char *topic, const char *digits) {
    struct partition_choice choice;
    struct error error = {0};
    char chosen[11] = {0};
    size_t count = 0;
    cr_assert(partition_choice_parse(text, &choice, &error), "%s", error.text);
    cr_assert(bytes_equal_text(choice.topic, topic), "%s", text);
    for (int32_t at = 0; at < 10; at++)
        if (partition_choice_has(&choice, at)) chosen[count++] = (char)('0' + at);
    cr_assert_str_eq(chosen, digits, "%s", text);
}

Test(partition_choice, forms) {
    assert_choice("orders", "orders", "0123456789");
    assert_choice("orders:0", "orders", "0");
    assert_choice("o:7,0,3", "o", "037");
    assert_choice("o:3-5,5-6,9", "o", "34569");
    assert_choice("o:2147483647", "o", "");
}

Test(partition_choice, the_largest_is_known) {
    struct partition_choice choice;
    struct error error;
    cr_assert(partition_choice_parse("o:3-50,9", &choice, &error));
    cr_assert_eq(choice.largest, 50);
    cr_assert(partition_choice_parse("o", &choice, &error));
    cr_assert_eq(choice.largest, -1);
}

Test(partition_choice, wrong_ones) {
    static const char *const wrong[] = {"",      ":1",   "o:",     "o:,",  "o:1,",        "o:,1",
                                        "o:x",   "o:1x", "o:-1",   "o:3-", "o:5-3",       "o:1--2",
                                        "o:1:2", "o: 1", "o:1,,2", "o:+1", "o:2147483648"};
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        struct partition_choice choice;
        struct error error = {0};
        cr_assert_not(partition_choice_parse(wrong[at], &choice, &error), "%s", wrong[at]);
        cr_assert_not_null(strstr(error.text, "TOPIC:0,3-5"), "%s", error.text);
    }
}
