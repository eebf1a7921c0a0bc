/* Whole passes over a store: what is read back is compared with a list of all that was appended. */
#include "storage/compact.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "protocol/batch_build.h"
#include "protocol/compress.h"
#include "storage/compact_select.h"
#include "storage/layout.h"
#include "storage/store_fixture.h"

enum { KEYS_MAX = 4096, PRODUCER = 77 };

/* What was appended, by offset. */
struct appended {
    uint32_t key;
    bool tombstone;
    uint32_t value; /* bytes of it, and what they are */
    int64_t timestamp;
};

struct bench {
    struct fixture fixture;
    struct random random;
    struct appended *log;
    size_t count, capacity;
    int32_t sequence;
};

static void bench_init(struct bench *bench, enum io_backend backend) {
    *bench = (struct bench){0};
    random_init(&bench->random, 9);
    fixture_init(&bench->fixture, backend);
    bench->fixture.rules.compacted = true;
    bench->fixture.rules.delete_old = false;
    bench->fixture.rules.segment_bytes = 30000;
    bench->fixture.rules.delete_retention_ms = INT64_MAX;
    bench->fixture.options.cache_bytes_max = 100000;
    bench->fixture.partitions = 2;
    fixture_start(&bench->fixture);
}

static void bench_deinit(struct bench *bench) {
    fixture_stop(&bench->fixture);
    fixture_deinit(&bench->fixture);
    free(bench->log);
}

static struct partition *log_of(struct bench *bench) {
    return fixture_partition(&bench->fixture, 1);
}

/* --- appending --- */

static void remember(struct bench *bench, struct appended appended) {
    if (bench->count == bench->capacity) {
        bench->capacity = bench->capacity * 2 + 64;
        bench->log = memory_resize(bench->log, bench->capacity * sizeof *bench->log);
    }
    bench->log[bench->count++] = appended;
}

static struct bytes key_bytes(char text[16], uint32_t key) {
    snprintf(text, 16, "key %u", key);
    return bytes_of_text(text);
}

/* One batch of `count` records with random keys below `keys`. */
static void append_batch(struct bench *bench, uint32_t keys, uint32_t count, uint32_t value_max,
                         enum codec codec, bool idempotent) {
    struct batch_build build;
    batch_build_init(&build);
    if (idempotent) {
        build.header.producer_id = PRODUCER;
        build.header.producer_epoch = 0;
        build.header.base_sequence = bench->sequence;
        bench->sequence += (int32_t)count;
    }
    for (uint32_t at = 0; at < count; at++) {
        struct appended appended = {
            .key = (uint32_t)random_below(&bench->random, keys),
            .tombstone = random_below(&bench->random, 10) == 0,
            .value = (uint32_t)random_below(&bench->random, value_max),
            .timestamp = 1000000 + (int64_t)random_below(&bench->random, 1000000)};
        char text[16];
        uint8_t *value = memory_new(appended.value + 1);
        memset(value, (int)(appended.value % 251), appended.value);
        batch_build_add(&build, appended.timestamp, key_bytes(text, appended.key),
                        appended.tombstone ? BYTES_NULL : bytes_make(value, appended.value), NULL,
                        0);
        free(value);
        remember(bench, appended);
    }
    struct byte_buffer out = {0};
    struct error error;
    cr_assert(batch_build_finish(&build, codec, &out, &error));
    cr_assert_eq(fixture_append(&bench->fixture, 1, byte_buffer_bytes(&out)),
                 (int64_t)(bench->count - count));
    batch_build_deinit(&build);
    byte_buffer_deinit(&out);
}

static void append_many(struct bench *bench, uint32_t keys, int batches) {
    for (int at = 0; at < batches; at++)
        append_batch(bench, keys, 1 + (uint32_t)random_below(&bench->random, 20), 300,
                     (enum codec)random_below(&bench->random, CODEC_COUNT), at % 3 == 0);
}

/* --- compacting --- */

static void settle_down(struct bench *bench) {
    struct store *store = bench->fixture.store;
    uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S;
    ring_round(bench->fixture.ring, false);
    while (store->flows || store->reserved_bytes || !journal_is_quiet(&store->journal) ||
           store->compaction || timer_is_armed(&store->compact)) {
        ring_round(bench->fixture.ring, true);
        cr_assert(clock_monotonic_ns() < deadline, "it does not end");
    }
}

