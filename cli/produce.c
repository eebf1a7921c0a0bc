/* millrace produce: lines become records, collected into a batch for each partition. A flush sends
 * all batches, one request for each leader, and waits for every answer: one flush at a time keeps
 * the order of lines within a partition. With --json, what has a contract is read as JSON. */
#include "protocol/produce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cluster.h"
#include "cli/command.h"
#include "cli/key_partition.h"
#include "cli/lines.h"
#include "cli/record_encode.h"
#include "cli/schema_registry.h"
#include "cli/topic_configs.h"
#include "config/quantity.h"
#include "protocol/batch_build.h"
#include "protocol/compress.h"

enum {
    BATCH_BYTES = 512 << 10, /* or half of the topic's max.message.bytes */
    RECORD_OVERHEAD = 64,
    FLUSH_BYTES = 8 << 20,
    PRODUCE_VERSION = 12, /* the newest with names */
    RETRY_MS = 100,
};

/* What waits for one partition; empty when records is 0. */
struct pending {
    int32_t partition, leader;
    struct batch_build build;
    struct byte_buffer batch; /* as sent */
    int64_t *lines;           /* of each record, for messages */
    size_t records, room;
};

struct producer {
    const struct settings *settings;
    struct cluster *cluster;
    struct error *error;
    const char *topic;
    struct pending *pending;
    int32_t partition_count;
    int32_t keyless; /* where records without a key go, until the next flush */
    size_t pending_bytes;
    size_t batch_bytes; /* at most, unless one record is larger */
    enum codec codec;
    struct record_header *headers; /* with room for those of the contracts */
    int32_t header_count;
    size_t header_bytes; /* upper bound of their room in a record */
    struct record_contracts contracts;
    struct record_encode *encodes[CONTRACT_PARTS]; /* NULL: as it is */
    struct arena arena;                            /* for as long as the producer */
    struct arena message;                          /* of one call */
    int64_t acknowledged;
};

/* ---- the topic ---- */

static bool take_leaders(struct producer *producer) {
    const struct metadata_response_metadata_response_topic *topic;
    if (!cluster_topic(producer->cluster, producer->topic, true, &producer->message, &topic,
                       producer->error))
        return false;
    if (!producer->pending) {
        producer->partition_count = topic->partitions_count;
        producer->pending =
            arena_array(&producer->arena, struct pending, (size_t)topic->partitions_count);
        for (int32_t at = 0; at < topic->partitions_count; at++) {
            producer->pending[at].partition = at;
            batch_build_init(&producer->pending[at].build);
        }
    }
    for (int32_t at = 0; at < topic->partitions_count; at++) {
        int32_t partition = topic->partitions[at].partition_index;
        if (partition >= 0 && partition < producer->partition_count)
            producer->pending[partition].leader = topic->partitions[at].leader_id;
    }
    return true;
}

/* Batches have to fit the topic; a broker that does not tell gets the usual size. */
static void take_batch_bytes(struct producer *producer) {
    static const char name[] = "max.message.bytes";
    struct error ignored;
    const struct describe_configs_response_describe_configs_result *configs =
        topic_configs_read(producer->cluster, producer->topic, name, &producer->message, &ignored);
    int64_t most;
    producer->batch_bytes = BATCH_BYTES;
    for (int32_t at = 0; configs && at < configs->configs_count; at++) {
        const char *value = arena_text(&producer->message, configs->configs[at].value);
        if (bytes_equal_text(configs->configs[at].name, name) && number_parse_plain(value, &most) &&
            most / 2 < BATCH_BYTES)
            producer->batch_bytes = (size_t)most / 2;
    }
}

static bool check_partition(const struct producer *producer) {
    int64_t partition = producer->settings->partition;
    if (partition < producer->partition_count) return true;
    return error_set(producer->error, ENOENT, "topic %s has no partition %lld, only 0 to %d",
                     producer->topic, (long long)partition, producer->partition_count - 1);
}

/* ---- answers ---- */

