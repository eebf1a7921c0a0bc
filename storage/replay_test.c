#include "storage/replay.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/byte_buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "io/sim.h"
#include "protocol/batch_build.h"
#include "storage/layout.h"
#include "storage/snapshot.h"

enum { TIME_MS = 5000 };

/* One partition as recovery has it, on the simulated disk. */
struct bench {
    struct sim *sim;
    struct data_directory directory;
    struct shard shard;
    struct partition *partition;
    struct error error;
};

static void bench_init(struct bench *bench) {
    *bench = (struct bench){.sim = sim_new(1), .shard = {.id = 3}};
    bench->directory.disk = sim_disk_open(bench->sim);
    cr_assert_eq(disk_make_directory(bench->directory.disk, LAYOUT_SEGMENTS), 0);
    list_init(&bench->shard.partitions);
    list_init(&bench->shard.dirty);
    list_init(&bench->shard.in_store);
    struct partition_definition definition = {
        .id = 7, .shard = 3, .rules = {.segment_bytes = 1 << 30, .segment_ms = INT64_MAX}};
    bench->partition = partition_new(&definition, &bench->shard, NULL);
}

static void bench_deinit(struct bench *bench) {
    partition_unpin(bench->partition);
    disk_close(bench->directory.disk);
    sim_free(bench->sim);
}

/* --- entries --- */

struct entry {
    enum entry_kind kind;
    struct byte_buffer payload;
};

static void entry_deinit(struct entry *entry) { byte_buffer_deinit(&entry->payload); }

static bool replays(struct bench *bench, const struct entry *entry) {
    bench->error = (struct error){0};
    struct block_entry_view view = {.shard = 3,
                                    .kind = (uint8_t)entry->kind,
                                    .partition = 7,
                                    .payload = byte_buffer_bytes(&entry->payload)};
    return replay_entry(bench->partition, &view, TIME_MS, &bench->directory, &bench->error);
}

static void put_place(struct byte_buffer *out, struct place place) {
    byte_buffer_put_u32(out, place.segment);
    byte_buffer_put_u64(out, place.position);
}

/* A log as its appends make it: where the next batch goes. */
struct writer {
    struct place place;
    int64_t offset;
    int32_t sequence;
};
static const struct writer writer_start = {{0, SEGMENT_START}, 0, 0};

/* One batch behind the last; its producer is 77 when `idempotent`. */
static void put_batch(struct writer *writer, struct byte_buffer *out, uint32_t count,
                      size_t value_bytes, bool idempotent) {
    struct batch_build build;
    batch_build_init(&build);
    uint8_t *value = memory_zero(value_bytes, 1);
    if (idempotent) {
        build.header.producer_id = 77;
        build.header.producer_epoch = 0;
        build.header.base_sequence = writer->sequence;
        writer->sequence += (int32_t)count;
    }
    for (uint32_t at = 0; at < count; at++)
        batch_build_add(&build, 1000 + writer->offset + at, BYTES_NULL,
                        bytes_make(value, value_bytes), NULL, 0);
    size_t begin = out->len;
    struct error error;
    cr_assert(batch_build_finish(&build, CODEC_NONE, out, &error));
    batch_patch(out->at + begin, writer->offset, 0);
    writer->place.position += out->len - begin;
    writer->offset += count;
    batch_build_deinit(&build);
    free(value);
}

/* `batches` of one BATCH entry. */
static struct entry batches(struct writer *writer, unsigned count, size_t value_bytes,
                            bool idempotent) {
    struct entry entry = {.kind = ENTRY_BATCH};
    put_place(&entry.payload, writer->place);
    for (unsigned at = 0; at < count; at++)
        put_batch(writer, &entry.payload, 1 + at % 3, value_bytes, idempotent);
    return entry;
}

static struct entry log_start(int64_t offset) {
    struct entry entry = {.kind = ENTRY_LOG_START};
    byte_buffer_put_u64(&entry.payload, (uint64_t)offset);
    return entry;
}