/* Closes the active segment and compacts until nothing is due; answers how many passes it took. */
static uint64_t compact(struct bench *bench) {
    struct store *store = bench->fixture.store;
    uint64_t before = store->compacted.passes;
    partition_roll_now(log_of(bench), ring_wall_ms(bench->fixture.ring));
    settle_down(bench);
    compact_round(store);
    settle_down(bench);
    return store->compacted.passes - before;
}

static void restart(struct bench *bench, bool stop) {
    settle_down(bench);
    if (stop)
        fixture_stop(&bench->fixture);
    else
        fixture_kill(&bench->fixture);
    fixture_start(&bench->fixture);
}

/* --- reading back --- */

struct waiting_read {
    struct read read;
    bool done;
};

static void read_done(struct read *read) {
    container_of(read, struct waiting_read, read)->done = true;
}

/* What a reader finds: per offset, whether the record is there. */
struct found {
    bool *at;
    size_t records, batches, empty_batches;
};

static void check_record(struct bench *bench, int64_t offset, const struct record *record,
                         int64_t timestamp) {
    cr_assert(offset >= 0 && (size_t)offset < bench->count);
    const struct appended *appended = &bench->log[offset];
    char text[16];
    cr_assert(bytes_equal(record->key, key_bytes(text, appended->key)), "offset %lld",
              (long long)offset);
    cr_assert_eq(bytes_is_null(record->value), appended->tombstone);
    if (!appended->tombstone) cr_assert_eq(record->value.len, appended->value);
    for (size_t at = 0; at < record->value.len; at++)
        cr_assert_eq(record->value.at[at], (uint8_t)(appended->value % 251));
    cr_assert_eq(timestamp, appended->timestamp, "offset %lld", (long long)offset);
}

static int64_t check_batch(struct bench *bench, struct bytes batch, int64_t from,
                           struct found *found) {
    struct batch_header header;
    cr_assert(batch_header_read(batch, &header) && batch_crc_valid(batch));
    cr_assert(batch_last_offset(&header) >= from, "offsets go back at %lld",
              (long long)header.base_offset);
    struct inflater *inflater = inflater_new();
    struct bytes records = batch_records(bytes_make(batch.at, batch_size(&header)));
    if (batch_codec(&header) != CODEC_NONE)
        cr_assert_eq(inflater_run(inflater, batch_codec(&header), records,
                                  (struct compress_limits){64 << 20, 1000}, &records),
                     INFLATE_DONE);
    struct record record;
    int64_t last = header.base_offset - 1;
    while (record_next(&records, &record) == RECORD_READ) {
        int64_t offset = header.base_offset + record.offset_delta;
        cr_assert(offset > last && offset <= batch_last_offset(&header));
        last = offset;
        check_record(bench, offset, &record, header.base_timestamp + record.timestamp_delta);
        found->records += !found->at[offset];
        found->at[offset] = true;
    }
    inflater_free(inflater);
    found->batches++;
    found->empty_batches += header.record_count == 0;
    return batch_last_offset(&header) + 1;
}

static int64_t read_some(struct bench *bench, int64_t offset, size_t bytes_max,
                         struct found *found) {
    struct waiting_read waiting = {
        .read = {.offset = offset, .bytes_max = bytes_max, .minimum_one = true, .done = read_done}};
    if (!partition_read(log_of(bench), &waiting.read))
        fixture_run_until(&bench->fixture, &waiting.done);
    cr_assert_eq(waiting.read.code, ERROR_NONE, "offset %lld: %d", (long long)offset,
                 waiting.read.code);
    struct byte_buffer all = {0};
    for (int32_t at = 0; at < waiting.read.piece_count; at++)
        byte_buffer_append(&all, waiting.read.pieces[at]);
    read_release(&waiting.read);
    struct bytes rest = byte_buffer_bytes(&all);
    while (rest.len) {
        struct batch_header header;
        cr_assert(batch_header_read(rest, &header) && batch_size(&header) <= rest.len);
        offset = check_batch(bench, rest, offset, found);
        rest = bytes_make(rest.at + batch_size(&header), rest.len - batch_size(&header));
    }
    cr_assert(all.len > 0, "nothing at %lld of %zu", (long long)offset, bench->count);
    byte_buffer_deinit(&all);
    return offset;
}

