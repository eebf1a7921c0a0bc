#include "broker/admission.h"

#include "base/check.h"

void admission_init(struct admission *admission, size_t total) {
    *admission = (struct admission){.held = total / 8, .kept = total / 16};
    admission->total = total - admission->held - admission->kept;
    for (int party = 0; party < ADMISSION_PARTIES; party++)
        for (int class = 0; class < ADMIT_CLASSES; class ++)
            list_init(&admission->parties[party].waiting[class]);
}

uint8_t admission_party_of(uint64_t hash) { return (uint8_t)(hash % ADMISSION_PARTIES); }

size_t admission_limit(const struct admission *admission, enum admission_class class) {
    switch (class) {
        case ADMIT_BULK: return admission->total / 4 * 3;
        case ADMIT_HELD: return admission->held;
        case ADMIT_KEPT: return admission->kept;
        default: return admission->total;
    }
}

static struct admission_party *party_of(struct admission *admission, struct admission_share share) {
    check(share.party < ADMISSION_PARTIES && share.class < ADMIT_CLASSES);
    return &admission->parties[share.party];
}

/* --- what is free --- */

static size_t admission_used(const struct admission *admission) {
    return admission->used[ADMIT_BULK] + admission->used[ADMIT_OTHER];
}

static size_t room(size_t limit, size_t used) { return used < limit ? limit - used : 0; }

static bool is_of_requests(enum admission_class class) {
    return class == ADMIT_BULK || class == ADMIT_OTHER;
}

static size_t admission_free(const struct admission *admission, enum admission_class class) {
    size_t own = room(admission_limit(admission, class), admission->used[class]);
    if (!is_of_requests(class)) return own;
    size_t all = room(admission->total, admission_used(admission));
    return own < all ? own : all;
}

/* What a party may have more; a single request may be as large as the class. */
static size_t party_room(const struct admission *admission, const struct admission_party *party,
                         enum admission_class class) {
    size_t limit = admission_limit(admission, class), used = party->used[class];
    return used == 0 ? limit : room(limit / 4 * 3, used);
}

static struct admission_wait *party_first(struct admission_party *party,
                                          enum admission_class class) {
    struct list *node = list_first(&party->waiting[class]);
    return node ? list_entry(node, struct admission_wait, link) : NULL;
}

/* Whose turn it is: of those who wait for others' memory, and not for their own, the one that holds
 * least. NULL when there is none. */
static struct admission_party *admission_next(struct admission *admission,
                                              enum admission_class class) {
    struct admission_party *next = NULL;
    for (int i = 0; i < ADMISSION_PARTIES && admission->waiting > 0; i++) {
        struct admission_party *party = &admission->parties[i];
        const struct admission_wait *first = party_first(party, class);
        if (!first || first->share.bytes > party_room(admission, party, class)) continue;
        if (!next || party->used[class] < next->used[class]) next = party;
    }
    return next;
}

/* --- taking and giving --- */

static void admission_charge(struct admission *admission, struct admission_share share) {
    admission->used[share.class] += share.bytes;
    party_of(admission, share)->used[share.class] += share.bytes;
}

bool admission_take(struct admission *admission, struct admission_share share) {
    struct admission_party *party = party_of(admission, share);
    if (party_first(party, share.class)) return false;
    if (share.bytes > party_room(admission, party, share.class)) return false;
    const struct admission_party *next = admission_next(admission, share.class);
    if (next && next->used[share.class] <= party->used[share.class]) return false;
    if (share.bytes > admission_free(admission, share.class)) return false;
    admission_charge(admission, share);
    return true;
}

void admission_queue(struct admission *admission, struct admission_wait *wait) {
    check(!list_is_linked(&wait->link) && is_of_requests(wait->share.class));
    check(wait->share.bytes <= admission_limit(admission, wait->share.class));
    list_append(&party_of(admission, wait->share)->waiting[wait->share.class], &wait->link);
    admission->waiting++;
}

static void admission_leave(struct admission *admission, struct admission_wait *wait) {
    check(admission->waiting > 0);
    list_remove(&wait->link);
    admission->waiting--;
}

/* The other class first, because it never waits for produce. */
static void admission_grant(struct admission *admission) {
    static const enum admission_class order[] = {ADMIT_OTHER, ADMIT_BULK};
    for (size_t i = 0; i < array_count(order); i++) {
        for (struct admission_party *next; (next = admission_next(admission, order[i]));) {
            struct admission_wait *wait = party_first(next, order[i]);
            if (wait->share.bytes > admission_free(admission, order[i])) break;
            admission_leave(admission, wait);
            admission_charge(admission, wait->share);
            wait->granted(wait);
        }
    }
}

void admission_cancel(struct admission *admission, struct admission_wait *wait) {
    if (!list_is_linked(&wait->link)) return;
    admission_leave(admission, wait);
    admission_grant(admission); /* it may have stood before smaller ones */
}

bool admission_is_short(const struct admission *admission) { return admission->waiting > 0; }

void admission_force(struct admission *admission, struct admission_share share) {
    admission_charge(admission, share);
}

size_t admission_take_some(struct admission *admission, struct admission_share share,
                           size_t minimum) {
    size_t own = party_room(admission, party_of(admission, share), share.class);
    size_t some = admission_free(admission, share.class);
    some = (own < some ? own : some) / 2;
    if (some > share.bytes) some = share.bytes;
    if (some < minimum) some = minimum;
    share.bytes = some;
    admission_charge(admission, share);
    return some;
}

bool admission_is_overdrawn(const struct admission *admission) {
    return admission_used(admission) > admission->total;
}

void admission_give(struct admission *admission, struct admission_share share) {
    struct admission_party *party = party_of(admission, share);
    check(share.bytes <= admission->used[share.class] && share.bytes <= party->used[share.class]);
    admission->used[share.class] -= share.bytes;
    party->used[share.class] -= share.bytes;
    admission_grant(admission);
}
