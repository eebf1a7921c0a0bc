/* What members are answered, case by case. */
#include "consumer-groups/consumer_world.h"

static struct world world;
static void setup(void) {
    world_init(&world, 1);
    world_topic(&world, "t", 4);
    world_topic(&world, "u", 2);
}
static void teardown(void) { world_deinit(&world); }
TestSuite(consumer_heartbeat, .init = setup, .fini = teardown);

#define ASSERT_CODE(beat, expected)                                                         \
    do {                                                                                    \
        enum error_code code = beat_run(beat);                                              \
        cr_assert(code == ERROR_##expected, "got %s: %.*s", error_code_name((int16_t)code), \
                  BYTES_FORMAT((beat)->response.error_message));                            \
    } while (0)

/* One heartbeat that must succeed: the epoch it brings, and the assignment in `assignment`. */
static int32_t run(const char *member, int32_t epoch, const char *topics, const char *owns,
                   char *assignment) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, topics);
    if (epoch != 0 && topics) beat_names(&beat, topics);
    if (epoch != 0 && owns) beat_owns(&beat, owns);
    ASSERT_CODE(&beat, NONE);
    cr_assert(bytes_equal_text(beat.response.member_id, member));
    if (assignment) strcpy(assignment, beat_assignment(&beat));
    int32_t reached = beat.response.member_epoch;
    beat_deinit(&beat);
    return reached;
}

static enum error_code code_of(const char *member, int32_t epoch, const char *owns) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, "t");
    if (epoch != 0 && owns) beat_owns(&beat, owns);
    enum error_code code = beat_run(&beat);
    beat_deinit(&beat);
    return code;
}

#define ASSERT_TEXT(got, expected) cr_assert_str_eq(got, expected)

Test(consumer_heartbeat, the_first_member_gets_everything_at_once) {
    char assignment[100];
    cr_assert(run("a", 0, "t,u", NULL, assignment) == 2);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u:0,1");
    cr_assert_str_eq(consumer_kind.state_name(world_group(&world, "g")->group), "Stable");
    /* It knows: the answer does not say it again. */
    cr_assert(run("a", 2, NULL, NULL, assignment) == 2);
    ASSERT_TEXT(assignment, "none");
}

Test(consumer_heartbeat, a_second_member_waits_until_the_first_has_given_up) {
    char assignment[100];
    run("a", 0, "t", NULL, NULL);
    cr_assert(run("b", 0, "t", NULL, assignment) == 3);
    ASSERT_TEXT(assignment, "");
    cr_assert(run("a", 2, NULL, NULL, assignment) == 2);
    ASSERT_TEXT(assignment, "t:0,1");
    cr_assert(run("b", 3, NULL, "", assignment) == 3);
    ASSERT_TEXT(assignment, "none");
    cr_assert(run("a", 2, NULL, "t:0,1,2", assignment) == 2, "it has not given up everything");
    cr_assert(run("a", 2, NULL, "t:0,1", assignment) == 3);
    ASSERT_TEXT(assignment, "none");
    cr_assert(run("b", 3, NULL, "", assignment) == 3);
    ASSERT_TEXT(assignment, "t:2,3");
    cr_assert_str_eq(consumer_kind.state_name(world_group(&world, "g")->group), "Stable");
}

Test(consumer_heartbeat, one_that_leaves_is_inherited_from) {
    char assignment[100];
    run("a", 0, "t", NULL, NULL);
    run("b", 0, "t", NULL, NULL);
    run("a", 2, NULL, "t:0,1", NULL);
    cr_assert(run("b", 3, NULL, "", assignment) == 3);
    cr_assert(run("b", -1, NULL, NULL, NULL) == -1);
    cr_assert(run("a", 3, NULL, NULL, assignment) == 4);
    ASSERT_TEXT(assignment, "t:0,1,2,3");
    cr_assert(code_of("b", 3, NULL) == ERROR_UNKNOWN_MEMBER_ID);
}

Test(consumer_heartbeat, one_that_is_silent_is_removed) {
    run("a", 0, "t", NULL, NULL);
    run("b", 0, "t", NULL, NULL);
    int32_t epoch = 2;
    char assignment[100];
    for (int i = 0; i < 8; i++) {
        world_pass_ms(&world, 5000);
        epoch = run("a", epoch, NULL, "t:0,1", NULL);
    }
    cr_assert(world_group(&world, "g")->member_count == 2);
    world_pass_ms(&world, 6000);
    cr_assert(world_group(&world, "g")->member_count == 1);
    run("a", epoch, NULL, "t:0,1", assignment);
    ASSERT_TEXT(assignment, "t:0,1,2,3");
}

