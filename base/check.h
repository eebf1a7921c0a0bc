/* Assertions that stay on in release: a programmer's mistake stops the process before it can harm
 * data. Never used for input, I/O errors or full resources: those are values. */
#pragma once

#include <stdnoreturn.h>

#define check(condition)                                                                     \
    do {                                                                                     \
        if (__builtin_expect(!(condition), 0)) check_failed(#condition, __FILE__, __LINE__); \
    } while (0)

#define unreachable() check_failed("unreachable", __FILE__, __LINE__)

/* Prints the condition and its place to stderr, then aborts. */
noreturn void check_failed(const char *condition, const char *file, int line);
