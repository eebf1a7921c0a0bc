#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *error, int code, const char *format, ...) {
    va_list list;
    va_start(list, format);
    error->code = code;
    vsnprintf(error->text, sizeof error->text, format, list);
    va_end(list);
    return false;
}
