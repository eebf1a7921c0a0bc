/* Fetch, in two rounds over the cores that own its partitions. There is one leg per core; a leg on
 * the own core is a plain call, the others go and come back as errands.
 *
 *   start ─► look ─► enough, or an error, or the deadline? ──yes──► read ─► answer ─► release
 *             ▲             │ no
 *             └── a waiter ◄─ park
 *
 *   look     per partition: error, watermarks, bytes available; where the leg alone has too little
 *            it leaves one-shot waiters behind, in the same step, so that no append is missed
 *   read     max_bytes was allotted in request order; waiters are taken back; the shards return
 *            pinned slices of whole batches
 *   release  when the answer was sent, the slices go back to their owners
 *
 * The first partition that has something returns at least one batch, whatever the limits. In a
 * session (broker/fetch_session.h) the request stands for all that the session has, and the answer
 * leaves out what has not changed. Aborted transactions and preferred replicas do not exist here.
 */
#include "protocol/fetch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/connection.h"
#include "broker/core.h"
#include "broker/errand.h"
#include "broker/fetch_session.h"
#include "broker/handlers/handlers.h"
#include "broker/server.h"
#include "storage/partition.h"

enum {
    READ_MEMORY_MIN = 256 << 10, /* of an answer's size, however little memory is free */
    READS_MAX = 4096,            /* partitions in one answer that have records */
    STRANGERS_MAX = 10000,       /* partitions that a fetch may name beyond those that exist */
    ZSTD_VERSION = 10,           /* the first that may carry zstd (KIP-110) */
    TOPIC_ID_VERSION = 13,
};

struct leg;
struct fetch_part;

struct part_read {
    struct read read;
    struct fetch_part *part;
};

struct fetch_part {
    const struct fetch_request_fetch_partition *wanted;
    struct fetch_response_partition_data *out;
    struct leg *leg; /* NULL: the catalog does not have the partition */
    struct list in_leg;
    uint32_t partition_id;
    enum error_code code;
    struct partition_view view;
    struct part_read *read; /* NULL: nothing was allotted */
    struct waiter waiter;
};

enum leg_stage { LEG_LOOK, LEG_READ, LEG_RELEASE };

struct leg {
    struct errand errand;
    struct fetch *fetch;
    struct core *core;
    struct list parts;
    enum leg_stage stage;
    bool is_waiting; /* has left waiters */
    bool has_reads;
    bool wake_arrived;   /* at home, since the last look was sent */
    bool may_wake_again; /* for this look: the mail is the leg's again */
    /* Of the leg's core */
    int32_t reading;
    bool is_woken; /* `wake` was sent, and is not known to have arrived */
    struct mail wake;
};

struct fetch {
    struct request *request;
    struct fetch_response *response;
    struct fetch_part *parts;
    int32_t part_count;
    struct leg *legs;
    int32_t leg_count, away; /* legs that are not back */
    uint64_t min_bytes, deadline_ns;
    bool is_stale;           /* a waiter has fired since its leg looked */
    bool is_over;            /* the deadline has passed, or nobody waits */
    enum error_code missing; /* for partitions that are gone */
    /* Behind each of the parts; NULL outside a session, and in the request that opens one. */
    struct session_partition **kept;
};

/* --- legs: on their cores --- */

static void leg_wake_arrives(struct mail *mail);

static void part_woken(struct waiter *waiter) {
    struct leg *leg = container_of(waiter, struct fetch_part, waiter)->leg;
    if (leg->is_woken) return;
    leg->is_woken = true;
    leg->wake.deliver = leg_wake_arrives;
    if (leg->core == leg->fetch->request->core)
        leg_wake_arrives(&leg->wake);
    else
        ring_post(leg->fetch->request->core->ring, &leg->wake);
}

static uint64_t part_bytes(const struct fetch_part *part) {
    if (part->code != ERROR_NONE || part->wanted->partition_max_bytes <= 0) return 0;
    uint64_t most = (uint64_t)part->wanted->partition_max_bytes;
    return part->view.bytes_available < most ? part->view.bytes_available : most;
}

