#include "tests/sim/store_sim.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/random.h"
#include "storage/layout.h"
#include "storage/recover.h"
#include "storage/state.h"
#include "tests/sim/model.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"

enum {
    CORES_MAX = 3,
    PARTITIONS_MAX = 24, /* ids 1… over all lives; 0 is the catalog's */
    PRODUCERS = 2,       /* idempotent ones per partition */
    IN_FLIGHT_MAX = 5,
    OUTSTANDING_MAX = 40, /* appends per partition */
    READS_MAX = 8,
    TICK_NS = 300 * 1000,
};

/* What a seed has drawn: its own mixture. */
struct mixture {
    unsigned partitions, lives, cores;
    unsigned steps_max;                                    /* events per life */
    unsigned small, large, idempotent, trim, read, delete; /* weights */
    unsigned compacted;                                    /* of eight partitions */
    unsigned journal_files; /* small ones made by hand; 0: as the store makes them */
    uint64_t journal_file_bytes;
    struct store_options options;
    struct partition_rules rules;
    bool has_faults, changes_cores;
};

/* One idempotent producer: its batches in order of sequence. */
struct producer_sim {
    int64_t id;
    uint32_t *batches;
    uint32_t count, capacity;
    uint32_t answered;  /* before it, all are acknowledged */
    uint32_t sent;      /* before it, all are sent in this life */
    uint32_t in_flight; /* answers that are to come */
    bool refused;       /* waits until nothing is in flight, then begins again at `answered` */
};

struct slot {
    uint32_t id;
    bool given, dead;
    bool compacted, switched_off; /* cleanup.policy has "compact", and has it not for a while */
    uint32_t outstanding, reads;
    struct producer_sim producers[PRODUCERS];
};

struct core_sim {
    struct run *run;
    struct ring *ring;
    struct store *store;
    struct timer tick;
};

/* Between two crashes. Left behind by a crash as it is: only its rings are freed. */
struct life {
    struct data_directory directory;
    struct core_sim cores[CORES_MAX];
    unsigned core_count, stopped;
};

struct run {
    struct random random;
    struct sim *sim;
    struct mixture mix;
    struct model *model;
    struct slot slots[PARTITIONS_MAX];
    unsigned given;
    struct life *life;
    struct list attempts; /* appends on their way */
    bool fault_is_armed, has_started, is_open, last;
    unsigned pending; /* of the verifying pass */
    struct error error;
};

static bool chance(struct run *run, unsigned parts, unsigned of) {
    return random_below(&run->random, of) < parts;
}
static uint64_t below(struct run *run, uint64_t bound) { return random_below(&run->random, bound); }

/* --- the mixture --- */

