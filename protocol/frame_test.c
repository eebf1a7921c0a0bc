#include "protocol/frame.h"

#include <criterion/criterion.h>

static enum frame_state peek(struct bytes in, struct frame_prefix *prefix, struct error *error) {
    return frame_peek(in, 1000, prefix, error);
}

Test(frame, reads_the_prefix_as_soon_as_it_is_there) {
    struct frame_prefix prefix;
    struct error error;
    struct bytes in = BYTES_OF("\0\0\0\x20\0\x12\0\x03\0\0");
    for (size_t len = 0; len < FRAME_PREFIX_SIZE; len++) {
        cr_assert_eq(peek(bytes_make(in.at, len), &prefix, &error), FRAME_PARTIAL);
    }
    cr_assert_eq(peek(in, &prefix, &error), FRAME_READY);
    cr_assert_eq(prefix.length, 32);
    cr_assert_eq(prefix.api_key, 18);
    cr_assert_eq(prefix.api_version, 3);
}

Test(frame, lengths_outside_the_bounds_are_errors) {
    struct frame_prefix prefix;
    struct error error;
    cr_assert_eq(peek(BYTES_OF("\xff\xff\xff\xff"), &prefix, &error), FRAME_BAD);
    cr_assert(strstr(error.text, "declares -1 bytes"), "%s", error.text);
    cr_assert_eq(peek(BYTES_OF("\0\0\0\x07"), &prefix, &error), FRAME_BAD);
    cr_assert_eq(peek(BYTES_OF("\0\0\x03\xe9"), &prefix, &error), FRAME_BAD);
    cr_assert(strstr(error.text, "8 to 1000"), "%s", error.text);
    cr_assert_eq(peek(BYTES_OF("\0\0\x03\xe8\0\0\0\0"), &prefix, &error), FRAME_READY);
}

Test(frame, other_protocols_are_named) {
    struct frame_prefix prefix;
    struct error error;
    cr_assert_eq(peek(BYTES_OF("GET / HTTP/1.1\r\n"), &prefix, &error), FRAME_BAD);
    cr_assert(strstr(error.text, "HTTP"), "%s", error.text);
    cr_assert_eq(peek(BYTES_OF("\x16\x03\x01\x02\0\x01"), &prefix, &error), FRAME_BAD);
    cr_assert(strstr(error.text, "TLS"), "%s", error.text);
}
