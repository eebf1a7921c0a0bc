#include "tests/sim/broker_sim.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/random.h"
#include "protocol/api_versions.h"
#include "protocol/create_topics.h"
#include "protocol/error_code.h"
#include "protocol/fetch.h"
#include "protocol/init_producer_id.h"
#include "protocol/metadata.h"
#include "protocol/produce.h"
#include "tests/sim/client.h"
#include "tests/sim/model.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"
#include "tests/sim/world.h"

enum {
    TOPICS_MAX = 3,
    PARTITIONS_MAX = 4, /* per topic */
    LOGS_MAX = TOPICS_MAX * PARTITIONS_MAX,
    PRODUCERS_MAX = 5,
    CONSUMERS_MAX = 3,
    ACTORS_MAX = 2 + PRODUCERS_MAX + CONSUMERS_MAX,
    IN_FLIGHT_MAX = 5,
    TOPIC_ID_VERSION = 13, /* of Produce and of Fetch */
    CORES_SIM_MAX = 3,
};

struct run;

/* One client program: an admin, a producer, a consumer or the auditor. */
struct actor {
    struct run *run;
    struct client *client;
    bool greeted; /* its ApiVersions was answered on this connection */
    void (*act)(struct actor *actor);
    void (*lost)(struct actor *actor);
};

struct producer_sim {
    struct actor actor;
    uint32_t log;
    bool idempotent;
    int64_t id; /* -1: not asked for yet */
    bool asking;
    uint32_t *batches; /* of an idempotent one: in order of sequence */
    uint32_t count, capacity, answered, sent, in_flight;
    bool refused;
};

struct consumer_sim {
    struct actor actor;
    int64_t offsets[LOGS_MAX];
    bool fetching;
};

struct topic_sim {
    char name[24];
    struct uuid id;
    int32_t partitions;
    uint32_t first_log;
    bool asking, exists; /* exists: somebody was told so */
};

struct run {
    struct world world;
    struct random random;
    struct model *model;
    struct topic_sim topics[TOPICS_MAX];
    unsigned topic_count;
    struct actor admin;
    struct consumer_sim auditor;
    struct producer_sim producers[PRODUCERS_MAX];
    struct consumer_sim consumers[CONSUMERS_MAX];
    struct actor *actors[ACTORS_MAX];
    unsigned actor_count, producer_count, consumer_count;
    unsigned lives, cores, steps_max, large;
    uint64_t journal_file_bytes; /* 0: as the broker makes them */
    size_t memory_bytes;
    bool drops; /* connections, now and then */
    bool has_faults, changes_cores, fault_is_armed, last;
    struct error error;
};

static uint64_t below(struct run *run, uint64_t bound) { return random_below(&run->random, bound); }
static bool chance(struct run *run, unsigned parts, unsigned of) { return below(run, of) < parts; }

/* --- actors --- */

struct greeting {
    struct call call;
    struct actor *actor;
};

static void greeting_answered(struct call *call, const void *response) {
    struct greeting *greeting = container_of(call, struct greeting, call);
    const struct api_versions_response *versions = response;
    if (versions) {
        seed_expect(versions->error_code == 0, "ApiVersions: %d", versions->error_code);
        seed_expect(versions->api_keys_count > 10, "ApiVersions names too few");
        greeting->actor->greeted = true;
    }
    free(greeting);
}

static void actor_connect(struct actor *actor) {
    actor->greeted = false;
    if (!client_connect(actor->client)) return;
    struct greeting *greeting = new_zero(struct greeting);
    greeting->call.answer = greeting_answered;
    greeting->actor = actor;
    struct api_versions_request request = {.client_software_name = BYTES_OF("sim"),
                                           .client_software_version = BYTES_OF("1")};
    client_send(actor->client, &greeting->call, API_API_VERSIONS, (int)below(actor->run, 5),
                &request);
}

static void actor_drop(struct actor *actor) {
    client_disconnect(actor->client);
    actor->greeted = false;
    if (actor->lost) actor->lost(actor);
}

static void actor_turn(struct actor *actor) {
    struct run *run = actor->run;
    bool was_connected = client_is_connected(actor->client);
    client_poll(actor->client);
    if (was_connected && !client_is_connected(actor->client)) actor_drop(actor);
    if (!chance(run, 1, 4)) return;
    if (!client_is_connected(actor->client))
        actor_connect(actor);
    else if (actor->greeted && run->drops && chance(run, 1, 2000))
        actor_drop(actor);
    else if (actor->greeted)
        actor->act(actor);
}

