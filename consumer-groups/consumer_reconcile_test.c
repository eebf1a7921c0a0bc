#include "consumer-groups/consumer_reconcile.h"

#include <criterion/criterion.h>

#include "base/random.h"

/* Sets of tests are bits: bit t * 8 + p is partition p of topic t, of four topics. */
enum { TOPICS = 4, PARTITIONS = 8, BITS = TOPICS * PARTITIONS };
#define TOPIC_BITS(topic) (0xffu << (topic)*PARTITIONS)

static struct consumer_partitions set_of(uint32_t bits) {
    struct consumer_partitions set = consumer_partitions_open(BITS);
    for (int bit = 0; bit < BITS; bit++)
        if (bits >> bit & 1) {
            struct uuid id = {.raw = {[15] = (uint8_t)(bit / PARTITIONS)}};
            consumer_partitions_put(&set, &(struct consumer_partition){id, bit % PARTITIONS, 0});
        }
    consumer_partitions_close(&set);
    return set;
}

static uint32_t bit_of(const struct consumer_partition *partition) {
    return 1u << (partition->topic_id.raw[15] * PARTITIONS + partition->index);
}

static uint32_t bits_of(const struct consumer_partitions *set) {
    uint32_t bits = 0;
    for (int32_t i = 0; i < set->count; i++) bits |= bit_of(&set->items[i]);
    return bits;
}

/* A member, and what is around it. */
struct place {
    struct consumer_current current;
    uint32_t subscription, held; /* bits; held by others */
};

static bool subscribes(void *context, const struct uuid *topic_id) {
    const struct place *place = context;
    return place->subscription & TOPIC_BITS(topic_id->raw[15]);
}

static bool is_held(void *context, const struct consumer_partition *partition) {
    const struct place *place = context;
    return place->held & bit_of(partition);
}

enum { NOT_SAID = -1 };

static enum reconcile_result reconcile(struct place *place, int32_t target_epoch, uint32_t target,
                                       int64_t reported, bool subscription_changed) {
    struct consumer_partitions target_set = set_of(target),
                               reported_set = set_of((uint32_t)reported);
    struct consumer_reconciling reconciling = {
        .target_epoch = target_epoch,
        .target = &target_set,
        .reported = reported == NOT_SAID ? NULL : &reported_set,
        .subscription_changed = subscription_changed,
        .context = place,
        .subscribes = subscribes,
        .is_held = is_held,
    };
    struct consumer_current next;
    enum reconcile_result result = consumer_reconcile(&place->current, &reconciling, &next);
    consumer_partitions_deinit(&target_set);
    consumer_partitions_deinit(&reported_set);
    if (result == RECONCILE_CHANGED) {
        consumer_current_deinit(&place->current);
        place->current = next;
    } else
        cr_assert(!next.assigned.items && !next.revoking.items);
    return result;
}

static struct place place_of(enum consumer_member_state state, int32_t epoch, uint32_t assigned,
                             uint32_t revoking) {
    return (struct place){.current = {state, epoch, epoch - 1, set_of(assigned), set_of(revoking)},
                          .subscription = UINT32_MAX};
}

#define ASSERT_PLACE(place, state_, epoch_, assigned_, revoking_)                        \
    do {                                                                                 \
        cr_assert((place).current.state == (state_), "state %d", (place).current.state); \
        cr_assert((place).current.epoch == (epoch_), "epoch %d", (place).current.epoch); \
        cr_assert(bits_of(&(place).current.assigned) == (assigned_), "assigned %x",      \
                  bits_of(&(place).current.assigned));                                   \
        cr_assert(bits_of(&(place).current.revoking) == (revoking_), "revoking %x",      \
                  bits_of(&(place).current.revoking));                                   \
    } while (0)

static void place_deinit(struct place *place) { consumer_current_deinit(&place->current); }

Test(consumer_reconcile, stable_stays_at_its_target) {
    struct place place = place_of(MEMBER_STABLE, 5, 3, 0);
    cr_assert(reconcile(&place, 5, 3, NOT_SAID, false) == RECONCILE_SAME);
    cr_assert(reconcile(&place, 5, 3, 3, true) == RECONCILE_SAME);
    cr_assert(reconcile(&place, 5, 3, NOT_SAID, true) == RECONCILE_SAME);
    place_deinit(&place);
}

