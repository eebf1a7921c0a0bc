#include "storage/snapshot.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/memory.h"
#include "base/random.h"
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

enum { FIRST = 56, ROW = 58 }; /* where the first partition begins; bytes of a segment's row */

/* Where the rows of its segments are, when it has no epochs. */
static size_t rows_of_first(const struct byte_buffer *bytes) {
    size_t remainder = FIRST + 8 + 1 + 4 + 3 * 8 + 12 + 3 * 8;
    return remainder + 4 + load_u32(bytes->at + remainder) + 4;
}

/* As format 2 wrote it: without places. */
static void make_version_two(struct byte_buffer *bytes, const struct partition *partition) {
    cr_assert_eq(load_u32(bytes->at + 12), 3);
    store_u32(bytes->at + 12, 2);
    size_t rows = rows_of_first(bytes);
    for (size_t at = 0; at < partition->segment_count; at++)
        cut(bytes, rows + at * (ROW - 1) + ROW - 1, 1);
    make_whole(bytes);
}

static void expect_as_it_was(const struct byte_buffer *bytes, const struct partition *partition,
                             uint64_t incarnation) {
    struct shard *shard = shard_new(3);
    cr_assert(snapshot_decode(byte_buffer_bytes(bytes), shard));
    const struct partition *again =
        list_entry(list_first(&shard->partitions), struct partition, in_shard);
    cr_assert_eq(again->next_offset, partition->high_watermark);
    cr_assert_eq(again->segment_count, partition->segment_count);
    for (size_t at = 0; at < again->segment_count; at++) {
        cr_assert_eq(again->segments[at].next_offset, partition->segments[at].next_offset);
        cr_assert_eq(again->segments[at].sealed, partition->segments[at].sealed);
        cr_assert_eq(again->segments[at].place, 0);
    }
    cr_assert_eq(again->offline, DAMAGE_NONE);
    cr_assert_eq(shard->contained.incarnation, incarnation);
    shard_drop(shard);
}

Test(snapshot, version_two_is_read) {
    struct fixture fixture;
    fill(&fixture);
    struct partition *partition = fixture_partition(&fixture, 3);
    struct byte_buffer bytes = {0};
    partition->shard->contained.incarnation = 9;
    snapshot_encode(partition->shard, &bytes);
    make_version_two(&bytes, partition);
    expect_as_it_was(&bytes, partition, 9);
    byte_buffer_deinit(&bytes);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* What the first release wrote: no journal mark, of each partition neither offline nor epochs nor
 * compacted offset, and of segments no revision. */
Test(snapshot, version_one_is_read) {
    struct fixture fixture;
    fill(&fixture);
    struct partition *partition = fixture_partition(&fixture, 3);
    struct byte_buffer bytes = {0};
    snapshot_encode(partition->shard, &bytes);
    make_version_two(&bytes, partition);
    store_u32(bytes.at + 12, 1);
    cut(&bytes, 32, 20);
    cut(&bytes, 36 + 8, 1 + 4); /* of the one partition, behind its id and leader epoch */
    cut(&bytes, 36 + 24, 8);    /* behind its high watermark */
    size_t rows = 36 + 24 + 12 + 3 * 8 + 4 + load_u32(bytes.at + 36 + 24 + 12 + 3 * 8) + 4;
    for (size_t at = 0; at < partition->segment_count; at++) cut(&bytes, rows + at * 53 + 4, 4);
    make_whole(&bytes);
    expect_as_it_was(&bytes, partition, 0);
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

/* What a start says to these bytes. */
static int load_from(struct byte_buffer *bytes) {
    struct blobs *blobs = blobs_new_memory();
    struct shard *shard = shard_new(3);
    cr_assert_eq(blobs_put(blobs, LAYOUT_SNAPSHOTS "/3", byte_buffer_bytes(bytes)), 0);
    int result = snapshot_load(blobs, shard);
    shard_drop(shard);
    blobs_free(blobs);
    return result;
}

/* Intact, but of a format to come: nothing of it is guessed. */
Test(snapshot, a_newer_version_is_named) {
    struct shard *shard = shard_new(3);
    struct byte_buffer bytes = {0};
    snapshot_encode(shard, &bytes);
    cr_assert_eq(load_from(&bytes), 0);
    store_u32(bytes.at + 12, 4);
    make_whole(&bytes);
    cr_assert_eq(load_from(&bytes), -EPROTONOSUPPORT);
    bytes.at[20] ^= 1;
    cr_assert_eq(load_from(&bytes), -EBADMSG);
    shard_drop(shard);
    byte_buffer_deinit(&bytes);
}

/* The same of a segment that a later release has put elsewhere. */
Test(snapshot, a_place_that_is_not_known_is_named) {
    struct shard *shard = shard_new(3);
    struct partition_definition definition = {.id = 9, .shard = 3};
    struct partition *partition = partition_new(&definition, shard, NULL);
    struct byte_buffer bytes = {0};
    partition_add_segment(partition, 0, 0, 1);
    snapshot_encode(shard, &bytes);
    cr_assert_eq(load_from(&bytes), 0);
    partition->segments[0].place = 1;
    bytes.len = 0;
    snapshot_encode(shard, &bytes);
    cr_assert_eq(load_from(&bytes), -EPROTONOSUPPORT);
    shard_drop(shard);
    byte_buffer_deinit(&bytes);
}

/* A directory as the release before has left it: it serves, and is of this format then. */
Test(snapshot, a_directory_of_format_two_goes_on, .timeout = 60) {
    struct fixture fixture;
    char path[100];
    fill(&fixture);
    struct partition *partition = fixture_partition(&fixture, 3);
    struct byte_buffer bytes = {0};
    uint64_t read_bytes = 0;
    snapshot_encode(partition->shard, &bytes);
    make_version_two(&bytes, partition);
    int64_t end = fixture_read_all(&fixture, 3, 0, &read_bytes);
    fixture_stop(&fixture);
    snprintf(path, sizeof path, "%s/" LAYOUT_SNAPSHOTS "/3", fixture.path);
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
    fclose(file);
    fixture_start(&fixture);
    cr_assert_eq(fixture_read_all(&fixture, 3, 0, &read_bytes), end);
    append(&fixture, 3, 100, -1, 0);
    fixture_stop(&fixture);
    uint8_t head[16];
    file = fopen(path, "rb");
    cr_assert_eq(fread(head, 1, sizeof head, file), sizeof head);
    fclose(file);
    cr_assert_eq(load_u32(head + 12), 3);
    byte_buffer_deinit(&bytes);
    fixture_deinit(&fixture);
}
