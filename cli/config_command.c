/* millrace config show | default | markdown. */
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/command.h"
#include "config/option_row.h"
#include "config/suggest.h"

const char config_help[] =
    "Show the broker's options and where their values come from.\n\n"
    "Usage: millrace config show [--json] [FLAGS OF serve]\n"
    "       millrace config default\n"
    "       millrace config markdown\n\n"
    "`show` reads flags, environment and file as `millrace serve` would and prints each option,\n"
    "its value, and whether that comes from a flag, the environment, a line of the file, or is\n"
    "the default. `default` prints a commented file to start from. `markdown` prints the manual\n"
    "page (docs/configuration.md).\n\n"
    "  millrace config default > millrace.yaml\n"
    "  millrace config show --config millrace.yaml --cores 2\n\n"
    "`millrace serve --help` explains every option.\n";

static int config_fail(const struct error *error, enum cli_exit status) {
    fprintf(stderr, "millrace config: %s\n", error->text);
    return status;
}

static int config_print(struct text *out) {
    struct error error;
    return command_print(out, &error) ? CLI_DONE : config_fail(&error, CLI_FAILED);
}

static int config_usage(int status) {
    struct text out = {0};
    text_append(&out, bytes_of_text(config_help));
    if (status == CLI_DONE) return config_print(&out);
    fputs(config_help, stderr);
    text_deinit(&out);
    return status;
}

/* Takes --json out of the arguments; what is left belongs to `serve`. */
static bool take_json(int *argc, char *argv[]) {
    bool json = false;
    int kept = 0;
    for (int at = 0; at < *argc; at++) {
        bool is_json = at > 0 && strcmp(argv[at], "--json") == 0;
        json |= is_json;
        if (!is_json) argv[kept++] = argv[at];
    }
    *argc = kept;
    return json;
}

static int config_show(int argc, char *argv[]) {
    struct options *options;
    struct error error;
    struct text out = {0};
    bool json = take_json(&argc, argv);
    if (!options_load(argc, argv, environ, &options, &error)) return config_fail(&error, CLI_USAGE);
    if (options->help_wanted) {
        options_free(options);
        return config_usage(CLI_DONE);
    }
    if (options->warnings.len) fputs(options->warnings.at, stderr);
    options_print(options, json, &out);
    options_free(options);
    return config_print(&out);
}

int config_main(int argc, char *argv[]) {
    static const char *const words[] = {"show", "default", "markdown"};
    struct text out = {0};
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) return config_usage(CLI_USAGE);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return config_usage(CLI_DONE);
    if (strcmp(word, "show") == 0) return config_show(argc - 1, argv + 1);
    if (strcmp(word, "default") == 0) {
        options_print_default_file(&out);
        return config_print(&out);
    }
    if (strcmp(word, "markdown") == 0) {
        options_print_markdown(&out);
        return config_print(&out);
    }
    const char *near = suggest_word(word, words, array_count(words));
    fprintf(stderr, "millrace config: unknown command \"%s\"; %s%s\n", word,
            near ? "did you mean: millrace config " : "millrace config --help lists them",
            near ? near : "");
    return CLI_USAGE;
}
