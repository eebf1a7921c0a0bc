/* The same cases for both real backends: RING_TEST(name) makes a test of each. */
#include "io/ring.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"

/* --- what every case has --- */

struct bench {
    struct ring *ring;
    struct workers *workers;
    char address[64];
    int listener;
    int peers[256]; /* accepted by the ring */
    int peer_count, wanted;
    int64_t accept_result;
    struct io_op accept;
};

static void bench_accepted(struct io_op *op) {
    struct bench *bench = container_of(op, struct bench, accept);
    bench->accept_result = op->result;
    if (op->result >= 0) bench->peers[bench->peer_count++] = (int)op->result;
}

static void bench_run(enum io_backend backend, void (*body)(struct bench *bench)) {
    struct bench bench = {.workers = workers_new(2)};
    struct ring_options options = {backend, bench.workers, 0};
    struct error why;
    bench.ring = ring_new(&options, &why);
    if (!bench.ring) {
        fprintf(stderr, "skipped: %s\n", why.text);
        workers_free(bench.workers);
        return;
    }
    cr_assert_eq(ring_backend(bench.ring), backend);
    struct error error;
    bench.listener =
        ring_listen(bench.ring, "127.0.0.1:0", bench.address, sizeof bench.address, &error);
    cr_assert_geq(bench.listener, 0, "%s", error.text);
    bench.accept.done = bench_accepted;
    ring_accept(bench.ring, &bench.accept, bench.listener);
    body(&bench);
    for (int at = 0; at < bench.peer_count; at++)
        if (bench.peers[at] >= 0) ring_close(bench.ring, bench.peers[at]);
    ring_cancel(bench.ring, &bench.accept);
    while (bench.accept.state != IO_IDLE) ring_round(bench.ring, true);
    ring_close(bench.ring, bench.listener);
    ring_free(bench.ring);
    workers_free(bench.workers);
}

#define RING_TEST(name)                                                   \
    static void name(struct bench *bench);                                \
    Test(ring_uring, name, .timeout = 300) { bench_run(IO_URING, name); } \
    Test(ring_epoll, name, .timeout = 300) { bench_run(IO_EPOLL, name); } \
    static void name(struct bench *bench)