static void actor_add(struct run *run, struct actor *actor, void (*act)(struct actor *actor),
                      void (*lost)(struct actor *actor)) {
    *actor = (struct actor){
        .run = run, .client = client_new(run->world.sim, WORLD_ADDRESS), .act = act, .lost = lost};
    run->actors[run->actor_count++] = actor;
}

static struct topic_sim *topic_of(struct run *run, uint32_t log) {
    for (unsigned at = run->topic_count; at-- > 0;)
        if (run->topics[at].first_log <= log) return &run->topics[at];
    return NULL;
}

/* --- the admin: creates the topics, one after the other --- */

struct creation {
    struct call call;
    struct run *run;
    struct topic_sim *topic;
};

static void topic_exists(struct topic_sim *topic, const struct uuid *id) {
    seed_expect(!topic->exists || memcmp(&topic->id, id, sizeof *id) == 0, "%s has another id",
                topic->name);
    topic->id = *id;
    topic->exists = true;
}

static void metadata_answered(struct call *call, const void *response) {
    struct creation *creation = container_of(call, struct creation, call);
    const struct metadata_response *metadata = response;
    struct topic_sim *topic = creation->topic;
    topic->asking = false;
    if (metadata) {
        seed_expect(metadata->topics_count == 1 && metadata->topics[0].error_code == 0,
                    "%s exists, and Metadata does not know it", topic->name);
        seed_expect(metadata->topics[0].partitions_count == topic->partitions, "%s: %d partitions",
                    topic->name, metadata->topics[0].partitions_count);
        topic_exists(topic, &metadata->topics[0].topic_id);
    }
    free(creation);
}

static void topic_ask(struct run *run, struct topic_sim *topic) {
    struct creation *creation = new_zero(struct creation);
    *creation =
        (struct creation){.call = {.answer = metadata_answered}, .run = run, .topic = topic};
    struct metadata_request_metadata_request_topic wanted = {.name = bytes_of_text(topic->name)};
    struct metadata_request request = {.topics_count = 1, .topics = &wanted};
    topic->asking = true;
    client_send(run->admin.client, &creation->call, API_METADATA, 12, &request);
}

static void creation_answered(struct call *call, const void *response) {
    struct creation *creation = container_of(call, struct creation, call);
    const struct create_topics_response *created = response;
    struct topic_sim *topic = creation->topic;
    struct run *run = creation->run;
    topic->asking = false;
    free(creation);
    if (!created) return;
    int16_t code = created->topics[0].error_code;
    if (code == ERROR_NONE)
        topic_exists(topic, &created->topics[0].topic_id);
    else if (code == ERROR_TOPIC_ALREADY_EXISTS)
        topic_ask(run, topic);
    else
        seed_expect(run->fault_is_armed, "creating %s: %d", topic->name, code);
}

static void admin_act(struct actor *actor) {
    struct run *run = actor->run;
    for (unsigned at = 0; at < run->topic_count; at++) {
        struct topic_sim *topic = &run->topics[at];
        if (topic->asking) return;
        if (topic->exists) continue;
        if (at > 0 && !chance(run, 1, 20)) return;
        struct creation *creation = new_zero(struct creation);
        *creation =
            (struct creation){.call = {.answer = creation_answered}, .run = run, .topic = topic};
        struct create_topics_request_creatable_topic wanted = {.name = bytes_of_text(topic->name),
                                                               .num_partitions = topic->partitions,
                                                               .replication_factor = 1};
        struct create_topics_request request = {
            .topics_count = 1, .topics = &wanted, .timeout_ms = 10000};
        topic->asking = true;
        client_send(actor->client, &creation->call, API_CREATE_TOPICS, 7, &request);
        return;
    }
}

/* --- producers --- */

struct production {
    struct call call;
    struct producer_sim *producer;
    uint32_t id;
};

static void production_refused(struct production *production, int16_t code) {
    struct producer_sim *producer = production->producer;
    struct run *run = producer->actor.run;
    bool expected = code == ERROR_KAFKA_STORAGE_ERROR ||
                    (code == ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER && producer->refused);
    seed_expect(expected, "batch %u refused: %d", production->id, code);
    producer->refused = true;
    const struct model_batch *batch = model_batch(run->model, production->id);
    if (batch->tries > 0 && batch->base < 0) model_refused(run->model, production->id);
}

