#include "offline/offline_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/memory.h"
#include "base/say.h"
#include "metadata/catalog_record.h"
#include "offline/repair.h"
#include "offline/verify.h"
#include "storage/checkpoint.h"
#include "storage/commit.h"
#include "storage/settle.h"

enum { JOURNAL_BYTES = 1 << 20 };

/* --- a broker's life --- */

/* The records of one change, into the catalog's log. */
static int64_t catalog_append(struct offline_fixture *fixture, struct change_records *records) {
    struct byte_buffer batch = {0};
    change_records_finish(records, &batch);
    int64_t offset =
        fixture_append(&fixture->store, CATALOG_PARTITION_ID, byte_buffer_bytes(&batch));
    cr_assert(offset >= 0, "%lld", (long long)offset);
    byte_buffer_deinit(&batch);
    change_records_deinit(records);
    return offset;
}

int64_t offline_add_topic(struct offline_fixture *fixture, const char *name, uint32_t first,
                          uint32_t count) {
    struct change_records records;
    cr_assert(fixture->topic_count < OFFLINE_TOPICS_MAX);
    struct offline_topic *topic = &fixture->topics[fixture->topic_count++];
    snprintf(topic->name, sizeof topic->name, "%s", name);
    uuid_make(&topic->id);
    change_records_init(&records, 1000);
    change_records_topic(&records, &topic->id, name, false);
    for (uint32_t id = first; id < first + count; id++)
        change_records_partition(&records, &topic->id, (int32_t)(id - first), id,
                                 (uint16_t)(id % 64), 0);
    change_records_partition_ids(&records, first + count);
    return catalog_append(fixture, &records);
}

void offline_remove_topic(struct offline_fixture *fixture, const char *name) {
    struct change_records records;
    size_t at = fixture->topic_count;
    while (at > 0 && strcmp(fixture->topics[at - 1].name, name) != 0) at--;
    cr_assert(at > 0, "%s was never added", name);
    change_records_init(&records, 1000);
    change_records_remove_topic(&records, &fixture->topics[at - 1].id);
    catalog_append(fixture, &records);
}

void offline_start(struct offline_fixture *fixture) {
    say_configure(SAY_NOTHING, SAY_PLAIN);
    fixture_start(&fixture->store);
    struct partition_definition catalog = {
        .id = CATALOG_PARTITION_ID, .shard = CATALOG_SHARD, .rules = fixture->store.rules};
    store_create_partition(fixture->store.store, &catalog);
}

void offline_stop(struct offline_fixture *fixture) { fixture_stop(&fixture->store); }
void offline_kill(struct offline_fixture *fixture) { fixture_kill(&fixture->store); }

void offline_rest(struct offline_fixture *fixture) { commit_empty(fixture->store.store); }

void offline_init(struct offline_fixture *fixture) {
    *fixture = (struct offline_fixture){0};
    fixture_init(&fixture->store, IO_EPOLL);
    offline_start(fixture);
    cr_assert_eq(offline_add_topic(fixture, "orders", 1, ORDERS_PARTITIONS), 0);
    for (uint32_t id = 1; id <= ORDERS_PARTITIONS; id++) offline_append(fixture, id);
    offline_stop(fixture);
}

void offline_init_with_segments(struct offline_fixture *fixture) {
    offline_init(fixture);
    fixture->store.rules.segment_bytes = 100000;
    offline_start(fixture);
    offline_fill(fixture, 3, 300);
    offline_stop(fixture);
}

void offline_deinit(struct offline_fixture *fixture) {
    findings_deinit(&fixture->findings);
    fixture_deinit(&fixture->store);
}

void offline_append(struct offline_fixture *fixture, uint32_t id) {
    struct bytes batch = fixture_batch(2, 500, 1000, -1, 0);
    int64_t offset = fixture_append(&fixture->store, id, batch);
    cr_assert(offset >= 0, "%u: %lld", id, (long long)offset);
    free((void *)batch.at);
}

void offline_settle(struct offline_fixture *fixture, uint32_t id) {
    struct partition *partition = fixture_partition(&fixture->store, id);
    do {
        settle_force(partition);
        while (fixture->store.store->flows) ring_round(fixture->store.ring, true);
    } while (settle_is_pending(partition));
}

void offline_fill(struct offline_fixture *fixture, uint32_t id, unsigned batches) {
    while (batches-- > 0) offline_append(fixture, id);
    offline_settle(fixture, id);
    offline_checkpoint(fixture);
}

void offline_checkpoint(struct offline_fixture *fixture) {
    struct store *store = fixture->store.store;
    uint64_t before = store->checkpoints;
    checkpoint_start(store);
    ring_round(fixture->store.ring, false); /* it was begun outside a round */
    while (store->checkpoints == before) ring_round(fixture->store.ring, true);
}

int64_t offline_records(struct offline_fixture *fixture, uint32_t id) {
    uint64_t bytes = 0;
    return fixture_read_all(&fixture->store, id, 0, &bytes);
}

/* --- files --- */

static void path_of(const struct offline_fixture *fixture, const char *path, char whole[200]) {
    snprintf(whole, 200, "%s/%s", fixture->store.path, path);
}

void offline_flip(const struct offline_fixture *fixture, const char *path, int64_t position) {
    fixture_flip(&fixture->store, path, position);
}

void offline_unlink(const struct offline_fixture *fixture, const char *path) {
    char whole[200];
    path_of(fixture, path, whole);
    cr_assert_eq(unlink(whole), 0, "%s: %s", whole, strerror(errno));
}

