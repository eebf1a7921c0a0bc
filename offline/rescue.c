/* The catalog is damaged: what can be read of it is applied, and partitions that have records, or
 * files, and no topic in it get one. Only what is certainly deleted is dropped: a partition whose
 * id was given before the first thing that is missing, and that has no topic.
 *
 * Files of which no snapshot and no journal knows belong to partitions that are taken for damaged
 * like those of a lost snapshot: a repair makes their table from them. Without that a start would
 * write over them. */
#include "base/clock.h"
#include "base/memory.h"
#include "offline/image.h"
#include "storage/layout.h"
#include "storage/salvage.h"

/* More partitions than can have been made, one after the other; a file's name may say anything. */
enum { PARTITION_IDS_GIVEN_MAX = 1 << 28 };

struct met {
    uint32_t id;
    uint16_t shard;
    bool has_shard;   /* a snapshot or a journal has said so … */
    bool has_records; /* … or it has files */
};

struct meeting {
    struct image *image;
    struct met *items;
    size_t count, capacity;
};

static void meet(struct meeting *meeting, struct met met) {
    if (met.id == CATALOG_PARTITION_ID || met.id >= PARTITION_IDS_GIVEN_MAX) return;
    if (meeting->count == meeting->capacity) {
        meeting->capacity = meeting->capacity * 2 + 64;
        meeting->items = memory_resize(meeting->items, meeting->capacity * sizeof *meeting->items);
    }
    meeting->items[meeting->count++] = met;
}

/* --- who there is --- */

static void meet_partition(void *context, struct partition *partition) {
    struct meeting *meeting = context;
    meet(meeting, (struct met){.id = partition->definition.id,
                               .shard = (uint16_t)partition->shard->id,
                               .has_shard = true,
                               .has_records = partition->next_offset > partition->log_start});
    list_each(node, &partition->producers.by_age) catalog_rescue_meet_producer(
        &meeting->image->rescue, list_entry(node, struct producer, by_age)->id);
}

/* Also one whose header cannot be read: without a topic the next start would remove it. */
static int meet_file(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct meeting *meeting = context;
    struct image *image = meeting->image;
    uint32_t id, number, revision;
    struct segment_identity identity;
    if (!layout_segment_parse(name, &id, &number, &revision)) return 0;
    int result = segment_identify(image->disk, id, number, revision, &identity);
    bool anothers =
        result == 0 && (identity.partition != id ||
                        !uuid_equal(&identity.cluster_id, &image->directory.cluster_id));
    if (!anothers) meet(meeting, (struct met){.id = id, .has_records = true});
    return 0;
}

static int compare_met(const void *a, const void *b) {
    const struct met *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

/* One of each id, by id. */
static void meeting_order(struct meeting *meeting) {
    size_t kept = 0;
    if (meeting->count > 0)
        qsort(meeting->items, meeting->count, sizeof *meeting->items, compare_met);
    for (size_t at = 0; at < meeting->count; at++) {
        const struct met *met = &meeting->items[at];
        struct met *last = kept > 0 ? &meeting->items[kept - 1] : NULL;
        if (!last || last->id != met->id) {
            meeting->items[kept++] = *met;
            continue;
        }
        if (met->has_shard) last->shard = met->shard;
        last->has_shard |= met->has_shard;
        last->has_records |= met->has_records;
    }
    meeting->count = kept;
}

/* --- who has no topic --- */

/* Where a shard's snapshot is lost, its partitions are known by their files alone. */
static uint16_t shard_of_unknown(const struct image *image) {
    for (uint32_t id = 0; id < image->directory.shard_count; id++)
        if (image->recovered->traces[id].lost) return (uint16_t)id;
    return CATALOG_SHARD;
}

static void rescue_lost(struct image *image, const struct met *met) {
    uint16_t shard = met->has_shard ? met->shard : shard_of_unknown(image);
    catalog_rescue_adopt(&image->rescue, met->id, shard);
    image->lost = memory_resize(image->lost, (image->lost_count + 1) * sizeof *image->lost);
    image->lost[image->lost_count++] = met->id;
}

static void rescue_met(struct image *image, const struct meeting *meeting) {
    struct catalog_lives lives;
    catalog_lives_init(&lives, &image->catalog);
    bool *has_topic = memory_zero(meeting->count + 1, sizeof *has_topic);
    for (size_t at = 0; at < meeting->count; at++)
        has_topic[at] = catalog_lives_find(&lives, meeting->items[at].id) != NULL;
    catalog_lives_deinit(&lives);
    for (size_t at = 0; at < meeting->count; at++) {
        const struct met *met = &meeting->items[at];
        if (!has_topic[at] && met->has_records && met->id >= image->rescue.given_below)
            rescue_lost(image, met);
    }
    free(has_topic);
}

/* Those with files and nothing else, as far as they live. */
static void rescue_files(struct image *image, const struct meeting *meeting) {
    for (size_t at = 0; at < meeting->count; at++) {
        const struct met *met = &meeting->items[at];
        struct partition_definition definition;
        if (met->has_shard ||
            catalog_lives_tell(&image->lives, met->id, &definition) != PARTITION_LIVE)
            continue;
        struct partition *partition = recovered_add(image->recovered, &definition);
        recovered_take_offline(image->recovered, partition, DAMAGE_SNAPSHOT);
    }
}

/* --- the catalog --- */

static bool rescue_batches(struct image *image, const struct salvage *salvage,
                           struct error *error) {
    for (size_t at = 0; at < salvage->count; at++)
        if (!catalog_rescue_batch(&image->rescue, salvage->batches[at].bytes, error)) return false;
    return true;
}

static void rescue_begin(struct image *image) {
    catalog_lives_deinit(&image->lives);
    catalog_deinit(&image->catalog);
    catalog_init(&image->catalog, image->options);
    catalog_rescue_init(&image->rescue, &image->catalog, clock_wall_ms());
    image->recovered->damaged = true; /* nothing is removed that is not certainly deleted */
}

bool image_rescue(struct image *image, struct error *error) {
    struct meeting meeting = {.image = image};
    struct salvage salvage;
    rescue_begin(image);
    salvage_catalog(image->recovered, &salvage);
    bool fine = rescue_batches(image, &salvage, error);
    uint32_t id_max = salvage.partition_id_max;
    salvage_deinit(&salvage);
    if (!fine) return false;
    image_each(image, meet_partition, &meeting);
    int result = disk_list(image->disk, LAYOUT_SEGMENTS, meet_file, &meeting);
    if (result < 0) {
        free(meeting.items);
        return error_set(error, -result, "cannot list %s/" LAYOUT_SEGMENTS ": %s",
                         disk_root(image->disk), strerror(-result));
    }
    meeting_order(&meeting);
    if (meeting.count > 0 && meeting.items[meeting.count - 1].id > id_max)
        id_max = meeting.items[meeting.count - 1].id;
    rescue_met(image, &meeting);
    catalog_rescue_end(&image->rescue, id_max);
    catalog_lives_init(&image->lives, &image->catalog);
    rescue_files(image, &meeting);
    free(meeting.items);
    return recover_partitions(image->recovered, catalog_lives_tell, &image->lives, error);
}
