#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

noreturn void check_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "millrace: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
