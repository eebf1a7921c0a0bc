#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/command.h"
#include "config/suggest.h"
#include "protocol/api.h"

static const struct command *const commands[] = {
    &command_topic_create,    &command_topic_list,    &command_topic_describe,
    &command_topic_alter,     &command_topic_delete,  &command_produce,
    &command_consume,         &command_wait,          &command_group_list,
    &command_group_describe,  &command_group_lag,     &command_group_reset,
    &command_group_delete,    &command_schema_check,  &command_schema_diff,
    &command_schema_register, &command_schema_list,   &command_schema_show,
    &command_schema_import,   &command_contract_test, &command_contract_set,
    &command_contract_show,   &command_reject_list,   &command_reject_show,
    &command_reject_tail,     &command_log_inspect,   &command_log_verify,
    &command_log_repair,
};

/* Words that are commands without a row here. */
static const char *const others[] = {"serve", "config", "protocol", "version", "help"};

bool command_print(struct text *text, struct error *error) {
    bool good = fwrite(text->at ? text->at : "", 1, text->len, stdout) == text->len;
    good = fflush(stdout) == 0 && good;
    text_deinit(text);
    return good || error_set(error, errno, "cannot write the output: %s", strerror(errno));
}

static int print_and_end(struct text *text, int status) {
    struct error error;
    if (command_print(text, &error)) return status;
    fprintf(stderr, "millrace: %s\n", error.text);
    return CLI_FAILED;
}

/* ---- help ---- */

static void help_line(struct text *out, const char *name, const char *summary) {
    text_printf(out, "  %-16s %s\n", name, summary);
}

static void help_commands(struct text *out, bool offline) {
    for (size_t at = 0; at < array_count(commands); at++)
        if (commands[at]->offline == offline)
            help_line(out, commands[at]->name, commands[at]->summary);
}

static int help_overview(void) {
    struct text out = {0};
    text_append(&out, BYTES_OF("Millrace, a broker for Kafka clients.\n\n"
                               "Usage: millrace COMMAND [FLAGS]\n\nThe broker:\n"));
    help_line(&out, "serve", "Run a broker.");
    help_line(&out, "config", "Show the broker's options and where their values come from.");
    text_append(&out, BYTES_OF("\nWith a running broker, this or any other for Kafka clients:\n"));
    help_commands(&out, false);
    text_append(&out, BYTES_OF("\nWithout one:\n"));
    help_commands(&out, true);
    help_line(&out, "protocol", "Print the Kafka APIs and versions that are served, as Markdown.");
    help_line(&out, "version", "Print the version.");
    text_append(
        &out,
        BYTES_OF(
            "\n`millrace COMMAND --help` is a page on each. A first minute:\n\n"
            "  millrace serve &\n"
            "  echo hello | millrace produce greetings\n"
            "  millrace consume greetings --follow\n\n"
            "Brokers are named with -b HOST:PORT or $KAFKA_BOOTSTRAP_SERVERS; without either it\n"
            "is 127.0.0.1:9092.\n\n"
            "Exit status: 0 done; 1 refused, or not there; 2 wrong command line; 3 no broker\n"
            "answered.\n"));
    return print_and_end(&out, CLI_DONE);
}

static int help_command(const struct command *command) {
    struct text out = {0};
    text_printf(&out, "%s\n\nUsage: millrace %s %s\n\n%s\n", command->summary, command->name,
                command->usage, command->text);
    if (command->flags.count) {
        text_append(&out, BYTES_OF("Flags:\n"));
        flags_print(&command->flags, &out);
        text_append(&out, BYTES_OF("\n"));
    }
    text_append(&out, BYTES_OF("Flags of every command:\n"));
    flags_print(&flags_common, &out);
    return print_and_end(&out, CLI_DONE);
}

/* The commands that begin with a word: `millrace topic`. */
static int help_family(const char *word, int status) {
    struct text out = {0};
    size_t len = strlen(word);
    text_printf(&out, "Usage: millrace %s COMMAND [FLAGS]\n\n", word);
    for (size_t at = 0; at < array_count(commands); at++)
        if (strncmp(commands[at]->name, word, len) == 0 && commands[at]->name[len] == ' ')
            help_line(&out, commands[at]->name, commands[at]->summary);
    text_printf(&out, "\n`millrace %s COMMAND --help` is a page on each.\n", word);
    return print_and_end(&out, status);
}

/* ---- finding the command ---- */

