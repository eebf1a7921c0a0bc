/* millrace consume: partitions are read by assignment, without a group. Unless it follows, the
 * command ends where the partitions ended when it began. What has a contract is printed as JSON,
 * unless a format or --raw asks for the bytes. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/consume.h"
#include "cli/offsets.h"
#include "cli/record_decode.h"
#include "cli/schema_registry.h"
#include "cli/start_offset.h"
#include "config/quantity.h"
#include "protocol/batch.h"
#include "protocol/compress.h"
#include "protocol/fetch.h"

enum {
    FETCH_VERSION = 12, /* the newest with names */
    FETCH_BYTES = 16 << 20,
    PARTITION_BYTES = 4 << 20,
    WAIT_MS = 500,
    RETRY_MS = 100,
    INFLATED_BYTES_MAX = 1 << 30,
};

struct position {
    int32_t partition, leader;
    int64_t next, end; /* end: where to stop unless following */
};

/* The JSON of one of the two parts of records. */
struct decoded {
    bool wanted;
    struct record_decode decode;
    struct text json; /* of the last record */
    struct error problem;
};

struct consumer {
    const struct settings *settings;
    struct cluster *cluster;
    struct error *error;
    const char *topic;
    struct position *positions;
    size_t count;
    struct start_offset start;
    bool follow;
    int64_t left;             /* records still wanted; INT64_MAX: all */
    consume_printer *printer; /* NULL: by format */
    struct record_format *format;
    struct record_contracts contracts;
    struct decoded parts[CONTRACT_PARTS];
    struct inflater *inflater;
    struct text out;
    struct arena arena;   /* for as long as the consumer */
    struct arena message; /* of one call */
    uint64_t progress_ns; /* when something last went well */
    bool any_bytes;       /* in the answers of this round */
    bool stale;           /* a leader has changed */
};

/* ---- which partitions, from where ---- */

/* --partition 0,3 --partition 5 */
static bool is_wanted(const struct consumer *consumer, int32_t partition) {
    const struct settings_list *only = &consumer->settings->only;
    char one[12];
    int len = snprintf(one, sizeof one, "%d", partition);
    for (size_t at = 0; at < only->count; at++)
        for (const char *text = only->items[at]; text; text = strchr(text, ',')) {
            text += *text == ',';
            if (strcspn(text, ",") == (size_t)len && memcmp(text, one, (size_t)len) == 0)
                return true;
        }
    return only->count == 0;
}

static bool check_wanted(const struct consumer *consumer, int32_t partition_count) {
    const struct settings_list *only = &consumer->settings->only;
    for (size_t at = 0; at < only->count; at++)
        for (const char *text = only->items[at]; text; text = strchr(text, ',')) {
            char one[24];
            int64_t partition;
            text += *text == ',';
            snprintf(one, sizeof one, "%.*s", (int)strcspn(text, ","), text);
            if (!number_parse_plain(one, &partition))
                return error_set(consumer->error, EINVAL, "--partition: \"%s\" is not a number",
                                 one);
            if (partition < 0 || partition >= partition_count)
                return error_set(consumer->error, ENOENT,
                                 "topic %s has no partition %s, only 0 to %d", consumer->topic, one,
                                 partition_count - 1);
        }
    return true;
}

static bool take_partitions(struct consumer *consumer) {
    const struct metadata_response_metadata_response_topic *topic;
    if (!cluster_topic(consumer->cluster, consumer->topic, false, &consumer->message, &topic,
                       consumer->error) ||
        !check_wanted(consumer, topic->partitions_count))
        return false;
    consumer->positions =
        arena_array(&consumer->arena, struct position, (size_t)topic->partitions_count);
    for (int32_t at = 0; at < topic->partitions_count; at++)
        if (is_wanted(consumer, topic->partitions[at].partition_index))
            consumer->positions[consumer->count++] =
                (struct position){.partition = topic->partitions[at].partition_index,
                                  .leader = topic->partitions[at].leader_id};
    return true;
}

static bool refresh_leaders(struct consumer *consumer) {
    const struct metadata_response_metadata_response_topic *topic;
    if (!cluster_topic(consumer->cluster, consumer->topic, false, &consumer->message, &topic,
                       consumer->error))
        return false;
    for (int32_t at = 0; at < topic->partitions_count; at++)
        for (size_t i = 0; i < consumer->count; i++)
            if (consumer->positions[i].partition == topic->partitions[at].partition_index)
                consumer->positions[i].leader = topic->partitions[at].leader_id;
    return true;
}

