/* Every state that a classic group and its member can be in, against every request that can come:
 * what it is answered, and what state the group is in then. The rules are those of Kafka's
 * ClassicGroup and GroupMetadataManager. */
#include "base/check.h"
#include "consumer-groups/classic_world.h"

static struct world world;

/* --- states of group "g" and member "a" --- */

enum state {
    DEAD,     /* there is no such group */
    SIMPLE,   /* somebody who manages himself has committed */
    EMPTY,    /* "a" has left, and it was the last one */
    PENDING,  /* "a" was given an id, and has not joined with it */
    AWAITED,  /* PreparingRebalance: "b" waits for "a" to join again */
    JOINED,   /* PreparingRebalance: "a" and "c" wait for "b" */
    LEADS,    /* CompletingRebalance: "a" is to hand in the assignment */
    FOLLOWS,  /* CompletingRebalance: "a" is to ask for its part */
    LEADER,   /* Stable */
    FOLLOWER, /* Stable */
    STATIC,   /* Stable: "a" follows, and has an instance id */
    STATES
};

static const char *const state_names[STATES] = {"dead",    "simple",   "empty", "pending",
                                                "awaited", "joined",   "leads", "follows",
                                                "leader",  "follower", "static"};

enum { A, B, C, PEOPLE, OPEN_MAX = 8 };
static char ids[PEOPLE][80];
static const char *instances[PEOPLE];
static struct ask open[OPEN_MAX]; /* what members sent, waiting or answered */
static int opened;

static struct ask *join(int who) {
    struct ask *ask = &open[opened++];
    ask_join(ask, &world, ids[who], instances[who], "range=m");
    ask_send(ask);
    return ask;
}

static void take_id(struct ask *ask, int who) {
    cr_assert(ask_wait(ask) == ERROR_NONE, "%s", error_code_name((int16_t)ask_code(ask)));
    struct bytes id = ask->response.join.member_id;
    memcpy(ids[who], id.at, id.len);
    ids[who][id.len] = 0;
}

static struct ask *sync(int who, int32_t generation) {
    struct ask *ask = &open[opened++];
    ask_sync(ask, &world, ids[who], generation, "");
    if (instances[who]) ask->request.sync.group_instance_id = bytes_of_text(instances[who]);
    ask_send(ask);
    return ask;
}

/* Generation 1, of one member. */
static void settle_one(int who) {
    take_id(join(who), who);
    cr_assert(ask_wait(sync(who, 1)) == ERROR_NONE);
}

/* Generation 2, of two; nobody has sent SyncGroup. */
static void join_two(int leader, int follower) {
    settle_one(leader);
    struct ask *second = join(follower), *first = join(leader);
    take_id(first, leader);
    take_id(second, follower);
}

static void settle_two(int leader, int follower) {
    join_two(leader, follower);
    struct ask *second = sync(follower, 2), *first = sync(leader, 2);
    cr_assert(ask_wait(first) == ERROR_NONE && ask_wait(second) == ERROR_NONE);
}

static void make_pending(void) {
    struct ask *ask = &open[opened++];
    ask_join(ask, &world, "", NULL, "range=m");
    ask->call.version = 4;
    cr_assert(ask_run(ask) == ERROR_MEMBER_ID_REQUIRED);
    ask->response.join.error_code = 0;
    take_id(ask, A);
}

static void make_simple(void) {
    ask_commit(&open[opened], &world, "", -1, 5);
    cr_assert(ask_run(&open[opened++]) == ERROR_NONE);
}

static void make_empty(void) {
    settle_one(A);
    ask_leave(&open[opened], &world, ids[A], NULL);
    cr_assert(ask_run(&open[opened++]) == ERROR_NONE);
}

static void make(enum state state) {
    world_init(&world, 3);
    world_topic(&world, "t", 4);
    for (int i = 0; i < PEOPLE; i++) ids[i][0] = 0;
    instances[A] = state == STATIC ? "i" : NULL;
    opened = 0;
    switch (state) {
        case DEAD: break;
        case SIMPLE: make_simple(); break;
        case EMPTY: make_empty(); break;
        case PENDING: make_pending(); break;
        case AWAITED: settle_one(A), join(B); break;
        case JOINED: settle_two(A, B), join(C), join(A); break;
        case LEADS: join_two(A, B); break;
        case FOLLOWS: join_two(B, A); break;
        case LEADER: settle_two(A, B); break;
        case FOLLOWER:
        case STATIC: settle_two(B, A); break;
        case STATES: unreachable();
    }
    if (!ids[A][0]) strcpy(ids[A], "nobody");
}

static void unmake(void) {
    for (int i = 0; i < opened; i++) ask_deinit(&open[i]);
    world_deinit(&world);
}

