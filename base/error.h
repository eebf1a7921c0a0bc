/* What went wrong, in words for a person: names the thing and the fix. Functions that can fail in
 * ways worth telling return bool and fill the caller's struct error (never NULL). */
#pragma once

#include <stdbool.h>

struct error {
    int code; /* an errno value, or 0 when none applies */
    char text[256];
};

/* Fills the error and returns false, so that `return error_set(...)` reads well. */
bool error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
