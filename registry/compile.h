/* From what a client registers to linked descriptors. A schema is .proto text or a serialized
 * FileDescriptorProto; compile.cc, the only C++ of the broker, hands it to libprotobuf's parser
 * and linker. Files that everybody imports (google/protobuf, google/type, confluent, buf/validate)
 * are embedded (registry/known.h), so that nobody has to reference them.
 *
 * Nothing here trusts its input: before libprotobuf sees a byte, size, nesting and count are
 * checked (schema_scan_text, schema_scan_aggregate), because its parser recurses as deep as a text
 * nests. Compiling takes from 30 microseconds to seconds, so it runs on a worker thread, never on a
 * core that serves records. All memory belongs to the caller; errors are for the person who wrote
 * the schema and begin with "line:column: " where the place is known. */
#pragma once

#include "base/byte_buffer.h"
#include "base/error.h"
#include "registry/compile_limits.h"

/* A file is .proto text or a descriptor; its name is how others import it. */
struct schema_file {
    struct bytes name;
    struct bytes content;
    bool is_descriptor;
};

struct schema_compiled {
    /* FileDescriptorProto as written: type names as spelled, options not interpreted. */
    struct byte_buffer parsed;
    /* FileDescriptorSet, each file behind those that it imports, the schema itself last: names
     * resolved, options interpreted. A custom option that nothing defines stays uninterpreted. */
    struct byte_buffer linked;
};

void schema_compiled_deinit(struct schema_compiled *compiled);

/* Compiles `root` with `imports` to resolve its imports from, which win over the embedded files.
 * False with the first error; `compiled` needs schema_compiled_deinit() either way. An import that
 * is nowhere is an error only if a type of it is used. */
bool schema_compile(const struct schema_file *root, const struct schema_file *imports,
                    size_t import_count, struct schema_compiled *compiled, struct error *error);

/* Whether a text is small and flat enough to be parsed. */
bool schema_scan_text(struct bytes text, struct error *error);
/* Whether an aggregate option value inside a descriptor is. Stricter, because it is parsed with
 * other rules for comments: every opening bracket counts, closed or not. */
bool schema_scan_aggregate(struct bytes text);
