/* The program: options, threads, merging, and the report. See load.h. */
#include "perf/load.h"
#include "perf/frames.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "perf/process.h"

enum { DRAIN_SECONDS = 2 };

static void thread_wait(struct load_thread *thread, uint64_t until) {
    struct epoll_event events[256];
    uint64_t now = clock_monotonic_ns(), wait = until > now ? until - now : 0;
    struct timespec timeout = {(time_t)(wait / NS_PER_S), (long)(wait % NS_PER_S)};
    int count = epoll_pwait2(thread->epoll, events, 256, &timeout, NULL);
    for (int at = 0; at < count; at++) {
        struct load_connection *connection = events[at].data.ptr;
        if ((events[at].events & ~(uint32_t)EPOLLOUT) && !connection_read(connection))
            die("the broker closed connection %d after %lu answers", connection->number,
                (unsigned long)connection->answered);
        connection_go(connection, clock_monotonic_ns());
    }
}

static bool thread_is_idle(const struct load_thread *thread) {
    for (int at = 0; at < thread->connection_count; at++)
        if (thread->connections[at].flying) return false;
    return true;
}

/* Only a count of requests ends before its time. */
static bool thread_is_done(const struct load_thread *thread) {
    if (!thread->options->requests) return false;
    for (int at = 0; at < thread->connection_count; at++)
        if (!connection_is_done(&thread->connections[at])) return false;
    return true;
}

/* Starts requests that are due; returns when the next one is. */
static uint64_t thread_start_due(struct load_thread *thread, uint64_t now) {
    uint64_t next = thread->until;
    for (int at = 0; at < thread->connection_count; at++) {
        uint64_t due = connection_go(&thread->connections[at], now);
        if (due < next) next = due;
    }
    return next;
}

static void *thread_run(void *argument) {
    struct load_thread *thread = argument;
    bool open = thread->options->rate > 0;
    uint64_t now = clock_monotonic_ns(), next = thread_start_due(thread, now);
    while (now < thread->until && !thread_is_done(thread)) {
        thread_wait(thread, next);
        now = clock_monotonic_ns();
        next = open ? thread_start_due(thread, now) : thread->until;
    }
    uint64_t patience = now + DRAIN_SECONDS * NS_PER_S;
    while (!thread_is_idle(thread) && clock_monotonic_ns() < patience)
        thread_wait(thread, patience);
    for (int at = 0; at < thread->connection_count; at++)
        if (!thread->connections[at].fetches)
            thread->result.unanswered += (uint64_t)thread->connections[at].flying;
    return NULL;
}

static void thread_init(struct load_thread *thread, const struct load_options *options,
                        const struct bytes *payloads, int number) {
    /* A consumer for each partition joins the producers of a latency run. */
    int all = options->connections + (options->mode == LOAD_LATENCY ? options->partitions : 0);
    *thread = (struct load_thread){.options = options, .payloads = payloads};
    thread->first = all * number / options->threads;
    thread->connection_count = all * (number + 1) / options->threads - thread->first;
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (options->mode == LOAD_LATENCY)
        thread->due = memory_zero((size_t)options->partitions, sizeof *thread->due);
    thread->connections =
        memory_zero((size_t)thread->connection_count, sizeof *thread->connections);
    for (int at = 0; at < thread->connection_count; at++)
        connection_init(&thread->connections[at], thread, thread->first + at);
}

static void thread_deinit(struct load_thread *thread) {
    for (int at = 0; at < thread->connection_count; at++)
        connection_deinit(&thread->connections[at]);
    for (int at = 0; thread->due && at < thread->options->partitions; at++)
        free(thread->due[at].at);
    free(thread->due);
    free(thread->connections);
    close(thread->epoll);
}

static void result_merge(struct load_result *into, const struct load_result *from) {
    histogram_merge(&into->answer, &from->answer);
    histogram_merge(&into->delivered, &from->delivered);
    into->requests += from->requests;
    into->records += from->records;
    into->bytes += from->bytes;
    into->unanswered += from->unanswered;
    if (!into->errors) into->first_error = from->first_error;
    if (!into->errors) into->first_error_ns = from->first_error_ns;
    into->errors += from->errors;
}

/* CPU in cores, over the seconds that were measured. */
struct measurement {
    double seconds, client, broker;
};

static void measurement_begin(struct measurement *measurement, const struct load_options *options) {
    measurement->seconds = (double)clock_monotonic_ns() / 1e9;
    measurement->client = own_cpu();
    measurement->broker = options->pid ? process_cpu(options->pid) : 0;
}

static void measurement_end(struct measurement *measurement, const struct load_options *options) {
    double used = options->pid ? process_cpu(options->pid) - measurement->broker : 0;
    measurement->seconds = (double)clock_monotonic_ns() / 1e9 - measurement->seconds;
    measurement->client = (own_cpu() - measurement->client) / measurement->seconds;
    measurement->broker = used / measurement->seconds;
}

/* Sleeps through warm-up and measurement, and takes the CPU times at their borders. */
static void measure(struct measurement *measurement, const struct load_options *options) {
    usleep((useconds_t)(options->warm_up_seconds * 1e6));
    measurement_begin(measurement, options);
    usleep((useconds_t)(options->seconds * 1e6));
    measurement_end(measurement, options);
    measurement->seconds = options->seconds; /* the threads' own borders */
}

