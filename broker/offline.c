#include "broker/offline.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/say.h"
#include "broker/core.h"
#include "broker/server.h"

enum { SAID_MAX = 20 };

struct finding {
    uint32_t id;
    int32_t leader_epoch;
    enum damage damage;
};

struct findings {
    struct finding *items; /* by id */
    size_t count, capacity;
    uint64_t said;
};

static void collect(void *context, const struct partition_definition *definition,
                    enum damage damage) {
    struct findings *findings = context;
    if (findings->count == findings->capacity) {
        findings->capacity = findings->capacity * 2 + 16;
        findings->items =
            memory_resize(findings->items, findings->capacity * sizeof *findings->items);
    }
    findings->items[findings->count++] =
        (struct finding){definition->id, definition->leader_epoch, damage};
}

static int compare_ids(const void *a, const void *b) {
    const struct finding *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void say_offline(struct findings *findings, const struct catalog_topic *topic,
                        const struct catalog_partition *partition, enum damage damage) {
    if (findings->said++ < SAID_MAX)
        say_error("%s-%d is offline: %s (partition %u)", topic->name, partition->index,
                  damage_text(damage), partition->id);
}

static void apply_to_topic(struct findings *findings, bool says, struct catalog_topic *topic) {
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct catalog_partition *partition = &topic->partitions[i];
        const struct finding wanted = {.id = partition->id};
        const struct finding *found =
            bsearch(&wanted, findings->items, findings->count, sizeof wanted, compare_ids);
        if (!found) continue;
        partition->offline = found->damage != DAMAGE_NONE;
        partition->leader_epoch = found->leader_epoch;
        if (says && partition->offline) say_offline(findings, topic, partition, found->damage);
    }
}

void offline_apply(struct server *server) {
    struct findings findings = {0};
    recover_each_changed(server->recovered, collect, &findings);
    if (findings.count > 0)
        qsort(findings.items, findings.count, sizeof *findings.items, compare_ids);
    for (unsigned core = 0; findings.count > 0 && core < server->core_count; core++) {
        const struct map *topics = &server->cores[core].catalog.topics_by_name;
        for (struct map_node *node = map_first(topics); node; node = map_next(topics, node))
            apply_to_topic(&findings, core == 0, map_entry(node, struct catalog_topic, by_name));
    }
    if (findings.said > SAID_MAX)
        say_error("and %llu more partitions are offline",
                  (unsigned long long)(findings.said - SAID_MAX));
    free(findings.items);
}
