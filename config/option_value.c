/* Values of options by type: read, check, store, print. Fields are reached by offset and copied
 * with memcpy, so that one function serves all fields of a type. */
#include <errno.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/option_row.h"
#include "config/quantity.h"

static const void *field_of(const struct option_row *row, const struct options *options) {
    return (const char *)options + row->offset;
}
static void *field_to(const struct option_row *row, struct options *options) {
    return (char *)options + row->offset;
}
static int64_t number_of(const struct option_row *row, const struct options *options) {
    int64_t value;
    memcpy(&value, field_of(row, options), sizeof value);
    return value;
}
static int choice_of(const struct option_row *row, const struct options *options) {
    int value;
    memcpy(&value, field_of(row, options), sizeof value);
    return value;
}
static const char *text_of(const struct option_row *row, const struct options *options) {
    const char *value;
    memcpy(&value, field_of(row, options), sizeof value);
    return value ? value : "";
}

static bool option_set_bool(const struct option_row *row, struct options *options, const char *text,
                            struct error *error) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t at = 0; at < array_count(words); at++) {
        if (strcasecmp(text, words[at]) != 0) continue;
        bool value = at % 2 == 1;
        memcpy(field_to(row, options), &value, sizeof value);
        return true;
    }
    return error_set(error, EINVAL, "\"%s\" is neither true nor false", text);
}

/* What an operator may write, for the message when he wrote something else. */
static const char *number_form(enum option_type type) {
    if (type == OPTION_SIZE) return "a size in bytes such as 1048576, 64KiB or 1GiB";
    if (type == OPTION_DURATION) return "a time in milliseconds such as 60000, or 30s, 10m, 7d";
    return "a whole number";
}

static bool number_parse(enum option_type type, const char *text, int64_t *value) {
    if (type == OPTION_SIZE) return size_parse(text, value);
    if (type == OPTION_DURATION) return duration_parse(text, value);
    return number_parse_plain(text, value);
}

static void number_print(enum option_type type, int64_t value, struct text *out) {
    if (type == OPTION_SIZE)
        size_print(value, out);
    else if (type == OPTION_DURATION)
        duration_print(value, out);
    else
        text_printf(out, "%lld", (long long)value);
}

static bool number_out_of_bounds(const struct option_row *row, const char *text, bool small,
                                 struct error *error) {
    struct text bound = {0};
    number_print(row->type, small ? row->minimum : row->maximum, &bound);
    error_set(error, ERANGE, "%s is too %s, the %s is %s", text, small ? "small" : "large",
              small ? "least" : "most", bound.at);
    text_deinit(&bound);
    return false;
}

static bool option_set_number(const struct option_row *row, struct options *options,
                              const char *text, struct error *error) {
    int64_t value;
    if (!number_parse(row->type, text, &value))
        return error_set(error, EINVAL, "\"%s\" is not %s", text, number_form(row->type));
    if (value < row->minimum) return number_out_of_bounds(row, text, true, error);
    if (value > row->maximum) return number_out_of_bounds(row, text, false, error);
    memcpy(field_to(row, options), &value, sizeof value);
    return true;
}

static bool option_set_double(const struct option_row *row, struct options *options,
                              const char *text, struct error *error) {
    double value;
    if (!double_parse(text, &value))
        return error_set(error, EINVAL, "\"%s\" is not a number such as 0.5", text);
    if (value < (double)row->minimum || value > (double)row->maximum)
        return error_set(error, ERANGE, "%s is not between %lld and %lld", text,
                         (long long)row->minimum, (long long)row->maximum);
    memcpy(field_to(row, options), &value, sizeof value);
    return true;
}

static bool option_set_choice(const struct option_row *row, struct options *options,
                              const char *text, struct error *error) {
    struct text all = {0};
    for (int at = 0; row->choices[at]; at++) {
        if (strcasecmp(text, row->choices[at]) == 0) {
            memcpy(field_to(row, options), &at, sizeof at);
            text_deinit(&all);
            return true;
        }
        text_printf(&all, "%s%s", at ? " | " : "", row->choices[at]);
    }
    error_set(error, EINVAL, "\"%s\" is not one of: %s", text, all.at);
    text_deinit(&all);
    return false;
}