static struct offset_wish *ask_offsets(struct consumer *consumer, int64_t timestamp) {
    struct offset_wish *wishes =
        arena_array(&consumer->message, struct offset_wish, consumer->count);
    for (size_t at = 0; at < consumer->count; at++)
        wishes[at] = (struct offset_wish){consumer->positions[at].partition,
                                          consumer->positions[at].leader, timestamp, -1};
    bool good = offsets_list(consumer->cluster, consumer->topic, wishes, consumer->count,
                             &consumer->message, consumer->error);
    return good ? wishes : NULL;
}

static int64_t start_of(const struct start_offset *start, int64_t first, int64_t end,
                        int64_t asked) {
    switch (start->kind) {
        case START_EARLIEST: return first;
        case START_LATEST: return end;
        case START_AT: return start->value;
        case START_LAST: return end - first > start->value ? end - start->value : first;
        case START_TIME: return asked < 0 ? end : asked;
    }
    return first;
}

static bool check_start(const struct consumer *consumer, const struct position *position,
                        int64_t first) {
    if (consumer->start.kind != START_AT) return true;
    if (position->next >= first && position->next <= position->end) return true;
    return error_set(consumer->error, ERANGE,
                     "offset %lld is not in topic %s, partition %d, which has %lld to %lld",
                     (long long)position->next, consumer->topic, position->partition,
                     (long long)first, (long long)position->end);
}

static bool take_offsets(struct consumer *consumer) {
    bool by_time = consumer->start.kind == START_TIME;
    struct offset_wish *ends = ask_offsets(consumer, OFFSETS_LATEST);
    struct offset_wish *firsts = ends ? ask_offsets(consumer, OFFSETS_EARLIEST) : NULL;
    struct offset_wish *asked =
        firsts && by_time ? ask_offsets(consumer, consumer->start.value) : firsts;
    if (!asked) return false;
    for (size_t at = 0; at < consumer->count; at++) {
        struct position *position = &consumer->positions[at];
        position->end = ends[at].offset;
        position->next =
            start_of(&consumer->start, firsts[at].offset, ends[at].offset, asked[at].offset);
        if (!check_start(consumer, position, firsts[at].offset)) return false;
    }
    return true;
}

/* ---- records ---- */

static void decode_part(struct decoded *part, const struct record *record, struct bytes *json,
                        const char **problem) {
    if (!part->wanted) return;
    part->json.len = 0;
    if (record_decode_json(&part->decode, record, &part->json, &part->problem))
        *json = text_bytes(&part->json);
    else
        *problem = part->problem.text;
}

/* A value in a line of its own; one that cannot be decoded with its place and the reason. */
static bool print_decoded(struct consumer *consumer, struct consumed *consumed) {
    struct decoded *key = &consumer->parts[CONTRACT_OF_KEY];
    struct decoded *value = &consumer->parts[CONTRACT_OF_VALUE];
    if (consumer->settings->json)
        decode_part(key, consumed->record, &consumed->key_json, &consumed->key_problem);
    decode_part(value, consumed->record, &consumed->value_json, &consumed->value_problem);
    if (consumer->settings->json || consumed->value_problem) {
        record_print_json(consumed, &consumer->out);
    } else {
        text_append(&consumer->out, consumed->value_json);
        text_append(&consumer->out, BYTES_OF("\n"));
    }
    return true;
}

static bool print_consumed(struct consumer *consumer, struct consumed *consumed) {
    bool by_contract = consumer->parts[CONTRACT_OF_VALUE].wanted ||
                       (consumer->settings->json && consumer->parts[CONTRACT_OF_KEY].wanted);
    if (consumer->printer) return consumer->printer(consumed, consumer->settings, &consumer->out);
    if (by_contract) return print_decoded(consumer, consumed);
    if (consumer->settings->json)
        record_print_json(consumed, &consumer->out);
    else
        record_format_print(consumer->format, consumed, &consumer->out);
    return true;
}

static void print_record(struct consumer *consumer, const struct position *position,
                         const struct batch_header *header, const struct record *record) {
    struct consumed consumed = {
        .topic = bytes_of_text(consumer->topic),
        .partition = position->partition,
        .offset = header->base_offset + record->offset_delta,
        .append_time = batch_append_time(header),
        .timestamp = batch_append_time(header) ? header->max_timestamp
                                               : header->base_timestamp + record->timestamp_delta,
        .record = record,
    };
    bool past_end = !consumer->follow && consumed.offset >= position->end;
    if (consumed.offset < position->next || past_end || consumer->left == 0) return;
    if (print_consumed(consumer, &consumed) && consumer->left != INT64_MAX) consumer->left--;
}

