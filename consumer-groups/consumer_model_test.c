/* Random groups against a small model: clients that join, dawdle, fall silent, leave and come back,
 * topics that come and go, a broker that dies, all on the simulated clock. The model knows who is a
 * member, what each subscribes to, and what each client believes to own; it knows nothing of how
 * the coordinator gets there.
 *
 *   always        a request is answered as the model says; no partition is in two hands; epochs
 *                 never fall; who is silent for the session time-out is gone, and nobody else;
 *                 with an older epoch nobody commits what is in other hands
 *   at last       when nothing changes any more, each partition that somebody subscribes to has
 *                 one owner, who subscribes to it, and members with equal subscriptions have
 *                 equally many, within one
 *
 * Over all seeds every request of a member meets the group in every state that has members. */
#include <stdio.h>

#include "base/random.h"
#include "consumer-groups/consumer_world.h"
#include "protocol/offset_commit.h"

enum {
    TOPICS = 4,
    PARTITIONS = 8,
    CLIENTS = 6,
    STEPS = 150,
    SEEDS = 40,
    SESSION_MS = 45000,
    TOLERANCE_MS = 2000, /* ticks, commits, and how long an answer takes */
    ROUNDS_TO_SETTLE = 60,
};
#define TOPIC_BITS(topic) (0xffu << (topic)*PARTITIONS)

enum request { JOINS, JOINS_AGAIN, COMES_BACK, GOES_ON, SAYS_ALL, LEAVES, PAUSES, COMMITS };
enum { REQUESTS = COMMITS + 1, STATES = CONSUMER_STABLE + 1 };
static const char *const request_names[] = {"join",
                                            "join of a member",
                                            "static member back",
                                            "heartbeat",
                                            "everything said",
                                            "leave",
                                            "pause",
                                            "commit"};
static unsigned met[STATES][REQUESTS]; /* by all seeds */

/* As the application sees itself. */
struct client {
    char id[16], instance[8]; /* instance: "" for a dynamic one */
    bool member;              /* it has joined, and has heard of nothing else */
    bool away;                /* a static one that left for a while */
    int32_t epoch;
    uint32_t owned;          /* partitions: it reads them */
    uint32_t assigned;       /* of the newest assignment: what it may read */
    unsigned names;          /* topics: what it subscribes to */
    bool by_pattern, unsaid; /* unsaid: its next request tells everything again */
    bool rejoins;            /* it was fenced */
    unsigned lost;           /* answers since the last one that came */
    int64_t heard_ms;        /* the model's time of the last request that was accepted */
};

struct model {
    struct world world;
    struct random random;
    struct client clients[CLIENTS];
    int32_t partitions[TOPICS]; /* 0: not there */
    int32_t epoch;              /* the highest that anybody was told */
    unsigned ids;
    uint64_t seed;
};

static uint32_t below(struct model *model, uint32_t bound) {
    return (uint32_t)random_below(&model->random, bound);
}

static int64_t now_ms(const struct model *model) {
    return (int64_t)(sim_now_ns(model->world.sim) / 1000000);
}

/* --- partitions as bits --- */

static uint32_t existing(const struct model *model) {
    uint32_t bits = 0;
    for (int t = 0; t < TOPICS; t++) bits |= ((1u << model->partitions[t]) - 1) << t * PARTITIONS;
    return bits;
}

static uint32_t bits_of_names(unsigned names) {
    uint32_t bits = 0;
    for (int t = 0; t < TOPICS; t++)
        if (names >> t & 1) bits |= TOPIC_BITS(t);
    return bits;
}

static int topic_of(struct model *model, const struct uuid *id) {
    const struct catalog_topic *topic = catalog_find_topic_id(&model->world.catalog, id);
    return topic ? topic->name[0] - 'a' : -1;
}

static uint32_t bits_of_answer(struct model *model, const struct beat *beat) {
    uint32_t bits = 0;
    for (int32_t i = 0; i < beat->response.assignment->topic_partitions_count; i++) {
        const struct consumer_group_heartbeat_response_topic_partitions *one =
            &beat->response.assignment->topic_partitions[i];
        int topic = topic_of(model, &one->topic_id);
        for (int32_t p = 0; topic >= 0 && p < one->partitions_count; p++)
            bits |= 1u << (topic * PARTITIONS + one->partitions[p]);
    }
    return bits;
}

/* What the catalog does not have any more cannot be said by name; a client would still say it by
 * id, and means the same. */
static void say_owned(struct model *model, const struct client *client, struct beat *beat) {
    char text[256] = "";
    size_t used = 0;
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < model->partitions[t]; p++)
            if (client->owned >> (t * PARTITIONS + p) & 1)
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%c:%d",
                                         used ? ";" : "", 'a' + t, p);
    beat_owns(beat, text);
}

