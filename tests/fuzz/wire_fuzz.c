/* Every message and version: what decodes must encode, decode again, and encode to the same bytes.
 * Input: a byte that chooses the message, one for the version, then the bytes of the message. */
#include "base/check.h"
#include "base/memory.h"
#include "protocol/api.h"
#include "protocol/header.h"
#include "protocol/wire.h"

enum { MEMORY_LIMIT = 8 << 20 };

static const struct message *choose(uint8_t number) {
    int index = number % (2 * api_count + 2);
    if (index == 2 * api_count) return &request_header_message;
    if (index > 2 * api_count) return &response_header_message;
    const struct api *api = &api_table[index / 2];
    return index % 2 ? api->response : api->request;
}

static void check_round_trip(const struct message *message, int version, struct bytes in) {
    struct arena arena;
    struct error error;
    struct wire_output out;
    arena_init(&arena, MEMORY_LIMIT);
    void *value = arena_zero(&arena, 1, message->layout->size);
    if (wire_decode(message, version, in, &arena, value, &error)) {
        arena.limit = SIZE_MAX;
        check(wire_encode(message, version, value, &arena, &out));
        struct bytes first = wire_join(&out, &arena);
        check(wire_decode(message, version, first, &arena, value, &error));
        check(wire_encode(message, version, value, &arena, &out));
        check(bytes_equal(wire_join(&out, &arena), first));
    } else {
        check(error.text[0]);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const struct message *message = choose(data[0]);
    int versions = message->last_version - message->first_version + 1;
    int version = message->first_version + data[1] % versions;
    check_round_trip(message, version, bytes_make(data + 2, size - 2));
    return 0;
}
