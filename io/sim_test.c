#include "io/sim.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/memory.h"

enum { NEW = FILE_READ | FILE_WRITE | FILE_CREATE, SECTOR = 512 };

static void done_nothing(struct io_op *op) { (void)op; }

static void settle(struct sim *sim) {
    while (sim_step(sim, sim_now_ns(sim) + NS_PER_S)) continue;
}

static struct file *open_file(struct disk *disk, const char *path, int mode) {
    struct file *file;
    int failed = file_open(disk, path, mode, &file);
    cr_assert_eq(failed, 0, "%s: %s", path, strerror(-failed));
    return file;
}

/* --- a server that sends back what it receives --- */

struct echo {
    struct ring *ring;
    struct io_op accept, receive, send;
    struct iovec piece;
    uint8_t copy[16 * 1024];
    int listener, fd;
    int64_t last;
    unsigned received;
    char address[64];
};

static void echo_received(struct io_op *op) {
    struct echo *echo = container_of(op, struct echo, receive);
    echo->last = op->result;
    if (op->result <= 0) return;
    echo->received += (unsigned)op->result;
    memcpy(echo->copy, op->received.at, op->received.len);
    echo->piece = (struct iovec){echo->copy, op->received.len};
    ring_send(echo->ring, &echo->send, echo->fd, &echo->piece, 1);
}

static void echo_sent(struct io_op *op) {
    struct echo *echo = container_of(op, struct echo, send);
    echo->last = op->result;
    if (op->result > 0) ring_receive(echo->ring, &echo->receive, echo->fd);
}

static void echo_accepted(struct io_op *op) {
    struct echo *echo = container_of(op, struct echo, accept);
    if (op->result < 0) return;
    echo->fd = (int)op->result;
    ring_receive(echo->ring, &echo->receive, echo->fd);
}

static void echo_start(struct echo *echo, struct sim *sim) {
    *echo = (struct echo){.ring = sim_ring_new(sim), .fd = -1, .last = 1};
    echo->accept.done = echo_accepted;
    echo->receive.done = echo_received;
    echo->send.done = echo_sent;
    struct error error;
    echo->listener =
        ring_listen(echo->ring, "127.0.0.1:0", echo->address, sizeof echo->address, &error);
    cr_assert_geq(echo->listener, 0);
    ring_accept(echo->ring, &echo->accept, echo->listener);
}

static int64_t receive_all(struct sim *sim, int client, uint8_t *at, size_t len) {
    size_t got = 0;
    while (got < len) {
        int64_t count = sim_receive(sim, client, at + got, len - got);
        if (count < 0) return count;
        got += (size_t)count;
        if (count == 0 && !sim_step(sim, sim_now_ns(sim) + NS_PER_S)) break;
    }
    return (int64_t)got;
}

Test(sim, echoes_bytes_in_order_through_random_pieces) {
    enum { SIZE = 300 * 1024 };
    struct sim *sim = sim_new(7);
    struct echo *echo = new_zero(struct echo);
    echo_start(echo, sim);
    cr_assert_eq(sim_connect(sim, "127.0.0.1:1"), -1);
    int client = sim_connect(sim, echo->address);
    cr_assert_geq(client, 0);
    uint8_t *from = memory_new(SIZE), *into = memory_new(SIZE);
    for (size_t at = 0; at < SIZE; at++) from[at] = (uint8_t)(at * 7 + at / 255);
    sim_send(sim, client, bytes_make(from, SIZE));
    settle(sim);
    cr_assert_lt(echo->received, SIZE, "a client that does not read holds the server up");
    cr_assert_eq(receive_all(sim, client, into, SIZE), SIZE);
    cr_assert(memcmp(from, into, SIZE) == 0);
    char peer[64], local[64];
    cr_assert(ring_peer_address(echo->ring, echo->fd, peer, sizeof peer));
    cr_assert(ring_local_address(echo->ring, echo->fd, local, sizeof local));
    cr_assert_str_eq(local, echo->address);
    sim_disconnect(sim, client);
    settle(sim);
    cr_assert(echo->last == 0 || echo->last == -ECONNRESET);
    ring_close(echo->ring, echo->fd);
    ring_free(echo->ring);
    sim_free(sim);
    free(echo);
    free(from);
    free(into);
}

