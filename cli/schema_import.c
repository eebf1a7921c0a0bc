/* millrace schema import: a backup of the topic _schemas into a registry, with ids, versions and
 * GUIDs as they were. The records are replayed here as a registry would, and what they come to is
 * sent through IMPORT mode: so it does not matter how often something was changed, and importing
 * twice does nothing the second time. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/lines.h"
#include "cli/schema_registry.h"
#include "registry/subjects.h"

enum { MEMORY_MAX = 1 << 30, PROBLEMS_MAX = 20 };

struct importing {
    struct registry_client client;
    struct subjects subjects;
    struct subject_version **versions; /* by id: what is referred to comes first, as a rule */
    bool *done;
    size_t count, imported, problems;
    struct error *error;
};

/* ---- reading ---- */

/* {"key": "...", "value": "..." or null}, as `millrace consume --json` prints records. */
static bool line_json(struct bytes line, struct arena *arena, struct bytes *key,
                      struct bytes *value) {
    json_t *object = json_loadb((const char *)line.at, line.len, 0, NULL);
    const json_t *key_text = json_object_get(object, "key");
    const json_t *value_text = json_object_get(object, "value");
    bool good = json_is_string(key_text);
    *value = BYTES_NULL;
    if (good) *key = arena_copy(arena, bytes_of_text(json_string_value(key_text)));
    if (good && json_is_string(value_text))
        *value = arena_copy(arena, bytes_of_text(json_string_value(value_text)));
    json_decref(object);
    return good;
}

/* KEY, a tab, VALUE; a value that is empty or "null" is a tombstone. */
static bool line_split(struct bytes line, struct arena *arena, struct bytes *key,
                       struct bytes *value) {
    const uint8_t *tab = line.len ? (const uint8_t *)memchr(line.at, '\t', line.len) : NULL;
    if (!tab) return line_json(line, arena, key, value);
    *key = bytes_make(line.at, (size_t)(tab - line.at));
    *value = bytes_make(tab + 1, line.len - key->len - 1);
    if (value->len == 0 || bytes_equal_text(*value, "null")) *value = BYTES_NULL;
    return true;
}

static bool line_apply(struct importing *importing, int64_t number, struct bytes line) {
    struct schema_record record;
    struct bytes key, value;
    struct arena arena;
    struct error why;
    arena_init(&arena, MEMORY_MAX);
    bool good = line_split(line, &arena, &key, &value) ||
                error_set(&why, 0, "it is neither KEY<tab>VALUE nor {\"key\":..., \"value\":...}");
    good = good && schema_record_read(key, value, &arena, &record, &why);
    if (good) subjects_apply(&importing->subjects, &record);
    arena_deinit(&arena);
    return good || error_set(importing->error, 0, "line %lld: %.200s", (long long)number, why.text);
}

static bool file_read(struct importing *importing, const char *path) {
    struct lines lines;
    struct bytes line;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(importing->error, 0, "cannot read %.200s: %s", path, strerror(errno));
    enum line_result result = LINE_READ;
    bool good = true;
    lines_init(&lines, fd);
    while (good && result != LINE_END && result != LINE_FAILED) {
        result = lines_next(&lines, &line, importing->error);
        if (result == LINE_READ && line.len > 0) good = line_apply(importing, lines.number, line);
    }
    lines_deinit(&lines);
    if (fd != STDIN_FILENO) close(fd);
    return good && result != LINE_FAILED;
}

static int compare_ids(const void *a, const void *b) {
    const struct schema_entry *one = &(*(struct subject_version *const *)a)->entry;
    const struct schema_entry *other = &(*(struct subject_version *const *)b)->entry;
    int order = (one->id > other->id) - (one->id < other->id);
    return order ? order : (one->version > other->version) - (one->version < other->version);
}

static void versions_collect(struct importing *importing) {
    struct map *by_id = &importing->subjects.by_id;
    importing->versions =
        (struct subject_version **)memory_zero(by_id->count + 1, sizeof(struct subject_version *));
    importing->done = (bool *)memory_zero(by_id->count + 1, sizeof(bool));
    for (struct map_node *node = map_first(by_id); node; node = map_next(by_id, node))
        importing->versions[importing->count++] = map_entry(node, struct subject_version, by_id);
    qsort(importing->versions, importing->count, sizeof *importing->versions, compare_ids);
}

/* ---- sending ---- */

/* One request about a subject; `body` is freed. */
static bool ask(struct importing *importing, const char *verb, const char *before,
                struct bytes subject, const char *behind, struct text *body) {
    struct registry_answer answer;
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    const char *path = arena_format(
        &arena, "%s%s%s", before, subject.at ? registry_path_segment(&arena, subject) : "", behind);
    bool good =
        registry_client_ask(&importing->client, verb, path, body ? text_bytes(body) : BYTES_NULL,
                            &arena, &answer, importing->error);
    arena_deinit(&arena);
    if (body) text_deinit(body);
    return good;
}

static bool mode_set(struct importing *importing, struct bytes subject, const char *mode) {
    struct text body = {0};
    if (!mode) return ask(importing, "DELETE", "/mode/", subject, "", NULL);
    text_printf(&body, "{\"mode\":\"%s\"}", mode);
    return ask(importing, "PUT", "/mode/", subject, "?force=true", &body);
}

