#include "storage/segment.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/sim.h"
#include "protocol/batch_build.h"
#include "storage/layout.h"

enum { BATCHES = 50 };

struct bench {
    char path[64];
    struct disk *disk;
    struct segment_identity identity;
    struct segment segment;
    struct segment_file *file;
    uint8_t *bytes;
};

static void bench_init(struct bench *bench) {
    *bench = (struct bench){.path = "/tmp/millrace-segment-XXXXXX",
                            .identity = {.partition = 3, .segment = 5, .base_offset = 100}};
    cr_assert(mkdtemp(bench->path));
    struct error error;
    bench->disk = disk_open(bench->path, true, &error);
    disk_probe_direct(bench->disk);
    uuid_make(&bench->identity.cluster_id);
    cr_assert_eq(disk_make_directory(bench->disk, LAYOUT_SEGMENTS), 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void bench_deinit(struct bench *bench) {
    segment_file_release(bench->file);
    if (bench->segment.index) index_deinit(bench->segment.index);
    free(bench->segment.index);
    free(bench->bytes);
    disk_close(bench->disk);
    nftw(bench->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void segment_place(struct bench *bench, struct bytes batch) {
    struct segment *segment = &bench->segment;
    struct batch_header header;
    cr_assert(batch_header_read(batch, &header));
    index_add(segment->index, header.base_offset, segment->end, segment->timestamp_max);
    if (header.max_timestamp > segment->timestamp_max)
        segment->timestamp_max = header.max_timestamp;
    memcpy(bench->bytes + segment->end, batch.at, batch.len);
    segment->end += batch.len;
    segment->next_offset = batch_last_offset(&header) + 1;
}

/* A file with BATCHES batches of rising sizes, timestamps up and down. */
static void bench_fill(struct bench *bench) {
    struct segment *segment = &bench->segment;
    *segment = (struct segment){.number = 5,
                                .base_offset = 100,
                                .next_offset = 100,
                                .end = SEGMENT_START,
                                .timestamp_max = -1,
                                .index = new_zero(struct index),
                                .index_whole = true};
    cr_assert_eq(segment_create(bench->disk, &bench->identity, 1 << 20, &bench->file), 0);
    bench->bytes = memory_aligned(DISK_BLOCK, 1 << 20);
    memset(bench->bytes, 0, 1 << 20);
    uint8_t value[3000] = {0};
    for (int at = 0; at < BATCHES; at++) {
        struct batch_build build;
        struct byte_buffer out = {0};
        struct error error;
        batch_build_init(&build);
        batch_build_add(&build, at % 7 * 1000 + at, BYTES_NULL, bytes_make(value, at * 60u), NULL,
                        0);
        cr_assert(batch_build_finish(&build, CODEC_NONE, &out, &error));
        batch_patch(out.at, segment->next_offset, 0);
        segment_place(bench, byte_buffer_bytes(&out));
        byte_buffer_deinit(&out);
        batch_build_deinit(&build);
    }
    uint64_t end = round_up(segment->end, DISK_BLOCK);
    cr_assert_eq(file_write_at(bench->file->write, bench->bytes + SEGMENT_START,
                               end - SEGMENT_START, SEGMENT_START),
                 0);
}

/* As a worker seals it. */
static void bench_seal(struct bench *bench) {
    uint64_t position;
    size_t size;
    uint8_t *footer = segment_footer(&bench->segment, &position, &size);
    cr_assert_eq(position % DISK_BLOCK, 0);
    cr_assert_eq(size % DISK_BLOCK, 0);
    cr_assert_eq(file_write_at(bench->file->write, footer, size, position), 0);
    cr_assert_eq(file_truncate(bench->file->write, position + size), 0);
    free(footer);
}

static struct file *bench_read(struct bench *bench) {
    struct file *file = NULL;
    cr_assert_eq(segment_open_read(bench->disk, &bench->identity, &file), 0);
    return file;
}

static void expect_index(struct bench *bench) {
    struct file *file = bench_read(bench);
    struct index index;
    segment_load_index(file, &bench->segment, bench->segment.end, &index);
    cr_assert_eq(index.count, bench->segment.index->count);
    cr_assert_eq(
        memcmp(index.entries, bench->segment.index->entries, index.count * sizeof *index.entries),
        0);
    index_deinit(&index);
    file_close(file);
}

Test(segment, the_index_is_rebuilt_without_a_footer) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    expect_index(&bench);
    bench_deinit(&bench);
}

Test(segment, the_footer_gives_the_index) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    bench_seal(&bench);
    /* Only the footer can know it now: the first batch's header is gone. */
    uint8_t *zeros = memory_aligned(DISK_BLOCK, DISK_BLOCK);
    memset(zeros, 0, DISK_BLOCK);
    cr_assert_eq(file_write_at(bench.file->write, zeros, DISK_BLOCK, SEGMENT_START), 0);
    free(zeros);
    expect_index(&bench);
    bench_deinit(&bench);
}

/* A footer in doubt is as good as none: each flipped byte, and a footer of another extent. */
Test(segment, a_footer_in_doubt_is_dropped) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    bench_seal(&bench);
    uint64_t position = round_up(bench.segment.end, DISK_BLOCK);
    uint64_t size = (uint64_t)file_size(bench.file->write);
    uint8_t *footer = memory_aligned(DISK_BLOCK, size - position);
    cr_assert_eq(file_read_at(bench.file->write, footer, size - position, position),
                 (int64_t)(size - position));
    for (uint64_t at = 0; at < size - position;
         at += at < 64 || at > size - position - 64 ? 1 : 97) {
        footer[at] ^= 0x40;
        file_write_at(bench.file->write, footer, size - position, position);
        expect_index(&bench);
        footer[at] ^= 0x40;
    }
    free(footer);
    bench_deinit(&bench);
}

/* The walk goes on behind a batch that is none any more, with an entry for the next one. */
static void damaged_at(uint64_t offset_in_header, unsigned damaged) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    uint64_t position = SEGMENT_START;
    struct batch_header header;
    for (unsigned at = 0; at < damaged; at++) {
        cr_assert(
            batch_header_read(bytes_make(bench.bytes + position, BATCH_HEADER_SIZE), &header));
        position += batch_size(&header);
    }
    cr_assert(batch_header_read(bytes_make(bench.bytes + position, BATCH_HEADER_SIZE), &header));
    uint64_t next = position + batch_size(&header);
    int64_t next_offset = batch_last_offset(&header) + 1;
    bench.bytes[position + offset_in_header] ^= 0x41;
    size_t size = round_up(bench.segment.end, DISK_BLOCK) - SEGMENT_START;
    cr_assert_eq(file_write_at(bench.file->write, bench.bytes + SEGMENT_START, size, SEGMENT_START),
                 0);
    struct file *file = bench_read(&bench);
    struct index index;
    segment_load_index(file, &bench.segment, bench.segment.end, &index);
    const struct index_entry *entry = index_find_offset(&index, next_offset);
    cr_assert(entry, "%u", damaged);
    cr_assert_eq(entry->offset, next_offset, "batch %u, byte %llu: %lld", damaged,
                 (unsigned long long)offset_in_header, (long long)entry->offset);
    cr_assert_eq(entry->position, next);
    cr_assert(index.entries[index.count - 1].offset > next_offset);
    index_deinit(&index);
    file_close(file);
    bench_deinit(&bench);
}
Test(segment, a_walk_goes_on_behind_damage) {
    static const uint64_t bytes[] = {0, 4, 8, 9, 10, 11, 16, 23};
    for (size_t at = 0; at < array_count(bytes); at++)
        for (unsigned damaged = 0; damaged < 20; damaged += 3) damaged_at(bytes[at], damaged);
}

