#include "config/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"

struct unit {
    const char *name;
    int64_t scale;
};

/* The first is the unit of plain numbers; ascending. */
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1ll << 10}, {"MiB", 1ll << 20}, {"GiB", 1ll << 30}, {"TiB", 1ll << 40}};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000ll}, {"d", 86400000ll}};

/* strtoll without its leniency: no leading blanks or '+', at least one digit. */
static bool digits_parse(const char *text, int64_t *value, const char **end) {
    const char *first = text[0] == '-' ? text + 1 : text;
    if (*first < '0' || *first > '9') return false;
    char *stop;
    errno = 0;
    *value = strtoll(text, &stop, 10);
    *end = stop;
    return errno == 0;
}

bool number_parse_plain(const char *text, int64_t *value) {
    const char *end;
    return digits_parse(text, value, &end) && *end == 0;
}

static bool quantity_parse(const char *text, const struct unit *units, size_t count,
                           int64_t *value) {
    const char *end;
    if (!digits_parse(text, value, &end)) return false;
    if (*end == 0) return true;
    if (*end == ' ') end++;
    for (size_t at = 0; at < count; at++)
        if (strcasecmp(end, units[at].name) == 0)
            return !__builtin_mul_overflow(*value, units[at].scale, value);
    return false;
}

bool size_parse(const char *text, int64_t *value) {
    return quantity_parse(text, size_units, array_count(size_units), value);
}

bool duration_parse(const char *text, int64_t *value) {
    return quantity_parse(text, duration_units, array_count(duration_units), value);
}

bool double_parse(const char *text, double *value) {
    char *end;
    if (text[0] == 0 || text[0] == ' ' || strpbrk(text, "xX")) return false;
    *value = strtod(text, &end);
    return *end == 0 && end != text && isfinite(*value);
}

static void quantity_print(int64_t value, const struct unit *units, size_t count,
                           struct text *out) {
    size_t best = 0;
    for (size_t at = 1; at < count; at++)
        if (value > 0 && value % units[at].scale == 0) best = at;
    const char *name = best == 0 && units[0].scale == 1 && value <= 0 ? "" : units[best].name;
    /* A limit of "all that fits" stays a plain number. */
    if (value == INT64_MAX) name = "";
    text_printf(out, "%lld%s", (long long)(value / units[best].scale), name);
}

void size_print(int64_t value, struct text *out) {
    quantity_print(value, size_units, array_count(size_units), out);
}

void duration_print(int64_t value, struct text *out) {
    quantity_print(value, duration_units, array_count(duration_units), out);
}