static bool option_set_text(const struct option_row *row, struct options *options,
                            const char *text) {
    char *copy = arena_text(&options->memory, bytes_of_text(text));
    memcpy(field_to(row, options), &copy, sizeof copy);
    return true;
}

static bool endpoint_name_is_valid(struct bytes name) {
    for (size_t at = 0; at < name.len; at++) {
        char c = (char)name.at[at];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-') return false;
    }
    return name.len > 0;
}

/* Splits `[HOST]:PORT`, `HOST:PORT` or `HOST`; the port is empty when there is none. */
static bool endpoint_split(const char *at, struct bytes *host, const char **port) {
    const char *end = at[0] == '[' ? strchr(at, ']') : at + strcspn(at, ":");
    if (!end) return false;
    *host = at[0] == '[' ? bytes_make(at + 1, (size_t)(end - at - 1))
                         : bytes_make(at, (size_t)(end - at));
    if (*end == ']') end++;
    if (*end == 0) return *port = "", true;
    *port = end + 1;
    return *end == ':' && **port != 0 && !strchr(*port, ':');
}

/* listen needs a port and may leave the host out; advertise is the other way round. */
static bool endpoint_parse(struct arena *arena, const char *text, bool listening,
                           struct endpoint *endpoint, struct error *error) {
    const char *equals = strchr(text, '='), *address = equals ? equals + 1 : text, *port;
    struct bytes name = equals ? bytes_make(text, (size_t)(equals - text)) : BYTES_OF("PLAINTEXT");
    struct bytes host;
    int64_t number = 0;
    if (!endpoint_name_is_valid(name))
        return error_set(error, EINVAL, "\"%s\": a listener name has letters, digits, - and _ only",
                         text);
    if (!endpoint_split(address, &host, &port) || (listening ? !*port : host.len == 0))
        return error_set(error, EINVAL, "\"%s\" is not %s (IPv6 in brackets: [::1]:9092)", text,
                         listening ? "[NAME=]HOST:PORT" : "[NAME=]HOST[:PORT]");
    if (*port && (!number_parse_plain(port, &number) || number < 0 || number > 65535))
        return error_set(error, ERANGE, "\"%s\": the port is not a number from 0 to 65535", text);
    if (host.len == 0 || bytes_equal_text(host, "*")) host = BYTES_OF("0.0.0.0");
    endpoint->name = arena_text(arena, name);
    endpoint->host = arena_text(arena, host);
    endpoint->port = (int)number;
    return true;
}

static bool option_add_endpoint(const struct option_row *row, struct options *options,
                                const char *text, struct error *error) {
    struct endpoints list;
    memcpy(&list, field_of(row, options), sizeof list);
    struct endpoint *items = arena_array(&options->memory, struct endpoint, list.count + 1);
    if (list.count) memcpy(items, list.items, list.count * sizeof *items);
    bool listening = row->offset != offsetof(struct options, advertise);
    if (!endpoint_parse(&options->memory, text, listening, &items[list.count], error)) return false;
    if (endpoints_find(&list, items[list.count].name))
        return error_set(error, EINVAL,
                         "two addresses are named %s; name them apart: NAME=HOST:PORT",
                         items[list.count].name);
    list = (struct endpoints){items, list.count + 1};
    memcpy(field_to(row, options), &list, sizeof list);
    return true;
}

static bool option_add_endpoints(const struct option_row *row, struct options *options,
                                 const char *text, struct error *error) {
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ",");
        while (len && *at == ' ') at++, len--;
        const char *next = at + len + (at[len] == ',');
        while (len && at[len - 1] == ' ') len--;
        char *one = arena_text(&options->memory, bytes_make(at, len));
        if (len && !option_add_endpoint(row, options, one, error)) return false;
        at = next;
    }
    return true;
}

