/* What a look at a directory found. Damage is what stored bytes should not be; a note is what the
 * next start takes care of by itself, as after any crash. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum finding_kind { FINDING_NOTE, FINDING_DAMAGE };

struct finding {
    enum finding_kind kind;
    char *file;         /* in the directory; "" for none */
    int64_t position;   /* of the byte where it begins; -1: not of one place */
    char *what;         /* a clause */
    const char *advice; /* what to do */
};

struct findings {
    struct finding *items;
    size_t count, capacity, damage_count;
};

void findings_deinit(struct findings *findings);
void finding_add(struct findings *findings, enum finding_kind kind, const char *file,
                 int64_t position, const char *advice, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* One line each: "damage: FILE, byte N: WHAT; ADVICE", or a JSON object. */
void findings_print(const struct findings *findings, bool json, FILE *out);