Test(sim, the_server_can_hang_up) {
    struct sim *sim = sim_new(3);
    struct echo *echo = new_zero(struct echo);
    echo_start(echo, sim);
    int client = sim_connect(sim, echo->address);
    settle(sim);
    ring_shutdown(echo->ring, echo->fd);
    settle(sim);
    cr_assert_eq(echo->last, 0);
    uint8_t byte;
    cr_assert_eq(sim_receive(sim, client, &byte, 1), -1);
    ring_close(echo->ring, echo->fd);
    sim_disconnect(sim, client);
    ring_cancel(echo->ring, &echo->accept);
    settle(sim);
    cr_assert(echo->accept.result == -ECANCELED && !echo->accept.more);
    ring_close(echo->ring, echo->listener);
    cr_assert_eq(sim_connect(sim, echo->address), -1);
    ring_free(echo->ring);
    sim_free(sim);
    free(echo);
}

Test(sim, receive_into_and_cancel) {
    struct sim *sim = sim_new(5);
    struct echo *echo = new_zero(struct echo);
    echo_start(echo, sim);
    int client = sim_connect(sim, echo->address);
    settle(sim);
    ring_cancel(echo->ring, &echo->receive);
    settle(sim);
    cr_assert_eq(echo->last, -ECANCELED);
    uint8_t into[1000] = {0};
    struct io_op op = {.done = done_nothing};
    ring_receive_into(echo->ring, &op, echo->fd, into, sizeof into);
    sim_send(sim, client, bytes_make(memset(echo->copy, 9, 1000), 600));
    settle(sim);
    cr_assert_eq(op.state, IO_IN_FLIGHT);
    sim_send(sim, client, bytes_make(echo->copy, 400));
    settle(sim);
    cr_assert(op.state == IO_IDLE && op.result == 1000 && into[999] == 9);
    ring_free(echo->ring);
    sim_free(sim);
    free(echo);
}

/* --- one seed, one run --- */

struct tick {
    struct timer timer;
    struct ring *ring;
    uint32_t *trace;
    int left;
};

static void tick_fire(struct timer *timer) {
    struct tick *tick = container_of(timer, struct tick, timer);
    uint64_t now = ring_now_ns(tick->ring);
    *tick->trace = crc32c_extend(*tick->trace, &now, sizeof now);
    if (--tick->left > 0) timer_arm(tick->ring, timer, now + NS_PER_MS);
}

static uint32_t run_with_seed(uint64_t seed) {
    uint32_t trace = 0;
    struct sim *sim = sim_new(seed);
    struct echo *echo = new_zero(struct echo);
    echo_start(echo, sim);
    struct tick tick = {.timer.fire = tick_fire, .ring = echo->ring, .trace = &trace, .left = 20};
    timer_arm(echo->ring, &tick.timer, sim_now_ns(sim));
    int client = sim_connect(sim, echo->address);
    uint8_t data[2000] = {1, 2, 3}, into[2000];
    sim_send(sim, client, bytes_make(data, sizeof data));
    for (int step = 0; step < 500 && sim_step(sim, sim_now_ns(sim) + NS_PER_S); step++) {
        int64_t got = sim_receive(sim, client, into, 100);
        trace = crc32c_extend(trace, &got, sizeof got);
    }
    sim_power_cut(sim);
    ring_free(echo->ring);
    sim_free(sim);
    free(echo);
    return trace;
}

Test(sim, the_same_seed_gives_the_same_run) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        cr_assert_eq(run_with_seed(seed), run_with_seed(seed));
        cr_assert_neq(run_with_seed(seed), run_with_seed(seed + 1));
    }
}

/* --- timers, work, waiting --- */

struct job {
    struct work work;
    struct disk *disk;
    int ran, done;
};

static void job_run(struct work *work) {
    struct job *job = container_of(work, struct job, work);
    job->ran++;
    file_close(open_file(job->disk, "by-work", NEW));
}

static void job_done(struct work *work) { container_of(work, struct job, work)->done++; }

Test(sim, work_takes_time_and_comes_home) {
    struct sim *sim = sim_new(1);
    struct ring *ring = sim_ring_new(sim);
    struct job job = {.disk = sim_disk_open(sim), .work = {.run = job_run, .done = job_done}};
    ring_work(ring, &job.work);
    cr_assert(job.ran == 0);
    while (!job.done) ring_round(ring, true); /* waiting lets the world go on */
    cr_assert(job.ran == 1 && job.done == 1);
    cr_assert_gt(sim_now_ns(sim), NS_PER_S);
    cr_assert_eq(ring_backend(ring), IO_SIMULATED);
    disk_close(job.disk);
    ring_free(ring);
    sim_free(sim);
}

