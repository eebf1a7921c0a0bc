/* Records of _schemas, key and value separated by the first newline: what is read is written in a
 * form that is read as the same. */
#include "base/check.h"
#include "registry/schema_record.h"

enum { MEMORY_LIMIT = 64 << 20 };

static bool texts_equal(const struct text *a, const struct text *b) {
    return bytes_equal(text_bytes(a), text_bytes(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct schema_record record;
    struct arena arena;
    struct error error;
    struct text key = {0}, value = {0}, key_again = {0}, value_again = {0};
    const uint8_t *end = size ? (const uint8_t *)memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    struct bytes rest = end ? bytes_make(end + 1, size - len - 1) : BYTES_NULL;
    arena_init(&arena, MEMORY_LIMIT);
    if (schema_record_read(bytes_make(data, len), rest, &arena, &record, &error) &&
        record.kind != SCHEMA_RECORD_OTHER) {
        schema_record_write(&record, &key, &value);
        struct bytes written = value.at ? text_bytes(&value) : BYTES_NULL;
        check(schema_record_read(text_bytes(&key), written, &arena, &record, &error) ||
              record.kind == SCHEMA_RECORD_NOOP);
        schema_record_write(&record, &key_again, &value_again);
        check(texts_equal(&key, &key_again) && texts_equal(&value, &value_again));
    }
    text_deinit(&key);
    text_deinit(&value);
    text_deinit(&key_again);
    text_deinit(&value_again);
    arena_deinit(&arena);
    return 0;
}
