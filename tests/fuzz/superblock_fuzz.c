/* A superblock: as it is, and again with the checksum of each slot made right. A directory with it
 * is opened or refused; what was opened is opened again, as the next life of the same one. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/say.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/superblock.h"

enum { CRC_AT = 8, COVERED_FROM = 12, NODE_AT = 20 };

static void put(struct disk *disk, struct bytes content) {
    static const char *const folders[] = {LAYOUT_JOURNALS, LAYOUT_SEGMENTS, LAYOUT_SNAPSHOTS};
    struct file *file;
    for (size_t at = 0; at < array_count(folders); at++) disk_make_directory(disk, folders[at]);
    check(file_open(disk, LAYOUT_SUPERBLOCK, FILE_WRITE | FILE_CREATE, &file) == 0);
    check(file_write_at(file, content.at, content.len, 0) == 0);
    file_close(file);
}

static void open_twice(struct bytes content, int32_t node_id) {
    struct error error;
    struct data_directory first, second;
    struct sim *sim = sim_new(1);
    struct disk *disk = sim_disk_open(sim);
    put(disk, content);
    disk_close(disk);
    if (data_directory_open(sim_disk_open(sim), node_id, &first, &error)) {
        check(first.node_id == node_id && first.shard_count >= 1);
        check(first.shard_count <= SHARD_COUNT_MAX && !first.formatted_now);
        uint64_t incarnation = first.incarnation, salt = first.salt;
        data_directory_close(&first);
        check(data_directory_open(sim_disk_open(sim), node_id, &second, &error));
        check(second.incarnation == incarnation + 1 && second.salt == salt);
        data_directory_close(&second);
    }
    sim_free(sim);
}

static int32_t node_of(const uint8_t *at, size_t size) {
    return size >= NODE_AT + 4 ? load_i32(at + NODE_AT) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    say_configure(SAY_NOTHING, SAY_PLAIN);
    if (size > 2 * SUPERBLOCK_BYTES) return 0;
    open_twice(bytes_make(data, size), node_of(data, size));
    uint8_t *copy = memory_new(size + 1);
    memcpy(copy, data, size);
    for (size_t slot = 0; (slot + 1) * DISK_BLOCK <= size && slot < SUPERBLOCK_SLOTS; slot++) {
        uint8_t *at = copy + slot * DISK_BLOCK;
        memcpy(at, "MILLRACE", 8);
        store_u32(at + CRC_AT, crc32c(at + COVERED_FROM, DISK_BLOCK - COVERED_FROM));
    }
    open_twice(bytes_make(copy, size), node_of(copy, size));
    free(copy);
    return 0;
}
