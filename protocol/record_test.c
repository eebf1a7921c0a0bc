#include "protocol/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"

static struct bytes write_one(uint8_t *at, const struct record *record,
                              const struct record_header *headers) {
    size_t size = record_write(at, record, headers);
    cr_assert_eq(size, record_size(record, headers));
    return bytes_make(at, size);
}

/* Written out by hand from the format's description. */
Test(record, known_bytes) {
    struct record_header header = {BYTES_OF("h"), BYTES_NULL};
    struct record record = {.timestamp_delta = 3,
                            .offset_delta = 1,
                            .key = BYTES_NULL,
                            .value = BYTES_OF("ab"),
                            .header_count = 1};
    uint8_t at[64];
    struct bytes bytes = write_one(at, &record, &header);
    cr_assert(bytes_equal(bytes, BYTES_OF("\x16\x00\x06\x02\x01\x04"
                                          "ab\x02\x02h\x01")));
}

Test(record, comes_back_with_headers) {
    struct record_header headers[] = {{BYTES_OF("one"), BYTES_OF("1")},
                                      {BYTES_OF(""), BYTES_NULL},
                                      {BYTES_OF("one"), BYTES_OF("")}};
    struct record record = {.timestamp_delta = -70000,
                            .offset_delta = 0,
                            .key = BYTES_OF(""),
                            .value = BYTES_NULL,
                            .header_count = 3};
    uint8_t at[64];
    struct bytes rest = write_one(at, &record, headers);
    struct record read;
    cr_assert_eq(record_next(&rest, &read), RECORD_READ);
    cr_assert_eq(read.timestamp_delta, -70000);
    cr_assert(!bytes_is_null(read.key) && read.key.len == 0);
    cr_assert(bytes_is_null(read.value));
    struct record_header header;
    for (int i = 0; i < 3; i++) {
        cr_assert(record_header_next(&read.headers, &header));
        cr_assert(bytes_equal(header.key, headers[i].key));
        cr_assert(bytes_equal(header.value, headers[i].value));
        cr_assert_eq(bytes_is_null(header.value), bytes_is_null(headers[i].value));
    }
    cr_assert_not(record_header_next(&read.headers, &header));
    cr_assert_eq(record_next(&rest, &read), RECORD_END);
}

static enum record_result read_copy(struct bytes from) {
    /* In memory of exactly its size, so that the sanitizer sees a read behind it. */
    uint8_t *exact = malloc(from.len ? from.len : 1);
    if (from.len) memcpy(exact, from.at, from.len);
    struct bytes rest = bytes_make(exact, from.len);
    struct record record;
    enum record_result result = record_next(&rest, &record);
    if (result == RECORD_BROKEN) cr_assert_eq(rest.at, exact, "stays where it was");
    free(exact);
    return result;
}

Test(record, refuses_broken_ones) {
    cr_assert_eq(read_copy(BYTES_OF("\x01\x00")), RECORD_BROKEN, "negative length");
    cr_assert_eq(read_copy(BYTES_OF("\x00")), RECORD_BROKEN, "no body");
    cr_assert_eq(read_copy(BYTES_OF("\x02\x00")), RECORD_BROKEN, "ends after attributes");
    cr_assert_eq(read_copy(BYTES_OF("\x0c\x00\x00\x00\x03\x01\x00")), RECORD_BROKEN, "key -2");
    cr_assert_eq(read_copy(BYTES_OF("\x0c\x00\x00\x00\x01\x01\x01")), RECORD_BROKEN, "headers -1");
    cr_assert_eq(read_copy(BYTES_OF("\x0c\x00\x00\x00\x01\x01\x00")), RECORD_READ,
                 "the same, good");
    cr_assert_eq(read_copy(BYTES_OF("\x0e\x00\x00\x00\x01\x01\x00z")), RECORD_BROKEN,
                 "bytes behind the headers");
    cr_assert_eq(read_copy(BYTES_OF("\x10\x00\x00\x00\x01\x01\x02\x01\x01")), RECORD_BROKEN,
                 "null header key");
    cr_assert_eq(read_copy(BYTES_OF("\x14\x00\x00\x00\x01\x01\xfe\xff\xff\xff\x0f")), RECORD_BROKEN,
                 "two thousand million headers");
}

Test(record, refuses_every_cut_and_survives_every_flip) {
    struct record_header headers[] = {{BYTES_OF("key"), BYTES_OF("value")},
                                      {BYTES_OF("k"), BYTES_NULL}};
    struct record record = {.timestamp_delta = 12345678,
                            .offset_delta = 77,
                            .key = BYTES_OF("the key"),
                            .value = BYTES_OF("the value"),
                            .header_count = 2};
    uint8_t at[128];
    struct bytes whole = write_one(at, &record, headers);
    for (size_t len = 1; len < whole.len; len++) {
        cr_assert_eq(read_copy(bytes_make(at, len)), RECORD_BROKEN, "cut at %zu", len);
    }
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        read_copy(whole);
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(read_copy(whole), RECORD_READ);
}
