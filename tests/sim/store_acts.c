#include <errno.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/sim.h"
#include "tests/sim/seeds.h"
#include "tests/sim/store_run.h"

/* --- the catalog: durable by decree --- */

struct slot *slot_give(struct run *run) {
    struct slot *slot = &run->slots[run->given++];
    *slot = (struct slot){.id = run->given, .given = true};
    for (unsigned at = 0; at < PRODUCERS; at++)
        slot->producers[at].id = (int64_t)slot->id * 10 + at;
    struct partition_rules rules = run->mix.rules;
    rules.compacted = run_chance(run, run->mix.compacted, 8);
    slot_shape(run, slot, &rules);
    return slot;
}

void slot_shape(struct run *run, struct slot *slot, const struct partition_rules *rules) {
    slot->rules = *rules;
    slot->compacted = rules->compacted;
    struct model_log *log = model_log(run->model, slot->id);
    log->is_retained = rules->delete_old;
    log->is_compacted = rules->compacted;
    log->keeps_tombstones = rules->delete_retention_ms == INT64_MAX;
}

enum partition_life run_life(void *context, uint32_t id, struct partition_definition *definition) {
    struct run *run = context;
    if (id > run->given) return PARTITION_NOT_GIVEN;
    const struct slot *slot = &run->slots[id - 1];
    if (slot->dead) return PARTITION_DEAD;
    *definition =
        (struct partition_definition){.id = id, .shard = (uint16_t)(id % 5), .rules = slot->rules};
    definition->rules.compacted = slot->compacted && !slot->switched_off;
    return PARTITION_LIVE;
}

struct core_sim *slot_core(struct run *run, const struct slot *slot) {
    return &run->life->cores[slot->id % 5 % run->life->core_count];
}

struct partition *slot_partition(struct run *run, const struct slot *slot) {
    struct partition *partition = store_find_partition(slot_core(run, slot)->store, slot->id);
    seed_expect(partition, "partition %u is missing", slot->id);
    return partition;
}

void slot_create(struct run *run, struct slot *slot) {
    struct partition_definition definition;
    if (run_life(run, slot->id, &definition) != PARTITION_LIVE) return;
    store_create_partition(slot_core(run, slot)->store, &definition);
}

/* --- appends --- */

struct attempt {
    struct append append;
    struct run *run;
    struct life *life;
    struct slot *slot;
    struct producer_sim *producer;
    uint32_t id;
    struct list link;
    bool is_repeat; /* stored already, for certain: must be answered as a duplicate */
};

static void attempt_free(struct attempt *attempt) {
    list_remove(&attempt->link);
    free((uint8_t *)attempt->append.batch.at);
    free(attempt);
}

static void attempt_refused(struct attempt *attempt) {
    struct run *run = attempt->run;
    enum error_code code = attempt->append.code;
    seed_expect(!attempt->is_repeat || !slot_serves(attempt->slot),
                "a repeated batch %u was refused: %d", attempt->id, code);
    bool expected = code == ERROR_KAFKA_STORAGE_ERROR ||
                    (code == ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER && attempt->producer &&
                     attempt->producer->refused) ||
                    (code == ERROR_UNKNOWN_TOPIC_OR_PARTITION && attempt->slot->dead);
    seed_expect(expected, "batch %u refused: %d", attempt->id, code);
    if (!attempt->is_repeat) model_refused(run->model, attempt->id);
    if (attempt->producer) attempt->producer->refused = true;
}

static void attempt_answered(struct attempt *attempt) {
    struct run *run = attempt->run;
    struct producer_sim *producer = attempt->producer;
    if (!attempt->slot->dead) {
        model_acked(run->model, attempt->id, attempt->append.base_offset);
        if (producer) {
            uint32_t *first = &producer->answered;
            while (*first < producer->count &&
                   model_batch(run->model, producer->batches[*first])->acked)
                ++*first;
        }
    }
}

static void attempt_end(struct attempt *attempt) {
    if (attempt->append.code == ERROR_NONE)
        attempt_answered(attempt);
    else
        attempt_refused(attempt);
    struct producer_sim *producer = attempt->producer;
    attempt->slot->outstanding--;
    if (producer && --producer->in_flight == 0 && producer->refused) {
        producer->refused = false;
        producer->sent = producer->answered;
    }
    attempt_free(attempt);
}