static void say_subscription(const struct client *client, struct beat *beat) {
    char names[32] = "", pattern[32] = "";
    for (int t = 0; t < TOPICS; t++)
        if (client->names >> t & 1) {
            char name[2] = {(char)('a' + t), 0};
            char *into = client->by_pattern ? pattern : names;
            if (*into) strcat(into, client->by_pattern ? "|" : ",");
            strcat(into, name);
        }
    beat_names(beat, names);
    beat->request.subscribed_topic_regex = arena_copy(&beat->arena, bytes_of_text(pattern));
}

/* --- one request --- */

static void begin(struct model *model, struct client *client, int32_t epoch, struct beat *beat) {
    beat_init(beat, &model->world, "g", client->id, epoch);
    if (*client->instance) beat->request.instance_id = bytes_of_text(client->instance);
    if (epoch < 0) return;
    if (epoch == 0 || client->unsaid) {
        beat->request.rebalance_timeout_ms = 3600 * 1000;
        say_subscription(client, beat);
    }
    if (epoch == 0)
        beat_owns(beat, "");
    else if (client->unsaid || client->owned != client->assigned || below(model, 2))
        say_owned(model, client, beat);
}

/* A client does as it is told, most of the time at once. */
static void obey(struct model *model, struct client *client, const struct beat *beat) {
    client->epoch = beat->response.member_epoch;
    if (client->epoch > model->epoch) model->epoch = client->epoch;
    client->unsaid = false;
    client->lost = 0;
    client->heard_ms = now_ms(model);
    if (beat->response.assignment) {
        client->assigned = bits_of_answer(model, beat);
        client->owned |= client->assigned;
    }
    if (below(model, 4)) client->owned &= client->assigned;
}

static void assert_one_hand(struct model *model) {
    uint32_t taken = 0;
    for (int c = 0; c < CLIENTS; c++) {
        struct client *client = &model->clients[c];
        if (!client->member && !client->away) continue;
        uint32_t owned = client->owned & existing(model);
        cr_assert((owned & taken) == 0, "seed %lu: two clients own %x", model->seed, owned & taken);
        taken |= owned;
    }
}

static void assert_group(struct model *model) {
    struct consumer_group *group = world_group(&model->world, "g");
    int members = 0;
    for (int c = 0; c < CLIENTS; c++) members += model->clients[c].member || model->clients[c].away;
    cr_assert((group ? group->member_count : 0) == members, "seed %lu: %d members, not %d",
              model->seed, group ? group->member_count : 0, members);
    if (group) cr_assert(group->epoch >= model->epoch, "seed %lu: the epoch fell", model->seed);
    assert_one_hand(model);
}

/* The one before the newest epoch is accepted, so that one answer may be lost, but not two. */
static bool may_be_fenced(const struct client *client, const struct beat *beat) {
    return client->lost > 1 && beat->request.member_epoch > 0;
}

static void expect_success(struct model *model, struct client *client, struct beat *beat) {
    enum error_code code = beat_run(beat);
    bool fenced = code == ERROR_FENCED_MEMBER_EPOCH && may_be_fenced(client, beat);
    cr_assert(code == ERROR_NONE || fenced, "seed %lu: %s at epoch %d gets %s: %.*s", model->seed,
              client->id, beat->request.member_epoch, error_code_name((int16_t)code),
              BYTES_FORMAT(beat->response.error_message));
    if (fenced)
        client->owned = client->assigned = 0;
    else if (beat->request.member_epoch >= 0)
        obey(model, client, beat);
    client->rejoins = fenced;
    beat_deinit(beat);
}

/* --- what happens --- */

static void meet(struct model *model, enum request request) {
    struct consumer_group *group = world_group(&model->world, "g");
    met[group ? consumer_state(group) : CONSUMER_EMPTY][request]++;
}

static void forget(struct client *client) {
    client->member = client->away = false;
    client->owned = client->assigned = 0;
    client->epoch = 0;
}

static void join(struct model *model, struct client *client) {
    struct beat beat;
    meet(model, client->away ? COMES_BACK : client->member ? JOINS_AGAIN : JOINS);
    if (!client->away && !client->member)
        snprintf(client->instance, sizeof client->instance, "%s",
                 below(model, 3) ? "" : client->id + 1);
    if (client->away || *client->id == 0) {
        char instance[8];
        memcpy(instance, client->instance, sizeof instance);
        snprintf(client->id, sizeof client->id, "m%u", model->ids++);
        memcpy(client->instance, instance, sizeof instance);
    }
    client->names = 1 + below(model, 15);
    client->by_pattern = below(model, 3) == 0;
    client->owned = client->assigned = 0;
    begin(model, client, 0, &beat);
    client->member = true;
    client->away = false;
    expect_success(model, client, &beat);
}

