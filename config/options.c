/* Loading: the settings of every source are gathered first, then applied from the weakest source to
 * the strongest, then checked against each other. */
#include "config/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/option_row.h"
#include "config/options_file.h"
#include "config/suggest.h"

enum { OPTIONS_MEMORY_MAX = 16 << 20 };

const struct option_row *option_row_find(const char *name) {
    for (size_t at = 0; at < option_row_count; at++) {
        const struct option_row *row = &option_rows[at];
        if (strcmp(row->name, name) == 0) return row;
        if (row->kafka_name && strcmp(row->kafka_name, name) == 0) return row;
    }
    return NULL;
}

const struct option_row *option_row_nearest(const char *name) {
    const char *names[2 * OPTION_ROWS_MAX];
    size_t count = 0;
    for (size_t at = 0; at < option_row_count; at++) {
        names[count++] = option_rows[at].name;
        if (option_rows[at].kafka_name) names[count++] = option_rows[at].kafka_name;
    }
    const char *nearest = suggest_word(name, names, count);
    return nearest ? option_row_find(nearest) : NULL;
}

void option_row_environment(const struct option_row *row, char *out, size_t room) {
    snprintf(out, room, "MILLRACE_%s", row->name);
    for (; *out; out++)
        *out = *out == '-' || *out == '.' ? '_' : (char)toupper((unsigned char)*out);
}

static struct option_origin *origin_of(struct options *options, const struct option_row *row) {
    return &options->origins[row - option_rows];
}

struct options *options_new(void) {
    struct options *options = new_zero(struct options);
    struct error error;
    arena_init(&options->memory, OPTIONS_MEMORY_MAX);
    for (size_t at = 0; at < option_row_count; at++)
        check(option_set(&option_rows[at], options, option_rows[at].value, &error));
    return options;
}

struct options *options_copy(const struct options *options) {
    struct options *copy = options_new();
    for (size_t at = 0; at < option_row_count; at++) option_copy(&option_rows[at], copy, options);
    memcpy(copy->origins, options->origins, sizeof copy->origins);
    copy->help_wanted = options->help_wanted;
    text_append(&copy->warnings, text_bytes(&options->warnings));
    return copy;
}

void options_free(struct options *options) {
    if (!options) return;
    text_deinit(&options->warnings);
    arena_deinit(&options->memory);
    free(options);
}

/* Puts the place before what option_set() said. */
static bool error_place(struct error *error, const char *place, const char *name) {
    struct error inner = *error;
    return error_set(error, inner.code, "%s%s: %s", place, name, inner.text);
}

/* A list that a stronger source sets replaces the weaker one's; within a source it grows, and what
 * is empty begins it anew. */
static bool option_apply(struct options *options, const struct option_row *row,
                         enum option_source source, int line, const char *value,
                         struct error *error) {
    struct option_origin *origin = origin_of(options, row);
    check(value);
    if (origin->source != source || !*value) option_clear(row, options);
    *origin = (struct option_origin){source, line};
    return option_set(row, options, value, error);
}

/* ---- flags ---- */

static void flag_unknown(const char *flag, struct error *error) {
    const struct option_row *row = option_row_nearest(flag + 2);
    if (row)
        error_set(error, EINVAL, "unknown flag %s; did you mean --%s?", flag, row->name);
    else
        error_set(error, EINVAL, "unknown flag %s; millrace serve --help lists them", flag);
}

/* One flag taken apart: --name=value, --name value, --name and --no-name for switches. */
struct flag {
    const struct option_row *row;
    const char *value;
    int taken; /* arguments */
};

static bool flag_parse(int left, char *const argv[], struct flag *flag, struct error *error) {
    char name[64];
    const char *word = argv[0], *equals = strchr(word, '=');
    if (strncmp(word, "--", 2) != 0)
        return error_set(error, EINVAL, "\"%s\" is not a flag; options are given as --name value",
                         word);
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - word) : 63, word);
    bool no = strncmp(name, "--no-", 5) == 0 && !option_row_find(name + 2);
    const struct option_row *row = option_row_find(name + (no ? 5 : 2));
    *flag = (struct flag){row, equals ? equals + 1 : NULL, 1};
    if (!row || (no && row->type != OPTION_BOOL)) {
        flag_unknown(name, error);
        return false;
    }
    if (no && equals) return error_set(error, EINVAL, "%s takes no value", name);
    if (equals) return true;
    if (row->type == OPTION_BOOL) return flag->value = no ? "false" : "true", true;
    if (left < 2) return error_set(error, EINVAL, "%s needs a value: %s VALUE", name, name);
    flag->value = argv[1];
    flag->taken = 2;
    return true;
}

/* Applies all flags; with `only`, that row's alone. */
static bool flags_apply(struct options *options, int argc, char *const argv[],
                        const struct option_row *only, struct error *error) {
    struct flag flag = {0};
    for (int at = 1; at < argc; at += flag.taken) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
            options->help_wanted = true;
            return true;
        }
        if (!flag_parse(argc - at, argv + at, &flag, error)) return false;
        check(flag.row);
        if (only && flag.row != only) continue;
        if (!option_apply(options, flag.row, OPTION_FROM_FLAG, 0, flag.value, error))
            return error_place(error, "--", flag.row->name);
    }
    return true;
}

/* ---- environment ---- */

static const char *environment_value(char *const environ[], const char *name) {
    size_t len = strlen(name);
    for (; *environ; environ++)
        if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=') return *environ + len + 1;
    return NULL;
}

