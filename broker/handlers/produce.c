/* Produce. The parts of a request are validated on the connection's core (large ones that
 * inflate or have a contract, on a worker), go to the shards that own their partitions, and come
 * back when they are durable or refused:
 *
 *   start ─► validate ─┬────────────────────────────► leave ─► append on the shard ─► answer
 *                      ├─► worker: large batches ──────┤
 *                      └─► contracts are loading ──────┘
 *
 * Requests of one connection overlap, but their parts leave in request order: one that waits for a
 * worker holds back those behind it, because an idempotent producer's batches must arrive in
 * sequence. acks=1 and acks=all are the same, durable and in order; acks=0 gets no answer, and an
 * error ends the connection, as Kafka does. */
#include "protocol/produce.h"

#include "base/clock.h"
#include "broker/connection.h"
#include "broker/handlers/handlers.h"
#include "broker/handlers/part.h"
#include "broker/handlers/produce_contract.h"
#include "broker/rejects.h"
#include "storage/partition.h"
#include "storage/validate.h"

enum {
    INFLATE_HERE_BYTES = 64 << 10, /* compressed, in one request; the rest goes to a worker */
    CHECK_HERE_BYTES = 16 << 10,   /* of batches with a contract, likewise */
    EMPTY_PARTS_MAX = 1000,        /* parts without room for a batch: no client sends any */
    CONTRACTS_LOOK_MS = 10,        /* while the registry is being loaded */
};

struct produce_part {
    struct part part;
    struct bytes batch;
    struct produce_response_partition_produce_response *out;
    struct validate_rules rules;
    struct validate_result result;
    struct produce_contract contract;
    struct append append;
    bool is_large;
};

struct produce {
    struct parts parts;
    struct produce_response *response;
    struct produce_part *items;
    int32_t count;
    size_t inflate_bytes; /* compressed bytes in the parts so far */
    size_t check_bytes;   /* bytes with a contract in them */
    bool validated;
    bool waits; /* for contracts */
    uint64_t deadline_ns;
    struct work work; /* of the large ones */
    int64_t now_ms;
};

/* --- validation --- */

static void validate_rules_fill(struct validate_rules *rules, const struct topic_config *config,
                                const struct request *request) {
    const struct options *options = request->core->options;
    *rules = (struct validate_rules){
        .message_bytes_max = config->message_bytes_max,
        .compacted = config->cleanup_compact,
        .append_time = config->append_time,
        .timestamp_before_ms_max = config->timestamp_before_ms_max,
        .timestamp_after_ms_max = config->timestamp_after_ms_max,
        .decompressed_bytes_max = (size_t)options->decompressed_bytes_max,
        .ratio_max = (uint32_t)options->decompression_ratio_max,
        .produce_version = request->version,
    };
}

static struct validate_context context_of(struct request *request, struct produce_part *item,
                                          struct inflater *inflater) {
    struct produce *state = request->state;
    return (struct validate_context){.rules = &item->rules,
                                     .now_ms = state->now_ms,
                                     .inflater = inflater,
                                     .arena = &request->arena};
}

/* No transaction can have begun here (init_producer_id.c), so a batch of one is a stray. */
static void refuse_transactional(struct produce_part *item) {
    if (item->result.code != ERROR_NONE || !batch_transactional(&item->result.header)) return;
    item->result.code = ERROR_INVALID_TXN_STATE;
    item->result.error_message = BYTES_OF("this broker does not serve transactions");
}

static void part_validated(struct produce_part *item) {
    refuse_transactional(item);
    if (item->result.code == ERROR_NONE)
        validate_correct((uint8_t *)item->batch.at, &item->rules, &item->result);
    item->part.code = item->result.code;
}