static void go_on(struct model *model, struct client *client) {
    struct beat beat;
    meet(model, client->unsaid ? SAYS_ALL : GOES_ON);
    begin(model, client, client->rejoins ? 0 : client->epoch, &beat);
    expect_success(model, client, &beat);
}

static void leave(struct model *model, struct client *client) {
    struct beat beat;
    bool for_a_while = *client->instance && below(model, 2);
    meet(model, for_a_while ? PAUSES : LEAVES);
    begin(model, client, for_a_while ? -2 : -1, &beat);
    expect_success(model, client, &beat);
    forget(client);
    client->away = for_a_while;
}

static void resubscribe(struct model *model, struct client *client) {
    client->names = 1 + below(model, 15);
    client->by_pattern = below(model, 3) == 0;
    client->unsaid = true;
    go_on(model, client);
}

/* The state is lost, and read again from the log. */
static void lose_state(struct model *model) {
    uint32_t how = below(model, 3);
    if (how == 2)
        world_refuse(&model->world);
    else
        world_restart(&model->world, how);
    for (int c = 0; c < CLIENTS; c++) model->clients[c].heard_ms = now_ms(model);
}

/* The answer is lost: the broker dies, or gives the state up, before or after it has taken the
 * request. */
static void die_in_between(struct model *model, struct client *client) {
    struct beat beat;
    uint32_t steps = below(model, 30);
    begin(model, client, client->rejoins ? 0 : client->epoch, &beat);
    beat_send(&beat);
    for (uint32_t i = 0; i < steps; i++)
        sim_step(model->world.sim, sim_now_ns(model->world.sim) + 50000);
    client->unsaid = true;
    client->lost++;
    /* It believes to own what it owned; what it has given up it has given up. */
    lose_state(model);
    beat_deinit(&beat);
}

/* Whoever is silent too long is gone; the time never ends where that is not certain. */
static void let_pass(struct model *model, int64_t ms) {
    bool uncertain = true;
    for (world_pass_ms(&model->world, ms); uncertain;) {
        uncertain = false;
        for (int c = 0; c < CLIENTS; c++) {
            struct client *client = &model->clients[c];
            int64_t silent = now_ms(model) - client->heard_ms;
            if (!client->member && !client->away) continue;
            if (silent > SESSION_MS + TOLERANCE_MS)
                forget(client);
            else if (silent > SESSION_MS - TOLERANCE_MS)
                uncertain = true;
        }
        if (uncertain) world_pass_ms(&model->world, TOLERANCE_MS);
    }
}

static void change_topics(struct model *model) {
    int topic = (int)below(model, TOPICS);
    char name[2] = {(char)('a' + topic), 0};
    int32_t *count = &model->partitions[topic];
    if (*count == 0) {
        *count = 1 + (int32_t)below(model, PARTITIONS);
        world_topic(&model->world, name, *count);
    } else if (below(model, 2) && *count < PARTITIONS) {
        world_grow_topic(&model->world, name, ++*count);
    } else {
        *count = 0;
        world_delete_topic(&model->world, name);
        for (int c = 0; c < CLIENTS; c++) {
            model->clients[c].owned &= ~TOPIC_BITS(topic);
            model->clients[c].assigned &= ~TOPIC_BITS(topic);
        }
    }
}

/* One partition, with the client's epoch or one that it had before (KIP-1251). */
static void commit(struct model *model, struct client *client) {
    struct offset_commit_request_offset_commit_request_partition partition = {
        .committed_offset = below(model, 100), .committed_leader_epoch = -1};
    int topic_number = (int)below(model, TOPICS), lag = (int)below(model, 3);
    const char topic_name[2] = {(char)('a' + topic_number), 0};
    struct offset_commit_request_offset_commit_request_topic topic = {
        .name = bytes_of_text(topic_name), .partitions_count = 1, .partitions = &partition};
    struct offset_commit_request request = {.group_id = BYTES_OF("g"),
                                            .generation_id_or_member_epoch = client->epoch - lag,
                                            .member_id = bytes_of_text(client->id),
                                            .retention_time_ms = -1,
                                            .topics_count = 1,
                                            .topics = &topic};
    struct offset_commit_response response = {0};
    struct beat beat;
    if (client->epoch - lag <= 0 || client->rejoins || !model->partitions[topic_number]) return;
    partition.partition_index = (int32_t)below(model, (uint32_t)model->partitions[topic_number]);
    meet(model, COMMITS);
    beat_init(&beat, &model->world, "g", "", 0);
    beat.call.api = &offset_commit_api;
    beat.call.version = 9;
    beat.call.request = &request;
    beat.call.response = &response;
    beat_run(&beat);
    uint32_t bit = 1u << (topic_number * PARTITIONS + partition.partition_index);
    int16_t code = response.topics[0].partitions[0].error_code;
    cr_assert(code == ERROR_NONE || code == ERROR_STALE_MEMBER_EPOCH, "seed %lu: %s", model->seed,
              error_code_name(code));
    for (int c = 0; lag > 0 && code == ERROR_NONE && c < CLIENTS; c++)
        cr_assert(client == &model->clients[c] || !(model->clients[c].owned & bit),
                  "seed %lu: an older epoch commits what another client owns", model->seed);
    bool holds = (client->owned & client->assigned & bit) != 0;
    if (lag == 0 && holds && client->lost == 0)
        cr_assert(code == ERROR_NONE, "seed %lu: a commit of its own is stale", model->seed);
    beat_deinit(&beat);
}