static void body_print(const struct schema_entry *entry, struct text *body) {
    text_printf(body, "{\"id\":%d,\"version\":%d,\"schemaType\":\"%s\",\"guid\":", entry->id,
                entry->version, schema_type_name(entry->type));
    text_append_json(body, entry->guid);
    text_printf(body, ",\"references\":[");
    for (size_t i = 0; i < entry->reference_count; i++) {
        const struct schema_reference *reference = &entry->references[i];
        text_printf(body, "%s{\"name\":", i ? "," : "");
        text_append_json(body, reference->name);
        text_printf(body, ",\"subject\":");
        text_append_json(body, reference->subject);
        text_printf(body, ",\"version\":%d}", reference->version);
    }
    text_printf(body, "]");
    if (entry->metadata.at) text_printf(body, ",\"metadata\":%.*s", BYTES_FORMAT(entry->metadata));
    if (entry->rule_set.at) text_printf(body, ",\"ruleSet\":%.*s", BYTES_FORMAT(entry->rule_set));
    text_printf(body, ",\"schema\":");
    text_append_json(body, entry->schema);
    text_printf(body, "}");
}

static bool version_send(struct importing *importing, const struct subject_version *version) {
    struct bytes name = version->subject->name;
    struct text body = {0};
    char behind[64];
    body_print(&version->entry, &body);
    if (!mode_set(importing, name, "IMPORT")) {
        text_deinit(&body);
        return false;
    }
    bool good = ask(importing, "POST", "/subjects/", name, "/versions", &body);
    if (good && version->entry.deleted) { /* still in that mode: the registry may be READONLY */
        snprintf(behind, sizeof behind, "/versions/%d", version->entry.version);
        good = ask(importing, "DELETE", "/subjects/", name, behind, NULL);
    }
    struct error why = *importing->error;
    const char *mode = version->subject->mode ? registry_mode_name(version->subject->mode) : NULL;
    bool restored = mode_set(importing, name, NULL);
    if (restored && mode) restored = mode_set(importing, name, mode);
    if (!good) *importing->error = why;
    return good && restored;
}

static bool config_send(struct importing *importing, const char *path, struct bytes subject,
                        enum compatibility_level level) {
    struct text body = {0};
    text_printf(&body, "{\"compatibility\":\"%s\"}", compatibility_level_name(level));
    return ask(importing, "PUT", path, subject, "", &body);
}

static bool configs_send(struct importing *importing) {
    const struct subjects *subjects = &importing->subjects;
    struct map_node *node = map_first(&subjects->by_name);
    if (subjects->level_set && !config_send(importing, "/config", BYTES_NULL, subjects->level))
        return false;
    for (; node; node = map_next(&subjects->by_name, node)) {
        const struct subject *subject = map_entry(node, struct subject, by_name);
        if (subject->level_set &&
            !config_send(importing, "/config/", subject->name, subject->level))
            return false;
    }
    return true;
}

/* Again and again while it helps: a reference may have a higher id than what refers to it. False
 * when nobody answers. */
static bool versions_send(struct importing *importing, bool tell) {
    size_t before = importing->imported;
    for (size_t i = 0; i < importing->count; i++) {
        const struct subject_version *version = importing->versions[i];
        if (importing->done[i]) continue;
        importing->done[i] = version_send(importing, version);
        importing->imported += importing->done[i];
        if (importing->done[i]) continue;
        if (importing->error->code) return false;
        importing->problems += tell;
        if (tell && importing->problems <= PROBLEMS_MAX)
            fprintf(stderr, "%.*s version %d, id %d: %s\n", BYTES_FORMAT(version->subject->name),
                    version->entry.version, version->entry.id, importing->error->text);
    }
    if (tell || importing->imported == importing->count) return true;
    return versions_send(importing, importing->imported == before);
}

static bool import(struct importing *importing, const char *path) {
    if (!file_read(importing, path)) return false;
    versions_collect(importing);
    if (!versions_send(importing, false) || !configs_send(importing)) return false;
    printf("%zu versions imported, %zu refused\n", importing->imported, importing->problems);
    return importing->problems == 0 ||
           error_set(importing->error, 0, "%zu versions were refused", importing->problems);
}

static enum cli_exit import_run(const struct settings *settings, struct error *error) {
    struct importing importing = {.error = error};
    *error = (struct error){0};
    if (!registry_client_init(&importing.client, settings, error)) return CLI_USAGE;
    subjects_init(&importing.subjects);
    bool good = import(&importing, settings->positional[0]);
    free(importing.versions);
    free(importing.done);
    subjects_deinit(&importing.subjects);
    return good ? CLI_DONE : registry_exit(error);
}

static const struct flag import_flags[] = {FLAG_REGISTRY};

const struct command command_schema_import = {
    .name = "schema import",
    .usage = "FILE [FLAGS]",
    .summary = "Import a backup of _schemas, with its ids.",
    .text =
        "A line of FILE (- is standard input) is the KEY of a record, a tab, and its VALUE, or "
        "the\n"
        "JSON that `millrace consume --json` prints. From another registry's broker:\n\n"
        "  kcat -C -b old:9092 -t _schemas -e -K '\\t' | millrace schema import -\n",
    .flags = FLAGS(import_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a file",
    .run = import_run,
};