static void attempt_done(struct append *append) {
    struct attempt *attempt = container_of(append, struct attempt, append);
    seed_expect(attempt->life == attempt->run->life, "an answer from an older life");
    attempt_end(attempt);
}

static void attempt_start(struct run *run, struct slot *slot, struct producer_sim *producer,
                          uint32_t id, bool is_repeat) {
    const struct model_batch *batch = model_batch(run->model, id);
    struct attempt *attempt = new_zero(struct attempt);
    uint8_t *copy = memory_new(batch->len);
    memcpy(copy, batch->bytes, batch->len);
    *attempt = (struct attempt){.run = run,
                                .life = run->life,
                                .slot = slot,
                                .producer = producer,
                                .id = id,
                                .is_repeat = is_repeat};
    attempt->append = (struct append){.batch = bytes_make(copy, batch->len),
                                      .append_time_ms = -1,
                                      .deadline_ns = ring_now_ns(slot_core(run, slot)->ring) +
                                                     (1 + run_below(run, 3000)) * NS_PER_MS,
                                      .done = attempt_done};
    seed_expect(batch_header_read(attempt->append.batch, &attempt->append.header), "header");
    list_append(&run->attempts, &attempt->link);
    slot->outstanding++;
    if (producer) producer->in_flight++;
    if (!is_repeat) model_sent(run->model, id);
    if (partition_append(slot_partition(run, slot), &attempt->append) == APPEND_REFUSED)
        attempt_end(attempt);
}

static uint32_t batch_draw(struct run *run, const struct slot *slot, int64_t producer_id,
                           int32_t sequence) {
    bool large = run_chance(run, run->mix.large, run->mix.large + run->mix.small);
    int32_t count = 1 + (int32_t)run_below(run, large ? 3 : 12);
    size_t size = run_below(run, run_chance(run, 1, 4) ? 6000 : 300);
    if (large) size = (10 + run_below(run, 150)) << 10;
    return model_make(run->model, slot->id, count, size, producer_id, sequence);
}

void act_append(struct run *run, struct slot *slot) {
    if (slot->outstanding < OUTSTANDING_MAX)
        attempt_start(run, slot, NULL, batch_draw(run, slot, -1, -1), false);
}

static uint32_t producer_make(struct run *run, const struct slot *slot,
                              struct producer_sim *producer) {
    int32_t sequence = 0;
    if (producer->count) {
        const struct model_batch *last =
            model_batch(run->model, producer->batches[producer->count - 1]);
        sequence = last->sequence + last->count;
    }
    if (producer->count == producer->capacity) {
        producer->capacity = producer->capacity * 2 + 16;
        producer->batches =
            memory_resize(producer->batches, producer->capacity * sizeof *producer->batches);
    }
    uint32_t id = batch_draw(run, slot, producer->id, sequence);
    producer->batches[producer->count++] = id;
    return id;
}

void act_produce(struct run *run, struct slot *slot) {
    struct producer_sim *producer = &slot->producers[run_below(run, PRODUCERS)];
    if (producer->in_flight >= IN_FLIGHT_MAX || producer->refused) return;
    if (producer->sent == producer->count) producer_make(run, slot, producer);
    uint32_t at = producer->sent++;
    const struct model_batch *batch = model_batch(run->model, producer->batches[at]);
    attempt_start(run, slot, producer, producer->batches[at], batch->base >= 0);
}

/* Sends one of the last five again. */
void act_repeat(struct run *run, struct slot *slot) {
    struct producer_sim *producer = &slot->producers[run_below(run, PRODUCERS)];
    if (producer->in_flight >= IN_FLIGHT_MAX || producer->refused || producer->sent == 0) return;
    uint32_t back = 1 + (uint32_t)run_below(run, IN_FLIGHT_MAX);
    if (back > producer->sent || producer->sent - back >= producer->answered) return;
    if (producer->sent < producer->count) return; /* what is to come may be stored already */
    attempt_start(run, slot, producer, producer->batches[producer->sent - back], true);
}

/* --- trims, reads, deletions --- */

struct trimming {
    struct trim trim;
    struct run *run;
    struct life *life;
    struct slot *slot;
};

