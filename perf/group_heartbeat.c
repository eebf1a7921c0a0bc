/* Many groups with many members that only keep alive; how long their heartbeats take to be answered
 * while the broker does nothing else, and while others load it.
 *
 *   group_heartbeat --broker HOST:PORT [--protocol classic|consumer] [--groups N] [--members N]
 *                   [--seconds N] [--interval MS]
 *
 * Every member has a connection of its own. They all join at once; when nothing has changed for two
 * intervals, their answers' times are taken for a while. Then a line of JSON is printed, so that
 * whoever started this can begin with the load, and after a second of it they are taken again.
 * --interval is the pause between two heartbeats of the classic protocol; in the consumer protocol
 * (KIP-848) the broker says it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "perf/group_peer.h"
#include "perf/process.h"
#include "protocol/consumer_group_heartbeat.h"
#include "protocol/error_code.h"
#include "protocol/heartbeat.h"
#include "protocol/join_group.h"
#include "protocol/sync_group.h"

enum {
    JOIN_VERSION = 3, /* the last that needs no member id first */
    SYNC_VERSION = 3,
    BEAT_VERSION = 3,
    CONSUMER_VERSION = 1,
    SESSION_MS = 60000,
    REBALANCE_MS = 120000,
    MEMBERS_MAX = 64, /* of a group: what one owns is a bit each */
    OPENED_AT_ONCE = 100,
    GIVE_UP_S = 120,
    EVENTS = 256
};

struct options {
    const char *broker;
    bool consumer;
    int groups, members, seconds, interval_ms;
};

struct member {
    struct group_peer peer;
    struct heap_node due;
    char group[24], id[96];
    enum { JOINS, SYNCS, BEATS } next; /* what it sends next; consumers join, then beat */
    bool leads, reports;               /* reports: it is to say what it owns */
    int32_t epoch;                     /* or generation */
    uint64_t owned;
    struct uuid topic_id;
};

struct run {
    struct options options;
    struct member *members;
    int count, epoll;
    struct heap due;
    uint64_t changed_ns, heartbeats, rejoins;
    struct histogram *answers; /* NULL: not measured now */
};

/* --- the classic protocol --- */

static void send_join(struct member *member, uint64_t now_ns) {
    struct join_group_request request;
    struct join_group_request_join_group_request_protocol protocol = {.name = BYTES_OF("range"),
                                                                      .metadata = BYTES_OF("")};
    message_defaults(&join_group_request_message, &request);
    request.group_id = bytes_of_text(member->group);
    request.session_timeout_ms = SESSION_MS;
    request.rebalance_timeout_ms = REBALANCE_MS;
    request.member_id = bytes_of_text(member->id);
    request.protocol_type = BYTES_OF("perf"); /* what members own is their own business */
    request.protocols_count = 1;
    request.protocols = &protocol;
    peer_send(&member->peer, API_JOIN_GROUP, JOIN_VERSION, &request, now_ns);
}

static void send_sync(struct member *member, uint64_t now_ns) {
    struct sync_group_request request;
    message_defaults(&sync_group_request_message, &request);
    request.group_id = bytes_of_text(member->group);
    request.generation_id = member->epoch;
    request.member_id = bytes_of_text(member->id);
    peer_send(&member->peer, API_SYNC_GROUP, SYNC_VERSION, &request, now_ns);
}

static void send_classic_beat(struct member *member, uint64_t now_ns) {
    struct heartbeat_request request;
    message_defaults(&heartbeat_request_message, &request);
    request.group_id = bytes_of_text(member->group);
    request.generation_id = member->epoch;
    request.member_id = bytes_of_text(member->id);
    peer_send(&member->peer, API_HEARTBEAT, BEAT_VERSION, &request, now_ns);
}

static void refuse(const struct member *member, const char *what, int16_t code) {
    die("group_heartbeat: %s of %s in %s is refused: %s", what, member->id, member->group,
        error_code_name(code));
}

/* Back to the beginning where the group rebalances; true if so. */
static bool joins_again(struct run *run, struct member *member, int16_t code) {
    if (code != ERROR_REBALANCE_IN_PROGRESS) return false;
    member->next = JOINS;
    run->rejoins++;
    return true;
}

static void take_join(struct member *member, const struct join_group_response *response) {
    if (response->error_code) refuse(member, "JoinGroup", response->error_code);
    snprintf(member->id, sizeof member->id, "%.*s", BYTES_FORMAT(response->member_id));
    member->epoch = response->generation_id;
    member->next = SYNCS;
}

static void take_sync(struct run *run, struct member *member, int16_t code) {
    if (joins_again(run, member, code)) return;
    if (code) refuse(member, "SyncGroup", code);
    member->next = BEATS;
}

/* --- the consumer protocol --- */

