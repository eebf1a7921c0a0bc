/* .proto text as a client registers it, all the way: scan, libprotobuf's parser, canonical form,
 * contract. What comes out is kept, so it has to come out the same once more, and to compile at the
 * next start. */
#include <stdio.h>

#include "base/check.h"
#include "registry/prepare.h"

static void schema_use(const struct schema_view *view, const struct schema *schema) {
    struct error error = {0};
    struct schema *again = schema_prepare(view, BYTES_OF("."), &schema->entry, &error);
    if (!again || !schema_equals(schema, again))
        fprintf(stderr, "%s\n%.*s", error.text, BYTES_FORMAT(schema->entry.schema));
    check(again && schema_equals(schema, again));
    check(bytes_equal(schema->entry.schema, again->entry.schema));
    schema_drop(again);
    struct schema *stored = schema_new(BYTES_OF("."), &schema->entry);
    schema_prepare_stored(view, stored);
    check(stored->state == SCHEMA_COMPILED && schema_equals(schema, stored));
    schema_drop(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                       .schema = bytes_make(data, size)};
    struct subjects none;
    struct error error;
    subjects_init(&none);
    struct schema_view *view = schema_view_new(&none);
    struct schema *schema = schema_prepare(view, BYTES_OF("."), &entry, &error);
    if (schema) {
        schema_use(view, schema);
        schema_drop(schema);
    }
    schema_view_drop(view);
    subjects_deinit(&none);
    return 0;
}
