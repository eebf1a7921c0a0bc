/* For tests of changes: a catalog, a change on it, and a way to apply what was made. */
#pragma once

#include <criterion/criterion.h>

#include "metadata/change.h"

struct fixture {
    struct options *options;
    struct catalog catalog;
    struct arena arena;
    struct change_records records;
    struct byte_buffer batch;
    struct change change;
};

static inline void fixture_begin(struct fixture *fixture) {
    change_records_restart(&fixture->records);
    change_init(&fixture->change, &fixture->arena, &fixture->catalog, 1, 4, &fixture->records);
}

static inline void fixture_init(struct fixture *fixture) {
    *fixture = (struct fixture){.options = options_new()};
    fixture->options->num_partitions = 3;
    catalog_init(&fixture->catalog, fixture->options);
    arena_init(&fixture->arena, 64 << 20);
    change_records_init(&fixture->records, 1000);
    fixture_begin(fixture);
}

static inline void fixture_deinit(struct fixture *fixture) {
    byte_buffer_deinit(&fixture->batch);
    change_records_deinit(&fixture->records);
    arena_deinit(&fixture->arena);
    catalog_deinit(&fixture->catalog);
    options_free(fixture->options);
}

/* Applies the records that were made and begins the next change. */
static inline void fixture_apply(struct fixture *fixture, const struct catalog_observer *observer) {
    struct error error = {0};
    fixture->batch.len = 0;
    if (change_records_count(&fixture->records)) {
        change_records_finish(&fixture->records, &fixture->batch);
        cr_assert(
            catalog_apply(&fixture->catalog, byte_buffer_bytes(&fixture->batch), observer, &error),
            "%s", error.text);
    }
    fixture_begin(fixture);
}

static inline struct topic_outcome fixture_create(struct fixture *fixture,
                                                  const struct topic_wish *wish) {
    struct topic_outcome outcome;
    cr_assert(change_create_topics(&fixture->change, wish, 1, &outcome) == 1);
    return outcome;
}

/* A topic that is there, or the test fails. */
static inline const struct catalog_topic *fixture_topic(struct fixture *fixture, const char *name,
                                                        int32_t partitions) {
    struct topic_wish wish = {bytes_of_text(name), partitions, -1, 0, NULL, 0, NULL};
    struct topic_outcome outcome = fixture_create(fixture, &wish);
    cr_assert(outcome.result.code == ERROR_NONE, "%s", outcome.result.message);
    fixture_apply(fixture, NULL);
    const struct catalog_topic *topic = catalog_find_topic(&fixture->catalog, bytes_of_text(name));
    cr_assert_not_null(topic);
    return topic;
}

#define ASSERT_REFUSED(result, expected)                                            \
    do {                                                                            \
        cr_assert((result).code == ERROR_##expected, "got %s",                      \
                  error_code_name((int16_t)(result).code));                         \
        cr_assert((result).message &&*(result).message, "a refusal without words"); \
    } while (0)