/* The partition's file as a bypass leaves it: `bytes` durable from `from` on. */
static void file_holds(struct bench *bench, struct place from, const uint8_t *bytes, size_t len) {
    struct segment_identity identity = {.partition = 7, .segment = from.segment};
    struct segment_file *file = NULL;
    cr_assert_eq(segment_create(bench->directory.disk, &identity, 4 << 20, &file), 0);
    size_t size = round_up(len, DISK_BLOCK);
    uint8_t *whole = memory_aligned(DISK_BLOCK, size);
    memset(whole, 0, size);
    memcpy(whole, bytes, len);
    cr_assert_eq(file_write_at(file->write, whole, size, from.position), 0);
    cr_assert_eq(file_sync(file->write), 0);
    free(whole);
    segment_file_release(file);
}

/* An EXTENT of one batch that begins where the log ends, at a multiple of 4096. */
static struct entry extent(struct bench *bench, struct writer *writer, size_t value_bytes) {
    struct byte_buffer batch = {0};
    struct place from = writer->place;
    put_batch(writer, &batch, 1, value_bytes, false);
    uint64_t end = writer->place.position, upto = round_down(end, DISK_BLOCK);
    file_holds(bench, from, batch.at, upto - from.position);
    struct entry entry = {.kind = ENTRY_EXTENT};
    put_place(&entry.payload, from);
    byte_buffer_put_u64(&entry.payload, upto);
    byte_buffer_put_u64(&entry.payload, from.position);
    byte_buffer_put_u64(&entry.payload, end);
    byte_buffer_put_u32(&entry.payload, 1);
    byte_buffer_append(&entry.payload, bytes_make(batch.at, BATCH_HEADER_SIZE));
    byte_buffer_append(&entry.payload, bytes_make(batch.at + (upto - from.position), end - upto));
    byte_buffer_deinit(&batch);
    return entry;
}

/* --- what comes of them --- */

static void expect_log(const struct bench *bench, const struct writer *writer, int64_t start) {
    const struct partition *partition = bench->partition;
    cr_assert_eq(partition->next_offset, writer->offset);
    cr_assert_eq(partition->high_watermark, writer->offset);
    cr_assert_eq(partition->log_start, start);
    cr_assert(place_equal(partition->end, writer->place));
    cr_assert(place_equal(partition->durable, writer->place));
    cr_assert(place_equal(partition->formed, writer->place));
    cr_assert(place_compare(partition->settled, partition->end) <= 0);
}

static struct byte_buffer state_of(const struct bench *bench) {
    struct byte_buffer state = {0};
    snapshot_encode(&bench->shard, &state);
    return state;
}

static void replay_all(struct bench *bench, const struct entry *entries, size_t count) {
    for (size_t at = 0; at < count; at++)
        cr_assert(replays(bench, &entries[at]), "entry %zu: %s", at, bench->error.text);
}

Test(replay, batches_make_the_log) {
    struct bench bench;
    bench_init(&bench);
    struct writer writer = writer_start;
    struct entry entries[] = {batches(&writer, 3, 100, false), batches(&writer, 1, 20000, true),
                              batches(&writer, 50, 700, false)};
    replay_all(&bench, entries, array_count(entries));
    expect_log(&bench, &writer, 0);
    const struct segment *segment = partition_active(bench.partition);
    cr_assert_eq(segment->end, writer.place.position);
    cr_assert_eq(segment->timestamp_max, 1000 + writer.offset - 1);
    cr_assert_eq(segment->created_ms, TIME_MS);
    cr_assert(segment->index->count > 5);
    const struct producer *producer = producers_find(&bench.partition->producers, 77);
    cr_assert(producer && producer->last_append_ms == TIME_MS);
    cr_assert_eq(producer->last_offset, 6);
    for (size_t at = 0; at < array_count(entries); at++) entry_deinit(&entries[at]);
    bench_deinit(&bench);
}

