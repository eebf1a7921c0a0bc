#include "broker/handlers/admin_configs.h"

#include "config/option_row.h"

/* What was set at run time was set for the broker by its name, or for all of them. */
static void name_source(struct described_config *row, enum config_source source) {
    if (row->source == CONFIG_FROM_CLUSTER_DYNAMIC) row->source = source;
    for (size_t i = 0; i < row->synonym_count; i++)
        if (row->synonyms[i].source == CONFIG_FROM_CLUSTER_DYNAMIC)
            row->synonyms[i].source = source;
}

int32_t admin_describe_broker(const struct options *options, bool cluster, struct arena *arena,
                              struct described_config **rows) {
    int32_t count = (int32_t)options_describe(options, arena, rows);
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        struct described_config *row = *rows + i;
        bool is_dynamic = row->source == CONFIG_FROM_CLUSTER_DYNAMIC;
        if (!cluster) name_source(row, CONFIG_FROM_BROKER_DYNAMIC);
        if (!cluster || is_dynamic) (*rows)[kept++] = *row;
    }
    return kept;
}
