/* What a restart brings back, and what the log of an unlucky one holds. */
#include <stdio.h>

#include "consumer-groups/consumer_world.h"
#include "protocol/consumer_group_describe.h"

static struct world world;
static void setup(void) {
    world_init(&world, 2);
    world_topic(&world, "t", 4);
    world_topic(&world, "u", 2);
}
static void teardown(void) { world_deinit(&world); }
TestSuite(consumer_replay, .init = setup, .fini = teardown);

static int32_t run(const char *member, int32_t epoch, const char *topics, const char *owns,
                   char *assignment) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, topics);
    if (epoch != 0 && owns) beat_owns(&beat, owns);
    enum error_code code = beat_run(&beat);
    cr_assert(code == ERROR_NONE, "%s", error_code_name((int16_t)code));
    if (assignment) strcpy(assignment, beat_assignment(&beat));
    int32_t reached = beat.response.member_epoch;
    beat_deinit(&beat);
    return reached;
}

/* The group as ConsumerGroupDescribe shows it, in one text. */
static void describe(char *text, size_t size) {
    struct consumer_group_describe_response_described_group response = {0};
    struct bytes id = BYTES_OF("g");
    struct beat beat;
    beat_init(&beat, &world, "g", "", 0);
    beat.call.api = &consumer_describe_api;
    beat.call.request = &id;
    beat.call.response = &response;
    beat_run(&beat);
    cr_assert(response.error_code == 0);
    int used = snprintf(text, size, "%.*s %d %d %.*s", BYTES_FORMAT(response.group_state),
                        response.group_epoch, response.assignment_epoch,
                        BYTES_FORMAT(response.assignor_name));
    for (int32_t i = 0; i < response.members_count; i++) {
        const struct consumer_group_describe_response_member *member = &response.members[i];
        used += snprintf(text + used, size - (size_t)used, "; %.*s %.*s %d",
                         BYTES_FORMAT(member->member_id), BYTES_FORMAT(member->instance_id),
                         member->member_epoch);
        for (int32_t n = 0; n < member->subscribed_topic_names_count; n++)
            used += snprintf(text + used, size - (size_t)used, " %.*s",
                             BYTES_FORMAT(member->subscribed_topic_names[n]));
        used += snprintf(text + used, size - (size_t)used, " %.*s has",
                         BYTES_FORMAT(member->subscribed_topic_regex));
        for (int32_t t = 0; t < member->assignment.topic_partitions_count; t++)
            used += snprintf(text + used, size - (size_t)used, " %.*s:%d",
                             BYTES_FORMAT(member->assignment.topic_partitions[t].topic_name),
                             member->assignment.topic_partitions[t].partitions_count);
        used += snprintf(text + used, size - (size_t)used, " shall");
        for (int32_t t = 0; t < member->target_assignment.topic_partitions_count; t++)
            used += snprintf(text + used, size - (size_t)used, " %.*s:%d",
                             BYTES_FORMAT(member->target_assignment.topic_partitions[t].topic_name),
                             member->target_assignment.topic_partitions[t].partitions_count);
    }
    beat_deinit(&beat);
}

static void assert_survives(bool power_cut) {
    char before[1000], after[1000];
    describe(before, sizeof before);
    world_restart(&world, power_cut);
    describe(after, sizeof after);
    cr_assert_str_eq(after, before);
}

static void join_with(const char *member, const char *instance, const char *pattern) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, 0);
    beat_join(&beat, "u");
    beat.request.instance_id = bytes_of_text(instance);
    beat.request.subscribed_topic_regex = bytes_of_text(pattern);
    beat.request.server_assignor = BYTES_OF("range");
    cr_assert(beat_run(&beat) == ERROR_NONE);
    beat_deinit(&beat);
}

Test(consumer_replay, a_group_in_every_state_is_as_it_was) {
    run("a", 0, "t", NULL, NULL);
    assert_survives(true);
    join_with("b", "one", "t|x.*");
    assert_survives(true);
    run("a", 2, NULL, "t:0,1,2,3", NULL);
    assert_survives(false);
    int32_t epoch = run("a", 2, NULL, "t:0,1", NULL);
    cr_assert(epoch == 3);
    assert_survives(true);
    char assignment[100];
    run("b", 3, NULL, NULL, assignment);
    cr_assert_str_eq(assignment, "t:2,3;u:0,1");
    assert_survives(true);
    run("a", -1, NULL, NULL, NULL);
    assert_survives(true);
    run("b", -1, NULL, NULL, NULL);
    char text[200];
    describe(text, sizeof text);
    cr_assert_str_eq(text, "Empty 5 5 uniform");
    assert_survives(true);
}

Test(consumer_replay, timers_start_afresh_after_a_restart) {
    run("a", 0, "t", NULL, NULL);
    world_pass_ms(&world, 40000);
    world_restart(&world, false);
    world_pass_ms(&world, 40000);
    cr_assert(world_group(&world, "g")->member_count == 1);
    world_pass_ms(&world, 10000);
    cr_assert(world_group(&world, "g")->member_count == 0);
}

Test(consumer_replay, one_that_was_giving_up_is_still_waited_for_no_longer_than_it_may) {
    run("a", 0, "t", NULL, NULL);
    run("b", 0, "t", NULL, NULL);
    run("a", 2, NULL, NULL, NULL);
    world_restart(&world, false);
    for (int i = 0; i < 12; i++) {
        world_pass_ms(&world, 5500);
        struct beat beat;
        beat_init(&beat, &world, "g", "a", 2);
        enum error_code code = beat_run(&beat);
        beat_deinit(&beat);
        cr_assert(code == (i < 10 ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID), "%d: %d", i, code);
        run("b", i < 10 ? 3 : (i == 10 ? 3 : 4), NULL, "", NULL);
    }
}

