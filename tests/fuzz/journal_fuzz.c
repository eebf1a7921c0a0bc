/* A journal block: as it is, and again with its header and CRC made right, so that what is inside
 * reaches replay. Replay into partitions arrives at the same state twice; what it refuses leaves
 * the partitions as they were, so that their snapshot can be written and read. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/replay.h"
#include "storage/snapshot.h"

enum {
    PARTITIONS = 3,
    EXTENT_BYTES_MAX = 8 << 20, /* what a header claims is allocated in the simulated file */
};

struct world {
    struct sim *sim;
    struct data_directory directory;
    struct shard shard;
    struct partition *partitions[PARTITIONS];
};

static void world_init(struct world *world) {
    *world = (struct world){.sim = sim_new(1)};
    world->directory.disk = sim_disk_open(world->sim);
    check(disk_make_directory(world->directory.disk, LAYOUT_SEGMENTS) == 0);
    list_init(&world->shard.partitions);
    for (uint32_t id = 0; id < PARTITIONS; id++) {
        struct partition_definition definition = {.id = id};
        world->partitions[id] = partition_new(&definition, &world->shard, NULL);
    }
}

static void world_deinit(struct world *world) {
    for (uint32_t id = 0; id < PARTITIONS; id++) partition_unpin(world->partitions[id]);
    disk_close(world->directory.disk);
    sim_free(world->sim);
}

static bool entry_is_small(const struct block_entry_view *entry) {
    if (entry->kind != ENTRY_EXTENT || entry->payload.len < JOURNAL_EXTENT_BYTES) return true;
    return load_u64(entry->payload.at + 28) <= EXTENT_BYTES_MAX;
}

static void check_partition(const struct partition *partition) {
    check(partition->high_watermark == partition->next_offset);
    check(partition->log_start <= partition->next_offset);
    check(place_compare(partition->settled, partition->end) <= 0);
    check(partition->segment_count == 0 ||
          partition_active(partition)->end == partition->end.position);
}

/* Everything once more changes nothing. */
static void replay_again(struct world *world, struct bytes block,
                         const struct journal_block *header) {
    struct block_cursor cursor;
    struct error error;
    block_cursor_init(&cursor, block, header);
    while (block_next(&cursor) == 1) {
        struct partition *partition = world->partitions[cursor.entry.partition % PARTITIONS];
        struct place end = partition->end;
        int64_t next_offset = partition->next_offset;
        check(replay_entry(partition, &cursor.entry, header->time_ms, &world->directory, &error));
        check(place_equal(partition->end, end) && partition->next_offset == next_offset);
    }
}

static void check_snapshot(struct world *world) {
    struct byte_buffer bytes = {0};
    struct shard again = {0};
    list_init(&again.partitions);
    snapshot_encode(&world->shard, &bytes);
    check(snapshot_decode(byte_buffer_bytes(&bytes), &again));
    list_each(node, &again.partitions)
        partition_unpin(list_entry(node, struct partition, in_shard));
    byte_buffer_deinit(&bytes);
}

static void replay(struct bytes block, const struct journal_block *header) {
    struct world world;
    struct block_cursor cursor;
    struct error error;
    bool fine = true;
    world_init(&world);
    block_cursor_init(&cursor, block, header);
    while (fine && block_next(&cursor) == 1) {
        struct partition *partition = world.partitions[cursor.entry.partition % PARTITIONS];
        fine = entry_is_small(&cursor.entry) &&
               replay_entry(partition, &cursor.entry, header->time_ms, &world.directory, &error);
        check_partition(partition);
    }
    check_snapshot(&world);
    if (fine) replay_again(&world, block, header);
    world_deinit(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct journal_block header;
    struct bytes block = bytes_make(data, size);
    if (block_read(block, &header)) replay(block, &header);
    if (size < JOURNAL_HEADER_BYTES || size > JOURNAL_BLOCK_MAX) return 0;
    uint8_t *copy = memory_new(size);
    memcpy(copy, data, size);
    struct block_writer writer;
    uint8_t scratch[JOURNAL_ALIGNMENT];
    header = (struct journal_block){0};
    block_begin(&writer, scratch, sizeof scratch);
    block_finish(&writer, &header); /* magic and version, as they are */
    memcpy(copy, scratch, 4);
    memcpy(copy + 12, scratch + 12, 2);
    store_u32(copy + 8, (uint32_t)size);
    store_u32(copy + 4, crc32c(copy + 8, size - 8));
    check(block_read(bytes_make(copy, size), &header));
    replay(bytes_make(copy, size), &header);
    free(copy);
    return 0;
}
