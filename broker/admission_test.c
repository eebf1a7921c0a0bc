#include <criterion/criterion.h>

#include "broker/admission.h"

/* What each class can have, and what a party of several may. */
enum { ALL = 3200, HELD = 400, KEPT = 200, OTHER = 2600, BULK = 1950, BULK_SHARE = 1461 };
enum { HELD_SHARE = 300, OTHER_SHARE = 1950 };
enum { ME, YOU, THEM };

struct waiter_in_line {
    struct admission_wait wait;
    int order; /* 0: not granted */
};

static int granted_count;

static void granted(struct admission_wait *wait) {
    container_of(wait, struct waiter_in_line, wait)->order = ++granted_count;
}

static struct admission_share bulk(uint8_t party, size_t bytes) {
    return (struct admission_share){ADMIT_BULK, party, bytes};
}

static struct admission_share other(uint8_t party, size_t bytes) {
    return (struct admission_share){ADMIT_OTHER, party, bytes};
}

static struct admission_share held(uint8_t party, size_t bytes) {
    return (struct admission_share){ADMIT_HELD, party, bytes};
}

static void queue(struct admission *admission, struct waiter_in_line *waiter,
                  struct admission_share share) {
    *waiter = (struct waiter_in_line){.wait = {.share = share, .granted = granted}};
    list_init(&waiter->wait.link);
    cr_assert_not(admission_take(admission, share), "it could have been granted");
    admission_queue(admission, &waiter->wait);
}

static void start(struct admission *admission) {
    granted_count = 0;
    admission_init(admission, ALL);
}

Test(admission, bulk_leaves_the_reserve) {
    struct admission admission;
    start(&admission);
    cr_assert_eq(admission_limit(&admission, ADMIT_BULK), BULK);
    cr_assert_eq(admission_limit(&admission, ADMIT_OTHER), OTHER);
    cr_assert(admission_take(&admission, bulk(ME, BULK)));
    cr_assert_not(admission_take(&admission, bulk(YOU, 1)));
    cr_assert(admission_take(&admission, other(ME, OTHER - BULK)));
    cr_assert_not(admission_take(&admission, other(YOU, 1)));
}

Test(admission, others_may_take_what_bulk_leaves) {
    struct admission admission;
    start(&admission);
    cr_assert(admission_take(&admission, other(ME, OTHER - 200)));
    cr_assert_not(admission_take(&admission, bulk(ME, 201)));
    cr_assert(admission_take(&admission, bulk(ME, 200)));
}

Test(admission, waits_in_line) {
    struct admission admission;
    struct waiter_in_line first, second, third;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, BULK_SHARE - 50)));
    cr_assert_not(admission_is_short(&admission));
    queue(&admission, &first, bulk(ME, 500));
    queue(&admission, &second, bulk(ME, 10));
    cr_assert(admission_is_short(&admission));
    cr_assert_not(admission_take(&admission, bulk(ME, 1)), "nobody overtakes the line");
    cr_assert(admission_take(&admission, other(ME, 1)), "the other class has its own");
    admission_give(&admission, bulk(ME, 400));
    cr_assert_eq(first.order, 0);
    cr_assert_eq(second.order, 0, "the small one waits behind the large one");
    admission_give(&admission, bulk(ME, 50));
    cr_assert_eq(first.order, 1);
    cr_assert_eq(second.order, 0);
    queue(&admission, &third, bulk(ME, BULK));
    admission_give(&admission, bulk(ME, BULK_SHARE));
    cr_assert_eq(second.order, 2);
    cr_assert_eq(third.order, 0);
    admission_give(&admission, bulk(ME, 10));
    cr_assert_eq(third.order, 3, "alone, one may be as large as the class");
    cr_assert_eq(admission.used[ADMIT_BULK], BULK);
    cr_assert_not(admission_is_short(&admission));
}

Test(admission, others_are_granted_before_produce) {
    struct admission admission;
    struct waiter_in_line produce, control;
    start(&admission);
    cr_assert(admission_take(&admission, other(ME, OTHER)));
    queue(&admission, &produce, bulk(ME, 1000));
    queue(&admission, &control, other(YOU, 1000));
    admission_give(&admission, other(ME, 1500));
    cr_assert_eq(control.order, 1);
    cr_assert_eq(produce.order, 0);
}

Test(admission, giving_up_lets_the_next_one_in) {
    struct admission admission;
    struct waiter_in_line large, small;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, 1000)));
    queue(&admission, &large, bulk(ME, 1000));
    queue(&admission, &small, bulk(ME, 100));
    admission_cancel(&admission, &large.wait);
    cr_assert_eq(large.order, 0);
    cr_assert_eq(small.order, 1);
    admission_cancel(&admission, &large.wait);
    cr_assert_eq(admission.used[ADMIT_BULK], 1100);
    cr_assert_not(admission_is_short(&admission));
}

