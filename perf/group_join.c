/* Many members join one group of the consumer protocol (KIP-848) at once; how long until everybody
 * has its share, and what the members of other groups notice of it.
 *
 *   group_join --broker HOST:PORT [--members N] [--partitions N] [--bystanders N]
 *
 * Every member has a connection of its own and does as a client does: it heartbeats when it is told
 * to, gives up at once what it is asked to, and says so at once. The group is settled when all
 * members are at the same epoch and have all partitions together, each once. Bystanders are members
 * of a group each that heartbeat every 20 ms; their answers' times before and while the others join
 * are the disturbance. Prints one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "perf/group_peer.h"
#include "perf/process.h"
#include "protocol/consumer_group_heartbeat.h"

enum {
    VERSION = 1,
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
    struct group_peer peer;
    char group[24], id[40];
    bool bystander, joined;
    int32_t epoch;
    uint64_t due_ns;
    struct uuid topic_id;
    int32_t count, *partitions; /* what it owns */
    bool reports;               /* it has given something up, and is to say so */
};

struct run {
    struct options options;
    struct member *members;
    int count, epoll;
    uint64_t began_ns, settled_ns, heartbeats;
    struct histogram *quiet, *busy, *own; /* answers: of bystanders before and during, of members */
};

/* --- requests --- */

static void send_heartbeat(struct run *run, struct member *member, uint64_t now_ns) {
    struct consumer_group_heartbeat_request request;
    struct consumer_group_heartbeat_request_topic_partitions owned = {
        member->topic_id, member->count, member->partitions};
    struct bytes topic = BYTES_OF("group-join");
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
    peer_send(&member->peer, API_CONSUMER_GROUP_HEARTBEAT, VERSION, &request, now_ns);
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
    histogram_record(into, now_ns - member->peer.sent_ns);
}

static void take_answer(struct run *run, struct member *member,
                        const struct consumer_group_heartbeat_response *response, uint64_t now_ns) {
    if (response->error_code)
        die("group_join: %s is refused: %d %.*s", member->id, response->error_code,
            BYTES_FORMAT(response->error_message));
    record_answer(run, member, now_ns);
    member->joined = true;
    member->epoch = response->member_epoch;
    if (response->assignment) take_assignment(member, response->assignment);
    int64_t pause_ms = member->bystander ? BYSTANDER_MS : response->heartbeat_interval_ms;
    member->due_ns = member->reports ? now_ns : now_ns + (uint64_t)pause_ms * NS_PER_MS;
}

static void receive(struct run *run, struct member *member) {
    struct consumer_group_heartbeat_response response;
    struct arena arena;
    arena_init(&arena, 64 << 20);
    if (peer_receive(&member->peer, &arena, &response))
        take_answer(run, member, &response, clock_monotonic_ns());
    arena_deinit(&arena);
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
        if (active && !member->peer.waits && member->due_ns <= now_ns)
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

static void prepare(const struct options *options) {
    struct group_peer peer;
    peer_open(&peer, options->broker);
    peer_create_topic(&peer, "group-join", options->partitions);
    peer_find_coordinator(&peer, "g");
    peer_close(&peer);
}

static void open_member(struct run *run, int index) {
    struct member *member = &run->members[index];
    member->bystander = index >= run->options.members;
    peer_open(&member->peer, run->options.broker);
    snprintf(member->id, sizeof member->id, "member-%06d", index);
    snprintf(member->group, sizeof member->group, member->bystander ? "bystander-%d" : "crowd",
             index);
    peer_watch(&member->peer, run->epoll, member);
}

/* The coordinators load, and the topic of offsets is made, before anything is measured. */
static void warm_up(struct run *run) {
    peers_allow_many();
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
