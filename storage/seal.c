#include "storage/seal.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/segment_walk.h"

struct sealing {
    struct work work;
    struct partition *partition; /* pinned */
    struct segment_file *file;   /* pinned */
    uint32_t segment;
    uint8_t *footer; /* NULL: the index is not whole, there is none */
    uint64_t position;
    size_t size;
    bool durable;
    int result;
};

static int sealing_write(struct sealing *sealing, struct file *file) {
    int result = 0;
    if (sealing->footer)
        result = file_write_at(file, sealing->footer, sealing->size, sealing->position);
    if (result == -ENOSPC || result == -EDQUOT) sealing->size = 0;
    if (result < 0 && sealing->size > 0) return result;
    result = file_truncate(file, sealing->position + sealing->size);
    if (result < 0) return result;
    return sealing->durable ? file_sync(file) : 0;
}

static void sealing_run(struct work *work) {
    struct sealing *sealing = container_of(work, struct sealing, work);
    sealing->result = sealing_write(sealing, sealing->file->write);
}

/* Indexes of all but the newest sealed segments are read from their footers when asked for. */
static void seal_drop_indexes(struct partition *partition) {
    size_t kept = 0;
    for (size_t at = partition->segment_count; at-- > 0;) {
        struct segment *segment = &partition->segments[at];
        if (!segment->sealed || !segment->index || ++kept <= SEGMENTS_WITH_INDEX_MAX) continue;
        index_deinit(segment->index);
        free(segment->index);
        segment->index = NULL;
        segment->index_whole = false;
    }
}

static void sealing_done(struct work *work) {
    struct sealing *sealing = container_of(work, struct sealing, work);
    struct partition *partition = sealing->partition;
    struct segment_file *file = sealing->file;
    if (sealing->result < 0) fail_stop("sealing a file in", LAYOUT_SEGMENTS, -sealing->result);
    partition->store->flows--;
    file->allocated = sealing->position + sealing->size;
    if (sealing->durable) file->unsynced = false;
    struct segment *segment =
        partition->dead ? NULL : partition_segment(partition, sealing->segment);
    if (segment && segment->file != file) segment = NULL; /* compaction has put another there */
    if (segment) {
        segment->sealed = true;
        if (sealing->footer && segment->index) index_thin_to(segment->index, INDEX_INTERVAL_KEPT);
        partition->shard->unsnapshotted = true;
        seal_drop_indexes(partition);
    }
    segment_file_release(file);
    if (segment) segment_file_close_write(file);
    free(sealing->footer);
    free(sealing);
    partition_unpin(partition);
}

void seal_start(struct partition *partition, struct segment *segment) {
    struct store *store = partition->store;
    check(partition->settled.segment > segment->number);
    if (segment->sealed || !segment->file || !segment->file->write) return;
    struct sealing *sealing = new_zero(struct sealing);
    *sealing = (struct sealing){.work = {.run = sealing_run, .done = sealing_done},
                                .partition = partition,
                                .file = segment->file,
                                .segment = segment->number,
                                .position = round_up(segment->end, DISK_BLOCK),
                                .durable = store->options.durable};
    if (segment->index && segment->index_whole)
        sealing->footer = segment_footer(segment, &sealing->position, &sealing->size);
    segment_file_pin(sealing->file);
    partition_pin(partition);
    store->flows++;
    ring_work(store->ring, &sealing->work);
}

/* --- after a start --- */

struct resealing {
    struct sealing sealing; /* without a file of the segment's: it has its own */
    struct disk *disk;
    struct segment_identity identity;
    struct segment segment; /* a copy, with an index of its own */
    struct index index;
    bool whole;
};

/* Walks it and makes its footer; what cannot be read is left as it is. */
static bool resealing_read(struct resealing *resealing) {
    struct sealing *sealing = &resealing->sealing;
    struct file *file = NULL;
    if (segment_open_read(resealing->disk, &resealing->identity, &file) < 0) return false;
    resealing->index.interval = resealing->segment.index_interval;
    bool whole = segment_walk(file, &resealing->segment, resealing->segment.end, &resealing->index);
    file_close(file);
    if (whole)
        sealing->footer = segment_footer(&resealing->segment, &sealing->position, &sealing->size);
    return whole;
}

