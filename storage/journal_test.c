/* The supply of files, on a simulated disk and clock: when the journal grows, when it asks for a
 * checkpoint, and when a released file is free. */
#include "storage/journal.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "io/sim.h"
#include "storage/layout.h"

enum { LARGE = 120 << 10 }; /* fits wherever a block can begin */

struct bench {
    struct sim *sim;
    struct data_directory directory;
    struct journal journal;
    uint64_t runs;
    unsigned checkpoints;
};
static struct bench bench;

static void durable(struct journal *journal, struct journal_slot *slot) {
    (void)journal, (void)slot;
}

static void begin(void) {
    struct error error;
    bench = (struct bench){.sim = sim_new(7)};
    struct disk *disk = sim_disk_open(bench.sim);
    cr_assert_eq(disk_make_directory(disk, LAYOUT_JOURNALS), 0);
    bench.directory = (struct data_directory){.disk = disk, .salt = 1, .incarnation = 1};
    bench.journal.durable = durable;
    struct ring *ring = sim_ring_new(bench.sim);
    cr_assert(journal_open(&bench.journal, ring, &bench.directory, 0, 1 << 30, &error));
}

static void let_pass(uint64_t ns) {
    uint64_t until_ns = sim_now_ns(bench.sim) + ns;
    while (sim_step(bench.sim, until_ns)) continue;
    ring_round(bench.journal.ring, false);
}

static void end(void) {
    while (!journal_is_quiet(&bench.journal)) let_pass(NS_PER_MS);
    struct ring *ring = bench.journal.ring;
    journal_close(&bench.journal);
    ring_free(ring);
    disk_close(bench.directory.disk);
    sim_free(bench.sim);
}

/* Submits a block with so many bytes of entries. */
static void submit(size_t bytes) {
    struct block_writer writer;
    cr_assert(journal_can_begin(&bench.journal));
    journal_begin(&bench.journal, &writer);
    if (bytes) {
        block_run(&writer, 0, 0, ++bench.runs);
        memset(block_entry(&writer, ENTRY_BATCH, 1, bytes), 0, bytes);
    }
    journal_submit(&bench.journal, &writer);
}

static void commit(size_t bytes) {
    submit(bytes);
    while (bench.journal.acknowledged_through + 1 < bench.journal.sequence_next) let_pass(1000);
}

static void checkpoint(void) {
    struct journal *journal = &bench.journal;
    bench.checkpoints++;
    journal_release(journal, journal->acknowledged_through, journal->replay_bytes);
}

/* What a store does in a round; a checkpoint takes no time here. */
static void tend(void) {
    if (journal_tend(&bench.journal)) checkpoint();
    if (journal_must_say_release(&bench.journal)) commit(0);
}

static void commit_every(size_t bytes, uint64_t pause_ns, unsigned count) {
    for (unsigned at = 0; at < count; at++) {
        commit(bytes);
        tend();
        let_pass(pause_ns);
    }
}

static void end_with_journal_of(uint64_t bytes) {
    cr_assert_eq(bench.journal.bytes, bytes, "%llu", (unsigned long long)bench.journal.bytes);
    end();
}

Test(journal, what_comes_slowly_needs_a_small_one) {
    begin();
    commit_every(64 << 10, NS_PER_S, 600);
    cr_assert(bench.checkpoints >= 2 && bench.checkpoints <= 8, "%u", bench.checkpoints);
    end_with_journal_of(17 << 20);
}

/* Up to the room that the traffic needs, and no further however long it goes on. */
Test(journal, grows_with_the_traffic, .timeout = 60) {
    begin();
    commit_every(LARGE, 100 * NS_PER_MS, 120);
    cr_assert_eq(bench.journal.bytes, 81 << 20);
    commit_every(LARGE, 100 * NS_PER_MS, 1200);
    cr_assert(bench.checkpoints >= 2 && bench.checkpoints <= 8, "%u", bench.checkpoints);
    end_with_journal_of(81 << 20);
}

/* The large file was full, and the small one nearly, when the checkpoint was over: there is room
 * soon, though no block has said so yet. */
Test(journal, does_not_grow_behind_a_checkpoint) {
    begin();
    struct journal *journal = &bench.journal;
    while (bench.checkpoints == 0) commit_every(LARGE, NS_PER_S, 1);
    while (journal->current->size > 1 << 20 || journal_room(journal) > 512 << 10) {
        commit(LARGE);
        let_pass(NS_PER_S);
    }
    checkpoint();
    cr_assert(journal_must_say_release(journal));
    cr_assert_not(journal_tend(journal));
    cr_assert_null(journal->filling);
    for (int second = 0; second < 5; second++, let_pass(NS_PER_S)) tend();
    cr_assert_eq(bench.checkpoints, 2);
    cr_assert_gt(journal_room(journal), 15 << 20);
    end_with_journal_of(17 << 20);
}

/* Room is what counts then, not how lately it was made. */
Test(journal, does_not_grow_without_traffic) {
    begin();
    commit_every(LARGE, 100 * NS_PER_MS, 60);
    cr_assert_eq(bench.journal.bytes, 17 << 20);
    while (!journal_tend(&bench.journal)) commit(4096);
    checkpoint();
    for (int second = 0; second < 5; second++, let_pass(NS_PER_S)) tend();
    cr_assert_eq(bench.checkpoints, 1);
    end_with_journal_of(17 << 20);
}

/* A checkpoint that was asked for because a start would have too much to read may take long. */
Test(journal, grows_while_a_checkpoint_is_under_way) {
    begin();
    bench.journal.replay_bytes_max = 256 << 10;
    for (int at = 0; at < 200; at++) {
        commit(LARGE);
        journal_tend(&bench.journal);
        let_pass(100 * NS_PER_MS);
    }
    cr_assert(journal_tend(&bench.journal));
    cr_assert_gt(bench.journal.replay_bytes, 20 << 20);
    end_with_journal_of(81 << 20);
}

static unsigned full_files(void) {
    unsigned count = 0;
    for (unsigned at = 0; at < bench.journal.file_count; at++)
        count += bench.journal.files[at].state == JOURNAL_FILE_FULL;
    return count;
}

Test(journal, a_released_file_is_free_when_that_is_durable) {
    begin();
    while (full_files() == 0) commit_every(LARGE, 150 * NS_PER_MS, 1);
    cr_assert_not(journal_must_say_release(&bench.journal));
    checkpoint();
    cr_assert(journal_must_say_release(&bench.journal));
    submit(0);
    cr_assert_eq(full_files(), 1);
    while (full_files()) let_pass(1000);
    cr_assert_eq(bench.journal.acknowledged_through + 1, bench.journal.sequence_next);
    end();
}

/* Where there is no room for the block that would say so, a released file is no room. */
Test(journal, grows_when_a_release_cannot_be_said) {
    begin();
    while (full_files() == 0) commit_every(LARGE, 150 * NS_PER_MS, 1);
    checkpoint();
    let_pass(10 * NS_PER_S);
    bench.journal.current->used = bench.journal.current->size;
    cr_assert_eq(journal_room(&bench.journal), 0);
    cr_assert_not(journal_tend(&bench.journal));
    cr_assert_not_null(bench.journal.filling);
    end();
}