Test(sim, time_passes_only_until_the_limit) {
    struct sim *sim = sim_new(1);
    struct ring *ring = sim_ring_new(sim);
    uint32_t trace = 0;
    struct tick tick = {.timer.fire = tick_fire, .ring = ring, .trace = &trace, .left = 1};
    settle(sim);
    uint64_t start = sim_now_ns(sim);
    timer_arm(ring, &tick.timer, start + 10 * NS_PER_S);
    while (sim_step(sim, start + 9 * NS_PER_S)) continue;
    cr_assert_eq(sim_now_ns(sim), start + 9 * NS_PER_S);
    cr_assert_eq(tick.left, 1);
    while (sim_step(sim, start + 11 * NS_PER_S)) continue;
    cr_assert_eq(tick.left, 0);
    ring_free(ring);
    sim_free(sim);
}

/* --- what crashes leave --- */

struct life {
    struct sim *sim;
    struct ring *ring;
    struct disk *disk;
};

static void life_begin(struct life *life) {
    life->ring = sim_ring_new(life->sim);
    life->disk = sim_disk_open(life->sim);
}

static void life_end(struct life *life) {
    ring_free(life->ring);
    disk_close(life->disk);
}

static void make_stable_file(struct life *life, const char *path, size_t size, int fill) {
    uint8_t *old = memset(memory_new(size), fill, size);
    cr_assert_eq(disk_replace_file(life->disk, ".", path, bytes_make(old, size)), 0);
    free(old);
}

/* How many of the file's sectors hold the byte `fill`; checks that each sector is whole. */
static size_t sectors_with(struct life *life, const char *path, int fill) {
    uint8_t *at;
    size_t len, found = 0;
    cr_assert_eq(disk_read_file(life->disk, path, 1 << 20, &at, &len), 0);
    for (size_t sector = 0; sector + SECTOR <= len; sector += SECTOR) {
        for (size_t byte = 1; byte < SECTOR; byte++)
            cr_assert_eq(at[sector + byte], at[sector], "a sector is torn inside");
        found += at[sector] == fill;
    }
    free(at);
    return found;
}

enum { SECTORS = 64 };

static size_t survivors(uint64_t seed, bool durable, bool wait, bool kill) {
    struct life life = {.sim = sim_new(seed)};
    life_begin(&life);
    make_stable_file(&life, "x", SECTORS * SECTOR, 1);
    struct file *file = open_file(life.disk, "x", FILE_WRITE);
    uint8_t *data = memset(memory_new(SECTORS * SECTOR), 2, SECTORS * SECTOR);
    struct iovec piece = {data, SECTORS * SECTOR};
    struct io_op op = {.done = done_nothing};
    ring_write(life.ring, &op, file, &piece, 1, 0, durable);
    if (wait) settle(life.sim);
    if (kill)
        sim_kill(life.sim);
    else
        sim_power_cut(life.sim);
    cr_assert_eq(op.state, wait ? IO_IDLE : IO_IN_FLIGHT);
    file_close(file);
    free(data);
    life_end(&life);
    life_begin(&life);
    settle(life.sim);
    cr_assert_eq(op.state, wait ? IO_IDLE : IO_IN_FLIGHT); /* nothing completes any more */
    size_t found = sectors_with(&life, "x", 2);
    cr_assert_eq(found + sectors_with(&life, "x", 1), SECTORS);
    life_end(&life);
    sim_free(life.sim);
    return found;
}

Test(sim, a_durable_write_survives_every_crash) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        cr_assert_eq(survivors(seed, true, true, false), SECTORS);
        cr_assert_eq(survivors(seed, true, true, true), SECTORS);
    }
}

Test(sim, a_kill_keeps_what_was_written) {
    for (uint64_t seed = 0; seed < 50; seed++)
        cr_assert_eq(survivors(seed, false, true, true), SECTORS);
}

Test(sim, a_power_cut_loses_and_tears_what_was_not_stable) {
    int lost = 0, torn = 0, torn_in_flight = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        size_t found = survivors(seed, false, true, false);
        lost += found == 0;
        torn += found > 0 && found < SECTORS;
        found = survivors(seed, true, false, false);
        torn_in_flight += found > 0 && found < SECTORS;
    }
    cr_assert(lost > 0 && torn > 0 && torn_in_flight > 0, "%d %d %d", lost, torn, torn_in_flight);
}

static bool exists(struct life *life, const char *path) {
    struct file *file;
    int failed = file_open(life->disk, path, FILE_READ, &file);
    file_close(file);
    cr_assert(failed == 0 || failed == -ENOENT);
    return failed == 0;
}

