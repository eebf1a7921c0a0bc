/* One row for each option, the functions that read and print values by row, and what is printed
 * from all rows. See options.h for the values themselves. */
#pragma once

#include "config/described.h"
#include "config/options.h"

enum option_type {
    OPTION_BOOL,
    OPTION_INT,
    OPTION_SIZE,     /* int64_t bytes; KiB, MiB, GiB, TiB */
    OPTION_DURATION, /* int64_t milliseconds; ms, s, m, h, d */
    OPTION_DOUBLE,
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_ENUM,      /* an int-sized enum; `choices` names its values from 0 */
    OPTION_ENDPOINTS, /* struct endpoints */
};

enum option_group {
    OPTION_GROUP_RUNNING,
    OPTION_GROUP_LISTENING,
    OPTION_GROUP_TOPICS,
    OPTION_GROUP_RECORDS,
    OPTION_GROUP_LOGS,
    OPTION_GROUP_GROUPS,
    OPTION_GROUP_COUNT,
};

struct option_row {
    const char *name; /* kebab-case: the flag and the key in the file */
    enum option_type type;
    enum option_group group;
    size_t offset;     /* in struct options */
    size_t size;       /* of the field, checked against the type by a test */
    const char *value; /* default, as an operator would write it */
    int64_t minimum, maximum;
    const char *const *choices; /* ends with NULL */
    bool reloadable;            /* by SIGHUP, and by AlterConfigs where it has a Kafka name */
    bool not_in_file;           /* has no meaning there (--config itself) */
    const char *kafka_name;     /* NULL: Kafka has no such broker config */
    enum config_type kafka_type;
    const char *doc;
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;
const char *option_group_title(enum option_group group);

/* By our name or Kafka's; NULL when there is none. */
const struct option_row *option_row_find(const char *name);
/* The row whose name is nearest, or NULL when none is near. */
const struct option_row *option_row_nearest(const char *name);
/* "MILLRACE_LOG_LEVEL" into out. */
void option_row_environment(const struct option_row *row, char *out, size_t room);

/* Parses and checks text, then stores it. Endpoints are added to the list that is there. */
bool option_set(const struct option_row *row, struct options *options, const char *text,
                struct error *error);
/* Copies a value; pointed-to memory goes to the arena of `to`. */
void option_copy(const struct option_row *row, struct options *to, const struct options *from);
/* Makes a list empty before a stronger source fills it; other types are left alone. */
void option_clear(const struct option_row *row, struct options *options);
bool option_equal(const struct option_row *row, const struct options *a, const struct options *b);
/* As an operator would write it: "7d", "100MiB". */
void option_print(const struct option_row *row, const struct options *options, struct text *out);
/* As Kafka shows it: plain numbers, PLAINTEXT://host:port. */
void option_print_kafka(const struct option_row *row, const struct options *options,
                        struct text *out);

/* "default", "flag --cores", "environment MILLRACE_CORES", "file a.yaml:3", "set at run time". */
void option_origin_print(const struct option_row *row, const struct options *options,
                         struct text *out);

/* `millrace config show [--json]`: every value and where it came from. */
void options_print(const struct options *options, bool json, struct text *out);
/* The commented file with all defaults, also config/default.yaml. */
void options_print_default_file(struct text *out);
/* docs/configuration.md. */
void options_print_markdown(struct text *out);
/* The option part of `millrace serve --help`. */
void options_print_help(struct text *out);

/* DescribeConfigs(BROKER): rows that have a Kafka name, in the arena; the count is returned. */
size_t options_describe(const struct options *options, struct arena *arena,
                        struct described_config **rows);