static void leg_wait(struct leg *leg) {
    leg->is_waiting = true;
    list_each(node, &leg->parts) {
        struct fetch_part *part = list_entry(node, struct fetch_part, in_leg);
        struct partition *partition = store_find_partition(leg->core->store, part->partition_id);
        if (partition && !list_is_linked(&part->waiter.link))
            partition_wait(partition, &part->waiter);
    }
}

static void leg_look(struct leg *leg) {
    struct fetch *fetch = leg->fetch;
    uint64_t bytes = 0;
    bool failed = false;
    if (leg->may_wake_again) leg->is_woken = false;
    list_each(node, &leg->parts) {
        struct fetch_part *part = list_entry(node, struct fetch_part, in_leg);
        const struct fetch_request_fetch_partition *wanted = part->wanted;
        struct partition *partition = store_find_partition(leg->core->store, part->partition_id);
        part->code = fetch->missing;
        if (partition) {
            partition_look(partition, wanted->fetch_offset, wanted->current_leader_epoch,
                           &part->view);
            part->code = part->view.code;
        }
        if (part->code == ERROR_NONE && wanted->fetch_offset < 0)
            part->code = ERROR_OFFSET_OUT_OF_RANGE; /* to storage, -1 is no offset */
        failed |= part->code != ERROR_NONE;
        bytes += part_bytes(part);
    }
    if (!failed && bytes < fetch->min_bytes && fetch->deadline_ns > 0) leg_wait(leg);
    errand_return(&leg->errand);
}

static void leg_read_one(struct leg *leg) {
    if (--leg->reading == 0) errand_return(&leg->errand);
}

/* The high watermark has moved since the look, and an answer never has records above its own. */
static void part_look_again(struct fetch_part *part, const struct partition *partition) {
    struct partition_view view;
    partition_look(partition, -1, -1, &view);
    part->view.high_watermark = view.high_watermark;
    part->view.last_stable_offset = view.last_stable_offset;
    part->view.log_start_offset = view.log_start_offset;
}

static void part_read_done(struct read *read) {
    struct fetch_part *part = container_of(read, struct part_read, read)->part;
    part_look_again(part, read->partition);
    leg_read_one(part->leg);
}

static void leg_read(struct leg *leg) {
    leg->reading = 1;
    leg->is_waiting = false;
    list_each(node, &leg->parts) {
        struct fetch_part *part = list_entry(node, struct fetch_part, in_leg);
        waiter_cancel(&part->waiter);
        if (!part->read) continue;
        struct partition *partition = store_find_partition(leg->core->store, part->partition_id);
        if (!partition) {
            part->read->read.code = leg->fetch->missing;
            continue;
        }
        leg->reading++;
        if (!partition_read(partition, &part->read->read)) continue;
        part_look_again(part, partition);
        leg->reading--;
    }
    leg_read_one(leg);
}

static void leg_release(struct leg *leg) {
    list_each(node, &leg->parts) {
        struct fetch_part *part = list_entry(node, struct fetch_part, in_leg);
        if (part->read && part->read->read.piece_count > 0) read_release(&part->read->read);
    }
    errand_return(&leg->errand);
}

static void leg_run(struct errand *errand, struct core *there) {
    struct leg *leg = container_of(errand, struct leg, errand);
    (void)there;
    switch (leg->stage) {
        case LEG_LOOK: leg_look(leg); return;
        case LEG_READ: leg_read(leg); return;
        case LEG_RELEASE: leg_release(leg); return;
    }
}

/* --- rounds: on the request's core --- */

static void fetch_round(struct fetch *fetch, enum leg_stage stage, bool (*joins)(struct leg *leg));
static void fetch_looked(struct fetch *fetch);
static void fetch_answer(struct fetch *fetch);

static void leg_back(struct errand *errand) {
    struct leg *leg = container_of(errand, struct leg, errand);
    struct fetch *fetch = leg->fetch;
    enum leg_stage stage = leg->stage;
    if (--fetch->away > 0) return;
    switch (stage) {
        case LEG_LOOK: fetch_looked(fetch); return;
        case LEG_READ: fetch_answer(fetch); return;
        case LEG_RELEASE: request_free(fetch->request); return;
    }
}