/* `checked`: against a contract, which costs more than all the rest of its way. */
static bool part_is_large(struct produce *state, const struct produce_part *item, bool checked) {
    size_t bytes = validate_inflate_size(&item->result.header);
    state->inflate_bytes += bytes;
    if (checked) state->check_bytes += item->batch.len;
    return (bytes > 0 && state->inflate_bytes > INFLATE_HERE_BYTES) ||
           (checked && state->check_bytes > CHECK_HERE_BYTES);
}

static void part_validate(struct request *request, struct produce_part *item,
                          const struct catalog_topic *topic) {
    struct core *core = request->core;
    struct validate_context context = context_of(request, item, core->inflater);
    validate_header(item->batch, &context, &item->result);
    if (item->result.code == ERROR_NONE) {
        bool checked = produce_contract_begin(&item->contract, core, topic);
        item->is_large = part_is_large(request->state, item, checked);
        if (item->is_large) {
            if (checked) produce_contract_lend(&item->contract, core, topic);
            return;
        }
        validate_records(item->batch, &context, &item->result);
        if (checked && item->result.code == ERROR_NONE)
            produce_contract_check(&item->contract, core, topic, &item->result);
    }
    part_validated(item);
}

/* On a worker, while the request's core leaves the request alone. */
static void work_validate(struct work *work) {
    struct produce *state = container_of(work, struct produce, work);
    struct request *request = state->parts.request;
    struct inflater *inflater = inflater_new();
    for (int32_t i = 0; i < state->count; i++) {
        struct produce_part *item = &state->items[i];
        if (!item->is_large) continue;
        struct validate_context context = context_of(request, item, inflater);
        validate_records(item->batch, &context, &item->result);
        if (item->contract.loan && item->result.code == ERROR_NONE)
            produce_contract_check_lent(&item->contract, &item->result);
        part_validated(item);
    }
    inflater_free(inflater);
}

/* --- on the shard --- */

static void append_finish(struct produce_part *item) {
    part_finish(&item->part, item->append.code);
}

static void append_done(struct append *append) {
    append_finish(container_of(append, struct produce_part, append));
}

static enum error_code append_judge(struct append *append) {
    struct produce_part *item = container_of(append, struct produce_part, append);
    return produce_contract_judge(&item->contract, item->part.errand.there, append, &item->rules);
}

static void part_append(struct part *part, struct partition *partition) {
    struct produce_part *item = container_of(part, struct produce_part, part);
    item->append.batch = item->batch;
    item->append.header = item->result.header;
    item->append.append_time_ms =
        item->rules.append_time ? ring_wall_ms(part->errand.there->ring) : -1;
    item->append.done = append_done;
    item->append.judge = append_judge;
    if (partition_append(partition, &item->append) == APPEND_REFUSED) append_finish(item);
}

/* --- the answer --- */

static void fill_errors(struct request *request, struct produce_part *item) {
    const struct validate_result *result = &item->result;
    struct bytes message = result->error_message;
    if (bytes_is_null(message)) message = bytes_of_text(error_code_message(item->out->error_code));
    item->out->error_message = message;
    if (item->part.code == ERROR_INVALID_RECORD)
        produce_contract_explain(&item->contract, &request->arena, item->out);
    if (result->record_error_count == 0) return;
    item->out->record_errors_count = (int32_t)result->record_error_count;
    item->out->record_errors =
        arena_array(&request->arena, struct produce_response_batch_index_and_error_message,
                    result->record_error_count);
    for (size_t i = 0; i < result->record_error_count; i++)
        item->out->record_errors[i] = (struct produce_response_batch_index_and_error_message){
            .batch_index = result->record_errors[i].batch_index,
            .batch_index_error_message = result->record_errors[i].text,
        };
}

static void fill_part(struct request *request, struct produce_part *item) {
    item->out->error_code = (int16_t)item->part.code;
    if (item->part.code != ERROR_NONE) {
        fill_errors(request, item);
        return;
    }
    item->out->base_offset = item->append.base_offset;
    item->out->log_append_time_ms = item->append.timestamp_ms;
    item->out->log_start_offset = item->append.log_start_offset;
}

