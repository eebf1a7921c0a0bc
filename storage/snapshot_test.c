#include "storage/snapshot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/memory.h"
#include "base/random.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

/* All partitions of the fixture share shard 1 … 8; id 1 and 65 would share one. */
static struct shard *shard_new(uint32_t id) {
    struct shard *shard = new_zero(struct shard);
    shard->id = id;
    list_init(&shard->partitions);
    list_init(&shard->dirty);
    list_init(&shard->in_store);
    return shard;
}

static void shard_drop(struct shard *shard) {
    list_each(node, &shard->partitions)
        partition_unpin(list_entry(node, struct partition, in_shard));
    free(shard);
}

static void append(struct fixture *fixture, uint32_t id, size_t value_bytes, int64_t producer_id,
                   int32_t sequence) {
    struct bytes batch = fixture_batch(1, value_bytes, 5000 + sequence, producer_id, sequence);
    cr_assert(fixture_append(fixture, id, batch) >= 0);
    free((void *)batch.at);
}

/* A shard with segments, a log start inside, producers, and bytes that are not settled. */
static void fill(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture->rules.segment_bytes = 100000;
    fixture_start(fixture);
    struct random random;
    random_init(&random, 11);
    int32_t sequences[3] = {0};
    for (int at = 0; at < 60; at++)
        append(fixture, 3, random_below(&random, 9000), at % 3 ? 40 + at % 3 : -1,
               sequences[at % 3]++);
    struct partition *partition = fixture_partition(fixture, 3);
    while (!snapshot_is_possible(partition->shard)) {
        settle_force(partition);
        ring_round(fixture->ring, true);
    }
    while (fixture->store->flows) ring_round(fixture->ring, true);
}