static bool refused(struct producer *producer, const struct pending *pending,
                    const struct produce_response_partition_produce_response *answer) {
    int64_t first = pending->lines[0], last = pending->lines[pending->records - 1];
    struct bytes said = answer->error_message;
    for (int32_t at = 0; at < answer->record_errors_count; at++) {
        int32_t record = answer->record_errors[at].batch_index;
        if (record < 0 || (size_t)record >= pending->records) continue;
        first = last = pending->lines[record];
        if (answer->record_errors[at].batch_index_error_message.len)
            said = answer->record_errors[at].batch_index_error_message;
        break;
    }
    if (first == last)
        return cluster_refused(producer->error, answer->error_code, said,
                               "line %lld was refused by topic %s, partition %d", (long long)first,
                               producer->topic, pending->partition);
    return cluster_refused(producer->error, answer->error_code, said,
                           "lines %lld to %lld were refused by topic %s, partition %d",
                           (long long)first, (long long)last, producer->topic, pending->partition);
}

static void say_acknowledged(const struct producer *producer, const struct pending *pending,
                             int64_t offset) {
    struct text out = {0};
    if (!producer->settings->json) return;
    text_append(&out, BYTES_OF("{\"topic\": "));
    text_append_json(&out, bytes_of_text(producer->topic));
    text_printf(&out, ", \"partition\": %d, \"offset\": %lld, \"records\": %zu}\n",
                pending->partition, (long long)offset, pending->records);
    fwrite(out.at, 1, out.len, stdout);
    text_deinit(&out);
}

/* A retriable refusal leaves the batch pending. */
static bool take_answer(struct producer *producer,
                        const struct produce_response_partition_produce_response *answer) {
    if (answer->index < 0 || answer->index >= producer->partition_count) return true;
    struct pending *pending = &producer->pending[answer->index];
    if (!pending->records) return true;
    if (answer->error_code && error_code_is_retriable(answer->error_code) &&
        answer->error_code != ERROR_CORRUPT_MESSAGE) {
        cluster_refused(producer->error, answer->error_code, answer->error_message,
                        "topic %s, partition %d", producer->topic, pending->partition);
        return true;
    }
    if (answer->error_code) return refused(producer, pending, answer);
    say_acknowledged(producer, pending, answer->base_offset);
    producer->acknowledged += (int64_t)pending->records;
    pending->records = 0;
    batch_build_restart(&pending->build);
    return true;
}

static bool take_answers(struct producer *producer, const struct produce_response *response) {
    for (int32_t topic = 0; topic < response->responses_count; topic++)
        for (int32_t at = 0; at < response->responses[topic].partition_responses_count; at++)
            if (!take_answer(producer, &response->responses[topic].partition_responses[at]))
                return false;
    return true;
}

/* ---- sending ---- */

static bool send_to_leader(struct producer *producer, int32_t leader) {
    struct produce_request request;
    struct produce_response response;
    struct produce_request_topic_produce_data topic = {.name = bytes_of_text(producer->topic)};
    topic.partition_data =
        arena_array(&producer->message, struct produce_request_partition_produce_data,
                    (size_t)producer->partition_count);
    for (int32_t at = 0; at < producer->partition_count; at++)
        if (producer->pending[at].records && producer->pending[at].leader == leader)
            topic.partition_data[topic.partition_data_count++] =
                (struct produce_request_partition_produce_data){
                    at, byte_buffer_bytes(&producer->pending[at].batch)};
    message_defaults(&produce_request_message, &request);
    request.acks = -1;
    request.timeout_ms =
        (int32_t)(producer->settings->timeout_ms / 2); /* it answers before we give up */
    request.topic_data_count = 1;
    request.topic_data = &topic;
    return cluster_call(producer->cluster, leader, API_PRODUCE, PRODUCE_VERSION, &request,
                        &producer->message, &response, producer->error) &&
           take_answers(producer, &response);
}

static bool encode_batches(struct producer *producer) {
    for (int32_t at = 0; at < producer->partition_count; at++) {
        struct pending *pending = &producer->pending[at];
        pending->batch.len = 0;
        if (pending->records &&
            !batch_build_finish(&pending->build, producer->codec, &pending->batch, producer->error))
            return false;
    }
    return true;
}