/* The last leg that comes back goes on with the fetch; this counts as one that is away until all
 * have been sent. */
static void fetch_round(struct fetch *fetch, enum leg_stage stage, bool (*joins)(struct leg *leg)) {
    struct core *home = fetch->request->core;
    fetch->away = 1;
    for (int32_t i = 0; i < fetch->leg_count; i++) {
        struct leg *leg = &fetch->legs[i];
        if (!joins(leg)) continue;
        leg->stage = stage;
        leg->may_wake_again = leg->wake_arrived;
        leg->wake_arrived = false;
        fetch->away++;
        errand_send(&leg->errand, home, leg->core);
    }
}

static bool leg_always(struct leg *leg) {
    (void)leg;
    return true;
}
static bool leg_has_reads_or_waiters(struct leg *leg) { return leg->has_reads || leg->is_waiting; }
static bool leg_has_reads(struct leg *leg) { return leg->has_reads; }

static void fetch_look(struct fetch *fetch) {
    fetch->is_stale = false;
    fetch_round(fetch, LEG_LOOK, leg_always);
    if (--fetch->away == 0) fetch_looked(fetch);
}

static void leg_wake_arrives(struct mail *mail) {
    struct leg *leg = container_of(mail, struct leg, wake);
    leg->wake_arrived = true;
    leg->fetch->is_stale = true;
    request_wake(leg->fetch->request);
}