static void threads_start(struct load_thread *threads, pthread_t *ids,
                          const struct load_options *options, uint64_t began) {
    for (int at = 0; at < options->threads; at++) {
        threads[at].began = began;
        threads[at].measure_from = began + (uint64_t)(options->warm_up_seconds * 1e9);
        threads[at].until = threads[at].measure_from + (uint64_t)(options->seconds * 1e9);
        check(pthread_create(&ids[at], NULL, thread_run, &threads[at]) == 0);
    }
}

static struct load_result run_threads(const struct load_options *options,
                                      const struct bytes *payloads,
                                      struct measurement *measurement) {
    struct load_thread *threads = memory_zero((size_t)options->threads, sizeof *threads);
    pthread_t *ids = memory_zero((size_t)options->threads, sizeof *ids);
    struct load_result all = {0};
    for (int at = 0; at < options->threads; at++) thread_init(&threads[at], options, payloads, at);
    uint64_t began = clock_monotonic_ns();
    measurement_begin(measurement, options);
    threads_start(threads, ids, options, began);
    if (!options->requests) measure(measurement, options);
    for (int at = 0; at < options->threads; at++) pthread_join(ids[at], NULL);
    if (options->requests) measurement_end(measurement, options);
    for (int at = 0; at < options->threads; at++) {
        result_merge(&all, &threads[at].result);
        if (all.errors && all.first_error_ns >= began) all.first_error_ns -= began;
        thread_deinit(&threads[at]);
    }
    free(threads);
    free(ids);
    return all;
}

static void print_quantiles(const char *name, const struct histogram *histogram) {
    printf(", \"%s\": {\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}",
           name, (double)histogram_quantile(histogram, 0.5) / 1e3,
           (double)histogram_quantile(histogram, 0.99) / 1e3,
           (double)histogram_quantile(histogram, 0.999) / 1e3, (double)histogram->max / 1e3);
}

/* One line for programs on stdout, one for people on stderr. */
static void report(const struct load_options *options, const struct load_result *result,
                   const struct measurement *measurement) {
    static const char *const modes[] = {"produce", "fetch", "latency"};
    double requests = (double)result->requests / measurement->seconds;
    double records = (double)result->records / measurement->seconds;
    double megabytes = (double)result->bytes / measurement->seconds / 1e6;
    printf(
        "{\"mode\": \"%s\", \"protocol\": \"%s\", \"seconds\": %.3f, \"requests_per_s\": %.1f, "
        "\"records_per_s\": %.1f, \"mb_per_s\": %.2f",
        modes[options->mode], options->protocol->name, measurement->seconds, requests, records,
        megabytes);
    print_quantiles("answer", &result->answer);
    if (options->mode == LOAD_LATENCY) print_quantiles("delivered", &result->delivered);
    printf(
        ", \"client_cpu\": %.3f, \"broker_cpu\": %.3f, \"congestion\": \"%s\", "
        "\"unanswered\": %lu, \"errors\": %lu, \"first_error\": %d, \"first_error_s\": %.3f}\n",
        measurement->client, measurement->broker,
        options->congestion ? options->congestion : "default", (unsigned long)result->unanswered,
        (unsigned long)result->errors, result->first_error, (double)result->first_error_ns / 1e9);
    const struct histogram *shown =
        options->mode == LOAD_LATENCY ? &result->delivered : &result->answer;
    fprintf(stderr,
            "%s: %.0f req/s, %.0f records/s, %.1f MB/s, p50 %.0f us, p99 %.0f us, p99.9 %.0f us, "
            "CPU client %.2f broker %.2f, errors %lu\n",
            modes[options->mode], requests, records, megabytes,
            (double)histogram_quantile(shown, 0.5) / 1e3,
            (double)histogram_quantile(shown, 0.99) / 1e3,
            (double)histogram_quantile(shown, 0.999) / 1e3, measurement->client,
            measurement->broker, (unsigned long)result->errors);
}

static void payloads_fill(struct load_options *options, struct bytes *payloads) {
    if (options->payload_file) {
        options->variants = batches_read(options->payload_file, payloads, options->variants);
        if (options->variants == 0) die("load: no batches in %s", options->payload_file);
        return;
    }
    for (int at = 0; at < options->variants; at++)
        payloads[at] = options->protocol->payload_make(options, (uint64_t)at + 1);
}

static int run(struct load_options *options) {
    struct bytes *payloads = memory_zero((size_t)options->variants, sizeof *payloads);
    payloads_fill(options, payloads);
    if (options->create) options->protocol->topic_create(options);
    struct measurement measurement;
    struct load_result result = run_threads(options, payloads, &measurement);
    if (options->create && !options->keep) options->protocol->topic_delete(options);
    report(options, &result, &measurement);
    for (int at = 0; at < options->variants; at++) free((void *)payloads[at].at);
    free(payloads);
    return result.errors || !result.requests ? 1 : 0;
}

int main(int count, char **arguments) {
    struct load_options options;
    load_options_read(&options, count, arguments);
    char own_topic[32];
    snprintf(own_topic, sizeof own_topic, "perf-%d", (int)getpid());
    if (!options.topic) options.topic = own_topic;
    signal(SIGPIPE, SIG_IGN);
    if (options.mode == LOAD_CREATE)
        options.protocol->topic_create(&options);
    else if (options.mode == LOAD_DELETE)
        options.protocol->topic_delete(&options);
    else
        return run(&options);
    return 0;
}
