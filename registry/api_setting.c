/* Compatibility levels and modes: for all, for a context, for a subject. */
#include <strings.h>

#include "base/check.h"
#include "registry/api_body.h"
#include "registry/api_handlers.h"

struct setting {
    bool is_mode, of_all, found, force;
    struct bytes subject;
    char text[32]; /* in upper case; "": remove it */
    const char *before;
};

/* The subject of the path; ":.:" and ":.__GLOBAL:" are all of them. */
static struct setting *setting_new(struct api_call *call, bool is_mode) {
    struct setting *setting = arena_new(&call->arena, struct setting);
    setting->is_mode = is_mode;
    call->detail = setting;
    if (call->exchange->part_count > 0) {
        setting->subject = call_subject(call, 0);
    } else if (!bytes_equal_text(call_context(call), ".")) {
        setting->subject =
            bytes_of_text(arena_format(&call->arena, ":%.*s:", BYTES_FORMAT(call_context(call))));
    } else {
        setting->of_all = true;
    }
    if (!setting->of_all &&
        (setting->subject.len == 0 || bytes_equal_text(setting->subject, ":.__GLOBAL:")))
        setting->of_all = true;
    return setting;
}

static void level_print(struct api_call *call, enum compatibility_level level) {
    text_printf(&call->body, "{\"compatibilityLevel\":\"%s\"}", compatibility_level_name(level));
}

void config_get_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, config_get_handle);
    if (!call) return;
    const struct setting *setting = setting_new(call, false);
    const struct schema_setting *own = schema_view_setting(call->view, setting->subject);
    if (setting->of_all || call_flag(call, "defaultToGlobal"))
        level_print(call, schema_view_level(call->view, setting->subject));
    else if (own && own->level_set)
        level_print(call, own->level);
    else
        call_refuse(call, 404, 40408,
                    "Subject '%.*s' does not have subject-level compatibility configured",
                    BYTES_FORMAT(setting->subject));
    call_answer(call);
}

static void mode_print(struct api_call *call, enum registry_mode mode) {
    text_printf(&call->body, "{\"mode\":\"%s\"}", registry_mode_name(mode));
}

void mode_get_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, mode_get_handle);
    if (!call) return;
    const struct setting *setting = setting_new(call, true);
    const struct schema_setting *own = schema_view_setting(call->view, setting->subject);
    if (setting->of_all || call_flag(call, "defaultToGlobal"))
        mode_print(call, schema_view_mode(call->view, setting->subject));
    else if (own && own->mode)
        mode_print(call, own->mode);
    else
        call_refuse(call, 404, 40409, "Subject '%.*s' does not have subject-level mode configured",
                    BYTES_FORMAT(setting->subject));
    call_answer(call);
}

/* --- changing --- */

/* IMPORT gives ids by hand: only where there is nothing yet. */
static bool may_import(const struct subjects *subjects, const struct setting *setting) {
    const struct subject *subject = subjects_named(subjects, setting->subject);
    if (setting->force || strcmp(setting->text, "IMPORT") != 0) return true;
    if (setting->of_all) return subjects->by_id.count == 0;
    return !subject || !subject_find_version(subject, -1, false);
}

/* What was set just there; NULL when nothing was. */
static const char *set_before(const struct subjects *subjects, const struct setting *setting) {
    const struct subject *subject =
        setting->of_all ? NULL : subjects_named(subjects, setting->subject);
    if (setting->is_mode) {
        enum registry_mode mode = setting->of_all ? subjects->mode
                                  : subject       ? subject->mode
                                                  : MODE_UNSET;
        return mode ? registry_mode_name(mode) : NULL;
    }
    bool set = setting->of_all ? subjects->level_set : subject && subject->level_set;
    if (!set) return NULL;
    return compatibility_level_name(setting->of_all ? subjects->level : subject->level);
}

static bool has_room(struct api_call *call, const struct setting *setting,
                     const struct subjects *subjects) {
    if (setting->of_all || !setting->text[0]) return true;
    const char *why = subjects_exhausted(subjects, setting->subject, NULL);
    return !why || call_refuse(call, 422, 42205, "%s", why);
}

