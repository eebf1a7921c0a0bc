#include "registry/linked_schema.h"

#include "base/base64.h"
#include "registry/canonical.h"
#include "registry/wire_field.h"

enum { SOURCES_BYTES_MAX = 4 << 20 };

/* --- sources --- */

/* The files of one compilation: the schema itself and, by import name, what it refers to. */
struct sources {
    const struct schema_view *view;
    struct arena *arena;
    struct error *error;
    struct schema_file files[SCHEMA_FILES_MAX];
    size_t count, bytes;
};

/* No .proto file consists of base64's letters only: it needs a semicolon at least. */
static void file_fill(struct sources *sources, struct bytes text, struct schema_file *file) {
    struct byte_buffer decoded = {0};
    file->content = text;
    file->is_descriptor = text.len > 0 && base64_decode(text, &decoded) && decoded.len > 0;
    if (file->is_descriptor)
        file->content = arena_copy(sources->arena, byte_buffer_bytes(&decoded));
    byte_buffer_deinit(&decoded);
}

const struct schema_version *reference_find(const struct schema_view *view, struct bytes context,
                                            const struct schema_reference *reference,
                                            struct arena *arena) {
    struct bytes name = subject_qualify(context, reference->subject, arena);
    const struct schema_subject *subject = schema_view_subject(view, name);
    return subject ? schema_subject_version(subject, reference->version, reference->version != -1)
                   : NULL;
}

static bool has_file(const struct sources *sources, struct bytes name) {
    for (size_t i = 1; i < sources->count; i++)
        if (bytes_equal(sources->files[i].name, name)) return true;
    return false;
}

/* Not by recursion: each schema's references join the line behind it. The first file of a name
 * wins. */
struct referrer {
    struct bytes context;
    const struct schema_entry *entry;
};

static bool references_add(struct sources *sources, const struct referrer *referrer,
                           struct referrer *line, size_t *line_count) {
    for (size_t i = 0; i < referrer->entry->reference_count; i++) {
        const struct schema_reference *reference = &referrer->entry->references[i];
        if (has_file(sources, reference->name)) continue;
        const struct schema_version *found =
            reference_find(sources->view, referrer->context, reference, sources->arena);
        if (!found)
            return error_set(sources->error, 0,
                             "No schema reference found for subject \"%.*s\" and version %d",
                             BYTES_FORMAT(reference->subject), reference->version);
        if (sources->count == SCHEMA_FILES_MAX)
            return error_set(sources->error, 0, "More than %d references", SCHEMA_FILES_MAX - 1);
        struct schema_file *file = &sources->files[sources->count++];
        sources->bytes += found->schema->entry.schema.len;
        if (sources->bytes > SOURCES_BYTES_MAX)
            return error_set(sources->error, 0, "The references have more than %d bytes",
                             SOURCES_BYTES_MAX);
        file_fill(sources, found->schema->entry.schema, file);
        file->name = reference->name;
        line[(*line_count)++] = (struct referrer){found->schema->context, &found->schema->entry};
    }
    return true;
}

static bool sources_collect(struct sources *sources, struct bytes context,
                            const struct schema_entry *entry) {
    struct referrer line[SCHEMA_FILES_MAX + 1] = {{context, entry}};
    size_t line_count = 1;
    sources->count = 1;
    file_fill(sources, entry->schema, &sources->files[0]);
    for (size_t i = 0; i < line_count; i++)
        if (!references_add(sources, &line[i], line, &line_count)) return false;
    return true;
}

/* --- life --- */

static bool compile(struct linked_schema *schema, const struct schema_view *view,
                    struct bytes context, const struct schema_entry *entry, struct error *error) {
    struct sources *sources = arena_new(&schema->arena, struct sources);
    sources->view = view;
    sources->arena = &schema->arena;
    sources->error = error;
    if (entry->schema.len > SCHEMA_SIZE_MAX)
        return error_set(error, 0, "The schema is larger than %d bytes", SCHEMA_SIZE_MAX);
    bool collected = sources_collect(sources, context, entry);
    schema->is_descriptor = sources->files[0].is_descriptor;
    return collected && schema_compile(&sources->files[0], sources->files + 1, sources->count - 1,
                                       &schema->compiled, error);
}

bool linked_schema_init(struct linked_schema *schema, const struct schema_view *view,
                        struct bytes context, const struct schema_entry *entry,
                        struct error *error) {
    *schema = (struct linked_schema){0};
    arena_init(&schema->arena, LINKED_MEMORY_MAX);
    bool good = compile(schema, view, context, entry, error) &&
                descriptor_set_read(byte_buffer_bytes(&schema->compiled.linked), &schema->arena,
                                    &schema->linked, error) &&
                descriptor_file_read(byte_buffer_bytes(&schema->compiled.parsed), &schema->arena,
                                     &schema->parsed, error);
    schema->arena.limit = SIZE_MAX; /* what follows is in proportion to what was read */
    return good;
}

void linked_schema_deinit(struct linked_schema *schema) {
    schema_compiled_deinit(&schema->compiled);
    arena_deinit(&schema->arena);
}

/* --- what it looks like --- */

void linked_schema_print(struct linked_schema *schema, bool normalize, struct text *text) {
    canonical_print(&schema->parsed, &schema->linked, normalize, &schema->arena, text);
}

struct bytes linked_schema_file(const struct linked_schema *schema) {
    struct bytes rest = byte_buffer_bytes(&schema->compiled.linked), last = BYTES_OF("");
    struct wire_field field;
    bool broken = false;
    while (wire_field_next(&rest, &field, &broken))
        if (field.number == 1 && field.type == WIRE_BYTES) last = field.bytes;
    return last;
}