/* As "a" knows it. */
static int32_t generation_in(enum state state) { return state <= AWAITED ? 1 : 2; }

/* --- requests --- */

/* "The former" is who had instance id "i" before. */
typedef void request_type(enum state state, struct ask *ask);

static void join_new(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "", NULL, "range=m");
}
static void join_for_id(enum state state, struct ask *ask) {
    join_new(state, ask);
    ask->call.version = 4;
}
static void join_static(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "", "x", "range=m");
}
static void join_again(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, ids[A], instances[A], "range=m");
}
static void join_changed(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, ids[A], instances[A], "range=n");
}
static void join_as_nobody(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "nobody", NULL, "range=m");
}
static void join_alien(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "", NULL, "alien=m");
}
static void join_other_type(enum state state, struct ask *ask) {
    join_new(state, ask);
    ask->request.join.protocol_type = BYTES_OF("connect");
}
static void join_in_place(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "", "i", "range=m");
}
static void join_as_former(enum state state, struct ask *ask) {
    (void)state;
    ask_join(ask, &world, "former", "i", "range=m");
}
static void sync_now(enum state state, struct ask *ask) {
    ask_sync(ask, &world, ids[A], generation_in(state), "");
}
static void sync_late(enum state state, struct ask *ask) {
    ask_sync(ask, &world, ids[A], generation_in(state) - 1, "");
}
static void sync_as_nobody(enum state state, struct ask *ask) {
    ask_sync(ask, &world, "nobody", generation_in(state), "");
}
static void sync_as_former(enum state state, struct ask *ask) {
    ask_sync(ask, &world, "former", generation_in(state), "");
    ask->request.sync.group_instance_id = BYTES_OF("i");
}
static void beat_now(enum state state, struct ask *ask) {
    ask_heartbeat(ask, &world, ids[A], generation_in(state));
}
static void beat_late(enum state state, struct ask *ask) {
    ask_heartbeat(ask, &world, ids[A], generation_in(state) - 1);
}
static void beat_as_nobody(enum state state, struct ask *ask) {
    ask_heartbeat(ask, &world, "nobody", generation_in(state));
}
static void beat_as_former(enum state state, struct ask *ask) {
    ask_heartbeat(ask, &world, "former", generation_in(state));
    ask->request.heartbeat.group_instance_id = BYTES_OF("i");
}
static void leave(enum state state, struct ask *ask) {
    (void)state;
    ask_leave(ask, &world, ids[A], NULL);
}
static void leave_as_nobody(enum state state, struct ask *ask) {
    (void)state;
    ask_leave(ask, &world, "nobody", NULL);
}
static void leave_by_instance(enum state state, struct ask *ask) {
    (void)state;
    ask_leave(ask, &world, "", "i");
}
static void leave_as_former(enum state state, struct ask *ask) {
    (void)state;
    ask_leave(ask, &world, "former", "i");
}
static void commit_now(enum state state, struct ask *ask) {
    ask_commit(ask, &world, ids[A], generation_in(state), 7);
}
static void commit_late(enum state state, struct ask *ask) {
    ask_commit(ask, &world, ids[A], generation_in(state) - 1, 7);
}
static void commit_alone(enum state state, struct ask *ask) {
    (void)state;
    ask_commit(ask, &world, "", -1, 7);
}
static void commit_as_nobody(enum state state, struct ask *ask) {
    ask_commit(ask, &world, "nobody", generation_in(state), 7);
}
static void commit_as_former(enum state state, struct ask *ask) {
    ask_commit(ask, &world, "former", generation_in(state), 7);
    ask->request.commit.group_instance_id = BYTES_OF("i");
}
static void fetch(enum state state, struct ask *ask) {
    (void)state;
    ask_fetch(ask, &world);
}
static void forget(enum state state, struct ask *ask) {
    (void)state;
    ask_forget(ask, &world);
}
static void delete (enum state state, struct ask *ask) {
    (void)state;
    ask_delete(ask, &world);
}
static void describe(enum state state, struct ask *ask) {
    (void)state;
    ask_describe(ask, &world);
}

/* --- what is to come of them --- */

enum { WAITS = -100 };

static const char *outcome_name(int outcome) {
    return outcome == WAITS ? "waits" : error_code_name((int16_t)outcome);
}

#define OK ERROR_NONE
#define UNKNOWN ERROR_UNKNOWN_MEMBER_ID
#define NEEDS_ID ERROR_MEMBER_ID_REQUIRED
#define OLD ERROR_ILLEGAL_GENERATION
#define BUSY ERROR_REBALANCE_IN_PROGRESS
#define MISFIT ERROR_INCONSISTENT_GROUP_PROTOCOL
#define NOT_FOUND ERROR_GROUP_ID_NOT_FOUND
#define NOT_EMPTY ERROR_NON_EMPTY_GROUP
#define IN_USE ERROR_GROUP_SUBSCRIBED_TO_TOPIC
#define FENCED ERROR_FENCED_INSTANCE_ID

