#include "cli/registry_schemas.h"

#include <errno.h>
#include <jansson.h>

#include "base/base64.h"
#include "base/clock.h"
#include "registry/compile.h"
#include "registry/subjects.h"

enum { MEMORY_MAX = 256 << 20, SOURCES_BYTES_MAX = 4 << 20, ASK_AGAIN_MS = 2000 };

/* --- what the registry says --- */

/* Where a file comes from; the first by its schema's path instead. What it refers to without a
 * context is of its own one. */
struct file_source {
    struct bytes context, subject;
    int32_t version;
};

/* A schema's text and its references; `files` is the compiler's input so far. */
struct fetching {
    const struct registry_schemas *schemas;
    struct registry_schema *schema;
    struct error *error;
    struct schema_file files[SCHEMA_FILES_MAX]; /* the schema itself is the first */
    struct file_source sources[SCHEMA_FILES_MAX];
    size_t count, bytes;
};

static struct bytes text_copy(struct fetching *fetching, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return BYTES_NULL;
    return arena_copy(&fetching->schema->arena,
                      bytes_make(json_string_value(value), json_string_length(value)));
}

/* No .proto file consists of base64's letters only: it needs a semicolon at least. */
static void file_fill(struct fetching *fetching, struct bytes text, struct schema_file *file) {
    struct byte_buffer decoded = {0};
    file->content = text;
    file->is_descriptor = !memchr(text.at, ';', text.len) && base64_decode(text, &decoded);
    if (file->is_descriptor)
        file->content = arena_copy(&fetching->schema->arena, byte_buffer_bytes(&decoded));
    byte_buffer_deinit(&decoded);
}

static bool is_wanted(const struct fetching *fetching, struct bytes name) {
    for (size_t i = 1; i < fetching->count; i++)
        if (bytes_equal(fetching->files[i].name, name)) return true;
    return false;
}

static bool bytes_count(struct fetching *fetching, size_t len) {
    fetching->bytes += len;
    return fetching->bytes <= SOURCES_BYTES_MAX ||
           error_set(fetching->error, 0,
                     "the schema and what it refers to are larger than %d bytes",
                     SOURCES_BYTES_MAX);
}

/* They join the line behind those that are there; the first file of a name wins. */
static bool references_take(struct fetching *fetching, const json_t *object, size_t file) {
    struct bytes context = fetching->sources[file].context;
    const json_t *list = json_object_get(object, "references");
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item) {
        struct bytes name = text_copy(fetching, item, "name");
        struct bytes subject = subject_qualify(context, text_copy(fetching, item, "subject"),
                                               &fetching->schema->arena);
        json_int_t version = json_integer_value(json_object_get(item, "version"));
        if (!bytes_count(fetching, name.len + subject.len)) return false;
        if (is_wanted(fetching, name)) continue;
        if (fetching->count == SCHEMA_FILES_MAX)
            return error_set(fetching->error, 0, "more than %d references", SCHEMA_FILES_MAX - 1);
        fetching->files[fetching->count].name = name;
        fetching->sources[fetching->count++] =
            (struct file_source){subject_context(subject), subject, (int32_t)version};
    }
    return true;
}

static bool schema_take(struct fetching *fetching, const json_t *object, size_t file) {
    const char *type = json_string_value(json_object_get(object, "schemaType"));
    struct bytes text = text_copy(fetching, object, "schema");
    if (bytes_is_null(text))
        return error_set(fetching->error, 0, "the registry's answer is not a schema");
    if (!type || strcmp(type, "PROTOBUF") != 0)
        return error_set(fetching->error, 0, "the schema is %.20s, and only PROTOBUF is understood",
                         type ? type : "AVRO");
    if (!bytes_count(fetching, text.len)) return false;
    file_fill(fetching, text, &fetching->files[file]);
    if (file == 0) {
        fetching->schema->id = (int32_t)json_integer_value(json_object_get(object, "id"));
        fetching->schema->version = (int32_t)json_integer_value(json_object_get(object, "version"));
        fetching->schema->guid = text_copy(fetching, object, "guid");
    }
    return references_take(fetching, object, file);
}

