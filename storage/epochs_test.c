#include "storage/epochs.h"

#include <criterion/criterion.h>

#include "base/memory.h"

static void expect_end(const struct epochs *epochs, int32_t current, int32_t asked, int32_t epoch,
                       int64_t offset) {
    int32_t found;
    int64_t end;
    epochs_end(epochs, current, 1000, asked, &found, &end);
    cr_assert_eq(found, epoch, "asked for %d: epoch %d", asked, found);
    cr_assert_eq(end, offset, "asked for %d: offset %lld", asked, (long long)end);
}

Test(epochs, one_epoch_ends_with_the_log) {
    struct epochs epochs = {0};
    expect_end(&epochs, 0, 0, 0, 1000);
    expect_end(&epochs, 4, 4, 4, 1000);
    expect_end(&epochs, 0, 1, -1, -1);
    expect_end(&epochs, 0, -1, -1, -1);
    expect_end(&epochs, 4, 3, -1, -1);
}

Test(epochs, an_epoch_ends_where_the_next_begins) {
    struct epochs epochs = {0};
    epochs_begin(&epochs, 0, 1, 300);
    epochs_begin(&epochs, 1, 4, 700);
    expect_end(&epochs, 4, 0, 0, 300);
    expect_end(&epochs, 4, 1, 1, 700);
    expect_end(&epochs, 4, 2, 1, 700);
    expect_end(&epochs, 4, 4, 4, 1000);
    expect_end(&epochs, 4, 5, -1, -1);
    epochs_deinit(&epochs);
}

/* A second repair cut below where the first had begun an epoch. */
Test(epochs, an_epoch_that_holds_nothing_any_more_is_forgotten) {
    struct epochs epochs = {0};
    epochs_begin(&epochs, 0, 1, 300);
    epochs_begin(&epochs, 1, 2, 300);
    cr_assert_eq(epochs.count, 2);
    expect_end(&epochs, 2, 0, 0, 300);
    expect_end(&epochs, 2, 1, 0, 300);
    epochs_begin(&epochs, 2, 3, 0);
    expect_end(&epochs, 3, 2, 0, 0);
    epochs_deinit(&epochs);
}

Test(epochs, round_trip_and_what_is_refused) {
    struct epochs epochs = {0}, again = {0};
    epochs_begin(&epochs, 0, 1, 300);
    epochs_begin(&epochs, 1, 4, 700);
    struct byte_buffer bytes = {0};
    epochs_encode(&epochs, &bytes);
    struct bytes rest = byte_buffer_bytes(&bytes);
    cr_assert(epochs_decode(&again, &rest));
    cr_assert_eq(rest.len, 0);
    cr_assert_eq(again.count, 3);
    cr_assert_eq(again.items[2].offset, 700);
    for (size_t len = 0; len < bytes.len; len++) {
        struct epochs none = {0};
        rest = bytes_make(bytes.at, len);
        cr_assert_not(epochs_decode(&none, &rest));
        epochs_deinit(&none);
    }
    store_i32(bytes.at + 4 + 12, 0); /* the second no higher than the first */
    struct epochs none = {0};
    rest = byte_buffer_bytes(&bytes);
    cr_assert_not(epochs_decode(&none, &rest));
    epochs_deinit(&none);
    epochs_deinit(&again);
    epochs_deinit(&epochs);
    byte_buffer_deinit(&bytes);
}
