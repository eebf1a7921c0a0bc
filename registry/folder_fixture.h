/* For unit tests: a folder of files that goes away with its test. */
#pragma once

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "protocol/varint.h"
#include "registry/compile.h"

struct folder_fixture {
    char path[64];
    struct arena arena;
};

static inline void folder_fixture_init(struct folder_fixture *fixture) {
    snprintf(fixture->path, sizeof fixture->path, "%s", "/tmp/millrace-folder-XXXXXX");
    arena_init(&fixture->arena, 16 << 20);
    cr_assert_not_null(mkdtemp(fixture->path));
}

static inline int folder_fixture_remove(const char *path, const struct stat *about, int kind,
                                        struct FTW *place) {
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void folder_fixture_deinit(struct folder_fixture *fixture) {
    nftw(fixture->path, folder_fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    arena_deinit(&fixture->arena);
}

static inline const char *folder_fixture_path(struct folder_fixture *fixture, const char *below) {
    return arena_format(&fixture->arena, "%s%s%s", fixture->path, *below ? "/" : "", below);
}

static inline void folder_fixture_write_bytes(struct folder_fixture *fixture, const char *name,
                                              struct bytes content) {
    const char *path = folder_fixture_path(fixture, name);
    for (const char *slash = name; (slash = strchr(slash, '/')); slash++) {
        struct bytes above = bytes_make(name, (size_t)(slash - name));
        mkdir(folder_fixture_path(fixture, arena_text(&fixture->arena, above)), 0700);
    }
    FILE *file = fopen(path, "we");
    cr_assert(file, "%s", path);
    cr_assert_eq(fwrite(content.at, 1, content.len, file), content.len);
    fclose(file);
}

static inline void folder_fixture_write(struct folder_fixture *fixture, const char *name,
                                        const char *content) {
    folder_fixture_write_bytes(fixture, name, bytes_of_text(content));
}

static inline void folder_fixture_field(struct byte_buffer *out, uint32_t number,
                                        struct bytes value) {
    enum { VARINT_BYTES_MAX = 10 };
    out->len += varint_put_u64(byte_buffer_reserve(out, VARINT_BYTES_MAX), number << 3 | 2);
    out->len += varint_put_u64(byte_buffer_reserve(out, VARINT_BYTES_MAX), value.len);
    byte_buffer_append(out, value);
}

/* Appends the text, which may import another one, to an image: under its name, with a
 * source_code_info and a field that only buf knows. */
static inline void folder_fixture_descriptor(struct byte_buffer *image, const char *name,
                                             const char *text, const char *import_name,
                                             const char *import_text) {
    const struct schema_file root = {.content = bytes_of_text(text)};
    const struct schema_file import = {.name = bytes_of_text(import_name),
                                       .content = bytes_of_text(import_text)};
    struct schema_compiled compiled;
    struct byte_buffer file = {0};
    struct error error;
    cr_assert(schema_compile(&root, &import, import_name != NULL, &compiled, &error), "%s",
              error.text);
    byte_buffer_append(&file, byte_buffer_bytes(&compiled.parsed));
    folder_fixture_field(&file, 1, bytes_of_text(name)); /* the last one counts */
    folder_fixture_field(&file, 9, BYTES_NULL);
    folder_fixture_field(&file, 8042, BYTES_NULL);
    folder_fixture_field(image, 1, byte_buffer_bytes(&file));
    byte_buffer_deinit(&file);
    schema_compiled_deinit(&compiled);
}
