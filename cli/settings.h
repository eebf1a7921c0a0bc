/* What a command line said. Each command reads the fields of the flags that it declares; the others
 * keep their defaults. Texts point into argv or the environment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SETTINGS_LIST_MAX = 256 };

struct settings_list {
    const char *items[SETTINGS_LIST_MAX];
    size_t count;
};

struct settings {
    /* Every command that talks to a broker. */
    const char *bootstrap; /* "host:port,host:port" */
    int64_t timeout_ms;
    bool json;
    bool help;

    /* Topics. */
    int64_t partitions, replication_factor; /* -1: the broker's default */
    struct settings_list configs, unset, append, subtract;
    bool if_not_exists, if_exists, internal, all;

    /* Records. */
    struct settings_list only; /* partitions, as given */
    int64_t partition;         /* to produce to; -1: by key */
    const char *key, *key_separator;
    struct settings_list headers;
    const char *compression, *file;
    bool empty_is_null;
    const char *offset, *format;
    int64_t count; /* -1: all */
    bool follow, from_beginning;
    bool raw;

    /* Groups. */
    const char *to, *shift;
    struct settings_list topics, states, types;
    bool yes;

    /* Schemas. */
    struct settings_list proto_paths;
    const char *level, *message;
    const char *registry, *version;
    int64_t id; /* -1: none */
    bool canonical, framed, allow_unknown;
    const char *key_message;

    /* A topic's contract. */
    const char *framing, *subject, *strategy, *versions, *unknown_fields, *null, *on_violation;
    bool any_message, keys, lock;

    /* Data directories. */
    const char *log_partition;
    bool records, blocks;

    const char *positional[SETTINGS_LIST_MAX];
    size_t positional_count;
};

void settings_init(struct settings *settings);
