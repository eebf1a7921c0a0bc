/* Every state that a group and its member can be in, against every request that can come. */
#include "consumer-groups/consumer_world.h"
#include "protocol/consumer_group_describe.h"
#include "protocol/delete_groups.h"
#include "protocol/join_group.h"
#include "protocol/offset_commit.h"
#include "protocol/offset_fetch.h"

static struct world world;

/* --- states of group "g" and member "a" --- */

enum state {
    NO_GROUP,
    OFFSETS_ONLY,    /* a classic group that somebody committed to */
    CLASSIC_MEMBERS, /* a classic group that has a member */
    EMPTY,           /* a consumer group that everybody has left */
    OTHERS,          /* a consumer group that "a" is not in */
    STABLE,
    BEHIND, /* the target has moved on, "a" has nothing to give up */
    UNREVOKED,
    UNRELEASED,
    STATES
};

static const char *const state_names[STATES] = {"no group", "offsets only", "classic members",
                                                "empty",    "others",       "stable",
                                                "behind",   "unrevoked",    "unreleased"};

static int32_t run(const char *member, int32_t epoch, const char *topics, const char *owns) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, topics);
    if (epoch != 0 && topics) beat_names(&beat, topics);
    if (epoch != 0 && owns) beat_owns(&beat, owns);
    enum error_code code = beat_run(&beat);
    cr_assert(code == ERROR_NONE, "%s", error_code_name((int16_t)code));
    int32_t reached = beat.response.member_epoch;
    beat_deinit(&beat);
    return reached;
}

/* Another API's call, through the same frame as a heartbeat. */
static void call(const struct group_api *api, int16_t version, const void *request,
                 void *response) {
    struct beat beat;
    beat_init(&beat, &world, "g", "", 0);
    beat.call.api = api;
    beat.call.version = version;
    beat.call.request = request;
    beat.call.response = response;
    beat_run(&beat);
    beat_deinit(&beat);
}

static enum error_code commit(const char *member, int32_t epoch, int16_t version) {
    struct offset_commit_request_offset_commit_request_partition partition = {
        .committed_offset = 5, .committed_leader_epoch = -1};
    struct offset_commit_request_offset_commit_request_topic topic = {
        .name = BYTES_OF("t"), .partitions_count = 1, .partitions = &partition};
    struct offset_commit_request request = {.group_id = BYTES_OF("g"),
                                            .generation_id_or_member_epoch = epoch,
                                            .member_id = bytes_of_text(member),
                                            .retention_time_ms = -1,
                                            .topics_count = 1,
                                            .topics = &topic};
    struct offset_commit_response response = {0};
    struct beat beat;
    beat_init(&beat, &world, "g", "", 0);
    beat.call.api = &offset_commit_api;
    beat.call.version = version;
    beat.call.request = &request;
    beat.call.response = &response;
    beat_run(&beat);
    enum error_code code = (enum error_code)response.topics[0].partitions[0].error_code;
    beat_deinit(&beat);
    return code;
}

static enum error_code fetch(const char *member, int32_t epoch) {
    struct offset_fetch_request_offset_fetch_request_group request = {
        .group_id = BYTES_OF("g"),
        .member_id = bytes_of_text(member),
        .member_epoch = epoch,
        .topics_count = -1};
    struct offset_fetch_response_offset_fetch_response_group response = {0};
    call(&offset_fetch_api, 9, &request, &response);
    return (enum error_code)response.error_code;
}

static enum error_code classic_join(int16_t version) {
    struct join_group_request_join_group_request_protocol protocol = {BYTES_OF("range"),
                                                                      BYTES_OF("\0\0\0\0\0\0")};
    struct join_group_request request = {.group_id = BYTES_OF("g"),
                                         .session_timeout_ms = 10000,
                                         .rebalance_timeout_ms = 10000,
                                         .member_id = BYTES_OF(""),
                                         .protocol_type = BYTES_OF("consumer"),
                                         .protocols_count = 1,
                                         .protocols = &protocol};
    struct join_group_response response = {0};
    call(&group_join_api, version, &request, &response);
    return (enum error_code)response.error_code;
}

static enum error_code describe(void) {
    struct consumer_group_describe_response_described_group response = {0};
    struct bytes id = BYTES_OF("g");
    call(&consumer_describe_api, 1, &id, &response);
    return (enum error_code)response.error_code;
}

static enum error_code delete_group(void) {
    struct delete_groups_response_deletable_group_result response = {0};
    struct bytes id = BYTES_OF("g");
    call(&group_delete_api, 2, &id, &response);
    return (enum error_code)response.error_code;
}

static void make_consumer_group(enum state state) {
    if (state == OTHERS || state == UNRELEASED) run("b", 0, "t", NULL);
    if (state == OTHERS) return;
    run("a", 0, "t", NULL);
    if (state == EMPTY) run("a", -1, NULL, NULL);
    if (state == UNREVOKED) run("b", 0, "t", NULL);
    if (state == UNREVOKED) run("a", 2, NULL, NULL);
    if (state == BEHIND) world_grow_topic(&world, "t", 5);
}