/* A blocking client socket. */
static int bench_connect(struct bench *bench) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)atoi(strchr(bench->address, ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Connects and returns the ring's end; the client's is written to `client`. */
static int bench_pair(struct bench *bench, int *client) {
    int before = bench->peer_count;
    *client = bench_connect(bench);
    while (bench->peer_count == before) ring_round(bench->ring, true);
    return bench->peers[before];
}

static void op_await(struct ring *ring, struct io_op *op) {
    while (op->state != IO_IDLE) ring_round(ring, true);
}

static void done_nothing(struct io_op *op) { (void)op; }

static void write_all(int fd, const void *at, size_t len) {
    cr_assert_eq(send(fd, at, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* --- sockets --- */

struct collector {
    struct io_op op;
    struct ring *ring;
    int fd;
    char text[256];
    size_t len;
    bool ended;
};

static void collector_done(struct io_op *op) {
    struct collector *collector = container_of(op, struct collector, op);
    cr_assert_geq(op->result, 0);
    if (op->result == 0) {
        collector->ended = true;
        return;
    }
    cr_assert_eq(op->received.len, (size_t)op->result);
    memcpy(collector->text + collector->len, op->received.at, op->received.len);
    collector->len += op->received.len;
    ring_receive(collector->ring, op, collector->fd);
}

RING_TEST(receives_what_arrives_in_pieces_and_the_end) {
    int client, fd = bench_pair(bench, &client);
    struct collector collector = {.op.done = collector_done, .ring = bench->ring, .fd = fd};
    ring_receive(bench->ring, &collector.op, fd);
    write_all(client, "one ", 4);
    while (collector.len < 4) ring_round(bench->ring, true);
    write_all(client, "two ", 4);
    write_all(client, "three", 5);
    while (collector.len < 13) ring_round(bench->ring, true);
    cr_assert_arr_eq(collector.text, "one two three", 13);
    cr_assert_not(collector.ended);
    close(client);
    while (!collector.ended) ring_round(bench->ring, true);
}

RING_TEST(data_and_end_that_arrive_together_are_both_seen) {
    int client, fd = bench_pair(bench, &client);
    struct collector collector = {.op.done = collector_done, .ring = bench->ring, .fd = fd};
    write_all(client, "last words", 10);
    close(client);
    ring_round(bench->ring, false);
    ring_receive(bench->ring, &collector.op, fd);
    while (!collector.ended) ring_round(bench->ring, true);
    cr_assert_eq(collector.len, 10);
}

enum { LARGE = 3 * 1024 * 1024 };

struct pusher {
    pthread_t thread;
    int fd;
    uint8_t *data;
};

static void *pusher_push(void *context) {
    struct pusher *pusher = context;
    for (size_t at = 0; at < LARGE;) {
        ssize_t sent = send(pusher->fd, pusher->data + at, LARGE - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += (size_t)sent;
    }
    return NULL;
}

static void *pusher_pull(void *context) {
    struct pusher *pusher = context;
    for (size_t at = 0; at < LARGE;) {
        ssize_t got = recv(pusher->fd, pusher->data + at, LARGE - at, 0);
        if (got <= 0) break;
        at += (size_t)got;
    }
    return NULL;
}

static void fill(uint8_t *at, size_t len) {
    for (size_t place = 0; place < len; place++) at[place] = (uint8_t)(place * 31 + place / 251);
}

RING_TEST(large_receive_into_waits_for_all) {
    struct pusher pusher = {.data = memory_new(LARGE)};
    int fd = bench_pair(bench, &pusher.fd);
    fill(pusher.data, LARGE);
    uint8_t *into = memory_zero(1, LARGE);
    struct io_op op = {.done = done_nothing};
    ring_receive_into(bench->ring, &op, fd, into, LARGE);
    pthread_create(&pusher.thread, NULL, pusher_push, &pusher);
    op_await(bench->ring, &op);
    pthread_join(pusher.thread, NULL);
    cr_assert_eq(op.result, LARGE);
    cr_assert(memcmp(into, pusher.data, LARGE) == 0);
    write_all(pusher.fd, "abc", 3);
    close(pusher.fd);
    ring_receive_into(bench->ring, &op, fd, into, 10);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, 3); /* fewer only at the end */
    free(into);
    free(pusher.data);
}

RING_TEST(large_send_of_many_pieces_arrives_in_order) {
    struct pusher pusher = {.data = memory_zero(1, LARGE)};
    int fd = bench_pair(bench, &pusher.fd);
    uint8_t *from = memory_new(LARGE);
    fill(from, LARGE);
    enum { PIECES = 3000 };
    struct iovec *pieces = memory_zero(PIECES, sizeof *pieces);
    for (size_t at = 0; at < PIECES; at++)
        pieces[at] = (struct iovec){from + at * (LARGE / PIECES), LARGE / PIECES};
    pieces[PIECES - 1].iov_len = LARGE - (LARGE / PIECES) * (PIECES - 1);
    struct io_op op = {.done = done_nothing};
    ring_send(bench->ring, &op, fd, pieces, PIECES);
    ring_round(bench->ring, false);
    pthread_create(&pusher.thread, NULL, pusher_pull, &pusher);
    op_await(bench->ring, &op);
    pthread_join(pusher.thread, NULL);
    cr_assert_eq(op.result, LARGE);
    cr_assert(memcmp(from, pusher.data, LARGE) == 0);
    close(pusher.fd);
    free(pieces);
    free(from);
    free(pusher.data);
}

RING_TEST(send_and_receive_are_in_flight_together) {
    int client, fd = bench_pair(bench, &client);
    struct io_op receive = {.done = done_nothing}, sending = {.done = done_nothing};
    ring_receive(bench->ring, &receive, fd);
    struct iovec piece = {(void *)"hello", 5};
    ring_send(bench->ring, &sending, fd, &piece, 1);
    op_await(bench->ring, &sending);
    cr_assert_eq(sending.result, 5);
    cr_assert_eq(receive.state, IO_IN_FLIGHT);
    char text[8];
    cr_assert_eq(recv(client, text, sizeof text, 0), 5);
    write_all(client, "x", 1);
    op_await(bench->ring, &receive);
    cr_assert_eq(receive.result, 1);
    close(client);
}

RING_TEST(completions_are_never_called_from_a_submit) {
    int client, fd = bench_pair(bench, &client);
    struct io_op op = {.done = done_nothing};
    struct iovec piece = {(void *)"hello", 5};
    ring_send(bench->ring, &op, fd, &piece, 1);
    cr_assert_neq(op.state, IO_IDLE);
    ring_cancel(bench->ring, &op);
    cr_assert_neq(op.state, IO_IDLE);
    op_await(bench->ring, &op);
    cr_assert(op.result == 5 || op.result == -ECANCELED);
    close(client);
}

RING_TEST(cancel_ends_a_receive_and_only_once) {
    int client, fd = bench_pair(bench, &client);
    struct io_op op = {.done = done_nothing};
    ring_receive(bench->ring, &op, fd);
    ring_round(bench->ring, false);
    ring_cancel(bench->ring, &op);
    ring_cancel(bench->ring, &op);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, -ECANCELED);
    ring_cancel(bench->ring, &op); /* idle: nothing happens */
    ring_receive(bench->ring, &op, fd);
    write_all(client, "again", 5);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, 5);
    close(client);
}

RING_TEST(shutdown_ends_what_is_in_flight) {
    int client, fd = bench_pair(bench, &client);
    struct io_op op = {.done = done_nothing}, sending = {.done = done_nothing};
    ring_receive(bench->ring, &op, fd);
    ring_round(bench->ring, false);
    ring_shutdown(bench->ring, fd);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, 0);
    struct iovec piece = {(void *)"late", 4};
    ring_send(bench->ring, &sending, fd, &piece, 1);
    op_await(bench->ring, &sending);
    cr_assert_eq(sending.result, -EPIPE);
    char byte;
    cr_assert_eq(recv(client, &byte, 1, 0), 0);
    close(client);
}

RING_TEST(a_reset_is_an_error) {
    int client, fd = bench_pair(bench, &client);
    struct io_op op = {.done = done_nothing};
    ring_receive(bench->ring, &op, fd);
    ring_round(bench->ring, false);
    struct linger at_once = {1, 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, -ECONNRESET);
}

RING_TEST(accepts_many_and_knows_addresses) {
    enum { MANY = 100 };
    int clients[MANY];
    for (int at = 0; at < MANY; at++) clients[at] = bench_connect(bench);
    while (bench->peer_count < MANY) ring_round(bench->ring, true);
    char peer[64], local[64];
    cr_assert(ring_peer_address(bench->ring, bench->peers[0], peer, sizeof peer));
    cr_assert(ring_local_address(bench->ring, bench->peers[0], local, sizeof local));
    cr_assert_str_eq(local, bench->address);
    cr_assert(strncmp(peer, "127.0.0.1:", 10) == 0);
    cr_assert(bench->accept.more);
    for (int at = 0; at < MANY; at++) close(clients[at]);
}

/* 200 connections receive at once, with fewer buffers than that in the ring. */
RING_TEST(more_receives_than_buffers) {
    enum { MANY = 200, SIZE = 5000 };
    static int clients[MANY];
    static struct io_op ops[MANY];
    static char data[SIZE];
    for (int at = 0; at < MANY; at++) bench_pair(bench, &clients[at]);
    for (int at = 0; at < MANY; at++) write_all(clients[at], data, SIZE);
    for (int at = 0; at < MANY; at++) {
        ops[at] = (struct io_op){.done = done_nothing};
        ring_receive(bench->ring, &ops[at], bench->peers[at]);
    }
    for (int at = 0; at < MANY; at++) {
        op_await(bench->ring, &ops[at]);
        cr_assert_gt(ops[at].result, 0);
        close(clients[at]);
    }
}

RING_TEST(accept_goes_on_after_descriptors_ran_out) {
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    int client = bench_connect(bench);
    none = before;
    int next = dup(0);
    close(next);
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
    uint64_t until = clock_monotonic_ns() + 50 * NS_PER_MS;
    struct timer timer = {0};
    for (; clock_monotonic_ns() < until; usleep(1000)) ring_round(bench->ring, false);
    (void)timer;
    cr_assert_eq(bench->peer_count, 0);
    cr_assert_eq(bench->accept.state, IO_IN_FLIGHT);
    setrlimit(RLIMIT_NOFILE, &before);
    while (bench->peer_count == 0) ring_round(bench->ring, true);
    close(client);
}

/* --- timers, hooks, mail, work --- */

struct order {
    struct timer timer;
    char name, *log;
};

static void order_fire(struct timer *timer) {
    struct order *order = container_of(timer, struct order, timer);
    order->log[strlen(order->log)] = order->name;
}

RING_TEST(timers_fire_in_order_and_can_move) {
    char log[8] = "";
    struct order timers[4];
    uint64_t now = ring_now_ns(bench->ring);
    for (int at = 0; at < 4; at++) {
        timers[at] = (struct order){{.fire = order_fire}, (char)('a' + at), log};
        timer_arm(bench->ring, &timers[at].timer, now + (unsigned)(at + 1) * 3 * NS_PER_MS);
    }
    timer_arm(bench->ring, &timers[0].timer, now + 20 * NS_PER_MS);
    timer_cancel(bench->ring, &timers[1].timer);
    cr_assert_not(timer_is_armed(&timers[1].timer));
    int rounds = 0;
    while (strlen(log) < 3) {
        ring_round(bench->ring, true);
        rounds++;
    }
    cr_assert_str_eq(log, "cda");
    cr_assert_geq(ring_now_ns(bench->ring), now + 20 * NS_PER_MS);
    cr_assert_lt(rounds, 30, "waiting takes no CPU: %d rounds", rounds);
}

static void again_fire(struct timer *timer) {
    static struct ring *ring;
    struct order *order = container_of(timer, struct order, timer);
    if (!ring) ring = (struct ring *)(void *)order->log;
    timer_arm(ring, timer, 0);
}

RING_TEST(a_timer_that_is_always_due_does_not_stop_the_round) {
    struct order timer = {{.fire = again_fire}, 'x', (char *)(void *)bench->ring};
    timer_arm(bench->ring, &timer.timer, 0);
    for (int round = 0; round < 3; round++) ring_round(bench->ring, true);
    cr_assert(timer_is_armed(&timer.timer));
    timer_cancel(bench->ring, &timer.timer);
}

struct counting_hook {
    struct round_hook hook;
    int runs;
    struct counting_hook *removes;
};

static void counting_hook_run(struct round_hook *hook) {
    struct counting_hook *counting = container_of(hook, struct counting_hook, hook);
    counting->runs++;
    if (counting->removes) ring_unhook(&counting->removes->hook);
}

RING_TEST(hooks_run_once_each_round_and_may_remove_others) {
    struct counting_hook first = {{.run = counting_hook_run}, 0, NULL}, second = first;
    ring_hook(bench->ring, &first.hook);
    ring_hook(bench->ring, &second.hook);
    ring_round(bench->ring, false);
    cr_assert(first.runs == 1 && second.runs == 1);
    first.removes = &second;
    ring_round(bench->ring, false);
    ring_round(bench->ring, false);
    cr_assert(first.runs == 3 && second.runs == 1);
    ring_unhook(&first.hook);
}

struct letter {
    struct mail mail;
    struct mailroom *room;
    unsigned number;
};

enum { LETTERS = 100000, SENDERS = 2 };

struct mailroom {
    struct ring *ring;
    struct letter *letters[SENDERS];
    unsigned next[SENDERS], count;
    bool in_order;
};

static void letter_deliver(struct mail *mail) {
    struct letter *letter = container_of(mail, struct letter, mail);
    struct mailroom *room = letter->room;
    int sender = letter >= room->letters[1] && letter < room->letters[1] + LETTERS;
    room->in_order = room->in_order && letter->number == room->next[sender]++;
    if (++room->count == LETTERS * SENDERS) ring_stop(room->ring);
}

static void *letters_send(void *context) {
    struct letter *letters = context;
    for (unsigned at = 0; at < LETTERS; at++) {
        ring_post(letters[at].room->ring, &letters[at].mail);
        if (at % 1000 == 999) usleep(100); /* lets the receiver fall asleep */
    }
    return NULL;
}

RING_TEST(mail_between_threads_is_never_lost) {
    struct mailroom room = {.ring = bench->ring, .in_order = true};
    pthread_t threads[SENDERS];
    for (int sender = 0; sender < SENDERS; sender++) {
        room.letters[sender] = memory_zero(LETTERS, sizeof(struct letter));
        for (unsigned at = 0; at < LETTERS; at++) {
            struct letter *letter = &room.letters[sender][at];
            letter->mail.deliver = letter_deliver;
            letter->room = &room;
            letter->number = at;
        }
    }
    for (int at = 0; at < SENDERS; at++)
        pthread_create(&threads[at], NULL, letters_send, room.letters[at]);
    ring_run(bench->ring);
    for (int at = 0; at < SENDERS; at++) {
        pthread_join(threads[at], NULL);
        free(room.letters[at]);
    }
    cr_assert(room.in_order);
    cr_assert_eq(room.count, LETTERS * SENDERS);
}

/* One letter at a time, sent the moment that the last one was read: when the ring falls asleep
 * without looking again, nobody wakes it. */
struct knocker {
    struct mail mail;
    struct ring *ring;
    _Atomic(unsigned) heard;
    bool is_over;
};

enum { KNOCKS = 20000 };

static void knocker_deliver(struct mail *mail) {
    struct knocker *knocker = container_of(mail, struct knocker, mail);
    unsigned heard = atomic_load(&knocker->heard) + 1;
    knocker->is_over = heard == KNOCKS;
    atomic_store(&knocker->heard, heard);
}

static void *knocker_knock(void *context) {
    struct knocker *knocker = context;
    for (unsigned at = 0; at < KNOCKS; at++) {
        while (atomic_load(&knocker->heard) < at) continue;
        for (volatile unsigned pause = at % 256; pause > 0; pause--) continue;
        ring_post(knocker->ring, &knocker->mail);
    }
    return NULL;
}

RING_TEST(mail_at_the_moment_of_falling_asleep_wakes) {
    struct knocker knocker = {.ring = bench->ring, .mail.deliver = knocker_deliver};
    pthread_t thread;
    pthread_create(&thread, NULL, knocker_knock, &knocker);
    while (!knocker.is_over) ring_round(bench->ring, true);
    pthread_join(thread, NULL);
    cr_assert_eq(knocker.heard, KNOCKS);
}

struct job {
    struct work work;
    pthread_t ran_on;
    int nice;
    int *open;
    struct ring *ring;
};

static void job_run(struct work *work) {
    usleep(1000);
    struct job *job = container_of(work, struct job, work);
    job->ran_on = pthread_self();
    job->nice = getpriority(PRIO_PROCESS, 0); /* Linux: this thread's */
}

static void job_done(struct work *work) {
    struct job *job = container_of(work, struct job, work);
    if (--*job->open == 0) ring_stop(job->ring);
}

RING_TEST(work_runs_elsewhere_and_comes_home) {
    enum { JOBS = 20 };
    struct job jobs[JOBS];
    int open = JOBS;
    for (int at = 0; at < JOBS; at++) {
        jobs[at] = (struct job){.open = &open, .ring = bench->ring};
        jobs[at].work.run = job_run;
        jobs[at].work.done = job_done;
        jobs[at].work.is_background = at % 2;
        ring_work(bench->ring, &jobs[at].work);
    }
    ring_run(bench->ring);
    cr_assert_eq(open, 0);
    int nice = getpriority(PRIO_PROCESS, 0);
    for (int at = 0; at < JOBS; at++) {
        cr_assert_neq(jobs[at].ran_on, pthread_self());
        cr_assert(at % 2 ? jobs[at].nice > nice || nice == 19 : jobs[at].nice == nice);
    }
}

RING_TEST(ring_can_be_freed_with_everything_in_flight) {
    struct ring_options options = {ring_backend(bench->ring), bench->workers, 0};
    struct error why;
    struct ring *other = ring_new(&options, &why);
    cr_assert_not_null(other, "%s", why.text);
    int client, fd = bench_pair(bench, &client);
    static struct io_op op; /* outlives the ring */
    op.done = done_nothing;
    ring_receive(other, &op, fd);
    static struct job job;
    static int open = 1;
    job = (struct job){.open = &open, .ring = other};
    job.work.run = job_run;
    job.work.done = job_done;
    ring_work(other, &job.work);
    ring_round(other, false);
    ring_free(other);
    cr_assert_eq(open, 1); /* not delivered any more */
    close(client);
}

/* --- files --- */

struct folder {
    char path[64];
    struct disk *disk;
};

static void folder_open(struct folder *folder, const char *where) {
    snprintf(folder->path, sizeof folder->path, "%s/ring-test-XXXXXX", where);
    cr_assert_not_null(mkdtemp(folder->path));
    struct error error;
    folder->disk = disk_open(folder->path, false, &error);
    cr_assert_not_null(folder->disk, "%s", error.text);
    disk_probe_direct(folder->disk);
}

static void folder_close(struct folder *folder) {
    disk_close(folder->disk);
    rmdir(folder->path);
}

static void check_write_and_read(struct bench *bench, struct folder *folder, int mode) {
    struct file *file;
    enum { SIZE = 256 * 1024, HALF = SIZE / 2 };
    cr_assert_eq(
        file_open(folder->disk, "data", mode | FILE_READ | FILE_WRITE | FILE_CREATE, &file), 0);
    uint8_t *from = memory_aligned(4096, SIZE), *into = memory_aligned(4096, SIZE * 2);
    fill(from, SIZE);
    struct iovec pieces[2] = {{from, HALF}, {from + HALF, HALF}};
    struct io_op op = {.done = done_nothing};
    ring_write(bench->ring, &op, file, pieces, 2, 4096, true);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, SIZE);
    ring_read(bench->ring, &op, file, into, SIZE, 4096);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, SIZE);
    cr_assert(memcmp(from, into, SIZE) == 0);
    ring_read(bench->ring, &op, file, into, SIZE * 2, 4096 * 2);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, SIZE - 4096); /* the end of the file */
    ring_read(bench->ring, &op, file, into, SIZE, 4096 * 1024);
    op_await(bench->ring, &op);
    cr_assert_eq(op.result, 0);
    file_close(file);
    cr_assert_eq(disk_unlink(folder->disk, "data"), 0);
    free(from);
    free(into);
}

