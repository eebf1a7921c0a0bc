/* How the catalog changes: one function per kind of record, led by a table. Records of an image go
 * into a catalog beside the real one, which takes its place when the image has ended. */
#include <errno.h>

#include "base/check.h"
#include "base/say.h"
#include "metadata/catalog.h"
#include "metadata/catalog_record.h"
#include "proto/metadata.pb-c.h"

/* One batch on its way into a catalog. */
struct apply {
    struct catalog *catalog;
    const struct catalog_observer *observer; /* never NULL */
    const Metadata__CatalogRecord *record;
    bool is_readable; /* batches are missing: what does not fit is left out */
    struct error *error;
};

#define OBSERVE(apply, callback, ...)                                                           \
    do {                                                                                        \
        if ((apply)->observer->callback)                                                        \
            (apply)->observer->callback((apply)->observer->context __VA_OPT__(, ) __VA_ARGS__); \
    } while (0)

static bool misfit(struct apply *apply, const char *what) {
    return error_set(apply->error, EBADMSG, "the catalog's log contradicts itself: %s", what);
}

static struct catalog_topic *topic_of(struct apply *apply, ProtobufCBinaryData raw) {
    struct uuid id;
    if (!catalog_record_id(bytes_make(raw.data, raw.len), &id)) return NULL;
    return catalog_find_topic_id(apply->catalog, &id);
}

static void resolve(struct catalog *catalog, struct catalog_topic *topic) {
    topic_config_resolve(&topic->configs, &catalog->defaults, &topic->effective);
}

/* --- topics --- */

static void remove_topic(struct apply *apply, struct catalog_topic *topic) {
    struct catalog *catalog = apply->catalog;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        OBSERVE(apply, partition_deleted, topic, topic->partitions + i);
        catalog->shard_partitions[topic->partitions[i].shard]--;
    }
    catalog->partition_count -= (uint32_t)topic->partition_count;
    map_remove(&catalog->topics_by_name, &topic->by_name);
    map_remove(&catalog->topics_by_id, &topic->by_id);
    catalog_topic_free(topic);
}

static bool apply_topic(struct apply *apply) {
    const Metadata__TopicRecord *record = apply->record->topic;
    struct catalog *catalog = apply->catalog;
    struct uuid id;
    struct bytes name = bytes_of_text(record->name);
    if (!catalog_record_id(bytes_make(record->id.data, record->id.len), &id))
        return misfit(apply, "a topic without an id");
    struct catalog_topic *namesake = catalog_find_topic(catalog, name);
    if (catalog_find_topic_id(catalog, &id) || (namesake && !apply->is_readable))
        return misfit(apply, "a topic is created twice");
    if (namesake) remove_topic(apply, namesake); /* that it was is what cannot be read */
    struct catalog_topic *topic = new_zero(struct catalog_topic);
    topic->id = id;
    topic->name = memory_copy_text(record->name);
    topic->internal = record->internal;
    map_insert(&catalog->topics_by_name, &topic->by_name, hash_bytes(name));
    map_insert(&catalog->topics_by_id, &topic->by_id,
               hash_bytes(bytes_make(id.raw, sizeof id.raw)));
    resolve(catalog, topic);
    return true;
}

/* Room for one more; the array grows in powers of two. */
static struct catalog_partition *partition_add(struct catalog_topic *topic) {
    size_t count = (size_t)topic->partition_count;
    if ((count & (count - 1)) == 0)
        topic->partitions =
            memory_resize(topic->partitions, (count ? count * 2 : 1) * sizeof *topic->partitions);
    topic->partition_count++;
    return topic->partitions + count;
}

static bool apply_partition(struct apply *apply) {
    const Metadata__PartitionRecord *record = apply->record->partition;
    struct catalog *catalog = apply->catalog;
    struct catalog_topic *topic = topic_of(apply, record->topic_id);
    if (!topic) return misfit(apply, "a partition of a topic that is not there");
    if (record->index != topic->partition_count) return misfit(apply, "a gap between partitions");
    if (record->shard >= SHARD_COUNT_MAX) return misfit(apply, "a shard that cannot be");
    struct catalog_partition *partition = partition_add(topic);
    *partition = (struct catalog_partition){.id = record->partition_id,
                                            .shard = (uint16_t)record->shard,
                                            .index = record->index,
                                            .leader_epoch = record->leader_epoch};
    if (partition->id >= catalog->partition_id_next) catalog->partition_id_next = partition->id + 1;
    catalog->partition_count++;
    catalog->shard_partitions[partition->shard]++;
    OBSERVE(apply, partition_created, topic, partition);
    return true;
}

