#include "registry/compatibility.h"

#include <stdlib.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"

struct level_row {
    const char *name;
    bool backward, forward, transitive;
};

static const struct level_row levels[COMPATIBILITY_LEVEL_COUNT] = {
    [COMPATIBILITY_NONE] = {"NONE", false, false, false},
    [COMPATIBILITY_BACKWARD] = {"BACKWARD", true, false, false},
    [COMPATIBILITY_BACKWARD_TRANSITIVE] = {"BACKWARD_TRANSITIVE", true, false, true},
    [COMPATIBILITY_FORWARD] = {"FORWARD", false, true, false},
    [COMPATIBILITY_FORWARD_TRANSITIVE] = {"FORWARD_TRANSITIVE", false, true, true},
    [COMPATIBILITY_FULL] = {"FULL", true, true, false},
    [COMPATIBILITY_FULL_TRANSITIVE] = {"FULL_TRANSITIVE", true, true, true},
};

/* %1$s is the schema that has to understand, %2$s the one that was written with. */
static const struct {
    const char *name, *what;
} kinds[DIFFERENCE_KIND_COUNT] = {
    [PACKAGE_CHANGED] = {"PACKAGE_CHANGED", "The package"},
    [MESSAGE_REMOVED] = {"MESSAGE_REMOVED", "A message"},
    [FIELD_KIND_CHANGED] = {"FIELD_KIND_CHANGED", "The type of a field"},
    [FIELD_SCALAR_KIND_CHANGED] = {"FIELD_SCALAR_KIND_CHANGED", "The kind of a SCALAR field"},
    [FIELD_NAMED_TYPE_CHANGED] = {"FIELD_NAMED_TYPE_CHANGED", "The type of a MESSAGE field"},
    [FIELD_NUMERIC_LABEL_CHANGED] = {"FIELD_NUMERIC_LABEL_CHANGED", "The label of a numeric field"},
    [REQUIRED_FIELD_ADDED] = {"REQUIRED_FIELD_ADDED", "A required field"},
    [REQUIRED_FIELD_REMOVED] = {"REQUIRED_FIELD_REMOVED", "A required field"},
    [ONEOF_FIELD_REMOVED] = {"ONEOF_FIELD_REMOVED", "A field of a oneof"},
    [MULTIPLE_FIELDS_MOVED_TO_ONEOF] = {"MULTIPLE_FIELDS_MOVED_TO_ONEOF", "Several fields"},
    [FIELD_MOVED_TO_EXISTING_ONEOF] = {"FIELD_MOVED_TO_EXISTING_ONEOF", "A field"},
};

const char *compatibility_level_name(enum compatibility_level level) {
    check(level < COMPATIBILITY_LEVEL_COUNT);
    return levels[level].name;
}

bool compatibility_level_parse(struct bytes text, enum compatibility_level *level) {
    for (size_t i = 0; i < COMPATIBILITY_LEVEL_COUNT; i++) {
        const char *name = levels[i].name;
        if (strlen(name) != text.len || strncasecmp(name, (const char *)text.at, text.len) != 0)
            continue;
        *level = (enum compatibility_level)i;
        return true;
    }
    return false;
}

const char *difference_kind_name(enum difference_kind kind) {
    check(kind < DIFFERENCE_KIND_COUNT);
    return kinds[kind].name;
}

/* IMPORTED_SAME while it is being compared, so that types that contain themselves end. */
enum imported_state { IMPORTED_NEW, IMPORTED_SAME, IMPORTED_DIFFERS };

/* One comparison of two sets, `was` with `now`. `quiet` counts without telling, while a type from
 * an import is compared that the caller reports as a whole. */
struct comparison {
    const struct descriptor_set *was, *now;
    struct arena *arena;
    struct differences *differences;
    uint8_t *imported; /* per message of `was`, enum imported_state */
    size_t version;
    bool roles_exchanged;
    bool quiet;
    size_t found;
};

