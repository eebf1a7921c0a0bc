#include "base/arena.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(arena, memory_is_aligned_and_does_not_overlap) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    uint8_t *parts[500];
    for (size_t at = 0; at < 500; at++) {
        parts[at] = arena_try(&arena, at + 1);
        cr_assert_not_null(parts[at]);
        cr_assert_eq((uintptr_t)parts[at] % 16, 0);
        memset(parts[at], (int)at, at + 1);
    }
    for (size_t at = 0; at < 500; at++)
        for (size_t byte = 0; byte <= at; byte++) cr_assert_eq(parts[at][byte], (uint8_t)at);
    arena_deinit(&arena);
}

Test(arena, limit_answers_null_and_keeps_the_rest_usable) {
    struct arena arena;
    arena_init(&arena, 100);
    cr_assert_not_null(arena_try(&arena, 64));
    cr_assert_null(arena_try(&arena, 64));
    cr_assert_null(arena_try(&arena, SIZE_MAX));
    cr_assert_null(arena_try(&arena, SIZE_MAX - 16));
    cr_assert_not_null(arena_try(&arena, 32));
    arena_deinit(&arena);
}

Test(arena, what_was_lent_is_used_first) {
    struct arena arena;
    _Alignas(16) uint8_t lent[256];
    arena_init(&arena, 1 << 20);
    arena_lend(&arena, lent, sizeof lent);
    cr_assert_eq(arena_try(&arena, 100), (void *)lent);
    cr_assert_eq(arena_try(&arena, 144), (void *)(lent + 112));
    uint8_t *more = arena_try(&arena, 16); /* there is no room for it */
    cr_assert(more < lent || more >= lent + sizeof lent);
    cr_assert_eq(arena.used, 112 + 144 + 16);
    arena_reset(&arena);
    more = arena_try(&arena, 16);
    cr_assert(more < lent || more >= lent + sizeof lent);
    arena_deinit(&arena);
}

Test(arena, reset_gives_the_limit_back) {
    struct arena arena;
    arena_init(&arena, 128 * 1024);
    for (int round = 0; round < 3; round++) {
        cr_assert_not_null(arena_try(&arena, 128 * 1024));
        cr_assert_null(arena_try(&arena, 1));
        arena_reset(&arena);
    }
}

Test(arena, arrays_are_zeroed) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (int round = 0; round < 4; round++) {
        uint64_t *numbers = arena_array(&arena, uint64_t, 300);
        for (int at = 0; at < 300; at++) cr_assert_eq(numbers[at], 0);
        memset(numbers, 0xff, 300 * sizeof *numbers);
    }
    arena_deinit(&arena);
}

Test(arena, overflowing_array_stops, .signal = SIGABRT) {
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    arena_zero(&arena, SIZE_MAX / 2, 4);
}

Test(arena, over_the_limit_stops_arena_zero, .signal = SIGABRT) {
    struct arena arena;
    arena_init(&arena, 64);
    arena_zero(&arena, 1, 65);
}

Test(arena, copies_texts_and_slices) {
    struct arena arena;
    arena_init(&arena, 4096);
    cr_assert(bytes_equal_text(arena_copy(&arena, BYTES_OF("mill")), "mill"));
    cr_assert(bytes_is_null(arena_copy(&arena, BYTES_NULL)));
    cr_assert_not(bytes_is_null(arena_copy(&arena, BYTES_OF(""))));
    cr_assert_str_eq(arena_text(&arena, BYTES_OF("race")), "race");
    cr_assert_str_eq(arena_text(&arena, BYTES_NULL), "");
    cr_assert_str_eq(arena_format(&arena, "%s-%d", "core", 3), "core-3");
    arena_deinit(&arena);
}