Test(consumer_heartbeat, one_that_gives_nothing_up_is_removed) {
    run("a", 0, "t", NULL, NULL);
    int32_t epoch = run("b", 0, "t", NULL, NULL);
    for (int i = 0; i < 11; i++) {
        run("a", 2, NULL, "t:0,1,2,3", NULL);
        run("b", epoch, NULL, "", NULL);
        world_pass_ms(&world, 5000);
    }
    run("a", 2, NULL, "t:0,1,2,3", NULL);
    world_pass_ms(&world, 10000);
    cr_assert(code_of("a", 2, "t:0,1,2,3") == ERROR_UNKNOWN_MEMBER_ID);
    char assignment[100];
    cr_assert(run("b", epoch, NULL, "", assignment) == 4);
    ASSERT_TEXT(assignment, "t:0,1,2,3");
}

Test(consumer_heartbeat, an_epoch_that_passed_is_fenced_unless_the_answer_was_lost) {
    run("a", 0, "t", NULL, NULL);
    run("b", 0, "t", NULL, NULL);
    run("a", 2, NULL, "t:0,1", NULL);
    cr_assert(code_of("a", 4, NULL) == ERROR_FENCED_MEMBER_EPOCH);
    cr_assert(code_of("a", 2, NULL) == ERROR_FENCED_MEMBER_EPOCH, "it does not say what it owns");
    cr_assert(code_of("a", 2, "t:0,1,2") == ERROR_FENCED_MEMBER_EPOCH, "it owns too much");
    cr_assert(code_of("a", 1, "t:0,1") == ERROR_FENCED_MEMBER_EPOCH);
    char assignment[100];
    cr_assert(run("a", 2, "t", "t:0", assignment) == 3);
    cr_assert(run("a", 3, NULL, NULL, assignment) == 3);
    cr_assert(code_of("c", 3, "") == ERROR_UNKNOWN_MEMBER_ID);
}

Test(consumer_heartbeat, who_joins_again_owns_nothing_any_more) {
    char assignment[100];
    run("a", 0, "t", NULL, NULL);
    run("b", 0, "t", NULL, NULL);
    cr_assert(run("a", 0, "t", NULL, assignment) == 3, "without giving up first");
    ASSERT_TEXT(assignment, "t:0,1");
    cr_assert(run("b", 3, NULL, "", assignment) == 3);
    ASSERT_TEXT(assignment, "t:2,3");
    cr_assert(world_group(&world, "g")->epoch == 3, "nothing else has changed");
}

Test(consumer_heartbeat, a_subscription_that_changes) {
    char assignment[100];
    run("a", 0, "t,u", NULL, NULL);
    cr_assert(run("a", 2, "u", NULL, assignment) == 2);
    ASSERT_TEXT(assignment, "u:0,1");
    cr_assert(run("a", 2, NULL, "u:0,1", assignment) == 3);
    cr_assert(run("a", 3, "u,t,none", NULL, assignment) == 4);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u:0,1");
    cr_assert(run("a", 4, "t,none,u,t", NULL, assignment) == 4, "the same in another order");
}

/* --- topics come, grow and go --- */

Test(consumer_heartbeat, topics_that_change_are_followed) {
    char assignment[100];
    run("a", 0, "t,v", NULL, NULL);
    world_topic(&world, "other", 1);
    cr_assert(run("a", 2, NULL, NULL, assignment) == 2, "it does not concern the group");
    world_topic(&world, "v", 1);
    cr_assert(run("a", 2, NULL, NULL, assignment) == 3);
    ASSERT_TEXT(assignment, "t:0,1,2,3;v:0");
    world_grow_topic(&world, "v", 3);
    cr_assert(run("a", 3, NULL, NULL, assignment) == 4);
    ASSERT_TEXT(assignment, "t:0,1,2,3;v:0,1,2");
    world_delete_topic(&world, "t");
    cr_assert(run("a", 4, NULL, NULL, assignment) == 4);
    ASSERT_TEXT(assignment, "v:0,1,2");
    cr_assert(run("a", 4, NULL, "v:0,1,2", assignment) == 5);
    world_topic(&world, "t", 1);
    cr_assert(run("a", 5, NULL, NULL, assignment) == 6);
    ASSERT_TEXT(assignment, "t:0;v:0,1,2");
}

