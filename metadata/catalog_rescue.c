#include "metadata/catalog_rescue.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

/* Producer ids of a block that is missing may be in use by producers that have not sent anything
 * yet: more than a broker can have given. */
#define PRODUCER_IDS_SKIPPED (1ll << 32)
/* Producers may write with ids that they were not given; those from here on were not. */
#define PRODUCER_IDS_GIVEN_MAX (INT64_MAX / 2)

enum { LOST_NAME_SIZE = 40 };

void catalog_rescue_init(struct catalog_rescue *rescue, struct catalog *catalog, int64_t now_ms) {
    *rescue =
        (struct catalog_rescue){.catalog = catalog, .given_below = catalog->partition_id_next};
    change_records_init(&rescue->made, now_ms);
}

void catalog_rescue_deinit(struct catalog_rescue *rescue) {
    if (rescue->catalog) change_records_deinit(&rescue->made);
    free(rescue->gaps);
    *rescue = (struct catalog_rescue){0};
}

/* Parts behind it are another image's, or of no use: their numbers may go on by chance. */
static void rescue_gap(struct catalog_rescue *rescue, int64_t from, int64_t upto) {
    rescue->catalog->staging_parts = UINT32_MAX;
    rescue->gaps = memory_resize(rescue->gaps, (rescue->gap_count + 1) * sizeof *rescue->gaps);
    rescue->gaps[rescue->gap_count++] = (struct catalog_gap){from, upto};
}

bool catalog_rescue_batch(struct catalog_rescue *rescue, struct bytes batch, struct error *error) {
    struct batch_header header;
    bool is_image;
    check(batch_header_read(batch, &header) && header.base_offset >= rescue->next_offset);
    if (header.base_offset > rescue->next_offset)
        rescue_gap(rescue, rescue->next_offset, header.base_offset);
    rescue->next_offset = batch_last_offset(&header) + 1;
    if (!catalog_apply_readable(rescue->catalog, batch, &rescue->left_out, &is_image, error))
        return false;
    if (is_image) rescue->gap_count = rescue->left_out = 0;
    bool is_certain = rescue->gap_count == 0 && rescue->left_out == 0;
    if (is_certain) rescue->given_below = rescue->catalog->partition_id_next;
    return true;
}

/* What was added takes effect, as if it had been in the log. */
static void rescue_apply(struct catalog_rescue *rescue) {
    struct byte_buffer batch = {0};
    struct error error;
    change_records_finish(&rescue->made, &batch);
    check(catalog_apply(rescue->catalog, byte_buffer_bytes(&batch), NULL, &error));
    change_records_restart(&rescue->made);
    byte_buffer_deinit(&batch);
}

static void lost_name(const struct catalog *catalog, uint32_t id, char name[LOST_NAME_SIZE]) {
    snprintf(name, LOST_NAME_SIZE, "lost-%u", id);
    for (unsigned more = 2; catalog_find_topic(catalog, bytes_of_text(name)); more++)
        snprintf(name, LOST_NAME_SIZE, "lost-%u-%u", id, more);
}

void catalog_rescue_adopt(struct catalog_rescue *rescue, uint32_t partition_id, uint16_t shard) {
    char name[LOST_NAME_SIZE];
    struct uuid topic;
    lost_name(rescue->catalog, partition_id, name);
    uuid_make(&topic);
    change_records_topic(&rescue->made, &topic, name, false);
    change_records_topic_config(&rescue->made, &topic, "retention.ms", "-1");
    change_records_topic_config(&rescue->made, &topic, "retention.bytes", "-1");
    change_records_partition(&rescue->made, &topic, 0, partition_id, shard, 0);
    rescue_apply(rescue);
}

void catalog_rescue_meet_producer(struct catalog_rescue *rescue, int64_t id) {
    if (id > rescue->producer_id_max && id < PRODUCER_IDS_GIVEN_MAX) rescue->producer_id_max = id;
}

void catalog_rescue_end(struct catalog_rescue *rescue, uint32_t partition_id_max) {
    uint32_t partition_id = rescue->catalog->partition_id_next;
    int64_t producer_id = rescue->catalog->producer_id_next;
    if (partition_id_max >= partition_id && partition_id_max < UINT32_MAX)
        partition_id = partition_id_max + 1;
    if (rescue->producer_id_max >= producer_id) producer_id = rescue->producer_id_max;
    if (producer_id < INT64_MAX - PRODUCER_IDS_SKIPPED) producer_id += PRODUCER_IDS_SKIPPED;
    change_records_partition_ids(&rescue->made, partition_id);
    change_records_producer_ids(&rescue->made, producer_id);
    rescue_apply(rescue);
}
