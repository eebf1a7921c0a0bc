/* A long history of committed offsets, and how soon after a start they are answered.
 *
 *   group_history fill --broker HOST:PORT [--groups N] [--partitions N] [--commits N]
 *   group_history ask  --broker HOST:PORT [--groups N] [--partitions N] [--commits N]
 *
 * Commit number n, which also is its offset, is of group n mod groups, partition (n / groups) mod
 * partitions; all are made by consumers that manage themselves. `ask` asks for the offsets of one
 * group until the coordinator has loaded and they come, then for those of all, and checks them.
 * Both print a line of JSON; `ask` says when the first and the last answer came, in ns of the
 * monotonic clock. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "perf/group_peer.h"
#include "perf/process.h"
#include "protocol/error_code.h"
#include "protocol/offset_commit.h"
#include "protocol/offset_fetch.h"

enum { COMMIT_VERSION = 8, FETCH_VERSION = 7, PEERS = 128, EVENTS = 128, RETRY_US = 1000 };

static const char topic_name[] = "group-history";

struct options {
    const char *broker;
    int64_t groups, partitions, commits;
};

static void name_group(int64_t group, char name[32]) {
    snprintf(name, 32, "history-%" PRId64, group);
}

/* --- fill --- */

static void send_commit(const struct options *options, struct group_peer *peer, int64_t number) {
    char group[32];
    struct offset_commit_request request;
    struct offset_commit_request_offset_commit_request_partition partition = {
        .partition_index = (int32_t)(number / options->groups % options->partitions),
        .committed_offset = number,
        .committed_leader_epoch = -1,
        .committed_metadata = BYTES_OF("")};
    struct offset_commit_request_offset_commit_request_topic topic = {
        .name = bytes_of_text(topic_name), .partitions_count = 1, .partitions = &partition};
    name_group(number % options->groups, group);
    message_defaults(&offset_commit_request_message, &request);
    request.group_id = bytes_of_text(group);
    request.topics_count = 1;
    request.topics = &topic;
    peer_send(peer, API_OFFSET_COMMIT, COMMIT_VERSION, &request, clock_monotonic_ns());
}

/* Whether an answer was there. */
static bool take_commit(struct group_peer *peer) {
    struct arena arena;
    struct offset_commit_response response;
    arena_init(&arena, 1 << 20);
    bool whole = peer_receive(peer, &arena, &response);
    int16_t code = whole ? response.topics[0].partitions[0].error_code : ERROR_NONE;
    if (code) die("group_history: a commit is refused: %s", error_code_name(code));
    arena_deinit(&arena);
    return whole;
}

/* Commits of one partition must keep their order, so each connection has groups of its own. */
struct filler {
    struct group_peer peer;
    int64_t next;
};

static int64_t filler_after(const struct options *options, int64_t number) {
    int64_t group = number % options->groups + PEERS;
    return group < options->groups ? number + PEERS
                                   : number - number % options->groups + options->groups +
                                         number % options->groups % PEERS;
}

static void fill(const struct options *options) {
    struct filler *fillers = memory_zero(PEERS, sizeof *fillers);
    struct epoll_event events[EVENTS];
    int64_t made = 0;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t began_ns = clock_monotonic_ns();
    for (int i = 0; i < PEERS; i++) {
        peer_open(&fillers[i].peer, options->broker);
        peer_watch(&fillers[i].peer, epoll, &fillers[i]);
        if (i == 0) peer_create_topic(&fillers[i].peer, topic_name, (int)options->partitions);
        if (i == 0) peer_find_coordinator(&fillers[i].peer, "any");
        fillers[i].next = i;
    }
    for (int i = 0; i < PEERS && i < options->groups; i++)
        send_commit(options, &fillers[i].peer, fillers[i].next);
    while (made < options->commits) {
        int count = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < count; i++) {
            struct filler *filler = events[i].data.ptr;
            if (!take_commit(&filler->peer)) continue;
            made++;
            filler->next = filler_after(options, filler->next);
            if (filler->next < options->commits) send_commit(options, &filler->peer, filler->next);
        }
    }
    double seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    printf("{\"commits\": %" PRId64 ", \"seconds\": %.3f, \"per_s\": %.0f}\n", made, seconds,
           (double)made / seconds);
}