static void trimming_end(struct trimming *trimming) {
    struct model_log *log = model_log(trimming->run->model, trimming->slot->id);
    bool refused = trimming->trim.code == ERROR_KAFKA_STORAGE_ERROR; /* the journal is full */
    if (!trimming->slot->dead && !refused) {
        seed_expect(trimming->trim.code == ERROR_NONE, "trim: %d", trimming->trim.code);
        seed_expect(trimming->trim.low_watermark >= trimming->trim.offset, "trim to %ld gave %ld",
                    (long)trimming->trim.offset, (long)trimming->trim.low_watermark);
        model_view(trimming->run->model, trimming->slot->id, trimming->trim.low_watermark,
                   log->high_watermark);
    }
    free(trimming);
}

static void trimming_done(struct trim *trim) {
    struct trimming *trimming = container_of(trim, struct trimming, trim);
    seed_expect(trimming->life == trimming->run->life, "a trim from an older life");
    trimming_end(trimming);
}

void act_trim(struct run *run, struct slot *slot) {
    struct model_log *log = model_log(run->model, slot->id);
    struct partition_view view;
    partition_look(slot_partition(run, slot), -1, -1, &view);
    int64_t room = view.high_watermark - view.log_start_offset;
    if (room == 0) return;
    struct trimming *trimming = new_zero(struct trimming);
    *trimming = (struct trimming){.run = run, .life = run->life, .slot = slot};
    trimming->trim.offset =
        view.log_start_offset + 1 +
        (int64_t)run_below(run, run_chance(run, 1, 4) ? (uint64_t)room : (uint64_t)(room + 1) / 2);
    trimming->trim.done = trimming_done;
    if (trimming->trim.offset > log->trim_wanted) log->trim_wanted = trimming->trim.offset;
    if (partition_trim(slot_partition(run, slot), &trimming->trim)) trimming_end(trimming);
}

struct reading {
    struct read read;
    struct run *run;
    struct life *life;
    struct slot *slot;
    int64_t high_watermark; /* when it began */
    bool full;              /* goes on to the end of the log */
};

/* For the reader of a failed seed. */
static void reading_start(struct reading *reading);

static void full_pass_end(struct run *run, struct slot *slot) {
    struct partition_view view;
    partition_look(slot_partition(run, slot), -1, -1, &view);
    model_full_end(run->model, slot->id, view.high_watermark);
    run->pending--;
}

/* What every read must have got, unless the log start has moved on meanwhile. */
static void reading_check(const struct reading *reading, const struct partition_view *view) {
    struct run *run = reading->run;
    const struct read *read = &reading->read;
    uint32_t id = reading->slot->id;
    bool is_empty = read->total == 0 && read->minimum_one && read->offset < reading->high_watermark;
    if ((read->code != ERROR_NONE || is_empty) && !run->fault_is_armed)
        slot_print(run, reading->slot);
    bool spoilt = run->mix.has_faults && run->fault_is_armed;
    seed_expect(spoilt || read->code == ERROR_NONE, "partition %u, read at %ld (%ld to %ld): %d",
                id, (long)read->offset, (long)view->log_start_offset, (long)view->high_watermark,
                read->code);
    seed_expect(spoilt || !is_empty, "partition %u, read at %ld of %ld: nothing", id,
                (long)read->offset, (long)reading->high_watermark);
}

/* Shows the model what was read; answers where it ends. */
static int64_t reading_take(struct reading *reading) {
    struct run *run = reading->run;
    const struct read *read = &reading->read;
    if (read->total == 0) return read->offset;
    uint8_t *all = memory_new(read->total);
    size_t len = 0;
    for (int32_t at = 0; at < read->piece_count; at++) {
        memcpy(all + len, read->pieces[at].at, read->pieces[at].len);
        len += read->pieces[at].len;
    }
    seed_expect(len == read->total, "pieces and total differ");
    int64_t next = model_read(run->model, reading->slot->id, read->offset, bytes_make(all, len));
    free(all);
    struct partition_view view;
    partition_look(slot_partition(run, reading->slot), -1, -1, &view);
    seed_expect(next <= view.high_watermark, "read above the high watermark");
    return next;
}

/* Goes on with a pass over the whole log; false when it is through. */
static bool reading_goes_on(struct reading *reading, int64_t next, bool moved) {
    struct run *run = reading->run;
    bool again = run->fault_is_armed && reading->read.code != ERROR_NONE; /* a fault comes once */
    if (moved) {
        next = model_log(run->model, reading->slot->id)->log_start;
        model_full_begin(run->model, reading->slot->id, next);
    }
    if (reading->read.total == 0 && !moved && !again) return false;
    reading->read.offset = next;
    reading_start(reading);
    return true;
}