/* Where the journal's blocks end, and the last of them. */
static int64_t journal_end(int fd, struct journal_block *last) {
    uint8_t *all = memory_zero(1, JOURNAL_BYTES);
    struct journal_block header;
    int64_t end = 0;
    cr_assert_eq(pread(fd, all, JOURNAL_BYTES, 0), JOURNAL_BYTES);
    while (block_read(bytes_make(all + end, (size_t)(JOURNAL_BYTES - end)), &header)) {
        *last = header;
        end += (int64_t)round_up(header.length, JOURNAL_ALIGNMENT);
    }
    free(all);
    return end;
}

void offline_add_torn_tail(const struct offline_fixture *fixture) {
    char whole[200];
    path_of(fixture, "journal/0-00000000", whole);
    int fd = open(whole, O_RDWR);
    struct journal_block last = {0};
    int64_t end = journal_end(fd, &last);
    uint8_t *block = memory_aligned(JOURNAL_ALIGNMENT, JOURNAL_ALIGNMENT);
    struct block_writer writer;
    last.acknowledged_through = last.sequence;
    last.sequence += 2;
    block_begin(&writer, block, JOURNAL_ALIGNMENT);
    block_finish(&writer, &last);
    cr_assert_eq(pwrite(fd, block, JOURNAL_ALIGNMENT, end + JOURNAL_ALIGNMENT), JOURNAL_ALIGNMENT);
    free(block);
    close(fd);
}

void offline_flip_block(const struct offline_fixture *fixture, uint32_t id, unsigned nth) {
    fixture_flip_block(&fixture->store, id, nth);
}

static uint64_t fingerprint;

static int fingerprint_entry(const char *path, const struct stat *status, int type,
                             struct FTW *ftw) {
    (void)ftw;
    uint64_t numbers[] = {fingerprint,
                          (uint64_t)status->st_size,
                          (uint64_t)status->st_mtim.tv_sec,
                          (uint64_t)status->st_mtim.tv_nsec,
                          crc32c(path, strlen(path)),
                          0};
    if (type == FTW_F) {
        uint8_t *all = memory_new((size_t)status->st_size + 1);
        int fd = open(path, O_RDONLY);
        ssize_t got = pread(fd, all, (size_t)status->st_size, 0);
        close(fd);
        numbers[5] = crc32c(all, (size_t)got);
        free(all);
    }
    /* The order of names is the file system's: a sum. */
    numbers[0] = 0;
    fingerprint += hash_bytes(bytes_make(numbers, sizeof numbers));
    return 0;
}

uint64_t offline_fingerprint(const struct offline_fixture *fixture) {
    fingerprint = 0;
    cr_assert_eq(nftw(fixture->store.path, fingerprint_entry, 8, FTW_PHYS), 0);
    return fingerprint;
}

/* --- looking --- */

void offline_verify(struct offline_fixture *fixture) {
    struct error error = {0};
    uint64_t before = offline_fingerprint(fixture);
    findings_deinit(&fixture->findings);
    cr_assert(image_open(&fixture->image, fixture->store.path, &error), "%s", error.text);
    verify_image(&fixture->image, &fixture->findings);
    image_close(&fixture->image);
    cr_assert_eq(offline_fingerprint(fixture), before, "something has changed");
}

const struct finding *offline_found(const struct offline_fixture *fixture, enum finding_kind kind,
                                    const char *file, const char *words) {
    for (size_t at = 0; at < fixture->findings.count; at++) {
        const struct finding *finding = &fixture->findings.items[at];
        if (finding->kind == kind && strcmp(finding->file, file) == 0 &&
            strstr(finding->what, words))
            return finding;
    }
    findings_print(&fixture->findings, false, stderr);
    cr_assert_fail("no such finding: %s %s", file, words);
    return NULL;
}

/* --- repairing --- */

size_t offline_repair(struct offline_fixture *fixture, bool yes, char **said) {
    struct error error = {0};
    char folder[LAYOUT_PATH_SIZE];
    size_t count, len;
    FILE *out = open_memstream(said, &len);
    cr_assert(repair_directory(fixture->store.path, yes, false, out, &count, folder, &error), "%s",
              error.text);
    fclose(out);
    return count;
}

void offline_repair_wholly(struct offline_fixture *fixture) {
    char *plan, *said;
    uint64_t before = offline_fingerprint(fixture);
    size_t count = offline_repair(fixture, false, &plan);
    cr_assert_gt(count, 0);
    cr_assert_eq(offline_fingerprint(fixture), before, "the plan has changed something");
    cr_assert_eq(offline_repair(fixture, true, &said), count, "%s%s", plan, said);
    cr_assert_str_eq(strchr(plan, '\n'), strchr(said, '\n'));
    free(plan);
    free(said);
    offline_verify(fixture);
    if (fixture->findings.damage_count) findings_print(&fixture->findings, false, stderr);
    cr_assert_eq(fixture->findings.damage_count, 0);
    cr_assert_eq(offline_repair(fixture, false, &plan), 0);
    free(plan);
}

bool offline_is_kept(const struct offline_fixture *fixture, const char *name) {
    char path[200];
    struct stat state;
    for (int life = 1; life < 20; life++) {
        snprintf(path, sizeof path, "%s/damaged/%d/%s", fixture->store.path, life, name);
        if (stat(path, &state) == 0) return true;
    }
    return false;
}