/* --- ask --- */

/* The number of the last commit that was made for it; -1 for none. */
static int64_t last_commit(const struct options *options, int64_t group, int64_t partition) {
    int64_t round = options->groups * options->partitions;
    int64_t first = partition * options->groups + group;
    return first < options->commits ? first + (options->commits - 1 - first) / round * round : -1;
}

static void check_offsets(const struct options *options, int64_t group,
                          const struct offset_fetch_response *response) {
    int64_t expected = 0, seen = 0;
    for (int64_t at = 0; at < options->partitions; at++)
        expected += last_commit(options, group, at) >= 0;
    for (int32_t t = 0; t < response->topics_count; t++)
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++, seen++) {
            int32_t partition = response->topics[t].partitions[p].partition_index;
            int64_t offset = response->topics[t].partitions[p].committed_offset;
            if (offset != last_commit(options, group, partition))
                die("group_history: group %" PRId64 ", partition %d has offset %" PRId64, group,
                    partition, offset);
        }
    if (seen != expected)
        die("group_history: group %" PRId64 " has %" PRId64 " offsets, not %" PRId64, group, seen,
            expected);
}

/* Until the coordinator has loaded. */
static void ask_group(const struct options *options, struct group_peer *peer, int64_t group) {
    char name[32];
    struct arena arena;
    struct offset_fetch_request request;
    struct offset_fetch_response response;
    name_group(group, name);
    message_defaults(&offset_fetch_request_message, &request);
    request.group_id = bytes_of_text(name);
    request.topics_count = -1; /* all */
    arena_init(&arena, 64 << 20);
    for (;;) {
        peer_call(peer, API_OFFSET_FETCH, FETCH_VERSION, &request, &arena, &response);
        if (response.error_code != ERROR_COORDINATOR_LOAD_IN_PROGRESS) break;
        arena_reset(&arena);
        usleep(RETRY_US);
    }
    if (response.error_code)
        die("group_history: OffsetFetch is refused: %s", error_code_name(response.error_code));
    check_offsets(options, group, &response);
    arena_deinit(&arena);
}

static void ask(const struct options *options) {
    struct group_peer peer;
    peer_open(&peer, options->broker);
    ask_group(options, &peer, 0);
    uint64_t first_ns = clock_monotonic_ns();
    for (int64_t group = 1; group < options->groups; group++) ask_group(options, &peer, group);
    printf("{\"first_ns\": %" PRIu64 ", \"all_ns\": %" PRIu64 "}\n", first_ns,
           clock_monotonic_ns());
}

int main(int argc, char **argv) {
    struct options options = {.groups = 1000, .partitions = 10, .commits = 1000000};
    bool fills = argc > 1 && strcmp(argv[1], "fill") == 0;
    bool asks = argc > 1 && strcmp(argv[1], "ask") == 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--broker") == 0)
            options.broker = argv[i + 1];
        else if (strcmp(argv[i], "--groups") == 0)
            options.groups = atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--partitions") == 0)
            options.partitions = atoll(argv[i + 1]);
        else if (strcmp(argv[i], "--commits") == 0)
            options.commits = atoll(argv[i + 1]);
        else
            die("group_history: no option %s", argv[i]);
    }
    if (!(fills || asks) || !options.broker || options.groups < 1 || options.partitions < 1)
        die("usage: group_history fill|ask --broker HOST:PORT [--groups N] [--partitions N] "
            "[--commits N]");
    if (fills)
        fill(&options);
    else
        ask(&options);
    return 0;
}