static void resealing_run(struct work *work) {
    struct resealing *resealing = container_of(work, struct resealing, sealing.work);
    const struct segment_identity *identity = &resealing->identity;
    char path[LAYOUT_PATH_SIZE];
    struct file *file = NULL;
    if (!resealing_read(resealing)) return;
    layout_segment(path, identity->partition, identity->segment, identity->revision);
    if (file_open(resealing->disk, path, FILE_READ | FILE_WRITE | FILE_DIRECT, &file) < 0) return;
    resealing->sealing.result = sealing_write(&resealing->sealing, file);
    resealing->whole = true;
    file_close(file);
}

/* The same file by a handle of the owner's, if it has one. */
static void resealing_settle_file(const struct sealing *sealing, struct segment_file *file) {
    if (!file || !file->write) return;
    file->allocated = sealing->position + sealing->size;
    if (sealing->durable) file->unsynced = false;
    segment_file_close_write(file);
}

static void resealing_done(struct work *work) {
    struct resealing *resealing = container_of(work, struct resealing, sealing.work);
    struct sealing *sealing = &resealing->sealing;
    struct partition *partition = sealing->partition;
    struct store *store = partition->store;
    if (sealing->result < 0) fail_stop("sealing a file in", LAYOUT_SEGMENTS, -sealing->result);
    store->flows--;
    store->sealing = false;
    struct segment *segment =
        partition->dead ? NULL : partition_same_segment(partition, &resealing->identity);
    if (segment && resealing->whole) {
        segment->sealed = true;
        partition->shard->unsnapshotted = true;
        resealing_settle_file(sealing, segment->file);
        seal_drop_indexes(partition);
    }
    index_deinit(&resealing->index);
    free(sealing->footer);
    free(resealing);
    partition_unpin(partition);
}

static void resealing_start(struct partition *partition, const struct segment *segment) {
    struct store *store = partition->store;
    struct resealing *resealing = new_zero(struct resealing);
    *resealing =
        (struct resealing){.sealing = {.work = {.run = resealing_run, .done = resealing_done},
                                       .partition = partition,
                                       .segment = segment->number,
                                       .durable = store->options.durable},
                           .disk = store->directory->disk,
                           .identity = partition_identity(partition, store->directory, segment),
                           .segment = *segment};
    resealing->segment.index = &resealing->index;
    store->sealing = true;
    store->flows++;
    partition_pin(partition);
    ring_work(store->ring, &resealing->sealing.work);
}

/* The next of this partition's; NULL when there is none. */
static const struct segment *unsealed_next(struct partition *partition) {
    struct unsealed *unsealed = &partition->unsealed;
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (segment->number >= unsealed->upto) return NULL;
        if (segment->sealed || segment->number < unsealed->next) continue;
        unsealed->next = segment->number + 1;
        return segment;
    }
    return NULL;
}

void seal_adopt(struct partition *partition) {
    struct unsealed *unsealed = &partition->unsealed;
    if (partition->offline) return;
    *unsealed = (struct unsealed){.upto = partition->settled.segment};
    list_init(&unsealed->in_store);
    const struct segment *first = unsealed_next(partition);
    if (!first) return;
    unsealed->next = first->number;
    list_append(&partition->store->unsealed, &unsealed->in_store);
}

void seal_round(struct store *store) {
    while (!store->sealing && !store->stopping && !list_is_empty(&store->unsealed)) {
        struct list *link = list_first(&store->unsealed);
        struct partition *partition = list_entry(link, struct partition, unsealed.in_store);
        const struct segment *segment = unsealed_next(partition);
        if (segment)
            resealing_start(partition, segment);
        else
            list_remove(link);
    }
}
