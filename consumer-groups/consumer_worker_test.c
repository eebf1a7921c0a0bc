/* What is large is done on a worker: the group goes on meanwhile, and the result fits what it has
 * become. */
#include <stdio.h>

#include "consumer-groups/consumer_world.h"

enum { LARGE_TOPICS = 3, LARGE_PARTITIONS = 9000, MANY_TOPICS = 120 };

static struct world world;
static void setup(void) {
    world_init(&world, 4);
    world.catalog.options->consumer_session_ms = INT32_MAX;
}
static void teardown(void) { world_deinit(&world); }
TestSuite(consumer_worker, .init = setup, .fini = teardown, .timeout = 300);

static void make_large_topics(void) {
    world_topic(&world, "x", LARGE_PARTITIONS);
    world_topic(&world, "y", LARGE_PARTITIONS);
    world_topic(&world, "z", LARGE_PARTITIONS);
}

/* A heartbeat that succeeds: the epoch, and the assigned partitions in `*count`, -1 for none said.
 */
static int32_t run(const char *member, int32_t epoch, const char *topics, const char *pattern,
                   int32_t *count) {
    struct beat beat;
    beat_init(&beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&beat, topics);
    if (pattern) beat.request.subscribed_topic_regex = bytes_of_text(pattern);
    enum error_code code = beat_run(&beat);
    cr_assert(code == ERROR_NONE, "%s", error_code_name((int16_t)code));
    if (count) *count = beat.response.assignment ? 0 : -1;
    for (int32_t i = 0;
         beat.response.assignment && i < beat.response.assignment->topic_partitions_count; i++)
        *(count ? count : &(int32_t){0}) +=
            beat.response.assignment->topic_partitions[i].partitions_count;
    int32_t reached = beat.response.member_epoch;
    beat_deinit(&beat);
    return reached;
}

/* Sent, and not waited for: no time passes. */
static void ask(struct beat *beat, const char *member, int32_t epoch, const char *topics) {
    beat_init(beat, &world, "g", member, epoch);
    if (epoch == 0) beat_join(beat, topics);
    beat_send(beat);
}

static void finish(struct beat *beat) {
    cr_assert(beat_wait(beat) == ERROR_NONE);
    beat_deinit(beat);
}

static struct consumer_group *group(void) { return world_group(&world, "g"); }

static int32_t count_targets(void) {
    int32_t count = 0;
    for (struct map_node *node = map_first(&group()->members); node;
         node = map_next(&group()->members, node))
        count += map_entry(node, struct consumer_member, by_id)->target.count;
    return count;
}

Test(consumer_worker, a_large_assignment_comes_later) {
    int32_t count;
    struct beat beat;
    make_large_topics();
    ask(&beat, "a", 0, "x,y,z");
    cr_assert(group()->assignment);
    cr_assert(beat_wait(&beat) == ERROR_NONE);
    cr_assert(beat.response.member_epoch == 1, "it joins at the target's epoch");
    cr_assert_str_eq(beat_assignment(&beat), "");
    cr_assert(beat.response.heartbeat_interval_ms == 500);
    beat_deinit(&beat);
    world_pass_ms(&world, 1000);
    cr_assert(!group()->assignment && group()->target_epoch == 2);
    cr_assert(run("a", 1, NULL, NULL, &count) == 2);
    cr_assert(count == LARGE_TOPICS * LARGE_PARTITIONS);
}

Test(consumer_worker, the_group_moves_on_meanwhile) {
    struct beat beats[4];
    make_large_topics();
    ask(&beats[0], "a", 0, "x,y,z");
    ask(&beats[1], "b", 0, "x,y,z");
    ask(&beats[2], "c", 0, "x,y");
    cr_assert(group()->epoch == 4 && group()->assignment);
    ask(&beats[3], "b", -1, NULL);
    world_delete_topic(&world, "z");
    cr_assert(group()->target_epoch == 1);
    while (group()->target_epoch == 1) sim_step(world.sim, UINT64_MAX);
    cr_assert(group()->target_epoch == 2, "the result is applied, though the epoch has moved on");
    cr_assert(count_targets() == LARGE_TOPICS * LARGE_PARTITIONS, "to the only member of then");
    for (int i = 0; i < 4; i++) finish(&beats[i]);
    world_pass_ms(&world, 10000);
    cr_assert(group()->target_epoch == group()->epoch && group()->epoch == 6);
    cr_assert(count_targets() == 2 * LARGE_PARTITIONS);
    int32_t a = consumer_find_member(group(), BYTES_OF("a"))->target.count;
    cr_assert(a == LARGE_PARTITIONS, "%d", a);
}

