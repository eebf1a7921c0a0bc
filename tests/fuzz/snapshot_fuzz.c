/* A shard's snapshot: as it is, and again with its CRC made right. What decodes can be encoded, and
 * that decodes to the same. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "storage/snapshot.h"

enum { CRC_AT = 8, COVERED_FROM = 12, SHARD_AT = 16 };

static void shard_init(struct shard *shard, uint32_t id) {
    *shard = (struct shard){.id = id};
    list_init(&shard->partitions);
}

static void shard_deinit(struct shard *shard) {
    list_each(node, &shard->partitions)
        partition_unpin(list_entry(node, struct partition, in_shard));
}

static void decode(struct bytes bytes, uint32_t id) {
    struct shard shard, again;
    struct byte_buffer first = {0}, second = {0};
    shard_init(&shard, id);
    shard_init(&again, id);
    if (snapshot_decode(bytes, &shard)) {
        check(snapshot_is_possible(&shard));
        snapshot_encode(&shard, &first);
        check(snapshot_decode(byte_buffer_bytes(&first), &again));
        snapshot_encode(&again, &second);
        check(bytes_equal(byte_buffer_bytes(&first), byte_buffer_bytes(&second)));
    }
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    shard_deinit(&shard);
    shard_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t id = size >= SHARD_AT + 4 ? load_u32(data + SHARD_AT) : 0;
    decode(bytes_make(data, size), id);
    if (size < SHARD_AT + 4) return 0;
    uint8_t *copy = memory_new(size);
    memcpy(copy, data, size);
    memcpy(copy, "MRSNAPSH", 8);
    if (load_u32(copy + 12) - 1 > 1) store_u32(copy + 12, 2);
    store_u32(copy + CRC_AT, crc32c(copy + COVERED_FROM, size - COVERED_FROM));
    decode(bytes_make(copy, size), id);
    free(copy);
    return 0;
}