static enum error_code join_pattern(const char *member, const char *pattern, char *assignment) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, 0);
    beat_join(&beat, "");
    beat.request.subscribed_topic_regex = bytes_of_text(pattern);
    enum error_code code = beat_run(&beat);
    if (code) cr_assert(beat.response.error_message.len > 10);
    if (assignment) strcpy(assignment, beat_assignment(&beat));
    beat_deinit(&beat);
    return code;
}

Test(consumer_heartbeat, a_pattern_follows_topics_too) {
    char assignment[100];
    cr_assert(join_pattern("a", "t|u[0-9]*|x.*", assignment) == ERROR_NONE);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u:0,1");
    world_topic(&world, "u7", 1);
    world_topic(&world, "ux", 1);
    cr_assert(run("a", 2, NULL, NULL, assignment) == 3);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u7:0;u:0,1");
    world_delete_topic(&world, "u");
    run("a", 3, NULL, NULL, assignment);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u7:0");
    run("a", 3, NULL, "t:0,1,2,3;u7:0", NULL);
    world_topic(&world, "u", 1);
    run("a", 4, NULL, NULL, assignment);
    ASSERT_TEXT(assignment, "t:0,1,2,3;u7:0;u:0");
}

Test(consumer_heartbeat, a_pattern_that_is_wrong_is_refused_with_its_position) {
    cr_assert(join_pattern("a", "t(", NULL) == ERROR_INVALID_REGULAR_EXPRESSION);
    cr_assert_null(world_group(&world, "g"), "nothing is left of it");
    run("a", 0, "t", NULL, NULL);
    struct beat beat;
    beat_init(&beat, &world, "g", "a", 2);
    beat.request.subscribed_topic_regex = BYTES_OF("t**");
    ASSERT_CODE(&beat, INVALID_REGULAR_EXPRESSION);
    cr_assert(bytes_starts_with(beat.response.error_message, BYTES_OF("at position 3: ")));
    beat_deinit(&beat);
}

Test(consumer_heartbeat, names_and_a_pattern_together_and_an_empty_one_ends_it) {
    struct beat beat;
    beat_init(&beat, &world, "g", "a", 0);
    beat_join(&beat, "u,t");
    beat.request.subscribed_topic_regex = BYTES_OF("t.*");
    ASSERT_CODE(&beat, NONE);
    ASSERT_TEXT(beat_assignment(&beat), "t:0,1,2,3;u:0,1");
    beat_deinit(&beat);
    world_topic(&world, "t2", 1);
    char assignment[100];
    run("a", 2, NULL, NULL, assignment);
    ASSERT_TEXT(assignment, "t2:0;t:0,1,2,3;u:0,1");
    cr_assert(world_group(&world, "g")->patterns.count == 1);
    beat_init(&beat, &world, "g", "a", 3);
    beat.request.subscribed_topic_regex = BYTES_OF("");
    ASSERT_CODE(&beat, NONE);
    ASSERT_TEXT(beat_assignment(&beat), "t:0,1,2,3;u:0,1");
    cr_assert(world_group(&world, "g")->patterns.count == 0);
    beat_deinit(&beat);
}

/* --- static members --- */

static enum error_code run_static(const char *member, int32_t epoch, const char *instance,
                                  int32_t *reached, char *assignment) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, "t");
    beat.request.instance_id = bytes_of_text(instance);
    enum error_code code = beat_run(&beat);
    if (reached) *reached = beat.response.member_epoch;
    if (assignment) strcpy(assignment, beat_assignment(&beat));
    beat_deinit(&beat);
    return code;
}

