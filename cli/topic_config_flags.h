/* NAME=VALUE arguments as configs of topics. Values may have units where the name says that it is
 * a time or a size (retention.ms=7d, segment.bytes=64MiB); the broker gets plain numbers. */
#pragma once

#include "cli/cluster.h"

struct config_pair {
    struct bytes name, value;
};
struct config_pairs {
    struct config_pair *items;
    size_t count;
};

bool config_pairs_parse(const struct settings_list *list, struct config_pairs *pairs,
                        struct arena *arena, struct error *error);

/* Whether --set, --unset, --append or --subtract was given. */
bool config_edits_wanted(const struct settings *settings);
/* Sends them for the topic that is named first (IncrementalAlterConfigs). */
bool config_edits_send(const struct settings *settings, struct cluster *cluster,
                       struct arena *arena, struct error *error);
