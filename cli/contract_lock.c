#include "cli/contract_lock.h"

#include <jansson.h>

static bool is_empty(const char *text) { return !text || !*text; }

bool contract_subjects(const struct contract_names *names, struct arena *arena,
                       struct settings_list *subjects) {
    const char *rest = names->messages ? names->messages : "";
    subjects->count = 0;
    if (!is_empty(names->subject)) {
        subjects->items[subjects->count++] = names->subject;
    } else if (is_empty(names->strategy) || strcmp(names->strategy, "topic") == 0) {
        subjects->items[subjects->count++] =
            arena_format(arena, "%s-%s", names->topic, names->part);
    } else {
        bool with_topic = strcmp(names->strategy, "topic-record") == 0;
        while (*(rest += strspn(rest, ", ")) && subjects->count < SETTINGS_LIST_MAX) {
            int len = (int)strcspn(rest, ", ");
            subjects->items[subjects->count++] =
                arena_format(arena, "%s%s%.*s", with_topic ? names->topic : "",
                             with_topic ? "-" : "", len, rest);
            rest += len;
        }
    }
    return subjects->count > 0;
}

static const char *path_of(struct arena *arena, const char *before, const char *subject,
                           const char *behind) {
    return arena_format(arena, "%s%s%s", before,
                        registry_path_segment(arena, bytes_of_text(subject)), behind);
}

/* A subject without versions would stay without: nothing but null could be produced. */
static bool lock_one(const struct registry_client *client, const char *subject, struct arena *arena,
                     struct error *error) {
    struct registry_answer answer;
    return registry_client_ask(client, "GET", path_of(arena, "/subjects/", subject, "/versions"),
                               BYTES_NULL, arena, &answer, error) &&
           registry_client_ask(client, "PUT", path_of(arena, "/mode/", subject, ""),
                               BYTES_OF("{\"mode\":\"READONLY\"}"), arena, &answer, error);
}

bool contract_lock(const struct registry_client *client, const struct settings_list *subjects,
                   struct arena *arena, struct error *error) {
    struct error why;
    for (size_t i = 0; i < subjects->count; i++)
        if (!lock_one(client, subjects->items[i], arena, &why))
            return error_set(error, why.code, "subject \"%.60s\" is not locked: %.170s",
                             subjects->items[i], why.text);
    return true;
}

static bool mode_is_readonly(struct bytes body) {
    json_t *object = json_loadb((const char *)body.at, body.len, 0, NULL);
    const char *mode = json_string_value(json_object_get(object, "mode"));
    bool readonly = mode && strncmp(mode, "READONLY", 8) == 0; /* or READONLY_OVERRIDE */
    json_decref(object);
    return readonly;
}

bool contract_lock_read(const struct registry_client *client, const struct settings_list *subjects,
                        struct arena *arena, bool *locked) {
    struct registry_answer answer;
    struct error ignored;
    *locked = true;
    for (size_t i = 0; i < subjects->count; i++) {
        const char *path = path_of(arena, "/mode/", subjects->items[i], "?defaultToGlobal=true");
        if (!registry_client_ask(client, "GET", path, BYTES_NULL, arena, &answer, &ignored))
            return false;
        *locked = *locked && mode_is_readonly(answer.body);
    }
    return true;
}