static void step(struct model *model) {
    struct client *client = &model->clients[below(model, CLIENTS)];
    switch (below(model, 18)) {
        case 0: change_topics(model); break;
        case 1: lose_state(model); break;
        case 2: let_pass(model, below(model, 30000)); break;
        case 3:
            if (client->member) leave(model, client);
            break;
        case 4:
            if (client->member) resubscribe(model, client);
            break;
        case 5:
            if (client->member) die_in_between(model, client);
            break;
        case 6:
            if (client->member && below(model, 4) == 0) join(model, client); /* once more */
            break;
        case 7:
        case 8:
            if (client->member) commit(model, client);
            break;
        default:
            if (below(model, 4)) let_pass(model, below(model, 2000));
            if (client->member)
                go_on(model, client);
            else if (below(model, 2))
                join(model, client);
    }
    assert_group(model);
}

/* --- at last --- */

static void assert_even(struct model *model) {
    for (int a = 0; a < CLIENTS; a++)
        for (int b = 0; b < CLIENTS; b++) {
            const struct client *one = &model->clients[a], *other = &model->clients[b];
            if (!one->member || !other->member || one->names != other->names) continue;
            cr_assert(__builtin_popcount(one->owned) <= __builtin_popcount(other->owned) + 1,
                      "seed %lu: %x beside %x", model->seed, one->owned, other->owned);
        }
}

static void settle(struct model *model) {
    uint32_t wanted = 0, owned = 0;
    struct consumer_group *group = world_group(&model->world, "g");
    for (int c = 0; c < CLIENTS; c++)
        if (model->clients[c].away) join(model, &model->clients[c]);
    for (int round = 0; round < ROUNDS_TO_SETTLE; round++) {
        world_pass_ms(&model->world, 1000);
        for (int c = 0; c < CLIENTS; c++)
            if (model->clients[c].member) go_on(model, &model->clients[c]);
        assert_group(model);
    }
    for (int c = 0; c < CLIENTS; c++) {
        struct client *client = &model->clients[c];
        if (!client->member) continue;
        uint32_t subscribed = bits_of_names(client->names) & existing(model);
        cr_assert((client->owned & ~subscribed) == 0, "seed %lu: %s owns %x of %x", model->seed,
                  client->id, client->owned, subscribed);
        cr_assert(client->epoch == group->epoch, "seed %lu: %s is at %d, not %d", model->seed,
                  client->id, client->epoch, group->epoch);
        wanted |= subscribed;
        owned |= client->owned;
    }
    cr_assert(owned == wanted, "seed %lu: %x is owned, %x wanted", model->seed, owned, wanted);
    assert_even(model);
}

static void try_seed(uint64_t seed) {
    struct model model = {.seed = seed};
    random_init(&model.random, seed);
    world_init(&model.world, seed);
    if (seed % 3 == 0) model.world.catalog.options->consumer_assignment_interval_ms = 3000;
    for (int i = 0; i < STEPS; i++) step(&model);
    settle(&model);
    world_deinit(&model.world);
}

/* Without members there is nothing to do but join; with one that pauses no group is stable. */
static bool cannot_meet(int state, int request) {
    return (state == CONSUMER_EMPTY && request != JOINS) ||
           (state == CONSUMER_STABLE && request == COMES_BACK);
}

static void assert_all_met(void) {
    for (int state = 0; state < STATES; state++)
        for (int request = 0; request < REQUESTS; request++)
            cr_assert((met[state][request] > 0) != cannot_meet(state, request),
                      "%s in state %d: %u times", request_names[request], state,
                      met[state][request]);
}

Test(consumer_model, random_groups_are_as_the_model_says, .timeout = 600) {
    const char *given = getenv("MILLRACE_SEED");
    if (given) {
        try_seed(strtoull(given, NULL, 10));
        return;
    }
    for (uint64_t seed = 0; seed < SEEDS; seed++) try_seed(seed);
    assert_all_met();
}