static void producer_settle(struct producer_sim *producer) {
    const struct run *run = producer->actor.run;
    while (producer->answered < producer->count &&
           model_batch(run->model, producer->batches[producer->answered])->acked)
        producer->answered++;
    if (producer->in_flight > 0 || !producer->refused) return;
    producer->refused = false;
    producer->sent = producer->answered;
}

static void production_answered(struct call *call, const void *response) {
    struct production *production = container_of(call, struct production, call);
    struct producer_sim *producer = production->producer;
    const struct produce_response *answer = response;
    producer->in_flight--;
    if (answer) {
        const struct produce_response_partition_produce_response *part =
            answer->responses[0].partition_responses;
        if (part->error_code == 0)
            model_acked(producer->actor.run->model, production->id, part->base_offset);
        else
            production_refused(production, part->error_code);
        producer_settle(producer);
    }
    free(production);
}

static void producer_lost(struct actor *actor) {
    struct producer_sim *producer = container_of(actor, struct producer_sim, actor);
    producer->sent = producer->answered;
    producer->refused = false;
    producer->asking = false;
}

static uint32_t producer_make(struct producer_sim *producer, int32_t sequence) {
    struct run *run = producer->actor.run;
    bool large = chance(run, run->large, 16);
    int32_t count = 1 + (int32_t)below(run, large ? 3 : 10);
    size_t size = large ? (10 + below(run, 150)) << 10 : below(run, 500);
    return model_make(run->model, producer->log, count, size, producer->id, sequence);
}

static uint32_t producer_next(struct producer_sim *producer) {
    struct run *run = producer->actor.run;
    if (!producer->idempotent) return producer_make(producer, -1);
    if (producer->sent < producer->count) return producer->batches[producer->sent++];
    int32_t sequence = 0;
    if (producer->count > 0) {
        const struct model_batch *last =
            model_batch(run->model, producer->batches[producer->count - 1]);
        sequence = last->sequence + last->count;
    }
    if (producer->count == producer->capacity) {
        producer->capacity = producer->capacity * 2 + 16;
        producer->batches =
            memory_resize(producer->batches, producer->capacity * sizeof *producer->batches);
    }
    producer->batches[producer->count++] = producer_make(producer, sequence);
    return producer->batches[producer->sent++];
}

static void producer_send(struct producer_sim *producer, uint32_t id, int version, int16_t acks) {
    struct run *run = producer->actor.run;
    const struct topic_sim *topic = topic_of(run, producer->log);
    const struct model_batch *batch = model_batch(run->model, id);
    struct produce_request_partition_produce_data data = {
        .index = (int32_t)(producer->log - topic->first_log),
        .records = bytes_make(batch->bytes, batch->len)};
    struct produce_request_topic_produce_data part = {.name = bytes_of_text(topic->name),
                                                      .topic_id = topic->id,
                                                      .partition_data_count = 1,
                                                      .partition_data = &data};
    struct produce_request request = {.transactional_id = BYTES_NULL,
                                      .acks = acks,
                                      .timeout_ms = 1 + (int32_t)below(run, 5000),
                                      .topic_data_count = 1,
                                      .topic_data = &part};
    model_sent(run->model, id);
    if (acks == 0) {
        client_send_silently(producer->actor.client, API_PRODUCE, version, &request);
        return;
    }
    struct production *production = new_zero(struct production);
    *production = (struct production){
        .call = {.answer = production_answered}, .producer = producer, .id = id};
    producer->in_flight++;
    client_send(producer->actor.client, &production->call, API_PRODUCE, version, &request);
}

struct identity {
    struct call call;
    struct producer_sim *producer;
};

static void identity_answered(struct call *call, const void *response) {
    struct identity *identity = container_of(call, struct identity, call);
    struct producer_sim *producer = identity->producer;
    struct run *run = producer->actor.run;
    const struct init_producer_id_response *answer = response;
    producer->asking = false;
    free(identity);
    if (!answer) return;
    if (answer->error_code != 0) {
        seed_expect(run->fault_is_armed, "InitProducerId: %d", answer->error_code);
        return;
    }
    seed_expect(answer->producer_epoch == 0, "epoch %d", answer->producer_epoch);
    for (unsigned at = 0; at < run->producer_count; at++)
        seed_expect(run->producers[at].id != answer->producer_id, "producer id %ld given twice",
                    (long)answer->producer_id);
    producer->id = answer->producer_id;
}