static bool apply_remove_topic(struct apply *apply) {
    struct catalog_topic *topic = topic_of(apply, apply->record->remove_topic->topic_id);
    if (!topic) return misfit(apply, "the removal of a topic that is not there");
    remove_topic(apply, topic);
    return true;
}

/* --- configs --- */

static bool apply_topic_config(struct apply *apply) {
    const Metadata__TopicConfigRecord *record = apply->record->topic_config;
    struct catalog_topic *topic = topic_of(apply, record->topic_id);
    if (!topic) return misfit(apply, "a config of a topic that is not there");
    catalog_configs_set(&topic->configs, record->name, record->remove ? NULL : record->value);
    resolve(apply->catalog, topic);
    if (contract_config_names(record->name)) apply->catalog->contracts++;
    OBSERVE(apply, topic_configured, topic);
    return true;
}

static bool apply_group_config(struct apply *apply) {
    const Metadata__GroupConfigRecord *record = apply->record->group_config;
    catalog_set_group_config(apply->catalog, record->group, record->name,
                             record->remove ? NULL : record->value);
    return true;
}

/* A value that today's bounds refuse stays recorded and has no effect: not a reason not to start.
 */
static bool apply_broker_config(struct apply *apply) {
    const Metadata__BrokerConfigRecord *record = apply->record->broker_config;
    struct catalog *catalog = apply->catalog;
    const char *value = record->remove ? NULL : record->value;
    struct error error;
    catalog_configs_set(&catalog->broker_configs, record->name, value);
    if (!options_set_dynamic(catalog->options, catalog->loaded, record->name, value, &error))
        say_warning("the broker config %s has no effect: %s", record->name, error.text);
    catalog_follow_options(catalog);
    struct map_node *node = map_first(&catalog->topics_by_name);
    for (; node; node = map_next(&catalog->topics_by_name, node))
        OBSERVE(apply, topic_configured, map_entry(node, struct catalog_topic, by_name));
    OBSERVE(apply, broker_configured);
    return true;
}

/* --- numbers, versions --- */

static bool apply_producer_ids(struct apply *apply) {
    int64_t next = apply->record->producer_ids->next;
    if (next < apply->catalog->producer_id_next) return misfit(apply, "producer ids go back");
    apply->catalog->producer_id_next = next;
    return true;
}

static bool apply_partition_ids(struct apply *apply) {
    uint32_t next = apply->record->partition_ids->next;
    if (next < apply->catalog->partition_id_next) return misfit(apply, "partition ids go back");
    apply->catalog->partition_id_next = next;
    return true;
}

/* catalog_record_decode() has compared it. */
static bool apply_version(struct apply *apply) {
    (void)apply;
    return true;
}

/* --- images --- */

static void staging_drop(struct catalog *catalog) {
    if (!catalog->staging) return;
    catalog_deinit(catalog->staging);
    free(catalog->staging);
    catalog->staging = NULL;
}

static void staging_begin(struct catalog *catalog) {
    staging_drop(catalog);
    catalog->staging = new_zero(struct catalog);
    catalog_init(catalog->staging, catalog->loaded);
    catalog->staging_parts = 0;
}

/* The image takes the catalog's place; its options stay where they are, for those who read them. */
static void staging_take(struct catalog *catalog) {
    struct catalog *fresh = catalog->staging, old = *catalog;
    catalog->staging = NULL;
    old.staging = NULL;
    fresh->version = old.version;
    fresh->contracts = old.contracts + 1;
    *catalog = *fresh;
    catalog->options = old.options;
    old.options = fresh->options;
    free(fresh);
    for (int32_t i = 0; i < old.broker_configs.count; i++)
        options_set_dynamic(catalog->options, catalog->loaded, old.broker_configs.items[i].name,
                            NULL, &(struct error){0});
    for (int32_t i = 0; i < catalog->broker_configs.count; i++)
        options_set_dynamic(catalog->options, catalog->loaded,
                            catalog->broker_configs.items[i].name,
                            catalog->broker_configs.items[i].value, &(struct error){0});
    catalog_follow_options(catalog);
    catalog_deinit(&old);
}

/* The end of an image; its parts were told apart by apply_first(). */
static bool apply_image(struct apply *apply) {
    (void)apply;
    return true;
}

