#include "storage/segment.h"

#include <errno.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "storage/layout.h"
#include "storage/segment_walk.h"

static const char magic[8] = {'M', 'R', 'S', 'E', 'G', 'M', 'N', 'T'};
enum {
    VERSION = 1,
    HEADER_BYTES = 80,
    TRAILER_BYTES = 48,
    TRAILER_MAGIC = 0x4d525346 /* "MRSF" */,
    FOOTER_MAX = 256 << 20,
};

static void header_encode(const struct segment_identity *identity, uint8_t block[DISK_BLOCK]) {
    memset(block, 0, DISK_BLOCK);
    memcpy(block, magic, sizeof magic);
    store_u32(block + 12, VERSION);
    memcpy(block + 16, identity->cluster_id.raw, 16);
    store_u32(block + 32, identity->partition);
    store_u32(block + 36, identity->segment);
    store_i64(block + 40, identity->base_offset);
    store_u32(block + 48, identity->revision);
    store_u32(block + 8, crc32c(block + 12, HEADER_BYTES - 12));
}

static bool header_is_ours(const uint8_t *found, const struct segment_identity *identity) {
    uint8_t *wanted = memory_aligned(DISK_BLOCK, DISK_BLOCK);
    header_encode(identity, wanted);
    bool same = memcmp(found, wanted, HEADER_BYTES) == 0;
    free(wanted);
    return same;
}

static int segment_write_header(struct file *file, const struct segment_identity *identity) {
    uint8_t *block = memory_aligned(DISK_BLOCK, DISK_BLOCK);
    header_encode(identity, block);
    int result = file_write_at(file, block, DISK_BLOCK, 0);
    free(block);
    return result;
}

static int segment_prepare(struct segment_file *file, const struct segment_identity *identity,
                           uint64_t size) {
    int64_t existing = file_size(file->write);
    if (existing < 0) return (int)existing;
    bool large = (uint64_t)existing >= size;
    file->allocated = large ? round_down((uint64_t)existing, DISK_BLOCK) : size;
    int result = large ? 0 : file_allocate(file->write, size);
    /* Also where it is there already: whoever made it may have ended before it was durable, and
     * what a failed sync has forgotten is durable only when it is written again. */
    return result < 0 ? result : segment_write_header(file->write, identity);
}

int segment_create_unsynced(struct disk *disk, const struct segment_identity *identity,
                            uint64_t size, struct segment_file **out) {
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, identity->partition, identity->segment, identity->revision);
    struct file *file = NULL;
    int result = file_open(disk, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_DIRECT, &file);
    if (result < 0) return result;
    struct segment_file *segment = segment_file_new();
    segment->write = file;
    segment->unsynced = true;
    result = segment_prepare(segment, identity, round_up(size, DISK_BLOCK));
    if (result == 0)
        *out = segment;
    else
        segment_file_release(segment);
    return result;
}

int segment_create(struct disk *disk, const struct segment_identity *identity, uint64_t size,
                   struct segment_file **out) {
    struct segment_file *file = NULL;
    int result = segment_create_unsynced(disk, identity, size, &file);
    if (result < 0) return result;
    result = file_sync(file->write);
    if (result == 0) result = disk_sync_directory(disk, LAYOUT_SEGMENTS);
    file->unsynced = false;
    if (result == 0)
        *out = file;
    else
        segment_file_release(file);
    return result;
}

int segment_extend(struct segment_file *file, uint64_t size) {
    int result = file_allocate(file->write, size);
    if (result == 0) file->allocated = size;
    return result;
}

static int segment_open(struct disk *disk, const struct segment_identity *identity,
                        struct file **file) {
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, identity->partition, identity->segment, identity->revision);
    return file_open(disk, path, FILE_READ | FILE_RANDOM, file);
}

int segment_open_ahead(struct disk *disk, const struct segment_identity *identity,
                       struct file **file) {
    int result = segment_open(disk, identity, file);
    if (result == 0) file_expect(*file, 0, HEADER_BYTES);
    return result;
}

int segment_open_check(const struct segment_identity *identity, struct file **file) {
    uint8_t header[HEADER_BYTES];
    int64_t got = file_read_at(*file, header, sizeof header, 0);
    if (got == sizeof header && header_is_ours(header, identity)) return 0;
    file_close(*file);
    *file = NULL;
    return got < 0 ? (int)got : -EBADMSG;
}

int segment_open_read(struct disk *disk, const struct segment_identity *identity,
                      struct file **file) {
    int result = segment_open(disk, identity, file);
    return result < 0 ? result : segment_open_check(identity, file);
}

static bool header_decode(const uint8_t *at, struct segment_identity *identity) {
    bool intact = memcmp(at, magic, sizeof magic) == 0 && load_u32(at + 12) == VERSION &&
                  load_u32(at + 8) == crc32c(at + 12, HEADER_BYTES - 12);
    memcpy(identity->cluster_id.raw, at + 16, 16);
    identity->partition = load_u32(at + 32);
    identity->segment = load_u32(at + 36);
    identity->base_offset = load_i64(at + 40);
    identity->revision = load_u32(at + 48);
    return intact;
}