static struct found read_all(struct bench *bench) {
    struct found found = {.at = memory_zero(bench->count + 1, sizeof(bool))};
    int64_t offset = log_of(bench)->log_start;
    while (offset < (int64_t)bench->count) offset = read_some(bench, offset, 100000, &found);
    cr_assert_eq(offset, (int64_t)bench->count);
    return found;
}

/* The newest record of each key is there; of what is below `compacted` nothing else. */
static struct found expect_compacted(struct bench *bench, int64_t compacted) {
    struct found found = read_all(bench);
    bool *seen = memory_zero(KEYS_MAX, sizeof *seen);
    for (size_t offset = bench->count; offset-- > 0;) {
        uint32_t key = bench->log[offset].key;
        bool newest = !seen[key];
        seen[key] = true;
        bool trimmed = (int64_t)offset < log_of(bench)->log_start;
        if (newest && !trimmed) cr_assert(found.at[offset], "key %u at %zu is lost", key, offset);
        if (!newest && (int64_t)offset < compacted) {
            /* A newer one above what is compacted replaces nothing yet. */
            size_t newer = offset + 1;
            while (bench->log[newer].key != key) newer++;
            cr_assert(!found.at[offset] || (int64_t)newer >= compacted,
                      "key %u at %zu is there, as is the newer one at %zu", key, offset, newer);
        }
    }
    free(seen);
    return found;
}

static void expect(struct bench *bench, int64_t compacted) {
    free(expect_compacted(bench, compacted).at);
}

/* --- files --- */

static int count_file(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    uint32_t partition, segment, revision;
    cr_assert(layout_segment_parse(name, &partition, &segment, &revision));
    if (partition == 1) ++*(size_t *)context;
    return 0;
}

static size_t file_count(struct bench *bench) {
    size_t count = 0;
    cr_assert_eq(disk_list(bench->fixture.directory.disk, LAYOUT_SEGMENTS, count_file, &count), 0);
    return count;
}

/* --- tests --- */

static void newest_stays(enum io_backend backend) {
    struct bench bench;
    bench_init(&bench, backend);
    append_many(&bench, 50, 400);
    size_t segments = log_of(&bench)->segment_count;
    cr_assert(segments > 4);
    cr_assert_eq(compact(&bench), 1);
    struct partition *partition = log_of(&bench);
    cr_assert_eq(partition->compacted_offset, (int64_t)bench.count);
    cr_assert(partition->segment_count <= 3, "%zu", partition->segment_count);
    cr_assert(file_count(&bench) <= partition->segment_count);
    struct found found = expect_compacted(&bench, (int64_t)bench.count);
    cr_assert_eq(found.records, 50);
    free(found.at);
    cr_assert_eq(compact(&bench), 0, "nothing is dirty any more");
    append_many(&bench, 60, 100);
    compact(&bench);
    expect(&bench, (int64_t)bench.count);
    append_many(&bench, 60, 30);
    expect(&bench, 0);
    bench_deinit(&bench);
}
Test(compact, the_newest_of_each_key_stays, .timeout = 300) {
    newest_stays(IO_EPOLL);
    struct error why;
    struct ring_options options = {.backend = IO_URING, .workers = workers_new(1)};
    struct ring *ring = ring_new(&options, &why);
    if (ring) ring_free(ring);
    workers_free(options.workers);
    if (ring) newest_stays(IO_URING);
}

Test(compact, a_start_finds_what_it_left, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    for (int round = 0; round < 6; round++) {
        append_many(&bench, 40, 80);
        if (round % 2) compact(&bench);
        int64_t compacted = log_of(&bench)->compacted_offset;
        restart(&bench, round % 3 == 0);
        cr_assert_eq(log_of(&bench)->compacted_offset, compacted);
        expect(&bench, compacted);
        size_t files = 0, named = 0;
        for (size_t at = 0; at < log_of(&bench)->segment_count; at++) named++;
        files = file_count(&bench);
        cr_assert(files <= named + 1, "%zu files of %zu segments", files, named);
    }
    bench_deinit(&bench);
}