/* An empty variable counts as not set, because compose files cannot leave one out. */
static bool environment_apply(struct options *options, char *const environ[],
                              const struct option_row *only, struct error *error) {
    char name[80];
    for (size_t at = 0; at < option_row_count; at++) {
        const struct option_row *row = &option_rows[at];
        option_row_environment(row, name, sizeof name);
        const char *value = environment_value(environ, name);
        if (!value || !*value || (only && row != only)) continue;
        if (!option_apply(options, row, OPTION_FROM_ENVIRONMENT, 0, value, error))
            return error_place(error, "", name);
    }
    return true;
}

/* Unknown variables are not errors (Kubernetes sets MILLRACE_PORT and its like for a service named
 * millrace), but a likely typing mistake is worth a line. */
static void environment_warn(struct options *options, char *const environ[]) {
    for (; *environ; environ++) {
        char name[80], known[80];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*environ, "="), *environ);
        if (strncmp(name, "MILLRACE_", 9) != 0) continue;
        const struct option_row *row = option_row_nearest(name + 9);
        if (!row) continue;
        option_row_environment(row, known, sizeof known);
        if (strcmp(name, known) != 0)
            text_printf(&options->warnings, "%s is not an option and has no effect; is %s meant?\n",
                        name, known);
    }
}

/* ---- all together ---- */

static bool options_check_names(const struct options *options, struct error *error) {
    for (size_t at = 0; at < options->advertise.count; at++) {
        const char *name = options->advertise.items[at].name;
        if (!endpoints_find(&options->listen, name))
            return error_set(error, EINVAL,
                             "advertise: no listener is named %s; name it in listen too: "
                             "%s=HOST:PORT",
                             name, name);
    }
    return true;
}

static bool options_check(const struct options *options, struct error *error) {
    if (options->listen.count == 0)
        return error_set(error, EINVAL, "listen: at least one address is needed: HOST:PORT");
    if (options->memory_bytes != 0 && options->memory_bytes < 64 << 20)
        return error_set(error, ERANGE, "memory: %lld bytes is too little; give 64MiB or more",
                         (long long)options->memory_bytes);
    if (options->frame_bytes_max_unauthenticated > options->frame_bytes_max)
        return error_set(error, ERANGE,
                         "frame-bytes-max-unauthenticated is larger than frame-bytes-max (%lld)",
                         (long long)options->frame_bytes_max);
    if (options->data[0] == 0)
        return error_set(error, EINVAL, "data: a directory is needed (or use --ephemeral)");
    return options_check_names(options, error);
}

static bool file_setting(void *context, const char *key, int line, const char *value,
                         struct error *error) {
    struct options *options = context;
    const struct option_row *row = option_row_find(key);
    if (!row) {
        row = option_row_nearest(key);
        if (row)
            return error_set(error, EINVAL, "unknown option %s; did you mean %s?", key, row->name);
        return error_set(error, EINVAL, "unknown option %s; millrace config default lists them",
                         key);
    }
    if (row->not_in_file)
        return error_set(error, EINVAL, "%s has no meaning in a file; give it as --%s", key,
                         row->name);
    const struct option_origin *origin = origin_of(options, row);
    if (origin->source == OPTION_FROM_FILE && origin->line != line)
        return error_set(error, EINVAL, "%s is set twice, first in line %d; remove one", key,
                         origin->line);
    if (option_apply(options, row, OPTION_FROM_FILE, line, value, error)) return true;
    return error_place(error, "", key);
}

static bool options_apply(struct options *options, int argc, char *const argv[],
                          char *const environ[], struct error *error) {
    const struct option_row *config = option_row_find("config");
    if (!environment_apply(options, environ, config, error)) return false;
    if (!flags_apply(options, argc, argv, config, error)) return false;
    if (options->help_wanted) return true;
    if (options->config[0] && !options_file_read(options->config, file_setting, options, error))
        return false;
    if (!environment_apply(options, environ, NULL, error)) return false;
    if (!flags_apply(options, argc, argv, NULL, error)) return false;
    environment_warn(options, environ);
    return options_check(options, error);
}

bool options_load(int argc, char *const argv[], char *const environ[], struct options **options,
                  struct error *error) {
    struct options *fresh = options_new();
    if (!options_apply(fresh, argc, argv, environ, error)) {
        options_free(fresh);
        return false;
    }
    *options = fresh;
    return true;
}

void options_reload(struct options *options, const struct options *fresh, struct text *report) {
    for (size_t at = 0; at < option_row_count; at++) {
        const struct option_row *row = &option_rows[at];
        bool runtime = options->origins[at].source == OPTION_FROM_CLUSTER;
        if (runtime || option_equal(row, options, fresh)) continue;
        if (row->reloadable) {
            option_copy(row, options, fresh);
            options->origins[at] = fresh->origins[at];
        }
        text_printf(report, row->reloadable ? "%s is now " : "%s needs a restart to become ",
                    row->name);
        option_print(row, fresh, report);
        text_append(report, BYTES_OF("\n"));
    }
}

bool options_set_dynamic(struct options *options, const struct options *base, const char *name,
                         const char *value, struct error *error) {
    const struct option_row *row = option_row_find(name);
    if (!row) return error_set(error, ENOENT, "Unknown broker config: %s", name);
    if (!row->reloadable)
        return error_set(error, EPERM, "Cannot update these configs dynamically: %s", name);
    if (!value) {
        option_copy(row, options, base);
        *origin_of(options, row) = base->origins[row - option_rows];
        return true;
    }
    if (!option_set(row, options, value, error)) return error_place(error, "", name);
    *origin_of(options, row) = (struct option_origin){OPTION_FROM_CLUSTER, 0};
    return true;
}
