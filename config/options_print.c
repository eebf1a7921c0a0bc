/* Everything that is printed from the rows. */
#include "base/memory.h"
#include "config/option_row.h"

enum { PRINT_WIDTH = 96 };

void option_origin_print(const struct option_row *row, const struct options *options,
                         struct text *out) {
    const struct option_origin *origin = &options->origins[row - option_rows];
    char name[80];
    option_row_environment(row, name, sizeof name);
    switch (origin->source) {
        case OPTION_FROM_DEFAULT: text_printf(out, "default"); break;
        case OPTION_FROM_FILE: text_printf(out, "file %s:%d", options->config, origin->line); break;
        case OPTION_FROM_ENVIRONMENT: text_printf(out, "environment %s", name); break;
        case OPTION_FROM_FLAG: text_printf(out, "flag --%s", row->name); break;
        case OPTION_FROM_CLUSTER: text_printf(out, "set at run time"); break;
    }
}

static void option_print_json(const struct option_row *row, const struct options *options,
                              struct text *out) {
    struct text value = {0}, origin = {0};
    option_print(row, options, &value);
    option_origin_print(row, options, &origin);
    text_printf(out, "  {\"name\": \"%s\", \"value\": ", row->name);
    text_append_json(out, text_bytes(&value));
    text_append(out, BYTES_OF(", \"source\": "));
    text_append_json(out, text_bytes(&origin));
    text_append(out, BYTES_OF("}"));
    text_deinit(&value);
    text_deinit(&origin);
}

static void option_print_line(const struct option_row *row, const struct options *options,
                              struct text *out) {
    struct text value = {0};
    option_print(row, options, &value);
    text_printf(out, "%-38s %-24s ", row->name, value.len ? value.at : "\"\"");
    option_origin_print(row, options, out);
    text_append(out, BYTES_OF("\n"));
    text_deinit(&value);
}

void options_print(const struct options *options, bool json, struct text *out) {
    if (json) text_append(out, BYTES_OF("[\n"));
    for (size_t at = 0; at < option_row_count; at++) {
        if (!json) {
            option_print_line(&option_rows[at], options, out);
            continue;
        }
        option_print_json(&option_rows[at], options, out);
        text_printf(out, "%s\n", at + 1 < option_row_count ? "," : "");
    }
    if (json) text_append(out, BYTES_OF("]\n"));
}

/* Words of `prose` in lines of PRINT_WIDTH, each line begun with `margin`. */
static void print_prose(struct text *out, const char *margin, const char *prose) {
    size_t column = 0, indent = strlen(margin);
    while (*prose) {
        size_t word = strcspn(prose, " ");
        bool fits = column > 0 && column + 1 + word <= PRINT_WIDTH;
        if (fits) {
            text_append(out, BYTES_OF(" "));
            column++;
        } else {
            text_printf(out, "%s%s", column ? "\n" : "", margin);
            column = indent;
        }
        text_append(out, bytes_make(prose, word));
        column += word;
        prose += word + (prose[word] == ' ');
    }
    text_append(out, BYTES_OF("\n"));
}

static const char *option_form(const struct option_row *row) {
    static const char *const forms[] = {
        [OPTION_BOOL] = "",         [OPTION_INT] = "N",         [OPTION_SIZE] = "SIZE",
        [OPTION_DURATION] = "TIME", [OPTION_DOUBLE] = "NUMBER", [OPTION_TEXT] = "TEXT",
        [OPTION_PATH] = "PATH",     [OPTION_ENUM] = "",         [OPTION_ENDPOINTS] = "ADDRESS,..."};
    return forms[row->type];
}

static void print_choices(const struct option_row *row, const char *between, struct text *out) {
    for (size_t at = 0; row->choices && row->choices[at]; at++)
        text_printf(out, "%s%s", at ? between : "", row->choices[at]);
}

static void print_default_row(const struct option_row *row, struct text *out) {
    text_append(out, BYTES_OF("\n"));
    print_prose(out, "# ", row->doc);
    if (row->choices) {
        text_append(out, BYTES_OF("# One of: "));
        print_choices(row, ", ", out);
        text_append(out, BYTES_OF("\n"));
    }
    if (row->value[0])
        text_printf(out, "#%s: %s\n", row->name, row->value);
    else
        text_printf(out, "#%s:\n", row->name);
}