Test(snapshot, round_trip) {
    struct fixture fixture;
    fill(&fixture);
    struct partition *partition = fixture_partition(&fixture, 3);
    struct byte_buffer first = {0}, second = {0};
    partition->segments[1].revision = 6;
    partition->compacted_offset = 5;
    snapshot_encode(partition->shard, &first);
    partition->segments[1].revision = 0;
    struct shard *shard = shard_new(3);
    cr_assert(snapshot_decode(byte_buffer_bytes(&first), shard));
    struct partition *again =
        list_entry(list_first(&shard->partitions), struct partition, in_shard);
    cr_assert_eq(again->definition.id, 3);
    cr_assert_eq(again->next_offset, partition->high_watermark);
    cr_assert_eq(again->segment_count, partition->segment_count);
    cr_assert(again->segment_count > 2);
    cr_assert(place_equal(again->settled, partition->settled));
    cr_assert(place_equal(again->end, partition->end));
    cr_assert_eq(producers_count(&again->producers), 2);
    cr_assert_eq(again->segments[1].revision, 6);
    cr_assert_eq(again->compacted_offset, 5);
    snapshot_encode(shard, &second);
    cr_assert(bytes_equal(byte_buffer_bytes(&first), byte_buffer_bytes(&second)));
    shard_drop(shard);
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(snapshot, every_truncation_and_flipped_byte_is_refused, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture);
    struct byte_buffer bytes = {0};
    snapshot_encode(fixture_partition(&fixture, 3)->shard, &bytes);
    cr_assert(bytes.len > 500);
    for (size_t len = 0; len < bytes.len; len++) {
        struct shard *shard = shard_new(3);
        cr_assert_not(snapshot_decode(bytes_make(bytes.at, len), shard), "%zu bytes", len);
        shard_drop(shard);
    }
    for (size_t at = 0; at < bytes.len; at++) {
        bytes.at[at] ^= (uint8_t)(1 << at % 8);
        struct shard *shard = shard_new(3);
        cr_assert_not(snapshot_decode(byte_buffer_bytes(&bytes), shard), "byte %zu", at);
        shard_drop(shard);
        bytes.at[at] ^= (uint8_t)(1 << at % 8);
    }
    struct shard *other = shard_new(4);
    cr_assert_not(snapshot_decode(byte_buffer_bytes(&bytes), other), "another shard's");
    shard_drop(other);
    byte_buffer_deinit(&bytes);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

static void cut(struct byte_buffer *bytes, size_t at, size_t len) {
    memmove(bytes->at + at, bytes->at + at + len, bytes->len - at - len);
    bytes->len -= len;
}
static void make_whole(struct byte_buffer *bytes) {
    store_u32(bytes->at + 8, crc32c(bytes->at + 12, bytes->len - 12));
}

/* What the first release wrote: no journal mark, of each partition neither offline nor epochs nor
 * compacted offset, and of segments no revision. */
Test(snapshot, version_one_is_read) {
    struct fixture fixture;
    fill(&fixture);
    struct partition *partition = fixture_partition(&fixture, 3);
    struct byte_buffer bytes = {0};
    snapshot_encode(partition->shard, &bytes);
    cr_assert_eq(load_u32(bytes.at + 12), 2);
    store_u32(bytes.at + 12, 1);
    cut(&bytes, 32, 20);
    cut(&bytes, 36 + 8, 1 + 4); /* of the one partition, behind its id and leader epoch */
    cut(&bytes, 36 + 24, 8);    /* behind its high watermark */
    size_t rows = 36 + 24 + 12 + 3 * 8 + 4 + load_u32(bytes.at + 36 + 24 + 12 + 3 * 8) + 4;
    for (size_t at = 0; at < partition->segment_count; at++) cut(&bytes, rows + at * 53 + 4, 4);
    make_whole(&bytes);
    struct shard *shard = shard_new(3);
    cr_assert(snapshot_decode(byte_buffer_bytes(&bytes), shard));
    struct partition *again =
        list_entry(list_first(&shard->partitions), struct partition, in_shard);
    cr_assert_eq(again->next_offset, partition->high_watermark);
    cr_assert_eq(again->segment_count, partition->segment_count);
    cr_assert_eq(again->offline, DAMAGE_NONE);
    cr_assert_eq(shard->contained.incarnation, 0);
    shard_drop(shard);
    byte_buffer_deinit(&bytes);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(snapshot, offline_epochs_and_the_journal_mark_are_kept) {
    struct shard *shard = shard_new(3), *again = shard_new(3);
    struct partition_definition definition = {.id = 9, .shard = 3, .leader_epoch = 5};
    struct partition *partition = partition_new(&definition, shard, NULL);
    partition->offline = DAMAGE_MISFIT;
    epochs_begin(&partition->epochs, 4, 5, 0);
    shard->contained = (struct journal_mark){.incarnation = 6, .core = 7, .through = 8};
    struct byte_buffer bytes = {0};
    snapshot_encode(shard, &bytes);
    cr_assert(snapshot_decode(byte_buffer_bytes(&bytes), again));
    cr_assert_eq(memcmp(&again->contained, &shard->contained, sizeof shard->contained), 0);
    const struct partition *found =
        list_entry(list_first(&again->partitions), struct partition, in_shard);
    cr_assert_eq(found->offline, DAMAGE_MISFIT);
    cr_assert_eq(found->definition.leader_epoch, 5);
    cr_assert_eq(found->epochs.count, 2);
    shard_drop(shard);
    shard_drop(again);
    byte_buffer_deinit(&bytes);
}

/* Intact, but of a format to come: nothing of it is guessed. */
Test(snapshot, a_newer_version_is_named) {
    struct sim *sim = sim_new(1);
    struct disk *disk = sim_disk_open(sim);
    cr_assert_eq(disk_make_directory(disk, LAYOUT_SNAPSHOTS), 0);
    struct shard *shard = shard_new(3);
    struct byte_buffer bytes = {0};
    snapshot_encode(shard, &bytes);
    store_u32(bytes.at + 12, 3);
    make_whole(&bytes);
    cr_assert_eq(
        disk_replace_file(disk, LAYOUT_SNAPSHOTS, LAYOUT_SNAPSHOTS "/3", byte_buffer_bytes(&bytes)),
        0);
    cr_assert_eq(snapshot_load(disk, shard), -EPROTONOSUPPORT);
    shard_drop(shard);
    byte_buffer_deinit(&bytes);
    disk_close(disk);
    sim_free(sim);
}
