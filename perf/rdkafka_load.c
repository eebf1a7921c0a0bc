/* librdkafka under load, as an application uses it: one producer or one consumer with the library's
 * defaults, fixed messages, delivery reports counted.
 *
 *     rdkafka_load produce|consume --broker HOST:PORT --topic NAME [--record BYTES]
 *                  [--messages N] [--partition N]
 *
 * produce sends N messages and waits for all of them; consume reads N from the start of the
 * partition. Prints one line of JSON. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "perf/process.h"

struct rdkafka_load {
    const char *broker, *topic;
    size_t record;
    long messages;
    int partition;
    long delivered, failed;
    int first_error;
};

static const char *argument_text(int count, char **arguments, const char *name,
                                 const char *otherwise) {
    for (int at = 2; at + 1 < count; at += 2)
        if (strcmp(arguments[at], name) == 0) return arguments[at + 1];
    return otherwise;
}

static void configure(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die("%s", why);
}

static rd_kafka_t *client_new(struct rdkafka_load *load, rd_kafka_type_t type,
                              rd_kafka_conf_t *conf) {
    char why[256];
    configure(conf, "bootstrap.servers", load->broker);
    rd_kafka_conf_set_opaque(conf, load);
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (!client) die("librdkafka: %s", why);
    return client;
}

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    struct rdkafka_load *load = opaque;
    load->delivered++;
    if (message->err && !load->failed++) load->first_error = message->err;
}

static void produce(struct rdkafka_load *load) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    configure(conf, "queue.buffering.max.messages", "500000");
    rd_kafka_t *client = client_new(load, RD_KAFKA_PRODUCER, conf);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, load->topic, NULL);
    char *payload = memory_new(load->record);
    memset(payload, 'x', load->record);
    for (long sent = 0; sent < load->messages;) {
        if (rd_kafka_produce(topic, load->partition, RD_KAFKA_MSG_F_COPY, payload, load->record,
                             NULL, 0, NULL) == 0)
            sent++;
        else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(client, 10);
        else
            die("produce: %s", rd_kafka_err2str(rd_kafka_last_error()));
        if (sent % 1000 == 0) rd_kafka_poll(client, 0);
    }
    while (load->delivered < load->messages) rd_kafka_poll(client, 100);
    free(payload);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

static void consumed(rd_kafka_message_t *message, void *opaque) {
    struct rdkafka_load *load = opaque;
    if (!message->err)
        load->delivered++;
    else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF && !load->failed++)
        load->first_error = message->err;
}

/* rdkafka_performance's own way: the simple consumer with a callback. */
static void consume(struct rdkafka_load *load) {
    rd_kafka_t *client = client_new(load, RD_KAFKA_CONSUMER, rd_kafka_conf_new());
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, load->topic, NULL);
    if (rd_kafka_consume_start(topic, load->partition, RD_KAFKA_OFFSET_BEGINNING) != 0)
        die("consume: %s", rd_kafka_err2str(rd_kafka_last_error()));
    while (load->delivered < load->messages && !load->failed)
        rd_kafka_consume_callback(topic, load->partition, 1000, consumed, load);
    rd_kafka_consume_stop(topic, load->partition);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

int main(int count, char **arguments) {
    struct rdkafka_load load = {0};
    bool produces = count > 1 && strcmp(arguments[1], "produce") == 0;
    if (!produces && (count < 2 || strcmp(arguments[1], "consume") != 0))
        die("usage: rdkafka_load produce|consume --broker HOST:PORT --topic NAME [--record BYTES] "
            "[--messages N] [--partition N]");
    load.broker = argument_text(count, arguments, "--broker", "127.0.0.1:9092");
    load.topic = argument_text(count, arguments, "--topic", "perf");
    load.record = strtoul(argument_text(count, arguments, "--record", "100"), NULL, 10);
    load.messages = atol(argument_text(count, arguments, "--messages", "1000000"));
    load.partition = atoi(argument_text(count, arguments, "--partition", "0"));
    uint64_t began = clock_monotonic_ns();
    produces ? produce(&load) : consume(&load);
    double seconds = (double)(clock_monotonic_ns() - began) / 1e9;
    double rate = (double)load.delivered / seconds;
    printf(
        "{\"mode\": \"%s\", \"record\": %zu, \"messages_per_s\": %.0f, \"mb_per_s\": %.1f, "
        "\"seconds\": %.3f, \"client_cpu\": %.2f, \"errors\": %ld, \"first_error\": %d, "
        "\"librdkafka\": \"%s\"}\n",
        arguments[1], load.record, rate, rate * (double)load.record / 1e6, seconds,
        own_cpu() / seconds, load.failed, load.first_error, rd_kafka_version_str());
    return load.failed ? 1 : 0;
}
