#include "coordinator/counter_world.h"

#include "protocol/group_records.h"

static bool has_crashed;
LOG_FIXTURE_NO_LEAKS(has_crashed)

/* --- the machine: a counter's record is that of an offset --- */

static void write_one(struct counter_world *world, int index, size_t bytes) {
    const struct offset_commit_key key = {
        .group = BYTES_OF("counters"), .topic = BYTES_OF("c"), .partition = index};
    uint8_t *payload = memory_zero(1, bytes + 1);
    const struct offset_commit_value value = {.offset = world->values[index],
                                              .metadata = bytes_make(payload, bytes)};
    coordinator_write(world->coordinator, &offset_commit_key_message, &key,
                      &offset_commit_value_message, 4, &value);
    free(payload);
}

/* As many records as the payload needs. */
static void write_counter(struct counter_world *world, int index) {
    size_t left = world->payload_bytes;
    do {
        size_t bytes = left < COUNTER_RECORD_BYTES ? left : COUNTER_RECORD_BYTES;
        write_one(world, index, bytes);
        left -= bytes;
    } while (left > 0);
    world->release_at[index] = coordinator_end(world->coordinator);
}

static void *state_new(struct coordinator *coordinator, void *context) {
    struct counter_world *world = context;
    world->coordinator = coordinator;
    memset(world->values, 0, sizeof world->values);
    memset(world->release_at, 0, sizeof world->release_at);
    world->replayed = world->loaded = 0;
    return world;
}

static void state_free(void *state) { ((struct counter_world *)state)->freed++; }

static bool replay(void *state, const struct coordinator_record *record, struct error *error) {
    struct counter_world *world = state;
    struct offset_commit_key key;
    struct offset_commit_value value;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    bool read =
        coordinator_record_key(record, &offset_commit_key_message, &arena, &key, error) &&
        coordinator_record_value(record, &offset_commit_value_message, &arena, &value, error);
    if (read) world->values[key.partition] = value.offset;
    arena_deinit(&arena);
    world->replayed++;
    return read && (!world->refuses || error_set(error, 0, "refused"));
}

static void loaded(void *state) { ((struct counter_world *)state)->loaded++; }

static size_t image_bytes(void *state) {
    const struct counter_world *world = state;
    return COUNTERS * (100 + (size_t)world->payload_bytes);
}

static void image_begin(void *state) { ((struct counter_world *)state)->image_next = 0; }

/* Four at a time. */
static bool image_step(void *state) {
    struct counter_world *world = state;
    for (int i = 0; i < 4 && world->image_next < COUNTERS; i++, world->image_next++)
        if (world->values[world->image_next]) write_counter(world, world->image_next);
    return world->image_next < COUNTERS;
}

static const struct coordinator_kind counter_kind = {
    .name = "counters",
    .state_new = state_new,
    .state_free = state_free,
    .replay = replay,
    .loaded = loaded,
    .image_bytes = image_bytes,
    .image_begin = image_begin,
    .image_step = image_step,
};

/* --- life --- */

void counter_open(struct counter_world *world) {
    world->ring = sim_ring_new(world->sim);
    world->host = coordinator_host_new(world->ring, world->drain.begin ? &world->drain : NULL);
    world->directory = new_zero(struct data_directory);
    world->store = log_store_open(world->sim, world->ring, world->directory);
    world->coordinator = coordinator_open(world->host, store_find_partition(world->store, LOG_ID),
                                          &counter_kind, world);
}

void counter_load(struct counter_world *world) {
    counter_open(world);
    log_load(world->sim, world->coordinator);
}

void counter_init(struct counter_world *world, uint64_t seed) {
    *world = (struct counter_world){.sim = sim_new(seed)};
    counter_load(world);
}

void counter_crash(struct counter_world *world, bool power_cut) {
    has_crashed = true;
    log_crash(world->sim, world->ring, power_cut);
}

void counter_stop(struct counter_world *world) {
    coordinator_stop(world->coordinator);
    while (coordinator_is_busy(world->coordinator)) log_step(world->sim);
    coordinator_free(world->coordinator);
    coordinator_host_free(world->host);
    log_store_close(world->sim, world->ring, world->store, world->directory);
    free(world->directory);
}

void counter_deinit(struct counter_world *world) {
    counter_stop(world);
    sim_free(world->sim);
}

void counter_pass_ms(struct counter_world *world, int64_t ms) {
    uint64_t until_ns = sim_now_ns(world->sim) + (uint64_t)ms * NS_PER_MS;
    ring_round(world->ring, false);
    while (sim_step(world->sim, until_ns)) continue;
}

/* --- calls --- */

static struct counter_call *call_of(struct coordinator_call *call) {
    return container_of(call, struct counter_call, call);
}

static void on_run(struct coordinator_call *self, void *state) {
    struct counter_call *call = call_of(self);
    struct counter_world *world = state;
    call->begun = true;
    if (call->kind == COUNTER_WAIT) return;
    if (call->kind == COUNTER_SET || call->kind == COUNTER_PUSH) {
        world->values[call->index] = call->value;
        write_counter(world, call->index);
    }
    call->value = world->values[call->index];
    coordinator_finish(self, world->release_at[call->index]);
}

static void on_hurry(struct coordinator_call *self, void *state) {
    struct counter_call *call = call_of(self);
    (void)state;
    call->hurried = true;
    coordinator_finish(self, 0);
}

static void on_done(struct coordinator_call *self) {
    struct counter_call *call = call_of(self);
    cr_assert(!call->done, "a call is answered twice");
    call->done = true;
    if (call->count) call->order = (*call->count)++;
}

void counter_send(struct counter_world *world, struct counter_call *call, enum counter_kind kind,
                  int index, int64_t value, unsigned *count) {
    *call = (struct counter_call){.call = {.run = on_run,
                                           .done = on_done,
                                           .hurry = kind == COUNTER_WAIT ? on_hurry : NULL,
                                           .writes = kind == COUNTER_SET},
                                  .world = world,
                                  .kind = kind,
                                  .index = index,
                                  .value = value,
                                  .count = count};
    coordinator_submit(world->coordinator, &call->call);
}

void counter_wake(struct counter_call *call) { coordinator_finish(&call->call, 0); }

void counter_wait(struct counter_world *world, const struct counter_call *call) {
    for (int i = 0; !call->done; i++) {
        cr_assert(i < 100000, "no answer");
        counter_pass_ms(world, 1);
    }
}

enum error_code counter_set(struct counter_world *world, int index, int64_t value) {
    struct counter_call call;
    counter_send(world, &call, COUNTER_SET, index, value, NULL);
    counter_wait(world, &call);
    return call.call.code;
}