static void producer_ask(struct producer_sim *producer) {
    if (producer->asking) return;
    struct identity *identity = new_zero(struct identity);
    *identity = (struct identity){.call = {.answer = identity_answered}, .producer = producer};
    struct init_producer_id_request request = {.transactional_id = BYTES_NULL,
                                               .transaction_timeout_ms = 60000,
                                               .producer_id = -1,
                                               .producer_epoch = -1};
    producer->asking = true;
    client_send(producer->actor.client, &identity->call, API_INIT_PRODUCER_ID, 4, &request);
}

static void producer_act(struct actor *actor) {
    struct producer_sim *producer = container_of(actor, struct producer_sim, actor);
    struct run *run = actor->run;
    if (!topic_of(run, producer->log)->exists) return;
    if (producer->idempotent && producer->id < 0) {
        producer_ask(producer);
        return;
    }
    if (producer->in_flight >= IN_FLIGHT_MAX || producer->refused) return;
    bool silent = !producer->idempotent && chance(run, 1, 10);
    producer_send(producer, producer_next(producer), 3 + (int)below(run, 11),
                  silent ? 0 : (chance(run, 1, 4) ? 1 : -1));
}

static void producer_add(struct run *run, uint32_t logs) {
    struct producer_sim *producer = &run->producers[run->producer_count++];
    *producer = (struct producer_sim){
        .log = (uint32_t)below(run, logs), .idempotent = chance(run, 2, 3), .id = -1};
    actor_add(run, &producer->actor, producer_act, producer_lost);
}

/* --- consumers --- */

struct fetching {
    struct call call;
    struct consumer_sim *consumer;
    uint32_t logs[LOGS_MAX];
    int64_t offsets[LOGS_MAX], watermarks[LOGS_MAX]; /* asked for; known before */
    unsigned count;
    bool full;
};

static struct topic_sim *fetched_topic(struct run *run, int version,
                                       const struct fetch_response_fetchable_topic_response *part) {
    for (unsigned at = 0; at < run->topic_count; at++) {
        struct topic_sim *topic = &run->topics[at];
        bool same = version < TOPIC_ID_VERSION
                        ? bytes_equal_text(part->topic, topic->name)
                        : memcmp(&part->topic_id, &topic->id, sizeof topic->id) == 0;
        if (same) return topic;
    }
    return NULL;
}

static void fetched(struct fetching *fetching, uint32_t log,
                    const struct fetch_response_partition_data *data) {
    struct consumer_sim *consumer = fetching->consumer;
    struct run *run = consumer->actor.run;
    unsigned at = 0;
    while (at < fetching->count && fetching->logs[at] != log) at++;
    seed_expect(at < fetching->count, "log %u was not asked for", log);
    if (data->error_code != 0) {
        seed_expect(run->fault_is_armed, "fetch of log %u at %ld: %d", log,
                    (long)fetching->offsets[at], data->error_code);
        return;
    }
    struct model_log *known = model_log(run->model, log);
    seed_expect(data->high_watermark >= fetching->watermarks[at],
                "log %u: high watermark %ld, was %ld", log, (long)data->high_watermark,
                (long)fetching->watermarks[at]);
    if (data->high_watermark > known->high_watermark) known->high_watermark = data->high_watermark;
    seed_expect(data->last_stable_offset == data->high_watermark, "last stable offset");
    if (data->records.count > 0 && data->records.total > 0) {
        seed_expect(data->records.count == 1, "one slice is decoded");
        consumer->offsets[log] =
            model_read(run->model, log, fetching->offsets[at], data->records.pieces[0]);
        seed_expect(consumer->offsets[log] <= data->high_watermark, "log %u: read above", log);
    }
}

static void fetching_answered(struct call *call, const void *response) {
    struct fetching *fetching = container_of(call, struct fetching, call);
    struct run *run = fetching->consumer->actor.run;
    const struct fetch_response *answer = response;
    fetching->consumer->fetching = false;
    for (int32_t at = 0; answer && at < answer->responses_count; at++) {
        const struct topic_sim *topic = fetched_topic(run, call->version, &answer->responses[at]);
        seed_expect(topic, "a topic that nobody knows");
        for (int32_t part = 0; part < answer->responses[at].partitions_count; part++)
            fetched(
                fetching,
                topic->first_log + (uint32_t)answer->responses[at].partitions[part].partition_index,
                &answer->responses[at].partitions[part]);
    }
    if (answer) seed_expect(answer->error_code == 0, "fetch: %d", answer->error_code);
    free(fetching);
}