/* Behind the outcomes the states that follow: Dead, Empty, Preparing, Completing, Stable. */
/* clang-format off */
static const struct row {
    const char *name;
    request_type *request;
    int expected[STATES];
    const char *next;
} rows[] = {
    /*                                  dead       simple     empty      pending    awaited    joined     leads      follows    leader     follower   static */
    {"join", join_new,                  {OK,        OK,        OK,        OK,        WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS},       "CCCCPPPPPPP"},
    {"join for an id", join_for_id,     {NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID,  NEEDS_ID},    "EEEEPPCCSSS"},
    {"join as static", join_static,     {OK,        OK,        OK,        OK,        WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS},       "CCCCPPPPPPP"},
    {"join again", join_again,          {UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        WAITS,     OK,        OK,        WAITS,     OK,        OK},          "DEECCPCCPSS"},
    {"join changed", join_changed,      {UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS},       "DEECCPPPPPP"},
    {"join as nobody", join_as_nobody,  {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "DEEEPPCCSSS"},
    {"join alien", join_alien,          {OK,        OK,        OK,        OK,        MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT},      "CCCCPPCCSSS"},
    {"join other type", join_other_type,
                                        {OK,        OK,        OK,        OK,        MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT,    MISFIT},      "CCCCPPCCSSS"},
    {"join in place", join_in_place,    {OK,        OK,        OK,        OK,        WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     WAITS,     OK},          "CCCCPPPPPPS"},
    {"join as the former", join_as_former,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED},      "DEEEPPCCSSS"},
    {"sync", sync_now,                  {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   BUSY,      BUSY,      OK,        WAITS,     OK,        OK,        OK},          "DEEEPPSCSSS"},
    {"sync late", sync_late,            {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OLD,       OLD,       OLD,       OLD,       OLD,       OLD,       OLD},         "DEEEPPCCSSS"},
    {"sync as nobody", sync_as_nobody,  {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "DEEEPPCCSSS"},
    {"sync as the former", sync_as_former,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED},      "DEEEPPCCSSS"},
    {"heartbeat", beat_now,             {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   BUSY,      BUSY,      OK,        OK,        OK,        OK,        OK},          "DEEEPPCCSSS"},
    {"heartbeat late", beat_late,       {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OLD,       OLD,       OLD,       OLD,       OLD,       OLD,       OLD},         "DEEEPPCCSSS"},
    {"heartbeat as nobody", beat_as_nobody,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "DEEEPPCCSSS"},
    {"heartbeat as the former", beat_as_former,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED},      "DEEEPPCCSSS"},
    {"leave", leave,                    {UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK},          "DEEDCPPPPPP"},
    {"leave as nobody", leave_as_nobody,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "DEEEPPCCSSS"},
    {"leave by instance", leave_by_instance,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK},          "DEEEPPCCSSP"},
    {"leave as the former", leave_as_former,
                                        {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED},      "DEEEPPCCSSS"},
    {"commit", commit_now,              {OLD,       UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        BUSY,      BUSY,      OK,        OK,        OK},          "DEEEPPCCSSS"},
    {"commit late", commit_late,        {OLD,       UNKNOWN,   UNKNOWN,   UNKNOWN,   OLD,       OLD,       OLD,       OLD,       OLD,       OLD,       OLD},         "DEEEPPCCSSS"},
    {"commit alone", commit_alone,      {OK,        OK,        OK,        OK,        UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "EEEEPPCCSSS"},
    {"commit as nobody", commit_as_nobody,
                                        {OLD,       UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN},     "DEEEPPCCSSS"},
    {"commit as the former", commit_as_former,
                                        {OLD,       UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED},      "DEEEPPCCSSS"},
    {"fetch", fetch,                    {OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK},          "DEEEPPCCSSS"},
    {"forget offsets", forget,          {NOT_FOUND, OK,        OK,        OK,        IN_USE,    IN_USE,    IN_USE,    IN_USE,    IN_USE,    IN_USE,    IN_USE},      "DDEEPPCCSSS"},
    {"delete", delete,                  {NOT_FOUND, OK,        OK,        OK,        NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY},   "DDDDPPCCSSS"},
    {"describe", describe,              {NOT_FOUND, OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK},          "DEEEPPCCSSS"},
};
/* clang-format on */

static int outcome_of(struct ask *ask) {
    ask_send(ask);
    ring_round(world.ring, false); /* what came from outside is seen at once */
    world_pass_ms(&world, 100);
    return ask->done ? (int)ask_code(ask) : WAITS;
}

/* --- every pair --- */

