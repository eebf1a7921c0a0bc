/* Properties of both assignors over random groups, and what each promises beyond them. */
#include "consumer-groups/assignor.h"

#include <criterion/criterion.h>

#include "base/memory.h"
#include "base/random.h"

enum { TOPICS_MAX = 12, PARTITIONS_MAX = 400, MEMBERS_MAX = 24 };

/* A group that changes and is assigned again and again. */
struct world {
    struct random random;
    int32_t topic_first[TOPICS_MAX + 1];
    int32_t topics[MEMBERS_MAX][TOPICS_MAX];
    struct assignor_subscription subscriptions[MEMBERS_MAX];
    int32_t member_subscription[MEMBERS_MAX];
    struct assignor_input input;
    int32_t owner[PARTITIONS_MAX], before[PARTITIONS_MAX];
};

static int32_t below(struct world *world, int32_t bound) {
    return (int32_t)random_below(&world->random, (uint64_t)bound);
}

static bool subscribes(const struct world *world, int32_t member, int32_t topic) {
    int32_t index = world->member_subscription[member];
    if (index < 0) return false;
    const struct assignor_subscription *subscription = &world->subscriptions[index];
    for (int32_t i = 0; i < subscription->topic_count; i++)
        if (subscription->topics[i] == topic) return true;
    return false;
}

static void choose_topics(struct world *world, int32_t topic_count) {
    world->input.topic_count = topic_count;
    for (int32_t t = 0; t < topic_count; t++)
        world->topic_first[t + 1] = world->topic_first[t] + below(world, 33);
}

static void choose_subscriptions(struct world *world, int32_t count) {
    world->input.subscription_count = count;
    for (int32_t s = 0; s < count; s++) {
        struct assignor_subscription *subscription = &world->subscriptions[s];
        *subscription = (struct assignor_subscription){.topics = world->topics[s]};
        for (int32_t t = 0; t < world->input.topic_count; t++)
            if (count == 1 || below(world, 2)) world->topics[s][subscription->topic_count++] = t;
    }
}

static void choose_members(struct world *world, int32_t count) {
    world->input.member_count = count;
    for (int32_t m = 0; m < count; m++)
        world->member_subscription[m] = below(world, world->input.subscription_count);
}

static void world_init(struct world *world, uint64_t seed, bool same) {
    *world = (struct world){.input = {.topic_first = world->topic_first,
                                      .subscriptions = world->subscriptions,
                                      .member_subscription = world->member_subscription}};
    random_init(&world->random, seed);
    choose_topics(world, 1 + below(world, TOPICS_MAX));
    choose_subscriptions(world, same ? 1 : 1 + below(world, 5));
    choose_members(world, 1 + below(world, MEMBERS_MAX));
    for (int32_t p = 0; p < PARTITIONS_MAX; p++) world->owner[p] = ASSIGNOR_NOBODY;
}

static void world_assign(struct world *world, const struct assignor *assignor) {
    memcpy(world->before, world->owner, sizeof world->owner);
    assignor->assign(&world->input, world->owner);
}

static int32_t partition_count(const struct world *world) {
    return world->topic_first[world->input.topic_count];
}

static void count_loads(const struct world *world, int32_t load[MEMBERS_MAX]) {
    memset(load, 0, MEMBERS_MAX * sizeof *load);
    for (int32_t p = 0; p < partition_count(world); p++)
        if (world->owner[p] >= 0) load[world->owner[p]]++;
}

/* Everything has an owner who subscribes to it, or no subscriber. */
static void assert_complete(const struct world *world, const char *name) {
    for (int32_t t = 0; t < world->input.topic_count; t++) {
        bool wanted = false;
        for (int32_t m = 0; m < world->input.member_count; m++)
            wanted = wanted || subscribes(world, m, t);
        for (int32_t p = world->topic_first[t]; p < world->topic_first[t + 1]; p++) {
            int32_t owner = world->owner[p];
            cr_assert((owner >= 0) == wanted, "%s: partition %d of topic %d", name, p, t);
            if (wanted) cr_assert(owner < world->input.member_count && subscribes(world, owner, t));
        }
    }
}

/* No hand-over of one partition would make it more even. */
static void assert_even(const struct world *world) {
    int32_t load[MEMBERS_MAX];
    count_loads(world, load);
    for (int32_t t = 0; t < world->input.topic_count; t++)
        for (int32_t p = world->topic_first[t]; p < world->topic_first[t + 1]; p++)
            for (int32_t m = 0; world->owner[p] >= 0 && m < world->input.member_count; m++)
                if (subscribes(world, m, t))
                    cr_assert(load[world->owner[p]] <= load[m] + 1,
                              "member %d has %d, member %d only %d", world->owner[p],
                              load[world->owner[p]], m, load[m]);
}