/* A lying disk was found out: what is damaged is not served. */
static bool reading_is_lost(const struct reading *reading) {
    enum error_code code = reading->read.code;
    if (!reading->run->may_lose) return false;
    return code == ERROR_CORRUPT_MESSAGE || code == ERROR_KAFKA_STORAGE_ERROR;
}

static void reading_end(struct reading *reading) {
    struct run *run = reading->run;
    struct slot *slot = reading->slot;
    bool moved = false;
    int64_t next = reading->read.offset;
    slot->reads--;
    if (reading_is_lost(reading)) slot->lost = true;
    if (slot_serves(slot)) {
        struct partition_view view;
        partition_look(slot_partition(run, slot), -1, -1, &view);
        moved = view.log_start_offset > next;
        model_view(run->model, slot->id, view.log_start_offset, view.high_watermark);
        if (!moved) reading_check(reading, &view);
        if (!moved) next = reading_take(reading);
    }
    if (reading->read.code == ERROR_NONE) read_release(&reading->read);
    if (reading->full && slot_serves(slot)) {
        if (reading_goes_on(reading, next, moved)) return;
        full_pass_end(run, slot);
    } else if (reading->full && slot->lost) {
        run->pending--;
    }
    free(reading);
}

static void reading_done(struct read *read) {
    struct reading *reading = container_of(read, struct reading, read);
    seed_expect(reading->life == reading->run->life, "a read from an older life");
    reading_end(reading);
}

static void reading_start(struct reading *reading) {
    struct partition *partition = slot_partition(reading->run, reading->slot);
    struct partition_view view;
    partition_look(partition, -1, -1, &view);
    reading->high_watermark = view.high_watermark;
    reading->slot->reads++;
    if (partition_read(partition, &reading->read)) reading_end(reading);
}

static struct reading *reading_new(struct run *run, struct slot *slot, int64_t offset, bool full) {
    struct reading *reading = new_zero(struct reading);
    reading->run = run;
    reading->life = run->life;
    reading->slot = slot;
    reading->full = full;
    reading->read.offset = offset;
    reading->read.bytes_max = RUN_PICK(run, 1, 5000, 100000, 1 << 20);
    reading->read.minimum_one = full || run_chance(run, 3, 4);
    reading->read.done = reading_done;
    return reading;
}

void act_read(struct run *run, struct slot *slot) {
    if (slot->reads >= READS_MAX) return;
    struct partition_view view;
    partition_look(slot_partition(run, slot), -1, -1, &view);
    uint64_t room = (uint64_t)(view.high_watermark - view.log_start_offset);
    reading_start(
        reading_new(run, slot, view.log_start_offset + (int64_t)run_below(run, room + 1), false));
}

void act_delete(struct run *run, struct slot *slot) {
    slot->dead = true;
    store_delete_partition(slot_core(run, slot)->store, slot->id);
}

/* The policy changes while everything is under way. */
void act_switch(struct run *run, struct slot *slot) {
    if (!slot->compacted) return;
    struct partition_definition definition;
    slot->switched_off = !slot->switched_off;
    run_life(run, slot->id, &definition);
    partition_configure(slot_partition(run, slot), &definition.rules);
}

/* --- load --- */

void slot_look(struct run *run, struct slot *slot) {
    struct partition_view view;
    partition_look(slot_partition(run, slot), -1, -1, &view);
    slot->lost = run->may_lose && view.code == ERROR_KAFKA_STORAGE_ERROR;
    if (slot->lost) return;
    seed_expect(view.code == ERROR_NONE, "partition %u: %d", slot->id, view.code);
    model_view(run->model, slot->id, view.log_start_offset, view.high_watermark);
}

void act_read_all(struct run *run, struct slot *slot) {
    struct partition_view view;
    partition_look(slot_partition(run, slot), -1, -1, &view);
    model_full_begin(run->model, slot->id, view.log_start_offset);
    run->pending++;
    reading_start(reading_new(run, slot, view.log_start_offset, true));
}

void run_forget_attempts(struct run *run) {
    list_each(node, &run->attempts) attempt_free(list_entry(node, struct attempt, link));
}
