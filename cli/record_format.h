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
    /* By contract, where there is one: JSON, or why there is none. */
    struct bytes key_json, value_json;
    const char *key_problem, *value_problem;
};

struct record_format;

/* In the arena; NULL after an error. */
struct record_format *record_format_parse(const char *text, struct arena *arena,
                                          struct error *error);
void record_format_print(const struct record_format *format, const struct consumed *consumed,
                         struct text *out);
/* One object and a newline. Keys and values are JSON where they were decoded, else strings, or
 * key_base64 and value_base64 where they are not UTF-8 text; key_problem and value_problem say why
 * they were not decoded. */
void record_print_json(const struct consumed *consumed, struct text *out);
