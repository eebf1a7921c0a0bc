/* What a client registers: .proto text, or (first byte odd) a descriptor. Whatever compiles has to
 * be readable, and to become a contract. */
#include <stdio.h>

#include "base/check.h"
#include "registry/canonical.h"
#include "registry/compile.h"
#include "registry/contract.h"
#include "registry/descriptor.h"

enum { MEMORY_LIMIT = 64 << 20 };

/* What compiles has a canonical form that compiles to the same descriptor, and is its own. Options
 * of a descriptor whose extensions nobody defines cannot be named, so this holds for texts. */
static void canonical_use(const struct schema_compiled *compiled,
                          const struct descriptor_set *parsed, const struct descriptor_set *linked,
                          struct arena *arena) {
    for (int normalize = 0; normalize <= 1; normalize++) {
        struct text text = {0};
        struct schema_compiled again;
        struct error error;
        canonical_print(parsed, linked, normalize, arena, &text);
        struct schema_file root = {.content = text_bytes(&text)};
        bool done = schema_compile(&root, NULL, 0, &again, &error);
        if (!done) fprintf(stderr, "%s\n%s", error.text, text.at);
        check(done);
        check(normalize ||
              bytes_equal(byte_buffer_bytes(&compiled->linked), byte_buffer_bytes(&again.linked)));
        schema_compiled_deinit(&again);
        text_deinit(&text);
    }
}

static void compiled_use(const struct schema_compiled *compiled, bool is_text) {
    struct descriptor_set set, parsed;
    struct arena arena;
    struct error error;
    arena_init(&arena, MEMORY_LIMIT);
    check(descriptor_file_read(byte_buffer_bytes(&compiled->parsed), &arena, &parsed, &error));
    check(descriptor_set_read(byte_buffer_bytes(&compiled->linked), &arena, &set, &error));
    if (is_text) canonical_use(compiled, &parsed, &set, &arena);
    struct contract *contract = contract_new(&set, &error);
    struct violation violation;
    uint32_t found[CONTRACT_PATHS_MAX];
    if (contract && contract_resolve(contract, (int32_t[]){0}, 1, found))
        contract_check(contract, found[0], byte_buffer_bytes(&compiled->parsed), true, &violation);
    contract_free(contract);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct descriptor_set set;
    struct schema_compiled compiled;
    struct arena arena;
    struct error error;
    if (size == 0) return 0;
    struct bytes content = bytes_make(data + 1, size - 1);
    struct schema_file root = {.content = content, .is_descriptor = data[0] & 1};
    arena_init(&arena, MEMORY_LIMIT);
    descriptor_set_read(content, &arena, &set, &error);
    descriptor_file_read(content, &arena, &set, &error);
    arena_deinit(&arena);
    if (schema_compile(&root, NULL, 0, &compiled, &error))
        compiled_use(&compiled, !root.is_descriptor);
    schema_compiled_deinit(&compiled);
    return 0;
}