static void send_consumer_beat(struct member *member, uint64_t now_ns) {
    struct consumer_group_heartbeat_request request;
    struct bytes topic = BYTES_OF("group-heartbeat");
    int32_t partitions[MEMBERS_MAX];
    struct consumer_group_heartbeat_request_topic_partitions owned = {member->topic_id, 0,
                                                                      partitions};
    for (int32_t at = 0; at < MEMBERS_MAX; at++)
        if (member->owned >> at & 1) partitions[owned.partitions_count++] = at;
    message_defaults(&consumer_group_heartbeat_request_message, &request);
    request.group_id = bytes_of_text(member->group);
    request.member_id = bytes_of_text(member->id);
    request.member_epoch = member->epoch;
    if (member->next == JOINS) {
        request.rebalance_timeout_ms = REBALANCE_MS;
        request.subscribed_topic_names_count = 1;
        request.subscribed_topic_names = &topic;
    }
    if (member->next == JOINS || member->reports) {
        request.topic_partitions_count = owned.partitions_count > 0;
        request.topic_partitions = &owned;
    }
    member->reports = false;
    peer_send(&member->peer, API_CONSUMER_GROUP_HEARTBEAT, CONSUMER_VERSION, &request, now_ns);
}

/* Whether something has changed for the member. */
static bool take_consumer_beat(struct member *member,
                               const struct consumer_group_heartbeat_response *response) {
    bool changed = response->assignment || response->member_epoch != member->epoch;
    uint64_t owned = 0;
    if (response->error_code) refuse(member, "heartbeat", response->error_code);
    member->next = BEATS;
    member->epoch = response->member_epoch;
    if (!response->assignment) return changed;
    for (int32_t t = 0; t < response->assignment->topic_partitions_count; t++)
        for (int32_t p = 0; p < response->assignment->topic_partitions[t].partitions_count; p++) {
            int32_t partition = response->assignment->topic_partitions[t].partitions[p];
            check(partition < MEMBERS_MAX);
            owned |= 1ull << partition;
            member->topic_id = response->assignment->topic_partitions[t].topic_id;
        }
    member->reports = member->owned & ~owned; /* at once, where others wait for it */
    member->owned = owned;
    return true;
}

/* --- both --- */

static void send_next(struct run *run, struct member *member, uint64_t now_ns) {
    run->heartbeats += member->next == BEATS;
    if (run->options.consumer)
        send_consumer_beat(member, now_ns);
    else if (member->next == JOINS)
        send_join(member, now_ns);
    else if (member->next == SYNCS)
        send_sync(member, now_ns);
    else
        send_classic_beat(member, now_ns);
}

union answer {
    struct join_group_response join;
    struct sync_group_response sync;
    struct heartbeat_response beat;
    struct consumer_group_heartbeat_response consumer;
};

/* Whether it was a heartbeat that changed nothing. */
static bool take_answer(struct run *run, struct member *member, const union answer *answer) {
    switch (member->peer.key) {
        case API_JOIN_GROUP: take_join(member, &answer->join); return false;
        case API_SYNC_GROUP: take_sync(run, member, answer->sync.error_code); return false;
        case API_HEARTBEAT: {
            int16_t code = answer->beat.error_code;
            if (joins_again(run, member, code)) return false;
            if (code) refuse(member, "Heartbeat", code);
            return true;
        }
        default: return !take_consumer_beat(member, &answer->consumer);
    }
}

static int64_t pause_ms(const struct run *run, const struct member *member,
                        const union answer *answer) {
    if (member->next != BEATS || member->reports) return 0;
    return run->options.consumer ? answer->consumer.heartbeat_interval_ms
                                 : run->options.interval_ms;
}

static void receive(struct run *run, struct member *member) {
    union answer answer;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    if (peer_receive(&member->peer, &arena, &answer)) {
        uint64_t now_ns = clock_monotonic_ns();
        if (!take_answer(run, member, &answer))
            run->changed_ns = now_ns;
        else if (run->answers)
            histogram_record(run->answers, now_ns - member->peer.sent_ns);
        heap_put(&run->due, &member->due,
                 now_ns + (uint64_t)pause_ms(run, member, &answer) * NS_PER_MS);
    }
    arena_deinit(&arena);
}

static void send_due(struct run *run, uint64_t now_ns) {
    struct heap_node *node;
    while ((node = heap_top(&run->due)) && node->key <= now_ns) {
        heap_remove(&run->due, node);
        send_next(run, container_of(node, struct member, due), now_ns);
    }
}

static void run_once(struct run *run) {
    struct epoll_event events[EVENTS];
    send_due(run, clock_monotonic_ns());
    int count = epoll_wait(run->epoll, events, EVENTS, 1);
    for (int i = 0; i < count; i++) receive(run, events[i].data.ptr);
}