static bool corrupt(const struct consumer *consumer, const struct position *position,
                    int64_t offset, const char *what) {
    return error_set(consumer->error, EBADMSG, "topic %s, partition %d, offset %lld: %s",
                     consumer->topic, position->partition, (long long)offset, what);
}

static bool inflate(struct consumer *consumer, const struct position *position,
                    const struct batch_header *header, struct bytes *records) {
    static const struct compress_limits limits = {INFLATED_BYTES_MAX, UINT32_MAX};
    enum codec codec = batch_codec(header);
    if (codec == CODEC_NONE) return true;
    if (codec >= CODEC_COUNT)
        return corrupt(consumer, position, header->base_offset, "the codec is unknown");
    if (inflater_run(consumer->inflater, codec, *records, limits, records) == INFLATE_DONE)
        return true;
    return corrupt(consumer, position, header->base_offset, "the batch cannot be decompressed");
}

static bool print_batch(struct consumer *consumer, struct position *position, struct bytes batch,
                        const struct batch_header *header) {
    struct record record;
    enum record_result result;
    struct bytes records = batch_records(batch);
    if (!batch_crc_valid(batch))
        return corrupt(consumer, position, header->base_offset, "the checksum is wrong");
    if (batch_control(header)) return true;
    if (!inflate(consumer, position, header, &records)) return false;
    while ((result = record_next(&records, &record)) == RECORD_READ)
        print_record(consumer, position, header, &record);
    return result == RECORD_END ||
           corrupt(consumer, position, header->base_offset, "a record cannot be read");
}

/* Whole batches; one that was cut off comes again in the next answer. */
static bool take_records(struct consumer *consumer, struct position *position,
                         struct bytes records) {
    struct batch_header header;
    while (records.len >= BATCH_HEADER_SIZE && consumer->left > 0) {
        if (!batch_header_read(records, &header))
            return corrupt(consumer, position, position->next,
                           "this is no batch of format 2; older formats are not read");
        size_t size = batch_size(&header);
        if (size > records.len) break;
        if (!print_batch(consumer, position, bytes_make(records.at, size), &header)) return false;
        int64_t after = batch_last_offset(&header) + 1;
        if (after > position->next) position->next = after;
        consumer->any_bytes = true;
        records = bytes_make(records.at + size, records.len - size);
    }
    return true;
}

/* ---- fetching ---- */

static bool take_error(struct consumer *consumer, struct position *position, int16_t code) {
    if (code == ERROR_OFFSET_OUT_OF_RANGE)
        return error_set(consumer->error, ERANGE,
                         "offset %lld of topic %s, partition %d is gone (retention, or deleted "
                         "records); start again with --offset earliest",
                         (long long)position->next, consumer->topic, position->partition);
    cluster_refused(consumer->error, code, BYTES_NULL, "cannot read topic %s, partition %d",
                    consumer->topic, position->partition);
    uint64_t patience_ns = (uint64_t)consumer->settings->timeout_ms * NS_PER_MS;
    consumer->stale = true;
    return error_code_is_retriable(code) && code != ERROR_CORRUPT_MESSAGE &&
           clock_monotonic_ns() - consumer->progress_ns < patience_ns;
}

static bool take_partition(struct consumer *consumer,
                           const struct fetch_response_partition_data *data) {
    for (size_t at = 0; at < consumer->count; at++) {
        struct position *position = &consumer->positions[at];
        if (position->partition != data->partition_index) continue;
        if (data->error_code) return take_error(consumer, position, data->error_code);
        consumer->progress_ns = clock_monotonic_ns();
        for (int32_t piece = 0; piece < data->records.count; piece++)
            if (!take_records(consumer, position, data->records.pieces[piece])) return false;
    }
    return true;
}

static bool take_fetched(struct consumer *consumer, const struct fetch_response *response) {
    if (response->error_code)
        return cluster_refused(consumer->error, response->error_code, BYTES_NULL,
                               "cannot read topic %s", consumer->topic);
    for (int32_t topic = 0; topic < response->responses_count; topic++)
        for (int32_t at = 0; at < response->responses[topic].partitions_count; at++)
            if (!take_partition(consumer, &response->responses[topic].partitions[at])) return false;
    return true;
}

static bool is_done(const struct consumer *consumer, const struct position *position) {
    return !consumer->follow && position->next >= position->end;
}