/* The next segment begins: the old one is settled to its padded end, byte for byte. */
Test(replay, a_roll_settles_the_old_segment) {
    struct bench bench;
    bench_init(&bench);
    struct writer writer = writer_start;
    struct entry first = batches(&writer, 40, 1000, false);
    uint64_t end = writer.place.position;
    writer.place = (struct place){1, SEGMENT_START};
    struct entry second = batches(&writer, 2, 1000, false);
    cr_assert(replays(&bench, &first) && replays(&bench, &second), "%s", bench.error.text);
    expect_log(&bench, &writer, 0);
    cr_assert_eq(bench.partition->segment_count, 2);
    cr_assert(place_equal(bench.partition->settled, (struct place){1, SEGMENT_START}));

    struct segment_identity identity = {.partition = 7};
    struct file *file = NULL;
    cr_assert_eq(segment_open_read(bench.directory.disk, &identity, &file), 0);
    uint64_t padded = round_up(end, DISK_BLOCK);
    uint8_t *found = memory_new(padded - SEGMENT_START);
    cr_assert_eq(file_read_at(file, found, padded - SEGMENT_START, SEGMENT_START),
                 (int64_t)(padded - SEGMENT_START));
    cr_assert_eq(memcmp(found, first.payload.at + JOURNAL_PLACE_BYTES, end - SEGMENT_START), 0);
    for (uint64_t at = end; at < padded; at++) cr_assert_eq(found[at - SEGMENT_START], 0);
    free(found);
    file_close(file);
    entry_deinit(&first), entry_deinit(&second);
    bench_deinit(&bench);
}

Test(replay, an_extent_is_in_its_file_already) {
    struct bench bench;
    bench_init(&bench);
    struct writer writer = writer_start;
    struct entry first = extent(&bench, &writer, 200000);
    cr_assert(replays(&bench, &first), "%s", bench.error.text);
    expect_log(&bench, &writer, 0);
    cr_assert_eq(bench.partition->settled.position, round_down(writer.place.position, DISK_BLOCK));
    cr_assert(tail_has(&bench.partition->tail, bench.partition->settled));
    struct byte_buffer before = state_of(&bench);
    cr_assert(replays(&bench, &first)); /* nothing new */
    struct byte_buffer after = state_of(&bench);
    cr_assert(bytes_equal(byte_buffer_bytes(&before), byte_buffer_bytes(&after)));
    byte_buffer_deinit(&before), byte_buffer_deinit(&after);
    struct entry more = batches(&writer, 5, 300, false);
    cr_assert(replays(&bench, &more), "%s", bench.error.text);
    expect_log(&bench, &writer, 0);
    entry_deinit(&first), entry_deinit(&more);
    bench_deinit(&bench);
}

Test(replay, log_starts_only_rise) {
    struct bench bench;
    bench_init(&bench);
    struct writer writer = writer_start;
    struct entry entries[] = {batches(&writer, 30, 100, false), log_start(20), log_start(10),
                              log_start(20)};
    replay_all(&bench, entries, array_count(entries));
    expect_log(&bench, &writer, 20);
    struct entry beyond = log_start(writer.offset + 1), end = log_start(writer.offset);
    cr_assert_not(replays(&bench, &beyond));
    cr_assert(replays(&bench, &end));
    expect_log(&bench, &writer, writer.offset);
    for (size_t at = 0; at < array_count(entries); at++) entry_deinit(&entries[at]);
    entry_deinit(&beyond), entry_deinit(&end);
    bench_deinit(&bench);
}

/* --- what replay may meet again: a snapshot contains the beginning already --- */

enum { ENTRIES = 40 };

static struct entry random_entry(struct random *random, struct bench *files,
                                 struct writer *writer) {
    bool aligned = writer->place.position % DISK_BLOCK == 0;
    if (writer->offset > 10 && random_below(random, 8) == 0)
        return log_start((int64_t)random_below(random, (uint64_t)writer->offset));
    if (random_below(random, 6) == 0 && writer->place.position > SEGMENT_START)
        writer->place = (struct place){writer->place.segment + 1, SEGMENT_START};
    else if (aligned && writer->place.segment == 0 && random_below(random, 3) == 0)
        return extent(files, writer, 150000);
    return batches(writer, 1 + (unsigned)random_below(random, 8),
                   (size_t)random_below(random, 3000), random_below(random, 2));
}

