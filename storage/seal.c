#include "storage/seal.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"

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

static int sealing_write(struct sealing *sealing) {
    struct file *file = sealing->file->write;
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
    sealing->result = sealing_write(sealing);
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