static bool fetch_from(struct consumer *consumer, int32_t leader, int32_t wait_ms) {
    struct fetch_request request;
    struct fetch_response response;
    struct fetch_request_fetch_topic topic = {.topic = bytes_of_text(consumer->topic)};
    topic.partitions =
        arena_array(&consumer->message, struct fetch_request_fetch_partition, consumer->count);
    for (size_t at = 0; at < consumer->count; at++) {
        const struct position *position = &consumer->positions[at];
        if (position->leader != leader || is_done(consumer, position)) continue;
        topic.partitions[topic.partitions_count++] =
            (struct fetch_request_fetch_partition){.partition = position->partition,
                                                   .current_leader_epoch = -1,
                                                   .fetch_offset = position->next,
                                                   .last_fetched_epoch = -1,
                                                   .log_start_offset = -1,
                                                   .partition_max_bytes = PARTITION_BYTES};
    }
    message_defaults(&fetch_request_message, &request);
    request.replica_id = -1;
    request.max_wait_ms = wait_ms;
    request.min_bytes = 1;
    request.max_bytes = FETCH_BYTES;
    request.session_epoch = -1;
    request.topics_count = 1;
    request.topics = &topic;
    return cluster_call(consumer->cluster, leader, API_FETCH, FETCH_VERSION, &request,
                        &consumer->message, &response, consumer->error) &&
           take_fetched(consumer, &response);
}

static size_t first_with_leader(const struct consumer *consumer, int32_t leader) {
    for (size_t at = 0; at < consumer->count; at++)
        if (consumer->positions[at].leader == leader &&
            !is_done(consumer, &consumer->positions[at]))
            return at;
    return consumer->count;
}

/* With several leaders none may make the others wait for long. */
static int32_t wait_ms(const struct consumer *consumer) {
    int64_t wait = WAIT_MS, half = consumer->settings->timeout_ms / 2;
    for (size_t at = 1; at < consumer->count; at++)
        if (consumer->positions[at].leader != consumer->positions[0].leader) wait = WAIT_MS / 5;
    return (int32_t)(wait < half ? wait : half);
}

static bool print_out(struct consumer *consumer) {
    if (!consumer->out.len) return true;
    return command_print(&consumer->out, consumer->error);
}

/* One request to each leader that has something to give. */
static bool fetch_round(struct consumer *consumer) {
    consumer->any_bytes = consumer->stale = false;
    for (size_t at = 0; at < consumer->count; at++) {
        int32_t leader = consumer->positions[at].leader;
        if (first_with_leader(consumer, leader) != at) continue;
        bool good = fetch_from(consumer, leader, wait_ms(consumer));
        if (!print_out(consumer) || !good) return false;
        arena_reset(&consumer->message);
    }
    if (!consumer->stale) return true;
    nanosleep(&(struct timespec){0, RETRY_MS * (long)NS_PER_MS}, NULL);
    return refresh_leaders(consumer);
}

static bool all_done(const struct consumer *consumer) {
    for (size_t at = 0; at < consumer->count; at++)
        if (!is_done(consumer, &consumer->positions[at])) return false;
    return true;
}

/* Offsets before the end may be empty (compaction, markers): a round that brings nothing although
 * all went well has seen everything. */
static bool fetch_all(struct consumer *consumer) {
    consumer->progress_ns = clock_monotonic_ns();
    while (consumer->left > 0 && !all_done(consumer)) {
        if (!fetch_round(consumer)) return false;
        if (!consumer->follow && !consumer->any_bytes && !consumer->stale) break;
    }
    return true;
}

/* ---- the command ---- */

static bool take_flags(struct consumer *consumer) {
    const struct settings *settings = consumer->settings;
    const char *offset = settings->offset ? settings->offset : "earliest";
    if (settings->from_beginning && settings->offset)
        return error_set(consumer->error, EINVAL, "give either --offset or --from-beginning");
    if (settings->json && settings->format)
        return error_set(consumer->error, EINVAL, "give either --json or --format");
    if (!start_offset_parse("--offset", offset, clock_wall_ms(), &consumer->start, consumer->error))
        return false;
    consumer->follow = settings->follow || consumer->start.kind == START_LATEST;
    consumer->left = settings->count < 0 ? INT64_MAX : settings->count;
    consumer->format = record_format_parse(settings->format ? settings->format : "%v\\n",
                                           &consumer->arena, consumer->error);
    return consumer->format != NULL;
}

