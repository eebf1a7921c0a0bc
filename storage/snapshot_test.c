#include "storage/snapshot.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
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
    snapshot_encode(partition->shard, &first);
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
    snapshot_encode(shard, &second);
    cr_assert(bytes_equal(byte_buffer_bytes(&first), byte_buffer_bytes(&second)));
    shard_drop(shard);
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(snapshot, every_truncation_and_flipped_byte_is_refused, .timeout = 60) {
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

/* A start that cannot read a snapshot says so and touches nothing. */
Test(snapshot, a_damaged_one_refuses_to_start) {
    struct fixture fixture;
    fill(&fixture);
    struct byte_buffer bytes = {0};
    snapshot_encode(fixture_partition(&fixture, 3)->shard, &bytes);
    fixture_stop(&fixture);
    bytes.at[bytes.len / 2] ^= 1;
    struct error error = {0};
    struct disk *disk = disk_open(fixture.path, false, &error);
    cr_assert_eq(disk_replace_file(disk, "snapshots", "snapshots/3", byte_buffer_bytes(&bytes)), 0);
    struct data_directory directory;
    struct recovered *recovered = NULL;
    cr_assert(data_directory_open(disk, 1, &directory, &error));
    cr_assert_not(recover_open(&directory, &recovered, &error));
    cr_assert(strstr(error.text, "snapshot 3"), "%s", error.text);
    data_directory_close(&directory);
    byte_buffer_deinit(&bytes);
    fixture_deinit(&fixture);
}