/* Fetches these logs from where the consumer is in each. */
static void consumer_fetch(struct consumer_sim *consumer, const bool *wanted, int version,
                           struct fetch_request *request) {
    struct run *run = consumer->actor.run;
    struct fetching *fetching = new_zero(struct fetching);
    fetching->call.answer = fetching_answered;
    fetching->consumer = consumer;
    struct fetch_request_fetch_topic topics[TOPICS_MAX] = {0};
    struct fetch_request_fetch_partition parts[LOGS_MAX] = {0};
    for (unsigned at = 0; at < run->topic_count; at++) {
        const struct topic_sim *topic = &run->topics[at];
        struct fetch_request_fetch_topic *out = &topics[request->topics_count];
        *out = (struct fetch_request_fetch_topic){.topic = bytes_of_text(topic->name),
                                                  .topic_id = topic->id,
                                                  .partitions = &parts[fetching->count]};
        for (int32_t index = 0; index < topic->partitions && topic->exists; index++) {
            uint32_t log = topic->first_log + (uint32_t)index;
            if (!wanted[log]) continue;
            parts[fetching->count] = (struct fetch_request_fetch_partition){
                .partition = index,
                .current_leader_epoch = -1,
                .fetch_offset = consumer->offsets[log],
                .last_fetched_epoch = -1,
                .log_start_offset = -1,
                .partition_max_bytes = 1 + (int32_t)below(run, chance(run, 1, 2) ? 2000 : 1000000)};
            fetching->logs[fetching->count] = log;
            fetching->offsets[fetching->count] = consumer->offsets[log];
            fetching->watermarks[fetching->count] = model_log(run->model, log)->high_watermark;
            fetching->count++;
            out->partitions_count++;
        }
        if (out->partitions_count > 0) request->topics_count++;
    }
    if (fetching->count == 0) {
        free(fetching);
        return;
    }
    consumer->fetching = true;
    request->topics = topics;
    client_send(consumer->actor.client, &fetching->call, API_FETCH, version, request);
    request->topics = NULL;
}

static void consumer_act(struct actor *actor) {
    struct consumer_sim *consumer = container_of(actor, struct consumer_sim, actor);
    struct run *run = actor->run;
    if (consumer->fetching) return;
    bool wanted[LOGS_MAX];
    for (uint32_t log = 0; log < LOGS_MAX; log++) {
        wanted[log] = chance(run, 1, 2);
        if (chance(run, 1, 50))
            consumer->offsets[log] =
                (int64_t)below(run, (uint64_t)model_log(run->model, log)->high_watermark + 1);
    }
    struct fetch_request request = {.replica_id = -1,
                                    .replica_state = {.replica_id = -1, .replica_epoch = -1},
                                    .max_wait_ms = (int32_t)below(run, 300),
                                    .min_bytes = (int32_t)below(run, 3000),
                                    .max_bytes = 1 + (int32_t)below(run, 2000000),
                                    .session_epoch = -1};
    consumer_fetch(consumer, wanted, 4 + (int)below(run, 14), &request);
}

static void consumer_lost(struct actor *actor) {
    container_of(actor, struct consumer_sim, actor)->fetching = false;
}

/* --- the auditor: reads everything, while nobody else does anything --- */

static void auditor_act(struct actor *actor) { (void)actor; }

static void auditor_turn(struct run *run) {
    struct actor *actor = &run->auditor.actor;
    world_step(&run->world);
    client_poll(actor->client);
    if (!client_is_connected(actor->client)) {
        actor_drop(actor);
        actor_connect(actor);
    }
}

static void audit_log(struct run *run, uint32_t log) {
    struct consumer_sim *auditor = &run->auditor;
    bool wanted[LOGS_MAX] = {0};
    wanted[log] = true;
    auditor->offsets[log] = 0;
    model_full_begin(run->model, log, 0);
    int64_t before = -1;
    unsigned still = 0;
    while (still < 3) { /* an answer may be empty when a fault spoilt it */
        struct fetch_request request = {.replica_id = -1,
                                        .replica_state = {.replica_id = -1, .replica_epoch = -1},
                                        .max_bytes = 4 << 20,
                                        .session_epoch = -1};
        before = auditor->offsets[log];
        while (!auditor->actor.greeted) auditor_turn(run);
        consumer_fetch(auditor, wanted, 11, &request);
        while (auditor->fetching) auditor_turn(run);
        still = auditor->offsets[log] == before ? still + 1 : 0;
    }
    model_full_end(run->model, log, model_log(run->model, log)->high_watermark);
}