/* Any beginning of the entries, then all of them again: the same state as all of them once. */
static void overlap(uint64_t seed, size_t again_after) {
    struct random random;
    random_init(&random, seed);
    struct bench once, twice;
    bench_init(&once), bench_init(&twice);
    struct writer writer = writer_start, other = writer_start;
    struct entry entries[ENTRIES];
    for (size_t at = 0; at < ENTRIES; at++) {
        struct random same = random;
        entries[at] = random_entry(&random, &once, &writer);
        struct entry copy = random_entry(&same, &twice, &other); /* its files */
        entry_deinit(&copy);
    }
    replay_all(&once, entries, ENTRIES);
    replay_all(&twice, entries, again_after);
    replay_all(&twice, entries, ENTRIES);
    struct byte_buffer one = state_of(&once), two = state_of(&twice);
    cr_assert(bytes_equal(byte_buffer_bytes(&one), byte_buffer_bytes(&two)), "seed %llu, %zu",
              (unsigned long long)seed, again_after);
    byte_buffer_deinit(&one), byte_buffer_deinit(&two);
    for (size_t at = 0; at < ENTRIES; at++) entry_deinit(&entries[at]);
    bench_deinit(&once), bench_deinit(&twice);
}
Test(replay, what_is_met_again_changes_nothing, .timeout = 300) {
    for (uint64_t seed = 0; seed < 10; seed++)
        for (size_t after = 0; after <= ENTRIES; after += 5) overlap(seed, after);
}

/* --- what no store has written --- */

static void expect_refused(struct bench *bench, struct entry *entry) {
    struct byte_buffer before = state_of(bench);
    cr_assert_not(replays(bench, entry));
    cr_assert(bench->error.text[0]);
    struct byte_buffer after = state_of(bench);
    cr_assert(bytes_equal(byte_buffer_bytes(&before), byte_buffer_bytes(&after)));
    byte_buffer_deinit(&before), byte_buffer_deinit(&after);
    entry_deinit(entry);
}

Test(replay, entries_that_do_not_fit_are_refused) {
    struct bench bench;
    bench_init(&bench);
    struct writer writer = writer_start;
    struct entry first = batches(&writer, 5, 100, false);
    cr_assert(replays(&bench, &first));
    entry_deinit(&first);

    struct entry empty = {.kind = ENTRY_BATCH};
    expect_refused(&bench, &empty);
    struct entry unknown = {.kind = 99};
    expect_refused(&bench, &unknown);
    struct entry short_start = {.kind = ENTRY_LOG_START};
    byte_buffer_put_u32(&short_start.payload, 1);
    expect_refused(&bench, &short_start);

    struct writer elsewhere = writer;
    elsewhere.place.position += 8;
    struct entry displaced = batches(&elsewhere, 1, 100, false);
    expect_refused(&bench, &displaced);
    struct writer far = writer;
    far.place = (struct place){writer.place.segment + 2, SEGMENT_START};
    struct entry jump = batches(&far, 1, 100, false);
    expect_refused(&bench, &jump);
    struct writer gap = {.place = {writer.place.segment + 1, SEGMENT_START},
                         .offset = writer.offset + 1}; /* the last batch of a segment is missing */
    struct entry behind_a_gap = batches(&gap, 1, 100, false);
    expect_refused(&bench, &behind_a_gap);
    struct writer cut = writer;
    struct entry half = batches(&cut, 1, 100, false);
    half.payload.len -= 3;
    expect_refused(&bench, &half);
    struct writer negative = writer;
    negative.sequence = -5;
    struct entry sequence = batches(&negative, 1, 100, true);
    expect_refused(&bench, &sequence);
    bench_deinit(&bench);
}

/* Every byte of an EXTENT's frame, flipped: refused, or it says the same; never a crash. */
Test(replay, a_broken_extent_is_refused) {
    struct writer writer = writer_start;
    struct bench bench;
    bench_init(&bench);
    struct entry good = extent(&bench, &writer, 150000);
    bench_deinit(&bench);
    for (size_t at = 0; at < JOURNAL_EXTENT_BYTES + BATCH_HEADER_SIZE; at++) {
        bench_init(&bench);
        struct writer again = writer_start;
        struct entry entry = extent(&bench, &again, 150000);
        entry.payload.at[at] ^= 0x80;
        if (at >= JOURNAL_PLACE_BYTES && at < JOURNAL_EXTENT_BYTES)
            cr_assert_not(replays(&bench, &entry), "byte %zu", at);
        else
            replays(&bench, &entry);
        entry_deinit(&entry);
        bench_deinit(&bench);
    }
    for (size_t len = 0; len < good.payload.len; len += 7) {
        bench_init(&bench);
        struct entry cut = {.kind = ENTRY_EXTENT};
        byte_buffer_append(&cut.payload, bytes_make(good.payload.at, len));
        cr_assert_not(replays(&bench, &cut), "%zu bytes", len);
        entry_deinit(&cut);
        bench_deinit(&bench);
    }
    entry_deinit(&good);
}