Test(consumer_replay, topics_that_changed_meanwhile_are_seen) {
    char assignment[100];
    join_with("a", NULL, "t|x.*");
    world.quiet = true;
    world_topic(&world, "x1", 1);
    world_delete_topic(&world, "t");
    world_grow_topic(&world, "u", 3);
    world_restart(&world, false);
    world.quiet = false;
    run("a", 2, NULL, NULL, assignment);
    cr_assert_str_eq(assignment, "u:0,1");
    run("a", 2, NULL, "u:0,1", assignment);
    cr_assert_str_eq(assignment, "u:0,1,2;x1:0");
    world_restart(&world, false);
    cr_assert(run("a", 3, NULL, NULL, assignment) == 3, "once");
}

Test(consumer_replay, an_image_holds_all_of_it) {
    world.catalog.options->consumer_session_ms = INT32_MAX;
    run("a", 0, "t", NULL, NULL);
    join_with("b", "one", "t|x.*");
    run("a", 2, NULL, "t:0,1", NULL);
    char before[1000], after[1000];
    describe(before, sizeof before);
    /* Fills the log until it is written anew, and trimmed. */
    const struct partition *log = store_find_partition(world.store, 1);
    struct partition_view view = {0};
    for (int i = 0; view.log_start_offset == 0; i++) {
        cr_assert(i < 20000, "no image was made");
        struct beat beat;
        char names[2000];
        memset(names, 'n', sizeof names);
        snprintf(names + sizeof names - 20, 20, "%d", i);
        beat_init(&beat, &world, "other", "a", i ? 2 : 0);
        if (i) beat.request.member_epoch = world_group(&world, "other")->epoch;
        beat_join(&beat, names);
        if (i) beat.request.topic_partitions_count = -1;
        cr_assert(beat_run(&beat) == ERROR_NONE);
        beat_deinit(&beat);
        world_pass_ms(&world, 1);
        partition_look(log, -1, -1, &view);
    }
    world_restart(&world, true);
    describe(after, sizeof after);
    cr_assert_str_eq(after, before);
}

/* --- logs that are not whole --- */

static void write_stray_current(struct groups *groups, void *context) {
    struct consumer_group *group = consumer_of(groups_find(groups, BYTES_OF("g")));
    struct consumer_member *stray = consumer_add_member(group, BYTES_OF("stray"));
    struct consumer_current current = {.state = MEMBER_STABLE, .epoch = 9};
    (void)context;
    current.assigned =
        consumer_partitions_copy(&consumer_find_member(group, BYTES_OF("a"))->current.assigned);
    consumer_set_current(stray, &current);
    consumer_write_current(stray);
    consumer_remove_member(stray);
}

Test(consumer_replay, a_member_of_whom_half_is_missing_is_dropped) {
    run("a", 0, "t", NULL, NULL);
    run("a", -1, NULL, NULL, NULL);
    run("a", 0, "t", NULL, NULL);
    world_do(&world, write_stray_current, NULL);
    world_restart(&world, true);
    struct consumer_group *group = world_group(&world, "g");
    cr_assert(group->member_count == 1 && group->epoch == 5);
    char assignment[100];
    run("b", 0, "t", NULL, NULL);
    cr_assert(run("a", 4, NULL, NULL, assignment) == 4);
    cr_assert_str_eq(assignment, "t:0,1");
}

static void erase_group_record(struct groups *groups, void *context) {
    (void)context;
    consumer_erase_group(consumer_of(groups_find(groups, BYTES_OF("g"))));
}

Test(consumer_replay, members_without_their_groups_record_make_one) {
    run("a", 0, "t", NULL, NULL);
    world_do(&world, erase_group_record, NULL);
    world_restart(&world, true);
    cr_assert(world_group(&world, "g")->epoch == 3);
    cr_assert(run("a", 2, NULL, NULL, NULL) == 3);
}

static void write_member_state(struct groups *groups, void *context) {
    struct consumer_group *group = consumer_of(groups_find(groups, BYTES_OF("g")));
    struct consumer_member *member = consumer_find_member(group, BYTES_OF("a"));
    member->current.state = *(enum consumer_member_state *)context;
    consumer_write_current(member);
}

Test(consumer_replay, a_state_of_a_later_version_is_fenced) {
    enum consumer_member_state state = 9;
    run("a", 0, "t", NULL, NULL);
    world_do(&world, write_member_state, &state);
    world_restart(&world, true);
    struct beat beat;
    beat_init(&beat, &world, "g", "a", 2);
    cr_assert(beat_run(&beat) == ERROR_FENCED_MEMBER_EPOCH);
    beat_deinit(&beat);
    cr_assert(run("a", 2, NULL, "", NULL) == 2);
}

static void write_wrong_index(struct groups *groups, void *context) {
    struct consumer_group *group = consumer_of(groups_find(groups, BYTES_OF("g")));
    struct consumer_member *member = consumer_find_member(group, BYTES_OF("a"));
    (void)context;
    member->target.items[0].index = -1;
    consumer_write_target(member);
}

Test(consumer_replay, a_partition_that_cannot_be_is_damage) {
    run("a", 0, "t", NULL, NULL);
    world_do(&world, write_wrong_index, NULL);
    world.damaged = true;
    world_restart(&world, true);
    struct beat beat;
    beat_init(&beat, &world, "g", "a", 2);
    cr_assert(beat_run(&beat) == ERROR_COORDINATOR_NOT_AVAILABLE);
    beat_deinit(&beat);
}
