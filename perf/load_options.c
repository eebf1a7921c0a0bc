#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "perf/load.h"
#include "perf/process.h"

static const char usage[] =
    "usage: load produce|fetch|latency|create|delete --broker HOST:PORT [OPTION...]\n"
    "\n"
    "  produce   pre-encoded batches, closed loop, or open loop with --rate\n"
    "  fetch     reads a topic from its start, over and over\n"
    "  latency   produces at --rate and times each record until a consumer has it\n"
    "  create, delete    only the topic\n"
    "\n"
    "  --topic NAME       default: one of its own, deleted at the end (--keep leaves it)\n"
    "  --no-create        the topic is there\n"
    "  --config NAME=VALUE  of the topic that is created; may be repeated\n"
    "  --protocol NAME    kafka; redis, nats, nats-atomic: --record is a message then, and "
    "--batches\n"
    "                     the messages that a request pipelines (or commits as one: atomic)\n"
    "  --partitions N     1      --connections N    1      --in-flight N      1\n"
    "  --record BYTES     1024   --batch BYTES      1: one record in a batch\n"
    "  --batches N        1: batches in a request, each to a partition of its own\n"
    "  --fetch BYTES      1048576: the most that a fetch asks for\n"
    "  --acks N           -1     --rate N           requests a second over all; 0: closed loop\n"
    "  --seconds N        5      --warm-up N        1      --threads N        1\n"
    "  --requests N       ends after so many over all, without warm-up, in --seconds at most\n"
    "  --variants N       8: different batches, so that caches see real traffic\n"
    "  --payloads FILE    batches for Kafka that are ready, one behind the other, instead\n"
    "  --congestion NAME  cubic: congestion control of our side\n"
    "  --pid N            the broker's, to report its CPU time\n";

enum option_id {
    BROKER = 1,
    TOPIC,
    CONGESTION,
    PARTITIONS,
    CONNECTIONS,
    IN_FLIGHT,
    THREADS,
    VARIANTS,
    BATCHES,
    RECORD,
    BATCH,
    FETCH,
    ACKS,
    PID,
    SECONDS,
    WARM_UP,
    RATE,
    NO_CREATE,
    KEEP,
    CONFIG,
    PROTOCOL,
    REQUESTS,
    PAYLOADS
};

static const struct option rows[] = {
    {"broker", required_argument, NULL, BROKER},
    {"topic", required_argument, NULL, TOPIC},
    {"congestion", required_argument, NULL, CONGESTION},
    {"partitions", required_argument, NULL, PARTITIONS},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"in-flight", required_argument, NULL, IN_FLIGHT},
    {"threads", required_argument, NULL, THREADS},
    {"variants", required_argument, NULL, VARIANTS},
    {"batches", required_argument, NULL, BATCHES},
    {"record", required_argument, NULL, RECORD},
    {"batch", required_argument, NULL, BATCH},
    {"fetch", required_argument, NULL, FETCH},
    {"acks", required_argument, NULL, ACKS},
    {"pid", required_argument, NULL, PID},
    {"seconds", required_argument, NULL, SECONDS},
    {"warm-up", required_argument, NULL, WARM_UP},
    {"rate", required_argument, NULL, RATE},
    {"no-create", no_argument, NULL, NO_CREATE},
    {"keep", no_argument, NULL, KEEP},
    {"config", required_argument, NULL, CONFIG},
    {"protocol", required_argument, NULL, PROTOCOL},
    {"requests", required_argument, NULL, REQUESTS},
    {"payloads", required_argument, NULL, PAYLOADS},
    {0},
};

static const struct load_protocol *protocol_find(const char *name) {
    static const struct load_protocol *const all[] = {&load_kafka, &load_redis, &load_nats,
                                                      &load_nats_streams, &load_nats_atomic};
    for (size_t at = 0; at < array_count(all); at++)
        if (strcmp(name, all[at]->name) == 0) return all[at];
    die("load: no protocol %s", name);
}

static void config_add(struct load_options *options, const char *config) {
    if (options->config_count == TOPIC_CONFIGS_MAX || !strchr(config, '=') || strlen(config) > 255)
        die("load: --config NAME=VALUE, %d times at most", TOPIC_CONFIGS_MAX);
    options->configs[options->config_count++] = config;
}