static bool is_family(const char *word) {
    size_t len = strlen(word);
    for (size_t at = 0; at < array_count(commands); at++)
        if (strncmp(commands[at]->name, word, len) == 0 && commands[at]->name[len] == ' ')
            return true;
    return false;
}

static const struct command *command_find(const char *name) {
    for (size_t at = 0; at < array_count(commands); at++)
        if (strcmp(commands[at]->name, name) == 0) return commands[at];
    return NULL;
}

static int command_unknown(const char *typed) {
    const char *names[array_count(commands) + array_count(others)];
    size_t count = 0;
    for (size_t at = 0; at < array_count(commands); at++) names[count++] = commands[at]->name;
    for (size_t at = 0; at < array_count(others); at++) names[count++] = others[at];
    const char *near = suggest_word(typed, names, count);
    if (near)
        fprintf(stderr, "millrace: unknown command \"%s\"; did you mean: millrace %s\n", typed,
                near);
    else
        fprintf(stderr, "millrace: unknown command \"%s\"; millrace --help lists them\n", typed);
    return CLI_USAGE;
}

/* ---- running ---- */

static bool names_check(const struct command *command, const struct settings *settings,
                        struct error *error) {
    if (settings->positional_count < command->names_min)
        return error_set(error, EINVAL, "%s is missing: millrace %s %s", command->names,
                         command->name, command->usage);
    if (settings->positional_count > command->names_max)
        return error_set(error, EINVAL, "\"%s\" is too much: millrace %s %s",
                         settings->positional[command->names_max], command->name, command->usage);
    return true;
}

static int command_fail(const struct command *command, enum cli_exit status,
                        const struct error *error) {
    fflush(stdout);
    fprintf(stderr, "millrace %s: %s\n", command->name, error->text);
    return status;
}

static int command_run(const struct command *command, int argc, char *argv[]) {
    struct error error = {0};
    struct settings settings;
    struct flags sets[] = {command->flags, flags_common};
    settings_init(&settings);
    bool good = flags_parse(sets, array_count(sets), argc, argv, &settings, &error);
    if (good && settings.help) return help_command(command);
    if (!good || !names_check(command, &settings, &error))
        return command_fail(command, CLI_USAGE, &error);
    enum cli_exit status = command->work ? session_run(&settings, &error, command->work)
                                         : command->run(&settings, &error);
    return status == CLI_DONE ? CLI_DONE : command_fail(command, status, &error);
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int version_print(void) {
    struct text out = {0};
    text_append(&out, BYTES_OF("millrace " MILLRACE_VERSION "\n"));
    return print_and_end(&out, CLI_DONE);
}

/* docs/protocol.md is made of this. */
static int protocol_print(void) {
    struct text out = {0};
    api_print_markdown(&out);
    return print_and_end(&out, CLI_DONE);
}

/* `millrace topic create ...`: two words, or `millrace produce ...`: one. */
static int command_dispatch(int argc, char *argv[]) {
    char name[64];
    const struct command *command = command_find(argv[1]);
    if (command) return command_run(command, argc - 2, argv + 2);
    if (!is_family(argv[1])) return command_unknown(argv[1]);
    if (argc < 3) return help_family(argv[1], CLI_USAGE);
    if (is_help(argv[2])) return help_family(argv[1], CLI_DONE);
    snprintf(name, sizeof name, "%s %s", argv[1], argv[2]);
    command = command_find(name);
    if (!command) return command_unknown(name);
    return command_run(command, argc - 3, argv + 3);
}

/* `millrace help topic create` is `millrace topic create --help`. */
static int help_main(int argc, char *argv[]) {
    char name[64], *words[] = {argv[0], argc > 2 ? argv[2] : NULL, "--help", NULL};
    if (argc < 3) return help_overview();
    snprintf(name, sizeof name, "%s %s", argv[2], argc > 3 ? argv[3] : "");
    const struct command *command = command_find(name);
    if (command) return help_command(command);
    if (strcmp(argv[2], "config") == 0) return config_main(2, words + 1);
    return command_dispatch(3, words);
}

int cli_main(int argc, char *argv[]) {
    if (argc < 2) {
        help_overview();
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (is_help(word)) return help_main(argc, argv);
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) return version_print();
    if (strcmp(word, "protocol") == 0) return protocol_print();
    if (strcmp(word, "config") == 0) return config_main(argc - 1, argv + 1);
    return command_dispatch(argc, argv);
}
