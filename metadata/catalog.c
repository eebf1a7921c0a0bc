#include "metadata/catalog.h"

#include "base/check.h"
#include "metadata/catalog_record.h"

enum { TOPIC_NAME_MAX = 249 };

void catalog_init(struct catalog *catalog, const struct options *loaded) {
    *catalog = (struct catalog){.partition_id_next = 1, .loaded = loaded};
    map_init(&catalog->topics_by_name);
    map_init(&catalog->topics_by_id);
    map_init(&catalog->groups_by_name);
    catalog->options = options_copy(loaded);
    catalog_follow_options(catalog);
}

void catalog_follow_options(struct catalog *catalog) {
    topic_config_defaults(catalog->options, &catalog->defaults);
    struct map_node *node = map_first(&catalog->topics_by_name);
    for (; node; node = map_next(&catalog->topics_by_name, node)) {
        struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_name);
        topic_config_resolve(&topic->configs, &catalog->defaults, &topic->effective);
    }
}

void catalog_topic_free(struct catalog_topic *topic) {
    catalog_configs_deinit(&topic->configs);
    free(topic->partitions);
    free(topic->name);
    free(topic);
}

static void group_free(struct catalog_group *group) {
    catalog_configs_deinit(&group->configs);
    free(group->name);
    free(group);
}

void catalog_deinit(struct catalog *catalog) {
    struct map_node *next;
    for (struct map_node *node = map_first(&catalog->topics_by_name); node; node = next) {
        next = map_next(&catalog->topics_by_name, node);
        catalog_topic_free(map_entry(node, struct catalog_topic, by_name));
    }
    map_deinit(&catalog->topics_by_name);
    map_deinit(&catalog->topics_by_id);
    for (struct map_node *node = map_first(&catalog->groups_by_name); node; node = next) {
        next = map_next(&catalog->groups_by_name, node);
        group_free(map_entry(node, struct catalog_group, by_name));
    }
    map_deinit(&catalog->groups_by_name);
    catalog_configs_deinit(&catalog->broker_configs);
    options_free(catalog->options);
    if (catalog->staging) {
        catalog_deinit(catalog->staging);
        free(catalog->staging);
    }
}

/* --- topics --- */

struct catalog_topic *catalog_find_topic(const struct catalog *catalog, struct bytes name) {
    struct map_node *node = map_find(&catalog->topics_by_name, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_name);
        if (bytes_equal_text(name, topic->name)) return topic;
    }
    return NULL;
}

struct catalog_topic *catalog_find_topic_id(const struct catalog *catalog, const struct uuid *id) {
    struct bytes raw = bytes_make(id->raw, sizeof id->raw);
    struct map_node *node = map_find(&catalog->topics_by_id, hash_bytes(raw));
    for (; node; node = map_find_next(node)) {
        struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_id);
        if (uuid_equal(id, &topic->id)) return topic;
    }
    return NULL;
}

static int compare_names(const void *a, const void *b) {
    const struct catalog_topic *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

struct catalog_topic **catalog_topics_sorted(const struct catalog *catalog, size_t *count) {
    *count = catalog->topics_by_name.count;
    struct catalog_topic **topics = memory_zero(*count + 1, sizeof *topics);
    size_t i = 0;
    struct map_node *node = map_first(&catalog->topics_by_name);
    for (; node; node = map_next(&catalog->topics_by_name, node))
        topics[i++] = map_entry(node, struct catalog_topic, by_name);
    qsort(topics, *count, sizeof *topics, compare_names);
    return topics;
}

/* --- names --- */

static bool is_name_byte(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

bool catalog_name_is_valid(struct bytes name, struct error *error) {
    if (name.len == 0)
        return error_set(error, 0, "Topic name is invalid: the empty string is not allowed");
    if (bytes_equal_text(name, ".") || bytes_equal_text(name, ".."))
        return error_set(error, 0, "Topic name is invalid: '.' or '..' is not allowed");
    if (name.len > TOPIC_NAME_MAX)
        return error_set(error, 0,
                         "Topic name is invalid: the length of '%.*s...' is longer than the max "
                         "allowed length %d",
                         20, (const char *)name.at, TOPIC_NAME_MAX);
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.at[i]))
            return error_set(error, 0,
                             "Topic name is invalid: '%.*s' contains one or more characters other "
                             "than ASCII alphanumerics, '.', '_' and '-'",
                             name.len > 80 ? 80 : (int)name.len, (const char *)name.at);
    return true;
}

