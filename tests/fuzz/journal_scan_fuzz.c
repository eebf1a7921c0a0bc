/* A journal of two files, made of blocks as the input says, and read as a start does. Six bytes for
 * each block:
 *
 *   how 1      bit 0 the second file, 1 an older life, 2 a torn block, 3 another's salt, 4 a hole
 *   sequence 1, acknowledged 1, released 1 (so much lower than the one before), blocks of 4 KiB 1,
 * of the torn one the byte that differs 1
 *
 * Whatever is there: sequences rise by one from what is released, but for the gaps that are
 * reported; where nothing is damaged, reading it again finds the same and nothing to clear. */
#include "base/check.h"
#include "base/memory.h"
#include "base/say.h"
#include "io/sim.h"
#include "storage/journal_scan.h"
#include "storage/layout.h"

enum { FILES = 2, STEP = 6, BLOCKS_MAX = 64, SALT = 77, BUFFER = 4 * JOURNAL_ALIGNMENT };

struct world {
    struct sim *sim;
    struct data_directory directory;
};

static void world_init(struct world *world) {
    static const uint32_t numbers[FILES] = {0, 1};
    *world = (struct world){.sim = sim_new(1)};
    world->directory.disk = sim_disk_open(world->sim);
    world->directory.salt = SALT;
    world->directory.incarnation = 10;
    check(disk_make_directory(world->directory.disk, LAYOUT_JOURNALS) == 0);
    for (unsigned at = 0; at < FILES; at++) {
        char path[LAYOUT_PATH_SIZE];
        struct file *file;
        layout_journal(path, 0, numbers[at]);
        check(file_open(world->directory.disk, path, FILE_READ | FILE_WRITE | FILE_CREATE, &file) ==
              0);
        check(file_allocate(file, JOURNAL_FILE_MIN) == 0);
        file_close(file);
    }
}

static size_t block_make(const uint8_t *at, uint8_t *buffer) {
    struct block_writer writer;
    uint64_t sequence = at[1] ? at[1] : 1;
    /* As a writer has it: released <= acknowledged < sequence. */
    uint64_t acknowledged = sequence > at[2] ? sequence - 1 - at[2] % sequence : 0;
    struct journal_block header = {
        .salt = at[0] & 8 ? SALT + 1 : SALT,
        .incarnation = at[0] & 2 ? 8 : 9,
        .sequence = sequence,
        .acknowledged_through = acknowledged,
        .released_through = acknowledged > at[3] ? acknowledged - at[3] : 0};
    block_begin(&writer, buffer, BUFFER);
    size_t payload = (size_t)(at[4] % 3) * JOURNAL_ALIGNMENT;
    block_run(&writer, 0, 0, sequence);
    memset(block_entry(&writer, ENTRY_BATCH, 1, payload), 1, payload);
    size_t len = block_finish(&writer, &header);
    if (at[0] & 4) buffer[at[5] * 16u % len] ^= 1;
    return len;
}

static void fill(struct world *world, const uint8_t *data, size_t size) {
    struct file *files[FILES];
    uint64_t ends[FILES] = {0};
    uint8_t *buffer = memory_aligned(JOURNAL_ALIGNMENT, BUFFER);
    for (uint32_t at = 0; at < FILES; at++) {
        char path[LAYOUT_PATH_SIZE];
        layout_journal(path, 0, at);
        check(file_open(world->directory.disk, path, FILE_READ | FILE_WRITE, &files[at]) == 0);
    }
    for (size_t at = 0; at + STEP <= size && at < BLOCKS_MAX * STEP; at += STEP) {
        unsigned which = data[at] & 1;
        size_t len = block_make(data + at, buffer);
        if (data[at] & 16) ends[which] += JOURNAL_ALIGNMENT;
        if (ends[which] + len > JOURNAL_FILE_MIN) continue;
        check(file_write_at(files[which], buffer, len, ends[which]) == 0);
        ends[which] += len;
    }
    for (uint32_t at = 0; at < FILES; at++) file_close(files[at]);
    free(buffer);
}

/* Answers whether it is damaged; `last` and `torn` as found. */
static bool scan(struct world *world, uint64_t *last, uint64_t *torn) {
    static const uint32_t numbers[FILES] = {0, 1};
    struct journal_scan scan;
    struct error error;
    check(journal_scan_open(&scan, &world->directory, 0, numbers, FILES, &error));
    for (int times = 0; times < 2; times++) {
        uint64_t met = scan.released_through, lost = 0;
        journal_scan_rewind(&scan);
        for (;;) {
            check(journal_scan_next(&scan, &error));
            check(scan.gap == 0 || scan.damaged);
            lost += scan.gap;
            if (!scan.has_block) break;
            check(scan.block.sequence == met + 1 + scan.gap);
            met = scan.block.sequence;
        }
        check(lost == scan.lost_blocks && met <= scan.last_sequence);
    }
    bool damaged = scan.damaged;
    *last = scan.last_sequence;
    *torn = scan.torn_blocks;
    journal_scan_close(&scan);
    return damaged;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world world;
    uint64_t last, torn, last_again, torn_again;
    say_configure(SAY_NOTHING, SAY_PLAIN);
    world_init(&world);
    fill(&world, data, size);
    bool damaged = scan(&world, &last, &torn);
    bool damaged_again = scan(&world, &last_again, &torn_again);
    check(damaged == damaged_again && last == last_again);
    check(damaged || torn_again == 0);
    disk_close(world.directory.disk);
    sim_free(world.sim);
    return 0;
}
