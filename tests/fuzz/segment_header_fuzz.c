/* The header of a segment file: as it is, and again with its magic, version and checksum made
 * right. A file is opened for reading only as the one that it says it is, and never as another. */
#include <errno.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/segment.h"

enum { HEADER_BYTES = 80, CRC_AT = 8, VERSION_AT = 12, NAME_AT = 32, REVISION_AT = 48 };

static void put(struct disk *disk, const char *path, struct bytes content) {
    struct file *file;
    check(file_open(disk, path, FILE_WRITE | FILE_CREATE, &file) == 0);
    check(file_truncate(file, 0) == 0);
    check(content.len == 0 || file_write_at(file, content.at, content.len, 0) == 0);
    file_close(file);
}

static bool opens(struct disk *disk, const struct segment_identity *identity) {
    struct file *file = NULL;
    int result = segment_open_read(disk, identity, &file);
    check(result == 0 || result == -EBADMSG);
    file_close(file);
    return result == 0;
}

/* Under a name of its own. */
static void look(struct bytes content, uint32_t partition, uint32_t segment, uint32_t revision) {
    char path[LAYOUT_PATH_SIZE];
    struct segment_identity identity;
    struct sim *sim = sim_new(1);
    struct disk *disk = sim_disk_open(sim);
    check(disk_make_directory(disk, LAYOUT_SEGMENTS) == 0);
    layout_segment(path, partition, segment, revision);
    put(disk, path, content);
    int result = segment_identify(disk, partition, segment, revision, &identity);
    check(result == 0 || result == -EBADMSG);
    bool own = result == 0 && identity.partition == partition && identity.segment == segment &&
               identity.revision == revision;
    if (own && opens(disk, &identity)) {
        struct segment_identity other = identity;
        other.base_offset ^= 1;
        check(!opens(disk, &other));
        other = identity;
        other.cluster_id.raw[content.len % 16] ^= 1;
        check(!opens(disk, &other));
        struct segment_file *file = NULL; /* a new header, which is the same */
        check(segment_create(disk, &identity, SEGMENT_STEP_MIN, &file) == 0);
        segment_file_release(file);
        check(opens(disk, &identity));
    }
    disk_close(disk);
    sim_free(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > SEGMENT_START) return 0;
    look(bytes_make(data, size), 3, 5, 0);
    if (size < HEADER_BYTES) return 0;
    uint8_t *copy = memory_new(size);
    memcpy(copy, data, size);
    memcpy(copy, "MRSEGMNT", 8);
    store_u32(copy + VERSION_AT, 1);
    store_u32(copy + CRC_AT, crc32c(copy + VERSION_AT, HEADER_BYTES - VERSION_AT));
    look(bytes_make(copy, size), load_u32(copy + NAME_AT), load_u32(copy + NAME_AT + 4),
         load_u32(copy + REVISION_AT));
    free(copy);
    return 0;
}