bool option_set(const struct option_row *row, struct options *options, const char *text,
                struct error *error) {
    switch (row->type) {
        case OPTION_BOOL: return option_set_bool(row, options, text, error);
        case OPTION_INT:
        case OPTION_SIZE:
        case OPTION_DURATION: return option_set_number(row, options, text, error);
        case OPTION_DOUBLE: return option_set_double(row, options, text, error);
        case OPTION_ENUM: return option_set_choice(row, options, text, error);
        case OPTION_TEXT:
        case OPTION_PATH: return option_set_text(row, options, text);
        case OPTION_ENDPOINTS: return option_add_endpoints(row, options, text, error);
    }
    unreachable();
}

void option_clear(const struct option_row *row, struct options *options) {
    if (row->type == OPTION_ENDPOINTS) memset(field_to(row, options), 0, row->size);
}

static void endpoints_copy(struct arena *arena, struct endpoints *to,
                           const struct endpoints *from) {
    to->count = from->count;
    to->items = arena_array(arena, struct endpoint, from->count);
    for (size_t at = 0; at < from->count; at++) {
        to->items[at].name = arena_text(arena, bytes_of_text(from->items[at].name));
        to->items[at].host = arena_text(arena, bytes_of_text(from->items[at].host));
        to->items[at].port = from->items[at].port;
    }
}

void option_copy(const struct option_row *row, struct options *to, const struct options *from) {
    if (row->type == OPTION_TEXT || row->type == OPTION_PATH) {
        option_set_text(row, to, text_of(row, from));
    } else if (row->type == OPTION_ENDPOINTS) {
        struct endpoints copy, source;
        memcpy(&source, field_of(row, from), sizeof source);
        endpoints_copy(&to->memory, &copy, &source);
        memcpy(field_to(row, to), &copy, sizeof copy);
    } else {
        memcpy(field_to(row, to), field_of(row, from), row->size);
    }
}

bool option_equal(const struct option_row *row, const struct options *a, const struct options *b) {
    struct text left = {0}, right = {0};
    option_print(row, a, &left);
    option_print(row, b, &right);
    bool equal = bytes_equal(text_bytes(&left), text_bytes(&right));
    text_deinit(&left);
    text_deinit(&right);
    return equal;
}

const struct endpoint *endpoints_find(const struct endpoints *endpoints, const char *name) {
    for (size_t at = 0; at < endpoints->count; at++)
        if (strcasecmp(endpoints->items[at].name, name) == 0) return &endpoints->items[at];
    return NULL;
}

static void endpoints_print(const struct endpoints *list, bool kafka, struct text *out) {
    for (size_t at = 0; at < list->count; at++) {
        const struct endpoint *one = &list->items[at];
        bool named = kafka || strcmp(one->name, "PLAINTEXT") != 0;
        const char *bracket = strchr(one->host, ':') ? "[]" : "";
        if (at) text_append(out, BYTES_OF(","));
        if (named) text_printf(out, "%s%s", one->name, kafka ? "://" : "=");
        text_printf(out, "%.1s%s%s", bracket, one->host, *bracket ? "]" : "");
        text_printf(out, ":%d", one->port);
    }
}

static void double_print(double value, struct text *out) { text_printf(out, "%.15g", value); }

static void option_print_form(const struct option_row *row, const struct options *options,
                              bool kafka, struct text *out) {
    struct endpoints list;
    double real;
    switch (row->type) {
        case OPTION_BOOL:
            text_printf(out, "%s", *(const bool *)field_of(row, options) ? "true" : "false");
            break;
        case OPTION_INT:
        case OPTION_SIZE:
        case OPTION_DURATION:
            number_print(kafka ? OPTION_INT : row->type, number_of(row, options), out);
            break;
        case OPTION_DOUBLE:
            memcpy(&real, field_of(row, options), sizeof real);
            double_print(real, out);
            break;
        case OPTION_ENUM: text_printf(out, "%s", row->choices[choice_of(row, options)]); break;
        case OPTION_TEXT:
        case OPTION_PATH: text_printf(out, "%s", text_of(row, options)); break;
        case OPTION_ENDPOINTS:
            memcpy(&list, field_of(row, options), sizeof list);
            endpoints_print(&list, kafka, out);
    }
}

void option_print(const struct option_row *row, const struct options *options, struct text *out) {
    option_print_form(row, options, false, out);
}

void option_print_kafka(const struct option_row *row, const struct options *options,
                        struct text *out) {
    option_print_form(row, options, true, out);
}
