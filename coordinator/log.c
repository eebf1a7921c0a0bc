/* Records on their way into the log. They are encoded when they are added, collected into one batch
 * per round (or several, when a round adds much), and appended before the store forms the round's
 * commit. Offsets are known when records are added, because nobody else writes to the log.
 *
 * A batch waits for space as long as a call does. When it is refused then, it has left no trace; or
 * it has its offset and is durable when there is space, with nobody waiting for it any more. */
#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/say.h"
#include "coordinator/runtime.h"
#include "protocol/wire.h"

/* --- adding --- */

static struct bytes encode(struct arena *arena, int16_t number, const struct message *message,
                           int version, const void *from) {
    struct wire_output output;
    bool encoded = wire_encode(message, version, from, arena, &output);
    check(encoded);
    uint8_t *at = arena_zero(arena, 1, 2 + output.total);
    store_i16(at, number);
    size_t len = 2;
    for (uint32_t i = 0; i < output.count; i++) {
        if (output.pieces[i].len == 0) continue;
        memcpy(at + len, output.pieces[i].at, output.pieces[i].len);
        len += output.pieces[i].len;
    }
    return bytes_make(at, len);
}

static void add(struct coordinator *coordinator, struct bytes key, struct bytes value) {
    struct coordinator_host *host = coordinator->host;
    check(coordinator->running);
    batch_build_add(&coordinator->build, ring_wall_ms(host->ring), key, value, NULL, 0);
    if (!list_is_linked(&coordinator->dirty)) list_append(&host->dirty, &coordinator->dirty);
    arena_reset(&coordinator->arena);
}

void coordinator_write(struct coordinator *coordinator, const struct message *key_message,
                       const void *key, const struct message *value_message, int16_t value_version,
                       const void *value) {
    struct arena *arena = &coordinator->arena;
    check(value_message->key == key_message->key);
    struct bytes encoded_key = encode(arena, key_message->key, key_message, 0, key);
    add(coordinator, encoded_key,
        encode(arena, value_version, value_message, value_version, value));
}

void coordinator_erase(struct coordinator *coordinator, const struct message *key_message,
                       const void *key) {
    add(coordinator, encode(&coordinator->arena, key_message->key, key_message, 0, key),
        BYTES_NULL);
}

void coordinator_write_raw(struct coordinator *coordinator, struct bytes key, struct bytes value) {
    check(coordinator->kind->raw);
    add(coordinator, key, value);
}

int64_t coordinator_end(const struct coordinator *coordinator) {
    return coordinator->appended_end + coordinator->build.header.record_count;
}

/* --- appending --- */

static void write_free(struct log_write *write) {
    write->coordinator->under_way_bytes -= write->batch.len;
    list_remove(&write->link);
    byte_buffer_deinit(&write->batch);
    free(write);
}

/* One line in ten seconds: clients can bring it about again and again. */
static void say_refused(const struct log_write *write) {
    const struct coordinator *coordinator = write->coordinator;
    struct coordinator_host *host = coordinator->host;
    uint64_t now_ns = ring_now_ns(host->ring);
    if (coordinator->status != COORDINATOR_ACTIVE) return;
    if (host->said_ns && now_ns - host->said_ns < SAY_S * NS_PER_S) return;
    host->said_ns = now_ns;
    say_warning("%s: the log of partition %u takes no more (%s), and is read again",
                coordinator->kind->name, (unsigned)partition_id(coordinator->log),
                error_code_message((int16_t)write->append.code));
}

static void write_refused(struct log_write *write) {
    struct coordinator *coordinator = write->coordinator;
    bool follows = write->append.code == ERROR_REQUEST_TIMED_OUT;
    int64_t durable_at = follows ? write->end_offset : 0;
    say_refused(write);
    write_free(write);
    load_again(coordinator, durable_at);
}

/* What was added behind a refused batch rests on it. */
static enum error_code write_judge(struct append *append) {
    const struct log_write *write = container_of(append, struct log_write, append);
    return write->coordinator->load.again ? ERROR_COORDINATOR_NOT_AVAILABLE : ERROR_NONE;
}

static void write_done(struct append *append) {
    struct log_write *write = container_of(append, struct log_write, append);
    struct coordinator *coordinator = write->coordinator;
    if (append->code) {
        write_refused(write);
        return;
    }
    check(append->base_offset == write->base_offset);
    check(write->end_offset > coordinator->durable_end);
    coordinator->durable_end = write->end_offset;
    time_count_commit(coordinator->host, write->started_ns);
    write_free(write);
    coordinator_release_finished(coordinator);
    image_advance(coordinator);
}

static struct log_write *write_new(struct coordinator *coordinator) {
    struct log_write *write = new_zero(struct log_write);
    struct error error;
    bool built = batch_build_finish(&coordinator->build, CODEC_NONE, &write->batch, &error);
    check(built);
    write->coordinator = coordinator;
    write->base_offset = coordinator->appended_end;
    write->end_offset = coordinator_end(coordinator);
    write->started_ns = ring_now_ns(coordinator->host->ring);
    write->append = (struct append){.batch = byte_buffer_bytes(&write->batch),
                                    .append_time_ms = -1,
                                    .deadline_ns = write->started_ns + SPACE_WAIT_MS * NS_PER_MS,
                                    .may_time_out = true,
                                    .judge = write_judge,
                                    .done = write_done};
    check(batch_header_read(write->append.batch, &write->append.header));
    return write;
}

void log_flush(struct coordinator *coordinator) {
    list_remove(&coordinator->dirty);
    if (coordinator->build.header.record_count == 0) return;
    struct log_write *write = write_new(coordinator);
    batch_build_restart(&coordinator->build);
    coordinator->appended_end = write->end_offset;
    coordinator->under_way_bytes += write->batch.len;
    coordinator->log_bytes += write->batch.len;
    list_append(&coordinator->host->under_way, &write->link);
    if (fault_hit(FAULT_coordinator_append)) {
        write->append.code = ERROR_KAFKA_STORAGE_ERROR;
        write_refused(write);
    } else if (partition_append(coordinator->log, &write->append) == APPEND_REFUSED) {
        write_refused(write);
    }
}