static uint8_t metric_byte(uint8_t byte) { return byte == '.' ? '_' : byte; }

static bool names_collide(struct bytes a, const char *b) {
    if (strlen(b) != a.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (metric_byte(a.at[i]) != metric_byte((uint8_t)b[i])) return false;
    return true;
}

struct catalog_topic *catalog_find_collision(const struct catalog *catalog, struct bytes name) {
    if (!memchr(name.at, '.', name.len) && !memchr(name.at, '_', name.len)) return NULL;
    struct map_node *node = map_first(&catalog->topics_by_name);
    for (; node; node = map_next(&catalog->topics_by_name, node)) {
        struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_name);
        if (names_collide(name, topic->name)) return topic;
    }
    return NULL;
}

bool catalog_name_is_internal(struct bytes name) {
    static const char *const internal[] = {"__cluster_metadata", "__consumer_offsets",
                                           "__millrace_rejects", "__share_group_state",
                                           "__transaction_state"};
    for (size_t i = 0; i < array_count(internal); i++)
        if (bytes_equal_text(name, internal[i])) return true;
    return false;
}

bool catalog_name_is_ours(const struct catalog *catalog, struct bytes name) {
    return catalog_name_is_internal(name) ||
           (catalog->options->registry_listen.count > 0 && bytes_equal_text(name, "_schemas"));
}

bool catalog_topic_is_ours(const struct catalog *catalog, const struct catalog_topic *topic) {
    return topic->internal ||
           (topic->name[0] == '_' && catalog_name_is_ours(catalog, bytes_of_text(topic->name)));
}

/* --- configs --- */

