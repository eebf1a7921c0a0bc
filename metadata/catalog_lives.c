#include "metadata/catalog_lives.h"

#include "base/check.h"
#include "base/memory.h"
#include "storage/layout.h"

enum { CATALOG_SEGMENT_BYTES = 64 << 20, CATALOG_INDEX_BYTES = 4096 };

void partition_rules_of(const struct topic_config *config, struct partition_rules *rules) {
    *rules = (struct partition_rules){
        .retention_ms = config->retention_ms,
        .retention_bytes = config->retention_bytes,
        .segment_bytes = config->segment_bytes,
        .segment_ms = config->segment_ms,
        .index_interval_bytes = config->index_interval_bytes,
        .delete_old = config->cleanup_delete,
        .compacted = config->cleanup_compact,
        .append_time = config->append_time,
        .delete_retention_ms = config->delete_retention_ms,
        .compaction_lag_ms_min = config->compaction_lag_ms_min,
        .compaction_lag_ms_max = config->compaction_lag_ms_max,
        .dirty_ratio_min = config->dirty_ratio_min,
    };
}

void partition_define(const struct catalog_topic *topic, const struct catalog_partition *partition,
                      struct partition_definition *definition) {
    *definition = (struct partition_definition){.id = partition->id,
                                                .shard = partition->shard,
                                                .internal = topic->internal,
                                                .leader_epoch = partition->leader_epoch};
    partition_rules_of(&topic->effective, &definition->rules);
}

/* Nothing of the catalog's log goes but by its own trimming. */
void catalog_log_define(struct partition_definition *definition) {
    *definition = (struct partition_definition){.id = CATALOG_PARTITION_ID,
                                                .shard = CATALOG_SHARD,
                                                .rules = {
                                                    .retention_ms = -1,
                                                    .retention_bytes = -1,
                                                    .segment_bytes = CATALOG_SEGMENT_BYTES,
                                                    .segment_ms = INT64_MAX,
                                                    .index_interval_bytes = CATALOG_INDEX_BYTES,
                                                }};
}

static int compare_lives(const void *a, const void *b) {
    const struct catalog_life *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void lives_add(struct catalog_lives *lives, const struct catalog_topic *topic) {
    for (int32_t at = 0; at < topic->partition_count; at++)
        lives->items[lives->count++] = (struct catalog_life){topic->partitions[at].id, at, topic};
}

void catalog_lives_init(struct catalog_lives *lives, const struct catalog *catalog) {
    const struct map *topics = &catalog->topics_by_name;
    *lives = (struct catalog_lives){.catalog = catalog};
    lives->items = memory_zero(catalog->partition_count, sizeof *lives->items);
    for (struct map_node *node = map_first(topics); node; node = map_next(topics, node))
        lives_add(lives, map_entry(node, struct catalog_topic, by_name));
    check(lives->count == catalog->partition_count);
    qsort(lives->items, lives->count, sizeof *lives->items, compare_lives);
}

void catalog_lives_deinit(struct catalog_lives *lives) {
    free(lives->items);
    *lives = (struct catalog_lives){0};
}

const struct catalog_life *catalog_lives_find(const struct catalog_lives *lives, uint32_t id) {
    const struct catalog_life wanted = {.id = id};
    if (lives->count == 0) return NULL;
    return bsearch(&wanted, lives->items, lives->count, sizeof wanted, compare_lives);
}

enum partition_life catalog_lives_tell(void *context, uint32_t id,
                                       struct partition_definition *definition) {
    const struct catalog_lives *lives = context;
    if (id == CATALOG_PARTITION_ID) {
        catalog_log_define(definition);
        return PARTITION_LIVE;
    }
    if (id >= lives->catalog->partition_id_next) return PARTITION_NOT_GIVEN;
    const struct catalog_life *found = catalog_lives_find(lives, id);
    if (!found) return PARTITION_DEAD;
    partition_define(found->topic, found->topic->partitions + found->index, definition);
    return PARTITION_LIVE;
}