static uint64_t pick(struct run *run, const uint64_t *values, size_t count) {
    return values[below(run, count)];
}
#define PICK(run, ...)                         \
    pick(run, (const uint64_t[]){__VA_ARGS__}, \
         sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void mixture_draw(struct run *run) {
    struct mixture *mix = &run->mix;
    mix->partitions = 1 + (unsigned)below(run, 8);
    mix->lives = 3 + (unsigned)below(run, 6);
    mix->cores = 1;
    mix->steps_max = (unsigned)PICK(run, 40, 120, 400, 400, 2000);
    mix->small = (unsigned)PICK(run, 1, 4, 8);
    mix->large = (unsigned)PICK(run, 0, 0, 0, 1, 3);
    mix->idempotent = (unsigned)PICK(run, 0, 4, 8);
    mix->trim = (unsigned)PICK(run, 0, 0, 1);
    mix->read = (unsigned)PICK(run, 0, 1, 4);
    mix->delete = (unsigned)PICK(run, 0, 0, 1);
    mix->compacted = (unsigned)PICK(run, 0, 0, 2, 8);
    mix->journal_files = (unsigned)PICK(run, 0, 2, 3, 3, 4);
    mix->journal_file_bytes = PICK(run, 640 << 10, 1 << 20);
    mix->options = (struct store_options){
        .journal_bytes_max = mix->journal_files ? 1 : 24 << 20,
        .cache_bytes_max = PICK(run, 0, 64 << 10, 16 << 20),
        .unsettled_bytes_max = PICK(run, 512 << 10, 4 << 20, 64 << 20),
        .retention_check_ms = PICK(run, 0, 0, 1, 20),
        .producer_expiration_ms = 86400000,
        .compact_check_ms = PICK(run, 1, 5, 30),
        .compact_bytes_max = 1 << 20,
        .compact_slice_bytes = PICK(run, 1, 20000, 1 << 20),
        .durable = true,
    };
    mix->rules = (struct partition_rules){
        .retention_ms = -1,
        .retention_bytes = (int64_t)PICK(run, UINT64_MAX, 100 << 10, 2 << 20),
        .segment_bytes = (int64_t)PICK(run, 16 << 10, 100 << 10, 1 << 20, 1 << 30),
        .segment_ms = (int64_t)PICK(run, INT64_MAX, INT64_MAX, 50),
        .index_interval_bytes = 4096,
        .delete_old = mix->options.retention_check_ms > 0,
        .delete_retention_ms = (int64_t)PICK(run, 0, 10, INT64_MAX),
        .compaction_lag_ms_min = (int64_t)PICK(run, 0, 0, 20),
        .compaction_lag_ms_max = (int64_t)PICK(run, 0, 5, 40),
        .dirty_ratio_min = (double)PICK(run, 0, 1) / 2,
    };
}

/* --- the catalog: durable by decree --- */

static void slot_give(struct run *run) {
    struct slot *slot = &run->slots[run->given++];
    *slot = (struct slot){.id = run->given, .given = true};
    for (unsigned at = 0; at < PRODUCERS; at++)
        slot->producers[at].id = (int64_t)slot->id * 10 + at;
    struct model_log *log = model_log(run->model, slot->id);
    log->is_retained = run->mix.rules.delete_old;
    log->is_compacted = slot->compacted = chance(run, run->mix.compacted, 8);
    log->keeps_tombstones = run->mix.rules.delete_retention_ms == INT64_MAX;
}

static enum partition_life run_life(void *context, uint32_t id,
                                    struct partition_definition *definition) {
    struct run *run = context;
    if (id > run->given) return PARTITION_NOT_GIVEN;
    if (run->slots[id - 1].dead) return PARTITION_DEAD;
    *definition = (struct partition_definition){
        .id = id, .shard = (uint16_t)(id % 5), .rules = run->mix.rules};
    definition->rules.compacted = run->slots[id - 1].compacted && !run->slots[id - 1].switched_off;
    return PARTITION_LIVE;
}

static bool run_catalog(void *context, struct bytes batch, struct error *error) {
    (void)context, (void)batch, (void)error;
    return true;
}

static struct core_sim *core_of(struct run *run, const struct slot *slot) {
    return &run->life->cores[slot->id % 5 % run->life->core_count];
}

static struct partition *partition_of(struct run *run, const struct slot *slot) {
    struct partition *partition = store_find_partition(core_of(run, slot)->store, slot->id);
    seed_expect(partition, "partition %u is missing", slot->id);
    return partition;
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
    seed_expect(!attempt->is_repeat || attempt->slot->dead, "a repeated batch %u was refused: %d",
                attempt->id, code);
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
    attempt->append = (struct append){
        .batch = bytes_make(copy, batch->len),
        .append_time_ms = -1,
        .deadline_ns = ring_now_ns(core_of(run, slot)->ring) + (1 + below(run, 3000)) * NS_PER_MS,
        .done = attempt_done};
    seed_expect(batch_header_read(attempt->append.batch, &attempt->append.header), "header");
    list_append(&run->attempts, &attempt->link);
    slot->outstanding++;
    if (producer) producer->in_flight++;
    if (!is_repeat) model_sent(run->model, id);
    if (partition_append(partition_of(run, slot), &attempt->append) == APPEND_REFUSED)
        attempt_end(attempt);
}

static uint32_t batch_draw(struct run *run, const struct slot *slot, int64_t producer_id,
                           int32_t sequence) {
    bool large = chance(run, run->mix.large, run->mix.large + run->mix.small);
    int32_t count = 1 + (int32_t)below(run, large ? 3 : 12);
    size_t size = below(run, chance(run, 1, 4) ? 6000 : 300);
    if (large) size = (10 + below(run, 150)) << 10;
    return model_make(run->model, slot->id, count, size, producer_id, sequence);
}

static void act_append(struct run *run, struct slot *slot) {
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

static void act_produce(struct run *run, struct slot *slot) {
    struct producer_sim *producer = &slot->producers[below(run, PRODUCERS)];
    if (producer->in_flight >= IN_FLIGHT_MAX || producer->refused) return;
    if (producer->sent == producer->count) producer_make(run, slot, producer);
    uint32_t at = producer->sent++;
    const struct model_batch *batch = model_batch(run->model, producer->batches[at]);
    attempt_start(run, slot, producer, producer->batches[at], batch->base >= 0);
}

/* Sends one of the last five again. */
static void act_repeat(struct run *run, struct slot *slot) {
    struct producer_sim *producer = &slot->producers[below(run, PRODUCERS)];
    if (producer->in_flight >= IN_FLIGHT_MAX || producer->refused || producer->sent == 0) return;
    uint32_t back = 1 + (uint32_t)below(run, IN_FLIGHT_MAX);
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

static void act_trim(struct run *run, struct slot *slot) {
    struct model_log *log = model_log(run->model, slot->id);
    struct partition_view view;
    partition_look(partition_of(run, slot), -1, -1, &view);
    int64_t room = view.high_watermark - view.log_start_offset;
    if (room == 0) return;
    struct trimming *trimming = new_zero(struct trimming);
    *trimming = (struct trimming){.run = run, .life = run->life, .slot = slot};
    trimming->trim.offset =
        view.log_start_offset + 1 +
        (int64_t)below(run, chance(run, 1, 4) ? (uint64_t)room : (uint64_t)(room + 1) / 2);
    trimming->trim.done = trimming_done;
    if (trimming->trim.offset > log->trim_wanted) log->trim_wanted = trimming->trim.offset;
    if (partition_trim(partition_of(run, slot), &trimming->trim)) trimming_end(trimming);
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
static void partition_print(const struct partition *partition) {
    fprintf(stderr, "partition %u: start %ld, watermark %ld, next %ld\n", partition->definition.id,
            (long)partition->log_start, (long)partition->high_watermark,
            (long)partition->next_offset);
    const struct {
        const char *name;
        struct place place;
    } places[] = {{"settled", partition->settled},
                  {"durable", partition->durable},
                  {"formed", partition->formed},
                  {"end", partition->end}};
    for (size_t at = 0; at < array_count(places); at++)
        fprintf(stderr, "  %s %u:%lu\n", places[at].name, places[at].place.segment,
                (unsigned long)places[at].place.position);
    for (size_t at = 0; at < partition->segment_count; at++)
        fprintf(stderr, "  segment %u: offsets %ld to %ld, end %lu%s%s\n",
                partition->segments[at].number, (long)partition->segments[at].base_offset,
                (long)partition->segments[at].next_offset,
                (unsigned long)partition->segments[at].end,
                partition->segments[at].file ? ", file" : "",
                partition->segments[at].sealed ? ", sealed" : "");
    for (size_t at = 0; at < partition->tail.count; at++) {
        const struct chunk *chunk = tail_chunk(&partition->tail, at);
        fprintf(stderr, "  chunk %u:%lu + %u, batches from %ld at %lu to %lu\n", chunk->segment,
                (unsigned long)chunk->position, chunk->used, (long)chunk->first_offset,
                (unsigned long)chunk->first_position, (unsigned long)chunk->batches_end);
    }
}

static void store_print(const struct store *store) {
    const struct journal *journal = &store->journal;
    fprintf(stderr,
            "store %u: unsettled %lu, reserved %lu, flows %u, checkpoint %d, waiting for space %d,"
            " stopping %d\n",
            store->core, (unsigned long)store->unsettled_bytes,
            (unsigned long)store->reserved_bytes, store->flows, store->checkpoint != NULL,
            !list_is_empty(&store->space_queue), store->stopping);
    fprintf(stderr,
            "  dirty shards %d, sequence next %lu, acknowledged %lu, released %lu, quiet %d\n",
            !list_is_empty(&store->dirty_shards), (unsigned long)journal->sequence_next,
            (unsigned long)journal->acknowledged_through, (unsigned long)journal->released_through,
            journal_is_quiet(journal));
    for (unsigned at = 0; at < journal->file_count; at++)
        fprintf(stderr, "  journal file %u: state %d, %lu of %lu, last %lu\n",
                journal->files[at].number, (int)journal->files[at].state,
                (unsigned long)journal->files[at].used, (unsigned long)journal->files[at].size,
                (unsigned long)journal->files[at].last_sequence);
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        partition_print(map_entry(node, struct partition, by_id));
}

static void reading_start(struct reading *reading);

static void full_pass_end(struct run *run, struct slot *slot) {
    struct partition_view view;
    partition_look(partition_of(run, slot), -1, -1, &view);
    model_full_end(run->model, slot->id, view.high_watermark);
    run->pending--;
}

static void reading_end(struct reading *reading) {
    struct run *run = reading->run;
    struct slot *slot = reading->slot;
    struct read *read = &reading->read;
    slot->reads--;
    bool moved = false;
    if (!slot->dead) {
        struct partition_view view;
        partition_look(partition_of(run, slot), -1, -1, &view);
        moved = view.log_start_offset > read->offset;
        model_view(run->model, slot->id, view.log_start_offset, view.high_watermark);
        bool is_wrong = read->code != ERROR_NONE || (read->total == 0 && read->minimum_one &&
                                                     read->offset < reading->high_watermark);
        if (is_wrong && !moved && !run->fault_is_armed) partition_print(partition_of(run, slot));
        bool spoilt = run->mix.has_faults && run->fault_is_armed;
        seed_expect(moved || spoilt || read->code == ERROR_NONE,
                    "partition %u, read at %ld (%ld to %ld): %d", slot->id, (long)read->offset,
                    (long)view.log_start_offset, (long)view.high_watermark, read->code);
        seed_expect(moved || spoilt || read->total > 0 || !read->minimum_one ||
                        read->offset >= reading->high_watermark,
                    "partition %u, read at %ld of %ld: nothing", slot->id, (long)read->offset,
                    (long)reading->high_watermark);
    }
    int64_t next = read->offset;
    if (read->total > 0 && !slot->dead && !moved) {
        uint8_t *all = memory_new(read->total);
        size_t len = 0;
        for (int32_t at = 0; at < read->piece_count; at++) {
            memcpy(all + len, read->pieces[at].at, read->pieces[at].len);
            len += read->pieces[at].len;
        }
        seed_expect(len == read->total, "pieces and total differ");
        next = model_read(run->model, slot->id, read->offset, bytes_make(all, len));
        free(all);
        struct partition_view view;
        partition_look(partition_of(run, slot), -1, -1, &view);
        seed_expect(next <= view.high_watermark, "read above the high watermark");
    }
    bool progress = read->total > 0;
    if (read->code == ERROR_NONE) read_release(read);
    if (reading->full && !slot->dead) {
        bool again = run->fault_is_armed && read->code != ERROR_NONE; /* a fault comes once */
        if (moved) {
            next = model_log(run->model, slot->id)->log_start;
            model_full_begin(run->model, slot->id, next);
        }
        if (progress || moved || again) {
            read->offset = next;
            reading_start(reading);
            return;
        }
        full_pass_end(run, slot);
    }
    free(reading);
}

static void reading_done(struct read *read) {
    struct reading *reading = container_of(read, struct reading, read);
    seed_expect(reading->life == reading->run->life, "a read from an older life");
    reading_end(reading);
}

static void reading_start(struct reading *reading) {
    struct partition *partition = partition_of(reading->run, reading->slot);
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
    reading->read.bytes_max = PICK(run, 1, 5000, 100000, 1 << 20);
    reading->read.minimum_one = full || chance(run, 3, 4);
    reading->read.done = reading_done;
    return reading;
}

static void act_read(struct run *run, struct slot *slot) {
    if (slot->reads >= READS_MAX) return;
    struct partition_view view;
    partition_look(partition_of(run, slot), -1, -1, &view);
    uint64_t room = (uint64_t)(view.high_watermark - view.log_start_offset);
    reading_start(
        reading_new(run, slot, view.log_start_offset + (int64_t)below(run, room + 1), false));
}

static void act_delete(struct run *run, struct slot *slot) {
    if (run->given == PARTITIONS_MAX || !chance(run, 1, 100)) return;
    slot->dead = true;
    store_delete_partition(core_of(run, slot)->store, slot->id);
    slot_give(run);
    struct slot *fresh = &run->slots[run->given - 1];
    struct partition_definition definition;
    run_life(run, fresh->id, &definition);
    store_create_partition(core_of(run, fresh)->store, &definition);
}

/* The policy changes while everything is under way. */
static void act_switch(struct run *run, struct slot *slot) {
    if (!slot->compacted || !chance(run, 1, 20)) return;
    struct partition_definition definition;
    slot->switched_off = !slot->switched_off;
    run_life(run, slot->id, &definition);
    partition_configure(partition_of(run, slot), &definition.rules);
}

/* --- load --- */

static void look_at(struct run *run, struct slot *slot) {
    struct partition_view view;
    partition_look(partition_of(run, slot), -1, -1, &view);
    seed_expect(view.code == ERROR_NONE, "partition %u: %d", slot->id, view.code);
    model_view(run->model, slot->id, view.log_start_offset, view.high_watermark);
}

static void act(struct run *run, struct slot *slot) {
    static void (*const acts[])(struct run *, struct slot *) = {
        act_append, act_produce, act_repeat, act_trim, act_read, act_delete, act_switch};
    const struct mixture *mix = &run->mix;
    unsigned weights[] = {mix->small + mix->large,
                          mix->idempotent,
                          (mix->idempotent + 3) / 4,
                          mix->trim,
                          mix->read,
                          mix->delete,
                          mix->compacted > 0};
    unsigned all = 0, at = 0;
    for (size_t each = 0; each < array_count(weights); each++) all += weights[each];
    for (uint64_t drawn = below(run, all); drawn >= weights[at]; at++) drawn -= weights[at];
    acts[at](run, slot);
}

static void core_tick(struct timer *timer) {
    struct core_sim *core = container_of(timer, struct core_sim, tick);
    struct run *run = core->run;
    for (uint64_t count = below(run, 6); count > 0; count--) {
        struct slot *slot = &run->slots[below(run, run->given)];
        if (slot->dead || core_of(run, slot) != core) continue;
        act(run, slot);
        if (!slot->dead) look_at(run, slot);
    }
    timer_arm(core->ring, timer, ring_now_ns(core->ring) + 1 + below(run, TICK_NS));
}

/* --- a life --- */

static bool make_small_journals(struct run *run, struct life *life) {
    for (unsigned number = 0; number < run->mix.journal_files; number++) {
        char path[LAYOUT_PATH_SIZE];
        layout_journal(path, 0, number);
        struct file *file = NULL;
        int result = file_open(life->directory.disk, path, FILE_WRITE | FILE_CREATE, &file);
        if (result == 0) result = file_allocate(file, run->mix.journal_file_bytes);
        if (result == 0) result = file_sync(file);
        if (file) file_close(file);
        if (result < 0)
            return error_set(&run->error, -result, "journal files: %s", strerror(-result));
    }
    int result = disk_sync_directory(life->directory.disk, LAYOUT_JOURNALS);
    return result == 0 || error_set(&run->error, -result, "journal files: %s", strerror(-result));
}

static bool life_open_core(struct run *run, struct recovered *recovered, unsigned index) {
    struct core_sim *core = &run->life->cores[index];
    core->run = run;
    struct store_options options = run->mix.options;
    if (run->last) options.compact_check_ms = 0; /* what is read then stays as it is */
    core->store = store_new(core->ring, &run->life->directory, &options, index,
                            run->life->core_count, recovered, &run->error);
    if (!core->store) return false;
    core->tick.fire = core_tick;
    return true;
}

static bool life_recover(struct run *run, struct recovered *recovered) {
    struct life *life = run->life;
    if (!recover_catalog(recovered, run_catalog, run, &run->error)) return false;
    if (!recover_partitions(recovered, run_life, run, &run->error)) return false;
    if (!recover_finish(recovered, life->core_count, &run->error)) return false;
    struct recover_report report;
    recover_report(recovered, &report);
    seed_expect(report.offline_partitions == 0, "%lu partitions are offline",
                (unsigned long)report.offline_partitions);
    for (unsigned core = 0; core < life->core_count; core++)
        if (!life_open_core(run, recovered, core)) return false;
    return true;
}

static void life_open_partitions(struct run *run) {
    for (unsigned at = 0; at < run->given; at++) {
        struct slot *slot = &run->slots[at];
        slot->outstanding = slot->reads = 0;
        struct partition_definition definition;
        if (run_life(run, slot->id, &definition) != PARTITION_LIVE) continue;
        store_create_partition(core_of(run, slot)->store, &definition);
        look_at(run, slot);
        for (unsigned each = 0; each < PRODUCERS; each++) {
            struct producer_sim *producer = &slot->producers[each];
            producer->in_flight = 0;
            producer->refused = false;
            producer->sent = producer->answered;
        }
    }
}

/* False when a fault prevented it; the life is to be ended all the same. */
static bool life_open(struct run *run) {
    struct life *life = run->life = new_zero(struct life);
    life->core_count = run->mix.cores;
    if (run->mix.changes_cores) life->core_count = 1 + (unsigned)below(run, CORES_MAX);
    for (unsigned core = 0; core < life->core_count; core++)
        life->cores[core].ring = sim_ring_new(run->sim);
    struct disk *disk = sim_disk_open(run->sim);
    if (!data_directory_open(disk, 1, &life->directory, &run->error)) return false;
    if (!run->has_started && !make_small_journals(run, life)) return false;
    struct recovered *recovered = NULL;
    if (!recover_open(&life->directory, run->mix.options.unsettled_bytes_max / 2, &recovered,
                      &run->error))
        return false;
    if (!life_recover(run, recovered)) return false;
    recover_free(recovered);
    if (!data_directory_expect_journals(&life->directory, life->core_count, &run->error))
        return false;
    life_open_partitions(run);
    run->has_started = true;
    return true;
}

static void life_begin_load(struct run *run) {
    for (unsigned core = 0; core < run->life->core_count; core++)
        timer_arm(run->life->cores[core].ring, &run->life->cores[core].tick, 0);
}

/* Everything is read once. */
static void life_verify(struct run *run) {
    run->pending = 0;
    for (unsigned at = 0; at < run->given; at++) {
        struct slot *slot = &run->slots[at];
        if (slot->dead) continue;
        struct partition_view view;
        partition_look(partition_of(run, slot), -1, -1, &view);
        model_log(run->model, slot->id)->is_quiet = run->last;
        model_full_begin(run->model, slot->id, view.log_start_offset);
        run->pending++;
        reading_start(reading_new(run, slot, view.log_start_offset, true));
    }
    while (run->pending > 0)
        seed_expect(sim_step(run->sim, UINT64_MAX), "the full pass stands still");
}

static void core_stopped(void *context) { ((struct run *)context)->life->stopped++; }

static void core_idle(struct timer *timer) { (void)timer; }

static void life_stop(struct run *run) {
    struct life *life = run->life;
    uint64_t deadline_ns = sim_now_ns(run->sim) + 60 * NS_PER_S;
    for (unsigned core = 0; core < life->core_count; core++) {
        struct core_sim *self = &life->cores[core];
        store_stop(self->store, core_stopped, run);
        self->tick.fire = core_idle; /* no more load, but a round */
        timer_arm(self->ring, &self->tick, sim_now_ns(run->sim));
    }
    while (life->stopped < life->core_count) {
        if (sim_step(run->sim, deadline_ns)) continue;
        for (unsigned core = 0; core < life->core_count; core++)
            store_print(life->cores[core].store);
        seed_expect(false, "a store does not stop");
    }
    for (unsigned at = 0; at < run->given; at++)
        seed_expect(run->slots[at].dead || run->slots[at].outstanding == 0 || run->fault_is_armed,
                    "partition %u: %u appends without an answer", run->slots[at].id,
                    run->slots[at].outstanding);
}

/* --- what a crashed life leaves in memory --- */

static void partition_abandon(struct partition *partition) {
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        list_remove(node);
        segment_file_release(bypass->file);
        free(bypass->pieces);
        free(bypass);
    }
    if (!partition->settle.in_flight) return;
    segment_file_release(partition->settle.file);
    free(partition->settle.pieces);
    partition->settle.in_flight = false;
}

static void store_abandon(struct store *store) {
    store->journal.forming = NULL;
    store->journal.filling = NULL;
    for (unsigned slot = 0; slot < JOURNAL_IN_FLIGHT_MAX; slot++)
        store->journal.slots[slot].busy = false;
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node))
        partition_abandon(map_entry(node, struct partition, by_id));
    store_free(store);
}

static void life_free(struct run *run, bool whole) {
    struct life *life = run->life;
    for (unsigned core = 0; core < life->core_count; core++) {
        if (whole && life->cores[core].store) store_abandon(life->cores[core].store);
        ring_free(life->cores[core].ring);
    }
    list_each(node, &run->attempts) {
        struct attempt *attempt = list_entry(node, struct attempt, link);
        list_remove(node);
        attempt_free(attempt);
    }
    if (whole) data_directory_close(&life->directory);
    if (whole) free(life);
    run->life = NULL;
}

/* --- the run --- */

static void run_arm_fault(struct run *run) {
    run->fault_is_armed = run->mix.has_faults && chance(run, 3, 4);
    if (!run->fault_is_armed) return;
    int error_number = (int)PICK(run, EIO, EIO, ENOSPC, 0);
    uint64_t at = 1 + below(run, chance(run, 1, 2) ? 100 : 1000);
    sim_fail_disk(run->sim, at, error_number);
    if (seeds_tells())
        fprintf(stderr, "--- disk operation %lu fails: %d\n",
                (unsigned long)(sim_disk_operations(run->sim) + at), error_number);
}

/* One life up to its end; guarded, because a failed operation may end it anywhere. */
static void run_live(void *context) {
    struct run *run = context;
    run_arm_fault(run);
    if (!life_open(run)) {
        seed_expect(run->fault_is_armed, "the store does not open: %s", run->error.text);
        return;
    }
    run->is_open = true;
    if (run->last || chance(run, 1, 2)) life_verify(run);
    life_begin_load(run);
    for (uint64_t steps = below(run, run->mix.steps_max); steps > 0; steps--)
        seed_expect(sim_step(run->sim, UINT64_MAX), "nothing happens any more");
    if (run->last || chance(run, 1, 5)) life_stop(run);
}

static void life_tell(const struct run *run) {
    for (unsigned core = 0; core < run->life->core_count; core++) {
        const struct store *store = run->life->cores[core].store;
        if (!store) continue;
        fprintf(stderr, "--- core %u: %lu checkpoints, %lu compactions, %lu records dropped%s\n",
                core, (unsigned long)store->checkpoints, (unsigned long)store->compacted.passes,
                (unsigned long)store->compacted.records_dropped,
                store->compaction ? ", one under way" : "");
    }
}

static void run_crash(struct run *run) {
    bool cut = chance(run, 3, 5);
    if (cut)
        sim_power_cut(run->sim);
    else
        sim_kill(run->sim);
    if (seeds_tells())
        fprintf(stderr, "--- %s at %lu us, disk operation %lu\n", cut ? "power cut" : "kill",
                (unsigned long)(sim_now_ns(run->sim) / 1000),
                (unsigned long)sim_disk_operations(run->sim));
}

static struct run *run_new(uint64_t seed) {
    struct run *run = new_zero(struct run);
    random_init(&run->random, seed ^ 0x5eed);
    run->sim = sim_new(seed);
    seams_use(run->sim, seed);
    list_init(&run->attempts);
    run->model = model_new(PARTITIONS_MAX + 1);
    mixture_draw(run);
    return run;
}

static uint64_t run_end(struct run *run) {
    uint64_t digest = model_digest(run->model);
    digest = hash_u64(digest ^ sim_now_ns(run->sim));
    digest = hash_u64(digest ^ sim_disk_operations(run->sim));
    for (unsigned at = 0; at < run->given; at++)
        for (unsigned each = 0; each < PRODUCERS; each++)
            free(run->slots[at].producers[each].batches);
    model_free(run->model);
    sim_free(run->sim);
    seams_use(NULL, 0);
    free(run);
    return digest;
}

static uint64_t run_all(struct run *run) {
    while (run->given < run->mix.partitions) slot_give(run);
    for (unsigned life = 0; life < run->mix.lives; life++) {
        run->last = life + 1 == run->mix.lives;
        if (run->last) run->mix.has_faults = false;
        run->is_open = false;
        bool survived = seams_survives(run_live, run);
        if (seeds_tells())
            fprintf(stderr, "--- life %u ends%s%s\n", life, survived ? "" : ", stopped",
                    run->is_open ? "" : ", never opened");
        if (seeds_tells() && survived && run->is_open) life_tell(run);
        seed_expect(survived || run->fault_is_armed, "stopped without a fault");
        run_crash(run);
        life_free(run, survived && run->is_open);
    }
    return run_end(run);
}

uint64_t store_sim(uint64_t seed) { return run_all(run_new(seed)); }

uint64_t store_sim_faults(uint64_t seed) {
    struct run *run = run_new(seed);
    run->mix.has_faults = true;
    return run_all(run);
}

/* Small segments of which all are compacted again and again. */
uint64_t store_sim_compaction(uint64_t seed) {
    struct run *run = run_new(seed);
    run->mix.compacted = 8;
    run->mix.large = 0;
    run->mix.partitions = 1 + (unsigned)below(run, 3);
    run->mix.steps_max = (unsigned)PICK(run, 400, 1500, 4000);
    run->mix.options.compact_check_ms = PICK(run, 1, 1, 4);
    run->mix.rules.segment_bytes = (int64_t)PICK(run, 8 << 10, 30 << 10, 100 << 10);
    run->mix.has_faults = seed % 3 == 0;
    return run_all(run);
}

uint64_t store_sim_cores(uint64_t seed) {
    struct run *run = run_new(seed);
    run->mix.changes_cores = true;
    run->mix.journal_files = 0;
    run->mix.options.journal_bytes_max = 24 << 20;
    run->mix.has_faults = seed % 2;
    return run_all(run);
}