/* What was refused for it, or stored in spite of it: not what was stored before, and not what was
 * refused for another reason. By its id: the topic may be gone by now, and then nobody asks. */
static void part_report(struct request *request, struct produce_part *item) {
    const struct core *core = request->core;
    bool refused = item->contract.breaches->bad_count > 0;
    if (item->part.code != (refused ? ERROR_INVALID_RECORD : ERROR_NONE)) return;
    const struct catalog_topic *topic =
        catalog_find_topic_id(&core->catalog, &item->contract.topic_id);
    const struct reject_source source = {.client_id = request->client_id,
                                         .peer = request->connection->ticket->peer,
                                         .topic = topic ? topic->name : NULL,
                                         .partition = item->out->index,
                                         .header = &item->result.header};
    if (topic) rejects_report(core->rejects, &source, item->contract.breaches);
}

static void done(struct request *request) {
    struct produce *state = request->state;
    const struct produce_request *body = request->body;
    bool failed = false;
    for (int32_t i = 0; i < state->count; i++) {
        fill_part(request, &state->items[i]);
        if (state->items[i].part.code != ERROR_NONE) failed = true;
        if (state->items[i].contract.breaches) part_report(request, &state->items[i]);
        produce_contract_end(&state->items[i].contract);
    }
    if (body->acks == 0)
        request_answer_silently(request, failed);
    else
        request_answer(request, state->response);
}

/* --- in order --- */

static void leave(struct request *request) {
    struct produce *state = request->state;
    parts_begin(&state->parts, request, done);
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].part.code == ERROR_NONE)
            part_send(&state->parts, &state->items[i].part, part_append);
    parts_end(&state->parts);
}

static void leave_in_order(struct connection *connection) {
    for (struct list *node; (node = list_first(&connection->produce_order));) {
        struct request *request = list_entry(node, struct request, produce_order);
        if (!((struct produce *)request->state)->validated) return;
        list_remove(node);
        leave(request);
    }
}

static void validated(struct request *request) {
    ((struct produce *)request->state)->validated = true;
    leave_in_order(request->connection);
}

/* A batch with a contract waits for the registry until its time-out; the shard tells then. */
static bool awaits_contracts(const struct request *request) {
    const struct produce *state = request->state;
    if (request->core->schemas->loaded || request_is_dead(request)) return false;
    if (ring_now_ns(request->core->ring) >= state->deadline_ns) return false;
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].part.code == ERROR_NONE && state->items[i].contract.loading)
            return true;
    return false;
}

static void count_wait(struct produce *state, struct contract_counts *counts, bool waits) {
    if (waits == state->waits) return;
    if (waits) {
        counts->waited++;
        counts->waiting++;
    } else {
        counts->waiting--;
    }
    state->waits = waits;
}

static void await_contracts(struct request *request) {
    struct produce *state = request->state;
    bool waits = awaits_contracts(request);
    count_wait(state, &request->core->contract_counts, waits);
    if (!waits) {
        validated(request);
        return;
    }
    uint64_t look_ns = ring_now_ns(request->core->ring) + CONTRACTS_LOOK_MS * NS_PER_MS;
    request_park(request, look_ns < state->deadline_ns ? look_ns : state->deadline_ns);
}

static void work_done(struct work *work) {
    struct produce *state = container_of(work, struct produce, work);
    struct request *request = state->parts.request;
    for (int32_t i = 0; i < state->count; i++)
        produce_contract_count_lent(&state->items[i].contract, request->core,
                                    &state->items[i].result);
    await_contracts(request);
}

/* --- the beginning --- */

static enum error_code acks_code(int16_t acks) {
    return acks >= -1 && acks <= 1 ? ERROR_NONE : ERROR_INVALID_REQUIRED_ACKS;
}