/* Then "a", if it is there, is at epoch 2, or 3 when UNRELEASED. */
static void make(enum state state) {
    world_init(&world, 3);
    world_topic(&world, "t", 4);
    if (state == OFFSETS_ONLY) cr_assert(commit("", -1, 8) == ERROR_NONE);
    if (state == CLASSIC_MEMBERS) cr_assert(classic_join(3) == ERROR_NONE);
    if (state >= EMPTY) make_consumer_group(state);
}

static int32_t epoch_in(enum state state) { return state == UNRELEASED ? 3 : 2; }

static const char *owned_in(enum state state) { return state == UNRELEASED ? "" : "t:0,1,2,3"; }

/* --- requests --- */

static enum error_code beat(int32_t epoch, const char *owns) {
    struct beat one;
    beat_init(&one, &world, "g", "a", epoch);
    if (epoch == 0) beat_join(&one, "t");
    if (epoch != 0 && owns) beat_owns(&one, owns);
    enum error_code code = beat_run(&one);
    beat_deinit(&one);
    return code;
}

static enum error_code join(enum state state) { return (void)state, beat(0, NULL); }
static enum error_code go_on(enum state state) { return beat(epoch_in(state), NULL); }
static enum error_code go_on_owning(enum state state) {
    return beat(epoch_in(state), owned_in(state));
}
static enum error_code go_on_owning_nothing(enum state state) { return beat(epoch_in(state), ""); }
static enum error_code beat_ahead(enum state state) { return beat(epoch_in(state) + 1, ""); }
static enum error_code beat_behind(enum state state) { return beat(1, owned_in(state)); }
static enum error_code leave(enum state state) { return (void)state, beat(-1, NULL); }
static enum error_code leave_as_static(enum state state) { return (void)state, beat(-2, NULL); }
static enum error_code commit_now(enum state state) { return commit("a", epoch_in(state), 9); }
static enum error_code commit_ahead(enum state state) {
    return commit("a", epoch_in(state) + 1, 9);
}
static enum error_code commit_behind(enum state state) { return (void)state, commit("a", 1, 9); }
static enum error_code commit_old_version(enum state state) {
    return commit("a", epoch_in(state), 8);
}
static enum error_code commit_alone(enum state state) { return (void)state, commit("", -1, 9); }
static enum error_code fetch_now(enum state state) { return fetch("a", epoch_in(state)); }
static enum error_code fetch_behind(enum state state) { return (void)state, fetch("a", 1); }
static enum error_code fetch_as_admin(enum state state) { return (void)state, fetch("", -1); }
static enum error_code describe_it(enum state state) { return (void)state, describe(); }
static enum error_code delete_it(enum state state) { return (void)state, delete_group(); }
static enum error_code join_as_classic(enum state state) { return (void)state, classic_join(3); }

#define OK ERROR_NONE
#define UNKNOWN ERROR_UNKNOWN_MEMBER_ID
#define FENCED ERROR_FENCED_MEMBER_EPOCH
#define STALE ERROR_STALE_MEMBER_EPOCH
#define NOT_FOUND ERROR_GROUP_ID_NOT_FOUND
#define NOT_EMPTY ERROR_NON_EMPTY_GROUP
#define INVALID ERROR_INVALID_REQUEST
#define GENERATION ERROR_ILLEGAL_GENERATION
#define VERSION ERROR_UNSUPPORTED_VERSION
#define PROTOCOL ERROR_INCONSISTENT_GROUP_PROTOCOL