static void run_audit(struct run *run) {
    for (unsigned at = 0; at < run->topic_count; at++)
        for (int32_t index = 0; index < run->topics[at].partitions && run->topics[at].exists;
             index++)
            audit_log(run, run->topics[at].first_log + (uint32_t)index);
}

/* --- lives --- */

static void run_arm_fault(struct run *run) {
    static const int errors[] = {EIO, EIO, ENOSPC, 0};
    run->fault_is_armed = run->has_faults && chance(run, 3, 4);
    sim_fail_disk(run->world.sim, 0, 0); /* an old one may not have come */
    if (run->fault_is_armed)
        sim_fail_disk(run->world.sim, 1 + below(run, chance(run, 1, 2) ? 150 : 1500),
                      errors[below(run, array_count(errors))]);
}

/* As SIGTERM does; the clients read on. */
static void run_stop(struct run *run) {
    world_drain(&run->world);
    while (world_is_draining(&run->world)) {
        world_step(&run->world);
        for (unsigned at = 0; at < run->actor_count; at++) client_poll(run->actors[at]->client);
    }
    world_close(&run->world);
}

static void run_step(struct run *run) {
    world_step(&run->world);
    for (unsigned at = 0; at < run->actor_count; at++) actor_turn(run->actors[at]);
}

/* One life up to its end; guarded, because a failed operation may end it anywhere. */
static void run_live(void *context) {
    struct run *run = context;
    unsigned cores = run->changes_cores ? 1 + (unsigned)below(run, CORES_SIM_MAX) : run->cores;
    run_arm_fault(run);
    if (!world_start(&run->world, cores, run->memory_bytes, &run->error)) {
        seed_expect(run->fault_is_armed, "the broker does not start: %s", run->error.text);
        return;
    }
    seed_expect(run->world.server->recovery.offline_partitions == 0, "partitions are offline");
    if (run->last || chance(run, 1, 2)) run_audit(run);
    for (uint64_t steps = below(run, run->steps_max); steps > 0; steps--) run_step(run);
    if (run->last) run_audit(run);
    if (!run->last && !chance(run, 1, 6)) return;
    run_stop(run);
}

static void run_end_life(struct run *run) {
    if (run->world.server) {
        seed_crashes();
        world_crash(&run->world, chance(run, 3, 5));
    }
    for (unsigned at = 0; at < run->actor_count; at++) actor_drop(run->actors[at]);
}

static struct run *run_new(uint64_t seed) {
    struct run *run = new_zero(struct run);
    random_init(&run->random, seed ^ 0xb0b);
    world_init(&run->world, seed);
    run->model = model_new(LOGS_MAX);
    run->topic_count = 1 + (unsigned)below(run, TOPICS_MAX);
    uint32_t logs = 0;
    for (unsigned at = 0; at < run->topic_count; at++) {
        struct topic_sim *topic = &run->topics[at];
        *topic = (struct topic_sim){.partitions = 1 + (int32_t)below(run, PARTITIONS_MAX),
                                    .first_log = logs};
        snprintf(topic->name, sizeof topic->name, "topic-%u", at);
        logs += (uint32_t)topic->partitions;
    }
    actor_add(run, &run->admin, admin_act, NULL);
    actor_add(run, &run->auditor.actor, auditor_act, consumer_lost);
    for (uint64_t at = 1 + below(run, PRODUCERS_MAX); at > 0; at--) producer_add(run, logs);
    for (uint64_t at = below(run, CONSUMERS_MAX + 1); at > 0; at--)
        actor_add(run, &run->consumers[run->consumer_count++].actor, consumer_act, consumer_lost);
    return run;
}