Test(consumer_heartbeat, a_static_member_comes_back_to_its_place) {
    char assignment[100];
    int32_t epoch;
    run_static("a", 0, "one", NULL, NULL);
    run_static("b", 0, "two", NULL, NULL);
    run("a", 2, NULL, "t:0,1", NULL);
    run("b", 3, NULL, "", NULL);
    int32_t group_epoch = world_group(&world, "g")->epoch;
    cr_assert(run_static("c", 0, "two", NULL, NULL) == ERROR_UNRELEASED_INSTANCE_ID);
    cr_assert(run_static("b", -2, "two", &epoch, NULL) == ERROR_NONE && epoch == -2);
    cr_assert(run_static("b", 3, "two", NULL, NULL) == ERROR_FENCED_MEMBER_EPOCH);
    cr_assert(run("a", 3, NULL, NULL, assignment) == 3);
    ASSERT_TEXT(assignment, "none");
    cr_assert(run_static("c", 0, "two", &epoch, assignment) == ERROR_NONE && epoch == 3);
    ASSERT_TEXT(assignment, "t:2,3");
    cr_assert(world_group(&world, "g")->epoch == group_epoch, "no rebalance");
    cr_assert(run_static("b", 3, "two", NULL, NULL) == ERROR_FENCED_INSTANCE_ID);
    cr_assert(run_static("b", -1, "two", NULL, NULL) == ERROR_FENCED_INSTANCE_ID);
    cr_assert(run_static("c", -1, "three", NULL, NULL) == ERROR_INVALID_REQUEST);
    cr_assert(run_static("c", -1, "two", NULL, NULL) == ERROR_NONE);
    cr_assert(world_group(&world, "g")->member_count == 1);
    cr_assert(run_static("d", -1, "two", NULL, NULL) == ERROR_UNKNOWN_MEMBER_ID);
}

Test(consumer_heartbeat, a_static_member_that_does_not_come_back_is_removed) {
    run_static("a", 0, "one", NULL, NULL);
    run_static("a", -2, "one", NULL, NULL);
    world_pass_ms(&world, 44000);
    cr_assert(world_group(&world, "g")->member_count == 1);
    world_pass_ms(&world, 2000);
    cr_assert(world_group(&world, "g")->member_count == 0);
}

Test(consumer_heartbeat, a_static_member_whose_answer_was_lost_joins_again) {
    int32_t epoch;
    char assignment[100];
    run_static("a", 0, "one", NULL, NULL);
    cr_assert(run_static("a", 0, "one", &epoch, assignment) == ERROR_NONE && epoch == 2);
    ASSERT_TEXT(assignment, "t:0,1,2,3");
}

/* --- requests that are refused --- */

static void expect_refused(struct beat *beat, enum error_code code, const char *words) {
    cr_assert(beat_run(beat) == code, "got %s", error_code_name(beat->response.error_code));
    const char *message = arena_text(&beat->arena, beat->response.error_message);
    cr_assert(strstr(message, words), "%s", message);
    cr_assert_null(world_group(&world, "g"), "a refused request makes no group");
    beat_deinit(beat);
}

static struct beat joining(void) {
    static struct beat beat;
    beat_init(&beat, &world, "g", "a", 0);
    beat_join(&beat, "t");
    return beat;
}

#define ASSERT_REFUSED_WITH(code, words, ...)                       \
    do {                                                            \
        struct beat beat = joining();                               \
        struct consumer_group_heartbeat_request *r = &beat.request; \
        beat.call.request = r;                                      \
        beat.call.response = &beat.response;                        \
        beat.call.arena = &beat.arena;                              \
        __VA_ARGS__;                                                \
        expect_refused(&beat, ERROR_##code, words);                 \
    } while (0)

Test(consumer_heartbeat, what_contradicts_the_protocol_is_refused_in_words) {
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "group's name", r->group_id = BYTES_OF(""));
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "member id", r->member_id = BYTES_OF(""));
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "instance id", r->instance_id = BYTES_OF(""));
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "rack", r->rack_id = BYTES_OF(""));
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "epoch", r->member_epoch = -3);
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "instance id", r->member_epoch = -2);
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "rebalance", r->rebalance_timeout_ms = -1);
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "own no", r->topic_partitions_count = -1);
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "own no", beat_owns(&beat, "t:1"));
    ASSERT_REFUSED_WITH(INVALID_REQUEST, "subscribes", r->subscribed_topic_names_count = -1);
    ASSERT_REFUSED_WITH(UNSUPPORTED_ASSIGNOR, "uniform", r->server_assignor = BYTES_OF("sticky"));
    ASSERT_REFUSED_WITH(UNKNOWN_MEMBER_ID, "member", r->member_epoch = 5);
    ASSERT_REFUSED_WITH(UNKNOWN_MEMBER_ID, "member", r->member_epoch = -1);
}

