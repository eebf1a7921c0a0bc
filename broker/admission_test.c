#include <criterion/criterion.h>

#include "broker/admission.h"

enum { TOTAL = 1000 };

struct waiter_in_line {
    struct admission_wait wait;
    int order; /* 0: not granted */
};

static int granted_count;

static void granted(struct admission_wait *wait) {
    container_of(wait, struct waiter_in_line, wait)->order = ++granted_count;
}

static void queue(struct admission *admission, struct waiter_in_line *waiter,
                  enum admission_class class, size_t bytes) {
    *waiter = (struct waiter_in_line){.wait = {.class = class, .bytes = bytes, .granted = granted}};
    list_init(&waiter->wait.link);
    admission_queue(admission, &waiter->wait);
}

static void start(struct admission *admission) {
    granted_count = 0;
    admission_init(admission, TOTAL);
}

Test(admission, bulk_leaves_the_reserve) {
    struct admission admission;
    start(&admission);
    cr_assert_eq(admission_limit(&admission, ADMIT_BULK), 750);
    cr_assert_eq(admission_limit(&admission, ADMIT_OTHER), 1000);
    cr_assert(admission_take(&admission, ADMIT_BULK, 700));
    cr_assert_not(admission_take(&admission, ADMIT_BULK, 51));
    cr_assert(admission_take(&admission, ADMIT_BULK, 50));
    cr_assert(admission_take(&admission, ADMIT_OTHER, 250));
    cr_assert_not(admission_take(&admission, ADMIT_OTHER, 1));
}

Test(admission, others_may_take_what_bulk_leaves) {
    struct admission admission;
    start(&admission);
    cr_assert(admission_take(&admission, ADMIT_OTHER, 900));
    cr_assert_not(admission_take(&admission, ADMIT_BULK, 200));
    cr_assert(admission_take(&admission, ADMIT_BULK, 100));
}

Test(admission, waits_in_line) {
    struct admission admission;
    struct waiter_in_line first, second, third;
    start(&admission);
    cr_assert(admission_take(&admission, ADMIT_BULK, 700));
    queue(&admission, &first, ADMIT_BULK, 500);
    queue(&admission, &second, ADMIT_BULK, 10);
    cr_assert_not(admission_take(&admission, ADMIT_BULK, 1), "nobody overtakes the line");
    cr_assert(admission_take(&admission, ADMIT_OTHER, 1), "the other class has its own");
    admission_give(&admission, ADMIT_BULK, 100);
    cr_assert_eq(first.order, 0);
    cr_assert_eq(second.order, 0, "the small one waits behind the large one");
    admission_give(&admission, ADMIT_BULK, 600);
    cr_assert_eq(first.order, 1);
    cr_assert_eq(second.order, 2);
    queue(&admission, &third, ADMIT_BULK, 700);
    admission_give(&admission, ADMIT_BULK, 510);
    cr_assert_eq(third.order, 3);
    cr_assert_eq(admission.used[ADMIT_BULK], 700);
}

Test(admission, others_are_granted_before_produce) {
    struct admission admission;
    struct waiter_in_line produce, other;
    start(&admission);
    cr_assert(admission_take(&admission, ADMIT_OTHER, 1000));
    queue(&admission, &produce, ADMIT_BULK, 600);
    queue(&admission, &other, ADMIT_OTHER, 600);
    admission_give(&admission, ADMIT_OTHER, 700);
    cr_assert_eq(other.order, 1);
    cr_assert_eq(produce.order, 0);
}

Test(admission, giving_up_lets_the_next_one_in) {
    struct admission admission;
    struct waiter_in_line large, small;
    start(&admission);
    cr_assert(admission_take(&admission, ADMIT_BULK, 500));
    queue(&admission, &large, ADMIT_BULK, 700);
    queue(&admission, &small, ADMIT_BULK, 100);
    admission_cancel(&admission, &large.wait);
    cr_assert_eq(large.order, 0);
    cr_assert_eq(small.order, 1);
    admission_cancel(&admission, &large.wait);
    cr_assert_eq(admission.used[ADMIT_BULK], 600);
}

Test(admission, what_an_admitted_request_needs_is_never_refused) {
    struct admission admission;
    start(&admission);
    admission_force(&admission, ADMIT_OTHER, 5000);
    cr_assert_not(admission_take(&admission, ADMIT_OTHER, 1));
    cr_assert_not(admission_take(&admission, ADMIT_BULK, 1));
    cr_assert(admission_is_overdrawn(&admission));
    cr_assert_eq(admission_take_some(&admission, ADMIT_OTHER, 100, 30), 30);
    admission_give(&admission, ADMIT_OTHER, 4530);
    cr_assert_not(admission_is_overdrawn(&admission));
    cr_assert_eq(admission_take_some(&admission, ADMIT_OTHER, 100, 30), 100);
    cr_assert_eq(admission_take_some(&admission, ADMIT_OTHER, 1000, 30), 200, "half of the rest");
}
