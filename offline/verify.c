#include "offline/verify.h"

#include <errno.h>

#include "base/memory.h"
#include "offline/verify_segment.h"
#include "storage/layout.h"
#include "storage/snapshot.h"
#include "storage/superblock.h"

static const char *const advice_offline =
    "`millrace log repair` ends that, with the records that can be read";
static const char *const advice_none = "nothing is to be done";

/* --- the superblock --- */

static bool is_zero(const uint8_t *at, size_t len) {
    for (size_t each = 0; each < len; each++)
        if (at[each]) return false;
    return true;
}

/* One slot that is torn is what a crash leaves; the next start writes it. */
static void verify_superblock(struct image *image, struct findings *findings) {
    uint8_t *both = NULL;
    size_t len = 0;
    if (disk_read_file(image->real, LAYOUT_SUPERBLOCK, SUPERBLOCK_BYTES, &both, &len) < 0) return;
    for (size_t slot = 0; (slot + 1) * DISK_BLOCK <= len; slot++) {
        struct data_directory read = {0};
        uint32_t version;
        const uint8_t *at = both + slot * DISK_BLOCK;
        if (superblock_decode(at, &read, &version) != SUPERBLOCK_BROKEN || is_zero(at, DISK_BLOCK))
            continue;
        finding_add(findings, FINDING_NOTE, LAYOUT_SUPERBLOCK, (int64_t)(slot * DISK_BLOCK),
                    advice_none,
                    "one of its two slots does not match its checksum, as after a crash; the other "
                    "one rules");
    }
    free(both);
}

/* --- snapshots --- */

/* One of the catalog's two may be damaged: the next checkpoint writes both. */
static void verify_catalog_snapshots(struct image *image, struct findings *findings) {
    char paths[2][LAYOUT_PATH_SIZE];
    layout_snapshot(paths[0], CATALOG_SHARD);
    layout_snapshot_copy(paths[1]);
    for (size_t at = 0; at < array_count(paths); at++) {
        uint8_t *bytes;
        size_t len;
        int result = blobs_read_whole(image->directory.blobs, paths[at], &bytes, &len);
        if (result == 0 && !snapshot_is_intact(bytes_make(bytes, len)))
            finding_add(findings, FINDING_NOTE, paths[at], 8, advice_none,
                        "it does not match its checksum; the other one of the two rules");
        free(bytes);
    }
}

/* … or neither can be read: the first one is told like those of other shards. */
static void verify_lost_copy(struct image *image, struct findings *findings) {
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot_copy(path);
    if (blobs_size(image->directory.blobs, path) >= 0)
        finding_add(findings, FINDING_DAMAGE, path, 8, advice_offline,
                    "it does not match its checksum, or is malformed");
}

static void verify_snapshots(struct image *image, struct findings *findings) {
    if (image->recovered->traces[CATALOG_SHARD].lost)
        verify_lost_copy(image, findings);
    else
        verify_catalog_snapshots(image, findings);
    for (uint32_t id = 0; id < image->directory.shard_count; id++) {
        const struct shard_trace *trace = &image->recovered->traces[id];
        char path[LAYOUT_PATH_SIZE];
        if (!trace->lost) continue;
        layout_snapshot(path, id);
        finding_add(findings, FINDING_DAMAGE, path, trace->is_absent ? -1 : 8, advice_offline,
                    trace->is_absent ? "it is gone, although the journal builds on it"
                                     : "it does not match its checksum, or is malformed");
    }
}

/* --- partitions --- */

void verify_partition(struct image *image, struct partition *partition, struct findings *findings) {
    struct error error;
    char name[IMAGE_NAME_SIZE];
    image_name(image, partition->definition.id, name);
    if (partition->offline)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_offline, "%s is offline: %s", name,
                    damage_text(partition->offline));
    bool is_settled = image_settle(image, partition, &error);
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        struct segment_check check = {
            .disk = image->disk,
            .identity = partition_identity(partition, &image->directory, segment),
            .segment = segment,
            .name = name,
            .gaps_allowed = image_is_compacted(image, partition) || segment->revision > 0,
            .is_settled = is_settled || segment->number < partition->settled.segment,
            .settled = partition_settled_in(partition, segment),
            .partition = partition};
        segment_verify(&check, findings);
    }
}

struct verify {
    struct image *image;
    struct findings *findings;
};

static void verify_each(void *context, struct partition *partition) {
    struct verify *verify = context;
    verify_partition(verify->image, partition, verify->findings);
}

/* --- all of it --- */

void verify_image(struct image *image, struct findings *findings) {
    verify_superblock(image, findings);
    if (image->recovered) {
        verify_journals(image, findings);
        verify_snapshots(image, findings);
    }
    if (!image->is_complete) verify_refusal(image, findings);
    struct verify verify = {image, findings};
    image_each(image, verify_each, &verify);
    verify_names(image, findings);
}
