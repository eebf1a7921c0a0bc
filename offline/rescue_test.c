/* Directories whose catalog is damaged: a start refuses them, verify says what that costs, and a
 * repair leaves one that starts, in which nothing that can be read is missing. */
#include "offline/image.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/random.h"
#include "offline/offline_fixture.h"
#include "offline/repair.h"

/* Each test has a process of its own. */
static struct offline_fixture fixture;
static void teardown(void) { offline_deinit(&fixture); }
TestSuite(rescue, .fini = teardown);

enum { A = ORDERS_PARTITIONS + 1, B, C };

/* Topics "a", "b" and "c" of one partition each, every change in a block of its own. */
static void add_topics(void) {
    offline_init(&fixture);
    fixture.store.partitions = C;
    offline_start(&fixture);
    offline_add_topic(&fixture, "a", A, 1);
    offline_add_topic(&fixture, "b", B, 1);
    offline_add_topic(&fixture, "c", C, 1);
    for (uint32_t id = A; id <= C; id++) offline_append(&fixture, id);
}

/* So many entries of the catalog's log are in the journal before "a". */
enum { ENTRIES_BEFORE = 1 };

static void kill_and_lose(unsigned nth) {
    offline_rest(&fixture);
    offline_kill(&fixture);
    offline_flip_block(&fixture, CATALOG_PARTITION_ID, nth);
}

static void expect_damage(const char *words) { offline_found(&fixture, FINDING_DAMAGE, "", words); }

/* What the start after the repair finds. */
static void look(void) {
    struct error error = {0};
    cr_assert(image_open(&fixture.image, fixture.store.path, &error), "%s", error.text);
    cr_assert(fixture.image.is_complete, "%s", fixture.image.refusal.text);
}

static void expect_name(uint32_t id, const char *expected) {
    char name[IMAGE_NAME_SIZE];
    cr_assert_str_eq(image_name(&fixture.image, id, name), expected);
}

static void expect_orders(void) {
    for (uint32_t id = 1; id <= ORDERS_PARTITIONS; id++) {
        char name[IMAGE_NAME_SIZE];
        snprintf(name, sizeof name, "orders-%u", id - 1);
        expect_name(id, name);
    }
}

/* All partitions up to this one serve, with their two records, and take more. */
static void expect_serves(uint32_t last) {
    fixture.store.partitions = last;
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 0);
    cr_assert_not(fixture.store.report.damaged);
    for (uint32_t id = 1; id <= last; id++) {
        cr_assert_eq(offline_records(&fixture, id), 2, "%u", id);
        offline_append(&fixture, id);
        cr_assert_eq(offline_records(&fixture, id), 4, "%u", id);
    }
    offline_add_topic(&fixture, "more", last + 1, 1);
    offline_stop(&fixture);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
}

/* --- the journal --- */

Test(rescue, a_block_in_the_middle) {
    add_topics();
    kill_and_lose(ENTRIES_BEFORE + 1);
    offline_verify(&fixture);
    expect_damage("no broker can start: the catalog is damaged: journal/0-00000000, byte ");
    expect_damage("`millrace log repair /tmp/");
    expect_damage("changes 13 to 15 of the catalog cannot be read");
    expect_damage("the newest change of the catalog that can be read is 18;");
    expect_damage("partition 10, offsets 0 to 1, has no topic any more: lost-10-0");
    offline_repair_wholly(&fixture);
    cr_assert(offline_is_kept(&fixture, "journal-0-00000000"));
    cr_assert(offline_is_kept(&fixture, "snapshots-0"));
    look();
    expect_orders();
    expect_name(A, "a-0");
    expect_name(B, "lost-10-0");
    expect_name(C, "c-0");
    const struct catalog_topic *lost =
        catalog_find_topic(&fixture.image.catalog, BYTES_OF("lost-10"));
    cr_assert(lost->effective.retention_ms == -1 && lost->effective.retention_bytes == -1);
    cr_assert_eq(fixture.image.catalog.partition_id_next, C + 1);
    cr_assert(fixture.image.catalog.producer_id_next >= 1ll << 32);
    image_close(&fixture.image);
    expect_serves(C);
}