static void setting_make(struct schema_change *change, struct schema_machine *machine) {
    struct api_call *call = container_of(change, struct api_call, change);
    struct setting *setting = (struct setting *)call->detail;
    const struct subjects *subjects = schema_machine_subjects(machine);
    struct schema_record record = {
        .kind = setting->is_mode ? SCHEMA_RECORD_MODE : SCHEMA_RECORD_CONFIG,
        .subject = setting->of_all ? BYTES_NULL : setting->subject,
        .tombstone = !setting->text[0],
        .setting = setting->text[0] ? bytes_of_text(setting->text) : BYTES_NULL};
    setting->before = set_before(subjects, setting);
    if (setting->is_mode && !may_import(subjects, setting)) {
        call_refuse(call, 422, 42205, "Cannot import since found existing subjects");
        return;
    }
    if (record.tombstone && !setting->before) return;
    if (!has_room(call, setting, subjects)) return;
    schema_machine_write(machine, &record, NULL);
}

static bool text_take(struct api_call *call, struct setting *setting, const char *property) {
    struct bytes value;
    if (!setting->of_all && !call_check_name(call, setting->subject)) return false;
    if (!body_read_text(call, property, &value)) return false;
    if (value.len >= sizeof setting->text) value.len = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.at[i];
        setting->text[i] = (char)(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
    }
    return true;
}

static void config_changed(struct api_call *call) {
    const struct setting *setting = (const struct setting *)call->detail;
    if (!call->status) text_printf(&call->body, "{\"compatibility\":\"%s\"}", setting->text);
    call_answer(call);
}

void config_put_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, config_put_handle);
    enum compatibility_level level;
    if (!call) return;
    struct setting *setting = setting_new(call, false);
    bool good = text_take(call, setting, "compatibility");
    if (good && !compatibility_level_parse(bytes_of_text(setting->text), &level))
        good = call_refuse(call, 422, 42203,
                           "Invalid compatibility level. Valid values are none, backward, forward, "
                           "full, backward_transitive, forward_transitive, and full_transitive");
    if (good)
        call_change(call, setting_make, config_changed);
    else
        call_answer(call);
}

static void mode_changed(struct api_call *call) {
    const struct setting *setting = (const struct setting *)call->detail;
    if (!call->status) text_printf(&call->body, "{\"mode\":\"%s\"}", setting->text);
    call_answer(call);
}

void mode_put_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, mode_put_handle);
    enum registry_mode mode;
    if (!call) return;
    struct setting *setting = setting_new(call, true);
    setting->force = call_flag(call, "force");
    bool good = text_take(call, setting, "mode");
    if (good && !registry_mode_parse(bytes_of_text(setting->text), &mode))
        good = call_refuse(call, 422, 42204,
                           "Invalid mode. Valid values are READWRITE, READONLY, "
                           "READONLY_OVERRIDE, and IMPORT");
    if (good)
        call_change(call, setting_make, mode_changed);
    else
        call_answer(call);
}

/* --- removing: answers what was set --- */

static void removed(struct api_call *call) {
    const struct setting *setting = (const struct setting *)call->detail;
    const char *before = setting->before;
    if (call->status) {
        call_answer(call);
        return;
    }
    if (!before && setting->of_all)
        before = setting->is_mode ? registry_mode_name(MODE_READWRITE)
                                  : compatibility_level_name(COMPATIBILITY_BACKWARD);
    if (!before)
        call_refuse(call, 404, setting->is_mode ? 40409 : 40408,
                    "Subject '%.*s' does not have subject-level %s configured",
                    BYTES_FORMAT(setting->subject), setting->is_mode ? "mode" : "compatibility");
    else
        text_printf(&call->body, "{\"%s\":\"%s\"}",
                    setting->is_mode ? "mode" : "compatibilityLevel", before);
    call_answer(call);
}

static void remove_handle(struct http_exchange *exchange, bool is_mode) {
    struct api_call *call =
        call_begin(exchange, is_mode ? mode_delete_handle : config_delete_handle);
    if (!call) return;
    setting_new(call, is_mode);
    call_change(call, setting_make, removed);
}

void config_delete_handle(struct http_exchange *exchange) { remove_handle(exchange, false); }
void mode_delete_handle(struct http_exchange *exchange) { remove_handle(exchange, true); }
