#include "cli/record_format.h"

#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/utf8.h"

struct piece {
    char letter;          /* 0: literal */
    struct bytes literal; /* escapes resolved */
};

struct record_format {
    struct piece *pieces;
    size_t count;
};

/* ---- parsing ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of an escape behind its backslash; moves *at behind it. -1 when it is none. */
static int escape_take(const char **at) {
    static const char letters[] = "ntr0\\", values[] = "\n\t\r\0\\";
    const char *text = *at;
    if (text[0] == 'x') {
        int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
        *at += 3;
        return low < 0 ? -1 : high * 16 + low;
    }
    const char *found = text[0] ? strchr(letters, text[0]) : NULL;
    *at += 1;
    return found ? (uint8_t)values[found - letters] : -1;
}

/* A run of plain characters and escapes. */
static bool literal_take(const char **at, struct arena *arena, struct piece *piece,
                         struct error *error) {
    const char *begin = *at;
    uint8_t *copy = arena_zero(arena, strlen(begin) + 1, 1);
    size_t len = 0;
    while (**at && **at != '%') {
        if (**at != '\\') {
            copy[len++] = (uint8_t) * (*at)++;
            continue;
        }
        const char *escape = (*at)++;
        int byte = **at ? escape_take(at) : -1;
        if (byte < 0)
            return error_set(error, EINVAL,
                             "--format: \"%.4s\" is not an escape; there are \\n \\t \\r \\0 \\\\ "
                             "and \\xHH",
                             escape);
        copy[len++] = (uint8_t)byte;
    }
    *piece = (struct piece){0, bytes_make(copy, len)};
    return true;
}

static bool letter_take(const char **at, struct piece *piece, struct error *error) {
    char letter = (*at)[1];
    if (letter == '%') {
        *piece = (struct piece){0, BYTES_OF("%")};
    } else if (letter && strchr("vskhtpoTVSK", letter)) {
        *piece = (struct piece){letter, BYTES_NULL};
    } else {
        return error_set(error, EINVAL,
                         "--format: \"%%%c\" is unknown; there are %%v %%k %%h %%t %%p %%o %%T %%V "
                         "%%K and %%%%",
                         letter ? letter : ' ');
    }
    *at += 2;
    return true;
}

struct record_format *record_format_parse(const char *text, struct arena *arena,
                                          struct error *error) {
    struct record_format *format = arena_new(arena, struct record_format);
    format->pieces = arena_array(arena, struct piece, strlen(text) + 1);
    while (*text) {
        struct piece *piece = &format->pieces[format->count++];
        bool good = *text == '%' ? letter_take(&text, piece, error)
                                 : literal_take(&text, arena, piece, error);
        if (!good) return NULL;
    }
    return format;
}

/* ---- printing ---- */

static void print_headers(const struct record *record, struct text *out) {
    struct bytes rest = record->headers;
    struct record_header header;
    for (bool first = true; record_header_next(&rest, &header); first = false) {
        if (!first) text_append(out, BYTES_OF(","));
        text_append(out, header.key);
        text_append(out, BYTES_OF("="));
        text_append(out, header.value);
    }
}

static long long length_of(struct bytes value) {
    return bytes_is_null(value) ? -1 : (long long)value.len;
}

static void print_letter(char letter, const struct consumed *consumed, struct text *out) {
    const struct record *record = consumed->record;
    switch (letter) {
        case 'v':
        case 's': text_append(out, record->value); break;
        case 'k': text_append(out, record->key); break;
        case 'h': print_headers(record, out); break;
        case 't': text_append(out, consumed->topic); break;
        case 'p': text_printf(out, "%d", consumed->partition); break;
        case 'o': text_printf(out, "%lld", (long long)consumed->offset); break;
        case 'T': text_printf(out, "%lld", (long long)consumed->timestamp); break;
        case 'V':
        case 'S': text_printf(out, "%lld", length_of(record->value)); break;
        case 'K': text_printf(out, "%lld", length_of(record->key)); break;
    }
}

void record_format_print(const struct record_format *format, const struct consumed *consumed,
                         struct text *out) {
    for (size_t at = 0; at < format->count; at++) {
        const struct piece *piece = &format->pieces[at];
        if (piece->letter)
            print_letter(piece->letter, consumed, out);
        else
            text_append(out, piece->literal);
    }
}

static void print_json_field(const char *name, struct bytes value, struct text *out) {
    if (bytes_is_null(value)) {
        text_printf(out, "\"%s\": null", name);
    } else if (utf8_valid_length(value) == value.len) {
        text_printf(out, "\"%s\": ", name);
        text_append_json(out, value);
    } else {
        text_printf(out, "\"%s_base64\": \"", name);
        base64_encode(value, out);
        text_append(out, BYTES_OF("\""));
    }
}

/* A key or value that was decoded, or as it is. */
static void print_json_part(const char *name, struct bytes value, struct bytes json,
                            const char *problem, struct text *out) {
    if (bytes_is_null(json)) {
        print_json_field(name, value, out);
    } else {
        text_printf(out, "\"%s\": ", name);
        text_append(out, json);
    }
    if (!problem) return;
    text_printf(out, ", \"%s_problem\": ", name);
    text_append_json(out, bytes_of_text(problem));
}

static void print_json_headers(const struct record *record, struct text *out) {
    struct bytes rest = record->headers;
    struct record_header header;
    text_append(out, BYTES_OF("["));
    for (bool first = true; record_header_next(&rest, &header); first = false) {
        text_append(out, bytes_of_text(first ? "{" : ", {"));
        print_json_field("name", header.key, out);
        text_append(out, BYTES_OF(", "));
        print_json_field("value", header.value, out);
        text_append(out, BYTES_OF("}"));
    }
    text_append(out, BYTES_OF("]"));
}

void record_print_json(const struct consumed *consumed, struct text *out) {
    text_append(out, BYTES_OF("{\"topic\": "));
    text_append_json(out, consumed->topic);
    text_printf(out, ", \"partition\": %d, \"offset\": %lld, \"timestamp\": %lld, ",
                consumed->partition, (long long)consumed->offset, (long long)consumed->timestamp);
    text_printf(out, "\"timestamp_type\": \"%s\", ",
                consumed->append_time ? "LogAppendTime" : "CreateTime");
    print_json_part("key", consumed->record->key, consumed->key_json, consumed->key_problem, out);
    text_append(out, BYTES_OF(", "));
    print_json_part("value", consumed->record->value, consumed->value_json, consumed->value_problem,
                    out);
    text_append(out, BYTES_OF(", \"headers\": "));
    print_json_headers(consumed->record, out);
    text_append(out, BYTES_OF("}\n"));
}
