#include "base/seen.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(seen, each_key_once) {
    struct arena arena;
    struct seen seen;
    char name[16];
    arena_init(&arena, 1 << 20);
    seen_init(&seen, &arena);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "%d", i); /* the key is copied */
            cr_assert_eq(seen_add(&seen, bytes_of_text(name)), round == 0, "%s", name);
        }
    cr_expect(seen_add(&seen, BYTES_OF("")));
    cr_expect_not(seen_add(&seen, BYTES_OF("")));
    seen_deinit(&seen);
    arena_deinit(&arena);
}
