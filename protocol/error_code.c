#include "protocol/error_code.h"

#include "base/memory.h"

struct row {
    const char *name, *message;
    bool retriable;
};

/* Row 0 is code -1: the codes have no gaps, which the test checks. */
static const struct row rows[] = {
#define X(number, name, retriable, message) {#name, message, retriable},
    ERROR_CODES(X)
#undef X
};

static const struct row *find(int16_t code) {
    bool known = code >= -1 && (size_t)(code + 1) < array_count(rows);
    return &rows[known ? code + 1 : 0];
}

const char *error_code_name(int16_t code) { return find(code)->name; }
const char *error_code_message(int16_t code) { return find(code)->message; }
bool error_code_is_retriable(int16_t code) { return find(code)->retriable; }
