/* From one generation of a classic group to the next: PREPARING, in which all members have to join
 * again, until they have or the longest of their rebalance time-outs is over; then COMPLETING, in
 * which the leader has as long to hand in the assignment and the others to ask for it. */
#include "base/check.h"
#include "base/say.h"
#include "consumer-groups/classic_group.h"

static struct coordinator *coordinator_of(const struct classic_group *group) {
    return group->group->groups->coordinator;
}

static bool all_joined(const struct classic_group *group) {
    return group->joining_count == group->member_count && group->pending_count == 0;
}

/* --- COMPLETING begins --- */

static void on_sync_end(struct coordinator_timer *timer);

static void next_generation(struct classic_group *group) {
    group->generation = group->generation < INT32_MAX ? group->generation + 1 : 1;
    group->owing_count = 0;
    bool has_members = group->member_count > 0;
    group_set_text(&group->protocol, has_members ? classic_select_protocol(group) : BYTES_NULL);
    classic_read_topics(group);
    classic_set_state(group, has_members ? CLASSIC_COMPLETING : CLASSIC_EMPTY);
}

/* SyncGroup is owed by everybody from here on. Nobody is removed while the answers go out. */
static void announce_generation(struct classic_group *group) {
    list_each(node, &group->order) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        classic_answer_join(member, false);
        classic_hear_member(member);
        member->is_new = false;
        member->owes_sync = true;
        group->owing_count++;
    }
    group->sync_timer.fire = on_sync_end;
    coordinator_arm(coordinator_of(group), &group->sync_timer, classic_rebalance_ms(group));
    say_debug("group %.*s: generation %d with %d members", BYTES_FORMAT(group->group->id),
              group->generation, group->member_count);
}

/* EMPTY is COMPLETING without members: kept, so that the generation is not used again. */
static void become_empty(struct classic_group *group) {
    classic_write(group);
    say_debug("group %.*s: empty, generation %d", BYTES_FORMAT(group->group->id),
              group->generation);
}

/* Static members stay for as long as their session lasts. */
static void remove_absent(struct classic_group *group) {
    list_each(node, &group->order) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        if (member->joins || !bytes_is_null(member->instance_id)) continue;
        say_debug("group %.*s: member %.*s did not join again", BYTES_FORMAT(group->group->id),
                  BYTES_FORMAT(member->id));
        classic_remove_member(group, member);
    }
}

/* The leader has to be one that is here. False when nobody is. */
static bool elect_leader(struct classic_group *group) {
    struct classic_member *leader = classic_find_member(group, group->leader_id);
    if (leader && leader->joins) return true;
    list_each(node, &group->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        if (!member->joins) continue;
        group_set_text(&group->leader_id, member->id);
        return true;
    }
    return false;
}

static void on_join_end(struct coordinator_timer *timer);

static void wait_for_members(struct classic_group *group) {
    group->join_timer.fire = on_join_end;
    coordinator_arm(coordinator_of(group), &group->join_timer, classic_rebalance_ms(group));
}

static void complete(struct classic_group *group) {
    check(group->state == CLASSIC_PREPARING);
    coordinator_disarm(coordinator_of(group), &group->join_timer);
    remove_absent(group);
    if (group->member_count > 0 && !elect_leader(group)) {
        wait_for_members(group); /* static ones, until they come or their sessions end */
        return;
    }
    next_generation(group);
    if (group->state == CLASSIC_EMPTY)
        become_empty(group);
    else
        announce_generation(group);
}

static void on_join_end(struct coordinator_timer *timer) {
    complete(container_of(timer, struct classic_group, join_timer));
}

void classic_complete_if_joined(struct classic_group *group) {
    if (group->state == CLASSIC_PREPARING && !group->was_empty && all_joined(group))
        complete(group);
}

/* --- PREPARING begins --- */

/* The first rebalance waits a little for members that start together: anew as long as new ones
 * come, but not longer than their rebalance time-out. */
static void on_initial_end(struct coordinator_timer *timer) {
    struct classic_group *group = container_of(timer, struct classic_group, join_timer);
    int64_t delay_ms = group->group->groups->catalog->options->group_initial_delay_ms;
    if (!group->member_added || group->initial_left_ms == 0) {
        complete(group);
        return;
    }
    group->member_added = false;
    if (delay_ms > group->initial_left_ms) delay_ms = group->initial_left_ms;
    group->initial_left_ms -= delay_ms;
    coordinator_arm(coordinator_of(group), timer, delay_ms);
}

static void begin_initial(struct classic_group *group) {
    int64_t delay_ms = group->group->groups->catalog->options->group_initial_delay_ms;
    int64_t left_ms = classic_rebalance_ms(group) - delay_ms;
    group->initial_left_ms = left_ms > 0 ? left_ms : 0;
    group->member_added = false;
    classic_set_state(group, CLASSIC_PREPARING);
    if (delay_ms == 0) {
        complete(group);
        return;
    }
    group->join_timer.fire = on_initial_end;
    coordinator_arm(coordinator_of(group), &group->join_timer, delay_ms);
}

/* Those that wait for an assignment that will not come join again. */
static void forget_assignment(struct classic_group *group) {
    list_each(node, &group->order) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        group_set_text(&member->assignment, BYTES_NULL);
        if (!member->syncs) continue;
        classic_answer_sync(member, ERROR_REBALANCE_IN_PROGRESS);
        classic_hear_member(member);
    }
}

void classic_prepare(struct classic_group *group, const char *why) {
    say_debug("group %.*s: rebalance of generation %d: %s", BYTES_FORMAT(group->group->id),
              group->generation, why);
    if (group->state == CLASSIC_COMPLETING) forget_assignment(group);
    coordinator_disarm(coordinator_of(group), &group->sync_timer);
    list_each(node, &group->order) {
        list_entry(node, struct classic_member, link)->owes_sync = false;
    }
    group->owing_count = 0;
    if (group->state == CLASSIC_EMPTY) {
        begin_initial(group);
        return;
    }
    classic_set_state(group, CLASSIC_PREPARING);
    if (all_joined(group))
        complete(group);
    else
        wait_for_members(group);
}

void classic_rebalance(struct classic_group *group, const char *why) {
    if (group->state == CLASSIC_PREPARING)
        classic_complete_if_joined(group);
    else
        classic_prepare(group, why);
}

/* --- members that are gone --- */

static void on_sync_end(struct coordinator_timer *timer) {
    struct classic_group *group = container_of(timer, struct classic_group, sync_timer);
    if (group->owing_count == 0) return;
    list_each(node, &group->order) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        if (member->owes_sync) classic_remove_member(group, member);
    }
    classic_prepare(group, "members did not send SyncGroup");
}

/* Who was waited for is gone: then a first rebalance ends early, too. */
static void complete_without(struct classic_group *group) {
    if (group->state == CLASSIC_PREPARING && all_joined(group)) complete(group);
}

void classic_drop_pending(struct classic_group *group, struct pending_member *pending) {
    classic_remove_pending(group, pending);
    complete_without(group);
}

void classic_drop_member(struct classic_group *group, struct classic_member *member) {
    say_debug("group %.*s: member %.*s is gone", BYTES_FORMAT(group->group->id),
              BYTES_FORMAT(member->id));
    classic_refuse_join(member, BYTES_OF(""), ERROR_UNKNOWN_MEMBER_ID);
    classic_answer_sync(member, ERROR_UNKNOWN_MEMBER_ID);
    classic_remove_member(group, member);
    if (group->state == CLASSIC_STABLE || group->state == CLASSIC_COMPLETING)
        classic_prepare(group, "a member's session has ended");
    else
        complete_without(group);
}
