#include "base/slab.h"

#include <criterion/criterion.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>

static bool is_zero(const uint8_t *at, size_t size) {
    for (size_t byte = 0; byte < size; byte++)
        if (at[byte]) return false;
    return true;
}

/* Pages of the piece that have memory. */
static size_t resident_pages(void *at, size_t size) {
    unsigned char there[SLAB_BYTES / SLAB_PAGE];
    size_t count = 0;
    cr_assert_eq(mincore(at, size, there), 0);
    for (size_t page = 0; page < size / SLAB_PAGE; page++) count += there[page] & 1;
    return count;
}

Test(slab, pieces_of_every_size_are_whole_and_apart) {
    enum { PIECES = 30 };
    struct slabs slabs = {0};
    uint8_t *pieces[PIECES];
    size_t sizes[PIECES];
    for (size_t at = 0; at < PIECES; at++) { /* more than one slab holds */
        sizes[at] = (size_t)SLAB_PAGE << at % 11;
        pieces[at] = slabs_carve(&slabs, sizes[at]);
        cr_assert_eq((uintptr_t)pieces[at] % SLAB_PAGE, 0);
        cr_assert(is_zero(pieces[at], sizes[at]));
        memset(pieces[at], (int)at + 1, sizes[at]);
    }
    for (size_t at = 0; at < PIECES; at++)
        for (size_t byte = 0; byte < sizes[at]; byte++) cr_assert_eq(pieces[at][byte], at + 1);
    slabs_deinit(&slabs);
    cr_assert_null(slabs.newest);
}

Test(slab, memory_goes_back_and_comes_again_as_zeros) {
    enum { SIZE = 16 * SLAB_PAGE };
    struct slabs slabs = {0};
    uint8_t *before = slabs_carve(&slabs, SIZE), *piece = slabs_carve(&slabs, SIZE);
    cr_assert_eq(resident_pages(piece, SIZE), 0);
    memset(before, 1, SIZE);
    memset(piece, 2, SIZE);
    cr_assert_eq(resident_pages(piece, SIZE), 16);
    slab_give_back(piece, SIZE);
    cr_assert_eq(resident_pages(piece, SIZE), 0);
    cr_assert_eq(resident_pages(before, SIZE), 16);
    slab_use(piece, SIZE);
    cr_assert(is_zero(piece, SIZE));
    cr_assert_eq(before[SIZE - 1], 1);
    slabs_deinit(&slabs);
}

#ifdef __SANITIZE_ADDRESS__
Test(slab, what_rests_may_not_be_touched) {
    struct slabs slabs = {0};
    uint8_t *piece = slabs_carve(&slabs, SLAB_PAGE);
    cr_assert_not(__asan_address_is_poisoned(piece));
    cr_assert(__asan_address_is_poisoned(piece + SLAB_PAGE), "beyond its end");
    slab_rest(piece, SLAB_PAGE);
    cr_assert(__asan_address_is_poisoned(piece + 100));
    slab_use(piece, SLAB_PAGE);
    cr_assert_not(__asan_address_is_poisoned(piece + 100));
    slab_give_back(piece, SLAB_PAGE);
    cr_assert(__asan_address_is_poisoned(piece));
    slabs_deinit(&slabs);
}
#endif