Test(segment, a_file_of_another_is_refused) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    for (int what = 0; what < 4; what++) {
        struct segment_identity other = bench.identity;
        if (what == 0) other.base_offset++;
        if (what == 1) other.cluster_id.raw[3] ^= 1;
        if (what == 2) other.partition++;
        if (what == 3) other.revision++;
        char from[LAYOUT_PATH_SIZE], to[LAYOUT_PATH_SIZE];
        layout_segment(from, bench.identity.partition, bench.identity.segment, 0);
        layout_segment(to, other.partition, other.segment, other.revision);
        if (what >= 2) cr_assert_eq(disk_rename(bench.disk, from, to), 0);
        struct file *file;
        cr_assert_eq(segment_open_read(bench.disk, &other, &file), -EBADMSG);
        if (what >= 2) cr_assert_eq(disk_rename(bench.disk, to, from), 0);
    }
    bench_deinit(&bench);
}

Test(segment, opened_again_it_keeps_its_bytes_and_grows) {
    struct bench bench;
    bench_init(&bench);
    bench_fill(&bench);
    segment_file_release(bench.file);
    cr_assert_eq(segment_create(bench.disk, &bench.identity, 100000, &bench.file), 0);
    cr_assert_eq(bench.file->allocated, 1 << 20);
    segment_file_release(bench.file);
    cr_assert_eq(segment_create(bench.disk, &bench.identity, 3 << 20, &bench.file), 0);
    cr_assert_eq(bench.file->allocated, 3 << 20);
    cr_assert_eq(segment_extend(bench.file, 4 << 20), 0);
    cr_assert_eq(file_size(bench.file->write), 4 << 20);
    expect_index(&bench);
    bench_deinit(&bench);
}

