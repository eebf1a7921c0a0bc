/* The files of a pass: segments read to their end or to damage, new revisions written. */
#include "storage/compact_pass.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "base/memory.h"
#include "io/sim.h"
#include "protocol/batch_build.h"
#include "storage/layout.h"

struct bench {
    struct sim *sim;
    struct disk *disk;
    struct segment_identity identity;
    struct compact_target target;
};

static void bench_init(struct bench *bench) {
    *bench = (struct bench){
        .sim = sim_new(1),
        .identity = {.partition = 3, .segment = 5, .base_offset = 100, .revision = 2}};
    bench->disk = sim_disk_open(bench->sim);
    cr_assert_eq(disk_make_directory(bench->disk, LAYOUT_SEGMENTS), 0);
    cr_assert_eq(disk_sync_directory(bench->disk, "."), 0);
}

static void bench_deinit(struct bench *bench) {
    compact_target_close(&bench->target);
    disk_close(bench->disk);
    sim_free(bench->sim);
}

static struct byte_buffer batch_of(int64_t offset, size_t value_bytes, int64_t timestamp) {
    struct batch_build build;
    struct byte_buffer out = {0};
    struct error error;
    uint8_t *value = memory_zero(1, value_bytes + 1);
    batch_build_init(&build);
    batch_build_add(&build, timestamp, BYTES_OF("key"), bytes_make(value, value_bytes), NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_NONE, &out, &error));
    batch_patch(out.at, offset, 0);
    batch_build_deinit(&build);
    free(value);
    return out;
}

static void add(struct bench *bench, int64_t offset, size_t value_bytes, int64_t timestamp) {
    struct byte_buffer batch = batch_of(offset, value_bytes, timestamp);
    cr_assert_eq(compact_target_add(&bench->target, byte_buffer_bytes(&batch)), 0);
    byte_buffer_deinit(&batch);
}

/* Batches of every size around the piece and the window, with gaps between their offsets. */
static void fill(struct bench *bench) {
    static const size_t sizes[] = {1, 4000, 200000, 61, 262144, 262000, 700000, 5};
    cr_assert_eq(compact_target_open(&bench->target, bench->disk, &bench->identity, 4096), 0);
    for (size_t at = 0; at < array_count(sizes); at++)
        add(bench, 100 + (int64_t)at * 3, sizes[at], at == 4 ? 9000 : 1000 + (int64_t)at);
    cr_assert_eq(compact_target_finish(&bench->target, true), 0);
}

static int read_all(struct bench *bench, size_t *count) {
    struct compact_source source;
    struct bytes batch;
    struct batch_header header;
    int result =
        compact_source_open(&source, bench->disk, &bench->identity, bench->target.segment.end);
    cr_assert_eq(result, 0);
    *count = 0;
    while ((result = compact_source_next(&source, &batch)) == 1) {
        cr_assert(batch_header_read(batch, &header));
        cr_assert_eq(header.base_offset, 100 + (int64_t)*count * 3);
        ++*count;
    }
    compact_source_close(&source);
    return result;
}

Test(compact_pass, what_is_written_is_read_and_survives_a_power_cut) {
    struct bench bench;
    bench_init(&bench);
    fill(&bench);
    const struct segment *segment = &bench.target.segment;
    cr_assert_eq(segment->next_offset, 122);
    cr_assert_eq(segment->timestamp_max, 9000);
    cr_assert_eq(segment->timestamp_max_offset, 112);
    sim_power_cut(bench.sim);
    disk_close(bench.disk);
    bench.disk = sim_disk_open(bench.sim);
    size_t count;
    cr_assert_eq(read_all(&bench, &count), 0);
    cr_assert_eq(count, 8);
    struct file *file;
    struct index index;
    cr_assert_eq(segment_open_read(bench.disk, &bench.identity, &file), 0);
    struct segment whole = *segment;
    cr_assert(segment_load_index(file, &whole, whole.end, &index));
    cr_assert_eq(index.entries[0].offset, 100);
    cr_assert(index.count > 4);
    cr_assert_eq(file_size(file) % DISK_BLOCK, 0);
    index_deinit(&index);
    file_close(file);
    bench_deinit(&bench);
}

Test(compact_pass, an_empty_batch_has_no_time) {
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(compact_target_open(&bench.target, bench.disk, &bench.identity, 4096), 0);
    add(&bench, 100, 10, 1000);
    struct byte_buffer empty = batch_of(101, 10, 5000);
    struct batch_header header;
    cr_assert(batch_header_read(byte_buffer_bytes(&empty), &header));
    header.record_count = 0;
    header.length = BATCH_HEADER_SIZE - BATCH_OVERHEAD;
    batch_header_write(empty.at, &header);
    cr_assert_eq(compact_target_add(&bench.target, bytes_make(empty.at, BATCH_HEADER_SIZE)), 0);
    cr_assert_eq(bench.target.segment.timestamp_max, 1000);
    cr_assert_eq(bench.target.segment.next_offset, 102);
    byte_buffer_deinit(&empty);
    bench_deinit(&bench);
}

/* What an earlier try has left is not taken over. */
Test(compact_pass, a_new_try_begins_anew) {
    struct bench bench;
    bench_init(&bench);
    fill(&bench);
    cr_assert_eq(compact_target_open(&bench.target, bench.disk, &bench.identity, 4096), 0);
    add(&bench, 100, 10, 1000);
    cr_assert_eq(compact_target_finish(&bench.target, true), 0);
    size_t count;
    cr_assert_eq(read_all(&bench, &count), 0);
    cr_assert_eq(count, 1);
    cr_assert_eq(compact_target_open(&bench.target, bench.disk, &bench.identity, 4096), 0);
    compact_target_abandon(&bench.target);
    struct file *file;
    cr_assert_eq(segment_open_read(bench.disk, &bench.identity, &file), -ENOENT);
    bench_deinit(&bench);
}

Test(compact_pass, damage_ends_the_reading) {
    struct bench bench;
    bench_init(&bench);
    fill(&bench);
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, 3, 5, 2);
    struct file *file;
    cr_assert_eq(file_open(bench.disk, path, FILE_READ | FILE_WRITE, &file), 0);
    static const uint64_t places[] = {SEGMENT_START + 8, SEGMENT_START + 16, SEGMENT_START + 40,
                                      SEGMENT_START + 5000};
    size_t count;
    for (size_t at = 0; at < array_count(places); at++) {
        uint8_t byte;
        cr_assert_eq(file_read_at(file, &byte, 1, places[at]), 1);
        byte ^= 0x40;
        cr_assert_eq(file_write_at(file, &byte, 1, places[at]), 0);
        cr_assert_eq(read_all(&bench, &count), -EBADMSG, "%zu", at);
        cr_assert(count < 3);
        byte ^= 0x40;
        cr_assert_eq(file_write_at(file, &byte, 1, places[at]), 0);
    }
    cr_assert_eq(read_all(&bench, &count), 0);
    cr_assert_eq(file_truncate(file, SEGMENT_START + 300000), 0);
    cr_assert_eq(read_all(&bench, &count), -EBADMSG, "shorter than its extent");
    file_close(file);
    bench_deinit(&bench);
}
