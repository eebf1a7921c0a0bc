/* DescribeConfigs(BROKER) from the rows. */
#include "base/memory.h"
#include "config/option_row.h"

static const char *kafka_text(const struct option_row *row, const struct options *options,
                              struct arena *arena) {
    struct text text = {0};
    option_print_kafka(row, options, &text);
    char *copy = arena_text(arena, text_bytes(&text));
    text_deinit(&text);
    return copy;
}

static enum config_source describe_source(enum option_source source) {
    if (source == OPTION_FROM_CLUSTER) return CONFIG_FROM_CLUSTER_DYNAMIC;
    return source == OPTION_FROM_DEFAULT ? CONFIG_FROM_DEFAULT : CONFIG_FROM_BROKER_STATIC;
}

static void describe_row(const struct option_row *row, const struct options *options,
                         const struct options *defaults, struct arena *arena,
                         struct described_config *out) {
    enum option_source source = options->origins[row - option_rows].source;
    out->name = row->kafka_name;
    out->value = kafka_text(row, options, arena);
    out->doc = row->doc;
    out->type = row->kafka_type;
    out->source = describe_source(source);
    out->is_default = source == OPTION_FROM_DEFAULT;
    out->read_only = !row->reloadable;
    out->synonyms = arena_array(arena, struct config_synonym, 2);
    out->synonyms[out->synonym_count++] =
        (struct config_synonym){out->name, out->value, out->source};
    if (out->is_default) return;
    out->synonyms[out->synonym_count++] =
        (struct config_synonym){out->name, kafka_text(row, defaults, arena), CONFIG_FROM_DEFAULT};
}

size_t options_describe(const struct options *options, struct arena *arena,
                        struct described_config **rows) {
    struct options *defaults = options_new();
    size_t count = 0;
    *rows = arena_array(arena, struct described_config, option_row_count);
    for (size_t at = 0; at < option_row_count; at++)
        if (option_rows[at].kafka_name)
            describe_row(&option_rows[at], options, defaults, arena, &(*rows)[count++]);
    options_free(defaults);
    return count;
}