static void report(struct comparison *comparison, enum difference_kind kind, const char *path) {
    struct differences *differences = comparison->differences;
    comparison->found++;
    if (comparison->quiet) return;
    if (differences->told < DIFFERENCES_MAX) {
        differences->at[differences->told++] =
            (struct difference){.kind = kind,
                                .roles_exchanged = comparison->roles_exchanged,
                                .version = comparison->version,
                                .path = path};
    }
    differences->count++;
}

static const char *path_join(struct comparison *comparison, const char *path, struct bytes name) {
    return arena_format(comparison->arena, "%s/%.*s", path, BYTES_FORMAT(name));
}

static const char *path_number(struct comparison *comparison, const char *path, uint32_t number) {
    return arena_format(comparison->arena, "%s/%u", path, number);
}

/* Sorted views, so that two versions are compared in one pass. */

static int messages_by_name(const void *a, const void *b) {
    return bytes_compare((*(const struct message_descriptor *const *)a)->name,
                         (*(const struct message_descriptor *const *)b)->name);
}

static int fields_by_number(const void *a, const void *b) {
    uint32_t first = (*(const struct field_descriptor *const *)a)->number;
    uint32_t second = (*(const struct field_descriptor *const *)b)->number;
    return (first > second) - (first < second);
}

struct message_view {
    const struct message_descriptor **at;
    size_t count;
};

struct field_view {
    const struct field_descriptor **at;
    size_t count;
};

static bool is_group(const struct message_descriptor *scope,
                     const struct message_descriptor *message) {
    for (size_t i = 0; scope && i < scope->field_count; i++) {
        if (scope->fields[i].type == PROTO_GROUP && scope->fields[i].message == message)
            return true;
    }
    return false;
}

static struct message_view messages_sorted(struct comparison *comparison,
                                           const struct message_descriptor *messages,
                                           size_t count) {
    struct message_view view = {
        arena_array(comparison->arena, const struct message_descriptor *, count + 1), 0};
    for (size_t i = 0; i < count; i++) {
        if (messages[i].is_map_entry || is_group(messages[i].parent, &messages[i])) continue;
        view.at[view.count++] = &messages[i];
    }
    qsort(view.at, view.count, sizeof *view.at, messages_by_name);
    return view;
}

static struct field_view fields_sorted(struct comparison *comparison,
                                       const struct message_descriptor *message) {
    struct field_view view = {
        arena_array(comparison->arena, const struct field_descriptor *, message->field_count + 1),
        0};
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].type != PROTO_GROUP) view.at[view.count++] = &message->fields[i];
    }
    qsort(view.at, view.count, sizeof *view.at, fields_by_number);
    return view;
}

static const struct field_descriptor *field_with(const struct field_view *view, uint32_t number) {
    struct field_descriptor key = {.number = number};
    const struct field_descriptor *wanted = &key;
    const struct field_descriptor **found = (const struct field_descriptor **)bsearch(
        &wanted, view->at, view->count, sizeof wanted, fields_by_number);
    return found ? *found : NULL;
}

/* Fields. */

enum kind_group { GROUP_SCALAR, GROUP_MESSAGE, GROUP_MAP };

static bool is_map(const struct field_descriptor *field) {
    return field->message && field->message->is_map_entry;
}

static enum kind_group kind_group(const struct field_descriptor *field) {
    if (field->type != PROTO_MESSAGE) return GROUP_SCALAR;
    return is_map(field) ? GROUP_MAP : GROUP_MESSAGE;
}

/* Scalars of one class are read by each other's readers. */
static int scalar_class(enum proto_type type) {
    static const uint8_t classes[PROTO_TYPE_COUNT] = {
        [PROTO_INT32] = 1,   [PROTO_INT64] = 1,    [PROTO_UINT32] = 1,  [PROTO_UINT64] = 1,
        [PROTO_BOOL] = 1,    [PROTO_ENUM] = 1,     [PROTO_SINT32] = 2,  [PROTO_SINT64] = 2,
        [PROTO_STRING] = 3,  [PROTO_BYTES] = 3,    [PROTO_FIXED32] = 4, [PROTO_SFIXED32] = 4,
        [PROTO_FIXED64] = 5, [PROTO_SFIXED64] = 5, [PROTO_FLOAT] = 6,   [PROTO_DOUBLE] = 7,
    };
    return classes[type];
}

