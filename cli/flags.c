#include "cli/flags.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/quantity.h"
#include "config/suggest.h"

enum { DEFAULT_TIMEOUT_MS = 30000 };

static const struct flag common_rows[] = {
    {"bootstrap", 'b', FLAG_TEXT, SETTING(bootstrap), .value_name = "HOST:PORT,...",
     .doc = "Brokers to ask first; any that answers will do. Default: $KAFKA_BOOTSTRAP_SERVERS, or "
            "127.0.0.1:9092."},
    {"timeout", 0, FLAG_DURATION, SETTING(timeout_ms), .value_name = "TIME", .minimum = 1,
     .doc = "How long to wait for the broker: 500ms, 10s, 1m. Default: 30s."},
    {"help", 'h', FLAG_SWITCH, SETTING(help), .doc = "Print this page."},
};
const struct flags flags_common = {common_rows, array_count(common_rows)};

void settings_init(struct settings *settings) {
    const char *servers = getenv("KAFKA_BOOTSTRAP_SERVERS");
    *settings = (struct settings){.bootstrap = servers && *servers ? servers : "127.0.0.1:9092",
                                  .timeout_ms = DEFAULT_TIMEOUT_MS,
                                  .partitions = -1,
                                  .replication_factor = -1,
                                  .partition = -1,
                                  .count = -1,
                                  .id = -1};
}

struct parsing {
    const struct flags *sets;
    size_t set_count;
    struct settings *settings;
    struct error *error;
};

static const struct flag *flag_find(const struct parsing *parsing, const char *name, size_t len) {
    for (size_t set = 0; set < parsing->set_count; set++)
        for (size_t at = 0; at < parsing->sets[set].count; at++) {
            const struct flag *flag = &parsing->sets[set].rows[at];
            if (strlen(flag->name) == len && memcmp(flag->name, name, len) == 0) return flag;
        }
    return NULL;
}

static const struct flag *flag_find_letter(const struct parsing *parsing, char letter) {
    for (size_t set = 0; set < parsing->set_count; set++)
        for (size_t at = 0; at < parsing->sets[set].count; at++)
            if (parsing->sets[set].rows[at].letter == letter) return &parsing->sets[set].rows[at];
    return NULL;
}

static bool flag_unknown(const struct parsing *parsing, const char *word) {
    const char *names[64];
    char typed[64] = {0};
    size_t count = 0, len = strcspn(word, "=");
    for (size_t set = 0; set < parsing->set_count; set++)
        for (size_t at = 0; at < parsing->sets[set].count && count < array_count(names); at++)
            names[count++] = parsing->sets[set].rows[at].name;
    if (len >= sizeof typed) len = sizeof typed - 1;
    memcpy(typed, word, len);
    const char *near = strncmp(word, "--", 2) == 0 ? suggest_word(typed + 2, names, count) : NULL;
    if (near)
        return error_set(parsing->error, EINVAL, "unknown flag %s; did you mean --%s?", typed,
                         near);
    return error_set(parsing->error, EINVAL, "unknown flag %s; --help lists them", typed);
}

static bool flag_add(const struct parsing *parsing, const struct flag *flag, const char *value) {
    struct settings_list *list = (void *)((char *)parsing->settings + flag->offset);
    if (list->count == SETTINGS_LIST_MAX)
        return error_set(parsing->error, E2BIG, "--%s is given more than %d times", flag->name,
                         SETTINGS_LIST_MAX);
    list->items[list->count++] = value;
    return true;
}

static bool flag_set_number(const struct parsing *parsing, const struct flag *flag,
                            const char *value) {
    int64_t number;
    bool time = flag->type == FLAG_DURATION;
    if (!(time ? duration_parse(value, &number) : number_parse_plain(value, &number)))
        return error_set(parsing->error, EINVAL, "--%s: \"%s\" is not a %s", flag->name, value,
                         time ? "time such as 500ms, 10s or 1m" : "whole number");
    if (number < flag->minimum)
        return error_set(parsing->error, ERANGE, "--%s: %s is too small, the least is %lld%s",
                         flag->name, value, (long long)flag->minimum, time ? "ms" : "");
    memcpy((char *)parsing->settings + flag->offset, &number, sizeof number);
    return true;
}

