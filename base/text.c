#include "base/text.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

void text_deinit(struct text *text) {
    free(text->at);
    *text = (struct text){0};
}

/* Room for `more` bytes and the terminator. */
static char *text_reserve(struct text *text, size_t more) {
    check(more < SIZE_MAX / 4 - text->len);
    size_t needed = text->len + more + 1;
    if (needed > text->capacity) {
        size_t capacity = text->capacity ? text->capacity : 64;
        while (capacity < needed) capacity *= 2;
        text->at = memory_resize(text->at, capacity);
        text->capacity = capacity;
    }
    return text->at + text->len;
}

void text_append(struct text *text, struct bytes more) {
    char *end = text_reserve(text, more.len);
    if (more.len) memcpy(end, more.at, more.len);
    end[more.len] = 0;
    text->len += more.len;
}

void text_printf(struct text *text, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int len = vsnprintf(NULL, 0, format, list);
    check(len >= 0);
    char *end = text_reserve(text, (size_t)len);
    vsnprintf(end, (size_t)len + 1, format, again);
    text->len += (size_t)len;
    va_end(list);
    va_end(again);
}

static void text_append_escape(struct text *text, uint8_t c) {
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter)
        text_printf(text, "\\%c", names[letter - letters]);
    else
        text_printf(text, "\\u%04x", c);
}

static bool json_is_plain(uint8_t c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void text_append_json(struct text *text, struct bytes value) {
    text_append(text, BYTES_OF("\""));
    for (size_t at = 0; at < value.len;) {
        size_t run = at;
        while (run < value.len && json_is_plain(value.at[run])) run++;
        text_append(text, bytes_make(value.at + at, run - at));
        at = run;
        if (at == value.len) break;
        size_t len = utf8_length(value.at + at, value.len - at);
        if (len > 1)
            text_append(text, bytes_make(value.at + at, len));
        else if (len == 1)
            text_append_escape(text, value.at[at]);
        else
            text_append(text, BYTES_OF("\xef\xbf\xbd"));
        at += len ? len : 1;
    }
    text_append(text, BYTES_OF("\""));
}
