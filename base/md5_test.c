#include "base/md5.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void expect(const char *text, const char *hex) {
    struct md5 md5;
    uint8_t digest[MD5_SIZE];
    char printed[2 * MD5_SIZE + 1];
    md5_init(&md5);
    for (const char *at = text; *at; at++) md5_add(&md5, bytes_make(at, 1));
    md5_finish(&md5, digest);
    for (int i = 0; i < MD5_SIZE; i++) sprintf(printed + 2 * i, "%02x", digest[i]);
    cr_expect_str_eq(printed, hex, "%s", text);
}

Test(md5, as_the_rfc_says) {
    expect("", "d41d8cd98f00b204e9800998ecf8427e");
    expect("abc", "900150983cd24fb0d6963f7d28e17f72");
    expect("12345678901234567890123456789012345678901234567890123456789012345678901234567890",
           "57edf4a22be3c955ac49da2e2107b67a");
    expect("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
           "d174ab98d277d9f5a5611c2c9f419d9f");
}
