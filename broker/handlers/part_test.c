#include "broker/handlers/part.h"

#include "broker/broker_fixture.h"

enum { NOBODY = 4711 }; /* a partition id that no core has: as one that was deleted a moment ago */

struct ask {
    struct request request;
    struct parts parts;
    struct part part;
    bool is_done;
};

static void done(struct request *request) {
    container_of(request, struct ask, request)->is_done = true;
}

static void never(struct part *part, struct partition *partition) {
    (void)part;
    cr_assert_null(partition, "the partition is not there");
}

/* What a part comes back with when its partition has gone on the way. */
static enum error_code code_of_gone(struct fixture *fixture, enum error_code missing) {
    struct catalog_partition gone = {.id = NOBODY, .shard = 1};
    struct catalog_topic topic = {.partition_count = 1, .partitions = &gone};
    struct ask ask = {.request = {.core = &fixture->server.cores[0]}};
    arena_init(&ask.request.arena, FIXTURE_MEMORY);
    cr_assert(part_find(&ask.part, &topic, 0, missing));
    parts_begin(&ask.parts, &ask.request, done);
    part_send(&ask.parts, &ask.part, never);
    parts_end(&ask.parts);
    fixture_await(fixture, ask.is_done);
    arena_deinit(&ask.request.arena);
    return ask.part.code;
}

Test(part, a_partition_that_has_gone_is_as_one_that_was_never_there) {
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct fixture fixture;
        fixture_init(&fixture, cores);
        fixture_start(&fixture, cores, FIXTURE_MEMORY);
        cr_assert_eq(code_of_gone(&fixture, ERROR_UNKNOWN_TOPIC_ID), ERROR_UNKNOWN_TOPIC_ID);
        cr_assert_eq(code_of_gone(&fixture, ERROR_UNKNOWN_TOPIC_OR_PARTITION),
                     ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        fixture_end(&fixture);
    }
}

Test(part, what_the_catalog_does_not_have) {
    struct catalog_partition only = {.id = NOBODY};
    struct catalog_topic topic = {.partition_count = 1, .partitions = &only};
    struct part part;
    cr_assert_not(part_find(&part, NULL, 0, ERROR_UNKNOWN_TOPIC_ID));
    cr_assert_eq(part.code, ERROR_UNKNOWN_TOPIC_ID);
    cr_assert_not(part_find(&part, &topic, 1, ERROR_UNKNOWN_TOPIC_ID));
    cr_assert_eq(part.code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert_not(part_find(&part, &topic, -1, ERROR_UNKNOWN_TOPIC_ID));
    cr_assert_eq(part.code, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}
