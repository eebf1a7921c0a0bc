#include "storage/retain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "storage/store_fixture.h"

static int64_t append_as(struct fixture *fixture, int64_t producer_id, int32_t sequence) {
    struct bytes batch = fixture_batch(1, 10, 1000, producer_id, sequence);
    int64_t offset = fixture_append(fixture, 1, batch);
    free((void *)batch.at);
    return offset;
}

static const struct producers *known(struct fixture *fixture) {
    return &fixture_partition(fixture, 1)->producers;
}

/* Rounds until the producer's last append is so long ago. */
static void grow_old(struct fixture *fixture, int64_t producer_id, int64_t age_ms) {
    int64_t last_ms = producers_find(known(fixture), producer_id)->last_append_ms;
    while (ring_wall_ms(fixture->ring) - last_ms < age_ms) ring_round(fixture->ring, false);
}

/* Producers that have been idle for longer than that are forgotten, also where nothing is ever
 * deleted; what comes from them later begins anew. Replay knows them again, and so does retention.
 */
Test(retain, idle_producers_are_forgotten) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.delete_old = false;
    fixture.options.producer_expiration_ms = 3600000;
    fixture_start(&fixture);
    cr_assert_eq(append_as(&fixture, 77, 0), 0);
    cr_assert_eq(append_as(&fixture, 78, 0), 1);
    grow_old(&fixture, 78, 5);
    retain_round(fixture.store);
    cr_assert_eq(producers_count(known(&fixture)), 2);
    cr_assert_eq(append_as(&fixture, 77, 0), 0, "a duplicate");

    for (int life = 0; life < 2; life++) {
        fixture.store->options.producer_expiration_ms = 5;
        grow_old(&fixture, 78, 5);
        retain_round(fixture.store);
        cr_assert_eq(producers_count(known(&fixture)), 0);
        fixture_kill(&fixture);
        fixture_start(&fixture);
        cr_assert_eq(producers_count(known(&fixture)), 2);
    }
    fixture.store->options.producer_expiration_ms = 5;
    grow_old(&fixture, 78, 5);
    retain_round(fixture.store);
    cr_assert_eq(append_as(&fixture, 77, 0), 2, "not known: appended");
    cr_assert_eq(append_as(&fixture, 78, 12), 3, "from any sequence on");
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* 0 means for ever; and only who is idle goes. */
Test(retain, who_appends_stays) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    append_as(&fixture, 77, 0);
    grow_old(&fixture, 77, 30);
    retain_round(fixture.store);
    cr_assert_eq(producers_count(known(&fixture)), 1);
    fixture.store->options.producer_expiration_ms = 20;
    append_as(&fixture, 78, 0);
    int64_t fresh_ms = producers_find(known(&fixture), 78)->last_append_ms;
    retain_round(fixture.store);
    cr_assert_null(producers_find(known(&fixture), 77));
    bool is_idle = ring_wall_ms(fixture.ring) - fresh_ms >= 20;
    cr_assert(is_idle || producers_find(known(&fixture), 78));
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
