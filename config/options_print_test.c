#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/option_row.h"

/* The default file must be accepted as it is, and with every line's # taken away. */
Test(options_print, default_file_loads) {
    struct text file = {0}, bare = {0};
    options_print_default_file(&file);
    for (const char *at = file.at; *at;) {
        size_t len = strcspn(at, "\n");
        bool option = at[0] == '#' && at[1] >= 'a' && at[1] <= 'z';
        text_append(&bare, bytes_make(at + option, len - option));
        text_append(&bare, BYTES_OF("\n"));
        at += len + (at[len] == '\n');
    }
    char path[] = "/tmp/options_print_test_XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, bare.at, bare.len), (ssize_t)bare.len);
    close(fd);
    char *argv[] = {"serve", "--config", path, NULL}, *variables[] = {NULL};
    struct options *options, *defaults = options_new();
    struct error error = {0};
    cr_assert(options_load(3, argv, variables, &options, &error), "%s", error.text);
    for (size_t at = 1; at < option_row_count; at++) {
        const struct option_row *row = &option_rows[at];
        cr_assert(option_equal(row, options, defaults), "%s", row->name);
        bool from_file = options->origins[at].source == OPTION_FROM_FILE;
        cr_assert_eq(from_file, !row->not_in_file, "%s", row->name);
    }
    unlink(path);
    options_free(options);
    options_free(defaults);
    text_deinit(&file);
    text_deinit(&bare);
}

Test(options_print, show_names_value_and_source) {
    char *argv[] = {"serve", "--cores=2", "--data=a\"b", NULL}, *variables[] = {NULL};
    struct options *options;
    struct error error;
    cr_assert(options_load(3, argv, variables, &options, &error));
    struct text plain = {0}, json = {0};
    options_print(options, false, &plain);
    options_print(options, true, &json);
    cr_assert_not_null(strstr(plain.at, "flag --cores\n"));
    cr_assert_not_null(
        strstr(json.at, "{\"name\": \"cores\", \"value\": \"2\", \"source\": \"flag --cores\"},"));
    cr_assert_not_null(strstr(json.at, "\"a\\\"b\""));
    cr_assert_not_null(strstr(json.at, "}\n]\n"), "no comma after the last");
    text_deinit(&plain);
    text_deinit(&json);
    options_free(options);
}

Test(options_print, every_row_is_printed) {
    struct text help = {0}, manual = {0};
    options_print_help(&help);
    options_print_markdown(&manual);
    for (size_t at = 0; at < option_row_count; at++) {
        char flag[80], cell[80];
        snprintf(flag, sizeof flag, "\n  --%s", option_rows[at].name);
        snprintf(cell, sizeof cell, "\n| `%s` |", option_rows[at].name);
        cr_assert_not_null(strstr(help.at, flag), "%s", flag);
        cr_assert_not_null(strstr(manual.at, cell), "%s", cell);
    }
    text_deinit(&help);
    text_deinit(&manual);
}

static const struct described_config *find(const struct described_config *rows, size_t count,
                                           const char *name) {
    for (size_t at = 0; at < count; at++)
        if (strcmp(rows[at].name, name) == 0) return &rows[at];
    cr_assert_fail("%s is not described", name);
    return NULL;
}

Test(options_print, describe) {
    char *argv[] = {"serve", "--num-partitions=3", NULL}, *variables[] = {NULL};
    struct options *options;
    struct error error;
    cr_assert(options_load(2, argv, variables, &options, &error));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct described_config *rows;
    size_t count = options_describe(options, &arena, &rows);
    const struct described_config *one = find(rows, count, "num.partitions");
    cr_assert_str_eq(one->value, "3");
    cr_assert_eq(one->source, CONFIG_FROM_BROKER_STATIC);
    cr_assert_eq(one->synonym_count, 2);
    cr_assert_str_eq(one->synonyms[1].value, "1");
    cr_assert_not(one->read_only);
    one = find(rows, count, "log.retention.ms");
    cr_assert_str_eq(one->value, "604800000", "Kafka's numbers are plain");
    cr_assert(one->is_default);
    cr_assert_eq(one->type, CONFIG_LONG);
    cr_assert_str_eq(find(rows, count, "listeners")->value, "PLAINTEXT://127.0.0.1:9092");
    cr_assert(find(rows, count, "listeners")->read_only);
    arena_deinit(&arena);
    options_free(options);
}

static void read_file(const char *path, struct text *out) {
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        text_append(out, bytes_make(piece, got));
    fclose(file);
}

/* Relative to this source file, wherever the tree was checked out. */
static void assert_file_is(const char *name, const struct text *expected, const char *command) {
    char path[512];
    snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__,
             name);
    struct text content = {0};
    read_file(path, &content);
    cr_assert_str_eq(content.at, expected->at, "%s is out of date: millrace %s > %s", path, command,
                     path);
    text_deinit(&content);
}

Test(options_print, printed_files_are_current) {
    struct text file = {0}, manual = {0};
    options_print_default_file(&file);
    options_print_markdown(&manual);
    assert_file_is("default.yaml", &file, "config default");
    assert_file_is("../docs/configuration.md", &manual, "config markdown");
    text_deinit(&file);
    text_deinit(&manual);
}