static void option_apply(struct load_options *o, enum option_id id, const char *value) {
    switch (id) {
        case BROKER: o->broker = value; break;
        case TOPIC: o->topic = value; break;
        case CONGESTION: o->congestion = *value ? value : NULL; break;
        case PARTITIONS: o->partitions = atoi(value); break;
        case CONNECTIONS: o->connections = atoi(value); break;
        case IN_FLIGHT: o->in_flight = atoi(value); break;
        case THREADS: o->threads = atoi(value); break;
        case VARIANTS: o->variants = atoi(value); break;
        case BATCHES: o->batches = atoi(value); break;
        case RECORD: o->record_bytes = strtoul(value, NULL, 10); break;
        case BATCH: o->batch_bytes = strtoul(value, NULL, 10); break;
        case FETCH: o->fetch_bytes = strtoul(value, NULL, 10); break;
        case ACKS: o->acks = atoi(value); break;
        case PID: o->pid = atoi(value); break;
        case SECONDS: o->seconds = atof(value); break;
        case WARM_UP: o->warm_up_seconds = atof(value); break;
        case RATE: o->rate = atof(value); break;
        case NO_CREATE: o->create = false; break;
        case KEEP: o->keep = true; break;
        case CONFIG: config_add(o, value); break;
        case PROTOCOL: o->protocol = protocol_find(value); break;
        case PAYLOADS: o->payload_file = value; break;
        case REQUESTS: o->requests = strtoull(value, NULL, 10); break;
    }
}

static void options_check(const struct load_options *o) {
    if (!o->broker) die("load: --broker HOST:PORT is missing");
    if (o->partitions < 1 || o->connections < 1 || o->in_flight < 1 || o->threads < 1 ||
        o->variants < 1 || o->batches < 1 || o->seconds <= 0)
        die("load: counts and seconds must be at least 1");
    if (o->batches > o->partitions && !o->protocol->splits)
        die("load: --batches needs as many --partitions");
    if (o->threads > o->connections) die("load: more threads than connections");
    bool only_topic = o->mode == LOAD_CREATE || o->mode == LOAD_DELETE;
    if ((!o->create || only_topic) && !o->topic) die("load: which --topic?");
    if (o->acks == 0) die("load: acks=0 has no answers to count");
    if (o->protocol != &load_kafka && (o->mode == LOAD_FETCH || o->mode == LOAD_LATENCY))
        die("load: fetch and latency speak only Kafka's protocol");
    if (o->topic && strlen(o->topic) > 249) die("load: the topic's name is too long");
    bool latency = o->mode == LOAD_LATENCY;
    if (latency && (o->threads > 1 || o->rate <= 0 || o->connections > o->partitions))
        die("load: latency wants one thread, a --rate, and no more connections than partitions");
}

void load_options_read(struct load_options *options, int count, char **arguments) {
    static const char *const modes[] = {"produce", "fetch", "latency", "create", "delete"};
    *options = (struct load_options){.protocol = &load_kafka,
                                     .congestion = "cubic",
                                     .partitions = 1,
                                     .connections = 1,
                                     .in_flight = 1,
                                     .threads = 1,
                                     .variants = 8,
                                     .batches = 1,
                                     .record_bytes = 1024,
                                     .batch_bytes = 1,
                                     .fetch_bytes = 1 << 20,
                                     .acks = -1,
                                     .seconds = 5,
                                     .warm_up_seconds = 1,
                                     .create = true};
    unsigned mode = 0;
    while (mode < array_count(modes) && (count < 2 || strcmp(arguments[1], modes[mode]) != 0))
        mode++;
    if (mode == array_count(modes)) {
        fputs(usage, stderr);
        exit(2);
    }
    options->mode = (enum load_mode)mode;
    int id;
    optind = 2;
    while ((id = getopt_long(count, arguments, "", rows, NULL)) != -1) {
        if (id == '?') exit(2);
        option_apply(options, (enum option_id)id, optarg);
    }
    if (options->requests) options->warm_up_seconds = 0;
    options_check(options);
}
