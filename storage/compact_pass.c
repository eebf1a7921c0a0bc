#include "storage/compact_pass.h"

#include <errno.h>

#include "base/check.h"

enum { FREE_BYTES_MIN = 64 << 20 /* left on the disk for what cannot wait */ };

void compact_pass_deinit(struct compact_pass *pass) {
    compact_source_close(&pass->source);
    compact_target_close(&pass->target);
    compact_filter_deinit(&pass->filter);
    compact_map_deinit(&pass->map);
    inflater_free(pass->reader.inflater);
    byte_buffer_deinit(&pass->out);
    free(pass->parts);
}

struct segment_identity compact_part_identity(const struct compact_pass *pass, size_t at) {
    const struct compact_part *part = &pass->parts[at];
    return (struct segment_identity){.cluster_id = pass->cluster_id,
                                     .partition = pass->partition,
                                     .segment = part->name.number,
                                     .base_offset = part->base_offset,
                                     .revision = part->name.revision};
}

/* The next batch of parts [at, end), which are opened and closed: 1, 0 behind the last one, or a
 * negative errno. */
static int parts_next(struct compact_pass *pass, size_t end, struct bytes *batch) {
    for (; pass->at < end; pass->at++) {
        if (!pass->source.file) {
            struct segment_identity identity = compact_part_identity(pass, pass->at);
            int result = compact_source_open(&pass->source, pass->disk, &identity,
                                             pass->parts[pass->at].end);
            if (result < 0) return result;
        }
        int result = compact_source_next(&pass->source, batch);
        if (result == 1) pass->read_bytes += batch->len;
        if (result != 0) return result;
        compact_source_close(&pass->source);
    }
    return 0;
}

/* --- mapping --- */

/* False when the map is full. */
static bool map_batch(struct compact_pass *pass, struct bytes batch) {
    struct batch_header header;
    check(batch_header_read(batch, &header));
    if (batch_last_offset(&header) < pass->first_dirty) return true;
    return compact_map_batch(&pass->map, &pass->reader, batch, pass->first_dirty,
                             &pass->filter.mapped_end);
}

void compact_pass_map(struct compact_pass *pass) {
    uint64_t until = pass->read_bytes + pass->slice_bytes;
    while (!pass->finished && pass->read_bytes < until) {
        struct bytes batch;
        pass->result = parts_next(pass, pass->part_count, &batch);
        if (pass->result < 0) return;
        bool is_end = pass->result == 0;
        pass->finished = is_end || !map_batch(pass, batch);
        if (is_end) pass->filter.mapped_end = pass->end;
    }
}

/* --- groups --- */

bool compact_group_is_last(const struct compact_pass *pass) {
    size_t next = pass->group_first + pass->group_count;
    return next == pass->part_count || pass->parts[next].base_offset >= pass->filter.mapped_end;
}

bool compact_pass_next_group(struct compact_pass *pass, int64_t segment_bytes) {
    size_t first = pass->group_first + pass->group_count;
    if (compact_group_is_last(pass)) return false;
    compact_source_close(&pass->source);
    pass->group_first = pass->at = first;
    pass->group_count = compact_group(&pass->parts[first], pass->part_count - first, segment_bytes);
    pass->dry = pass->group_count == 1;
    pass->finished = false;
    check(!pass->has_file);
    return true;
}

static int target_open(struct compact_pass *pass) {
    struct segment_identity identity = compact_part_identity(pass, pass->group_first);
    identity.revision++;
    uint64_t bytes = FREE_BYTES_MIN;
    for (size_t at = 0; at < pass->group_count; at++)
        bytes += pass->parts[pass->group_first + at].end;
    int64_t free_bytes = disk_free_bytes(pass->disk);
    if (free_bytes >= 0 && (uint64_t)free_bytes < bytes) return -ENOSPC;
    pass->has_file = true;
    return compact_target_open(&pass->target, pass->disk, &identity, pass->index_interval);
}

static int target_put(struct compact_pass *pass, struct bytes batch) {
    int result = pass->has_file ? 0 : target_open(pass);
    if (result == 0) result = compact_target_add(&pass->target, batch);
    pass->written_bytes += batch.len;
    pass->is_write = result < 0;
    return result;
}

/* The first change: from the beginning once more, and now everything is written. */
static void group_again(struct compact_pass *pass) {
    compact_source_close(&pass->source);
    pass->at = pass->group_first;
    pass->dry = false;
}

static int group_batch(struct compact_pass *pass, struct bytes batch) {
    pass->out.len = 0;
    enum compact_verdict verdict = compact_batch(&pass->filter, &pass->reader, batch, &pass->out);
    if (pass->dry) {
        if (verdict != COMPACT_KEEP) group_again(pass);
        return 0;
    }
    if (verdict == COMPACT_DROP) return 0;
    if (verdict == COMPACT_REPLACE) batch = byte_buffer_bytes(&pass->out);
    return target_put(pass, batch);
}

static int group_finish(struct compact_pass *pass) {
    pass->finished = true;
    int result = pass->has_file ? compact_target_finish(&pass->target, pass->durable) : 0;
    pass->is_write = result < 0;
    return result;
}

void compact_pass_rewrite(struct compact_pass *pass) {
    uint64_t until = pass->read_bytes + pass->slice_bytes;
    size_t end = pass->group_first + pass->group_count;
    while (!pass->finished && pass->read_bytes < until) {
        struct bytes batch;
        pass->result = parts_next(pass, end, &batch);
        if (pass->result == 1)
            pass->result = group_batch(pass, batch);
        else if (pass->result == 0)
            pass->result = group_finish(pass);
        if (pass->result < 0) return;
    }
}

void compact_pass_clear(struct compact_pass *pass) {
    if (pass->has_file) compact_target_abandon(&pass->target);
    pass->has_file = false;
}
