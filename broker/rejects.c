#include "broker/rejects.h"

#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "base/utf8.h"
#include "broker/catalog_service.h"
#include "broker/core.h"
#include "protocol/batch_build.h"

enum { CLIENT_ID_MAX = 128, TOPIC_NAME_MAX = 250, TOKEN = 1000, SUMMARY_MS = 1000 };

/* How much may be told of one client and topic; those whose hashes meet share one. */
struct bucket {
    uint64_t filled_ns;
    int64_t tokens; /* in thousandths */
    int64_t left_out;
    size_t client_id_length;
    char topic[TOPIC_NAME_MAX], client_id[CLIENT_ID_MAX];
};

struct rejects {
    struct core *core;
    bool terminal;
    struct rejects_counts counts;
    struct bucket *buckets[REJECTS_BUCKETS]; /* NULL: never used */
    struct batch_build pending;
    struct timer moment, summary;
    /* The batch on its way: errand and append are the shard's core's until it is back. */
    bool writing;
    struct byte_buffer batch;
    uint32_t partition_id;
    struct errand errand;
    struct append append;
    /* The topic on its way. */
    bool asking;
    struct arena arena;
    struct catalog_change change;
    struct change_result result;
};

static void flush(struct rejects *rejects);

/* --- the topic --- */

static void topic_make(struct catalog_change *self, struct change *change) {
    struct rejects *rejects = container_of(self, struct rejects, change);
    static const struct config_edit configs[] = {
        {.name = BYTES_OF("cleanup.policy"), .value = BYTES_OF("delete")},
        {.name = BYTES_OF("segment.bytes"), .value = BYTES_OF("8388608")},
        {.name = BYTES_OF("retention.bytes"), .value = BYTES_OF("58720256")},
    };
    _Static_assert(58720256 + 8388608 == REJECTS_BYTES, "the segments that stay, and the last");
    change_create_internal(change, BYTES_OF(REJECTS_TOPIC), 1, configs, array_count(configs),
                           &rejects->result);
}

static void topic_done(struct catalog_change *self) {
    struct rejects *rejects = container_of(self, struct rejects, change);
    enum error_code code = self->code ? self->code : rejects->result.code;
    rejects->asking = false;
    if (code && core_may_say(rejects->core))
        say_warning("the topic " REJECTS_TOPIC " could not be created: %s",
                    error_code_message((int16_t)code));
    arena_reset(&rejects->arena);
    if (!code) flush(rejects);
}

static void topic_ask(struct rejects *rejects) {
    if (rejects->asking) return;
    rejects->asking = true;
    rejects->change =
        (struct catalog_change){.make = topic_make, .done = topic_done, .arena = &rejects->arena};
    catalog_service_change(&rejects->change, rejects->core);
}

/* --- writing --- */

static void write_back(struct errand *errand) {
    struct rejects *rejects = container_of(errand, struct rejects, errand);
    rejects->writing = false;
    if (rejects->append.code && core_may_say(rejects->core))
        say_warning("rejects could not be written: %s",
                    error_code_message((int16_t)rejects->append.code));
    flush(rejects);
}

static void write_done(struct append *append) {
    errand_return(&container_of(append, struct rejects, append)->errand);
}

static void write_arrive(struct errand *errand, struct core *there) {
    struct rejects *rejects = container_of(errand, struct rejects, errand);
    struct append *append = &rejects->append;
    struct partition *partition = store_find_partition(there->store, rejects->partition_id);
    *append = (struct append){.batch = byte_buffer_bytes(&rejects->batch),
                              .append_time_ms = -1,
                              .deadline_ns = ring_now_ns(there->ring),
                              .done = write_done,
                              .code = ERROR_UNKNOWN_TOPIC_OR_PARTITION};
    check(batch_header_read(append->batch, &append->header));
    if (!partition || partition_append(partition, append) == APPEND_REFUSED) errand_return(errand);
}

static void flush(struct rejects *rejects) {
    struct core *core = rejects->core;
    struct error error;
    if (rejects->writing || core->draining || rejects->pending.header.record_count == 0) return;
    const struct catalog_topic *topic = catalog_find_topic(&core->catalog, BYTES_OF(REJECTS_TOPIC));
    if (!topic) {
        topic_ask(rejects);
        return;
    }
    rejects->batch.len = 0;
    check(batch_build_finish(&rejects->pending, CODEC_NONE, &rejects->batch, &error));
    batch_build_restart(&rejects->pending);
    rejects->writing = true;
    rejects->partition_id = topic->partitions[0].id;
    rejects->errand.run = write_arrive;
    rejects->errand.back = write_back;
    errand_send(&rejects->errand, core, core_of_shard(core->server, topic->partitions[0].shard));
}

static void on_moment(struct timer *timer) { flush(container_of(timer, struct rejects, moment)); }

static void arm(struct rejects *rejects, struct timer *timer, uint64_t ms) {
    struct ring *ring = rejects->core->ring;
    if (!timer_is_armed(timer)) timer_arm(ring, timer, ring_now_ns(ring) + ms * NS_PER_MS);
}

/* False: there is no room. */
static bool add(struct rejects *rejects, const struct reject *reject) {
    struct byte_buffer message = {0};
    bool fits = batch_build_size(&rejects->pending) < REJECTS_PENDING_BYTES;
    if (!fits) return false;
    reject_write(reject, &message);
    batch_build_add(&rejects->pending, reject->time_ms, BYTES_NULL, byte_buffer_bytes(&message),
                    NULL, 0);
    byte_buffer_deinit(&message);
    arm(rejects, &rejects->moment, REJECTS_MOMENT_MS);
    return true;
}

/* --- how much --- */

