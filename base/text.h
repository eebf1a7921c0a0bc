/* A text that grows: for output that is built in pieces (JSON, manuals, tables). */
#pragma once

#include "base/bytes.h"

struct text {
    char *at; /* terminated; NULL while empty */
    size_t len, capacity;
};

void text_deinit(struct text *text);
void text_append(struct text *text, struct bytes more);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with quotes and escapes; bytes that are not UTF-8 become U+FFFD. */
void text_append_json(struct text *text, struct bytes value);
static inline struct bytes text_bytes(const struct text *text) {
    return bytes_make(text->at ? text->at : "", text->len);
}
