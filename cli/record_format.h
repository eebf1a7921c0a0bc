/* How consumed records are printed: a format with % letters, or JSON.
 *
 *   %v value (also %s)   %k key   %h headers   %t topic   %p partition   %o offset
 *   %T timestamp in ms   %V value's length (also %S)   %K key's length; -1 for null
 *   %% percent   \n \t \r \0 \\ and \xHH
 *
 * The letters are kcat's, and %v, %V. Headers are NAME=VALUE with commas. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "protocol/record.h"

/* A record with its place. */
struct consumed {
    struct bytes topic;
    int32_t partition;
    int64_t offset, timestamp;
    bool append_time;
    const struct record *record;
};

struct record_format;

/* In the arena; NULL after an error. */
struct record_format *record_format_parse(const char *text, struct arena *arena,
                                          struct error *error);
void record_format_print(const struct record_format *format, const struct consumed *consumed,
                         struct text *out);
/* One object and a newline. Keys and values that are not UTF-8 text become key_base64 and
 * value_base64. */
void record_print_json(const struct consumed *consumed, struct text *out);
