/* Many members join one group of the consumer protocol (KIP-848) at once; how long until everybody
 * has its share, and what the members of other groups notice of it.
 *
 *   group_join --broker HOST:PORT [--members N] [--partitions N] [--bystanders N]
 *
 * Every member has a connection of its own and does as a client does: it heartbeats when it is told
 * to, gives up at once what it is asked to, and says so at once. The group is settled when all
 * members are at the same epoch and have all partitions together, each once. Bystanders are members
 * of a group each that heartbeat every 20 ms; their answers' times before and while the others join
 * are the disturbance. Prints one line of JSON.
 *
 * Speaks with the project's own codec: the messages are too many to write by hand. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "perf/process.h"
#include "protocol/api.h"
#include "protocol/consumer_group_heartbeat.h"
#include "protocol/create_topics.h"
#include "protocol/find_coordinator.h"

enum {
    VERSION = 1,
    HEAD_SIZE = 4 + 4 + 1, /* length, correlation id, no tags */
    REBALANCE_MS = 300000,
    BYSTANDER_MS = 20,
    QUIET_MS = 2000, /* what bystanders see before */
    GIVE_UP_S = 120,
    EVENTS = 256,
};

struct options {
    const char *broker;
    int members, partitions, bystanders;
};

struct member {
    int fd;
    char group[24], id[40];
    bool bystander, joined, waits;
    int32_t epoch;
    uint64_t due_ns, sent_ns;
    struct uuid topic_id;
    int32_t count, *partitions; /* what it owns */
    bool reports;               /* it has given something up, and is to say so */
    uint8_t *in;
    size_t in_len, in_capacity;
};

struct run {
    struct options options;
    struct member *members;
    int count, epoll;
    uint64_t began_ns, settled_ns, heartbeats;
    struct histogram *quiet, *busy, *own; /* answers: of bystanders before and during, of members */
};

/* --- requests --- */

static void send_all(int fd, const struct wire_output *output) {
    for (uint32_t i = 0; i < output->count; i++)
        for (size_t sent = 0; sent < output->pieces[i].len;) {
            ssize_t result =
                send(fd, output->pieces[i].at + sent, output->pieces[i].len - sent, MSG_NOSIGNAL);
            if (result < 0 && errno == EAGAIN) continue;
            if (result < 0) die("group_join: send: %s", strerror(errno));
            sent += (size_t)result;
        }
}

static void send_heartbeat(struct run *run, struct member *member, uint64_t now_ns) {
    struct arena arena;
    struct wire_output output;
    struct consumer_group_heartbeat_request request;
    struct consumer_group_heartbeat_request_topic_partitions owned = {
        member->topic_id, member->count, member->partitions};
    struct bytes topic = BYTES_OF("group-join");
    arena_init(&arena, 1 << 20);
    message_defaults(&consumer_group_heartbeat_request_message, &request);
    request.group_id = bytes_of_text(member->group);
    request.member_id = bytes_of_text(member->id);
    request.member_epoch = member->epoch;
    if (!member->joined) {
        request.rebalance_timeout_ms = REBALANCE_MS;
        request.subscribed_topic_names_count = 1;
        request.subscribed_topic_names = &topic;
    }
    if (!member->joined || member->reports) {
        request.topic_partitions_count = member->count > 0;
        request.topic_partitions = &owned;
    }
    member->reports = false;
    if (!api_encode_request(api_find(API_CONSUMER_GROUP_HEARTBEAT), VERSION, 1,
                            BYTES_OF("group_join"), &request, &arena, &output))
        die("group_join: a request is too large");
    send_all(member->fd, &output);
    arena_deinit(&arena);
    member->waits = true;
    member->sent_ns = now_ns;
    run->heartbeats++;
}

/* --- answers --- */

