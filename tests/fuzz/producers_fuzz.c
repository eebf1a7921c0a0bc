/* A snapshot of producer state: what decodes encodes to something that decodes to the same. */
#include "base/check.h"
#include "storage/producers.h"

enum { PRODUCERS_MAX = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct producers producers;
    struct byte_buffer first = {0}, second = {0};
    struct bytes in = bytes_make(data, size);
    producers_init(&producers, PRODUCERS_MAX);
    if (producers_decode(&producers, &in)) {
        check(producers_count(&producers) <= PRODUCERS_MAX);
        producers_encode(&producers, &first);
        struct bytes again = byte_buffer_bytes(&first);
        check(producers_decode(&producers, &again) && again.len == 0);
        producers_encode(&producers, &second);
        check(bytes_equal(byte_buffer_bytes(&first), byte_buffer_bytes(&second)));
    } else {
        check(producers_count(&producers) == 0);
    }
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    producers_deinit(&producers);
    return 0;
}
