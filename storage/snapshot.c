#include "storage/snapshot.h"

#include <errno.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/mutant.h"
#include "storage/layout.h"

static const char magic[8] = {'M', 'R', 'S', 'N', 'A', 'P', 'S', 'H'};
enum {
    VERSION_BARE = 1, /* without journal mark, offline, epochs, revisions, compacted offset */
    VERSION_HERE = 2, /* without places */
    VERSION = 3,
    CRC_AT = 8,
    COVERED_FROM = 12,
    REMAINDER_MAX = 1 << 20,
    SEGMENT_BYTES_MIN = 4 + 6 * 8 + 1, /* of the oldest version */
};

/* --- encode --- */

static size_t remainder_length(const struct partition *partition) {
    return partition->durable.position - partition->settled.position;
}

bool snapshot_is_possible(const struct shard *shard) {
    list_each(node, &shard->partitions) {
        const struct partition *partition = list_entry(node, struct partition, in_shard);
        if (partition->segment_count == 0) continue;
        if (partition->settled.segment != partition->durable.segment ||
            remainder_length(partition) > REMAINDER_MAX)
            return false;
    }
    return true;
}

/* The first batch that begins at or after the settled end, below the high watermark. */
static void remainder_first(const struct partition *partition, uint64_t *position,
                            int64_t *offset) {
    *position = UINT64_MAX;
    *offset = -1;
    const struct tail *tail = &partition->tail;
    uint64_t at = UINT64_MAX;
    for (size_t chunk_at = 0; chunk_at < tail->count; chunk_at++) {
        const struct chunk *chunk = tail_chunk(tail, chunk_at);
        if (chunk->segment != partition->settled.segment || chunk->first_position == UINT64_MAX)
            continue;
        if (at != UINT64_MAX && chunk->first_position > partition->settled.position) break;
        at = chunk->first_position;
        if (at >= partition->settled.position) break;
    }
    while (at != UINT64_MAX && at + BATCH_HEADER_SIZE <= partition->durable.position) {
        uint8_t bytes[BATCH_HEADER_SIZE];
        struct batch_header header;
        tail_copy(tail, (struct place){partition->settled.segment, at}, bytes, sizeof bytes);
        check(batch_header_read(bytes_make(bytes, sizeof bytes), &header));
        if (at >= partition->settled.position) {
            *position = at;
            *offset = header.base_offset;
            return;
        }
        at += batch_size(&header);
    }
}

static void put_segment(struct byte_buffer *out, const struct partition *partition,
                        const struct segment *segment) {
    bool newest = segment->number == partition->durable.segment;
    byte_buffer_put_u32(out, segment->number);
    byte_buffer_put_u32(out, segment->revision);
    byte_buffer_put_i64(out, segment->base_offset);
    byte_buffer_put_i64(out, newest ? partition->high_watermark : segment->next_offset);
    byte_buffer_put_u64(out, newest ? partition->durable.position : segment->end);
    byte_buffer_put_i64(out, segment->timestamp_max);
    byte_buffer_put_i64(out, segment->timestamp_max_offset);
    byte_buffer_put_i64(out, segment->created_ms);
    byte_buffer_put_u8(out, segment->sealed);
    byte_buffer_put_u8(out, segment->place);
}

static void put_partition(struct byte_buffer *out, const struct partition *partition) {
    byte_buffer_put_u32(out, partition->definition.id);
    byte_buffer_put_u32(out, (uint32_t)partition->definition.leader_epoch);
    byte_buffer_put_u8(out, (uint8_t)partition->offline);
    epochs_encode(&partition->epochs, out);
    byte_buffer_put_i64(out, partition->log_start);
    byte_buffer_put_i64(out, partition->high_watermark);
    byte_buffer_put_i64(out, partition->compacted_offset);
    byte_buffer_put_u32(out, partition->settled.segment);
    byte_buffer_put_u64(out, partition->settled.position);
    byte_buffer_put_u64(out, partition->durable.position);
    uint64_t first_position;
    int64_t first_offset;
    remainder_first(partition, &first_position, &first_offset);
    byte_buffer_put_u64(out, first_position);
    byte_buffer_put_i64(out, first_offset);
    size_t len = partition->segment_count ? remainder_length(partition) : 0;
    byte_buffer_put_u32(out, (uint32_t)len);
    tail_copy(&partition->tail, partition->settled, byte_buffer_reserve(out, len + 1), len);
    out->len += len;

    size_t count = 0;
    while (count < partition->segment_count &&
           partition->segments[count].number <= partition->durable.segment)
        count++;
    byte_buffer_put_u32(out, (uint32_t)count);
    for (size_t at = 0; at < count; at++) put_segment(out, partition, &partition->segments[at]);
    producers_encode(&partition->producers, out);
}

static void put_mark(struct byte_buffer *out, const struct journal_mark *mark) {
    byte_buffer_put_u64(out, mark->incarnation);
    byte_buffer_put_u32(out, mark->core);
    byte_buffer_put_u64(out, mark->through);
}