RING_TEST(writes_durably_and_reads_back) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    check_write_and_read(bench, &folder, 0);
    check_write_and_read(bench, &folder, FILE_DIRECT);
    folder_close(&folder);
    folder_open(&folder, "/dev/shm");
    check_write_and_read(bench, &folder, FILE_DIRECT);
    folder_close(&folder);
}

RING_TEST(many_writes_are_in_flight_together) {
    enum { MANY = 100, SIZE = 4096 };
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file;
    int mode = FILE_READ | FILE_WRITE | FILE_CREATE | FILE_DIRECT;
    cr_assert_eq(file_open(folder.disk, "data", mode, &file), 0);
    ring_hold(bench->ring, file_descriptor(file));
    static struct io_op ops[MANY];
    static struct iovec pieces[MANY];
    uint8_t *data = memory_aligned(4096, MANY * SIZE);
    for (unsigned at = 0; at < MANY; at++) {
        memset(data + at * SIZE, (int)at, SIZE);
        pieces[at] = (struct iovec){data + at * SIZE, SIZE};
        ops[at] = (struct io_op){.done = done_nothing};
        ring_write(bench->ring, &ops[at], file, &pieces[at], 1, at * SIZE, false);
    }
    for (int at = 0; at < MANY; at++) {
        op_await(bench->ring, &ops[at]);
        cr_assert_eq(ops[at].result, SIZE);
    }
    uint8_t *back = memory_aligned(4096, MANY * SIZE);
    cr_assert_eq(file_read_at(file, back, MANY * SIZE, 0), MANY * SIZE);
    cr_assert(memcmp(data, back, MANY * SIZE) == 0);
    free(back);
    free(data);
    file_close(file);
    disk_unlink(folder.disk, "data");
    folder_close(&folder);
}