/* Any offset can be asked for, also one that is in a gap. */
Test(compact, every_offset_is_answered, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 300);
    compact(&bench);
    append_many(&bench, 20, 5);
    for (int round = 0; round < 2; round++) {
        struct found found = {.at = memory_zero(bench.count + 1, sizeof(bool))};
        for (int64_t offset = 0; offset < (int64_t)bench.count; offset++)
            cr_assert(read_some(&bench, offset, 1, &found) > offset);
        free(found.at);
        restart(&bench, false);
    }
    bench_deinit(&bench);
}

/* More keys than the map holds: several passes, and memory stays what it is. */
Test(compact, a_small_map_takes_several_passes, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    bench.fixture.store->options.compact_bytes_max = 1;
    append_many(&bench, KEYS_MAX, 1000);
    uint64_t passes = compact(&bench);
    cr_assert(passes > 2, "%llu", (unsigned long long)passes);
    cr_assert_eq(log_of(&bench)->compacted_offset, (int64_t)bench.count);
    expect(&bench, (int64_t)bench.count);
    bench_deinit(&bench);
}

Test(compact, tombstones_go_after_their_time, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    struct partition_rules rules = log_of(&bench)->definition.rules;
    append_many(&bench, 30, 200);
    compact(&bench);
    struct found before = expect_compacted(&bench, (int64_t)bench.count);
    size_t tombstones = 0;
    for (size_t at = 0; at < bench.count; at++)
        tombstones += before.at[at] && bench.log[at].tombstone;
    free(before.at);
    cr_assert(tombstones > 0);
    /* A time to come was written into the batches; the rules of now do not matter any more. */
    rules.delete_retention_ms = 0;
    partition_configure(log_of(&bench), &rules);
    size_t appended = bench.count;
    append_batch(&bench, 1, 1, 10, CODEC_NONE, false);
    bench.log[appended].tombstone = bench.log[appended].tombstone;
    compact(&bench);
    struct found still = read_all(&bench);
    size_t left = 0;
    for (size_t at = 0; at < appended; at++) left += still.at[at] && bench.log[at].tombstone;
    cr_assert(left + 1 >= tombstones, "%zu of %zu", left, tombstones);
    free(still.at);
    bench_deinit(&bench);

    bench_init(&bench, IO_EPOLL);
    rules = log_of(&bench)->definition.rules;
    rules.delete_retention_ms = 0;
    partition_configure(log_of(&bench), &rules);
    append_many(&bench, 30, 200);
    compact(&bench);
    struct found kept = read_all(&bench);
    size_t first = 0;
    for (size_t at = 0; at < bench.count; at++) first += kept.at[at] && bench.log[at].tombstone;
    cr_assert(first > 0, "the first compaction only sets the time");
    free(kept.at);
    appended = bench.count;
    for (int at = 0; at < 200; at++) append_batch(&bench, 1, 5, 10, CODEC_NONE, false);
    compact(&bench);
    struct found gone = read_all(&bench);
    for (size_t at = 0; at < appended; at++)
        cr_assert_not(gone.at[at] && bench.log[at].tombstone, "%zu", at);
    free(gone.at);
    bench_deinit(&bench);
}

/* The last batch of a producer and the last of the log stay, without records if need be. */
Test(compact, sequences_and_the_end_stay_known, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_batch(&bench, 1, 5, 10, CODEC_ZSTD, true);
    for (int at = 0; at < 50; at++) append_batch(&bench, 1, 5, 5000, CODEC_NONE, false);
    compact(&bench);
    struct found found = expect_compacted(&bench, (int64_t)bench.count);
    cr_assert_eq(found.records, 1);
    cr_assert_eq(found.batches, 2);
    cr_assert_eq(found.empty_batches, 1);
    free(found.at);
    restart(&bench, false);
    const struct producer *producer = producers_find(&log_of(&bench)->producers, PRODUCER);
    cr_assert(producer);
    cr_assert_eq(producer->batches[0].base_offset, 0);
    append_batch(&bench, 1, 5, 10, CODEC_NONE, true);
    for (int at = 0; at < 50; at++) append_batch(&bench, 1, 5, 5000, CODEC_NONE, false);
    compact(&bench);
    found = expect_compacted(&bench, (int64_t)bench.count);
    cr_assert_eq(found.batches, 2, "the producer's first batch is not its last any more");
    free(found.at);
    bench_deinit(&bench);
}

