/* Decodes what real clients sent (tests/captures): every frame of an API and version that we have
 * must decode, and encode to the same bytes again. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "protocol/api.h"
#include "protocol/header.h"

enum { FILE_MAX = 64 << 20 };

static struct bytes read_whole(const char *path) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    uint8_t *at = memory_new(FILE_MAX);
    size_t len = fread(at, 1, FILE_MAX, file);
    cr_assert_lt(len, (size_t)FILE_MAX, "%s is too large", path);
    fclose(file);
    return bytes_make(at, len);
}

/* True when the frame is of an API that is defined here. */
static bool check_request(const char *path, struct bytes frame) {
    struct arena arena;
    struct error error = {0};
    struct request_header header;
    struct wire_output out;
    cr_assert_geq(frame.len, 8, "%s: a frame of %zu bytes", path, frame.len);
    const struct api *api = api_find(load_i16(frame.at));
    int version = load_i16(frame.at + 2);
    if (!api || !api_has_version(api, version)) return false;
    arena_init(&arena, 64 << 20);
    struct bytes rest = frame;
    int header_version = api_request_header_version(api, version);
    cr_assert(
        wire_decode_part(&request_header_message, header_version, &rest, &arena, &header, &error),
        "%s: %s", path, error.text);
    void *body = arena_zero(&arena, 1, api->request->layout->size);
    cr_assert(wire_decode_part(api->request, version, &rest, &arena, body, &error), "%s: %s", path,
              error.text);
    cr_assert(api_encode_request(api, version, header.correlation_id, header.client_id, body,
                                 &arena, &out));
    struct bytes again = wire_join(&out, &arena);
    struct bytes without_length = bytes_make(again.at + 4, again.len - 4);
    /* librdkafka's Metadata 13 has three bytes behind its body. */
    frame.len -= rest.len <= 3 ? rest.len : 0;
    cr_assert(bytes_equal(without_length, frame), "%s: %s v%d is encoded differently", path,
              api->name, version);
    arena_deinit(&arena);
    return true;
}

static int check_file(const char *path) {
    struct bytes whole = read_whole(path), in = whole;
    int checked = 0;
    while (in.len) {
        cr_assert_geq(in.len, 4, "%s: ends within a length", path);
        size_t len = load_u32(in.at);
        cr_assert_leq(len, in.len - 4, "%s: ends within a frame", path);
        checked += check_request(path, bytes_make(in.at + 4, len));
        in = bytes_make(in.at + 4 + len, in.len - 4 - len);
    }
    free((void *)whole.at);
    return checked;
}

Test(captured, every_request_decodes_and_encodes_alike) {
    char pattern[1024] = __FILE__;
    char *slash = strrchr(pattern, '/');
    cr_assert_not_null(slash);
    snprintf(slash, (size_t)(pattern + sizeof pattern - slash), "/../tests/captures/*.requests");
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0) cr_skip_test("no captures in tests/captures");
    int checked = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) checked += check_file(found.gl_pathv[i]);
    globfree(&found);
    cr_assert_gt(checked, 0, "the captures hold no request that is defined");
}
