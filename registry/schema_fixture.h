/* For unit tests: a schema from .proto text, compiled and read. */
#pragma once

#include <criterion/criterion.h>

#include "registry/compile.h"
#include "registry/descriptor.h"

struct schema_fixture {
    struct schema_compiled compiled;
    struct arena arena;
    struct descriptor_set set;    /* linked */
    struct descriptor_set parsed; /* as written */
};

static inline void schema_fixture_init(struct schema_fixture *schema, const char *text) {
    struct schema_file root = {.content = bytes_of_text(text)};
    struct error error;
    arena_init(&schema->arena, 64 << 20);
    cr_assert(schema_compile(&root, NULL, 0, &schema->compiled, &error), "%s\n%s", error.text,
              text);
    cr_assert(descriptor_set_read(byte_buffer_bytes(&schema->compiled.linked), &schema->arena,
                                  &schema->set, &error),
              "%s", error.text);
    cr_assert(descriptor_file_read(byte_buffer_bytes(&schema->compiled.parsed), &schema->arena,
                                   &schema->parsed, &error),
              "%s", error.text);
}

static inline void schema_fixture_deinit(struct schema_fixture *schema) {
    arena_deinit(&schema->arena);
    schema_compiled_deinit(&schema->compiled);
}