/* Segments of a few records that nobody closes otherwise. */
Test(compact, a_small_log_is_closed_by_age, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    struct partition_rules rules = log_of(&bench)->definition.rules;
    append_batch(&bench, 2, 5, 10, CODEC_NONE, false);
    append_batch(&bench, 2, 5, 10, CODEC_NONE, false);
    settle_down(&bench);
    compact_round(bench.fixture.store);
    settle_down(&bench);
    cr_assert_eq(log_of(&bench)->segment_count, 1, "not yet");
    rules.compaction_lag_ms_max = 1;
    partition_configure(log_of(&bench), &rules);
    uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S;
    while (bench.fixture.store->compacted.passes == 0 && clock_monotonic_ns() < deadline) {
        compact_round(bench.fixture.store);
        settle_down(&bench);
    }
    cr_assert_eq(log_of(&bench)->compacted_offset, 10);
    struct found found = expect_compacted(&bench, 10);
    cr_assert(found.records <= 2);
    free(found.at);
    restart(&bench, false);
    append_many(&bench, 10, 3);
    expect(&bench, 10);
    bench_deinit(&bench);
}

/* delete to compact: all of it is dirty. compact to delete: it stays as it is, and ages. */
Test(compact, policies_change_while_running, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    struct partition_rules rules = log_of(&bench)->definition.rules;
    rules.compacted = false;
    rules.delete_old = true;
    partition_configure(log_of(&bench), &rules);
    append_many(&bench, 20, 200);
    cr_assert_eq(compact(&bench), 0);
    rules.compacted = true;
    partition_configure(log_of(&bench), &rules);
    cr_assert_eq(compact(&bench), 1);
    expect(&bench, (int64_t)bench.count);
    rules.compacted = false;
    partition_configure(log_of(&bench), &rules);
    append_many(&bench, 20, 200);
    cr_assert_eq(compact(&bench), 0);
    rules.compacted = true;
    partition_configure(log_of(&bench), &rules);
    partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
    settle_down(&bench);
    compact_round(bench.fixture.store);
    cr_assert(bench.fixture.store->compaction);
    rules.compacted = false;
    partition_configure(log_of(&bench), &rules);
    settle_down(&bench);
    expect(&bench, 0);
    cr_assert(file_count(&bench) <= log_of(&bench)->segment_count, "nothing is left behind");
    bench_deinit(&bench);
}

Test(compact, a_deleted_partition_leaves_nothing, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 200);
    partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
    settle_down(&bench);
    for (int rounds = 0; rounds < 2; rounds++) {
        compact_round(bench.fixture.store);
        for (int at = 0; at < rounds; at++) ring_round(bench.fixture.ring, true);
    }
    store_delete_partition(bench.fixture.store, 1);
    settle_down(&bench);
    cr_assert_eq(file_count(&bench), 0);
    bench_deinit(&bench);
}

/* Retention takes away what a pass is about to replace. */
Test(compact, a_trim_meets_a_pass, .timeout = 300) {
    for (int rounds = 0; rounds < 12; rounds++) {
        struct bench bench;
        bench_init(&bench, IO_EPOLL);
        append_many(&bench, 20, 200);
        partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
        settle_down(&bench);
        compact_round(bench.fixture.store);
        for (int at = 0; at < rounds; at++) ring_round(bench.fixture.ring, true);
        size_t middle = log_of(&bench)->segment_count / 2;
        partition_trimmed(log_of(&bench), log_of(&bench)->segments[middle].base_offset);
        settle_down(&bench);
        compact(&bench);
        expect(&bench, 0);
        cr_assert(file_count(&bench) <= log_of(&bench)->segment_count, "%d", rounds);
        bench_deinit(&bench);
    }
}

/* A batch that no longer matches its CRC: nothing of the partition changes. */
Test(compact, damage_ends_it, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 200);
    partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
    settle_down(&bench);
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, 1, log_of(&bench)->segments[1].number, 0);
    struct file *file;
    uint8_t byte;
    cr_assert_eq(file_open(bench.fixture.directory.disk, path, FILE_READ | FILE_WRITE, &file), 0);
    cr_assert_eq(file_read_at(file, &byte, 1, SEGMENT_START + 100), 1);
    byte ^= 1;
    cr_assert_eq(file_write_at(file, &byte, 1, SEGMENT_START + 100), 0);
    size_t segments = log_of(&bench)->segment_count;
    cr_assert_eq(compact(&bench), 0);
    cr_assert(log_of(&bench)->uncompactable);
    cr_assert_eq(log_of(&bench)->segment_count, segments);
    byte ^= 1;
    cr_assert_eq(file_write_at(file, &byte, 1, SEGMENT_START + 100), 0);
    file_close(file);
    restart(&bench, false);
    cr_assert_eq(compact(&bench), 1, "a start tries again");
    expect(&bench, (int64_t)bench.count);
    bench_deinit(&bench);
}

