#include "offline/sheet.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/memory.h"

static char *printed(bool json, int rows) {
    struct sheet sheet;
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    sheet_begin(&sheet, "thing", json, out);
    for (int at = 0; at < rows; at++) {
        sheet_text(&sheet, "name", at % 2 ? "a \"b\"" : "long name");
        sheet_number(&sheet, "log start", at - 1);
        sheet_row(&sheet);
    }
    sheet_end(&sheet);
    fclose(out);
    return text;
}

Test(sheet, for_people) {
    char *text = printed(false, 2);
    cr_assert_str_eq(text,
                     "thing\n"
                     "  name       log start\n"
                     "  long name         -1\n"
                     "  a \"b\"              0\n"
                     "\n");
    free(text);
}

Test(sheet, for_programs) {
    char *text = printed(true, 2);
    cr_assert_str_eq(text,
                     "{\"kind\": \"thing\", \"name\": \"long name\", \"log_start\": -1}\n"
                     "{\"kind\": \"thing\", \"name\": \"a \\\"b\\\"\", \"log_start\": 0}\n");
    free(text);
}

Test(sheet, nothing_has_no_title) {
    char *text = printed(false, 0);
    cr_assert_str_empty(text);
    free(text);
}

/* More than is kept: every row is there, and the title once. */
Test(sheet, many_rows) {
    char *text = printed(false, 2500);
    size_t lines = 0;
    for (const char *at = text; *at; at++) lines += *at == '\n';
    cr_assert_eq(lines, 1 + 3 + 2500 + 1); /* the columns' names with each thousand */
    free(text);
}
