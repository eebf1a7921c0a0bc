/* Flags of a command: rows that say what is accepted, where it goes and what --help prints.
 * `--name value`, `--name=value`, `-x value`, `-xvalue`; "--" ends the flags; flags and names may
 * come in any order. */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "cli/settings.h"

enum flag_type {
    FLAG_SWITCH,
    FLAG_TEXT,
    FLAG_NUMBER,
    FLAG_DURATION,
    FLAG_LIST, /* may be given several times */
};

struct flag {
    const char *name;
    char letter; /* 0: none */
    enum flag_type type;
    size_t offset; /* in struct settings */
    const char *value_name;
    const char *doc;
    int64_t minimum; /* of numbers and durations */
};

struct flags {
    const struct flag *rows;
    size_t count;
};

/* Those of every command that talks to a broker: -b, --timeout, --help. */
extern const struct flags flags_common;

#define SETTING(field) .offset = offsetof(struct settings, field)
#define FLAGS(array) ((struct flags){(array), sizeof(array) / sizeof((array)[0])})

/* Reads argv[0..argc) into settings; all `sets` (several tables) are accepted. */
bool flags_parse(const struct flags *sets, size_t set_count, int argc, char *const argv[],
                 struct settings *settings, struct error *error);
void flags_print(const struct flags *set, struct text *out);