/* Each topic alone is even within one among its subscribers. */
static void assert_topics_even(const struct world *world) {
    for (int32_t t = 0; t < world->input.topic_count; t++) {
        int32_t load[MEMBERS_MAX] = {0}, least = INT32_MAX, most = 0;
        for (int32_t p = world->topic_first[t]; p < world->topic_first[t + 1]; p++)
            if (world->owner[p] >= 0) load[world->owner[p]]++;
        for (int32_t m = 0; m < world->input.member_count; m++) {
            if (!subscribes(world, m, t)) continue;
            if (load[m] < least) least = load[m];
            if (load[m] > most) most = load[m];
        }
        cr_assert(least == INT32_MAX || most - least <= 1, "topic %d: %d to %d", t, least, most);
    }
}

static int32_t count_moved(const struct world *world) {
    int32_t moved = 0;
    for (int32_t p = 0; p < partition_count(world); p++)
        if (world->before[p] >= 0) moved += world->before[p] != world->owner[p];
    return moved;
}

static void assert_settled(struct world *world, const struct assignor *assignor) {
    world_assign(world, assignor);
    cr_assert(count_moved(world) == 0, "%s: assigning again moved something", assignor->name);
}

static void swap(int32_t *a, int32_t *b) {
    int32_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Two members exchange their numbers, and all that goes with them. */
static void swap_members(struct world *world, int32_t a, int32_t b) {
    swap(&world->member_subscription[a], &world->member_subscription[b]);
    for (int32_t p = 0; p < PARTITIONS_MAX; p++)
        if (world->owner[p] == a || world->owner[p] == b)
            world->owner[p] = world->owner[p] == a ? b : a;
}

/* A member leaves, and what it had is free; or one joins, anywhere in the order. */
static void change_members(struct world *world) {
    int32_t count = world->input.member_count, any = below(world, count);
    if (count > 1 && below(world, 2)) {
        swap_members(world, any, count - 1);
        for (int32_t p = 0; p < PARTITIONS_MAX; p++)
            if (world->owner[p] == count - 1) world->owner[p] = ASSIGNOR_NOBODY;
        world->input.member_count--;
    } else if (count < MEMBERS_MAX) {
        world->member_subscription[count] = below(world, world->input.subscription_count);
        swap_members(world, any, count);
        world->input.member_count++;
    }
}

Test(assignor, by_name) {
    cr_assert(assignor_find(BYTES_OF("uniform")) == &uniform_assignor);
    cr_assert(assignor_find(BYTES_OF("range")) == &range_assignor);
    cr_assert_null(assignor_find(BYTES_OF("Range")));
    cr_assert_null(assignor_find(BYTES_NULL));
}

Test(assignor, uniform_is_complete_and_even) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct world world;
        world_init(&world, seed, seed % 2);
        for (int change = 0; change < 8; change++) {
            world_assign(&world, &uniform_assignor);
            assert_complete(&world, "uniform");
            assert_even(&world);
            assert_settled(&world, &uniform_assignor);
            change_members(&world);
        }
    }
}

Test(assignor, range_is_complete_and_each_topic_is_even) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct world world;
        world_init(&world, seed, seed % 2);
        for (int change = 0; change < 8; change++) {
            world_assign(&world, &range_assignor);
            assert_complete(&world, "range");
            assert_topics_even(&world);
            assert_settled(&world, &range_assignor);
            change_members(&world);
        }
    }
}

/* The least that must move when n members become m: what the members that stay have above their
 * share. */
Test(assignor, uniform_moves_as_little_as_can_be) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct world world;
        int32_t load[MEMBERS_MAX];
        world_init(&world, seed, true);
        world_assign(&world, &uniform_assignor);
        for (int change = 0; change < 8; change++) {
            change_members(&world);
            count_loads(&world, load);
            int32_t members = world.input.member_count, share = partition_count(&world) / members;
            int32_t extra = partition_count(&world) % members, least = 0;
            for (int32_t m = 0; m < members; m++) {
                if (load[m] <= share) continue;
                bool keeps_one_more = extra > 0;
                extra -= keeps_one_more;
                least += load[m] - share - keeps_one_more;
            }
            world_assign(&world, &uniform_assignor);
            cr_assert(count_moved(&world) == least, "seed %lu: %d moved, %d would do", seed,
                      count_moved(&world), least);
        }
    }
}

