/* Topics that belong to the broker's own coordinators. They come when they are first needed, with
 * the configs that Kafka gives them, and do not count against topics-max. */
#include "metadata/change.h"

void change_create_internal(struct change *change, struct bytes name, int32_t partition_count,
                            const struct config_edit *configs, int32_t config_count,
                            struct change_result *result) {
    struct catalog_configs all = {0};
    struct uuid id;
    *result = (struct change_result){0};
    if (catalog_find_topic(change->catalog, name)) return;
    *result = change_edit_topic_configs(change, name, &all, configs, config_count);
    if (result->code) return;
    uuid_make(&id);
    change_records_topic(change->records, &id, arena_text(change->arena, name),
                         catalog_name_is_internal(name));
    for (int32_t i = 0; i < all.count; i++)
        change_records_topic_config(change->records, &id, all.items[i].name, all.items[i].value);
    change_add_partitions(change, &id, 0, partition_count);
}
