#include "cli/key_partition.h"

#include <criterion/criterion.h>

/* Values that the Java client's own tests name (UtilsTest.testMurmur2). */
Test(key_partition, hash_is_the_java_clients) {
    cr_assert_eq((int32_t)murmur2(BYTES_OF("21")), -973932308);
    cr_assert_eq((int32_t)murmur2(BYTES_OF("foobar")), -790332482);
    cr_assert_eq((int32_t)murmur2(BYTES_OF("a-little-bit-long-string")), -985981536);
    cr_assert_eq((int32_t)murmur2(BYTES_OF("a-little-bit-longer-string")), -1486304829);
    cr_assert_eq((int32_t)murmur2(BYTES_OF("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
                 -58897971);
    cr_assert_eq((int32_t)murmur2(BYTES_OF("abc")), 479470107);
}

Test(key_partition, is_in_range) {
    for (int32_t count = 1; count < 50; count++) {
        int32_t partition = key_partition(BYTES_OF("foobar"), count);
        cr_assert(partition >= 0 && partition < count);
    }
    cr_assert_eq(key_partition(BYTES_OF("foobar"), 7), (-790332482 & 0x7fffffff) % 7);
}