/* A singular field of proto3 has no label in the text, and so none to compare. */
static enum field_label label_written(const struct field_descriptor *field, bool proto3) {
    bool implicit = proto3 && field->label == LABEL_OPTIONAL && !field->proto3_optional;
    return implicit ? LABEL_UNSET : field->label;
}

static bool is_numeric(const struct field_descriptor *field) {
    return kind_group(field) == GROUP_SCALAR && scalar_class(field->type) != 3;
}

static struct bytes name_without_package(const struct message_descriptor *message) {
    size_t package = message->file->package.len;
    size_t skip = package ? package + 1 : 0;
    return bytes_make(message->full_name.at + skip, message->full_name.len - skip);
}

static void message_compare(struct comparison *comparison, const struct message_descriptor *was,
                            const struct message_descriptor *now, const char *path);

/* Types from imports are not met elsewhere; those of the file itself are. */
static bool imported_type_differs(struct comparison *comparison,
                                  const struct message_descriptor *was,
                                  const struct message_descriptor *now) {
    if (was->file == descriptor_root(comparison->was)) return false;
    uint8_t *state = &comparison->imported[was->number];
    if (*state != IMPORTED_NEW) return *state == IMPORTED_DIFFERS;
    bool quiet = comparison->quiet;
    size_t found = comparison->found;
    *state = IMPORTED_SAME;
    comparison->quiet = true;
    message_compare(comparison, was, now, "");
    comparison->quiet = quiet;
    if (comparison->found > found) *state = IMPORTED_DIFFERS;
    comparison->found = found;
    return *state == IMPORTED_DIFFERS;
}

static bool named_type_differs(struct comparison *comparison, const struct field_descriptor *was,
                               const struct field_descriptor *now) {
    if (!was->message || !now->message) return was->message != now->message;
    return !bytes_equal(name_without_package(was->message), name_without_package(now->message)) ||
           imported_type_differs(comparison, was->message, now->message);
}

static void field_compare(struct comparison *comparison, const struct message_descriptor *was_in,
                          const struct field_descriptor *was,
                          const struct message_descriptor *now_in,
                          const struct field_descriptor *now, const char *path) {
    enum kind_group group = kind_group(was);
    if (group != kind_group(now)) return report(comparison, FIELD_KIND_CHANGED, path);
    if (group == GROUP_MAP) {
        for (size_t i = 0; i < 2; i++) {
            if (was->message->field_count != 2 || now->message->field_count != 2) return;
            field_compare(comparison, was->message, &was->message->fields[i], now->message,
                          &now->message->fields[i], path);
        }
        return;
    }
    if (group == GROUP_MESSAGE) {
        if (named_type_differs(comparison, was, now))
            report(comparison, FIELD_NAMED_TYPE_CHANGED, path);
        return;
    }
    if (scalar_class(was->type) != scalar_class(now->type))
        report(comparison, FIELD_SCALAR_KIND_CHANGED, path);
    enum field_label label_was = label_written(was, was_in->file->proto3);
    enum field_label label_now = label_written(now, now_in->file->proto3);
    if (is_numeric(was) && is_numeric(now) && label_was && label_now && label_was != label_now)
        report(comparison, FIELD_NUMERIC_LABEL_CHANGED, path);
}