/* One request to each leader that has something to get. */
static bool send_round(struct producer *producer) {
    for (int32_t at = 0; at < producer->partition_count; at++) {
        int32_t before = 0, leader = producer->pending[at].leader;
        if (!producer->pending[at].records) continue;
        while (!producer->pending[before].records || producer->pending[before].leader != leader)
            before++;
        if (before == at && !send_to_leader(producer, leader)) return false;
    }
    return true;
}

static bool is_flushed(const struct producer *producer) {
    for (int32_t at = 0; at < producer->partition_count; at++)
        if (producer->pending[at].records) return false;
    return true;
}

static bool flush(struct producer *producer) {
    uint64_t deadline = clock_monotonic_ns() + (uint64_t)producer->settings->timeout_ms * NS_PER_MS;
    bool good = encode_batches(producer);
    while (good && !is_flushed(producer)) {
        good = send_round(producer);
        if (!good || is_flushed(producer)) break;
        good = clock_monotonic_ns() < deadline; /* the error is that of the last refusal */
        nanosleep(&(struct timespec){0, RETRY_MS * (long)NS_PER_MS}, NULL);
        good = good && take_leaders(producer);
    }
    arena_reset(&producer->message);
    producer->pending_bytes = 0;
    producer->keyless = (producer->keyless + 1) % producer->partition_count;
    return good;
}

/* ---- records ---- */

static void remember_line(struct pending *pending, int64_t line) {
    if (pending->records == pending->room) {
        pending->room = pending->room ? pending->room * 2 : 64;
        pending->lines = memory_resize(pending->lines, pending->room * sizeof *pending->lines);
    }
    pending->lines[pending->records++] = line;
}

static bool add_record(struct producer *producer, struct bytes key, struct bytes value,
                       int64_t line) {
    const struct settings *settings = producer->settings;
    int32_t partition = settings->partition >= 0 ? (int32_t)settings->partition
                        : bytes_is_null(key)     ? producer->keyless
                                                 : key_partition(key, producer->partition_count);
    struct pending *pending = &producer->pending[partition];
    size_t size = key.len + value.len + producer->header_bytes + RECORD_OVERHEAD;
    bool full =
        pending->records && batch_build_size(&pending->build) + size > producer->batch_bytes;
    if ((full || producer->pending_bytes + size > FLUSH_BYTES) && !is_flushed(producer) &&
        !flush(producer))
        return false;
    batch_build_add(&pending->build, clock_wall_ms(), key, value, producer->headers,
                    producer->header_count);
    remember_line(pending, line);
    producer->pending_bytes += size;
    return true;
}

/* Keys or values that have a contract, from JSON to what is sent. */
static bool encode_part(struct producer *producer, enum contract_part part, struct bytes *text,
                        int64_t line) {
    struct error why;
    if (!producer->encodes[part] || record_encode_json(producer->encodes[part], *text, text, &why))
        return true;
    return error_set(producer->error, why.code, "line %lld: %s%s", (long long)line,
                     part == CONTRACT_OF_KEY ? "key: " : "", why.text);
}

static bool add_line(struct producer *producer, struct bytes line, int64_t number) {
    const struct settings *settings = producer->settings;
    struct bytes key = bytes_of_text(settings->key), value = line;
    if (settings->key_separator) {
        struct bytes separator = bytes_of_text(settings->key_separator);
        const uint8_t *at = memmem(line.at, line.len, separator.at, separator.len);
        if (!at)
            return error_set(producer->error, EINVAL,
                             "line %lld has no key separator \"%s\"; leave --key-separator out to "
                             "send lines without keys",
                             (long long)number, settings->key_separator);
        key = bytes_make(line.at, (size_t)(at - line.at));
        value = bytes_make(at + separator.len, line.len - key.len - separator.len);
    }
    if (settings->empty_is_null && value.len == 0) value = BYTES_NULL;
    if (!encode_part(producer, CONTRACT_OF_KEY, &key, number) ||
        !encode_part(producer, CONTRACT_OF_VALUE, &value, number))
        return false;
    return add_record(producer, key, value, number);
}

