/* millrace schema register, list, show: schemas in a registry, this broker's or any other. */
#include "cli/schema_registry.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/schema_source.h"
#include "registry/subjects.h"

enum { MEMORY_MAX = 256 << 20, LISTED_MAX = 1000000 };

enum cli_exit registry_exit(const struct error *error) {
    if (error->code == EINVAL) return CLI_USAGE;
    return error->code == ECONNREFUSED ? CLI_UNREACHABLE : CLI_FAILED;
}

/* A run with a client and an arena: `work` prints to `out`. */
static enum cli_exit run(const struct settings *settings, struct error *error,
                         bool (*work)(const struct settings *settings,
                                      const struct registry_client *client, struct arena *arena,
                                      struct text *out, struct error *error)) {
    struct registry_client client;
    struct text out = {0};
    struct arena arena;
    if (!registry_client_init(&client, settings, error)) return CLI_USAGE;
    arena_init(&arena, MEMORY_MAX);
    bool good = work(settings, &client, &arena, &out, error);
    arena_deinit(&arena);
    if (good) return command_print(&out, error) ? CLI_DONE : CLI_FAILED;
    text_deinit(&out);
    return registry_exit(error);
}

/* ---- list ---- */

/* A registry answers as much at a time as it likes. One that does not know `offset` begins anew. */
static bool page_add(json_t *all, json_t *page, bool *is_last, struct error *error) {
    json_t *first = json_array_get(page, 0);
    *is_last = !first || json_equal(first, json_array_get(all, 0));
    if (!json_is_array(page)) return error_set(error, 0, "the registry's answer is not a list");
    if (json_array_size(all) > LISTED_MAX)
        return error_set(error, 0, "the registry lists more than %d schemas", LISTED_MAX);
    if (!*is_last) json_array_extend(all, page);
    return true;
}

static bool list_read(const struct settings *settings, const struct registry_client *client,
                      struct arena *arena, json_t *all, struct error *error) {
    bool good = true;
    for (bool is_last = false; good && !is_last; arena_reset(arena)) {
        struct registry_answer answer;
        const char *path =
            arena_format(arena, "/schemas?%s=true&offset=%zu",
                         settings->all ? "deleted" : "latestOnly", json_array_size(all));
        good = registry_client_ask(client, "GET", path, BYTES_NULL, arena, &answer, error);
        if (!good) break;
        json_t *page = json_loadb((const char *)answer.body.at, answer.body.len, 0, NULL);
        good = page_add(all, page, &is_last, error);
        json_decref(page);
    }
    return good;
}

static void list_json(const json_t *list, struct text *out) {
    char *text = json_dumps(list, JSON_COMPACT);
    text_printf(out, "%s\n", text);
    free(text);
}

static void list_table(const json_t *list, struct text *out) {
    size_t i;
    json_t *item;
    if (json_array_size(list) > 0)
        text_printf(out, "%-40s %8s %8s  %s\n", "SUBJECT", "LATEST", "ID", "TYPE");
    json_array_foreach(list, i, item) {
        const char *subject = json_string_value(json_object_get(item, "subject"));
        const char *type = json_string_value(json_object_get(item, "schemaType"));
        text_printf(out, "%-40s %8d %8d  %s\n", subject ? subject : "?",
                    (int)json_integer_value(json_object_get(item, "version")),
                    (int)json_integer_value(json_object_get(item, "id")), type ? type : "AVRO");
    }
}

static bool list_work(const struct settings *settings, const struct registry_client *client,
                      struct arena *arena, struct text *out, struct error *error) {
    json_t *all = json_array();
    bool good = list_read(settings, client, arena, all, error);
    if (good) (settings->json ? list_json : list_table)(all, out);
    json_decref(all);
    return good;
}

static enum cli_exit list_run(const struct settings *settings, struct error *error) {
    return run(settings, error, list_work);
}