Test(consumer_worker, the_member_leaves_meanwhile) {
    struct beat beats[2];
    make_large_topics();
    ask(&beats[0], "a", 0, "x,y,z");
    ask(&beats[1], "a", -1, NULL);
    cr_assert(group()->assignment);
    for (int i = 0; i < 2; i++) finish(&beats[i]);
    world_pass_ms(&world, 1000);
    cr_assert(!group()->assignment && group()->target_epoch == group()->epoch);
    cr_assert_str_eq(consumer_kind.state_name(group()->group), "Empty");
}

static void delete_group(struct groups *groups, void *context) {
    struct group *owner = groups_find(groups, BYTES_OF("g"));
    (void)context;
    owner->kind->erase(owner);
    groups_remove(groups, owner);
}

Test(consumer_worker, the_group_goes_meanwhile) {
    struct beat beats[2];
    make_large_topics();
    ask(&beats[0], "a", 0, "x,y,z");
    ask(&beats[1], "a", -1, NULL);
    world_do(&world, delete_group, NULL);
    for (int i = 0; i < 2; i++) finish(&beats[i]);
    world_pass_ms(&world, 1000);
    cr_assert_null(group());
}

Test(consumer_worker, the_broker_stops_meanwhile) {
    struct beat beat;
    make_large_topics();
    ask(&beat, "a", 0, "x,y,z");
    cr_assert(group()->assignment);
    coordinator_stop(world.coordinator);
    cr_assert(coordinator_is_busy(world.coordinator));
    cr_assert(beat_wait(&beat) == ERROR_COORDINATOR_NOT_AVAILABLE);
    beat_deinit(&beat);
}

Test(consumer_worker, the_broker_dies_meanwhile) {
    struct beat beat;
    make_large_topics();
    ask(&beat, "a", 0, "x,y,z");
    while (!beat.done) sim_step(world.sim, UINT64_MAX);
    beat_deinit(&beat);
    world_restart(&world, true);
    world_pass_ms(&world, 1000);
    cr_assert(group()->target_epoch == 2 && count_targets() == LARGE_TOPICS * LARGE_PARTITIONS);
}

/* The worker comes back to a state that nobody wants any more; then that goes. */
Test(consumer_worker, the_log_is_read_again_meanwhile) {
    struct beat beat;
    make_large_topics();
    ask(&beat, "a", 0, "x,y,z");
    cr_assert(group()->assignment);
    world_refuse(&world);
    cr_assert(beat_wait(&beat) == ERROR_COORDINATOR_NOT_AVAILABLE);
    beat_deinit(&beat);
    cr_assert_null(group());
    run("a", 0, "x,y,z", NULL, NULL);
    world_pass_ms(&world, 1000);
    cr_assert(group()->target_epoch == 2 && count_targets() == LARGE_TOPICS * LARGE_PARTITIONS);
    world_refuse(&world);
    cr_assert(group()->target_epoch == 2 && count_targets() == LARGE_TOPICS * LARGE_PARTITIONS);
}

Test(consumer_worker, assignments_of_large_groups_keep_apart) {
    enum { INTERVAL_MS = LARGE_TOPICS * LARGE_PARTITIONS / 100 };
    make_large_topics();
    run("a", 0, "x,y,z", NULL, NULL);
    world_pass_ms(&world, 1000);
    run("b", 0, "x,y,z", NULL, NULL);
    world_pass_ms(&world, 50);
    cr_assert(group()->target_epoch == 3);
    run("c", 0, "x,y,z", NULL, NULL);
    run("d", 0, "x,y,z", NULL, NULL);
    cr_assert(!group()->assignment && group()->target_epoch == 3);
    world_pass_ms(&world, INTERVAL_MS + 300);
    cr_assert(group()->target_epoch == 5, "one for both");
}

/* --- patterns --- */

