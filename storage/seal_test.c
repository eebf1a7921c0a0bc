/* Segments that were rolled when the process died are sealed after the next start. */
#include "storage/seal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/layout.h"
#include "storage/store_fixture.h"

enum { PARTITIONS = 3, BATCHES = 12, BATCH_BYTES = 40000, SEGMENT_BYTES = 100 << 10 };

/* Several segments each; killed before a snapshot says that one of them is sealed. */
static void begin(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture->partitions = PARTITIONS;
    fixture->rules.segment_bytes = SEGMENT_BYTES;
    fixture_start(fixture);
    struct bytes batch = fixture_batch(4, BATCH_BYTES / 4, 1000, -1, 0);
    for (int times = 0; times < BATCHES; times++)
        for (uint32_t id = 1; id <= PARTITIONS; id++)
            cr_assert(fixture_append(fixture, id, batch) >= 0);
    free((void *)batch.at);
    fixture_kill(fixture);
}

static void run_until_sealed(struct fixture *fixture) {
    const struct store *store = fixture->store;
    do ring_round(fixture->ring, false);
    while (store->sealing || !list_is_empty(&store->unsealed));
}

static bool has_footer(const struct fixture *fixture, const struct partition *partition,
                       const struct segment *segment) {
    struct segment_identity identity = partition_identity(partition, &fixture->directory, segment);
    struct file *file = NULL;
    struct index index = {0};
    cr_assert_eq(segment_open_read(fixture->directory.disk, &identity, &file), 0);
    bool loaded = segment_load_footer(file, segment, &index);
    if (loaded) cr_assert(index.count > 0 && index.entries[0].offset == segment->base_offset);
    index_deinit(&index);
    file_close(file);
    return loaded;
}

/* All but the active ones, except the one that is named. */
static void expect_sealed(struct fixture *fixture, uint32_t but_of, uint32_t but) {
    for (uint32_t id = 1; id <= PARTITIONS; id++) {
        const struct partition *partition = fixture_partition(fixture, id);
        cr_assert(partition->segment_count > 3);
        for (size_t at = 0; at + 1 < partition->segment_count; at++) {
            const struct segment *segment = &partition->segments[at];
            bool wanted = id != but_of || segment->number != but;
            cr_assert_eq(segment->sealed, wanted, "%u-%u", id, segment->number);
            cr_assert_eq(has_footer(fixture, partition, segment), wanted);
            cr_assert_not(wanted && segment->file && segment->file->write);
        }
    }
}

static void expect_whole(struct fixture *fixture) {
    for (uint32_t id = 1; id <= PARTITIONS; id++) {
        uint64_t bytes = 0;
        cr_assert_eq(fixture_read_all(fixture, id, 0, &bytes), 4 * BATCHES);
    }
}

Test(seal, after_a_crash) {
    struct fixture fixture;
    begin(&fixture);
    fixture_start(&fixture);
    for (uint32_t id = 1; id <= PARTITIONS; id++)
        cr_assert_not(fixture_partition(&fixture, id)->segments[0].sealed);
    run_until_sealed(&fixture);
    expect_sealed(&fixture, 0, 0);
    expect_whole(&fixture);
    fixture_stop(&fixture);
    fixture_start(&fixture);
    cr_assert(list_is_empty(&fixture.store->unsealed), "it is on record");
    expect_sealed(&fixture, 0, 0);
    expect_whole(&fixture);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Footers that no snapshot knows of are written once more. */
Test(seal, killed_while_it_seals) {
    struct fixture fixture;
    begin(&fixture);
    for (int lives = 0; lives < 4; lives++) {
        fixture_start(&fixture);
        for (int rounds = 0; rounds < lives; rounds++) ring_round(fixture.ring, false);
        fixture_kill(&fixture);
    }
    fixture_start(&fixture);
    run_until_sealed(&fixture);
    expect_sealed(&fixture, 0, 0);
    expect_whole(&fixture);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* A segment with damage is left as it is; a footer would hide from readers where it begins. */
Test(seal, not_where_it_is_damaged) {
    struct fixture fixture;
    begin(&fixture);
    fixture_start(&fixture);
    char path[160];
    snprintf(path, sizeof path, "%s/segments/2-1", fixture.path);
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0);
    uint8_t zeros[BATCH_BYTES + 200] = {0};
    cr_assert_eq(pwrite(fd, zeros, sizeof zeros, SEGMENT_START), sizeof zeros);
    close(fd);
    run_until_sealed(&fixture);
    expect_sealed(&fixture, 2, 1);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(seal, a_partition_that_is_deleted_meanwhile) {
    struct fixture fixture;
    begin(&fixture);
    fixture_start(&fixture);
    ring_round(fixture.ring, false);
    for (uint32_t id = 1; id <= PARTITIONS; id++) store_delete_partition(fixture.store, id);
    run_until_sealed(&fixture);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