/* Creates d/x, synced but for the directories whose bit is missing in `syncs` (1: d, 2: root). */
static bool entry_survives(uint64_t seed, int syncs) {
    struct life life = {.sim = sim_new(seed)};
    life_begin(&life);
    cr_assert_eq(disk_make_directory(life.disk, "d"), 0);
    struct file *file = open_file(life.disk, "d/x", NEW);
    cr_assert_eq(file_write_at(file, "abc", 3, 0), 0);
    cr_assert_eq(file_sync(file), 0);
    file_close(file);
    if (syncs & 1) cr_assert_eq(disk_sync_directory(life.disk, "d"), 0);
    if (syncs & 2) cr_assert_eq(disk_sync_directory(life.disk, "."), 0);
    sim_power_cut(life.sim);
    life_end(&life);
    life_begin(&life);
    bool survived = exists(&life, "d/x");
    uint8_t *at;
    size_t len;
    if (survived) { /* the content was synced */
        cr_assert_eq(disk_read_file(life.disk, "d/x", 10, &at, &len), 0);
        cr_assert(bytes_equal_text(bytes_make(at, len), "abc"));
        free(at);
    }
    life_end(&life);
    sim_free(life.sim);
    return survived;
}

Test(sim, entries_need_their_directories_synced) {
    int survived[4] = {0};
    for (uint64_t seed = 0; seed < 60; seed++)
        for (int syncs = 0; syncs < 4; syncs++) survived[syncs] += entry_survives(seed, syncs);
    cr_assert_eq(survived[3], 60);
    for (int syncs = 0; syncs < 3; syncs++)
        cr_assert(survived[syncs] > 0 && survived[syncs] < 60, "%d: %d", syncs, survived[syncs]);
}

/* Fails each operation of a replacement in turn, then cuts the power: old or new, never else. */
Test(sim, replacing_a_file_is_atomic_under_every_fault) {
    static const int errors[] = {EIO, ENOSPC, 0};
    for (uint64_t seed = 0; seed < 30; seed++) {
        for (uint64_t fault = 0; fault < 10; fault++) {
            struct life life = {.sim = sim_new(seed)};
            life_begin(&life);
            make_stable_file(&life, "x", 4 * SECTOR, 1);
            uint8_t data[4 * SECTOR];
            memset(data, 2, sizeof data);
            if (fault) sim_fail_disk(life.sim, fault, errors[seed % 3]);
            int failed = disk_replace_file(life.disk, ".", "x", bytes_make(data, sizeof data));
            sim_power_cut(life.sim);
            life_end(&life);
            life_begin(&life);
            size_t found = sectors_with(&life, "x", 2);
            cr_assert(found == 4 || (found == 0 && sectors_with(&life, "x", 1) == 4));
            if (!failed) cr_assert_eq(found, 4);
            life_end(&life);
            sim_free(life.sim);
        }
    }
}

/* A file of one stable sector of ones, and twos to be written over it. */
struct rewriting {
    struct life life;
    struct file *file;
    uint8_t twos[SECTOR];
};

static void rewriting_begin(struct rewriting *it) {
    it->life = (struct life){.sim = sim_new(1)};
    life_begin(&it->life);
    make_stable_file(&it->life, "x", SECTOR, 1);
    it->file = open_file(it->life.disk, "x", FILE_WRITE);
    memset(it->twos, 2, sizeof it->twos);
}

/* Read back it is the new one; behind a power cut it is this. */
static void rewriting_end(struct rewriting *it, uint8_t stays) {
    cr_assert_eq(sectors_with(&it->life, "x", 2), 1);
    sim_power_cut(it->life.sim);
    file_close(it->file);
    life_end(&it->life);
    life_begin(&it->life);
    cr_assert_eq(sectors_with(&it->life, "x", stays), 1);
    life_end(&it->life);
    sim_free(it->life.sim);
}

Test(sim, after_a_failed_sync_the_next_one_lies) {
    struct rewriting it;
    rewriting_begin(&it);
    cr_assert_eq(file_write_at(it.file, it.twos, SECTOR, 0), 0);
    uint64_t before = sim_disk_operations(it.life.sim);
    sim_fail_disk(it.life.sim, 1, EIO);
    cr_assert_eq(file_sync(it.file), -EIO);
    cr_assert_eq(file_sync(it.file), 0);
    cr_assert_eq(sim_disk_operations(it.life.sim), before + 2);
    rewriting_end(&it, 1);
}

/* A write whose write-back has failed: it is read back, and only writing it again makes it durable.
 */