/* A crash between the creation of the file and its header leaves one without. */
Test(segment, a_file_without_header_gets_one) {
    struct bench bench;
    bench_init(&bench);
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, bench.identity.partition, bench.identity.segment, 0);
    struct file *file;
    cr_assert_eq(file_open(bench.disk, path, FILE_WRITE | FILE_CREATE, &file), 0);
    file_close(file);
    cr_assert_eq(segment_open_read(bench.disk, &bench.identity, &file), -EBADMSG);
    cr_assert_eq(segment_create(bench.disk, &bench.identity, 1 << 20, &bench.file), 0);
    file_close(bench_read(&bench));
    bench_deinit(&bench);
}

/* Any one operation fails while the file is made, the process dies, the next life makes it again:
 * then a power cut takes nothing of it, whatever the failed sync had forgotten. */
static void made_in_two_lives(uint64_t seed, uint64_t fails_at) {
    struct sim *sim = sim_new(seed);
    struct disk *disk = sim_disk_open(sim);
    cr_assert_eq(disk_make_directory(disk, LAYOUT_SEGMENTS), 0);
    cr_assert_eq(disk_sync_directory(disk, "."), 0);
    struct segment_identity identity = {.partition = 3, .segment = 5, .base_offset = 100};
    struct segment_file *file = NULL;
    sim_fail_disk(sim, fails_at, EIO);
    if (segment_create(disk, &identity, SEGMENT_STEP_MIN, &file) == 0) segment_file_release(file);
    sim_kill(sim);
    disk_close(disk);
    disk = sim_disk_open(sim);
    cr_assert_eq(segment_create(disk, &identity, SEGMENT_STEP_MIN, &file), 0);
    segment_file_release(file);
    sim_power_cut(sim);
    disk_close(disk);
    disk = sim_disk_open(sim);
    struct file *opened = NULL;
    cr_assert_eq(segment_open_read(disk, &identity, &opened), 0, "seed %llu, operation %llu",
                 (unsigned long long)seed, (unsigned long long)fails_at);
    file_close(opened);
    disk_close(disk);
    sim_free(sim);
}
Test(segment, a_file_made_in_two_lives_is_durable) {
    for (uint64_t seed = 0; seed < 20; seed++)
        for (uint64_t at = 1; at <= 8; at++) made_in_two_lives(seed, at);
}

Test(segment, names_are_exact) {
    static const char *const foreign[] = {"1-2.bak", "1-02", "1-2-0",  "1-2-x",
                                          "1",       "-1-2", "1-2-3-4"};
    char path[LAYOUT_PATH_SIZE];
    uint32_t partition, segment, revision;
    for (uint32_t at = 0; at < 3; at++) {
        layout_segment(path, 7, 4294967295u, at);
        cr_assert(
            layout_segment_parse(path + sizeof LAYOUT_SEGMENTS, &partition, &segment, &revision));
        cr_assert(partition == 7 && segment == 4294967295u && revision == at);
    }
    for (size_t at = 0; at < array_count(foreign); at++)
        cr_assert_not(layout_segment_parse(foreign[at], &partition, &segment, &revision), "%s",
                      foreign[at]);
}

Test(segment, handles_are_bounded) {
    struct bench bench;
    bench_init(&bench);
    struct segment_handles handles = {.open_max = 4};
    list_init(&handles.used);
    struct segment_file *files[10];
    for (uint32_t at = 0; at < 10; at++) {
        struct segment_identity identity = {.partition = at};
        cr_assert_eq(segment_create(bench.disk, &identity, 1 << 20, &files[at]), 0);
        files[at]->unsynced = at == 1;
        if (at == 2) segment_file_pin(files[at]);
        segment_file_used(files[at], &handles);
    }
    cr_assert_eq(handles.open, 4);
    cr_assert(files[1]->write, "what must be synced stays open");
    cr_assert(files[2]->write, "what is pinned stays open");
    cr_assert_null(files[0]->write);
    cr_assert(files[9]->write);
    files[8]->awaited = true; /* older than 9, but about to be written */
    handles.open_max = 3;
    segment_handles_trim(&handles);
    cr_assert(files[8]->write && !files[9]->write);
    files[8]->awaited = false;
    handles.open_max = 2;
    segment_handles_trim(&handles);
    cr_assert_null(files[8]->write);
    segment_file_abandon(files[2]); /* its segment is deleted while a checkpoint syncs it */
    handles.open_max = 1;
    segment_handles_trim(&handles);
    cr_assert(files[2]->write, "what is pinned stays open");
    segment_file_release(files[2]);
    for (int at = 0; at < 10; at++)
        if (at != 2) segment_file_release(files[at]);
    cr_assert_eq(handles.open, 0);
    cr_assert(list_is_empty(&handles.used));
    bench_deinit(&bench);
}