Test(compact, a_stop_in_the_middle, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 200);
    partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
    settle_down(&bench);
    compact_round(bench.fixture.store);
    fixture_stop(&bench.fixture);
    fixture_start(&bench.fixture);
    expect(&bench, 0);
    cr_assert(file_count(&bench) <= log_of(&bench)->segment_count);
    cr_assert_eq(compact(&bench), 1);
    bench_deinit(&bench);
}

/* The active segment is nobody's business, and what is in it does not make older records go. */
Test(compact, only_closed_segments_count, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 200);
    settle_down(&bench);
    int64_t active = partition_active(log_of(&bench))->base_offset;
    cr_assert(active < (int64_t)bench.count);
    compact_round(bench.fixture.store);
    settle_down(&bench);
    cr_assert_eq(bench.fixture.store->compacted.passes, 1);
    cr_assert_eq(log_of(&bench)->compacted_offset, active);
    struct found found = expect_compacted(&bench, active);
    for (size_t at = (size_t)active; at < bench.count; at++) cr_assert(found.at[at]);
    free(found.at);
    bench_deinit(&bench);
}

/* Where nothing is superseded, nothing is written again. */
Test(compact, what_is_clean_stays_as_it_is, .timeout = 300) {
    struct bench bench;
    bench_init(&bench, IO_EPOLL);
    struct partition_rules rules = log_of(&bench)->definition.rules;
    append_batch(&bench, 1, 1, 10, CODEC_NONE, false);
    append_many(&bench, 200, 300);
    compact(&bench);
    rules.segment_bytes = 1; /* neighbours are not merged any more */
    partition_configure(log_of(&bench), &rules);
    uint32_t revision = log_of(&bench)->segments[0].revision;
    cr_assert(revision > 0);
    uint64_t written = bench.fixture.store->compacted.written_bytes;
    /* A key that was never there. */
    struct batch_build build;
    struct byte_buffer out = {0};
    struct error error;
    batch_build_init(&build);
    batch_build_add(&build, 1, BYTES_OF("another"), BYTES_OF("value"), NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_NONE, &out, &error));
    cr_assert_eq(fixture_append(&bench.fixture, 1, byte_buffer_bytes(&out)), (int64_t)bench.count);
    cr_assert_eq(compact(&bench), 1);
    cr_assert_eq(bench.fixture.store->compacted.written_bytes, written);
    cr_assert_eq(log_of(&bench)->segments[0].revision, revision);
    cr_assert_eq(log_of(&bench)->compacted_offset, (int64_t)bench.count + 1);
    batch_build_deinit(&build);
    byte_buffer_deinit(&out);
    bench_deinit(&bench);
}

#ifdef MILLRACE_FAULTS
/* No space: the pass ends, what it began goes, the log is as it was, and another time it goes on.
 */
Test(compact, a_full_disk_ends_a_pass, .timeout = 300) {
    struct bench bench;
    setenv("MILLRACE_FAULT", "compact_write:1:28", 1);
    bench_init(&bench, IO_EPOLL);
    append_many(&bench, 20, 200);
    partition_roll_now(log_of(&bench), ring_wall_ms(bench.fixture.ring));
    settle_down(&bench);
    size_t files = file_count(&bench);
    for (int at = 0; at < 3; at++) {
        compact_round(bench.fixture.store);
        cr_assert(bench.fixture.store->compaction);
        settle_down(&bench);
        cr_assert(log_of(&bench)->compacted_offset < (int64_t)bench.count);
        cr_assert(file_count(&bench) <= files);
        expect(&bench, log_of(&bench)->compacted_offset);
    }
    append_many(&bench, 20, 5);
    restart(&bench, false);
    expect(&bench, 0);
    bench_deinit(&bench);
}
#endif
