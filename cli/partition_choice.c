#include "cli/partition_choice.h"

#include <errno.h>
#include <stdlib.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool number_take(const char **text, int64_t *number) {
    char *end;
    if (!is_digit(**text)) return false;
    *number = strtoll(*text, &end, 10);
    *text = end;
    return *number <= INT32_MAX;
}

/* "3-5" or "3", and the comma behind it unless it is the last. */
static bool range_take(const char **text, int64_t *first, int64_t *last) {
    if (!number_take(text, first)) return false;
    *last = *first;
    if (**text == '-') {
        ++*text;
        if (!number_take(text, last) || *last < *first) return false;
    }
    if (**text == 0) return true;
    if (**text != ',' || !is_digit((*text)[1])) return false;
    ++*text;
    return true;
}

bool partition_choice_parse(const char *text, struct partition_choice *choice,
                            struct error *error) {
    size_t len = strcspn(text, ":");
    int64_t first, last;
    *choice =
        (struct partition_choice){bytes_make(text, len), text[len] ? text + len + 1 : NULL, -1};
    bool good = len > 0 && (!choice->numbers || *choice->numbers);
    for (const char *at = choice->numbers; good && at && *at;) {
        good = range_take(&at, &first, &last);
        if (good && last > choice->largest) choice->largest = last;
    }
    return good ||
           error_set(error, EINVAL,
                     "--topic: \"%s\" is neither TOPIC nor TOPIC:0,3-5, the partitions of a "
                     "topic",
                     text);
}

bool partition_choice_has(const struct partition_choice *choice, int32_t partition) {
    int64_t first, last;
    for (const char *at = choice->numbers; at && *at;)
        if (range_take(&at, &first, &last) && partition >= first && partition <= last) return true;
    return !choice->numbers;
}
