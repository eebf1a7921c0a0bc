#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "protocol/batch_build.h"
#include "storage/store_fixture.h"

enum { RECOVER_UNSETTLED_BYTES = 4 << 20, JOURNAL_FILE_BYTES = 1 << 20 };

static enum partition_life fixture_life(void *context, uint32_t id,
                                        struct partition_definition *definition) {
    struct fixture *fixture = context;
    if (id > FIXTURE_PARTITIONS) return PARTITION_NOT_GIVEN;
    if (id > fixture->partitions) return PARTITION_DEAD;
    *definition = (struct partition_definition){
        .id = id, .shard = (uint16_t)(id % 64), .rules = fixture->rules};
    return PARTITION_LIVE;
}

static bool fixture_catalog(void *context, struct bytes batch, struct error *error) {
    (void)context, (void)batch, (void)error;
    return true;
}

void fixture_init(struct fixture *fixture, enum io_backend backend) {
    *fixture = (struct fixture){
        .path = "/tmp/millrace-store-XXXXXX",
        .backend = backend,
        .options = {.journal_bytes_max = 256 << 20,
                    .cache_bytes_max = 64 << 20,
                    .unsettled_bytes_max = 64 << 20,
                    .durable = true},
        .rules = {.retention_ms = -1,
                  .retention_bytes = -1,
                  .segment_bytes = 1 << 30,
                  .segment_ms = INT64_MAX,
                  .delete_old = true},
        .partitions = 8,
        .cores = 1,
    };
    cr_assert(mkdtemp(fixture->path));
}

void fixture_start(struct fixture *fixture) {
    struct error error = {0};
    fixture->workers = workers_new(2);
    struct ring_options options = {.backend = fixture->backend, .workers = fixture->workers};
    fixture->ring = ring_new(&options, &error);
    cr_assert(fixture->ring, "%s", error.text);
    struct disk *disk = disk_open(fixture->path, true, &error);
    cr_assert(disk, "%s", error.text);
    cr_assert(data_directory_open(disk, 1, &fixture->directory, &error), "%s", error.text);
    if (fixture->blobs) blobs_free(fixture->directory.blobs);
    if (fixture->blobs) fixture->directory.blobs = fixture->blobs;
    struct recovered *recovered = NULL;
    cr_assert(recover_open(&fixture->directory, RECOVER_UNSETTLED_BYTES, &recovered, &error), "%s",
              error.text);
    cr_assert(recover_catalog(recovered, fixture_catalog, fixture, &error), "%s", error.text);
    cr_assert(recover_partitions(recovered, fixture_life, fixture, &error), "%s", error.text);
    cr_assert(recover_finish(recovered, fixture->cores, &error), "%s", error.text);
    recover_report(recovered, &fixture->report);
    ring_hold(fixture->ring, file_descriptor(fixture->directory.lock));
    fixture->store = store_new(fixture->ring, &fixture->directory, &fixture->options, 0,
                               fixture->cores, recovered, &error);
    cr_assert(fixture->store, "%s", error.text);
    recover_free(recovered);
    cr_assert(data_directory_expect_journals(&fixture->directory, 1, &error));
    for (uint32_t id = 1; id <= fixture->partitions; id++) {
        struct partition_definition definition;
        fixture_life(fixture, id, &definition);
        if (definition.shard % fixture->cores == 0)
            store_create_partition(fixture->store, &definition);
    }
}

void fixture_run_until(struct fixture *fixture, const bool *flag) {
    uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S;
    ring_round(fixture->ring, false); /* runs the hooks: the caller's work came from outside */
    while (!*flag) {
        ring_round(fixture->ring, true);
        cr_assert(clock_monotonic_ns() < deadline, "nothing happened for a minute");
    }
}

static void set_flag(void *flag) { *(bool *)flag = true; }

static void fixture_drop(struct fixture *fixture) {
    store_free(fixture->store);
    ring_free(fixture->ring);
    workers_free(fixture->workers);
    if (fixture->blobs) fixture->directory.blobs = NULL;
    data_directory_close(&fixture->directory);
}

void fixture_stop(struct fixture *fixture) {
    bool stopped = false;
    store_stop(fixture->store, set_flag, &stopped);
    fixture_run_until(fixture, &stopped);
    fixture_drop(fixture);
}

