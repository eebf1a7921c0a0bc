#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, set_fills_and_returns_false) {
    struct error error;
    cr_assert_not(error_set(&error, ENOENT, "%s: no such file", "a.yaml"));
    cr_assert_eq(error.code, ENOENT);
    cr_assert_str_eq(error.text, "a.yaml: no such file");
}

Test(error, long_text_is_cut_and_terminated) {
    struct error error;
    error_set(&error, 0, "%1000d", 7);
    cr_assert_eq(strlen(error.text), sizeof error.text - 1);
}
