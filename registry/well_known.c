#include "registry/well_known.h"

#include <ctype.h>
#include <time.h>

enum { NANOS = 1000000000, FRACTION_DIGITS = 9 };

static const int64_t TIMESTAMP_FIRST = -62135596800, TIMESTAMP_LAST = 253402300799;
static const int64_t DURATION_SECONDS_MAX = 315576000000;

/* --- fractions of a second --- */

/* Nothing, or 3, 6 or 9 digits. */
static void fraction_print(int32_t nanos, struct text *out) {
    if (nanos == 0) return;
    if (nanos % 1000000 == 0)
        text_printf(out, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0)
        text_printf(out, ".%06d", nanos / 1000);
    else
        text_printf(out, ".%09d", nanos);
}

static bool take_char(struct bytes *rest, char wanted) {
    if (rest->len == 0 || rest->at[0] != (uint8_t)wanted) return false;
    *rest = bytes_make(rest->at + 1, rest->len - 1);
    return true;
}

/* All the digits at the front; false when there are none, or more than `most`. */
static bool take_digits(struct bytes *rest, size_t most, int64_t *value, size_t *count) {
    size_t len = 0;
    *value = 0;
    while (len < rest->len && isdigit(rest->at[len])) {
        if (len == most) return false;
        *value = *value * 10 + (rest->at[len++] - '0');
    }
    *rest = bytes_make(rest->at + len, rest->len - len);
    *count = len;
    return len > 0;
}

static bool take_fraction(struct bytes *rest, int32_t *nanos) {
    int64_t value;
    size_t count;
    *nanos = 0;
    if (!take_char(rest, '.')) return true;
    if (!take_digits(rest, FRACTION_DIGITS, &value, &count)) return false;
    for (; count < FRACTION_DIGITS; count++) value *= 10;
    *nanos = (int32_t)value;
    return true;
}

/* --- timestamps --- */

bool well_known_timestamp_print(int64_t seconds, int32_t nanos, struct text *out) {
    time_t at = (time_t)seconds;
    struct tm date;
    if (seconds < TIMESTAMP_FIRST || seconds > TIMESTAMP_LAST || nanos < 0 || nanos >= NANOS)
        return false;
    gmtime_r(&at, &date);
    text_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", date.tm_year + 1900, date.tm_mon + 1,
                date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
    fraction_print(nanos, out);
    text_printf(out, "Z");
    return true;
}

static bool take_number(struct bytes *rest, size_t digits, int *number) {
    int64_t value;
    size_t count;
    bool good = take_digits(rest, digits, &value, &count) && count == digits;
    *number = (int)value;
    return good;
}

/* "Z", "+hh:mm" or "-hh:mm". */
static bool take_zone(struct bytes *rest, int64_t *offset) {
    int hours, minutes;
    bool east = take_char(rest, '+');
    *offset = 0;
    if (!east && !take_char(rest, '-')) return take_char(rest, 'Z');
    if (!take_number(rest, 2, &hours) || !take_char(rest, ':') || !take_number(rest, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset = (hours * 3600 + minutes * 60) * (east ? 1 : -1);
    return true;
}

static bool take_date(struct bytes *rest, struct tm *date) {
    *date = (struct tm){0};
    bool good = take_number(rest, 4, &date->tm_year) && take_char(rest, '-') &&
                take_number(rest, 2, &date->tm_mon) && take_char(rest, '-') &&
                take_number(rest, 2, &date->tm_mday) && take_char(rest, 'T') &&
                take_number(rest, 2, &date->tm_hour) && take_char(rest, ':') &&
                take_number(rest, 2, &date->tm_min) && take_char(rest, ':') &&
                take_number(rest, 2, &date->tm_sec);
    date->tm_year -= 1900;
    date->tm_mon -= 1;
    return good && date->tm_hour <= 23 && date->tm_min <= 59 && date->tm_sec <= 59;
}

bool well_known_timestamp_parse(struct bytes text, int64_t *seconds, int32_t *nanos) {
    struct tm date;
    int64_t offset;
    if (!take_date(&text, &date) || !take_fraction(&text, nanos) || !take_zone(&text, &offset) ||
        text.len > 0)
        return false;
    struct tm moved = date;
    *seconds = (int64_t)timegm(&moved) - offset;
    bool exists = moved.tm_mday == date.tm_mday && moved.tm_mon == date.tm_mon;
    return exists && *seconds >= TIMESTAMP_FIRST && *seconds <= TIMESTAMP_LAST;
}

/* --- durations --- */

bool well_known_duration_print(int64_t seconds, int32_t nanos, struct text *out) {
    bool negative = seconds < 0 || nanos < 0;
    if (seconds < -DURATION_SECONDS_MAX || seconds > DURATION_SECONDS_MAX || nanos <= -NANOS ||
        nanos >= NANOS || (negative && (seconds > 0 || nanos > 0)))
        return false;
    text_printf(out, "%s%lld", negative ? "-" : "", (long long)(negative ? -seconds : seconds));
    fraction_print(negative ? -nanos : nanos, out);
    text_printf(out, "s");
    return true;
}

bool well_known_duration_parse(struct bytes text, int64_t *seconds, int32_t *nanos) {
    size_t count;
    bool negative = take_char(&text, '-');
    if (!take_digits(&text, 12, seconds, &count) || !take_fraction(&text, nanos) ||
        !take_char(&text, 's') || text.len > 0 || *seconds > DURATION_SECONDS_MAX)
        return false;
    if (negative) *seconds = -*seconds, *nanos = -*nanos;
    return true;
}

/* --- masks --- */

bool well_known_mask_print(struct bytes path, struct text *out) {
    for (size_t i = 0; i < path.len; i++) {
        char c = (char)path.at[i];
        if (isupper(path.at[i]) || c == ',') return false;
        if (c == '_') {
            if (++i == path.len || !islower(path.at[i])) return false;
            c = (char)toupper(path.at[i]);
        }
        text_append(out, bytes_make(&c, 1));
    }
    return path.len > 0;
}

bool well_known_mask_parse(struct bytes text, struct text *path) {
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)tolower(text.at[i]);
        if (c == '_') return false;
        if (isupper(text.at[i])) text_append(path, BYTES_OF("_"));
        text_append(path, bytes_make(&c, 1));
    }
    return text.len > 0;
}
