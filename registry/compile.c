#include "registry/compile.h"

#include <stdio.h>

#include "base/memory.h"

void schema_compiled_deinit(struct schema_compiled *compiled) {
    byte_buffer_deinit(&compiled->parsed);
    byte_buffer_deinit(&compiled->linked);
}

static struct shim_file plain(const struct schema_file *file) {
    return (struct shim_file){
        .name = file->name.at ? (const char *)file->name.at : "",
        .name_len = file->name.len,
        .content = file->content.at ? (const char *)file->content.at : "",
        .content_len = file->content.len,
        .is_descriptor = file->is_descriptor,
    };
}

bool schema_compile(const struct schema_file *root, const struct schema_file *imports,
                    size_t import_count, struct schema_compiled *compiled, struct error *error) {
    struct shim_file file = plain(root);
    struct shim_file *files = (struct shim_file *)memory_zero(import_count + 1, sizeof *files);
    *compiled = (struct schema_compiled){0};
    for (size_t i = 0; i < import_count; i++) files[i] = plain(&imports[i]);
    bool done = shim_compile(&file, files, import_count, compiled, error);
    free(files);
    return done;
}

void shim_output(void *owner, enum shim_output which, const char *at, size_t len) {
    struct schema_compiled *compiled = (struct schema_compiled *)owner;
    byte_buffer_append(which == SHIM_PARSED ? &compiled->parsed : &compiled->linked,
                       bytes_make(at, len));
}

bool shim_scan_text(const char *at, size_t len, char why[SHIM_TEXT_SIZE]) {
    struct error error;
    if (schema_scan_text(bytes_make(at, len), &error)) return true;
    snprintf(why, SHIM_TEXT_SIZE, "%s", error.text);
    return false;
}

void shim_error(struct error *error, const char *text) { error_set(error, 0, "%s", text); }

bool shim_scan_aggregate(const char *at, size_t len) {
    return schema_scan_aggregate(bytes_make(at, len));
}