/* The place of the name, or where it would be. */
static int32_t configs_place(const struct catalog_configs *configs, struct bytes name) {
    int32_t low = 0, high = configs->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (bytes_compare(bytes_of_text(configs->items[middle].name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool configs_has(const struct catalog_configs *configs, int32_t place, struct bytes name) {
    return place < configs->count && bytes_equal_text(name, configs->items[place].name);
}

const char *catalog_configs_find(const struct catalog_configs *configs, struct bytes name) {
    int32_t place = configs_place(configs, name);
    return configs_has(configs, place, name) ? configs->items[place].value : NULL;
}

static void configs_remove(struct catalog_configs *configs, int32_t place) {
    struct catalog_config *item = configs->items + place;
    free(item->name);
    free(item->value);
    configs->count--;
    memmove(item, item + 1, (size_t)(configs->count - place) * sizeof *item);
}

static void configs_insert(struct catalog_configs *configs, int32_t place, const char *name,
                           const char *value) {
    configs->items =
        memory_resize(configs->items, (size_t)(configs->count + 1) * sizeof *configs->items);
    struct catalog_config *item = configs->items + place;
    memmove(item + 1, item, (size_t)(configs->count - place) * sizeof *item);
    *item = (struct catalog_config){memory_copy_text(name), memory_copy_text(value)};
    configs->count++;
}

void catalog_configs_set(struct catalog_configs *configs, const char *name, const char *value) {
    int32_t place = configs_place(configs, bytes_of_text(name));
    bool has = configs_has(configs, place, bytes_of_text(name));
    if (!value) {
        if (has) configs_remove(configs, place);
    } else if (has) {
        char *old = configs->items[place].value;
        configs->items[place].value = memory_copy_text(value);
        free(old);
    } else {
        configs_insert(configs, place, name, value);
    }
}

void catalog_configs_copy(struct catalog_configs *to, const struct catalog_configs *from) {
    *to = (struct catalog_configs){0};
    for (int32_t i = 0; i < from->count; i++)
        configs_insert(to, i, from->items[i].name, from->items[i].value);
}

void catalog_configs_deinit(struct catalog_configs *configs) {
    for (int32_t i = 0; i < configs->count; i++) {
        free(configs->items[i].name);
        free(configs->items[i].value);
    }
    free(configs->items);
    *configs = (struct catalog_configs){0};
}

/* --- groups --- */

static struct catalog_group *find_group(const struct catalog *catalog, struct bytes name) {
    struct map_node *node = map_find(&catalog->groups_by_name, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct catalog_group *group = map_entry(node, struct catalog_group, by_name);
        if (bytes_equal_text(name, group->name)) return group;
    }
    return NULL;
}

const struct catalog_configs *catalog_group_configs(const struct catalog *catalog,
                                                    struct bytes name) {
    const struct catalog_group *group = find_group(catalog, name);
    return group ? &group->configs : NULL;
}

void catalog_set_group_config(struct catalog *catalog, const char *name, const char *config,
                              const char *value) {
    struct catalog_group *group = find_group(catalog, bytes_of_text(name));
    if (!group) {
        group = new_zero(struct catalog_group);
        group->name = memory_copy_text(name);
        map_insert(&catalog->groups_by_name, &group->by_name, hash_bytes(bytes_of_text(name)));
    }
    catalog_configs_set(&group->configs, config, value);
    if (group->configs.count > 0) return;
    map_remove(&catalog->groups_by_name, &group->by_name);
    group_free(group);
}

static int compare_groups(const void *a, const void *b) {
    return strcmp((*(struct catalog_group *const *)a)->name,
                  (*(struct catalog_group *const *)b)->name);
}

struct catalog_group **catalog_groups_sorted(const struct catalog *catalog, size_t *count) {
    const struct map *groups = &catalog->groups_by_name;
    struct catalog_group **sorted = memory_zero(groups->count + 1, sizeof *sorted);
    *count = 0;
    for (struct map_node *node = map_first(groups); node; node = map_next(groups, node))
        sorted[(*count)++] = map_entry(node, struct catalog_group, by_name);
    qsort(sorted, *count, sizeof *sorted, compare_groups);
    return sorted;
}

/* --- image --- */

/* Batches of bounded size, each beginning with its part number. */
struct image {
    struct change_records records;
    struct byte_buffer *out;
    uint32_t parts;
};

static void image_begin_part(struct image *image) {
    change_records_image(&image->records, image->parts++, false);
}

static void image_end_part(struct image *image) {
    change_records_finish(&image->records, image->out);
    change_records_restart(&image->records);
}

/* Between two records. */
static void image_split(struct image *image) {
    if (batch_build_size(&image->records.build) < CATALOG_IMAGE_PART_BYTES) return;
    image_end_part(image);
    image_begin_part(image);
}

static void image_topic(struct image *image, const struct catalog_topic *topic) {
    struct change_records *records = &image->records;
    change_records_topic(records, &topic->id, topic->name, topic->internal);
    for (int32_t i = 0; i < topic->configs.count; i++) {
        const struct catalog_config *config = topic->configs.items + i;
        change_records_topic_config(records, &topic->id, config->name, config->value);
    }
    for (int32_t i = 0; i < topic->partition_count; i++) {
        const struct catalog_partition *partition = topic->partitions + i;
        image_split(image);
        change_records_partition(records, &topic->id, partition->index, partition->id,
                                 partition->shard, partition->leader_epoch);
    }
}

static void image_groups(struct image *image, const struct catalog *catalog) {
    size_t count;
    struct catalog_group **groups = catalog_groups_sorted(catalog, &count);
    for (size_t i = 0; i < count; i++)
        for (int32_t k = 0; k < groups[i]->configs.count; k++) {
            const struct catalog_config *config = groups[i]->configs.items + k;
            image_split(image);
            change_records_group_config(&image->records, groups[i]->name, config->name,
                                        config->value);
        }
    free(groups);
}

void catalog_image(const struct catalog *catalog, int64_t now_ms, struct byte_buffer *out) {
    struct image image = {.out = out};
    struct change_records *records = &image.records;
    change_records_init(records, now_ms);
    image_begin_part(&image);
    change_records_version(records);
    for (int32_t i = 0; i < catalog->broker_configs.count; i++) {
        const struct catalog_config *config = catalog->broker_configs.items + i;
        change_records_broker_config(records, config->name, config->value);
    }
    size_t count;
    struct catalog_topic **topics = catalog_topics_sorted(catalog, &count);
    for (size_t i = 0; i < count; i++) {
        image_split(&image);
        image_topic(&image, topics[i]);
    }
    free(topics);
    image_groups(&image, catalog);
    change_records_partition_ids(records, catalog->partition_id_next);
    change_records_producer_ids(records, catalog->producer_id_next);
    change_records_image(records, image.parts, true);
    image_end_part(&image);
    change_records_deinit(records);
}
