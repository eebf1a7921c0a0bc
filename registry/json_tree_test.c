#include "registry/json_tree.h"

#include <criterion/criterion.h>

#include "base/text.h"

static bool loads(const char *before, const char *item, int count, const char *behind) {
    struct text text = {0};
    json_error_t problem;
    text_printf(&text, "%s", before);
    for (int i = 0; i < count; i++) text_printf(&text, "%s%s", i ? "," : "", item);
    text_printf(&text, "%s", behind);
    json_t *tree = json_tree_load(text_bytes(&text), JSON_DECODE_ANY, &problem);
    if (!tree) cr_expect_str_eq(problem.text, "more than 200000 values");
    json_decref(tree);
    text_deinit(&text);
    return tree;
}

Test(json_tree, values_are_counted) {
    cr_expect(loads("[", "0", 199998, "]"));
    cr_expect_not(loads("[", "0", 200000, "]"));
    cr_expect(loads("[", "{}", 99999, "]"));
    cr_expect_not(loads("[", "{}", 100001, "]"));
    cr_expect_not(loads("[[", "[]", 100001, "]]"));
}

Test(json_tree, what_is_in_strings_is_not) {
    cr_expect(loads("\"", "{[\\\\\\\"[{", 200000, "\""));
    cr_expect(loads("{\"a,[{\":\"\\\\\",\"b\":[", "0", 10, "]}"));
    cr_expect_not(loads("[\"\\\\\",", "0", 200000, "]"), "the string ends behind the escape");
}