Test(rescue, the_last_block) {
    add_topics();
    kill_and_lose(ENTRIES_BEFORE + 2);
    offline_repair_wholly(&fixture);
    look();
    expect_name(B, "b-0");
    expect_name(C, "lost-11-0");
    image_close(&fixture.image);
    expect_serves(C);
}

/* Every second change: what is not told one by one is counted. */
Test(rescue, many_gaps) {
    offline_init(&fixture);
    offline_start(&fixture);
    for (uint32_t at = 0; at < 50; at++) {
        char name[40];
        snprintf(name, sizeof name, "topic-%u", at);
        offline_add_topic(&fixture, name, A + at, 1);
    }
    offline_rest(&fixture);
    offline_kill(&fixture);
    for (unsigned at = 0; at < 23; at++)
        offline_flip_block(&fixture, CATALOG_PARTITION_ID, ENTRIES_BEFORE + at);
    offline_verify(&fixture);
    expect_damage("changes 10 to 12 of the catalog cannot be read");
    expect_damage("9 more in 3 other places cannot be read either");
}

/* What the next repair finds is what the first one has written. */
Test(rescue, twice) {
    add_topics();
    kill_and_lose(ENTRIES_BEFORE + 1);
    offline_repair_wholly(&fixture);
    offline_start(&fixture);
    fixture.store.partitions = C + 1;
    offline_add_topic(&fixture, "d", C + 1, 1);
    offline_stop(&fixture);
    offline_flip(&fixture, "snapshots/0", 60);
    offline_flip(&fixture, "snapshots/0-copy", 60);
    offline_repair_wholly(&fixture);
    look();
    expect_name(C + 1, "d-0");
    image_close(&fixture.image);
}

Test(rescue, the_journal_is_gone) {
    offline_init(&fixture);
    offline_unlink(&fixture, "journal/0-00000000");
    offline_verify(&fixture);
    expect_damage("the catalog is damaged: journal 0 is gone");
    offline_repair_wholly(&fixture);
    look();
    expect_orders();
    image_close(&fixture.image);
    expect_serves(ORDERS_PARTITIONS);
}

/* Somebody's end of the log that no block speaks of any more. */
Test(rescue, records_that_the_catalog_never_gave) {
    offline_init(&fixture);
    fixture.store.partitions = A;
    offline_start(&fixture);
    offline_append(&fixture, A);
    offline_stop(&fixture);
    offline_verify(&fixture);
    expect_damage("there are records of partition 9, which the catalog never gave");
    offline_repair_wholly(&fixture);
    look();
    expect_orders();
    expect_name(A, "lost-9-0");
    image_close(&fixture.image);
    expect_serves(A);
}

/* --- the snapshots --- */

static void lose_snapshots(void) {
    offline_flip(&fixture, "snapshots/0", 60);
    offline_flip(&fixture, "snapshots/0-copy", 60);
}

/* The journal's old blocks still have it. */
Test(rescue, both_snapshots) {
    offline_init(&fixture);
    lose_snapshots();
    offline_verify(&fixture);
    expect_damage("neither snapshots/0 nor snapshots/0-copy can be read");
    offline_repair_wholly(&fixture);
    cr_assert(offline_is_kept(&fixture, "snapshots-0"));
    cr_assert(offline_is_kept(&fixture, "snapshots-0-copy"));
    look();
    expect_orders();
    image_close(&fixture.image);
    expect_serves(ORDERS_PARTITIONS);
}

Test(rescue, both_snapshots_are_gone) {
    offline_init(&fixture);
    offline_unlink(&fixture, "snapshots/0");
    offline_unlink(&fixture, "snapshots/0-copy");
    offline_repair_wholly(&fixture);
    look();
    expect_orders();
    image_close(&fixture.image);
    expect_serves(ORDERS_PARTITIONS);
}

