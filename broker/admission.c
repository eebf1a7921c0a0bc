#include "broker/admission.h"

#include "base/check.h"

void admission_init(struct admission *admission, size_t total) {
    *admission = (struct admission){.total = total};
    for (int class = 0; class < ADMIT_CLASSES; class ++) list_init(&admission->waiting[class]);
}

size_t admission_limit(const struct admission *admission, enum admission_class class) {
    return class == ADMIT_BULK ? admission->total / 4 * 3 : admission->total;
}

static size_t admission_used(const struct admission *admission) {
    return admission->used[ADMIT_BULK] + admission->used[ADMIT_OTHER];
}

static size_t room(size_t limit, size_t used) { return used < limit ? limit - used : 0; }

static size_t admission_free(const struct admission *admission, enum admission_class class) {
    size_t all = room(admission->total, admission_used(admission));
    if (class == ADMIT_OTHER) return all;
    size_t own = room(admission_limit(admission, class), admission->used[ADMIT_BULK]);
    return own < all ? own : all;
}

bool admission_take(struct admission *admission, enum admission_class class, size_t bytes) {
    if (!list_is_empty(&admission->waiting[class])) return false;
    if (bytes > admission_free(admission, class)) return false;
    admission->used[class] += bytes;
    return true;
}

void admission_queue(struct admission *admission, struct admission_wait *wait) {
    check(!list_is_linked(&wait->link));
    check(wait->bytes <= admission_limit(admission, wait->class));
    list_append(&admission->waiting[wait->class], &wait->link);
}

/* Grants from the front of each line; the other class first, because it never waits for produce. */
static void admission_grant(struct admission *admission) {
    static const enum admission_class order[] = {ADMIT_OTHER, ADMIT_BULK};
    for (size_t i = 0; i < array_count(order); i++) {
        for (struct list *node; (node = list_first(&admission->waiting[order[i]]));) {
            struct admission_wait *wait = list_entry(node, struct admission_wait, link);
            if (wait->bytes > admission_free(admission, order[i])) break;
            list_remove(node);
            admission->used[order[i]] += wait->bytes;
            wait->granted(wait);
        }
    }
}

void admission_cancel(struct admission *admission, struct admission_wait *wait) {
    if (!list_is_linked(&wait->link)) return;
    list_remove(&wait->link);
    admission_grant(admission); /* it may have stood before smaller ones */
}

void admission_force(struct admission *admission, enum admission_class class, size_t bytes) {
    admission->used[class] += bytes;
}

size_t admission_take_some(struct admission *admission, enum admission_class class, size_t wanted,
                           size_t minimum) {
    size_t some = admission_free(admission, class) / 2;
    if (some > wanted) some = wanted;
    if (some < minimum) some = minimum;
    admission->used[class] += some;
    return some;
}

bool admission_is_overdrawn(const struct admission *admission) {
    return admission_used(admission) > admission->total;
}

void admission_give(struct admission *admission, enum admission_class class, size_t bytes) {
    check(bytes <= admission->used[class]);
    admission->used[class] -= bytes;
    admission_grant(admission);
}