/* What the first record of a batch says: the catalog that the batch goes into, NULL on error. Parts
 * of an image whose beginning is missing go into the catalog that is there, as far as they fit. */
static struct catalog *catalog_of_batch(struct apply *apply, struct catalog *catalog) {
    const Metadata__CatalogRecord *first = apply->record;
    if (first->kind_case != METADATA__CATALOG_RECORD__KIND_IMAGE) {
        staging_drop(catalog);
        return catalog;
    }
    if (first->image->part == 0) staging_begin(catalog);
    if (catalog->staging && first->image->part == catalog->staging_parts++) return catalog->staging;
    staging_drop(catalog);
    if (apply->is_readable) return catalog;
    error_set(apply->error, EBADMSG, "the catalog's log has part %u of an image out of order",
              first->image->part);
    return NULL;
}

/* --- a batch --- */

static bool apply_record(struct apply *apply) {
    static bool (*const functions[])(struct apply *) = {
        [METADATA__CATALOG_RECORD__KIND_VERSION] = apply_version,
        [METADATA__CATALOG_RECORD__KIND_IMAGE] = apply_image,
        [METADATA__CATALOG_RECORD__KIND_TOPIC] = apply_topic,
        [METADATA__CATALOG_RECORD__KIND_PARTITION] = apply_partition,
        [METADATA__CATALOG_RECORD__KIND_REMOVE_TOPIC] = apply_remove_topic,
        [METADATA__CATALOG_RECORD__KIND_TOPIC_CONFIG] = apply_topic_config,
        [METADATA__CATALOG_RECORD__KIND_BROKER_CONFIG] = apply_broker_config,
        [METADATA__CATALOG_RECORD__KIND_PRODUCER_IDS] = apply_producer_ids,
        [METADATA__CATALOG_RECORD__KIND_PARTITION_IDS] = apply_partition_ids,
        [METADATA__CATALOG_RECORD__KIND_GROUP_CONFIG] = apply_group_config,
    };
    size_t kind = (size_t)apply->record->kind_case;
    check(kind < array_count(functions) && functions[kind]);
    return functions[kind](apply);
}

/* One record, the `n`th of its batch; `end` tells whether it ended an image. */
static bool apply_value(struct apply *apply, struct catalog *catalog, int32_t n, struct bytes value,
                        bool *end) {
    struct Metadata__CatalogRecord *record = catalog_record_decode(value, apply->error);
    if (!record) return false;
    apply->record = record;
    if (n == 0) apply->catalog = catalog_of_batch(apply, catalog);
    bool good = apply->catalog && apply_record(apply);
    *end = record->kind_case == METADATA__CATALOG_RECORD__KIND_IMAGE && record->image->end;
    catalog_record_free(record);
    return good;
}

/* `left_out` counts the records that do not fit; NULL: there must be none. */
static bool apply_batch(struct apply *apply, struct catalog *catalog, struct bytes batch,
                        uint64_t *left_out, bool *is_image) {
    struct batch_header header;
    struct record record;
    bool end = false;
    if (!batch_header_read(batch, &header) || batch_size(&header) != batch.len)
        return error_set(apply->error, EBADMSG, "a batch of the catalog's log is damaged");
    struct bytes rest = batch_records(batch);
    for (int32_t i = 0; i < header.record_count; i++) {
        if (record_next(&rest, &record) != RECORD_READ)
            return error_set(apply->error, EBADMSG, "a batch of the catalog's log is damaged");
        if (apply_value(apply, catalog, i, record.value, &end)) continue;
        if (!left_out || apply->error->code != EBADMSG) return false;
        ++*left_out;
    }
    *is_image = end && catalog->staging;
    if (*is_image) staging_take(catalog);
    catalog->version++;
    return true;
}

bool catalog_apply(struct catalog *catalog, struct bytes batch,
                   const struct catalog_observer *observer, struct error *error) {
    static const struct catalog_observer nobody;
    struct apply apply = {.observer = observer ? observer : &nobody, .error = error};
    bool is_image;
    return apply_batch(&apply, catalog, batch, NULL, &is_image);
}

bool catalog_apply_readable(struct catalog *catalog, struct bytes batch, uint64_t *left_out,
                            bool *is_image, struct error *error) {
    static const struct catalog_observer nobody;
    struct apply apply = {
        .catalog = catalog, .observer = &nobody, .is_readable = true, .error = error};
    return apply_batch(&apply, catalog, batch, left_out, is_image);
}