static void make_many_topics(void) {
    char name[16];
    for (int i = 0; i < MANY_TOPICS; i++) {
        snprintf(name, sizeof name, "%c%d", i % 2 ? 'p' : 'q', i);
        world_topic(&world, name, 1);
    }
}

#define LONG_PATTERN "p[0-9]+|(never){40}"

Test(consumer_worker, many_topics_are_looked_at_later) {
    int32_t count;
    make_many_topics();
    cr_assert(run("a", 0, "q0", LONG_PATTERN, &count) == 2);
    cr_assert(count == 1, "what is named is there at once");
    world_topic(&world, "p900", 1);
    world_topic(&world, "q900", 1);
    world_pass_ms(&world, 100);
    cr_assert(run("a", 2, NULL, NULL, &count) > 2);
    cr_assert(count == 1 + MANY_TOPICS / 2 + 1, "%d", count);
}

Test(consumer_worker, a_pattern_that_nobody_wants_any_more) {
    struct beat beats[3];
    make_many_topics();
    for (int i = 0; i < 3; i++)
        beat_init(&beats[i], &world, "g", "a", i == 0 ? 0 : i == 1 ? 2 : -1);
    beat_join(&beats[0], "q0");
    beats[0].request.subscribed_topic_regex = BYTES_OF(LONG_PATTERN);
    beats[1].request.subscribed_topic_regex = BYTES_OF("");
    beat_send(&beats[0]);
    struct map_node *node = map_first(&group()->patterns);
    cr_assert(map_entry(node, struct consumer_pattern, by_text)->resolving);
    beat_send(&beats[1]);
    cr_assert(group()->patterns.count == 0);
    beat_send(&beats[2]);
    for (int i = 0; i < 3; i++) finish(&beats[i]);
    world_do(&world, delete_group, NULL);
    world_pass_ms(&world, 100);
}

Test(consumer_worker, a_pattern_is_looked_at_again_with_the_log) {
    int32_t count;
    struct beat beat;
    make_many_topics();
    beat_init(&beat, &world, "g", "a", 0);
    beat_join(&beat, "q0");
    beat.request.subscribed_topic_regex = BYTES_OF(LONG_PATTERN);
    beat_send(&beat);
    struct map_node *node = map_first(&group()->patterns);
    cr_assert(map_entry(node, struct consumer_pattern, by_text)->resolving);
    world_refuse(&world);
    cr_assert(beat_wait(&beat) == ERROR_COORDINATOR_NOT_AVAILABLE);
    beat_deinit(&beat);
    cr_assert(run("a", 0, "q0", LONG_PATTERN, NULL) == 2);
    world_pass_ms(&world, 1000);
    cr_assert(run("a", 2, NULL, NULL, &count) > 2);
    cr_assert(count == 1 + MANY_TOPICS / 2, "%d", count);
}

Test(consumer_worker, patterns_are_looked_at_again_after_a_restart) {
    int32_t count;
    make_many_topics();
    run("a", 0, "", LONG_PATTERN, NULL);
    world_pass_ms(&world, 100);
    world.quiet = true;
    world_topic(&world, "p901", 1);
    world_restart(&world, false);
    world_pass_ms(&world, 100);
    run("a", 2, NULL, NULL, &count);
    cr_assert(count == MANY_TOPICS / 2 + 1, "%d", count);
}

/* Each on its own would write all of a pattern's topics again. */
Test(consumer_worker, topics_that_appear_together_are_one_record) {
    int32_t count;
    make_many_topics();
    run("a", 0, "", "p[0-9]+|s.*", NULL);
    world_pass_ms(&world, 100);
    int64_t before = coordinator_end(world.coordinator);
    world.quiet = true;
    for (char name[] = "p900"; name[3] <= '9'; name[3]++) world_topic(&world, name, 1);
    world_topic(&world, "q900", 1);
    world.quiet = false;
    world_topic(&world, "s", 1);
    world_pass_ms(&world, 100);
    /* The pattern, the epoch, the member's target and the target's epoch. */
    cr_assert(coordinator_end(world.coordinator) == before + 4, "%ld records",
              coordinator_end(world.coordinator) - before);
    cr_assert(run("a", 2, NULL, NULL, &count) == 3);
    cr_assert(count == MANY_TOPICS / 2 + 10 + 1, "%d", count);
}