Test(admission, what_an_admitted_request_needs_is_never_refused) {
    struct admission admission;
    start(&admission);
    admission_force(&admission, other(ME, 9000));
    cr_assert_not(admission_take(&admission, other(ME, 1)));
    cr_assert_not(admission_take(&admission, bulk(YOU, 1)));
    cr_assert(admission_is_overdrawn(&admission));
    cr_assert_eq(admission_take_some(&admission, other(ME, 100), 30), 30);
    admission_give(&admission, other(ME, 7730));
    cr_assert_not(admission_is_overdrawn(&admission));
    cr_assert_eq(admission_take_some(&admission, other(ME, 100), 30), 100);
    cr_assert_eq(admission_take_some(&admission, other(ME, 1000), 30), 275, "half of its share");
    cr_assert_eq(admission_take_some(&admission, other(YOU, 1000), 30), 462, "half of the rest");
}

Test(admission, a_party_leaves_some_for_the_others) {
    struct admission admission;
    struct waiter_in_line greedy;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, BULK_SHARE)));
    queue(&admission, &greedy, bulk(ME, 1));
    cr_assert(admission_take(&admission, bulk(YOU, BULK - BULK_SHARE)), "not its line");
    admission_give(&admission, bulk(YOU, BULK - BULK_SHARE));
    cr_assert_eq(greedy.order, 0);
    admission_give(&admission, bulk(ME, 1));
    cr_assert_eq(greedy.order, 1);
}

Test(admission, memory_goes_to_the_party_that_holds_least) {
    struct admission admission;
    struct waiter_in_line mine[3], yours, theirs;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, 900)));
    cr_assert(admission_take(&admission, bulk(YOU, 900)));
    for (int i = 0; i < 3; i++) queue(&admission, &mine[i], bulk(ME, 200));
    queue(&admission, &yours, bulk(YOU, 200));
    queue(&admission, &theirs, bulk(THEM, 400));
    admission_give(&admission, bulk(YOU, 150));
    cr_assert_eq(theirs.order, 0);
    cr_assert_eq(yours.order + mine[0].order, 0, "those who hold nothing come first");
    admission_give(&admission, bulk(YOU, 200));
    cr_assert_eq(theirs.order, 1);
    admission_give(&admission, bulk(ME, 300));
    cr_assert_eq(yours.order, 2);
    cr_assert_eq(mine[0].order, 3);
    cr_assert_eq(mine[1].order, 0);
}

Test(admission, a_large_one_is_not_overtaken_for_ever) {
    struct admission admission;
    struct waiter_in_line large, small;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, 500)));
    cr_assert(admission_take(&admission, bulk(YOU, 1000)));
    queue(&admission, &large, bulk(ME, 900));
    queue(&admission, &small, bulk(YOU, 100));
    admission_give(&admission, bulk(ME, 200));
    cr_assert_eq(large.order + small.order, 0, "it is my turn, and too early");
    admission_give(&admission, bulk(YOU, 400));
    cr_assert_eq(large.order, 1);
    cr_assert_eq(small.order, 2);
}

Test(admission, held_bytes_have_their_own) {
    struct admission admission;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, BULK)));
    cr_assert(admission_take(&admission, other(ME, OTHER - BULK)));
    cr_assert(admission_take(&admission, held(ME, HELD_SHARE)));
    cr_assert_not(admission_take(&admission, held(ME, 1)));
    cr_assert(admission_take(&admission, held(YOU, HELD - HELD_SHARE)));
    cr_assert_not(admission_take(&admission, held(THEM, 1)));
    cr_assert_not(admission_is_overdrawn(&admission));
    admission_give(&admission, held(ME, HELD_SHARE));
    cr_assert_eq(admission.used[ADMIT_HELD], HELD - HELD_SHARE);
}

Test(admission, kept_bytes_have_their_own) {
    struct admission admission;
    start(&admission);
    cr_assert(admission_take(&admission, bulk(ME, BULK)));
    cr_assert(admission_take(&admission, other(YOU, OTHER - BULK)));
    struct admission_share kept = {ADMIT_KEPT, ME, KEPT};
    cr_assert_eq(admission_limit(&admission, ADMIT_KEPT), KEPT);
    cr_assert(admission_take(&admission, kept));
    cr_assert_not(admission_take(&admission, (struct admission_share){ADMIT_KEPT, YOU, 1}));
    cr_assert_not(admission_is_overdrawn(&admission));
    admission_give(&admission, kept);
    cr_assert_eq(admission.used[ADMIT_KEPT], 0);
}