/* A broker that does not tell its configs is read as if there were no contracts. */
static bool take_contracts(struct consumer *consumer) {
    const struct settings *settings = consumer->settings;
    struct record_contracts *contracts = &consumer->contracts;
    if (consumer->printer || settings->raw || settings->format) return true;
    if (!record_contracts_init(contracts, consumer->cluster, consumer->topic, settings,
                               consumer->error))
        return consumer->error->code != EINVAL;
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++) {
        const struct record_contract *contract = record_contracts_of(contracts, part);
        if (!contract) continue;
        consumer->parts[part].wanted = true;
        record_decode_init(&consumer->parts[part].decode, contract);
    }
    return true;
}

static enum cli_exit consume(struct consumer *consumer) {
    if (!take_flags(consumer)) return CLI_USAGE;
    if (!cluster_open(consumer->settings, &consumer->cluster, consumer->error))
        return CLI_UNREACHABLE;
    if (!take_contracts(consumer)) return CLI_USAGE;
    if (!take_partitions(consumer) || !take_offsets(consumer)) return CLI_FAILED;
    arena_reset(&consumer->message);
    return fetch_all(consumer) ? CLI_DONE : CLI_FAILED;
}

enum cli_exit consume_topic(const struct settings *settings, const char *topic,
                            consume_printer *printer, struct error *error) {
    struct consumer consumer = {
        .settings = settings, .error = error, .topic = topic, .printer = printer};
    arena_init(&consumer.arena, CLUSTER_ARENA_BYTES);
    arena_init(&consumer.message, CLUSTER_ARENA_BYTES);
    consumer.inflater = inflater_new();
    enum cli_exit status = consume(&consumer);
    inflater_free(consumer.inflater);
    cluster_close(consumer.cluster);
    record_contracts_deinit(&consumer.contracts);
    for (int part = 0; part < CONTRACT_PARTS; part++) text_deinit(&consumer.parts[part].json);
    text_deinit(&consumer.out);
    arena_deinit(&consumer.arena);
    arena_deinit(&consumer.message);
    return status;
}

static enum cli_exit run(const struct settings *settings, struct error *error) {
    return consume_topic(settings, settings->positional[0], NULL, error);
}

static const struct flag flags[] = {
    {"offset", 'o', FLAG_TEXT, SETTING(offset), "WHERE",
     "earliest, latest, N, -N (the last N of each partition), @MILLISECONDS, "
     "@2024-01-31T12:00:00Z, @-1h. Default: earliest.",
     0},
    {"from-beginning", 0, FLAG_SWITCH, SETTING(from_beginning), NULL,
     "The same as --offset earliest.", 0},
    {"follow", 'F', FLAG_SWITCH, SETTING(follow), NULL,
     "Go on with new records as they come, until it is stopped. --offset latest implies it.", 0},
    {"count", 'n', FLAG_NUMBER, SETTING(count), "N", "Stop after N records.", 0},
    {"partition", 'p', FLAG_LIST, SETTING(only), "N,...", "Only these partitions.", 0},
    {"format", 'f', FLAG_TEXT, SETTING(format), "FORMAT",
     "How a record is printed. Default: '%v\\n', by contract as JSON.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL,
     "One JSON object for each record, with key, value, headers and place.", 0},
    {"raw", 0, FLAG_SWITCH, SETTING(raw), NULL,
     "Bytes as they are, although the topic has a contract.", 0},
    FLAG_REGISTRY,
};

const struct command command_consume = {
    .name = "consume",
    .usage = "TOPIC [FLAGS]",
    .summary = "Read records.",
    .text =
        "  millrace consume greetings\n"
        "  millrace consume greetings --follow\n"
        "  millrace consume orders -o @-1h -f '%p %o %T %k=%v\\n'\n"
        "  millrace consume orders -o -10 --json\n\n"
        "Reads without a group and commits nothing. Unless it follows, it ends where the topic\n"
        "ended when it began.\n\n"
        "Keys and values that have a contract (`millrace contract`) are printed as JSON, with the\n"
        "schemas of the registry. One that cannot be decoded is printed as with --json, and\n"
        "value_problem says why.\n\n"
        "Formats: %v value, %k key, %h headers, %t topic, %p partition, %o offset, %T timestamp\n"
        "in milliseconds, %V and %K the lengths of value and key (-1: null), %% a percent sign;\n"
        "\\n \\t \\r \\0 \\\\ and \\xHH as usual. Values are printed byte for byte.\n",
    .flags = {flags, sizeof flags / sizeof *flags},
    .names_min = 1,
    .names_max = 1,
    .names = "a topic's name",
    .run = run,
};