static bool has(const int32_t *sorted, int32_t count, int32_t one) {
    for (int32_t low = 0, high = count; low < high;) {
        int32_t middle = (low + high) / 2;
        if (sorted[middle] == one) return true;
        if (sorted[middle] < one)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Gives up what is not in the assignment, takes what is. */
static void take_assignment(struct member *member,
                            const struct consumer_group_heartbeat_response_assignment *from) {
    int32_t count = from->topic_partitions_count ? from->topic_partitions[0].partitions_count : 0;
    const int32_t *now = count ? from->topic_partitions[0].partitions : NULL;
    for (int32_t i = 0; i < member->count; i++)
        if (!has(now, count, member->partitions[i])) member->reports = true;
    if (count) member->topic_id = from->topic_partitions[0].topic_id;
    member->partitions = memory_resize(member->partitions, ((size_t)count + 1) * sizeof *now);
    if (count) memcpy(member->partitions, now, (size_t)count * sizeof *now);
    member->count = count;
}

static void record_answer(struct run *run, const struct member *member, uint64_t now_ns) {
    struct histogram *into = !member->bystander ? run->own : run->began_ns ? run->busy : run->quiet;
    histogram_record(into, now_ns - member->sent_ns);
}

static void take_answer(struct run *run, struct member *member, struct bytes body,
                        uint64_t now_ns) {
    struct consumer_group_heartbeat_response response;
    struct arena arena;
    struct error error;
    arena_init(&arena, 64 << 20);
    if (!wire_decode(&consumer_group_heartbeat_response_message, VERSION, body, &arena, &response,
                     &error))
        die("group_join: an answer is not readable: %s", error.text);
    if (response.error_code)
        die("group_join: %s is refused: %d %.*s", member->id, response.error_code,
            BYTES_FORMAT(response.error_message));
    record_answer(run, member, now_ns);
    member->waits = false;
    member->joined = true;
    member->epoch = response.member_epoch;
    if (response.assignment) take_assignment(member, response.assignment);
    int64_t pause_ms = member->bystander ? BYSTANDER_MS : response.heartbeat_interval_ms;
    member->due_ns = member->reports ? now_ns : now_ns + (uint64_t)pause_ms * NS_PER_MS;
    arena_deinit(&arena);
}

static void take_frames(struct run *run, struct member *member, uint64_t now_ns) {
    while (member->in_len >= 4) {
        size_t frame = 4 + (size_t)load_u32(member->in);
        if (member->in_len < frame) return;
        take_answer(run, member, bytes_make(member->in + HEAD_SIZE, frame - HEAD_SIZE), now_ns);
        memmove(member->in, member->in + frame, member->in_len - frame);
        member->in_len -= frame;
    }
}

static void receive(struct run *run, struct member *member) {
    for (;;) {
        if (member->in_capacity - member->in_len < 4096) {
            member->in_capacity = member->in_capacity * 2 + 4096;
            member->in = memory_resize(member->in, member->in_capacity);
        }
        ssize_t got = recv(member->fd, member->in + member->in_len,
                           member->in_capacity - member->in_len, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) die("group_join: %s lost its connection", member->id);
        member->in_len += (size_t)got;
    }
    take_frames(run, member, clock_monotonic_ns());
}

/* --- the group --- */

static bool is_settled(const struct run *run) {
    size_t total = 0;
    int32_t epoch = run->members[0].epoch;
    int least = run->options.partitions / run->options.members;
    for (int i = 0; i < run->options.members; i++) {
        const struct member *member = &run->members[i];
        if (member->epoch != epoch || member->count < least || member->count > least + 1)
            return false;
        total += (size_t)member->count;
    }
    return total == (size_t)run->options.partitions;
}

static void check_each_once(const struct run *run) {
    uint8_t *seen = memory_zero((size_t)run->options.partitions, 1);
    for (int i = 0; i < run->options.members; i++)
        for (int32_t p = 0; p < run->members[i].count; p++)
            if (seen[run->members[i].partitions[p]]++)
                die("group_join: partition %d has two owners", run->members[i].partitions[p]);
    free(seen);
}

static void send_due(struct run *run, uint64_t now_ns) {
    for (int i = 0; i < run->count; i++) {
        struct member *member = &run->members[i];
        bool active = member->bystander || run->began_ns;
        if (active && !member->waits && member->due_ns <= now_ns)
            send_heartbeat(run, member, now_ns);
    }
}

/* Until `until_ns`, or until the group is settled. */
static void run_until(struct run *run, uint64_t until_ns) {
    struct epoll_event events[EVENTS];
    for (uint64_t now_ns; (now_ns = clock_monotonic_ns()) < until_ns;) {
        send_due(run, now_ns);
        int count = epoll_wait(run->epoll, events, EVENTS, 1);
        for (int i = 0; i < count; i++) receive(run, events[i].data.ptr);
        if (run->began_ns && count > 0 && is_settled(run)) {
            run->settled_ns = clock_monotonic_ns();
            return;
        }
    }
}

/* --- before --- */

static size_t call(int fd, enum api_key key, int version, const void *request, uint8_t *answer,
                   size_t room) {
    struct arena arena;
    struct wire_output output;
    arena_init(&arena, 1 << 20);
    if (!api_encode_request(api_find((int16_t)key), version, 1, BYTES_OF("group_join"), request,
                            &arena, &output))
        die("group_join: a request is too large");
    struct bytes frame = wire_join(&output, &arena);
    size_t len = call_and_wait(fd, frame.at, frame.len, answer, room);
    arena_deinit(&arena);
    return len;
}

static void prepare(const struct options *options) {
    uint8_t answer[4096];
    int fd = connect_to(options->broker, "cubic");
    struct create_topics_request_creatable_topic topic = {.name = BYTES_OF("group-join"),
                                                          .num_partitions = options->partitions,
                                                          .replication_factor = -1};
    struct create_topics_request create = {
        .topics_count = 1, .topics = &topic, .timeout_ms = 30000};
    call(fd, API_CREATE_TOPICS, 5, &create, answer, sizeof answer);
    struct find_coordinator_request find = {.key = BYTES_OF("g")};
    call(fd, API_FIND_COORDINATOR, 3, &find, answer, sizeof answer);
    close(fd);
}

static void open_member(struct run *run, int index) {
    struct member *member = &run->members[index];
    member->bystander = index >= run->options.members;
    member->fd = connect_to(run->options.broker, "cubic");
    snprintf(member->id, sizeof member->id, "member-%06d", index);
    snprintf(member->group, sizeof member->group, member->bystander ? "bystander-%d" : "crowd",
             index);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = member};
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, member->fd, &event) < 0)
        die("group_join: epoll: %s", strerror(errno));
}