/* Two topics of equal size and subscribers, whatever happens to the members. */
Test(assignor, range_keeps_equal_topics_together) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world;
        world_init(&world, seed, true);
        world.input.topic_count = 2;
        world.topic_first[2] = 2 * world.topic_first[1];
        world.subscriptions[0].topic_count = 2;
        world.topics[0][1] = 1;
        for (int change = 0; change < 8; change++) {
            world_assign(&world, &range_assignor);
            for (int32_t p = 0; p < world.topic_first[1]; p++)
                cr_assert(world.owner[p] == world.owner[world.topic_first[1] + p]);
            change_members(&world);
        }
    }
}

Test(assignor, a_new_group_gets_runs_from_range_and_turns_from_uniform) {
    struct world world;
    world_init(&world, 1, true);
    world.input.topic_count = world.subscriptions[0].topic_count = 1;
    world.topic_first[1] = 7;
    world.input.member_count = 3;
    world_assign(&world, &range_assignor);
    static const int32_t runs[] = {0, 0, 0, 1, 1, 2, 2}, turns[] = {0, 1, 2, 0, 1, 2, 0};
    cr_assert(memcmp(world.owner, runs, sizeof runs) == 0);
    for (int p = 0; p < 7; p++) world.owner[p] = ASSIGNOR_NOBODY;
    world_assign(&world, &uniform_assignor);
    cr_assert(memcmp(world.owner, turns, sizeof turns) == 0);
}

/* What a member does not subscribe to, a member that is not there, a topic that nobody wants. */
Test(assignor, owners_that_must_not_be_are_overruled) {
    const struct assignor *all[] = {&uniform_assignor, &range_assignor};
    int32_t first[] = {0, 2, 4, 6}, topic_0[] = {0}, topic_1[] = {1};
    struct assignor_subscription subscriptions[] = {{1, topic_0}, {1, topic_1}};
    int32_t member_subscription[] = {0, 1, ASSIGNOR_NOBODY};
    struct assignor_input input = {3, first, 2, subscriptions, 3, member_subscription};
    for (int i = 0; i < 2; i++) {
        int32_t owner[] = {1, 2, 99, 0, 0, -7};
        all[i]->assign(&input, owner);
        static const int32_t expected[] = {0, 0, 1, 1, -1, -1};
        cr_assert(memcmp(owner, expected, sizeof expected) == 0, "%s", all[i]->name);
    }
}

Test(assignor, nobody_and_nothing) {
    const struct assignor *all[] = {&uniform_assignor, &range_assignor};
    int32_t first[] = {0, 0, 3}, topics[] = {0, 1}, owner[] = {5, 5, 5};
    struct assignor_subscription subscription = {2, topics};
    for (int i = 0; i < 2; i++) {
        struct assignor_input nothing = {.topic_first = first};
        all[i]->assign(&nothing, NULL);
        struct assignor_input nobody = {2, first, 1, &subscription, 0, NULL};
        all[i]->assign(&nobody, owner);
        cr_assert(owner[0] == ASSIGNOR_NOBODY && owner[2] == ASSIGNOR_NOBODY);
    }
}

/* Sizes at which a step per pair of members, or of member and partition, would be felt. */
Test(assignor, large_groups, .timeout = 300) {
    enum { MEMBERS = 1000, TOPICS = 1000, PARTITIONS = 10000 };
    const struct assignor *all[] = {&uniform_assignor, &range_assignor};
    int32_t *first = memory_zero(TOPICS + 1, sizeof *first);
    int32_t *topics = memory_zero(TOPICS, sizeof *topics);
    int32_t *member = memory_zero(MEMBERS, sizeof *member);
    int32_t *owner = memory_zero(PARTITIONS, sizeof *owner);
    struct assignor_subscription *subscriptions = memory_zero(MEMBERS, sizeof *subscriptions);
    for (int32_t t = 0; t <= TOPICS; t++) first[t] = t * (PARTITIONS / TOPICS);
    for (int32_t t = 0; t < TOPICS; t++) topics[t] = t;
    /* All the same, and then all different: member m does without the first m topics. */
    for (int32_t m = 0; m < MEMBERS; m++)
        subscriptions[m] = (struct assignor_subscription){TOPICS - m, topics + m};
    for (int i = 0; i < 4; i++) {
        bool same = i < 2;
        for (int32_t m = 0; m < MEMBERS; m++) member[m] = same ? 0 : m;
        struct assignor_input input = {TOPICS,        first,   same ? 1 : MEMBERS,
                                       subscriptions, MEMBERS, member};
        all[i % 2]->assign(&input, owner);
        for (int32_t p = 0; p < PARTITIONS; p++)
            cr_assert(owner[p] >= 0 && owner[p] < MEMBERS && (same || owner[p] <= p / 10));
    }
    free(first);
    free(topics);
    free(member);
    free(owner);
    free(subscriptions);
}