/* Whatever was asked, admins see the group as it is. */
static void assert_seen(const char *name, const char *state) {
    struct ask described, listed;
    ask_describe(&described, &world);
    ask_list(&listed, &world);
    ask_run(&described), ask_run(&listed);
    const struct group_list *list = &listed.response.list;
    const char *now = world_state(&world);
    cr_assert(bytes_equal_text(described.response.described.group_state, now),
              "%s when %s: described as %.*s, not %s", name, state,
              BYTES_FORMAT(described.response.described.group_state), now);
    cr_assert(list->count == (strcmp(now, "Dead") != 0), "%s when %s", name, state);
    if (list->count) cr_assert(bytes_equal_text(list->items[0].group_state, now));
    ask_deinit(&described), ask_deinit(&listed);
}

static void assert_sound(void) {
    const struct classic_group *group = world_classic(&world);
    int32_t joining = 0, owing = 0;
    if (!group) return;
    list_each(node, (struct list *)&group->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        joining += member->joins;
        owing += member->owes_sync;
        cr_assert(!member->joins || group->state == CLASSIC_PREPARING);
        cr_assert(!member->syncs || group->state == CLASSIC_COMPLETING);
        cr_assert(coordinator_timer_is_armed(&member->session));
    }
    cr_assert(joining == group->joining_count && owing == group->owing_count);
    cr_assert((group->member_count == 0) == (group->state == CLASSIC_EMPTY));
}

static void try_pair(const struct row *row, enum state state, struct ask *ask) {
    make(state);
    row->request(state, ask);
    int outcome = outcome_of(ask);
    cr_assert(outcome == row->expected[state], "%s when %s gives %s, not %s", row->name,
              state_names[state], outcome_name(outcome), outcome_name(row->expected[state]));
    cr_assert(*world_state(&world) == row->next[state], "%s when %s: then %s, not %c", row->name,
              state_names[state], world_state(&world), row->next[state]);
    assert_sound();
}

Test(classic_state, every_state_and_every_request, .timeout = 300) {
    for (size_t i = 0; i < array_count(rows); i++)
        for (enum state state = 0; state < STATES; state++) {
            struct ask ask;
            try_pair(&rows[i], state, &ask);
            assert_seen(rows[i].name, state_names[state]);
            unmake();
            ask_deinit(&ask);
        }
}

/* What the log has of it: the group as of its last assignment or when it became empty; a rebalance
 * is forgotten, offsets are not. */
Test(classic_state, every_state_survives_every_request, .timeout = 300) {
    for (size_t i = 0; i < array_count(rows); i++)
        for (enum state state = 0; state < STATES; state++) {
            struct ask ask;
            try_pair(&rows[i], state, &ask);
            const struct classic_group *group = world_classic(&world);
            bool is_settled = !group || group->state == CLASSIC_STABLE || !group->recorded;
            int32_t generation = group ? group->generation : 0;
            int32_t members = group && group->state == CLASSIC_STABLE ? group->member_count : 0;
            int64_t offset = world_offset(&world);
            world_restart(&world, true);
            group = world_classic(&world);
            if (is_settled) cr_assert((group ? group->member_count : 0) == members);
            if (is_settled && members) cr_assert(group->generation == generation);
            cr_assert(!group || group->generation <= generation, "%s when %s", rows[i].name,
                      state_names[state]);
            cr_assert(!group || strchr("ES", *world_state(&world)));
            cr_assert(world_offset(&world) == offset, "%s when %s", rows[i].name,
                      state_names[state]);
            assert_sound();
            unmake();
            ask_deinit(&ask);
        }
}

/* --- several in one request --- */

Test(classic_state, those_that_can_leave_do_and_there_is_one_rebalance) {
    struct ask ask;
    make(LEADER);
    ask_leave(&ask, &world, ids[B], "");
    struct leave_group_request_member_identity members[] = {
        {bytes_of_text(ids[B]), BYTES_NULL, BYTES_NULL},
        {BYTES_OF("nobody"), BYTES_NULL, BYTES_NULL},
        {BYTES_OF(""), BYTES_OF("i"), BYTES_NULL},
        {bytes_of_text(ids[A]), BYTES_NULL, BYTES_NULL}};
    ask.request.leave.members = members;
    ask.request.leave.members_count = array_count(members);
    cr_assert(ask_run(&ask) == OK);
    const struct leave_group_response *response = &ask.response.leave;
    cr_assert(response->error_code == OK && response->members_count == array_count(members));
    cr_assert(response->members[1].error_code == UNKNOWN);
    cr_assert(response->members[2].error_code == UNKNOWN);
    cr_assert(response->members[3].error_code == OK);
    cr_assert_str_eq(world_state(&world), "Empty");
    cr_assert(world_classic(&world)->generation == 3);
    ask_deinit(&ask);
    unmake();
}
