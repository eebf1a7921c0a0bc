#include "storage/superblock.h"

#include "base/crc32c.h"
#include "storage/layout.h"

static const char magic[8] = {'M', 'I', 'L', 'L', 'R', 'A', 'C', 'E'};
enum { CRC_AT = 8, COVERED_FROM = 12 };

void superblock_encode(const struct data_directory *directory, uint8_t slot[DISK_BLOCK]) {
    memset(slot, 0, DISK_BLOCK);
    memcpy(slot, magic, sizeof magic);
    store_u32(slot + 12, FORMAT_VERSION);
    store_u32(slot + 16, FORMAT_OLDEST_READER);
    store_i32(slot + 20, directory->node_id);
    store_u32(slot + 24, directory->shard_count);
    store_u32(slot + 28, directory->journals);
    memcpy(slot + 32, directory->cluster_id.raw, 16);
    memcpy(slot + 48, directory->directory_id.raw, 16);
    store_u64(slot + 64, directory->salt);
    store_u64(slot + 72, directory->incarnation);
    store_u64(slot + 80, directory->generation);
    store_u32(slot + CRC_AT, crc32c(slot + COVERED_FROM, DISK_BLOCK - COVERED_FROM));
}

enum superblock_state superblock_decode(const uint8_t slot[DISK_BLOCK],
                                        struct data_directory *directory, uint32_t *version) {
    if (memcmp(slot, magic, sizeof magic) != 0) return SUPERBLOCK_BROKEN;
    if (crc32c(slot + COVERED_FROM, DISK_BLOCK - COVERED_FROM) != load_u32(slot + CRC_AT))
        return SUPERBLOCK_BROKEN;
    *version = load_u32(slot + 12);
    if (load_u32(slot + 16) > FORMAT_VERSION) return SUPERBLOCK_NEWER;
    directory->node_id = load_i32(slot + 20);
    directory->shard_count = load_u32(slot + 24);
    directory->journals = load_u32(slot + 28);
    memcpy(directory->cluster_id.raw, slot + 32, 16);
    memcpy(directory->directory_id.raw, slot + 48, 16);
    directory->salt = load_u64(slot + 64);
    directory->incarnation = load_u64(slot + 72);
    directory->generation = load_u64(slot + 80);
    /* Numbers that could not rise any more were never ours. */
    bool sane = directory->shard_count >= 1 && directory->shard_count <= SHARD_COUNT_MAX &&
                directory->generation < UINT64_MAX && directory->incarnation < UINT64_MAX;
    return sane ? SUPERBLOCK_VALID : SUPERBLOCK_BROKEN;
}