int segment_identify(struct disk *disk, uint32_t partition, uint32_t segment, uint32_t revision,
                     struct segment_identity *identity) {
    char path[LAYOUT_PATH_SIZE];
    uint8_t header[HEADER_BYTES];
    struct file *file;
    layout_segment(path, partition, segment, revision);
    int result = file_open(disk, path, FILE_READ, &file);
    if (result < 0) return result;
    int64_t got = file_read_at(file, header, sizeof header, 0);
    file_close(file);
    if (got < 0) return (int)got;
    return got == sizeof header && header_decode(header, identity) ? 0 : -EBADMSG;
}

/* --- handles --- */

struct segment_file *segment_file_new(void) {
    struct segment_file *file = new_zero(struct segment_file);
    file->references = 1;
    list_init(&file->used);
    return file;
}

void segment_file_pin(struct segment_file *file) { file->references++; }

static void segment_file_count(struct segment_file *file) {
    unsigned count = (file->write != NULL) + (file->read != NULL);
    if (!file->handles) return;
    file->handles->open += count - file->counted;
    file->counted = count;
    if (count == 0) list_remove(&file->used);
}

void segment_file_close_write(struct segment_file *file) {
    if (file->references > 1) return; /* a sync may be under way */
    file_close(file->write);
    file->write = NULL;
    segment_file_count(file);
}

static void segment_file_close(struct segment_file *file) {
    file_close(file->write);
    file_close(file->read);
    file->write = file->read = NULL;
    segment_file_count(file);
}

void segment_file_release(struct segment_file *file) {
    if (!file || --file->references > 0) return;
    segment_file_close(file);
    free(file);
}

void segment_file_abandon(struct segment_file *file) {
    if (file) file->orphan = true;
    segment_file_release(file);
}

void segment_file_used(struct segment_file *file, struct segment_handles *handles) {
    if (file->number == 0) file->number = ++handles->numbers;
    file->handles = handles;
    segment_file_count(file);
    list_remove(&file->used);
    if (file->counted) list_append(&handles->used, &file->used);
    segment_handles_trim(handles);
}

void segment_handles_trim(struct segment_handles *handles) {
    if (handles->open <= handles->open_max) return;
    list_each(node, &handles->used) {
        struct segment_file *file = list_entry(node, struct segment_file, used);
        bool pinned = file->references > 1 || file->orphan;
        bool idle = !pinned && !file->unsynced && !file->awaited;
        if (idle) segment_file_close(file);
        if (handles->open <= handles->open_max) return;
    }
}

uint8_t *segment_footer(const struct segment *segment, uint64_t *position, size_t *size) {
    check(segment->index);
    *position = round_up(segment->end, DISK_BLOCK);
    *size = round_up(index_encoded_size(segment->index) + TRAILER_BYTES, DISK_BLOCK);
    uint8_t *footer = memory_aligned(DISK_BLOCK, *size);
    memset(footer, 0, *size);
    index_encode(segment->index, footer);
    uint8_t *trailer = footer + *size - TRAILER_BYTES;
    store_i64(trailer, segment->base_offset);
    store_i64(trailer + 8, segment->next_offset);
    store_u64(trailer + 16, segment->end);
    store_i64(trailer + 24, segment->timestamp_max);
    store_u64(trailer + 32, *position);
    store_u32(trailer + 40, crc32c(trailer, 40));
    store_u32(trailer + 44, TRAILER_MAGIC);
    return footer;
}

bool segment_load_footer(struct file *file, const struct segment *segment, struct index *index) {
    int64_t size = file_size(file);
    uint64_t position = round_up(segment->end, DISK_BLOCK);
    if (size < (int64_t)(position + TRAILER_BYTES)) return false;
    uint8_t trailer[TRAILER_BYTES];
    if (file_read_at(file, trailer, TRAILER_BYTES, (uint64_t)size - TRAILER_BYTES) != TRAILER_BYTES)
        return false;
    if (load_u32(trailer + 44) != TRAILER_MAGIC || load_u32(trailer + 40) != crc32c(trailer, 40))
        return false;
    if (load_i64(trailer) != segment->base_offset || load_u64(trailer + 16) != segment->end ||
        load_u64(trailer + 32) != position)
        return false;
    size_t len = (uint64_t)size - TRAILER_BYTES - position;
    if (len > FOOTER_MAX) return false;
    uint8_t *bytes = memory_new(len);
    bool loaded = file_read_at(file, bytes, len, position) == (int64_t)len &&
                  index_decode(bytes_make(bytes, len), index);
    free(bytes);
    if (loaded && index->count && index->entries[index->count - 1].position >= segment->end) {
        index_deinit(index);
        return false;
    }
    return loaded;
}

bool segment_load_index(struct file *file, const struct segment *segment, uint64_t upto,
                        struct index *index) {
    bool loaded = segment_load_footer(file, segment, index);
    if (!loaded) *index = (struct index){0};
    index->interval = segment->index_interval;
    if (!loaded) segment_walk(file, segment, upto, index);
    return loaded;
}