/* The coordinators load, and the topic of offsets is made, before anything is measured. */
static void warm_up(struct run *run) {
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    prepare(&run->options);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->count = run->options.members + run->options.bystanders;
    run->members = memory_zero((size_t)run->count, sizeof *run->members);
    for (int i = 0; i < run->count; i++) open_member(run, i);
    usleep(500 * 1000);
}

static void parse(int argc, char **argv, struct options *options) {
    *options = (struct options){.members = 1000, .partitions = 10000, .bystanders = 20};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--broker") == 0)
            options->broker = argv[i + 1];
        else if (strcmp(argv[i], "--members") == 0)
            options->members = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--partitions") == 0)
            options->partitions = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--bystanders") == 0)
            options->bystanders = atoi(argv[i + 1]);
        else
            die("group_join: no option %s", argv[i]);
    }
    if (!options->broker || options->members < 1 || options->partitions < 1)
        die("usage: group_join --broker HOST:PORT [--members N] [--partitions N] [--bystanders N]");
}

static double us(const struct histogram *histogram, double quantile) {
    return (double)histogram_quantile(histogram, quantile) / 1e3;
}

int main(int argc, char **argv) {
    struct run run = {.quiet = new_zero(struct histogram),
                      .busy = new_zero(struct histogram),
                      .own = new_zero(struct histogram)};
    parse(argc, argv, &run.options);
    warm_up(&run);
    run_until(&run, clock_monotonic_ns() + QUIET_MS * NS_PER_MS);
    run.began_ns = clock_monotonic_ns();
    run_until(&run, run.began_ns + GIVE_UP_S * NS_PER_S);
    if (!run.settled_ns) die("group_join: the group is not settled after %d s", GIVE_UP_S);
    check_each_once(&run);
    printf(
        "{\"members\": %d, \"partitions\": %d, \"settled_ms\": %.0f, \"heartbeats\": %llu, "
        "\"epoch\": %d, \"answer_p50_us\": %.0f, \"answer_p99_us\": %.0f, "
        "\"quiet_p50_us\": %.0f, \"quiet_p99_us\": %.0f, "
        "\"bystander_p50_us\": %.0f, \"bystander_p99_us\": %.0f}\n",
        run.options.members, run.options.partitions, (double)(run.settled_ns - run.began_ns) / 1e6,
        (unsigned long long)run.heartbeats, run.members[0].epoch, us(run.own, 0.5),
        us(run.own, 0.99), us(run.quiet, 0.5), us(run.quiet, 0.99), us(run.busy, 0.5),
        us(run.busy, 0.99));
    return 0;
}