static void prepare_part(struct request *request, struct produce_part *item,
                         const struct catalog_topic *topic) {
    const struct produce_request *body = request->body;
    enum error_code missing =
        request->version >= 13 ? ERROR_UNKNOWN_TOPIC_ID : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    item->append.deadline_ns = ((struct produce *)request->state)->deadline_ns;
    item->append.may_time_out = true;
    list_init(&item->append.link);
    if (acks_code(body->acks) != ERROR_NONE) {
        item->part.code = acks_code(body->acks);
    } else if (!part_find(&item->part, topic, item->out->index, missing)) {
        return;
    } else if (catalog_topic_is_ours(&request->core->catalog, topic)) {
        item->part.code = ERROR_INVALID_TOPIC_EXCEPTION;
    } else {
        validate_rules_fill(&item->rules, &topic->effective, request);
        part_validate(request, item, topic);
    }
}

static void prepare_topic(struct request *request,
                          const struct produce_request_topic_produce_data *topic,
                          struct produce_response_topic_produce_response *to) {
    struct produce *state = request->state;
    const struct catalog *catalog = &request->core->catalog;
    const struct catalog_topic *known = request->version >= 13
                                            ? catalog_find_topic_id(catalog, &topic->topic_id)
                                            : catalog_find_topic(catalog, topic->name);
    to->name = topic->name;
    to->topic_id = topic->topic_id;
    to->partition_responses_count = topic->partition_data_count;
    to->partition_responses =
        arena_array(&request->arena, struct produce_response_partition_produce_response,
                    (size_t)topic->partition_data_count);
    for (int32_t i = 0; i < topic->partition_data_count; i++) {
        struct produce_part *item = &state->items[state->count++];
        item->batch = topic->partition_data[i].records;
        item->out = &to->partition_responses[i];
        *item->out = (struct produce_response_partition_produce_response){
            .index = topic->partition_data[i].index,
            .base_offset = -1,
            .log_append_time_ms = -1,
            .log_start_offset = -1,
            .current_leader = {.leader_id = -1, .leader_epoch = -1},
        };
        prepare_part(request, item, known);
    }
}

static size_t count_partitions(const struct produce_request *body) {
    size_t count = 0;
    for (int32_t i = 0; i < body->topic_data_count; i++)
        count += (size_t)body->topic_data[i].partition_data_count;
    return count;
}

static bool has_large(const struct produce *state) {
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].is_large) return true;
    return false;
}

static void start(struct request *request) {
    const struct produce_request *body = request->body;
    size_t count = count_partitions(body);
    if (count > EMPTY_PARTS_MAX + request->frame_size / BATCH_HEADER_SIZE) {
        request_fail(request, ERROR_INVALID_REQUEST, "it has more parts than its bytes can fill");
        return;
    }
    struct produce *state = arena_new(&request->arena, struct produce);
    request->state = state;
    state->parts.request = request;
    state->now_ms = ring_wall_ms(request->core->ring);
    state->deadline_ns =
        request->started_ns + (body->timeout_ms > 0 ? (uint64_t)body->timeout_ms : 0) * NS_PER_MS;
    state->response = request_response(request);
    state->items = arena_array(&request->arena, struct produce_part, count);
    state->response->responses_count = body->topic_data_count;
    state->response->responses =
        arena_array(&request->arena, struct produce_response_topic_produce_response,
                    (size_t)body->topic_data_count);
    for (int32_t i = 0; i < body->topic_data_count; i++)
        prepare_topic(request, &body->topic_data[i], &state->response->responses[i]);
    list_append(&request->connection->produce_order, &request->produce_order);
    if (has_large(state)) {
        state->work.run = work_validate;
        state->work.done = work_done;
        ring_work(request->core->ring, &state->work);
    } else {
        await_contracts(request);
    }
}

/* Nobody wakes it: it looks by itself. */
const struct handler produce_handler = {
    .key = API_PRODUCE, .start = start, .expire = await_contracts};