/* Not one name is left: every record is. */
Test(rescue, all_of_it) {
    offline_init(&fixture);
    lose_snapshots();
    offline_flip_block(&fixture, CATALOG_PARTITION_ID, 0);
    offline_verify(&fixture);
    expect_damage("nothing of the catalog can be read");
    offline_repair_wholly(&fixture);
    look();
    cr_assert_eq(fixture.image.catalog.topics_by_name.count, ORDERS_PARTITIONS);
    expect_name(1, "lost-1-0");
    expect_name(ORDERS_PARTITIONS, "lost-8-0");
    image_close(&fixture.image);
    expect_serves(ORDERS_PARTITIONS);
}

/* One of shard 0 has its files and nothing else. */
Test(rescue, a_partition_that_only_files_name) {
    offline_init(&fixture);
    fixture.store.partitions = A;
    offline_start(&fixture);
    struct partition_definition beside = {
        .id = 64, .shard = CATALOG_SHARD, .rules = fixture.store.rules};
    store_create_partition(fixture.store.store, &beside);
    offline_fill(&fixture, 64, 100);
    offline_stop(&fixture);
    lose_snapshots();
    offline_repair_wholly(&fixture);
    look();
    expect_name(64, "lost-64-0");
    const struct partition *partition = recovered_find(fixture.image.recovered, 64);
    cr_assert(partition->next_offset > 180, "%lld", (long long)partition->next_offset);
    image_close(&fixture.image);
}

/* … and of those not even the header: its records are kept, for people to look at. */
Test(rescue, a_partition_that_only_a_file_name_names) {
    offline_init(&fixture);
    fixture.store.partitions = A;
    offline_start(&fixture);
    struct partition_definition beside = {
        .id = 64, .shard = CATALOG_SHARD, .rules = fixture.store.rules};
    store_create_partition(fixture.store.store, &beside);
    offline_fill(&fixture, 64, 100);
    offline_stop(&fixture);
    lose_snapshots();
    offline_flip(&fixture, "segments/64-0", 20);
    offline_verify(&fixture);
    expect_damage("partition 64 has files and no topic any more: lost-64-0");
    offline_repair_wholly(&fixture);
    cr_assert(offline_is_kept(&fixture, "segments-64-0"));
    look();
    expect_name(64, "lost-64-0");
    cr_assert_eq(fixture.image.catalog.partition_id_next, 65);
    image_close(&fixture.image);
}

/* Somebody's file with such a name: no number is given behind it. */
Test(rescue, a_partition_that_nobody_can_have_made) {
    char path[200];
    offline_init(&fixture);
    lose_snapshots();
    snprintf(path, sizeof path, "%s/segments/4294967295-0", fixture.store.path);
    fclose(fopen(path, "w"));
    offline_repair_wholly(&fixture);
    look();
    expect_orders();
    cr_assert_eq(fixture.image.catalog.partition_id_next, ORDERS_PARTITIONS + 1, "%u",
                 fixture.image.catalog.partition_id_next);
    image_close(&fixture.image);
    cr_assert_eq(remove(path), 0, "it was not left alone");
}

/* --- the segment --- */

enum { MANY = 60 };

/* The catalog's log is in a file, most of it. */
static void fill_catalog(void) {
    char name[40];
    offline_init(&fixture);
    offline_start(&fixture);
    for (int at = 0; at < MANY; at++) {
        snprintf(name, sizeof name, "a-topic-with-a-long-name-%d", at);
        offline_add_topic(&fixture, name, A + (uint32_t)at, 1);
    }
    offline_settle(&fixture, CATALOG_PARTITION_ID);
    offline_checkpoint(&fixture);
    offline_stop(&fixture);
}

static void expect_all_names(void) {
    look();
    expect_orders();
    cr_assert_eq(fixture.image.catalog.topics_by_name.count, 1 + MANY);
    image_close(&fixture.image);
}

Test(rescue, a_bit_in_the_segment) {
    fill_catalog();
    offline_flip(&fixture, "segments/0-0", 4096 + 200);
    offline_verify(&fixture);
    expect_damage("the catalog is damaged: segments/0-0 is damaged at byte 4096");
    offline_repair_wholly(&fixture);
    cr_assert(offline_is_kept(&fixture, "segments-0-0"));
    expect_all_names();
}