static const struct flag list_flags[] = {
    FLAG_REGISTRY,
    {"all", 'a', FLAG_SWITCH, SETTING(all), NULL, "Every version, deleted ones too.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "The registry's own words, with the schemas.", 0},
};

const struct command command_schema_list = {
    .name = "schema list",
    .usage = "[FLAGS]",
    .summary = "List the subjects of a registry.",
    .text = "One line for each, with its latest version:\n\n  millrace schema list\n",
    .flags = FLAGS(list_flags),
    .run = list_run,
};

/* ---- show ---- */

static bool show_work(const struct settings *settings, const struct registry_client *client,
                      struct arena *arena, struct text *out, struct error *error) {
    struct registry_answer answer;
    const char *path;
    if (settings->id >= 0)
        path = arena_format(arena, "/schemas/ids/%lld%s", (long long)settings->id,
                            settings->json ? "" : "/schema");
    else if (settings->positional_count == 1)
        path = arena_format(arena, "/subjects/%s/versions/%s%s?deleted=true",
                            registry_path_segment(arena, bytes_of_text(settings->positional[0])),
                            settings->version ? settings->version : "latest",
                            settings->json ? "" : "/schema");
    else
        return error_set(error, EINVAL, "name a subject, or an --id");
    if (!registry_client_ask(client, "GET", path, BYTES_NULL, arena, &answer, error)) return false;
    text_append(out, answer.body);
    if (answer.body.len && answer.body.at[answer.body.len - 1] != '\n') text_printf(out, "\n");
    return true;
}

static enum cli_exit show_run(const struct settings *settings, struct error *error) {
    return run(settings, error, show_work);
}

static const struct flag show_flags[] = {
    FLAG_REGISTRY,
    {"id", 0, FLAG_NUMBER, SETTING(id), "ID", "The schema with that id, whatever its subject.", 0},
    {"version", 'V', FLAG_TEXT, SETTING(version), "N", "Another version than the latest.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "With id, version and references.", 0},
};

const struct command command_schema_show = {
    .name = "schema show",
    .usage = "[SUBJECT] [FLAGS]",
    .summary = "Print a schema of a registry.",
    .text = "  millrace schema show orders-value\n  millrace schema show --id 17\n",
    .flags = FLAGS(show_flags),
    .names_max = 1,
    .names = "a subject",
    .run = show_run,
};

/* ---- register ---- */

/* One of the files on disk, by the name that imports have for it; NULL for those built in. */
static const struct schema_file *file_named(const struct schema_source *source, struct bytes name) {
    for (size_t i = 1; i < source->count; i++)
        if (bytes_equal(source->files[i].name, name)) return &source->files[i];
    return NULL;
}

struct registering {
    const struct registry_client *client;
    const struct schema_source *source;
    struct arena *arena;
    int32_t versions[SCHEMA_FILES_MAX]; /* of the source's files, once registered */
    int32_t id, version;                /* of the last one */
};

static void references_print(const struct registering *registering,
                             const struct file_descriptor *file, struct text *body) {
    size_t count = 0;
    for (size_t i = 0; i < file->import_count; i++) {
        const struct schema_file *import = file_named(registering->source, file->imports[i].name);
        if (!import) continue;
        text_printf(body, "%s{\"name\":", count++ ? "," : ",\"references\":[");
        text_append_json(body, import->name);
        text_printf(body, ",\"subject\":");
        text_append_json(body, import->name);
        text_printf(body, ",\"version\":%d}",
                    registering->versions[import - registering->source->files]);
    }
    if (count > 0) text_printf(body, "]");
}

/* Old registries answer the id only; then the version is looked up. */
static bool result_read(struct registering *registering, const char *subject, struct bytes request,
                        struct bytes answered, bool looked_up, struct error *error) {
    json_t *object = json_loadb((const char *)answered.at, answered.len, 0, NULL);
    struct registry_answer answer;
    registering->id = (int32_t)json_integer_value(json_object_get(object, "id"));
    registering->version = (int32_t)json_integer_value(json_object_get(object, "version"));
    json_decref(object);
    if (registering->version > 0 || looked_up) return true;
    const char *path = arena_format(registering->arena, "/subjects/%s", subject);
    return registry_client_ask(registering->client, "POST", path, request, registering->arena,
                               &answer, error) &&
           result_read(registering, subject, request, answer.body, true, error);
}

static bool file_register(struct registering *registering, const struct file_descriptor *file,
                          struct bytes subject, struct bytes content, struct error *error) {
    struct registry_answer answer;
    struct text body = {0};
    const char *segment = registry_path_segment(registering->arena, subject);
    const char *path = arena_format(registering->arena, "/subjects/%s/versions", segment);
    text_printf(&body, "{\"schemaType\":\"PROTOBUF\",\"schema\":");
    text_append_json(&body, content);
    references_print(registering, file, &body);
    text_printf(&body, "}");
    bool good = registry_client_ask(registering->client, "POST", path, text_bytes(&body),
                                    registering->arena, &answer, error) &&
                result_read(registering, segment, text_bytes(&body), answer.body, false, error);
    text_deinit(&body);
    return good;
}

/* Imports come before those that import them, in the context of the subject; the file itself is the
 * last. */
static bool all_register(struct registering *registering, struct bytes subject, struct text *out,
                         struct error *error) {
    const struct schema_source *source = registering->source;
    for (size_t i = 0; i < source->linked.file_count; i++) {
        const struct file_descriptor *file = &source->linked.files[i];
        bool is_last = i + 1 == source->linked.file_count;
        const struct schema_file *own =
            is_last ? &source->files[0] : file_named(source, file->name);
        if (!own) continue;
        struct bytes name =
            is_last ? subject
                    : subject_qualify(subject_context(subject), own->name, registering->arena);
        if (!file_register(registering, file, name, own->content, error)) return false;
        registering->versions[own - source->files] = registering->version;
        text_printf(out, "%.*s version %d, id %d\n", BYTES_FORMAT(name), registering->version,
                    registering->id);
    }
    return true;
}

static bool register_work(const struct settings *settings, const struct registry_client *client,
                          struct arena *arena, struct text *out, struct error *error) {
    struct schema_source *source =
        schema_source_open(settings->positional[1], &settings->proto_paths, error);
    if (!source) return false;
    struct registering *registering = arena_new(arena, struct registering);
    registering->client = client;
    registering->source = source;
    registering->arena = arena;
    bool good = all_register(registering, bytes_of_text(settings->positional[0]), out, error);
    schema_source_close(source);
    return good;
}

static enum cli_exit register_run(const struct settings *settings, struct error *error) {
    return run(settings, error, register_work);
}

static const struct flag register_flags[] = {
    FLAG_REGISTRY,
    {"proto-path", 'I', FLAG_LIST, SETTING(proto_paths), "FOLDER",
     "Where imports are looked for, before the file's own folder. May be repeated.", 0},
};

const struct command command_schema_register = {
    .name = "schema register",
    .usage = "SUBJECT FILE.proto [FLAGS]",
    .summary = "Register a .proto file, and what it imports, in a registry.",
    .text =
        "A file that it imports is registered under the name of the import, as serializers\n"
        "do, except those that every registry knows (google/protobuf and so on):\n\n"
        "  millrace schema register orders-value proto/order.proto -I proto\n",
    .flags = FLAGS(register_flags),
    .names_min = 2,
    .names_max = 2,
    .names = "a subject or a .proto file",
    .run = register_run,
};