static void run_for(struct run *run, struct histogram *answers, uint64_t ns) {
    uint64_t until_ns = clock_monotonic_ns() + ns;
    run->answers = answers;
    while (clock_monotonic_ns() < until_ns) run_once(run);
    run->answers = NULL;
}

/* --- before --- */

static void open_members(struct run *run) {
    for (int i = 0; i < run->count; i++) {
        struct member *member = &run->members[i];
        peer_open(&member->peer, run->options.broker);
        peer_watch(&member->peer, run->epoll, member);
        snprintf(member->group, sizeof member->group, "group-%d", i % run->options.groups);
        if (run->options.consumer) snprintf(member->id, sizeof member->id, "member-%d", i);
        heap_put(&run->due, &member->due, 0);
        if (i % OPENED_AT_ONCE == 0) run_once(run);
    }
}

static void warm_up(struct run *run) {
    struct group_peer peer;
    peers_allow_many();
    peer_open(&peer, run->options.broker);
    peer_create_topic(&peer, "group-heartbeat", run->options.members);
    peer_find_coordinator(&peer, "any");
    peer_close(&peer);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->count = run->options.groups * run->options.members;
    run->members = memory_zero((size_t)run->count, sizeof *run->members);
    heap_init(&run->due);
    open_members(run);
}

/* Until nothing has changed for so long that everybody has sent two heartbeats. */
static double settle(struct run *run) {
    uint64_t began_ns = clock_monotonic_ns();
    uint64_t still_ns = 5 * (uint64_t)run->options.interval_ms * NS_PER_MS / 2;
    run->changed_ns = began_ns;
    while (clock_monotonic_ns() - run->changed_ns < still_ns) {
        run_once(run);
        if (clock_monotonic_ns() - began_ns > GIVE_UP_S * NS_PER_S)
            die("group_heartbeat: the groups are not settled after %d s", GIVE_UP_S);
    }
    return (double)(run->changed_ns - began_ns) / 1e6;
}

/* Members that run on machines of their own do not beat in step, as those that joined at once do.
 */
static void spread(struct run *run) {
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t interval_ns = (uint64_t)run->options.interval_ms * NS_PER_MS;
    for (int i = 0; i < run->count; i++)
        if (heap_has(&run->members[i].due))
            heap_put(&run->due, &run->members[i].due,
                     now_ns + interval_ns * (uint64_t)i / (uint64_t)run->count);
}

static void parse(int argc, char **argv, struct options *options) {
    *options = (struct options){.groups = 1000, .members = 10, .seconds = 10, .interval_ms = 3000};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--broker") == 0)
            options->broker = argv[i + 1];
        else if (strcmp(argv[i], "--protocol") == 0)
            options->consumer = strcmp(argv[i + 1], "consumer") == 0;
        else if (strcmp(argv[i], "--groups") == 0)
            options->groups = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--members") == 0)
            options->members = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            options->seconds = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--interval") == 0)
            options->interval_ms = atoi(argv[i + 1]);
        else
            die("group_heartbeat: no option %s", argv[i]);
    }
    if (options->consumer) options->interval_ms = 5000; /* the broker's default */
    if (!options->broker || options->groups < 1 || options->members < 1 ||
        options->members > MEMBERS_MAX || options->interval_ms < 1)
        die("usage: group_heartbeat --broker HOST:PORT [--protocol classic|consumer] [--groups N] "
            "[--members N] [--seconds N] [--interval MS]");
}

static void report(struct run *run, const char *when, double settled_ms,
                   const struct histogram *answers) {
    printf(
        "{\"when\": \"%s\", \"members\": %d, \"settled_ms\": %.0f, \"rejoins\": %llu, "
        "\"answers\": %llu, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, \"max_us\": "
        "%.0f}\n",
        when, run->count, settled_ms, (unsigned long long)run->rejoins,
        (unsigned long long)answers->total, (double)histogram_quantile(answers, 0.5) / 1e3,
        (double)histogram_quantile(answers, 0.99) / 1e3,
        (double)histogram_quantile(answers, 0.999) / 1e3, (double)answers->max / 1e3);
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct run run = {0};
    struct histogram *quiet = new_zero(struct histogram), *loaded = new_zero(struct histogram);
    parse(argc, argv, &run.options);
    uint64_t measured_ns = (uint64_t)run.options.seconds * NS_PER_S;
    warm_up(&run);
    double settled_ms = settle(&run);
    spread(&run);
    run_for(&run, quiet, measured_ns);
    report(&run, "quiet", settled_ms, quiet);
    run_for(&run, NULL, NS_PER_S);
    run_for(&run, loaded, measured_ns);
    report(&run, "loaded", settled_ms, loaded);
    return 0;
}