void fixture_kill(struct fixture *fixture) {
    struct store *store = fixture->store;
    uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S;
    ring_round(fixture->ring, false);
    while (store->flows || store->checkpoint || !journal_is_quiet(&store->journal)) {
        ring_round(fixture->ring, true);
        cr_assert(clock_monotonic_ns() < deadline,
                  "stuck: %u flows, checkpoint %d, journal quiet %d, waiting for space %d",
                  store->flows, store->checkpoint != NULL, journal_is_quiet(&store->journal),
                  !list_is_empty(&store->settling));
    }
    fixture_drop(fixture);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

void fixture_deinit(struct fixture *fixture) {
    nftw(fixture->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct partition *fixture_partition(struct fixture *fixture, uint32_t id) {
    struct partition *partition = store_find_partition(fixture->store, id);
    cr_assert(partition);
    return partition;
}

struct bytes fixture_batch(uint32_t count, size_t value_bytes, int64_t timestamp,
                           int64_t producer_id, int32_t sequence) {
    struct batch_build build;
    batch_build_init(&build);
    build.header.producer_id = producer_id;
    build.header.producer_epoch = producer_id < 0 ? -1 : 0;
    build.header.base_sequence = producer_id < 0 ? -1 : sequence;
    uint8_t *value = memory_new(value_bytes);
    for (uint32_t at = 0; at < count; at++) {
        memset(value, (int)('a' + at % 26), value_bytes);
        batch_build_add(&build, timestamp + at, BYTES_NULL, bytes_make(value, value_bytes), NULL,
                        0);
    }
    struct byte_buffer out = {0};
    struct error error;
    cr_assert(batch_build_finish(&build, CODEC_NONE, &out, &error));
    batch_build_deinit(&build);
    free(value);
    return byte_buffer_bytes(&out);
}

struct waiting_append {
    struct append append;
    bool done;
};

static void append_done(struct append *append) {
    container_of(append, struct waiting_append, append)->done = true;
}

int64_t fixture_append(struct fixture *fixture, uint32_t id, struct bytes batch) {
    struct waiting_append waiting = {
        .append = {.batch = batch, .append_time_ms = -1, .done = append_done}};
    cr_assert(batch_header_read(batch, &waiting.append.header));
    enum append_state state = partition_append(fixture_partition(fixture, id), &waiting.append);
    if (state == APPEND_PENDING) fixture_run_until(fixture, &waiting.done);
    return waiting.append.code == ERROR_NONE ? waiting.append.base_offset
                                             : -(int64_t)waiting.append.code;
}

struct waiting_read {
    struct read read;
    bool done;
};

static void read_done(struct read *read) {
    container_of(read, struct waiting_read, read)->done = true;
}

static int64_t check_batches(struct read *read, int64_t next) {
    uint8_t *all = memory_new(read->total);
    size_t len = 0;
    for (int32_t at = 0; at < read->piece_count; at++) {
        memcpy(all + len, read->pieces[at].at, read->pieces[at].len);
        len += read->pieces[at].len;
    }
    cr_assert_eq(len, read->total);
    struct bytes rest = bytes_make(all, len);
    while (rest.len) {
        struct batch_header header;
        cr_assert(batch_header_read(rest, &header));
        cr_assert(batch_crc_valid(rest));
        cr_assert(batch_last_offset(&header) >= next);
        cr_assert(header.base_offset <= next, "a gap before %lld", (long long)header.base_offset);
        next = batch_last_offset(&header) + 1;
        rest = bytes_make(rest.at + batch_size(&header), rest.len - batch_size(&header));
    }
    free(all);
    return next;
}

int64_t fixture_read_all(struct fixture *fixture, uint32_t id, int64_t offset, uint64_t *bytes) {
    for (;;) {
        struct waiting_read *waiting = new_zero(struct waiting_read);
        waiting->read = (struct read){
            .offset = offset, .bytes_max = 300000, .minimum_one = true, .done = read_done};
        if (!partition_read(fixture_partition(fixture, id), &waiting->read))
            fixture_run_until(fixture, &waiting->done);
        cr_assert_eq(waiting->read.code, ERROR_NONE, "offset %lld: %d", (long long)offset,
                     waiting->read.code);
        size_t total = waiting->read.total;
        if (total) offset = check_batches(&waiting->read, offset);
        *bytes += total;
        read_release(&waiting->read);
        free(waiting);
        if (total == 0) return offset;
    }
}

/* --- damage --- */

static int fixture_open(const struct fixture *fixture, const char *path) {
    char whole[200];
    snprintf(whole, sizeof whole, "%s/%s", fixture->path, path);
    int fd = open(whole, O_RDWR);
    cr_assert(fd >= 0, "%s: %s", whole, strerror(errno));
    return fd;
}

void fixture_flip(const struct fixture *fixture, const char *path, int64_t position) {
    uint8_t byte;
    int fd = fixture_open(fixture, path);
    if (position < 0) position += lseek(fd, 0, SEEK_END);
    cr_assert_eq(pread(fd, &byte, 1, position), 1);
    byte ^= 0x20;
    cr_assert_eq(pwrite(fd, &byte, 1, position), 1);
    close(fd);
}

static bool block_names(struct bytes bytes, const struct journal_block *header, uint32_t id) {
    struct block_cursor cursor;
    block_cursor_init(&cursor, bytes, header);
    while (block_next(&cursor) == 1)
        if (cursor.entry.partition == id) return true;
    return false;
}

void fixture_flip_block(const struct fixture *fixture, uint32_t id, unsigned nth) {
    uint8_t *all = memory_new(JOURNAL_FILE_BYTES);
    int fd = fixture_open(fixture, "journal/0-00000000");
    cr_assert_eq(pread(fd, all, JOURNAL_FILE_BYTES, 0), JOURNAL_FILE_BYTES);
    close(fd);
    int64_t at = 0;
    for (;; at += JOURNAL_ALIGNMENT) {
        struct journal_block header;
        cr_assert(at < JOURNAL_FILE_BYTES, "no such block");
        struct bytes bytes = bytes_make(all + at, (size_t)(JOURNAL_FILE_BYTES - at));
        if (block_read(bytes, &header) && block_names(bytes, &header, id) && nth-- == 0) break;
    }
    free(all);
    fixture_flip(fixture, "journal/0-00000000", at + JOURNAL_HEADER_BYTES);
}
