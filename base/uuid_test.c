#include "base/uuid.h"

#include <criterion/criterion.h>

Test(uuid, formats_as_kafka_does) {
    struct uuid zero = {0}, one = {0};
    char text[UUID_TEXT_SIZE];
    one.raw[15] = 1;
    uuid_format(&zero, text);
    cr_assert_str_eq(text, "AAAAAAAAAAAAAAAAAAAAAA");
    uuid_format(&one, text); /* Uuid.ONE_UUID, Kafka's reserved id */
    cr_assert_str_eq(text, "AAAAAAAAAAAAAAAAAAAAAQ");
    cr_assert(uuid_is_zero(&zero));
    cr_assert_not(uuid_is_zero(&one));
}

Test(uuid, made_ids_are_version_4_and_come_back_from_their_text) {
    struct uuid last = {0};
    for (int round = 0; round < 500; round++) {
        struct uuid made, parsed;
        char text[UUID_TEXT_SIZE];
        uuid_make(&made);
        uuid_format(&made, text);
        cr_assert_eq(strlen(text), 22);
        cr_assert_neq(text[0], '-');
        cr_assert_eq(made.raw[6] >> 4, 4);
        cr_assert_eq(made.raw[8] >> 6, 2);
        cr_assert(uuid_parse(bytes_of_text(text), &parsed));
        cr_assert(uuid_equal(&made, &parsed));
        cr_assert_not(uuid_equal(&made, &last));
        last = made;
    }
}

Test(uuid, refuses_other_texts) {
    struct uuid id;
    cr_assert_not(uuid_parse(BYTES_OF(""), &id));
    cr_assert_not(uuid_parse(BYTES_OF("AAAAAAAAAAAAAAAAAAAAA"), &id));
    cr_assert_not(uuid_parse(BYTES_OF("AAAAAAAAAAAAAAAAAAAAAAA"), &id));
    cr_assert_not(uuid_parse(BYTES_OF("AAAAAAAAAA+AAAAAAAAAAA"), &id));
    cr_assert_not(uuid_parse(BYTES_OF("AAAAAAAAAA\0AAAAAAAAAAA"), &id));
}