static void fields_compare(struct comparison *comparison, const struct message_descriptor *was,
                           const struct field_view *was_fields,
                           const struct message_descriptor *now,
                           const struct field_view *now_fields, const char *path) {
    for (size_t i = 0; i < was_fields->count; i++) {
        const struct field_descriptor *field = was_fields->at[i];
        const struct field_descriptor *same = field_with(now_fields, field->number);
        const char *place = path_number(comparison, path, field->number);
        if (same)
            field_compare(comparison, was, field, now, same, place);
        else if (field->label == LABEL_REQUIRED)
            report(comparison, REQUIRED_FIELD_REMOVED, place);
    }
    for (size_t i = 0; i < now_fields->count; i++) {
        const struct field_descriptor *field = now_fields->at[i];
        if (field->label != LABEL_REQUIRED || field_with(was_fields, field->number)) continue;
        report(comparison, REQUIRED_FIELD_ADDED, path_number(comparison, path, field->number));
    }
}

/* Oneofs. An optional field of proto3 is inside a oneof that nobody wrote: it counts as alone. */

static int oneof_of(const struct field_descriptor *field) {
    return field->proto3_optional ? -1 : field->oneof;
}

static int oneof_named(const struct message_descriptor *message, struct bytes name) {
    for (size_t i = 0; i < message->oneof_count; i++) {
        if (bytes_equal(message->oneofs[i].name, name)) return (int)i;
    }
    return -1;
}

static bool oneof_survives(const struct message_descriptor *was, int oneof,
                           const struct message_descriptor *now,
                           const struct field_view *now_fields) {
    if (oneof_named(now, was->oneofs[oneof].name) >= 0) return true;
    for (size_t i = 0; i < was->field_count; i++) {
        if (oneof_of(&was->fields[i]) == oneof && field_with(now_fields, was->fields[i].number))
            return true;
    }
    return false;
}

static void oneof_removals(struct comparison *comparison, const struct message_descriptor *was,
                           const struct message_descriptor *now,
                           const struct field_view *now_fields, const char *path) {
    for (size_t i = 0; i < was->field_count; i++) {
        const struct field_descriptor *field = &was->fields[i];
        int oneof = oneof_of(field);
        if (oneof < 0 || field_with(now_fields, field->number)) continue;
        if (!oneof_survives(was, oneof, now, now_fields)) continue;
        const char *place = path_join(comparison, path, was->oneofs[oneof].name);
        report(comparison, ONEOF_FIELD_REMOVED, path_number(comparison, place, field->number));
    }
}

/* Where the members of a oneof come from: each field that stood alone is an origin of its own, the
 * members of one former oneof are one together. */
static void oneof_compare(struct comparison *comparison, const struct message_descriptor *was,
                          const struct field_view *was_fields, const struct message_descriptor *now,
                          int oneof, const char *path) {
    struct bytes name = now->oneofs[oneof].name;
    int before = oneof_named(was, name), first = -1;
    size_t origins = 0;
    const char *place = path_join(comparison, path, name);
    for (size_t i = 0; i < now->field_count; i++) {
        if (oneof_of(&now->fields[i]) != oneof) continue;
        const struct field_descriptor *old = field_with(was_fields, now->fields[i].number);
        if (!old) continue;
        int origin = oneof_of(old);
        if (before >= 0 && origin != before)
            report(comparison, FIELD_MOVED_TO_EXISTING_ONEOF,
                   path_number(comparison, place, old->number));
        if (origin < 0 || origin != first) origins++;
        if (origin >= 0) first = origin;
    }
    if (before < 0 && origins > 1) report(comparison, MULTIPLE_FIELDS_MOVED_TO_ONEOF, place);
}

static bool oneof_is_written(const struct message_descriptor *message, int oneof) {
    for (size_t i = 0; i < message->field_count; i++) {
        if (oneof_of(&message->fields[i]) == oneof) return true;
    }
    return false;
}

