#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "consumer-groups/consumer_world.h"
#include "coordinator/log_fixture.h"
#include "coordinator/runtime.h"
#include "storage/partition.h"

enum { ANSWER_S = 120, SHARDS = 4 };

static bool has_crashed;
LOG_FIXTURE_NO_LEAKS(has_crashed)

/* --- one life --- */

static void step(struct world *world) { log_step(world->sim); }

static void start(struct world *world) {
    world->ring = sim_ring_new(world->sim);
    world->host = coordinator_host_new(world->ring, NULL);
    world->directory = new_zero(struct data_directory);
    world->store = log_store_open(world->sim, world->ring, world->directory);
    world->coordinator = coordinator_open(world->host, store_find_partition(world->store, LOG_ID),
                                          &groups_kind, &world->catalog);
    log_load(world->sim, world->coordinator);
    cr_assert(coordinator_status(world->coordinator) ==
              (world->damaged ? COORDINATOR_DAMAGED : COORDINATOR_ACTIVE));
}

void world_init(struct world *world, uint64_t seed) {
    *world = (struct world){.sim = sim_new(seed), .options = options_new()};
    catalog_init(&world->catalog, world->options);
    start(world);
}

void world_restart(struct world *world, bool power_cut) {
    has_crashed = true;
    log_crash(world->sim, world->ring, power_cut);
    start(world);
}

void world_refuse(struct world *world) {
    load_again(world->coordinator, 0);
    log_load(world->sim, world->coordinator);
}

void world_deinit(struct world *world) {
    coordinator_stop(world->coordinator);
    while (coordinator_is_busy(world->coordinator)) step(world);
    coordinator_free(world->coordinator);
    coordinator_host_free(world->host);
    log_store_close(world->sim, world->ring, world->store, world->directory);
    free(world->directory);
    catalog_deinit(&world->catalog);
    options_free(world->options);
    sim_free(world->sim);
}

void world_pass_ms(struct world *world, int64_t ms) {
    uint64_t until_ns = sim_now_ns(world->sim) + (uint64_t)ms * NS_PER_MS;
    while (sim_step(world->sim, until_ns)) continue;
}

/* --- the catalog --- */

struct edit {
    struct arena arena;
    struct change_records records;
    struct change change;
};

static void edit_begin(struct edit *edit, struct world *world) {
    arena_init(&edit->arena, 1 << 20);
    change_records_init(&edit->records, 1000);
    change_init(&edit->change, &edit->arena, &world->catalog, 1, SHARDS, &edit->records);
}

static void edit_end(struct edit *edit, struct world *world) {
    struct byte_buffer batch = {0};
    struct error error;
    cr_assert(change_records_count(&edit->records) > 0, "the catalog's change was refused");
    change_records_finish(&edit->records, &batch);
    cr_assert(catalog_apply(&world->catalog, byte_buffer_bytes(&batch), NULL, &error), "%s",
              error.text);
    byte_buffer_deinit(&batch);
    change_records_deinit(&edit->records);
    arena_deinit(&edit->arena);
    if (world->quiet) return;
    groups_catalog_changed(world->coordinator);
    ring_round(world->ring, false);
}

const struct catalog_topic *world_topic(struct world *world, const char *name, int32_t partitions) {
    struct topic_wish wish = {bytes_of_text(name), partitions, -1, 0, NULL, 0, NULL};
    struct topic_outcome outcome;
    struct edit edit;
    edit_begin(&edit, world);
    change_create_topics(&edit.change, &wish, 1, &outcome);
    edit_end(&edit, world);
    return catalog_find_topic(&world->catalog, bytes_of_text(name));
}

void world_delete_topic(struct world *world, const char *name) {
    struct delete_wish wish = {.name = bytes_of_text(name)};
    struct delete_outcome outcome;
    struct edit edit;
    edit_begin(&edit, world);
    change_delete_topics(&edit.change, &wish, 1, &outcome);
    edit_end(&edit, world);
}

void world_grow_topic(struct world *world, const char *name, int32_t partitions) {
    struct partitions_wish wish = {bytes_of_text(name), partitions, -1, NULL};
    struct change_result result;
    struct edit edit;
    edit_begin(&edit, world);
    change_create_partitions(&edit.change, &wish, 1, &result);
    edit_end(&edit, world);
}

struct consumer_group *world_group(struct world *world, const char *id) {
    struct group *group = groups_find(coordinator_state(world->coordinator), bytes_of_text(id));
    return group ? consumer_of(group) : NULL;
}

struct world_work {
    struct coordinator_call call;
    void (*work)(struct groups *groups, void *context);
    void *context;
    bool done;
};

static void on_work(struct coordinator_call *call, void *state) {
    struct world_work *work = container_of(call, struct world_work, call);
    struct groups *groups = state;
    work->work(groups, work->context);
    coordinator_finish(call, coordinator_end(groups->coordinator));
}

static void on_work_done(struct coordinator_call *call) {
    container_of(call, struct world_work, call)->done = true;
}