static void run_draw(struct run *run) {
    static const unsigned steps[] = {1000, 6000, 25000};
    run->drops = true;
    run->lives = 2 + (unsigned)below(run, 5);
    run->cores = 1 + (unsigned)below(run, 2);
    run->steps_max = steps[below(run, array_count(steps))];
    run->large = (unsigned)below(run, 4);
    run->memory_bytes = chance(run, 1, 4) ? 16 << 20 : 128 << 20;
    run->journal_file_bytes = chance(run, 2, 3) ? 1 << 20 : 0;
    struct options *options = run->world.options;
    options->journal_bytes_max = 24 << 20;
    options->auto_create_topics = false;
    if (chance(run, 1, 2)) options->segment_bytes = 64 << 10;
}

static uint64_t run_all(struct run *run) {
    if (run->journal_file_bytes && !run->changes_cores) {
        run->world.options->journal_bytes_max = 1;
        bool made =
            world_small_journals(&run->world, run->cores, 3, run->journal_file_bytes, &run->error);
        seed_expect(made, "%s", run->error.text);
    }
    for (unsigned life = 0; life < run->lives; life++) {
        run->last = life + 1 == run->lives;
        if (run->last) run->has_faults = false;
        bool survived = seams_survives(run_live, run);
        seed_expect(survived || run->fault_is_armed, "stopped without a fault");
        run_end_life(run);
    }
    if (seeds_tells())
        fprintf(stderr, "%u batches, %lu ms, %lu disk operations\n", model_batch_count(run->model),
                (unsigned long)(sim_now_ns(run->world.sim) / NS_PER_MS),
                (unsigned long)sim_disk_operations(run->world.sim));
    uint64_t digest = model_digest(run->model);
    digest = hash_u64(digest ^ sim_now_ns(run->world.sim));
    digest = hash_u64(digest ^ sim_disk_operations(run->world.sim));
    for (unsigned at = 0; at < run->actor_count; at++) client_free(run->actors[at]->client);
    for (unsigned at = 0; at < run->producer_count; at++) free(run->producers[at].batches);
    world_deinit(&run->world);
    model_free(run->model);
    free(run);
    return digest;
}

uint64_t broker_sim(uint64_t seed) {
    struct run *run = run_new(seed);
    run_draw(run);
    return run_all(run);
}

uint64_t broker_sim_faults(uint64_t seed) {
    struct run *run = run_new(seed);
    run_draw(run);
    run->has_faults = true;
    return run_all(run);
}

uint64_t broker_sim_cores(uint64_t seed) {
    struct run *run = run_new(seed);
    run_draw(run);
    run->changes_cores = true;
    return run_all(run);
}

/* --- once --- */

static void once_live(void *context) {
    struct run *run = context;
    bool started = world_start(&run->world, run->cores, 64 << 20, &run->error);
    seed_expect(started, "%s", run->error.text);
    struct producer_sim *producer = &run->producers[0];
    producer->actor.act = auditor_act; /* only what is done here */
    while (!run->topics[0].exists) run_step(run);
    for (int version = 3; version <= 13; version++) {
        uint32_t id = model_make(run->model, 0, 3, 100, -1, -1);
        while (!model_batch(run->model, id)->acked) {
            while (!producer->actor.greeted) run_step(run);
            producer_send(producer, id, version, -1);
            while (producer->in_flight > 0) run_step(run);
        }
    }
    struct consumer_sim *consumer = &run->auditor;
    for (int version = 4; version <= 17; version++) {
        const bool wanted[LOGS_MAX] = {true};
        consumer->offsets[0] = version; /* in the middle of a batch */
        struct fetch_request request = {.replica_id = -1,
                                        .replica_state = {.replica_id = -1, .replica_epoch = -1},
                                        .max_bytes = 1 << 20,
                                        .session_epoch = -1};
        while (consumer->offsets[0] < 33) {
            while (!consumer->actor.greeted) run_step(run);
            consumer_fetch(consumer, wanted, version, &request);
            request.topics_count = 0;
            while (consumer->fetching) run_step(run);
        }
        seed_expect(consumer->offsets[0] == 33, "fetched to %ld", (long)consumer->offsets[0]);
    }
    run_stop(run);
}

uint64_t broker_sim_once(uint64_t seed) {
    struct run *run = run_new(seed);
    run->cores = 1 + seed % 2;
    run->lives = 0;
    run->topic_count = 1;
    run->producer_count = 1;
    run->actor_count = 2;
    run->producers[0].log = 0;
    run->producers[0].idempotent = false;
    run->actors[run->actor_count++] = &run->producers[0].actor;
    bool survived = seams_survives(once_live, run);
    seed_expect(survived, "stopped without a fault");
    return run_all(run);
}