static bool produce_lines(struct producer *producer, int fd) {
    struct lines lines;
    struct bytes line;
    bool good = true;
    lines_init(&lines, fd);
    while (good) {
        enum line_result result = lines_next(&lines, &line, producer->error);
        if (result == LINE_READ)
            good = add_line(producer, line, lines.number);
        else if (result == LINE_FAILED)
            good = false;
        else
            good = flush(producer) && (result != LINE_END || fflush(stdout) == 0);
        if (result == LINE_END) break;
    }
    lines_deinit(&lines);
    return good;
}

static bool produce_arguments(struct producer *producer) {
    const struct settings *settings = producer->settings;
    for (size_t at = 1; at < settings->positional_count; at++)
        if (!add_line(producer, bytes_of_text(settings->positional[at]), (int64_t)at)) return false;
    return flush(producer);
}

static bool produce_file(struct producer *producer) {
    const char *path = producer->settings->file;
    if (!path || strcmp(path, "-") == 0) return produce_lines(producer, STDIN_FILENO);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(producer->error, errno, "cannot read %s: %s", path, strerror(errno));
    bool good = produce_lines(producer, fd);
    close(fd);
    return good;
}

/* ---- the command ---- */

static bool take_codec(struct producer *producer) {
    const char *name = producer->settings->compression;
    producer->codec = name ? codec_named(bytes_of_text(name)) : CODEC_NONE;
    if (producer->codec != CODEC_COUNT && producer->codec != CODEC_SNAPPY) return true;
    return error_set(producer->error, EINVAL,
                     "--compression: \"%s\" is not one of: none, gzip, lz4, zstd", name);
}

static bool take_headers(struct producer *producer) {
    const struct settings_list *list = &producer->settings->headers;
    producer->headers =
        arena_array(&producer->arena, struct record_header, list->count + CONTRACT_PARTS);
    for (size_t at = 0; at < list->count; at++) {
        const char *text = list->items[at], *equals = strchr(text, '=');
        if (!equals || equals == text)
            return error_set(producer->error, EINVAL, "--header: \"%s\" is not NAME=VALUE", text);
        producer->headers[at] = (struct record_header){bytes_make(text, (size_t)(equals - text)),
                                                       bytes_of_text(equals + 1)};
        producer->header_bytes += strlen(text) + RECORD_OVERHEAD;
        producer->header_count++;
    }
    return true;
}

static bool take_contract(struct producer *producer, enum contract_part part) {
    bool is_key = part == CONTRACT_OF_KEY;
    const struct settings *settings = producer->settings;
    const struct record_contract *contract = record_contracts_of(&producer->contracts, part);
    bool any_key = settings->key || settings->key_separator;
    if (!contract || (is_key && !any_key)) return true;
    struct record_encode *encode = arena_new(&producer->arena, struct record_encode);
    producer->encodes[part] = encode;
    if (!record_encode_init(encode, contract, is_key ? settings->key_message : settings->message,
                            is_key ? "--key-message" : "--message", producer->error))
        return false;
    if (bytes_is_null(encode->header.key)) return true;
    producer->headers[producer->header_count++] = encode->header;
    producer->header_bytes += encode->header.value.len + RECORD_OVERHEAD;
    return true;
}

/* The topic is there by now, made or not. */
static bool take_contracts(struct producer *producer) {
    if (!producer->settings->json) return true;
    return record_contracts_init(&producer->contracts, producer->cluster, producer->topic,
                                 producer->settings, producer->error) &&
           take_contract(producer, CONTRACT_OF_KEY) && take_contract(producer, CONTRACT_OF_VALUE);
}

static bool check_flags(struct producer *producer) {
    const struct settings *settings = producer->settings;
    if (settings->key && settings->key_separator)
        return error_set(producer->error, EINVAL, "give either --key or --key-separator");
    if (settings->key_separator && !*settings->key_separator)
        return error_set(producer->error, EINVAL, "--key-separator must not be empty");
    if (settings->positional_count > 1 && settings->file)
        return error_set(producer->error, EINVAL, "give either values or --file");
    return take_codec(producer) && take_headers(producer);
}

