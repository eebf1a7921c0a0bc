#include "cli/start_offset.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "config/quantity.h"

static bool date_parse(const char *text, int64_t *ms) {
    struct tm date = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &date);
    if (!end || (*end && strcmp(end, "Z") != 0)) return false;
    *ms = (int64_t)timegm(&date) * 1000;
    return true;
}

static bool time_parse(const char *text, int64_t now_ms, int64_t *ms) {
    int64_t ago;
    if (date_parse(text, ms)) return true;
    if (text[0] != '-') return number_parse_plain(text, ms);
    if (!duration_parse(text, &ago) || ago == INT64_MIN || ago < -now_ms) return false;
    *ms = now_ms + ago;
    return true;
}

bool start_offset_parse(const char *flag, const char *text, int64_t now_ms,
                        struct start_offset *start, struct error *error) {
    int64_t number;
    if (strcmp(text, "earliest") == 0 || strcmp(text, "beginning") == 0)
        *start = (struct start_offset){START_EARLIEST, 0};
    else if (strcmp(text, "latest") == 0 || strcmp(text, "end") == 0)
        *start = (struct start_offset){START_LATEST, 0};
    else if (text[0] == '@' && time_parse(text + 1, now_ms, &number))
        *start = (struct start_offset){START_TIME, number};
    else if (number_parse_plain(text, &number) && number > INT64_MIN)
        *start = number < 0 ? (struct start_offset){START_LAST, -number}
                            : (struct start_offset){START_AT, number};
    else
        return error_set(error, EINVAL,
                         "%s: \"%s\" is not one of: earliest, latest, N, -N (the last N), "
                         "@MILLISECONDS, @2024-01-31T12:00:00Z, @-1h",
                         flag, text);
    return true;
}