RING_TEST(a_full_disk_is_an_error_not_a_short_write) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file;
    cr_assert_eq(file_open(folder.disk, "data", FILE_WRITE | FILE_CREATE, &file), 0);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){10000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    static char data[20000];
    struct iovec piece = {data, sizeof data};
    struct io_op op = {.done = done_nothing};
    ring_write(bench->ring, &op, file, &piece, 1, 0, true);
    op_await(bench->ring, &op);
    setrlimit(RLIMIT_FSIZE, &before);
    cr_assert_eq(op.result, -EFBIG);
    file_close(file);
    disk_unlink(folder.disk, "data");
    folder_close(&folder);
}

Test(ring, auto_always_gives_a_ring) {
    struct ring_options options = {IO_AUTO, NULL, 0};
    struct error why;
    struct ring *ring = ring_new(&options, &why);
    cr_assert_not_null(ring);
    cr_assert_eq(why.text[0] == '\0', ring_backend(ring) == IO_URING);
    ring_free(ring);
}

/* As Docker's default profile does. */
static void forbid_io_uring(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {array_count(rules), rules};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

Test(ring, auto_says_why_it_falls_back) {
    forbid_io_uring();
    struct ring_options options = {IO_URING, NULL, 0};
    struct error why;
    cr_assert_null(ring_new(&options, &why));
    cr_assert_eq(why.code, EPERM);
    options.backend = IO_AUTO;
    struct ring *ring = ring_new(&options, &why);
    cr_assert_eq(ring_backend(ring), IO_EPOLL);
    cr_assert_str_eq(why.text,
                     "io_uring is forbidden here (EPERM: seccomp or kernel.io_uring_disabled); "
                     "using epoll");
    ring_free(ring);
}

Test(ring, addresses_that_cannot_be_listened_on_are_explained) {
    struct ring_options options = {IO_AUTO, NULL, 0};
    struct error why, error;
    struct ring *ring = ring_new(&options, &why);
    char bound[64];
    cr_assert_eq(ring_listen(ring, "no-port", bound, sizeof bound, &error), -1);
    cr_assert(strstr(error.text, "HOST:PORT"));
    cr_assert_eq(ring_listen(ring, "192.0.2.1:0", bound, sizeof bound, &error), -1);
    cr_assert_eq(error.code, EADDRNOTAVAIL);
    int fd = ring_listen(ring, "127.0.0.1:0", bound, sizeof bound, &error);
    cr_assert_geq(fd, 0);
    char again[64];
    cr_assert_eq(ring_listen(ring, bound, again, sizeof again, &error), -1);
    cr_assert_eq(error.code, EADDRINUSE);
    ring_close(ring, fd);
    ring_free(ring);
}