Test(consumer_heartbeat, the_first_version_gets_its_id_from_us) {
    struct beat beat;
    beat_init(&beat, &world, "g", "", 0);
    beat_join(&beat, "t");
    beat.call.version = 0;
    ASSERT_CODE(&beat, NONE);
    cr_assert(beat.response.member_id.len > 30);
    beat_deinit(&beat);
}

Test(consumer_heartbeat, a_group_has_its_limit) {
    world.options->consumer_members_max = world.catalog.options->consumer_members_max = 2;
    run("a", 0, "t", NULL, NULL);
    run_static("b", 0, "one", NULL, NULL);
    cr_assert(code_of("c", 0, NULL) == ERROR_GROUP_MAX_SIZE_REACHED);
    cr_assert(code_of("a", 0, NULL) == ERROR_NONE, "it is there already");
    run_static("b", -2, "one", NULL, NULL);
    cr_assert(run_static("c", 0, "one", NULL, NULL) == ERROR_NONE, "it takes a place");
}

/* --- assignors --- */

static void join_assignor(const char *member, const char *assignor, char *assignment) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, 0);
    beat_join(&beat, "t,w");
    beat.request.server_assignor = bytes_of_text(assignor);
    ASSERT_CODE(&beat, NONE);
    if (assignment) strcpy(assignment, beat_assignment(&beat));
    beat_deinit(&beat);
}

Test(consumer_heartbeat, most_members_choose_the_assignor) {
    char assignment[100];
    world_topic(&world, "w", 4);
    join_assignor("a", NULL, NULL);
    cr_assert(consumer_choose_assignor(world_group(&world, "g")) == &uniform_assignor);
    join_assignor("b", "range", NULL);
    cr_assert(consumer_choose_assignor(world_group(&world, "g")) == &range_assignor);
    run("a", 2, NULL, "t:0,1;w:0,1", NULL);
    run("b", 3, NULL, "", assignment);
    ASSERT_TEXT(assignment, "t:2,3;w:2,3");
    join_assignor("c", "uniform", NULL);
    join_assignor("d", "uniform", NULL);
    cr_assert(consumer_choose_assignor(world_group(&world, "g")) == &uniform_assignor);
}

/* --- pace --- */

Test(consumer_heartbeat, assignments_keep_their_interval) {
    world.catalog.options->consumer_assignment_interval_ms = 1000;
    struct consumer_group *group;
    cr_assert(run("a", 0, "t", NULL, NULL) == 2);
    cr_assert(run("b", 0, "t", NULL, NULL) == 2, "it joins at the target's epoch");
    cr_assert(run("c", 0, "t", NULL, NULL) == 2);
    group = world_group(&world, "g");
    cr_assert(group->epoch == 4 && group->target_epoch == 2);
    cr_assert_str_eq(consumer_kind.state_name(group->group), "Assigning");
    world_pass_ms(&world, 1200);
    cr_assert(group->target_epoch == 4, "one assignment for both");
    cr_assert(run("a", 2, NULL, NULL, NULL) == 2);
    cr_assert(run("b", 2, NULL, "", NULL) == 4);
}

static int32_t interval_of(const char *member, int32_t epoch) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, "t");
    ASSERT_CODE(&beat, NONE);
    int32_t interval = beat.response.heartbeat_interval_ms;
    beat_deinit(&beat);
    return interval;
}

Test(consumer_heartbeat, while_a_group_changes_its_members_are_asked_to_come_again_soon) {
    cr_assert(interval_of("a", 0) == 500, "others may join, too");
    world_pass_ms(&world, 6000);
    cr_assert(interval_of("a", 2) == 5000);
    cr_assert(interval_of("b", 0) == 500);
    world_pass_ms(&world, 6000);
    cr_assert(interval_of("b", 3) == 500, "it waits for partitions");
    cr_assert(interval_of("a", 2) == 500, "it is to give up some");
    run("a", 2, NULL, "t:0,1", NULL);
    run("b", 3, NULL, "", NULL);
    cr_assert(interval_of("a", 3) == 5000);
    cr_assert(interval_of("b", 3) == 5000);
    world.catalog.options->consumer_heartbeat_ms = 100;
    cr_assert(interval_of("c", 0) == 100, "never later than that");
}