Test(rescue, the_segment_is_gone) {
    fill_catalog();
    offline_unlink(&fixture, "segments/0-0");
    offline_verify(&fixture);
    expect_damage("the catalog is damaged: ");
    offline_repair_wholly(&fixture);
    expect_all_names();
}

/* --- a repair that a crash cuts short --- */

static void put_back(const char *name, const char *path) {
    char from[200], to[200];
    snprintf(to, sizeof to, "%s/%s", fixture.store.path, path);
    for (int life = 1; life < 20; life++) {
        snprintf(from, sizeof from, "%s/damaged/%d/%s", fixture.store.path, life, name);
        if (rename(from, to) == 0) return;
    }
    cr_assert_fail("%s was not kept", name);
}

/* The catalog's segment was damaged, and is repaired. */
static void repair_segment(void) {
    char path[200];
    struct stat state;
    fill_catalog();
    offline_flip(&fixture, "segments/0-0", 4096 + 200);
    offline_repair_wholly(&fixture);
    snprintf(path, sizeof path, "%s/segments/0-1", fixture.store.path);
    cr_assert_eq(stat(path, &state), 0, "the new log has no file");
    put_back("journal-0-00000000", "journal/0-00000000");
    put_back("segments-0-0", "segments/0-0");
}

/* The new log's file is there, and nothing else. */
Test(rescue, cut_short_before_the_snapshots) {
    repair_segment();
    put_back("snapshots-0", "snapshots/0");
    put_back("snapshots-0-copy", "snapshots/0-copy");
    offline_repair_wholly(&fixture);
    expect_all_names();
}

Test(rescue, cut_short_between_the_snapshots) {
    repair_segment();
    put_back("snapshots-0-copy", "snapshots/0-copy");
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 0);
    offline_stop(&fixture);
    expect_all_names();
}

/* All is done but what sets old files aside. */
Test(rescue, cut_short_behind_the_snapshots) {
    repair_segment();
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 0);
    offline_stop(&fixture);
    expect_all_names();
}

/* --- topics that were deleted --- */

/* "a" is removed; what follows is in the journal. */
static void remove_a(void) {
    add_topics();
    offline_remove_topic(&fixture, "a");
    offline_add_topic(&fixture, "d", C + 1, 1);
}

/* Its records may be there still: they do not come back. */
Test(rescue, what_was_deleted_before_the_damage) {
    remove_a();
    kill_and_lose(ENTRIES_BEFORE + 4);
    offline_repair_wholly(&fixture);
    look();
    expect_name(A, "partition 9");
    expect_name(C, "c-0");
    image_close(&fixture.image);
}

/* The topic is back, and what is left of its records. */
Test(rescue, a_deletion_is_what_is_lost) {
    remove_a();
    kill_and_lose(ENTRIES_BEFORE + 3);
    offline_repair_wholly(&fixture);
    look();
    expect_name(A, "a-0");
    expect_name(C + 1, "d-0");
    image_close(&fixture.image);
    expect_serves(C);
}

/* --- any damage of the catalog alone --- */

enum { IDS_MAX = 15, SEEDS = 6 };

struct model {
    struct random random;
    uint32_t last;                /* ids up to here were given */
    int64_t records[IDS_MAX + 1]; /* by id; -1: its topic was removed */
    unsigned changes;             /* each a block of the journal */
};

static uint32_t below(struct model *model, uint32_t bound) {
    return (uint32_t)random_below(&model->random, bound);
}

static void model_change(struct model *model) {
    char name[40];
    uint32_t id = 1 + below(model, IDS_MAX);
    snprintf(name, sizeof name, "topic-%u", id);
    if (model->last < IDS_MAX && below(model, 3) > 0) {
        snprintf(name, sizeof name, "topic-%u", ++model->last);
        offline_add_topic(&fixture, name, model->last, 1);
        model->changes++;
    } else if (id > ORDERS_PARTITIONS && id <= model->last && model->records[id] >= 0) {
        offline_remove_topic(&fixture, name);
        model->records[id] = -1;
        model->changes++;
    }
}