static void messages_compare(struct comparison *comparison, const struct message_view *was,
                             const struct message_view *now, const char *path) {
    for (size_t i = 0, j = 0; i < was->count; i++) {
        while (j < now->count && messages_by_name(&now->at[j], &was->at[i]) < 0) j++;
        const char *place = path_join(comparison, path, was->at[i]->name);
        if (j < now->count && messages_by_name(&now->at[j], &was->at[i]) == 0)
            message_compare(comparison, was->at[i], now->at[j], place);
        else
            report(comparison, MESSAGE_REMOVED, place);
    }
}

static void message_compare(struct comparison *comparison, const struct message_descriptor *was,
                            const struct message_descriptor *now, const char *path) {
    struct field_view was_fields = fields_sorted(comparison, was);
    struct field_view now_fields = fields_sorted(comparison, now);
    struct message_view was_inner = messages_sorted(comparison, was->messages, was->message_count);
    struct message_view now_inner = messages_sorted(comparison, now->messages, now->message_count);
    fields_compare(comparison, was, &was_fields, now, &now_fields, path);
    oneof_removals(comparison, was, now, &now_fields, path);
    for (size_t i = 0; i < now->oneof_count; i++) {
        if (oneof_is_written(now, (int)i))
            oneof_compare(comparison, was, &was_fields, now, (int)i, path);
    }
    messages_compare(comparison, &was_inner, &now_inner, path);
}

static void sets_compare(struct comparison *comparison) {
    const struct file_descriptor *was = descriptor_root(comparison->was);
    const struct file_descriptor *now = descriptor_root(comparison->now);
    comparison->imported =
        arena_array(comparison->arena, uint8_t, comparison->was->message_count + 1);
    if (!bytes_equal(was->package, now->package)) report(comparison, PACKAGE_CHANGED, "#/");
    struct message_view was_top = messages_sorted(comparison, was->messages, was->message_count);
    struct message_view now_top = messages_sorted(comparison, now->messages, now->message_count);
    messages_compare(comparison, &was_top, &now_top, "#");
}

void compatibility_check(enum compatibility_level level, const struct descriptor_set *candidate,
                         const struct descriptor_set *const *versions, size_t version_count,
                         struct arena *arena, struct differences *differences) {
    check(level < COMPATIBILITY_LEVEL_COUNT);
    const struct level_row *row = &levels[level];
    size_t first = row->transitive || version_count == 0 ? 0 : version_count - 1;
    *differences =
        (struct differences){.at = arena_array(arena, struct difference, DIFFERENCES_MAX)};
    for (size_t i = version_count; i > first; i--) {
        struct comparison backward = {.was = versions[i - 1],
                                      .now = candidate,
                                      .arena = arena,
                                      .differences = differences,
                                      .version = i - 1};
        struct comparison forward = backward;
        forward.was = candidate;
        forward.now = versions[i - 1];
        forward.roles_exchanged = true;
        if (row->backward) sets_compare(&backward);
        if (row->forward) sets_compare(&forward);
    }
}

void difference_print(const struct difference *difference, struct text *text) {
    const char *reader = difference->roles_exchanged ? "old" : "new";
    const char *writer = difference->roles_exchanged ? "new" : "old";
    const char *what = kinds[difference->kind].what, *path = difference->path;
    text_printf(text, "{errorType:\"%s\", description:\"%s at path '%.1000s' in the ",
                kinds[difference->kind].name, what, path);
    switch (difference->kind) {
        case MESSAGE_REMOVED:
        case REQUIRED_FIELD_REMOVED:
        case ONEOF_FIELD_REMOVED:
            text_printf(text, "%s schema is missing in the %s schema\"}", writer, reader);
            break;
        case REQUIRED_FIELD_ADDED:
            text_printf(text, "%s schema is missing in the %s schema\"}", reader, writer);
            break;
        case MULTIPLE_FIELDS_MOVED_TO_ONEOF:
        case FIELD_MOVED_TO_EXISTING_ONEOF:
            text_printf(text, "%s schema stands outside of that oneof in the %s schema\"}", reader,
                        writer);
            break;
        default: text_printf(text, "%s schema does not match the %s schema\"}", reader, writer);
    }
}