void snapshot_encode(const struct shard *shard, struct byte_buffer *out) {
    uint32_t count = 0;
    list_each(node, &shard->partitions) count++;
    byte_buffer_append(out, bytes_make(magic, sizeof magic));
    byte_buffer_put_u32(out, 0);
    byte_buffer_put_u32(out, VERSION);
    byte_buffer_put_u32(out, shard->id);
    byte_buffer_put_u32(out, shard->epoch);
    byte_buffer_put_u64(out, shard->sequence);
    put_mark(out, &shard->contained);
    byte_buffer_put_u32(out, count);
    list_each(node, &shard->partitions)
        put_partition(out, list_entry(node, struct partition, in_shard));
    store_u32(out->at + CRC_AT, crc32c(out->at + COVERED_FROM, out->len - COVERED_FROM));
}

/* --- decode --- */

struct take {
    struct bytes rest;
    uint32_t version;
    bool failed;
    bool elsewhere; /* a segment lies in a place that this release does not know */
};

static const uint8_t *take_bytes(struct take *take, size_t len) {
    static const uint8_t zeros[16];
    if (take->rest.len < len) {
        take->failed = true;
        take->rest.len = 0;
        return len <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *at = take->rest.at;
    take->rest = bytes_make(at + len, take->rest.len - len);
    return at;
}
static uint8_t take_u8(struct take *take) { return *take_bytes(take, 1); }
static uint32_t take_u32(struct take *take) { return load_u32(take_bytes(take, 4)); }
static uint64_t take_u64(struct take *take) { return load_u64(take_bytes(take, 8)); }
static int64_t take_i64(struct take *take) { return load_i64(take_bytes(take, 8)); }

/* Numbers and offsets rise. */
static bool segment_follows(const struct partition *partition, uint32_t number, int64_t base) {
    if (partition->segment_count == 0) return base >= 0;
    const struct segment *last = partition_active(partition);
    return number > last->number && base >= last->next_offset;
}

static bool take_segment(struct take *take, struct partition *partition) {
    uint32_t number = take_u32(take);
    uint32_t revision = take->version > VERSION_BARE ? take_u32(take) : 0;
    int64_t base = take_i64(take);
    if (take->failed || !segment_follows(partition, number, base)) return false;
    struct segment *segment = partition_add_segment(partition, number, base, 0);
    segment->revision = revision;
    segment->next_offset = take_i64(take);
    segment->end = take_u64(take);
    segment->timestamp_max = take_i64(take);
    segment->timestamp_max_offset = take_i64(take);
    segment->created_ms = take_i64(take);
    segment->sealed = take_u8(take);
    segment->place = take->version > VERSION_HERE ? take_u8(take) : 0;
    take->elsewhere |= segment->place != 0;
    /* The index of what was written before this start is loaded when somebody asks. */
    segment->index_whole = segment->end == SEGMENT_START;
    return !take->failed && segment->end >= SEGMENT_START && segment->next_offset >= base;
}

/* Takes the next whole batch off the front of `bytes`. */
static bool remainder_batch(struct bytes *bytes, struct bytes *batch, struct batch_header *header) {
    if (!batch_header_read(*bytes, header) || batch_size(header) > bytes->len) return false;
    *batch = bytes_make(bytes->at, batch_size(header));
    *bytes = bytes_make(bytes->at + batch->len, bytes->len - batch->len);
    return true;
}

/* How many bytes lie before the first whole batch; false when it begins before them. */
static bool remainder_skip(struct bytes bytes, uint64_t position, uint64_t first_position,
                           size_t *skip) {
    uint64_t end = position + bytes.len;
    *skip = (first_position < end ? first_position : end) - position;
    return first_position >= position;
}

bool remainder_is_sound(struct bytes bytes, uint64_t position, uint64_t first_position) {
    size_t skip;
    struct bytes batch;
    struct batch_header header;
    if (!remainder_skip(bytes, position, first_position, &skip)) return false;
    bytes = bytes_make(bytes.at + skip, bytes.len - skip);
    while (bytes.len)
        if (!remainder_batch(&bytes, &batch, &header)) return false;
    return true;
}

bool restore_remainder(struct partition *partition, struct bytes bytes, uint64_t first_position) {
    struct place at = partition->settled;
    size_t skip;
    struct bytes batch;
    struct batch_header header;
    if (!remainder_skip(bytes, at.position, first_position, &skip)) return false;
    tail_restore(&partition->tail, at, bytes_make(bytes.at, skip));
    bytes = bytes_make(bytes.at + skip, bytes.len - skip);
    at.position += skip;
    while (bytes.len) {
        if (!remainder_batch(&bytes, &batch, &header)) return false;
        tail_append(&partition->tail, at, header.base_offset, batch);
        at.position += batch.len;
    }
    return true;
}

/* What one part says holds for the others. */
static bool take_fits(const struct partition *partition, size_t remainder) {
    struct place settled = partition->settled, durable = partition->durable;
    if (settled.position % DISK_BLOCK || settled.position < SEGMENT_START) return false;
    if (durable.position != settled.position + remainder) return false;
    if (partition->log_start < 0 || partition->log_start > partition->high_watermark) return false;
    if (partition->compacted_offset < 0 || partition->compacted_offset > partition->high_watermark)
        return false;
    if (partition->segment_count == 0) return durable.position == SEGMENT_START;
    const struct segment *active = partition_active(partition);
    return active->number == settled.segment && active->end == durable.position &&
           active->next_offset == partition->high_watermark;
}

static bool take_damage(struct take *take, struct partition *partition) {
    if (take->version == VERSION_BARE) return true;
    uint8_t offline = take_u8(take);
    partition->offline = offline;
    return offline < DAMAGE_KINDS && epochs_decode(&partition->epochs, &take->rest);
}

static bool take_partition(struct take *take, struct shard *shard) {
    struct partition_definition definition = {.id = take_u32(take), .shard = (uint16_t)shard->id};
    definition.leader_epoch = (int32_t)take_u32(take);
    struct partition *partition = partition_new(&definition, shard, NULL);
    if (!take_damage(take, partition)) return false;
    partition->log_start = take_i64(take);
    partition->high_watermark = partition->next_offset = partition->formed_offset = take_i64(take);
    if (take->version > VERSION_BARE) partition->compacted_offset = take_i64(take);
    partition->settled.segment = take_u32(take);
    partition->settled.position = take_u64(take);
    uint64_t durable = take_u64(take);
    uint64_t first_position = take_u64(take);
    take_i64(take); /* the first batch's offset is in its header */
    uint32_t len = take_u32(take);
    if (take->failed || take->rest.len < len) return false;
    struct bytes remainder = bytes_make(take_bytes(take, len), len);
    uint32_t count = take_u32(take);
    if (take->failed || count > take->rest.len / SEGMENT_BYTES_MIN) return false;
    for (uint32_t at = 0; at < count; at++)
        if (!take_segment(take, partition)) return false;
    if (!producers_decode(&partition->producers, &take->rest)) return false;
    if (MUTANT(producers_dropped)) producers_init(&partition->producers, PRODUCERS_MAX);
    partition->durable = (struct place){partition->settled.segment, durable};
    partition->formed = partition->end = partition->durable;
    partition->begun = partition->end.segment;
    return take_fits(partition, len) && restore_remainder(partition, remainder, first_position);
}

static void take_mark(struct take *take, struct shard *shard) {
    shard->contained.incarnation = take_u64(take);
    shard->contained.core = take_u32(take);
    shard->contained.through = take_u64(take);
}

bool snapshot_is_intact(struct bytes bytes) {
    if (bytes.len < COVERED_FROM || memcmp(bytes.at, magic, sizeof magic) != 0) return false;
    return crc32c(bytes.at + COVERED_FROM, bytes.len - COVERED_FROM) == load_u32(bytes.at + CRC_AT);
}

static bool take_shard(struct take *take, struct shard *shard) {
    if (take_u32(take) != shard->id) return false;
    shard->epoch = take_u32(take);
    shard->sequence = take_u64(take);
    if (take->version > VERSION_BARE) take_mark(take, shard);
    uint32_t count = take_u32(take);
    for (uint32_t at = 0; at < count && !take->failed; at++)
        if (!take_partition(take, shard)) return false;
    return !take->failed && take->rest.len == 0;
}

static int shard_decode(struct bytes bytes, struct shard *shard) {
    if (!snapshot_is_intact(bytes)) return -EBADMSG;
    struct take take = {.rest = bytes_make(bytes.at + COVERED_FROM, bytes.len - COVERED_FROM)};
    take.version = take_u32(&take);
    if (take.failed || take.version < VERSION_BARE) return -EBADMSG;
    if (take.version > VERSION) return -EPROTONOSUPPORT;
    if (!take_shard(&take, shard)) return -EBADMSG;
    return take.elsewhere ? -EPROTONOSUPPORT : 0;
}

bool snapshot_decode(struct bytes bytes, struct shard *shard) {
    return shard_decode(bytes, shard) == 0;
}

static int load_from(struct blobs *blobs, const char *path, struct shard *shard) {
    uint8_t *at = NULL;
    size_t len = 0;
    int result = blobs_read_whole(blobs, path, &at, &len);
    if (result < 0) return result;
    result = shard_decode(bytes_make(at, len), shard);
    free(at);
    return result;
}

int snapshot_load(struct blobs *blobs, struct shard *shard) {
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot(path, shard->id);
    return load_from(blobs, path, shard);
}

int snapshot_load_copy(struct blobs *blobs, struct shard *shard) {
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot_copy(path);
    return shard->id == CATALOG_SHARD ? load_from(blobs, path, shard) : -ENOENT;
}

int snapshot_put(struct blobs *blobs, uint32_t shard, struct bytes bytes) {
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot(path, shard);
    int result = blobs_put(blobs, path, bytes);
    if (result < 0 || shard != CATALOG_SHARD) return result;
    layout_snapshot_copy(path);
    return blobs_put(blobs, path, bytes);
}
