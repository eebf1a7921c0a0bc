/* A stream as a broker receives it: frame after frame, header, body. Captured requests
 * (tests/captures) are seeds as they are. */
#include "base/check.h"
#include "protocol/api.h"
#include "protocol/frame.h"
#include "protocol/header.h"
#include "protocol/wire.h"

enum { LENGTH_MAX = 1 << 20, MEMORY_LIMIT = 8 << 20 };

static void read_request(struct bytes frame, const struct frame_prefix *prefix) {
    struct arena arena;
    struct error error;
    struct request_header header;
    const struct api *api = api_find(prefix->api_key);
    if (!api || !api_has_version(api, prefix->api_version)) return;
    int version = prefix->api_version;
    arena_init(&arena, MEMORY_LIMIT);
    if (wire_decode_part(&request_header_message, api_request_header_version(api, version), &frame,
                         &arena, &header, &error)) {
        check(header.request_api_key == (int)api->key && header.request_api_version == version);
        void *body = arena_zero(&arena, 1, api->request->layout->size);
        wire_decode(api->request, version, frame, &arena, body, &error);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_make(data, size);
    struct frame_prefix prefix;
    struct error error;
    while (frame_peek(in, LENGTH_MAX, &prefix, &error) == FRAME_READY) {
        check(prefix.length >= FRAME_LENGTH_MIN && prefix.length <= LENGTH_MAX);
        if (prefix.length > in.len - FRAME_LENGTH_SIZE) break;
        read_request(bytes_make(in.at + FRAME_LENGTH_SIZE, prefix.length), &prefix);
        size_t whole = FRAME_LENGTH_SIZE + (size_t)prefix.length;
        in = bytes_make(in.at + whole, in.len - whole);
    }
    return 0;
}