static struct bytes client_id_of(const struct reject_source *source) {
    struct bytes id = source->client_id;
    if (id.len > CLIENT_ID_MAX) id.len = CLIENT_ID_MAX;
    return bytes_make(id.at, utf8_valid_length(id));
}

static struct bucket *bucket_of(struct rejects *rejects, const struct reject_source *source) {
    struct bytes client_id = client_id_of(source);
    uint64_t hash = hash_bytes(bytes_of_text(source->topic)) * 31 + hash_bytes(client_id);
    struct bucket **place = &rejects->buckets[hash % REJECTS_BUCKETS];
    uint64_t now_ns = ring_now_ns(rejects->core->ring);
    if (!*place) {
        *place = new_zero(struct bucket);
        (*place)->tokens = (int64_t)REJECTS_BURST * TOKEN;
        (*place)->filled_ns = now_ns;
    }
    struct bucket *bucket = *place;
    int64_t more = (int64_t)((now_ns - bucket->filled_ns) / NS_PER_MS) * REJECTS_PER_S;
    bucket->filled_ns += (uint64_t)(more / REJECTS_PER_S) * NS_PER_MS;
    bucket->tokens += more * TOKEN / 1000;
    if (bucket->tokens > (int64_t)REJECTS_BURST * TOKEN)
        bucket->tokens = (int64_t)REJECTS_BURST * TOKEN;
    return bucket;
}

static void bucket_name(struct bucket *bucket, const struct reject_source *source) {
    struct bytes client_id = client_id_of(source);
    snprintf(bucket->topic, sizeof bucket->topic, "%s", source->topic);
    if (client_id.len > 0) memcpy(bucket->client_id, client_id.at, client_id.len);
    bucket->client_id_length = client_id.len;
}

static void summarize(struct rejects *rejects, struct bucket *bucket) {
    const struct reject reject = {
        .time_ms = ring_wall_ms(rejects->core->ring),
        .topic = bytes_of_text(bucket->topic),
        .client_id = bytes_make(bucket->client_id, bucket->client_id_length),
        .left_out = bucket->left_out};
    if (rejects->terminal)
        say_warning("refused %lld more batches of client %.*s for topic %s",
                    (long long)bucket->left_out, BYTES_FORMAT(reject.client_id), bucket->topic);
    if (add(rejects, &reject))
        bucket->left_out = 0;
    else
        arm(rejects, &rejects->summary, SUMMARY_MS);
}

static void on_summary(struct timer *timer) {
    struct rejects *rejects = container_of(timer, struct rejects, summary);
    for (size_t i = 0; i < REJECTS_BUCKETS; i++)
        if (rejects->buckets[i] && rejects->buckets[i]->left_out > 0)
            summarize(rejects, rejects->buckets[i]);
}

static void leave_out(struct rejects *rejects, struct bucket *bucket,
                      const struct reject_source *source) {
    bucket_name(bucket, source);
    bucket->left_out++;
    rejects->counts.left_out++;
    arm(rejects, &rejects->summary, SUMMARY_MS);
}

/* --- reports --- */

static void print(const struct reject *reject, const struct batch_breaches *breaches) {
    char text[BREACH_TEXT_MAX];
    struct bytes why =
        record_breach_print(reject->observed ? &breaches->seen[0] : &breaches->told[0], text);
    say_warning("%s for topic %.*s, partition %d, client %.*s at %.*s: %.*s",
                reject->observed ? "stored a batch that breaks the contract" : "refused a batch",
                BYTES_FORMAT(reject->topic), reject->partition, BYTES_FORMAT(reject->client_id),
                BYTES_FORMAT(reject->peer), BYTES_FORMAT(why));
}

void rejects_report(struct rejects *rejects, const struct reject_source *source,
                    const struct batch_breaches *breaches) {
    struct bucket *bucket = bucket_of(rejects, source);
    struct reject reject = {.time_ms = ring_wall_ms(rejects->core->ring),
                            .topic = bytes_of_text(source->topic),
                            .client_id = client_id_of(source),
                            .peer = bytes_of_text(source->peer),
                            .partition = source->partition,
                            .producer_id = source->header->producer_id,
                            .producer_epoch = source->header->producer_epoch,
                            .base_sequence = source->header->base_sequence,
                            .left_out = bucket->left_out};
    reject_tell(&reject, breaches);
    if (reject.observed)
        rejects->counts.observed++;
    else
        rejects->counts.refused++;
    rejects->counts.refused_records += (uint64_t)breaches->bad_count;
    rejects->counts.observed_records += (uint64_t)breaches->seen_count;
    if (bucket->tokens < TOKEN || !add(rejects, &reject)) {
        leave_out(rejects, bucket, source);
        return;
    }
    bucket->tokens -= TOKEN;
    bucket->left_out = 0;
    if (rejects->terminal) print(&reject, breaches);
}

const struct rejects_counts *rejects_counts(const struct rejects *rejects) {
    return &rejects->counts;
}

/* --- life --- */

struct rejects *rejects_new(struct core *core) {
    struct rejects *rejects = new_zero(struct rejects);
    rejects->core = core;
    rejects->terminal = isatty(STDERR_FILENO);
    rejects->moment.fire = on_moment;
    rejects->summary.fire = on_summary;
    batch_build_init(&rejects->pending);
    arena_init(&rejects->arena, 1 << 20);
    return rejects;
}

void rejects_free(struct rejects *rejects) {
    if (!rejects) return;
    for (size_t i = 0; i < REJECTS_BUCKETS; i++) free(rejects->buckets[i]);
    batch_build_deinit(&rejects->pending);
    byte_buffer_deinit(&rejects->batch);
    arena_deinit(&rejects->arena);
    free(rejects);
}
