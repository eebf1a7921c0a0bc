#include "config/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/say.h"
#include "config/option_row.h"

static char *no_environment[] = {NULL};

static int count_of(char **words) {
    int count = 0;
    while (words[count]) count++;
    return count;
}

static struct options *load(char **argv, char **variables) {
    struct options *options = NULL;
    struct error error = {0};
    cr_assert(options_load(count_of(argv), argv, variables, &options, &error), "%s", error.text);
    return options;
}
#define LOAD(...) load((char *[]){"serve", ##__VA_ARGS__, NULL}, no_environment)

static void assert_refused(char **argv, char **variables, const char *part) {
    struct options *options = NULL;
    struct error error = {0};
    cr_assert_not(options_load(count_of(argv), argv, variables, &options, &error), "%s", part);
    cr_assert_null(options);
    cr_assert_not_null(strstr(error.text, part), "\"%s\" is not in: %s", part, error.text);
}
#define REFUSED(part, ...) \
    assert_refused((char *[]){"serve", ##__VA_ARGS__, NULL}, no_environment, part)

/* A config file of its own for each test. */
struct file {
    char path[40];
};
static struct file file_make(const char *content) {
    struct file file = {"/tmp/options_test_XXXXXX"};
    int fd = mkstemp(file.path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return file;
}

static void assert_origin(const struct options *options, const char *name, const char *expected) {
    struct text text = {0};
    option_origin_print(option_row_find(name), options, &text);
    cr_assert_not_null(strstr(text.at, expected), "%s: %s", name, text.at);
    text_deinit(&text);
}

Test(options, rows_are_sound) {
    static const size_t sizes[] = {[OPTION_BOOL] = sizeof(bool),
                                   [OPTION_INT] = sizeof(int64_t),
                                   [OPTION_SIZE] = sizeof(int64_t),
                                   [OPTION_DURATION] = sizeof(int64_t),
                                   [OPTION_DOUBLE] = sizeof(double),
                                   [OPTION_TEXT] = sizeof(char *),
                                   [OPTION_PATH] = sizeof(char *),
                                   [OPTION_ENUM] = sizeof(int),
                                   [OPTION_ENDPOINTS] = sizeof(struct endpoints)};
    for (size_t at = 0; at < option_row_count; at++) {
        const struct option_row *row = &option_rows[at];
        cr_assert_eq(row->size, sizes[row->type], "%s has a field of another type", row->name);
        cr_assert_eq(option_row_find(row->name), row, "%s is there twice", row->name);
        cr_assert_eq(row->doc[strlen(row->doc) - 1], '.', "%s: not a sentence", row->name);
        cr_assert_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->name));
        cr_assert_eq(row->type == OPTION_ENUM, row->choices != NULL, "%s", row->name);
        cr_assert_eq(row->kafka_name != NULL, row->kafka_type != CONFIG_UNKNOWN, "%s", row->name);
        for (size_t other = 0; other < at; other++)
            cr_assert_neq(option_rows[other].offset, row->offset, "%s shares its field", row->name);
    }
}

Test(options, defaults) {
    struct options *options = LOAD();
    cr_assert_eq(options->listen.count, 1);
    cr_assert_str_eq(options->listen.items[0].host, "127.0.0.1");
    cr_assert_eq(options->listen.items[0].port, 9092);
    cr_assert_eq(options->advertise.count, 0);
    cr_assert_eq(options->retention_ms, 604800000);
    cr_assert_eq(options->message_bytes_max, 1048588);
    cr_assert_eq(options->segment_bytes, 1ll << 30);
    cr_assert_eq(options->frame_bytes_max, 100ll << 20);
    cr_assert_eq(options->producer_id_expiration_ms, 86400000);
    cr_assert_eq(options->log_level, SAY_INFO);
    cr_assert_eq(options->log_format, SAY_PLAIN);
    cr_assert_eq(options->cleanable_ratio_min, 0.5);
    cr_assert(options->auto_create_topics);
    cr_assert_not(options->ephemeral);
    assert_origin(options, "cores", "default");
    options_free(options);
}

Test(options, flags) {
    struct options *options =
        LOAD("--cores=3", "--log-retention-ms", "-1", "--ephemeral", "--no-auto-create-topics",
             "--log.segment.bytes", "64MiB", "--io", "EPOLL", "--log-level=debug");
    cr_assert_eq(options->cores, 3);
    cr_assert_eq(options->retention_ms, -1);
    cr_assert(options->ephemeral);
    cr_assert_not(options->auto_create_topics);
    cr_assert_eq(options->segment_bytes, 64 << 20, "Kafka's name is understood");
    cr_assert_eq(options->io, OPTION_IO_EPOLL);
    cr_assert_eq(options->log_level, SAY_DEBUG);
    assert_origin(options, "cores", "flag --cores");
    options_free(options);
}

Test(options, wrong_flags) {
    REFUSED("unknown flag --croes; did you mean --cores?", "--croes=1");
    REFUSED("unknown flag --xyzzy; millrace serve --help", "--xyzzy");
    REFUSED("is not a flag", "cores");
    REFUSED("--cores needs a value", "--cores");
    REFUSED("--cores: 65 is too large, the most is 64", "--cores", "65");
    REFUSED("--cores: \"two\" is not a whole number", "--cores", "two");
    REFUSED("--log-segment-bytes: 1KiB is too small, the least is 1MiB",
            "--log-segment-bytes=1KiB");
    REFUSED("neither true nor false", "--ephemeral=perhaps");
    REFUSED("\"fast\" is not one of: auto | uring | epoll", "--io=fast");
    REFUSED("--no-ephemeral takes no value", "--no-ephemeral=true");
    REFUSED("unknown flag --no-cores", "--no-cores");
    REFUSED("is not a number such as 0.5", "--log-cleaner-min-cleanable-ratio=half");
    REFUSED("is not between 0 and 1", "--log-cleaner-min-cleanable-ratio=1.5");
    REFUSED("memory: 1024 bytes is too little", "--memory=1KiB");
    REFUSED("larger than frame-bytes-max", "--frame-bytes-max-unauthenticated=200MiB");
    REFUSED("a directory is needed", "--data=");
}

Test(options, help_looks_no_further) {
    struct options *options = LOAD("--help", "--nonsense");
    cr_assert(options->help_wanted);
    options_free(options);
}

Test(options, listeners) {
    struct options *options = LOAD("--listen=:0", "--listen", "inside=[::1]:9093,out-side=h:1",
                                   "--advertise=INSIDE=broker.example");
    cr_assert_eq(options->listen.count, 3);
    cr_assert_str_eq(options->listen.items[0].name, "PLAINTEXT");
    cr_assert_str_eq(options->listen.items[0].host, "0.0.0.0");
    cr_assert_eq(options->listen.items[0].port, 0);
    cr_assert_str_eq(options->listen.items[1].host, "::1");
    cr_assert_eq(options->listen.items[1].port, 9093);
    cr_assert_str_eq(options->listen.items[2].name, "out-side");
    cr_assert_str_eq(options->advertise.items[0].host, "broker.example");
    cr_assert_eq(options->advertise.items[0].port, 0, "0: the port that is listened on");

    struct text text = {0};
    option_print(option_row_find("listen"), options, &text);
    cr_assert_str_eq(text.at, "0.0.0.0:0,inside=[::1]:9093,out-side=h:1");
    text_deinit(&text);
    option_print_kafka(option_row_find("listen"), options, &text);
    cr_assert_str_eq(text.at, "PLAINTEXT://0.0.0.0:0,inside://[::1]:9093,out-side://h:1");
    text_deinit(&text);
    options_free(options);
}

Test(options, wrong_listeners) {
    REFUSED("is not [NAME=]HOST:PORT", "--listen=localhost");
    REFUSED("is not [NAME=]HOST:PORT", "--listen=::1:9092");
    REFUSED("is not [NAME=]HOST:PORT", "--listen=[::1");
    REFUSED("is not [NAME=]HOST:PORT", "--listen=[::1]x9092");
    REFUSED("is not [NAME=]HOST[:PORT]", "--advertise=:9092");
    REFUSED("not a number from 0 to 65535", "--listen=h:65536");
    REFUSED("not a number from 0 to 65535", "--listen=h:-1");
    REFUSED("a listener name has", "--listen=a b=h:1");
    REFUSED("two addresses are named PLAINTEXT", "--listen=h:1,h:2");
    REFUSED("no listener is named outer", "--advertise=outer=h:1");
    REFUSED("at least one address", "--listen=");
    REFUSED("is not [NAME=]HOST:PORT", "--registry-listen=localhost");
    REFUSED("is not [NAME=]HOST:PORT", "--admin-listen=localhost");
}

static void expect_registry(char **argv, size_t count) {
    struct options *options = load(argv, no_environment);
    cr_expect_eq(options->registry_listen.count, count, "%s", argv[count_of(argv) - 1]);
    options_free(options);
}
#define EXPECT_REGISTRY(count, ...) expect_registry((char *[]){"serve", __VA_ARGS__, NULL}, count)

Test(options, an_empty_list_is_none) {
    struct file file = file_make("registry-listen: 127.0.0.1:1\n");
    struct file none = file_make("registry-listen: \"\"\n");
    EXPECT_REGISTRY(1, "--config", file.path);
    EXPECT_REGISTRY(0, "--config", file.path, "--registry-listen", "");
    EXPECT_REGISTRY(0, "--registry-listen=h:1", "--registry-listen=");
    EXPECT_REGISTRY(1, "--registry-listen=", "--registry-listen=:1");
    EXPECT_REGISTRY(0, "--config", none.path);
    EXPECT_REGISTRY(1, "--config", none.path, "--registry-listen=h:1");
    unlink(file.path);
    unlink(none.path);
}

Test(options, environment) {
    char *variables[] = {"PATH=/bin",
                         "MILLRACE_CORES=2",
                         "MILLRACE_DATA=",
                         "MILLRACE_LOG_LEVL=debug",
                         "MILLRACE_PORT=tcp://10.0.0.1:9092",
                         NULL};
    struct options *options = load((char *[]){"serve", NULL}, variables);
    cr_assert_eq(options->cores, 2);
    cr_assert_str_eq(options->data, "./millrace-data", "an empty variable is not set");
    assert_origin(options, "cores", "environment MILLRACE_CORES");
    cr_assert_not_null(strstr(options->warnings.at, "is MILLRACE_LOG_LEVEL meant?"));
    cr_assert_null(strstr(options->warnings.at, "MILLRACE_PORT"));
    options_free(options);
    assert_refused((char *[]){"serve", NULL}, (char *[]){"MILLRACE_CORES=x", NULL},
                   "MILLRACE_CORES: \"x\" is not a whole number");
}

Test(options, precedence) {
    struct file file = file_make(
        "# a comment\ncores: 4\nnode-id: 7\nnum-partitions: 8\n"
        "listen:\n  - 127.0.0.1:1\n  - inside=127.0.0.1:2\n");
    char *variables[] = {"MILLRACE_CORES=2", "MILLRACE_NODE_ID=9", NULL};
    char *argv[] = {"serve", "--config", file.path, "--cores=1", NULL};
    struct options *options = load(argv, variables);
    cr_assert_eq(options->cores, 1);
    cr_assert_eq(options->node_id, 9);
    cr_assert_eq(options->num_partitions, 8);
    cr_assert_eq(options->listen.count, 2, "a list in the file replaces the default");
    assert_origin(options, "num-partitions", ":4");
    assert_origin(options, "node-id", "environment");
    options_free(options);
    options = load((char *[]){"serve", argv[1], argv[2], "--listen=h:3", NULL}, variables);
    cr_assert_eq(options->listen.count, 1, "a flag replaces the file's list");
    cr_assert_eq(options->listen.items[0].port, 3);
    options_free(options);
    unlink(file.path);
}

static void assert_file_refused(const char *content, const char *part) {
    struct file file = file_make(content);
    assert_refused((char *[]){"serve", "--config", file.path, NULL}, no_environment, part);
    unlink(file.path);
}

Test(options, wrong_files) {
    assert_file_refused("cores: 1\nlog-levle: debug\n",
                        ":2: unknown option log-levle; did you mean log-level?");
    assert_file_refused("xyzzy: 1\n", ":1: unknown option xyzzy; millrace config default");
    assert_file_refused("cores: 1\n\ncores: 2\n", ":3: cores is set twice, first in line 1");
    assert_file_refused("log.segment.bytes: 1GiB\nlog-segment-bytes: 2GiB\n", "is set twice");
    assert_file_refused("cores: 99\n", ":1: cores: 99 is too large");
    assert_file_refused("cores:\n  deep: 1\n", ":2: a plain value is expected");
    assert_file_refused("- cores\n", ":1: `name: value` lines are expected");
    assert_file_refused("? [a]\n: 1\n", ":1: an option's name is expected");
    assert_file_refused("cores: [1\n", "not valid YAML");
    assert_file_refused("config: other.yaml\n", "no meaning in a file");
    assert_file_refused("cores: &x [*x]\n", "a plain value is expected");
    REFUSED("cannot read the config file /nonexistent/x: No such file", "--config=/nonexistent/x");
    REFUSED("/tmp is a directory", "--config=/tmp");
}

Test(options, empty_files_set_nothing) {
    struct file file = file_make("");
    struct options *options = LOAD("--config", file.path);
    cr_assert_str_eq(options->config, file.path);
    options_free(options);
    unlink(file.path);
}

Test(options, config_from_environment) {
    struct file file = file_make("cores: 5\n");
    char variable[80];
    snprintf(variable, sizeof variable, "MILLRACE_CONFIG=%s", file.path);
    struct options *options = load((char *[]){"serve", NULL}, (char *[]){variable, NULL});
    cr_assert_eq(options->cores, 5);
    options_free(options);
    unlink(file.path);
}

Test(options, copies_own_their_memory) {
    struct options *options = LOAD("--data=here", "--listen=a=h:1,b=h:2", "--cores=2");
    struct options *copy = options_copy(options);
    options_free(options);
    cr_assert_str_eq(copy->data, "here");
    cr_assert_eq(copy->listen.count, 2);
    cr_assert_str_eq(copy->listen.items[1].name, "b");
    assert_origin(copy, "cores", "flag");
    options_free(copy);
}

Test(options, reload_takes_what_it_can) {
    struct options *options = LOAD("--cores=1", "--num-partitions=2");
    struct options *fresh = LOAD("--cores=2", "--num-partitions=3", "--log-level=error");
    struct error error;
    cr_assert(options_set_dynamic(options, options, "num.partitions", "9", &error));
    struct text report = {0};
    options_reload(options, fresh, &report);
    cr_assert_eq(options->cores, 1);
    cr_assert_eq(options->log_level, SAY_ERROR);
    cr_assert_eq(options->num_partitions, 9, "what was set at run time stays");
    cr_assert_str_eq(report.at, "cores needs a restart to become 2\nlog-level is now error\n");
    text_deinit(&report);
    options_free(options);
    options_free(fresh);
}

Test(options, set_dynamic) {
    struct options *base = LOAD("--num-partitions=2"), *options = options_copy(base);
    struct error error;
    cr_assert(options_set_dynamic(options, base, "log.retention.ms", "1000", &error));
    cr_assert_eq(options->retention_ms, 1000);
    assert_origin(options, "log-retention-ms", "run time");
    cr_assert(options_set_dynamic(options, base, "log.retention.ms", NULL, &error));
    cr_assert_eq(options->retention_ms, 604800000);
    assert_origin(options, "log-retention-ms", "default");
    cr_assert_not(options_set_dynamic(options, base, "no.such", "1", &error));
    cr_assert_not_null(strstr(error.text, "Unknown broker config: no.such"));
    cr_assert_not(options_set_dynamic(options, base, "log.dirs", "/", &error));
    cr_assert_not_null(strstr(error.text, "Cannot update these configs dynamically: log.dirs"));
    cr_assert_not(options_set_dynamic(options, base, "num.partitions", "0", &error));
    cr_assert_eq(options->num_partitions, 2, "a refused value changes nothing");
    options_free(options);
    options_free(base);
}