void options_print_default_file(struct text *out) {
    text_append(
        out,
        BYTES_OF(
            "# Options of millrace with their defaults: take the # away from what you change.\n"
            "# Sizes take KiB, MiB, GiB and TiB; times ms, s, m, h and d (plain numbers: bytes "
            "and\n"
            "# milliseconds). A flag --NAME goes before the environment (MILLRACE_NAME, in "
            "capitals,\n"
            "# - as _), that before this file. `millrace config show` tells what holds and "
            "why.\n"));
    for (enum option_group group = 0; group < OPTION_GROUP_COUNT; group++) {
        text_printf(out, "\n\n## %s\n", option_group_title(group));
        for (size_t at = 0; at < option_row_count; at++) {
            const struct option_row *row = &option_rows[at];
            if (row->group == group && !row->not_in_file) print_default_row(row, out);
        }
    }
}

static void print_help_row(const struct option_row *row, struct text *out) {
    text_printf(out, "\n  --%s", row->name);
    if (row->choices) {
        text_append(out, BYTES_OF(" "));
        print_choices(row, "|", out);
    } else if (option_form(row)[0]) {
        text_printf(out, " %s", option_form(row));
    }
    if (row->value[0]) text_printf(out, "  (default %s)", row->value);
    text_append(out, BYTES_OF("\n"));
    print_prose(out, "      ", row->doc);
}

void options_print_help(struct text *out) {
    for (enum option_group group = 0; group < OPTION_GROUP_COUNT; group++) {
        text_printf(out, "\n%s:\n", option_group_title(group));
        for (size_t at = 0; at < option_row_count; at++)
            if (option_rows[at].group == group) print_help_row(&option_rows[at], out);
    }
}

/* A '|' would end the table's cell. */
static void print_cell(struct text *out, const char *prose) {
    for (; *prose; prose++) text_printf(out, "%s%c", *prose == '|' ? "\\" : "", *prose);
}

static void print_markdown_row(const struct option_row *row, struct text *out) {
    text_printf(out, "| `%s` | ", row->name);
    if (row->value[0]) text_printf(out, "`%s`", row->value);
    text_append(out, BYTES_OF(" | "));
    print_cell(out, row->doc);
    if (row->choices) {
        text_append(out, BYTES_OF(" One of: `"));
        print_choices(row, "`, `", out);
        text_append(out, BYTES_OF("`."));
    }
    text_printf(out, " | %s | ", row->reloadable ? "yes" : "");
    if (row->kafka_name) text_printf(out, "`%s`", row->kafka_name);
    text_append(out, BYTES_OF(" |\n"));
}

static const char markdown_intro[] =
    "# Configuration\n\n"
    "This page is printed by `millrace config markdown`; change `config/options_table.c` and print "
    "it again.\n\n"
    "Every option is a flag (`--log-level debug`, or `--log-level=debug`; switches also as "
    "`--name` "
    "and `--no-name`), an environment variable (`MILLRACE_LOG_LEVEL`) and a key of the YAML file "
    "that `--config FILE` or `MILLRACE_CONFIG` names. A flag goes before the environment, that "
    "before the file, that before the default. `millrace config show` prints each value and where "
    "it came from; `millrace config default` prints a commented file to start from. Kafka's own "
    "names, where there is one, are understood everywhere.\n\n"
    "- Sizes: plain bytes, or with `KiB`, `MiB`, `GiB`, `TiB`.\n"
    "- Times: plain milliseconds, or with `ms`, `s`, `m`, `h`, `d`.\n"
    "- Lists: YAML lists, or one text with commas; a flag may be given several times.\n"
    "- An unknown key, a key given twice and a value out of bounds stop the start with a line that "
    "names the place. An empty environment variable counts as not set.\n"
    "- *Live*: SIGHUP reads the file again and takes this option without a restart; where it has a "
    "Kafka name, so does `AlterConfigs` on the broker.\n";

void options_print_markdown(struct text *out) {
    text_append(out, bytes_of_text(markdown_intro));
    for (enum option_group group = 0; group < OPTION_GROUP_COUNT; group++) {
        text_printf(out,
                    "\n## %s\n\n| option | default | meaning | live | Kafka's name |\n"
                    "|---|---|---|---|---|\n",
                    option_group_title(group));
        for (size_t at = 0; at < option_row_count; at++)
            if (option_rows[at].group == group) print_markdown_row(&option_rows[at], out);
    }
}