/* clang-format off */
static const struct row {
    const char *name;
    enum error_code (*run)(enum state state);
    enum error_code expected[STATES];
} rows[] = {
    /*                          no group   offsets    classic    empty      others     stable     behind     unrevoked  unreleased */
    {"join", join,             {OK,        OK,        NOT_FOUND, OK,        OK,        OK,        OK,        OK,        OK}},
    {"go on", go_on,           {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"owning", go_on_owning,   {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"owning nothing", go_on_owning_nothing,
                               {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"ahead", beat_ahead,      {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED,    FENCED,    FENCED,    FENCED}},
    {"behind", beat_behind,    {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   FENCED,    FENCED,    FENCED,    FENCED}},
    {"leave", leave,           {UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"leave as static", leave_as_static,
                               {INVALID,   INVALID,   INVALID,   INVALID,   INVALID,   INVALID,   INVALID,   INVALID,   INVALID}},
    {"commit", commit_now,     {NOT_FOUND, UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"commit ahead", commit_ahead,
                               {NOT_FOUND, UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   STALE,     STALE,     STALE,     STALE}},
    {"commit behind", commit_behind,
                               {NOT_FOUND, UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   STALE,     STALE,     STALE,     STALE}},
    {"commit 8", commit_old_version,
                               {GENERATION, UNKNOWN,  UNKNOWN,   UNKNOWN,   UNKNOWN,   VERSION,   VERSION,   VERSION,   VERSION}},
    {"commit alone", commit_alone,
                               {OK,        OK,        UNKNOWN,   OK,        UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN,   UNKNOWN}},
    {"fetch", fetch_now,       {OK,        OK,        OK,        UNKNOWN,   UNKNOWN,   OK,        OK,        OK,        OK}},
    {"fetch behind", fetch_behind,
                               {OK,        OK,        OK,        UNKNOWN,   UNKNOWN,   STALE,     STALE,     STALE,     STALE}},
    {"fetch as admin", fetch_as_admin,
                               {OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK,        OK}},
    {"describe", describe_it,  {NOT_FOUND, NOT_FOUND, NOT_FOUND, OK,        OK,        OK,        OK,        OK,        OK}},
    {"delete", delete_it,      {NOT_FOUND, OK,        NOT_EMPTY, OK,        NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY, NOT_EMPTY}},
    {"classic join", join_as_classic,
                               {OK,        OK,        OK,        OK,        PROTOCOL,  PROTOCOL,  PROTOCOL,  PROTOCOL,  PROTOCOL}},
};
/* clang-format on */

/* What must hold whatever was asked: the target is disjoint, so are the holdings; nobody is ahead
 * of the group. */
static void assert_sound(const char *name, const char *state) {
    struct consumer_group *group = world_group(&world, "g");
    if (!group) return;
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node)) {
        struct consumer_member *one = map_entry(node, struct consumer_member, by_id);
        cr_assert(one->current.epoch <= group->epoch, "%s when %s", name, state);
        for (int32_t i = 0; i < one->current.assigned.count; i++)
            cr_assert(consumer_holder(group, &one->current.assigned.items[i]) == one);
        for (int32_t i = 0; i < one->current.revoking.count; i++)
            cr_assert(consumer_holder(group, &one->current.revoking.items[i]) == one);
        for (struct map_node *at = map_next(&group->members, node); at;
             at = map_next(&group->members, at))
            cr_assert(!consumer_partitions_meet(
                &one->target, &map_entry(at, struct consumer_member, by_id)->target));
    }
}

static void try_row(const struct row *row) {
    for (enum state state = 0; state < STATES; state++) {
        make(state);
        enum error_code code = row->run(state);
        cr_assert(code == row->expected[state], "%s when %s gives %s, not %s", row->name,
                  state_names[state], error_code_name((int16_t)code),
                  error_code_name((int16_t)row->expected[state]));
        assert_sound(row->name, state_names[state]);
        world_deinit(&world);
    }
}

Test(consumer_state, every_state_and_every_request, .timeout = 300) {
    for (size_t i = 0; i < array_count(rows); i++) try_row(&rows[i]);
}

Test(consumer_state, every_state_survives_every_request, .timeout = 300) {
    for (size_t i = 0; i < array_count(rows); i++)
        for (enum state state = 0; state < STATES; state++) {
            make(state);
            rows[i].run(state);
            struct consumer_group *group = world_group(&world, "g");
            int32_t epoch = group ? group->epoch : -1, members = group ? group->member_count : -1;
            world_restart(&world, true);
            group = world_group(&world, "g");
            cr_assert((group ? group->epoch : -1) == epoch, "%s when %s", rows[i].name,
                      state_names[state]);
            cr_assert((group ? group->member_count : -1) == members);
            assert_sound(rows[i].name, state_names[state]);
            world_deinit(&world);
        }
}

/* --- from one protocol to the other and back --- */

Test(consumer_state, an_empty_group_changes_its_protocol_and_keeps_its_offsets) {
    make(OFFSETS_ONLY);
    run("a", 0, "t", NULL);
    cr_assert(world_group(&world, "g"));
    cr_assert(commit("a", 2, 9) == ERROR_NONE);
    run("a", -1, NULL, NULL);
    cr_assert(classic_join(3) == ERROR_NONE);
    cr_assert_null(world_group(&world, "g"));
    cr_assert_not_null(groups_find(coordinator_state(world.coordinator), BYTES_OF("g"))->offsets);
    cr_assert(beat(0, NULL) == ERROR_GROUP_ID_NOT_FOUND);
    world_restart(&world, true);
    struct group *group = groups_find(coordinator_state(world.coordinator), BYTES_OF("g"));
    cr_assert(group && group->kind == &classic_kind && group->offsets);
    world_pass_ms(&world, 60000);
    run("a", 0, "t", NULL);
    cr_assert(world_group(&world, "g")->epoch == 2, "it begins anew");
    world_restart(&world, true);
    cr_assert(world_group(&world, "g")->member_count == 1);
    cr_assert_not_null(world_group(&world, "g")->group->offsets);
    world_deinit(&world);
}