static uint64_t at_most(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Not zeroed: it is large, and partition_read() sets what is read of it. */
static struct part_read *part_read_new(struct fetch *fetch, struct fetch_part *part) {
    struct part_read *new = arena_try(&fetch->request->arena, sizeof *new);
    check(new);
    new->part = part;
    new->read.done = part_read_done;
    new->read.offset = part->wanted->fetch_offset;
    new->read.piece_count = 0;
    new->read.total = 0;
    return new;
}

/* Gives max_bytes to the partitions in request order. */
static void fetch_allot(struct fetch *fetch, uint64_t room) {
    int32_t reads = 0;
    for (int32_t i = 0; i < fetch->part_count && reads < READS_MAX; i++) {
        struct fetch_part *part = &fetch->parts[i];
        if (part->code != ERROR_NONE || part->view.bytes_available == 0) continue;
        uint64_t bytes = at_most(room, part_bytes(part));
        if (bytes == 0 && reads > 0) continue;
        part->read = part_read_new(fetch, part);
        part->read->read.bytes_max = (size_t)bytes;
        part->read->read.minimum_one = reads == 0;
        part->leg->has_reads = true;
        room -= bytes;
        reads++;
    }
}

static void fetch_read(struct fetch *fetch) {
    struct request *request = fetch->request;
    const struct fetch_request *body = request->body;
    uint64_t room = body->max_bytes > 0 ? (uint64_t)body->max_bytes : 0, wanted = 0;
    room = at_most(room, (uint64_t)request->core->options->fetch_bytes_max);
    for (int32_t i = 0; i < fetch->part_count; i++) wanted += part_bytes(&fetch->parts[i]);
    wanted = at_most(room, wanted);
    if (wanted > 0)
        room = request_take_some(request, (size_t)wanted, (size_t)at_most(wanted, READ_MEMORY_MIN));
    if (!request_is_dead(request)) fetch_allot(fetch, room);
    fetch_round(fetch, LEG_READ, leg_has_reads_or_waiters);
    if (--fetch->away == 0) fetch_answer(fetch);
}

/* All legs have looked. */
static void fetch_looked(struct fetch *fetch) {
    uint64_t bytes = 0;
    bool failed = false;
    for (int32_t i = 0; i < fetch->part_count; i++) {
        failed |= fetch->parts[i].code != ERROR_NONE;
        bytes += part_bytes(&fetch->parts[i]);
    }
    bool is_done = failed || bytes >= fetch->min_bytes || fetch->is_over ||
                   fetch->deadline_ns == 0 || fetch->part_count == 0;
    if (is_done)
        fetch_read(fetch);
    else if (fetch->is_stale)
        fetch_look(fetch);
    else
        request_park(fetch->request, fetch->deadline_ns);
}

static void retry(struct request *request) { fetch_look(request->state); }

static void expire(struct request *request) {
    struct fetch *fetch = request->state;
    fetch->is_over = true;
    fetch_look(fetch);
}

/* --- the answer --- */

/* The attributes' low byte of the batch at `position` of the slices, and the batch's size. */
static bool slices_batch(const struct record_slices *slices, size_t position, uint8_t *attributes,
                         size_t *size) {
    uint8_t start[23];
    size_t have = 0;
    for (int32_t i = 0; i < slices->count && have < sizeof start; i++) {
        struct bytes piece = slices->pieces[i];
        if (position >= piece.len) {
            position -= piece.len;
            continue;
        }
        size_t len = piece.len - position;
        if (len > sizeof start - have) len = sizeof start - have;
        memcpy(start + have, piece.at + position, len);
        have += len;
        position = 0;
    }
    if (have < sizeof start) return false;
    *size = (size_t)load_u32(start + 8) + BATCH_OVERHEAD;
    *attributes = start[22];
    return true;
}

static bool slices_have_zstd(const struct record_slices *slices) {
    uint8_t attributes;
    size_t size;
    for (size_t at = 0; slices_batch(slices, at, &attributes, &size); at += size)
        if ((attributes & BATCH_CODEC_MASK) == CODEC_ZSTD) return true;
    return false;
}

static void part_fill_records(struct fetch *fetch, struct fetch_part *part) {
    const struct read *read = &part->read->read;
    part->code = read->code;
    if (read->code != ERROR_NONE) return;
    struct record_slices slices = {read->piece_count, read->pieces, read->total};
    if (fetch->request->version < ZSTD_VERSION && slices_have_zstd(&slices))
        part->code = ERROR_UNSUPPORTED_COMPRESSION_TYPE;
    else
        part->out->records = slices;
}

static void part_fill(struct fetch *fetch, struct fetch_part *part) {
    if (part->read) part_fill_records(fetch, part);
    if (part->leg && part->code == ERROR_UNKNOWN_TOPIC_OR_PARTITION) part->code = fetch->missing;
    part->out->error_code = (int16_t)part->code;
    part->out->high_watermark = part->view.high_watermark;
    part->out->last_stable_offset = part->view.last_stable_offset;
    part->out->log_start_offset = part->view.log_start_offset;
}

/* True when no slice is left with another core. */
static bool fetch_release(struct request *request) {
    struct fetch *fetch = request->state;
    fetch_round(fetch, LEG_RELEASE, leg_has_reads);
    return --fetch->away == 0;
}

/* Those that got records come last in the next answer. */
static void session_serve(struct fetch *fetch) {
    struct fetch_session *session = fetch->request->connection->fetch_session;
    for (int32_t i = 0; i < fetch->part_count; i++)
        if (fetch->parts[i].out->records.total > 0)
            session_partition_served(session, fetch->kept[i]);
}

/* Leaves in the answer what the client has to see. */
static void session_answer(struct fetch *fetch) {
    struct fetch_response *response = fetch->response;
    struct session_partition **kept = fetch->kept;
    int32_t topics = 0;
    session_serve(fetch);
    response->session_id = fetch->request->connection->fetch_session->id;
    for (int32_t i = 0; i < response->responses_count; i++) {
        struct fetch_response_fetchable_topic_response topic = response->responses[i];
        int32_t partitions = 0;
        for (int32_t k = 0; k < topic.partitions_count; k++)
            if (session_partition_changed(*kept++, &topic.partitions[k]))
                topic.partitions[partitions++] = topic.partitions[k];
        topic.partitions_count = partitions;
        if (partitions > 0) response->responses[topics++] = topic;
    }
    response->responses_count = topics;
}

/* What the client sees in full is what the session begins with. */
static void session_remember(struct fetch *fetch, const struct fetch_session *session) {
    const struct fetch_request *body = fetch->request->body;
    const struct fetch_part *part = fetch->parts;
    for (int32_t i = 0; i < body->topics_count; i++)
        for (int32_t k = 0; k < body->topics[i].partitions_count; k++, part++)
            session_partition_changed(
                fetch_session_find(session, &body->topics[i], part->wanted->partition), part->out);
}

static void session_open(struct fetch *fetch) {
    struct request *request = fetch->request;
    struct connection *connection = request->connection;
    struct core *core = request->core;
    connection->fetch_session =
        fetch_session_new(&core->admission, connection->ticket->party, ++core->fetch_sessions,
                          request->body, request->version >= TOPIC_ID_VERSION);
    if (!connection->fetch_session) return;
    session_remember(fetch, connection->fetch_session);
    fetch->response->session_id = connection->fetch_session->id;
    say_debug("a fetch session of %s has %d partitions", connection->ticket->peer,
              connection->fetch_session->partition_count);
}

static bool opens_session(const struct request *request) {
    const struct fetch_request *body = request->body;
    return request->version >= FETCH_SESSION_VERSION && body->session_epoch == FETCH_SESSION_OPEN &&
           body->topics_count > 0;
}

static void fetch_answer(struct fetch *fetch) {
    struct request *request = fetch->request;
    request->release = fetch_release;
    for (int32_t i = 0; i < fetch->part_count; i++) part_fill(fetch, &fetch->parts[i]);
    if (request_is_dead(request)) {
        request_answer_silently(request, true);
        return;
    }
    if (fetch->kept)
        session_answer(fetch);
    else if (opens_session(request))
        session_open(fetch);
    request_answer(request, fetch->response);
}

/* --- the beginning --- */

static struct leg *leg_of(struct fetch *fetch, struct core *core) {
    for (int32_t i = 0; i < fetch->leg_count; i++)
        if (fetch->legs[i].core == core) return &fetch->legs[i];
    struct leg *leg = &fetch->legs[fetch->leg_count++];
    leg->fetch = fetch;
    leg->core = core;
    leg->errand.run = leg_run;
    leg->errand.back = leg_back;
    list_init(&leg->parts);
    return leg;
}

static void prepare_part(struct fetch *fetch, struct fetch_part *part,
                         const struct catalog_topic *topic) {
    const struct fetch_request *body = fetch->request->body;
    struct server *server = fetch->request->core->server;
    int32_t index = part->wanted->partition;
    *part->out = (struct fetch_response_partition_data){
        .partition_index = index,
        .diverging_epoch = {-1, -1},
        .current_leader = {-1, -1},
        .snapshot_id = {-1, -1},
        .aborted_transactions_count = body->isolation_level == 1 ? 0 : -1,
        .preferred_read_replica = -1,
    };
    part->view = (struct partition_view){
        .high_watermark = -1, .last_stable_offset = -1, .log_start_offset = -1};
    part->waiter.wake = part_woken;
    list_init(&part->waiter.link);
    list_init(&part->in_leg);
    if (!topic || index < 0 || index >= topic->partition_count) {
        part->code = topic ? ERROR_UNKNOWN_TOPIC_OR_PARTITION : fetch->missing;
        return;
    }
    part->partition_id = topic->partitions[index].id;
    part->leg = leg_of(fetch, core_of_shard(server, topic->partitions[index].shard));
    list_append(&part->leg->parts, &part->in_leg);
}

static void prepare_topic(struct fetch *fetch, const struct fetch_request_fetch_topic *topic,
                          struct fetch_response_fetchable_topic_response *to) {
    struct request *request = fetch->request;
    const struct catalog *catalog = &request->core->catalog;
    const struct catalog_topic *known = request->version >= TOPIC_ID_VERSION
                                            ? catalog_find_topic_id(catalog, &topic->topic_id)
                                            : catalog_find_topic(catalog, topic->topic);
    to->topic = topic->topic;
    to->topic_id = topic->topic_id;
    to->partitions_count = topic->partitions_count;
    to->partitions = arena_array(&request->arena, struct fetch_response_partition_data,
                                 (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct fetch_part *part = &fetch->parts[fetch->part_count++];
        part->wanted = &topic->partitions[i];
        part->out = &to->partitions[i];
        prepare_part(fetch, part, known);
    }
}

static size_t count_partitions(const struct fetch_request *body) {
    size_t count = 0;
    for (int32_t i = 0; i < body->topics_count; i++)
        count += (size_t)body->topics[i].partitions_count;
    return count;
}

static struct fetch *fetch_new(struct request *request, size_t count) {
    const struct fetch_request *body = request->body;
    struct fetch *fetch = arena_new(&request->arena, struct fetch);
    request->state = fetch;
    fetch->request = request;
    fetch->parts = arena_array(&request->arena, struct fetch_part, count);
    fetch->legs = arena_array(&request->arena, struct leg, request->core->server->core_count);
    fetch->min_bytes = body->min_bytes > 0 ? (uint64_t)body->min_bytes : 0;
    if (body->max_wait_ms > 0)
        fetch->deadline_ns = request->started_ns + (uint64_t)body->max_wait_ms * NS_PER_MS;
    fetch->missing = request->version >= TOPIC_ID_VERSION ? ERROR_UNKNOWN_TOPIC_ID
                                                          : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    fetch->response = request_response(request);
    fetch->response->responses_count = body->topics_count;
    fetch->response->responses =
        arena_array(&request->arena, struct fetch_response_fetchable_topic_response,
                    (size_t)body->topics_count);
    return fetch;
}

static bool is_follower(const struct request *request) {
    const struct fetch_request *body = request->body;
    return (request->version < 15 ? body->replica_id : body->replica_state.replica_id) >= 0;
}

static void session_close(struct connection *connection) {
    fetch_session_free(connection->fetch_session);
    connection->fetch_session = NULL;
}

/* The request goes on with a session: from here on it names all that the session has. */
static enum error_code session_go_on(struct request *request, struct session_partition ***kept) {
    struct connection *connection = request->connection;
    struct fetch_session *session = connection->fetch_session;
    struct fetch_request *body = request->body;
    enum error_code code = fetch_session_check(session, body, request->version >= TOPIC_ID_VERSION);
    if (code != ERROR_NONE) return code;
    if (!fetch_session_go_on(session, body)) {
        session_close(connection); /* the client asks for all again, and gets no session */
        return ERROR_FETCH_SESSION_ID_NOT_FOUND;
    }
    if (session->partition_count == 0) { /* all forgotten: that was the last of it */
        session_close(connection);
        body->topics_count = 0;
        return ERROR_NONE;
    }
    body->topics = fetch_session_topics(session, &request->arena, kept);
    body->topics_count = session->topic_count;
    return ERROR_NONE;
}

/* A request for a new session, or one that names its session but none of its epochs, ends it. */
static enum error_code take_session(struct request *request, struct session_partition ***kept) {
    const struct fetch_request *body = request->body;
    const struct fetch_session *session = request->connection->fetch_session;
    *kept = NULL;
    if (request->version < FETCH_SESSION_VERSION) return ERROR_NONE;
    if (body->session_epoch != FETCH_SESSION_OPEN && body->session_epoch != FETCH_SESSION_NONE)
        return session_go_on(request, kept);
    if (body->session_epoch == FETCH_SESSION_OPEN || (session && session->id == body->session_id))
        session_close(request->connection);
    return ERROR_NONE;
}

static void start(struct request *request) {
    const struct fetch_request *body = request->body;
    struct session_partition **kept;
    if (is_follower(request)) {
        request_fail(request, ERROR_INVALID_REQUEST, "there are no followers here");
        return;
    }
    enum error_code code = take_session(request, &kept);
    if (code != ERROR_NONE) {
        request_fail(request, (int16_t)code, NULL);
        return;
    }
    size_t count = count_partitions(body);
    if (count > request->core->catalog.partition_count + STRANGERS_MAX) {
        session_close(request->connection);
        request_fail(request, ERROR_INVALID_REQUEST, "it names more partitions than there are");
        return;
    }
    struct fetch *fetch = fetch_new(request, count);
    fetch->kept = kept;
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(fetch, &body->topics[i], &fetch->response->responses[i]);
    fetch_look(fetch);
}

const struct handler fetch_handler = {
    .key = API_FETCH, .start = start, .retry = retry, .expire = expire};
