/* Bodies that clients of the registry send. What is taken for a schema is written into a record of
 * _schemas and has to be read from it as the same; what is not is refused with words. */
#include "base/check.h"
#include "registry/api_body.h"

enum { MEMORY_LIMIT = 256 << 20, SUBJECT_VERSION = 1 };

static void wish_use(const struct schema_wish *wish, struct arena *arena) {
    const struct schema_entry *entry = &wish->entry;
    struct schema_record record = {.kind = SCHEMA_RECORD_SCHEMA,
                                   .subject = BYTES_OF("s"),
                                   .version = SUBJECT_VERSION,
                                   .entry = *entry};
    struct schema_record read;
    struct text key = {0}, value = {0};
    struct error error;
    check(entry->schema.len > 0 && entry->id >= 0 && entry->version >= 0);
    record.entry.id = 1;
    record.entry.version = SUBJECT_VERSION;
    schema_record_write(&record, &key, &value);
    check(schema_record_read(text_bytes(&key), text_bytes(&value), arena, &read, &error));
    check(read.kind == SCHEMA_RECORD_SCHEMA && read.entry.type == entry->type);
    check(bytes_equal(read.entry.schema, entry->schema));
    check(read.entry.reference_count == entry->reference_count);
    for (size_t i = 0; i < entry->reference_count; i++) {
        check(bytes_equal(read.entry.references[i].name, entry->references[i].name));
        check(bytes_equal(read.entry.references[i].subject, entry->references[i].subject));
    }
    check(bytes_equal(read.entry.metadata, entry->metadata));
    check(bytes_equal(read.entry.rule_set, entry->rule_set));
    text_deinit(&key);
    text_deinit(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_request request = {.verb = VERB_POST, .body = bytes_make(data, size)};
    struct http_exchange exchange = {.request = &request};
    struct api_call call = {.exchange = &exchange};
    struct schema_wish wish;
    struct bytes text;
    arena_init(&call.arena, MEMORY_LIMIT);
    if (body_read_schema(&call, &wish))
        wish_use(&wish, &call.arena);
    else
        check(call.status >= 400 && call.code >= 400 && call.message[0]);
    call.status = 0;
    if (body_read_text(&call, "compatibility", &text)) check(call.status == 0);
    arena_deinit(&call.arena);
    return 0;
}