void world_do(struct world *world, void (*work)(struct groups *groups, void *context),
              void *context) {
    struct world_work one = {.call = {.run = on_work, .done = on_work_done, .writes = true},
                             .work = work,
                             .context = context};
    coordinator_submit(world->coordinator, &one.call);
    ring_round(world->ring, false);
    while (!one.done) step(world);
    cr_assert(one.call.code == ERROR_NONE);
}

/* --- heartbeats --- */

static void on_done(struct group_call *call) { container_of(call, struct beat, call)->done = true; }

void beat_init(struct beat *beat, struct world *world, const char *group, const char *member,
               int32_t epoch) {
    *beat = (struct beat){.world = world};
    arena_init(&beat->arena, 64 << 20);
    message_defaults(&consumer_group_heartbeat_request_message, &beat->request);
    message_defaults(&consumer_group_heartbeat_response_message, &beat->response);
    beat->request.group_id = arena_copy(&beat->arena, bytes_of_text(group));
    beat->request.member_id = arena_copy(&beat->arena, bytes_of_text(member));
    beat->request.member_epoch = epoch;
    beat->call = (struct group_call){.api = &consumer_heartbeat_api,
                                     .request = &beat->request,
                                     .response = &beat->response,
                                     .arena = &beat->arena,
                                     .version = 1,
                                     .client_id = BYTES_OF("client"),
                                     .client_host = BYTES_OF("/127.0.0.1"),
                                     .done = on_done};
}

/* The next piece of a text up to `end`, or false. */
static bool next_piece(const char **rest, char end, struct bytes *piece) {
    if (!*rest || !**rest) return false;
    const char *at = strchr(*rest, end);
    *piece = bytes_make(*rest, at ? (size_t)(at - *rest) : strlen(*rest));
    *rest = at ? at + 1 : NULL;
    return true;
}

void beat_names(struct beat *beat, const char *topics) {
    beat->request.subscribed_topic_names = arena_array(&beat->arena, struct bytes, strlen(topics));
    beat->request.subscribed_topic_names_count = 0;
    for (struct bytes one; next_piece(&topics, ',', &one);)
        beat->request.subscribed_topic_names[beat->request.subscribed_topic_names_count++] =
            arena_copy(&beat->arena, one);
}

void beat_owns(struct beat *beat, const char *partitions) {
    size_t room = strlen(partitions);
    beat->request.topic_partitions =
        arena_array(&beat->arena, struct consumer_group_heartbeat_request_topic_partitions, room);
    beat->request.topic_partitions_count = 0;
    for (struct bytes topic; next_piece(&partitions, ';', &topic);) {
        struct consumer_group_heartbeat_request_topic_partitions *one =
            &beat->request.topic_partitions[beat->request.topic_partitions_count++];
        const char *text = arena_text(&beat->arena, topic);
        struct bytes piece;
        cr_assert(next_piece(&text, ':', &piece));
        const struct catalog_topic *found = catalog_find_topic(&beat->world->catalog, piece);
        cr_assert(found, "no topic %.*s", BYTES_FORMAT(piece));
        one->topic_id = found->id;
        one->partitions = arena_array(&beat->arena, int32_t, room);
        while (next_piece(&text, ',', &piece))
            one->partitions[one->partitions_count++] = atoi(arena_text(&beat->arena, piece));
    }
}

void beat_join(struct beat *beat, const char *topics) {
    beat->request.rebalance_timeout_ms = 60000;
    beat_owns(beat, "");
    beat_names(beat, topics);
}

void beat_send(struct beat *beat) { group_call_submit(beat->world->coordinator, &beat->call); }

enum error_code beat_wait(struct beat *beat) {
    uint64_t until_ns = sim_now_ns(beat->world->sim) + ANSWER_S * NS_PER_S;
    while (!beat->done) {
        cr_assert(sim_now_ns(beat->world->sim) < until_ns, "no answer");
        step(beat->world);
    }
    return (enum error_code)beat->response.error_code;
}

static int compare_texts(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *topic_text(struct beat *beat,
                        const struct consumer_group_heartbeat_response_topic_partitions *one) {
    struct text text = {0};
    const struct catalog_topic *topic =
        catalog_find_topic_id(&beat->world->catalog, &one->topic_id);
    text_printf(&text, "%s:", topic ? topic->name : "?");
    for (int32_t i = 0; i < one->partitions_count; i++)
        text_printf(&text, "%s%d", i ? "," : "", one->partitions[i]);
    char *copy = arena_text(&beat->arena, text_bytes(&text));
    text_deinit(&text);
    return copy;
}

const char *beat_assignment(struct beat *beat) {
    const struct consumer_group_heartbeat_response_assignment *assignment =
        beat->response.assignment;
    if (!assignment) return "none";
    int32_t count = assignment->topic_partitions_count;
    char **topics = arena_array(&beat->arena, char *, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        topics[i] = topic_text(beat, &assignment->topic_partitions[i]);
    qsort(topics, (size_t)count, sizeof *topics, compare_texts);
    struct text text = {0};
    for (int32_t i = 0; i < count; i++) text_printf(&text, "%s%s", i ? ";" : "", topics[i]);
    char *copy = arena_text(&beat->arena, text_bytes(&text));
    text_deinit(&text);
    return copy;
}

void beat_deinit(struct beat *beat) { arena_deinit(&beat->arena); }