static bool file_fetch(struct fetching *fetching, const char *path, size_t file) {
    struct registry_answer answer;
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    bool good = registry_client_ask(&fetching->schemas->client, "GET", path, BYTES_NULL, &arena,
                                    &answer, fetching->error);
    json_t *object =
        good ? json_loadb((const char *)answer.body.at, answer.body.len, 0, NULL) : NULL;
    good = good && schema_take(fetching, object, file);
    json_decref(object);
    arena_deinit(&arena);
    return good;
}

static const char *source_path(struct fetching *fetching, const struct file_source *source) {
    struct arena *arena = &fetching->schema->arena;
    return arena_format(arena, "/subjects/%s/versions/%d?deleted=true",
                        registry_path_segment(arena, source->subject), source->version);
}

/* --- what is made of it --- */

static bool schema_fetch(struct fetching *fetching) {
    struct registry_schema *schema = fetching->schema;
    fetching->count = 1;
    bool good = file_fetch(fetching, schema->path, 0);
    for (size_t i = 1; good && i < fetching->count; i++)
        good = file_fetch(fetching, source_path(fetching, &fetching->sources[i]), i);
    if (!good) return false;
    schema->compiled = new_zero(struct schema_compiled);
    if (!schema_compile(&fetching->files[0], fetching->files + 1, fetching->count - 1,
                        schema->compiled, fetching->error) ||
        !descriptor_set_read(byte_buffer_bytes(&schema->compiled->linked), &schema->arena,
                             &schema->set, fetching->error))
        return false;
    schema->json = json_schema_new(&schema->set, fetching->error);
    return schema->json != NULL;
}

static void schema_clear(struct registry_schema *schema) {
    json_schema_free(schema->json);
    if (schema->compiled) schema_compiled_deinit(schema->compiled);
    free(schema->compiled);
    arena_deinit(&schema->arena);
}

/* `path` stays the caller's. */
static void schema_fill(struct registry_schemas *schemas, struct registry_schema *schema,
                        const char *path, struct bytes context) {
    struct registry_schema *next = schema->next;
    *schema = (struct registry_schema){.next = next, .asked_ns = clock_monotonic_ns()};
    arena_init(&schema->arena, MEMORY_MAX);
    schema->path = arena_text(&schema->arena, bytes_of_text(path));
    struct fetching *fetching = new_zero(struct fetching);
    fetching->schemas = schemas;
    fetching->schema = schema;
    fetching->sources[0].context = context;
    fetching->error = &schema->problem;
    schema_fetch(fetching);
    free(fetching);
}

static bool is_to_be_asked_again(const struct registry_schema *schema) {
    return !schema->json && schema->problem.code == ECONNREFUSED &&
           clock_monotonic_ns() - schema->asked_ns > ASK_AGAIN_MS * (uint64_t)NS_PER_MS;
}

const struct registry_schema *registry_schemas_find(struct registry_schemas *schemas,
                                                    const char *path, struct bytes context,
                                                    struct error *error) {
    struct registry_schema *schema = schemas->newest;
    while (schema && strcmp(schema->path, path) != 0) schema = schema->next;
    if (!schema) {
        if (schemas->count == REGISTRY_SCHEMAS_MAX) registry_schemas_deinit(schemas);
        schema = new_zero(struct registry_schema);
        schema->next = schemas->newest;
        schemas->newest = schema;
        schemas->count++;
        schema_fill(schemas, schema, path, context);
    } else if (is_to_be_asked_again(schema)) {
        schema_clear(schema);
        schema_fill(schemas, schema, path, context);
    }
    if (schema->json) return schema;
    *error = schema->problem;
    return NULL;
}

bool registry_schemas_init(struct registry_schemas *schemas, const struct settings *settings,
                           struct error *error) {
    schemas->newest = NULL;
    schemas->count = 0;
    return registry_client_init(&schemas->client, settings, error);
}

void registry_schemas_deinit(struct registry_schemas *schemas) {
    while (schemas->newest) {
        struct registry_schema *schema = schemas->newest;
        schemas->newest = schema->next;
        schema_clear(schema);
        free(schema);
    }
    schemas->count = 0;
}