Test(consumer_reconcile, a_new_epoch_alone_is_taken_over) {
    struct place place = place_of(MEMBER_STABLE, 5, 3, 0);
    cr_assert(reconcile(&place, 6, 3, NOT_SAID, false) == RECONCILE_CHANGED);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 3, 0);
    cr_assert(place.current.previous_epoch == 5);
    place_deinit(&place);
}

Test(consumer_reconcile, free_partitions_are_given_at_once) {
    struct place place = place_of(MEMBER_STABLE, 5, 1, 0);
    cr_assert(reconcile(&place, 6, 7, NOT_SAID, false) == RECONCILE_CHANGED);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 7, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, giving_up_comes_before_the_new_epoch) {
    struct place place = place_of(MEMBER_STABLE, 5, 3, 0);
    reconcile(&place, 6, 6, NOT_SAID, false);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 5, 2, 1);
    /* It does not say, or still has it, beside others. */
    cr_assert(reconcile(&place, 6, 6, NOT_SAID, false) == RECONCILE_SAME);
    cr_assert(reconcile(&place, 6, 6, 3, false) == RECONCILE_SAME);
    /* It has given up; even if the target has moved on meanwhile. */
    reconcile(&place, 7, 14, 2, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 7, 14, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, what_the_member_has_not_got_it_need_not_give_up) {
    struct place place = place_of(MEMBER_STABLE, 5, 3, 0);
    reconcile(&place, 6, 6, 2, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 6, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, a_second_revocation_takes_one_epoch_more) {
    struct place place = place_of(MEMBER_UNREVOKED, 5, 6, 1);
    reconcile(&place, 8, 4, 6, false);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 6, 4, 2);
    reconcile(&place, 8, 4, 4, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 8, 4, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, what_others_hold_is_waited_for) {
    struct place place = place_of(MEMBER_STABLE, 5, 1, 0);
    place.held = 6;
    reconcile(&place, 6, 15, NOT_SAID, false);
    ASSERT_PLACE(place, MEMBER_UNRELEASED, 6, 9, 0);
    cr_assert(reconcile(&place, 6, 15, NOT_SAID, false) == RECONCILE_SAME);
    place.held = 4;
    reconcile(&place, 6, 15, NOT_SAID, false);
    ASSERT_PLACE(place, MEMBER_UNRELEASED, 6, 11, 0);
    place.held = 0;
    reconcile(&place, 6, 15, NOT_SAID, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 15, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, one_that_waits_may_have_to_give_up) {
    struct place place = place_of(MEMBER_UNRELEASED, 6, 3, 0);
    place.held = 8;
    reconcile(&place, 7, 10, NOT_SAID, false);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 6, 2, 1);
    reconcile(&place, 7, 10, 2, false);
    ASSERT_PLACE(place, MEMBER_UNRELEASED, 7, 2, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, what_it_gives_up_may_come_back) {
    struct place place = place_of(MEMBER_UNREVOKED, 5, 2, 1);
    reconcile(&place, 6, 3, 2, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 3, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, an_old_target_gives_nothing_that_is_not_subscribed_to) {
    struct place place = place_of(MEMBER_STABLE, 5, 1, 0);
    place.subscription = TOPIC_BITS(1);
    reconcile(&place, 6, 0x0101, NOT_SAID, true);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 5, 0, 1);
    reconcile(&place, 6, 0x0101, 0, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 0x0100, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, a_changed_subscription_shrinks_before_the_target_follows) {
    struct place place = place_of(MEMBER_STABLE, 5, 0x0101, 0);
    place.subscription = TOPIC_BITS(0);
    reconcile(&place, 5, 0x0101, NOT_SAID, true);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 5, 1, 0x0100);
    /* More goes while it is giving up. */
    place.subscription = TOPIC_BITS(2);
    reconcile(&place, 5, 0x0101, 0x0101, true);
    ASSERT_PLACE(place, MEMBER_UNREVOKED, 5, 0, 0x0101);
    /* The target is still the old one: the epoch must not pass it. */
    reconcile(&place, 5, 0x0101, 0, false);
    ASSERT_PLACE(place, MEMBER_STABLE, 5, 0, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, what_was_given_up_with_the_subscription_goes_at_once) {
    struct place place = place_of(MEMBER_STABLE, 5, 0x0101, 0);
    place.subscription = TOPIC_BITS(0);
    reconcile(&place, 5, 0x0101, 1, true);
    ASSERT_PLACE(place, MEMBER_STABLE, 5, 1, 0);
    place_deinit(&place);
}

Test(consumer_reconcile, an_unknown_state_is_fenced_unless_it_owns_nothing) {
    struct place place = place_of(MEMBER_UNKNOWN, 5, 1, 2);
    cr_assert(reconcile(&place, 6, 4, NOT_SAID, false) == RECONCILE_FENCED);
    cr_assert(reconcile(&place, 6, 4, 1, false) == RECONCILE_FENCED);
    cr_assert(reconcile(&place, 6, 4, 0, false) == RECONCILE_CHANGED);
    ASSERT_PLACE(place, MEMBER_STABLE, 6, 4, 0);
    place_deinit(&place);
}

/* --- a whole group: targets and subscriptions change as they like; nothing has two holders, and
 * when the changes end, everybody gets what it shall have --- */

enum { MEMBERS = 4 };

struct group {
    struct random random;
    struct place places[MEMBERS];
    uint32_t targets[MEMBERS];
    uint32_t owned[MEMBERS]; /* what the member itself believes */
    int32_t target_epoch;
};

static void group_retarget(struct group *group) {
    group->target_epoch++;
    memset(group->targets, 0, sizeof group->targets);
    for (int bit = 0; bit < BITS; bit++)
        group->targets[random_below(&group->random, MEMBERS)] |= 1u << bit;
}

static void group_step(struct group *group, int member, bool subscription_changed) {
    struct place *place = &group->places[member];
    place->held = 0;
    for (int other = 0; other < MEMBERS; other++)
        if (other != member)
            place->held |= bits_of(&group->places[other].current.assigned) |
                           bits_of(&group->places[other].current.revoking);
    int32_t epoch = place->current.epoch;
    bool says = random_below(&group->random, 2) || place->current.state == MEMBER_UNREVOKED;
    enum reconcile_result result =
        reconcile(place, group->target_epoch, group->targets[member],
                  says ? (int64_t)group->owned[member] : NOT_SAID, subscription_changed);
    cr_assert(result != RECONCILE_FENCED);
    cr_assert(place->current.epoch >= epoch && place->current.epoch <= group->target_epoch);
    uint32_t holds = bits_of(&place->current.assigned) | bits_of(&place->current.revoking);
    cr_assert((holds & place->held) == 0, "two members hold %x", holds & place->held);
    cr_assert((group->owned[member] & place->held) == 0, "given away while it is in use");
    cr_assert(place->current.state == MEMBER_UNREVOKED || !place->current.revoking.count);
    /* The answer arrives, and most clients do as they are told at once. */
    uint32_t keeps = random_below(&group->random, 3) ? 0 : bits_of(&place->current.revoking);
    group->owned[member] = bits_of(&place->current.assigned) | (keeps & group->owned[member]);
}

/* A changed subscription is followed by a new target, sooner or later. */
static void group_settle(struct group *group) {
    group_retarget(group);
    for (int round = 0; round < 60; round++)
        for (int member = 0; member < MEMBERS; member++) group_step(group, member, false);
    for (int member = 0; member < MEMBERS; member++) {
        const struct place *place = &group->places[member];
        ASSERT_PLACE(*place, MEMBER_STABLE, group->target_epoch,
                     group->targets[member] & place->subscription, 0u);
    }
}

Test(consumer_reconcile, a_group_never_has_two_holders_and_settles) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct group group = {.target_epoch = 1};
        random_init(&group.random, seed);
        for (int m = 0; m < MEMBERS; m++) group.places[m] = place_of(MEMBER_STABLE, 1, 0, 0);
        for (int change = 0; change < 20; change++) {
            int member = (int)random_below(&group.random, MEMBERS);
            if (random_below(&group.random, 2)) group_retarget(&group);
            bool resubscribes = random_below(&group.random, 4) == 0;
            if (resubscribes)
                group.places[member].subscription =
                    TOPIC_BITS(random_below(&group.random, TOPICS)) |
                    TOPIC_BITS(random_below(&group.random, TOPICS));
            group_step(&group, member, resubscribes);
            for (int i = 0; i < 6; i++)
                group_step(&group, (int)random_below(&group.random, MEMBERS), false);
        }
        group_settle(&group);
        for (int m = 0; m < MEMBERS; m++) place_deinit(&group.places[m]);
    }
}