static void producer_deinit(struct producer *producer) {
    for (int32_t at = 0; at < producer->partition_count; at++) {
        batch_build_deinit(&producer->pending[at].build);
        byte_buffer_deinit(&producer->pending[at].batch);
        free(producer->pending[at].lines);
    }
    for (int part = 0; part < CONTRACT_PARTS; part++)
        if (producer->encodes[part]) record_encode_deinit(producer->encodes[part]);
    record_contracts_deinit(&producer->contracts);
    cluster_close(producer->cluster);
    arena_deinit(&producer->arena);
    arena_deinit(&producer->message);
}

static enum cli_exit produce(struct producer *producer) {
    if (!check_flags(producer)) return CLI_USAGE;
    if (!cluster_open(producer->settings, &producer->cluster, producer->error))
        return CLI_UNREACHABLE;
    if (!take_leaders(producer) || !check_partition(producer)) return CLI_FAILED;
    take_batch_bytes(producer);
    if (!take_contracts(producer)) return registry_exit(producer->error);
    bool good = producer->settings->positional_count > 1 ? produce_arguments(producer)
                                                         : produce_file(producer);
    if (good) return CLI_DONE;
    if (producer->acknowledged)
        fprintf(stderr, "%lld records were stored before the error\n",
                (long long)producer->acknowledged);
    return CLI_FAILED;
}

static enum cli_exit run(const struct settings *settings, struct error *error) {
    struct producer producer = {
        .settings = settings, .error = error, .topic = settings->positional[0]};
    arena_init(&producer.arena, CLUSTER_ARENA_BYTES);
    arena_init(&producer.message, CLUSTER_ARENA_BYTES);
    enum cli_exit status = produce(&producer);
    producer_deinit(&producer);
    return status;
}

static const struct flag flags[] = {
    {"file", 'f', FLAG_TEXT, SETTING(file), "PATH", "Read lines from a file.", 0},
    {"key-separator", 'K', FLAG_TEXT, SETTING(key_separator), "TEXT",
     "What is before the first TEXT in a line is its key.", 0},
    {"key", 'k', FLAG_TEXT, SETTING(key), "KEY", "One key for all records.", 0},
    {"header", 'H', FLAG_LIST, SETTING(headers), "NAME=VALUE",
     "A header for all records; several times for several.", 0},
    {"empty-is-null", 0, FLAG_SWITCH, SETTING(empty_is_null), NULL,
     "Send an empty value as null: on a compacted topic this deletes the key.", 0},
    {"partition", 'p', FLAG_NUMBER, SETTING(partition), "N",
     "Send everything to partition N. Default: by key, as the Java client does; without a key, "
     "batches take turns.",
     0},
    {"compression", 'z', FLAG_TEXT, SETTING(compression), "CODEC",
     "none, gzip, lz4 or zstd. Default: none.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL,
     "Read JSON where the topic has a contract, and print {topic, partition, offset, records} for "
     "each batch that is stored.",
     0},
    {"message", 'm', FLAG_TEXT, SETTING(message), "NAME",
     "With --json: the message, where the contract allows several.", 0},
    {"key-message", 0, FLAG_TEXT, SETTING(key_message), "NAME", "The same for keys.", 0},
    FLAG_REGISTRY,
};

const struct command command_produce = {
    .name = "produce",
    .usage = "TOPIC [VALUE...] [FLAGS]",
    .summary = "Write records: lines of standard input, of a file, or the values given.",
    .text =
        "  echo hello | millrace produce greetings\n"
        "  millrace produce greetings hello 'good morning'\n"
        "  millrace produce prices -K : < prices.txt          # lines like apple:1.20\n"
        "  millrace produce access --file access.log -z zstd -H host=web1\n"
        "  echo '{\"id\": \"a\", \"count\": 3}' | millrace produce orders --json\n\n"
        "Every line is a record. When the command ends with status 0 all of them are stored\n"
        "durably (acks=all). What has been read is sent as soon as the input pauses. Where the\n"
        "broker makes topics by itself, the topic need not be there before.\n\n"
        "With --json, keys and values that have a contract (`millrace contract`) are JSON, one\n"
        "in a line, and sent as the latest version of the registry's schema has them; null is\n"
        "a null record. The first line that does not fit ends the command, with the field and\n"
        "the reason; it says how many records were stored, and nothing after them was.\n",
    .flags = {flags, sizeof flags / sizeof *flags},
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a topic's name",
    .run = run,
};