static void model_live(struct model *model) {
    offline_start(&fixture);
    for (uint32_t acts = 2 + below(model, 8); acts > 0; acts--) {
        uint32_t id = 1 + below(model, model->last);
        model_change(model);
        if (model->records[id] >= 0) {
            offline_append(&fixture, id);
            model->records[id] += 2;
        }
        if (below(model, 6) == 0) offline_settle(&fixture, CATALOG_PARTITION_ID);
        if (below(model, 6) == 0) offline_checkpoint(&fixture);
    }
    offline_rest(&fixture);
    if (below(model, 2))
        offline_stop(&fixture);
    else
        offline_kill(&fixture);
}

/* Whatever the journal has of the catalog, and its snapshots. */
static void model_damage(struct model *model) {
    uint32_t blocks = 1 + below(model, 3);
    for (unsigned at = 0; at < blocks && at < model->changes; at++)
        offline_flip_block(&fixture, CATALOG_PARTITION_ID, below(model, model->changes - at));
    char path[200];
    struct stat state;
    snprintf(path, sizeof path, "%s/snapshots/0-copy", fixture.store.path);
    if (stat(path, &state) < 0 || below(model, 2)) return;
    offline_flip(&fixture, "snapshots/0", 60);
    offline_flip(&fixture, "snapshots/0-copy", 60);
}

/* All records of topics that were not removed are there, and have a topic. */
static void model_expect(struct model *model) {
    look();
    for (uint32_t id = 1; id <= model->last; id++) {
        const struct partition *partition = recovered_find(fixture.image.recovered, id);
        if (model->records[id] <= 0) continue;
        cr_assert(partition && catalog_lives_find(&fixture.image.lives, id), "%u is gone", id);
        cr_assert_eq(partition->next_offset, model->records[id], "%u", id);
    }
    image_close(&fixture.image);
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 0);
    for (uint32_t id = 1; id <= model->last; id++)
        if (model->records[id] > 0) cr_assert_eq(offline_records(&fixture, id), model->records[id]);
    offline_stop(&fixture);
}

static void run_seed(uint64_t seed) {
    struct model model = {.last = ORDERS_PARTITIONS, .changes = 1};
    char *said;
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    random_init(&model.random, seed);
    offline_init(&fixture);
    fixture.store.partitions = IDS_MAX;
    for (uint32_t id = 1; id <= ORDERS_PARTITIONS; id++) model.records[id] = 2;
    for (uint32_t lives = 1 + below(&model, 3); lives > 0; lives--) model_live(&model);
    model_damage(&model);
    offline_repair(&fixture, true, &said);
    free(said);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
    model_expect(&model);
    offline_deinit(&fixture);
}

/* MILLRACE_RESCUE_SEEDS=500 tries more of them. */
Test(rescue, at_random) {
    const char *wanted = getenv("MILLRACE_RESCUE_SEEDS");
    long seeds = wanted ? strtol(wanted, NULL, 10) : SEEDS;
    for (long seed = 1; seed <= seeds; seed++) run_seed((uint64_t)seed);
    offline_init(&fixture);
}

/* --- what is not repaired --- */

/* The broker that wrote it knows more than this one. */
Test(rescue, a_newer_catalog) {
    static uint8_t newer[] = {0xfa, 0x3f, 0x00}; /* field 1023, of length 0 */
    struct error error = {0};
    char folder[LAYOUT_PATH_SIZE];
    size_t count;
    struct batch_build build;
    struct byte_buffer batch = {0};
    add_topics();
    batch_build_init(&build);
    batch_build_add(&build, 1000, BYTES_NULL, bytes_make(newer, sizeof newer), NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_NONE, &batch, &error));
    cr_assert(fixture_append(&fixture.store, CATALOG_PARTITION_ID, byte_buffer_bytes(&batch)) > 0);
    batch_build_deinit(&build);
    byte_buffer_deinit(&batch);
    kill_and_lose(ENTRIES_BEFORE + 1);
    cr_assert_not(
        repair_directory(fixture.store.path, true, false, stdout, &count, folder, &error));
    cr_assert(strstr(error.text, "cannot be repaired: ") && strstr(error.text, "newer version"),
              "%s", error.text);
}
