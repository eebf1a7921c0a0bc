#include "base/memory.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

Test(memory, zero_is_zeroed_and_no_size_still_has_a_place) {
    uint64_t *numbers = memory_zero(100, sizeof *numbers);
    for (int at = 0; at < 100; at++) cr_assert_eq(numbers[at], 0);
    void *nothing = memory_new(0);
    cr_assert_not_null(nothing);
    free(nothing);
    free(numbers);
}

#ifndef __SANITIZE_ADDRESS__ /* which stops such a call in its own way */
Test(memory, overflowing_product_stops, .signal = SIGABRT) {
    volatile size_t many = SIZE_MAX / 2;
    memory_zero(many, 4);
}
#endif

Test(memory, resize_keeps_the_content) {
    char *text = memory_copy_text("millrace");
    text = memory_resize(text, 1000);
    cr_assert_str_eq(text, "millrace");
    free(text);
}

Test(memory, aligned_for_direct_io) {
    void *at = memory_aligned(4096, 100);
    cr_assert_eq((uintptr_t)at % 4096, 0);
    free(at);
}

Test(memory, container_of_finds_the_owner) {
    struct owner {
        int before;
        int member;
    } owner;
    cr_assert_eq(container_of(&owner.member, struct owner, member), &owner);
}

Test(memory, copies_of_any_length_at_any_place) {
    enum { MAX = 3 * 2048 + 64 };
    uint8_t from[MAX], to[MAX + 2];
    for (size_t at = 0; at < MAX; at++) from[at] = (uint8_t)(at * 31 + at / 256);
    static const size_t lengths[] = {0, 1, 2047, 2048, 2049, 4096, 4097, 3 * 2048};
    for (size_t at = 0; at < array_count(lengths); at++) {
        size_t len = lengths[at];
        for (size_t skip = 0; skip < 64; skip += 21) {
            memset(to, 0xee, sizeof to);
            memory_copy(to + 1, from + skip, len);
            cr_assert(to[0] == 0xee && to[len + 1] == 0xee);
            cr_assert_eq(memcmp(to + 1, from + skip, len), 0);
        }
    }
}
