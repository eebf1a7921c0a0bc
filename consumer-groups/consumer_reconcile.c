#include "consumer-groups/consumer_reconcile.h"

void consumer_current_deinit(struct consumer_current *current) {
    consumer_partitions_deinit(&current->assigned);
    consumer_partitions_deinit(&current->revoking);
}

/* A member that does not say what it owns may own anything. */
static bool may_own(const struct consumer_reconciling *r, const struct consumer_partitions *set) {
    return !r->reported || consumer_partitions_meet(r->reported, set);
}

/* `from` split by the target, as far as the member still subscribes to it. */
static void split_by_target(const struct consumer_reconciling *r,
                            const struct consumer_partitions *from,
                            struct consumer_partitions *kept, struct consumer_partitions *lost) {
    *kept = consumer_partitions_open((size_t)from->count);
    *lost = consumer_partitions_open((size_t)from->count);
    for (int32_t i = 0; i < from->count; i++) {
        const struct consumer_partition *one = &from->items[i];
        bool keep =
            consumer_partitions_have(r->target, one) && r->subscribes(r->context, &one->topic_id);
        consumer_partitions_put(keep ? kept : lost, one);
    }
    consumer_partitions_close(kept);
    consumer_partitions_close(lost);
}

/* `kept`, and what of the target is free. Whether something was not. */
static bool add_free(const struct consumer_reconciling *r, const struct consumer_partitions *kept,
                     struct consumer_partitions *assigned) {
    bool unreleased = false;
    *assigned = consumer_partitions_open((size_t)r->target->count);
    for (int32_t i = 0; i < r->target->count; i++) {
        const struct consumer_partition *one = &r->target->items[i];
        if (!r->subscribes(r->context, &one->topic_id)) continue;
        const struct consumer_partition fresh = {one->topic_id, one->index, r->target_epoch};
        const struct consumer_partition *known = consumer_partitions_find(kept, one);
        if (known || !r->is_held(r->context, one))
            consumer_partitions_put(assigned, known ? known : &fresh);
        else
            unreleased = true;
    }
    consumer_partitions_close(assigned);
    return unreleased;
}

/* Towards the target, from `epoch` on. */
static void advance(const struct consumer_current *current, const struct consumer_reconciling *r,
                    int32_t epoch, struct consumer_current *next) {
    struct consumer_partitions kept, lost;
    split_by_target(r, &current->assigned, &kept, &lost);
    *next = (struct consumer_current){.previous_epoch = current->epoch};
    if (lost.count && may_own(r, &lost)) {
        next->state = MEMBER_UNREVOKED;
        next->epoch = epoch;
        next->assigned = kept;
        next->revoking = lost;
        return;
    }
    bool unreleased = add_free(r, &kept, &next->assigned);
    next->state = unreleased ? MEMBER_UNRELEASED : MEMBER_STABLE;
    next->epoch = r->target_epoch;
    consumer_partitions_deinit(&kept);
    consumer_partitions_deinit(&lost);
}

/* The target has not followed the subscription yet: what is not subscribed to any more is given up
 * without waiting for it. */
static void shrink(const struct consumer_current *current, const struct consumer_reconciling *r,
                   struct consumer_current *next) {
    const struct consumer_partitions *assigned = &current->assigned, *revoking = &current->revoking;
    *next = (struct consumer_current){.state = current->state,
                                      .epoch = current->epoch,
                                      .previous_epoch = current->previous_epoch};
    next->assigned = consumer_partitions_open((size_t)assigned->count);
    next->revoking = consumer_partitions_open((size_t)(assigned->count + revoking->count));
    for (int32_t i = 0; i < assigned->count; i++) {
        const struct consumer_partition *one = &assigned->items[i];
        bool keep = r->subscribes(r->context, &one->topic_id);
        consumer_partitions_put(keep ? &next->assigned : &next->revoking, one);
    }
    for (int32_t i = 0; i < revoking->count; i++)
        consumer_partitions_put(&next->revoking, &revoking->items[i]);
    consumer_partitions_close(&next->assigned);
    consumer_partitions_close(&next->revoking);
    if (next->revoking.count && may_own(r, &next->revoking))
        next->state = MEMBER_UNREVOKED;
    else
        consumer_partitions_deinit(&next->revoking);
}

static enum reconcile_result changed(const struct consumer_current *current,
                                     struct consumer_current *next) {
    bool same = current->state == next->state && current->epoch == next->epoch &&
                consumer_partitions_equal(&current->assigned, &next->assigned) &&
                consumer_partitions_equal(&current->revoking, &next->revoking);
    if (!same) return RECONCILE_CHANGED;
    consumer_current_deinit(next);
    return RECONCILE_SAME;
}

enum reconcile_result consumer_reconcile(const struct consumer_current *current,
                                         const struct consumer_reconciling *r,
                                         struct consumer_current *next) {
    int32_t epoch = current->epoch;
    *next = (struct consumer_current){0};
    switch (current->state) {
        case MEMBER_STABLE:
            if (epoch != r->target_epoch)
                advance(current, r, epoch, next);
            else if (r->subscription_changed)
                shrink(current, r, next);
            else
                return RECONCILE_SAME;
            break;
        case MEMBER_UNREVOKED:
            if (!may_own(r, &current->revoking))
                advance(current, r, epoch + (epoch < r->target_epoch), next);
            else if (r->subscription_changed)
                shrink(current, r, next);
            else
                return RECONCILE_SAME;
            break;
        case MEMBER_UNRELEASED: advance(current, r, epoch, next); break;
        default:
            if (!r->reported || r->reported->count) return RECONCILE_FENCED;
            advance(current, r, r->target_epoch, next);
    }
    return changed(current, next);
}
