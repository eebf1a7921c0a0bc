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