Test(sim, a_forgotten_write_goes_with_the_power) {
    for (int again = 0; again < 2; again++) {
        struct rewriting it;
        rewriting_begin(&it);
        sim_spoil_disk(it.life.sim, 1, SIM_SPOIL_FORGOTTEN);
        cr_assert_eq(file_write_at(it.file, it.twos, SECTOR, 0), -EIO);
        cr_assert(sim_disk_is_spoilt(it.life.sim));
        if (again) cr_assert_eq(file_write_at(it.file, it.twos, SECTOR, 0), 0);
        cr_assert_eq(file_sync(it.file), 0);
        rewriting_end(&it, again ? 2 : 1);
    }
}

Test(sim, files_keep_their_rules) {
    struct life life = {.sim = sim_new(1)};
    life_begin(&life);
    struct file *file = open_file(life.disk, "x", NEW), *other = open_file(life.disk, "x", NEW);
    cr_assert_eq(file_lock(file), 0);
    cr_assert_eq(file_lock(other), -EAGAIN);
    cr_assert_eq(file_write_at(file, "abcdef", 6, 4094), 0);
    cr_assert_eq(file_allocate(file, 10000), 0);
    uint8_t text[16];
    cr_assert_eq(file_read_at(other, text, 8, 4093), 8);
    cr_assert_arr_eq(text, "\0abcdef\0", 8);
    cr_assert_eq(file_truncate(file, 4096), 0);
    cr_assert_eq(file_truncate(file, 4200), 0);
    cr_assert_eq(file_read_at(other, text, 8, 4093), 8);
    cr_assert_arr_eq(text, "\0ab\0\0\0\0\0", 8);
    cr_assert_eq(file_size(other), 4200);
    struct io_op op = {.done = done_nothing};
    uint8_t big[8192];
    ring_read(life.ring, &op, file, big, sizeof big, 4000);
    settle(life.sim);
    cr_assert_eq(op.result, 200);
    cr_assert_eq(disk_make_directory(life.disk, "none/d"), -ENOENT);
    cr_assert_eq(disk_make_directory(life.disk, "d"), 0);
    cr_assert_eq(disk_rename(life.disk, "x", "d/y"), 0);
    cr_assert_eq(disk_remove_directory(life.disk, "d"), -ENOTEMPTY);
    cr_assert_eq(disk_unlink(life.disk, "d/y"), 0);
    cr_assert_eq(disk_remove_directory(life.disk, "d"), 0);
    cr_assert_eq(file_size(file), 4200); /* open files outlive their names */
    file_close(file);
    file_close(other);
    life_end(&life);
    sim_free(life.sim);
}

/* A crash in the middle of everything must leave nothing that a sanitizer minds. */
Test(sim, crashes_anywhere_are_clean) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim *sim = sim_new(seed);
        struct echo *echo = new_zero(struct echo);
        echo_start(echo, sim);
        struct disk *disk = sim_disk_open(sim);
        struct file *file = open_file(disk, "x", NEW);
        struct job job = {.disk = disk, .work = {.run = job_run, .done = job_done}};
        ring_work(echo->ring, &job.work);
        int client = sim_connect(sim, echo->address);
        sim_send(sim, client, bytes_make(echo->copy, sizeof echo->copy));
        struct io_op op = {.done = done_nothing};
        struct iovec piece = {(void *)"abc", 3};
        ring_write(echo->ring, &op, file, &piece, 1, 0, true);
        for (uint64_t step = 0; step < seed; step++) sim_step(sim, UINT64_MAX);
        if (seed % 2)
            sim_kill(sim);
        else
            sim_power_cut(sim);
        ring_shutdown(echo->ring, echo->fd);
        ring_free(echo->ring);
        file_close(file);
        disk_close(disk);
        settle(sim);
        uint8_t into[64];
        while (sim_receive(sim, client, into, sizeof into) > 0) continue;
        cr_assert_eq(sim_receive(sim, client, into, 1), -1);
        sim_disconnect(sim, client);
        settle(sim);
        sim_free(sim);
        free(echo);
    }
}

Test(sim, changing_a_buffer_in_flight_stops_the_process, .signal = SIGABRT) {
    struct life life = {.sim = sim_new(1)};
    life_begin(&life);
    struct file *file = open_file(life.disk, "x", NEW);
    char text[] = "abc";
    struct iovec piece = {text, 3};
    struct io_op op = {.done = done_nothing};
    ring_write(life.ring, &op, file, &piece, 1, 0, true);
    text[0] = 'z';
    settle(life.sim);
}
