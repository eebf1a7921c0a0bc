#include "cli/schema_source.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"

enum { MEMORY_LIMIT = 256 << 20 };

/* A file that is too large is read far enough to be refused. */
static bool file_read(struct schema_source *source, const char *path, struct bytes *content) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    uint8_t *at = (uint8_t *)memory_new(SCHEMA_SIZE_MAX + 1);
    size_t len = fread(at, 1, SCHEMA_SIZE_MAX + 1, file);
    bool good = !ferror(file);
    *content = arena_copy(&source->arena, bytes_make(at, len));
    fclose(file);
    free(at);
    return good;
}

static bool source_has(const struct schema_source *source, struct bytes name) {
    for (size_t i = 1; i < source->count; i++)
        if (bytes_equal(source->files[i].name, name)) return true;
    return false;
}

/* An import that is not on disk is either built in, or the compiler will say so. */
static void import_load(struct schema_source *source, struct bytes name, const char *beside,
                        const struct settings_list *folders) {
    struct schema_file *file = &source->files[source->count];
    if (source->count == SCHEMA_FILES_MAX || source_has(source, name)) return;
    for (size_t i = 0; i <= folders->count; i++) {
        const char *folder = i < folders->count ? folders->items[i] : beside;
        const char *path = arena_format(&source->arena, "%s/%.*s", folder, BYTES_FORMAT(name));
        if (!file_read(source, path, &file->content)) continue;
        file->name = arena_copy(&source->arena, name);
        source->count++;
        return;
    }
}

static const char *word_skip(const char *at, const char *word) {
    size_t len = strlen(word);
    if (strncmp(at, word, len) != 0) return NULL;
    for (at += len; isspace((unsigned char)*at);) at++;
    return at;
}

/* Where "import" stands in a comment, a file more is loaded: no harm. */
static void imports_load(struct schema_source *source, struct bytes content, const char *beside,
                         const struct settings_list *folders) {
    const char *at = arena_text(&source->arena, content), *next;
    while ((at = strstr(at, "import"))) {
        at = word_skip(at, "import");
        if ((next = word_skip(at, "public")) || (next = word_skip(at, "weak"))) at = next;
        if (*at != '"' && *at != '\'') continue;
        size_t len = strcspn(at + 1, "\"'\n");
        import_load(source, bytes_make(at + 1, len), beside, folders);
        at += 1 + len;
    }
}

static bool source_compile(struct schema_source *source, const char *path, struct error *error) {
    struct error why;
    if (schema_compile(&source->files[0], source->files + 1, source->count - 1, &source->compiled,
                       &why))
        return descriptor_set_read(byte_buffer_bytes(&source->compiled.linked), &source->arena,
                                   &source->linked, error);
    const char *between = isdigit((unsigned char)why.text[0]) ? ":" : ": ";
    return error_set(error, 0, "%.100s%s%.150s", path, between, why.text);
}

struct schema_source *schema_source_open(const char *path, const struct settings_list *folders,
                                         struct error *error) {
    struct schema_source *source = new_zero(struct schema_source);
    arena_init(&source->arena, MEMORY_LIMIT);
    const char *slash = strrchr(path, '/');
    const char *beside =
        slash ? arena_text(&source->arena, bytes_make(path, (size_t)(slash - path))) : ".";
    source->count = 1;
    bool good = file_read(source, path, &source->files[0].content) ||
                error_set(error, errno, "cannot read %.200s: %s", path, strerror(errno));
    for (size_t i = 0; good && i < source->count; i++)
        imports_load(source, source->files[i].content, beside, folders);
    if (good && source_compile(source, path, error)) return source;
    schema_source_close(source);
    return NULL;
}

void schema_source_close(struct schema_source *source) {
    schema_compiled_deinit(&source->compiled);
    arena_deinit(&source->arena);
    free(source);
}