static bool flag_set(const struct parsing *parsing, const struct flag *flag, const char *value) {
    char *field = (char *)parsing->settings + flag->offset;
    switch (flag->type) {
        case FLAG_SWITCH: *(bool *)field = true; return true;
        case FLAG_TEXT: memcpy(field, &value, sizeof value); return true;
        case FLAG_NUMBER:
        case FLAG_DURATION: return flag_set_number(parsing, flag, value);
        case FLAG_LIST: return flag_add(parsing, flag, value);
    }
    unreachable();
}

/* One flag at argv[0]; *taken says how many arguments it had. */
static bool flag_parse(const struct parsing *parsing, int left, char *const argv[], int *taken) {
    const char *word = argv[0], *value = NULL;
    bool is_long = word[1] == '-';
    size_t len = is_long ? strcspn(word + 2, "=") : 1;
    const struct flag *flag =
        is_long ? flag_find(parsing, word + 2, len) : flag_find_letter(parsing, word[1]);
    if (!flag) return flag_unknown(parsing, word);
    const char *rest = word + (is_long ? 2 : 1) + len;
    if (*rest) value = rest + (is_long || *rest == '=');
    *taken = 1;
    if (flag->type == FLAG_SWITCH) {
        if (value) return error_set(parsing->error, EINVAL, "--%s takes no value", flag->name);
        return flag_set(parsing, flag, NULL);
    }
    if (!value && left < 2)
        return error_set(parsing->error, EINVAL, "--%s needs a value: --%s %s", flag->name,
                         flag->name, flag->value_name);
    if (!value) value = argv[1], *taken = 2;
    return flag_set(parsing, flag, value);
}

static bool positional_add(struct settings *settings, const char *word, struct error *error) {
    if (settings->positional_count == SETTINGS_LIST_MAX)
        return error_set(error, E2BIG, "more than %d names are given", SETTINGS_LIST_MAX);
    settings->positional[settings->positional_count++] = word;
    return true;
}

bool flags_parse(const struct flags *sets, size_t set_count, int argc, char *const argv[],
                 struct settings *settings, struct error *error) {
    struct parsing parsing = {sets, set_count, settings, error};
    bool flags_end = false;
    for (int at = 0, taken = 1; at < argc; at += taken, taken = 1) {
        const char *word = argv[at];
        if (!flags_end && strcmp(word, "--") == 0)
            flags_end = true;
        else if (flags_end || word[0] != '-' || word[1] == 0) {
            if (!positional_add(settings, word, error)) return false;
        } else if (!flag_parse(&parsing, argc - at, argv + at, &taken)) {
            return false;
        }
    }
    return true;
}

enum { MARGIN = 30, WIDTH = 96 };

/* Words behind the margin, in lines of WIDTH; the first line's margin is there already. */
static void print_wrapped(const char *doc, struct text *out) {
    size_t column = MARGIN;
    while (*doc) {
        size_t word = strcspn(doc, " ");
        bool first = column == MARGIN;
        if (!first && column + 1 + word > WIDTH) {
            text_printf(out, "\n%*s", MARGIN, "");
            column = MARGIN;
        } else if (!first) {
            text_append(out, BYTES_OF(" "));
            column++;
        }
        text_append(out, bytes_make(doc, word));
        column += word;
        doc += word + (doc[word] == ' ');
    }
    text_append(out, BYTES_OF("\n"));
}

void flags_print(const struct flags *set, struct text *out) {
    for (size_t at = 0; at < set->count; at++) {
        const struct flag *flag = &set->rows[at];
        struct text left = {0};
        if (flag->letter)
            text_printf(&left, "  -%c, --%s", flag->letter, flag->name);
        else
            text_printf(&left, "      --%s", flag->name);
        if (flag->value_name) text_printf(&left, " %s", flag->value_name);
        bool fits = left.len < MARGIN;
        text_printf(out, "%-*s", fits ? MARGIN : 0, left.at);
        if (!fits) text_printf(out, "\n%*s", MARGIN, "");
        print_wrapped(flag->doc, out);
        text_deinit(&left);
    }
}
