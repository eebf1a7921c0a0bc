#include "cli/flags.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct flag rows[] = {
    {"file", 'f', FLAG_TEXT, SETTING(file), "PATH", "A file.", 0},
    {"count", 'n', FLAG_NUMBER, SETTING(count), "N", "How many.", 1},
    {"header", 'H', FLAG_LIST, SETTING(headers), "NAME=VALUE", "Headers.", 0},
    {"follow", 'F', FLAG_SWITCH, SETTING(follow), NULL, "Go on.", 0},
};

static bool parse(char **argv, struct settings *settings, struct error *error) {
    struct flags sets[] = {FLAGS(rows), flags_common};
    int argc = 0;
    while (argv[argc]) argc++;
    unsetenv("KAFKA_BOOTSTRAP_SERVERS");
    settings_init(settings);
    return flags_parse(sets, 2, argc, argv, settings, error);
}
#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL}, &settings, &error)

static void assert_refused(char **argv, const char *text) {
    struct settings settings;
    struct error error = {0};
    cr_assert_not(parse(argv, &settings, &error), "%s", text);
    cr_assert_str_eq(error.text, text);
}
#define REFUSED(text, ...) assert_refused((char *[]){__VA_ARGS__, NULL}, text)

Test(flags, all_forms) {
    struct settings settings;
    struct error error;
    cr_assert(PARSE("topic", "--file", "a", "-n5", "--header=x=1", "-H", "y=2", "-F", "value"));
    cr_assert_str_eq(settings.file, "a");
    cr_assert_eq(settings.count, 5);
    cr_assert_eq(settings.headers.count, 2);
    cr_assert_str_eq(settings.headers.items[0], "x=1");
    cr_assert_str_eq(settings.headers.items[1], "y=2");
    cr_assert(settings.follow);
    cr_assert_eq(settings.positional_count, 2);
    cr_assert_str_eq(settings.positional[1], "value");
}

Test(flags, defaults_and_the_environment) {
    struct settings settings;
    struct error error;
    cr_assert(PARSE("-"));
    cr_assert_str_eq(settings.bootstrap, "127.0.0.1:9092");
    cr_assert_eq(settings.timeout_ms, 30000);
    cr_assert_eq(settings.partition, -1);
    cr_assert_str_eq(settings.positional[0], "-", "a dash alone is a name");
    setenv("KAFKA_BOOTSTRAP_SERVERS", "h:1", 1);
    settings_init(&settings);
    cr_assert_str_eq(settings.bootstrap, "h:1");
}

Test(flags, values_may_begin_with_a_dash) {
    struct settings settings;
    struct error error;
    cr_assert(PARSE("--file", "-x", "--", "--follow"));
    cr_assert_str_eq(settings.file, "-x");
    cr_assert_not(settings.follow);
    cr_assert_str_eq(settings.positional[0], "--follow");
}

Test(flags, durations) {
    struct settings settings;
    struct error error;
    cr_assert(PARSE("--timeout=2s"));
    cr_assert_eq(settings.timeout_ms, 2000);
    REFUSED("--timeout: \"soon\" is not a time such as 500ms, 10s or 1m", "--timeout=soon");
    REFUSED("--timeout: 0 is too small, the least is 1ms", "--timeout", "0");
}

Test(flags, wrong_ones) {
    REFUSED("unknown flag --folow; did you mean --follow?", "--folow");
    REFUSED("unknown flag --xyzzy; --help lists them", "--xyzzy=1");
    REFUSED("unknown flag -q; --help lists them", "-q");
    REFUSED("--file needs a value: --file PATH", "--file");
    REFUSED("--follow takes no value", "--follow=yes");
    REFUSED("--count: \"many\" is not a whole number", "-n", "many");
    REFUSED("--count: 0 is too small, the least is 1", "--count=0");
}

Test(flags, lists_are_bounded) {
    struct settings settings;
    struct error error = {0};
    char *argv[2 * (SETTINGS_LIST_MAX + 1) + 1] = {NULL};
    for (size_t at = 0; at <= SETTINGS_LIST_MAX; at++)
        argv[2 * at] = "-H", argv[2 * at + 1] = "a=b";
    cr_assert_not(parse(argv, &settings, &error));
    cr_assert_not_null(strstr(error.text, "more than 256 times"));
}

Test(flags, help_has_no_trailing_blanks) {
    struct text out = {0};
    flags_print(&flags_common, &out);
    cr_assert_null(strstr(out.at, " \n"));
    cr_assert_not_null(strstr(out.at, "  -b, --bootstrap HOST:PORT,...\n"));
    cr_assert_not_null(strstr(out.at, "  -h, --help                  Print this page.\n"));
    text_deinit(&out);
}
