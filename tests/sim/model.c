#include "tests/sim/model.h"

#include "base/map.h"
#include "base/memory.h"
#include "protocol/batch_build.h"
#include "tests/sim/model_compacted.h"
#include "tests/sim/seeds.h"

enum { RECORDS_MAX = 64 };
#define FIRST_TIMESTAMP 1600000000000ll

struct model {
    struct model_log *logs;
    uint32_t log_count;
    struct model_batch **batches; /* by id */
    uint32_t batch_count, batch_capacity;
};

struct model *model_new(uint32_t log_count) {
    struct model *model = new_zero(struct model);
    model->logs = memory_zero(log_count, sizeof *model->logs);
    model->log_count = log_count;
    for (uint32_t log = 0; log < log_count; log++) model->logs[log].full_next = -1;
    return model;
}

void model_free(struct model *model) {
    for (uint32_t log = 0; log < model->log_count; log++) {
        free(model->logs[log].known);
        free(model->logs[log].present);
    }
    for (uint32_t id = 0; id < model->batch_count; id++) {
        free(model->batches[id]->bytes);
        free(model->batches[id]);
    }
    free(model->batches);
    free(model->logs);
    free(model);
}

struct model_log *model_log(struct model *model, uint32_t log) {
    seed_expect(log < model->log_count, "log %u", log);
    return &model->logs[log];
}

struct model_batch *model_batch(struct model *model, uint32_t id) {
    seed_expect(id < model->batch_count, "batch %u was never made", id);
    return model->batches[id];
}

uint32_t model_batch_count(const struct model *model) { return model->batch_count; }

int64_t model_timestamp(uint32_t id) { return FIRST_TIMESTAMP + (int64_t)id * RECORDS_MAX; }

/* --- making --- */

/* In a compacted log with keys, tombstones and every codec. */
static struct bytes batch_bytes(uint32_t id, int32_t count, size_t value_bytes, int64_t producer_id,
                                int32_t sequence, bool is_compacted) {
    struct batch_build build;
    batch_build_init(&build);
    build.header.producer_id = producer_id;
    build.header.producer_epoch = producer_id < 0 ? -1 : 0;
    build.header.base_sequence = producer_id < 0 ? -1 : sequence;
    uint8_t *value = memory_new(value_bytes + 1);
    for (int32_t at = 0; at < count; at++) {
        char key[16];
        memset(value, (int)(id * 31 + (uint32_t)at), value_bytes);
        struct bytes content = bytes_make(value, value_bytes);
        if (is_compacted && model_is_tombstone(id, at)) content = BYTES_NULL;
        batch_build_add(&build, model_timestamp(id) + at,
                        is_compacted ? model_key(id, at, key) : BYTES_NULL, content, NULL, 0);
    }
    struct byte_buffer out = {0};
    struct error error;
    bool is_compressed = is_compacted && id % 16 < CODEC_COUNT;
    enum codec codec = is_compressed ? (enum codec)(id % 16) : CODEC_NONE;
    bool built = batch_build_finish(&build, codec, &out, &error);
    seed_expect(built, "%s", error.text);
    batch_build_deinit(&build);
    free(value);
    return byte_buffer_bytes(&out);
}

uint32_t model_make(struct model *model, uint32_t log, int32_t count, size_t value_bytes,
                    int64_t producer_id, int32_t sequence) {
    seed_expect(count > 0 && count <= RECORDS_MAX, "%d records", count);
    uint32_t id = model->batch_count++;
    if (id == model->batch_capacity) {
        model->batch_capacity = id * 2 + 64;
        model->batches =
            memory_resize(model->batches, model->batch_capacity * sizeof *model->batches);
    }
    struct bytes bytes = batch_bytes(id, count, value_bytes, producer_id, sequence,
                                     model_log(model, log)->is_compacted);
    model->batches[id] = new_zero(struct model_batch);
    *model->batches[id] = (struct model_batch){.bytes = (uint8_t *)bytes.at,
                                               .len = bytes.len,
                                               .log = log,
                                               .count = count,
                                               .producer_id = producer_id,
                                               .sequence = sequence,
                                               .base = -1};
    return id;
}

void model_sent(struct model *model, uint32_t id) { model_batch(model, id)->tries++; }

void model_refused(struct model *model, uint32_t id) {
    struct model_batch *batch = model_batch(model, id);
    seed_expect(batch->tries > 0, "batch %u refused", id);
    batch->tries--;
}

/* --- where they are --- */

static int64_t known_base(const struct model *model, const struct model_log *log, size_t at) {
    return model->batches[log->known[at]]->base;
}

/* The first known batch with base >= offset. */
static size_t known_find(const struct model *model, const struct model_log *log, int64_t offset) {
    size_t from = 0, to = log->known_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (known_base(model, log, middle) < offset)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void known_insert(struct model_log *log, size_t at, uint32_t id) {
    if (log->known_count == log->known_capacity) {
        log->known_capacity = log->known_capacity * 2 + 64;
        log->known = memory_resize(log->known, log->known_capacity * sizeof *log->known);
    }
    memmove(log->known + at + 1, log->known + at, (log->known_count - at) * sizeof *log->known);
    log->known[at] = id;
    log->known_count++;
}

/* The batch `id` is at `base`: from now on for ever, there alone, and nothing else is there. */
static void model_place(struct model *model, uint32_t id, int64_t base) {
    struct model_batch *batch = model_batch(model, id);
    struct model_log *log = model_log(model, batch->log);
    size_t at = known_find(model, log, base);
    if (at < log->known_count && known_base(model, log, at) == base) {
        seed_expect(log->known[at] == id, "log %u, offset %ld: batch %u, and then %u", batch->log,
                    (long)base, log->known[at], id);
        return;
    }
    seed_expect(batch->tries > 0, "log %u, offset %ld: batch %u was refused", batch->log,
                (long)base, id);
    seed_expect(batch->base < 0, "log %u: batch %u at %ld and again at %ld", batch->log, id,
                (long)batch->base, (long)base);
    if (at < log->known_count)
        seed_expect(base + batch->count <= known_base(model, log, at),
                    "log %u, offset %ld: batch %u reaches into batch %u", batch->log, (long)base,
                    id, log->known[at]);
    if (at > 0) {
        const struct model_batch *before = model->batches[log->known[at - 1]];
        seed_expect(before->base + before->count <= base,
                    "log %u, offset %ld: batch %u begins inside batch %u", batch->log, (long)base,
                    id, log->known[at - 1]);
    }
    batch->base = base;
    known_insert(log, at, id);
}

void model_acked(struct model *model, uint32_t id, int64_t base) {
    struct model_batch *batch = model_batch(model, id);
    model_place(model, id, base);
    batch->acked = true;
    struct model_log *log = model_log(model, batch->log);
    if (base + batch->count > log->high_watermark) log->high_watermark = base + batch->count;
}

/* --- reading --- */

uint32_t model_id_at(uint32_t log, int64_t timestamp) {
    int64_t from = timestamp - FIRST_TIMESTAMP;
    seed_expect(from >= 0, "log %u: time %ld is not one of ours", log, (long)timestamp);
    return (uint32_t)(from / RECORDS_MAX);
}

static uint32_t batch_id(uint32_t log, const struct batch_header *header) {
    int64_t from = header->base_timestamp - FIRST_TIMESTAMP;
    seed_expect(from >= 0 && from % RECORDS_MAX == 0, "log %u, offset %ld: not one of ours", log,
                (long)header->base_offset);
    return (uint32_t)(from / RECORDS_MAX);
}

static bool batch_is_same(const struct model_batch *batch, struct bytes found) {
    return found.len == batch->len && memcmp(found.at + 8, batch->bytes + 8, 4) == 0 &&
           memcmp(found.at + 16, batch->bytes + 16, batch->len - 16) == 0;
}

static int64_t model_read_batch(struct model *model, uint32_t log, struct bytes found,
                                const struct batch_header *header) {
    struct model_log *self = model_log(model, log);
    uint32_t id = self->is_compacted ? model_compacted_id(log, found) : batch_id(log, header);
    struct model_batch *batch = model_batch(model, id);
    seed_expect(batch->log == log, "batch %u of log %u is in log %u", id, batch->log, log);
    if (self->is_compacted)
        model_compacted_batch(model, self, id, found);
    else
        seed_expect(batch_is_same(batch, found), "log %u, offset %ld: batch %u has other bytes",
                    log, (long)header->base_offset, id);
    model_place(model, id, header->base_offset);
    return header->base_offset + batch->count;
}

int64_t model_read(struct model *model, uint32_t log, int64_t offset, struct bytes batches) {
    struct model_log *self = model_log(model, log);
    int64_t next = offset;
    for (bool first = true; batches.len > 0; first = false) {
        struct batch_header header;
        seed_expect(batch_header_read(batches, &header) && batch_size(&header) <= batches.len,
                    "log %u, offset %ld: part of a batch", log, (long)next);
        bool fits = first ? header.base_offset <= next : header.base_offset == next;
        if (self->is_compacted)
            fits = first ? batch_last_offset(&header) >= next : header.base_offset >= next;
        seed_expect(fits, "log %u: batch at %ld where %ld was asked for", log,
                    (long)header.base_offset, (long)next);
        struct bytes found = bytes_make(batches.at, batch_size(&header));
        next = model_read_batch(model, log, found, &header);
        seed_expect(next > offset, "log %u: read from %ld got only %ld", log, (long)offset,
                    (long)header.base_offset);
        batches = bytes_make(batches.at + found.len, batches.len - found.len);
    }
    if (self->full_next == offset) self->full_next = next;
    if (next > self->high_watermark) self->high_watermark = next;
    return next;
}

void model_view(struct model *model, uint32_t log, int64_t log_start, int64_t high_watermark) {
    struct model_log *self = model_log(model, log);
    seed_expect(high_watermark >= self->high_watermark, "log %u: high watermark %ld, was %ld", log,
                (long)high_watermark, (long)self->high_watermark);
    seed_expect(log_start >= self->log_start, "log %u: log start %ld, was %ld", log,
                (long)log_start, (long)self->log_start);
    seed_expect(log_start <= high_watermark, "log %u: log start %ld, high watermark %ld", log,
                (long)log_start, (long)high_watermark);
    seed_expect(self->is_retained || log_start <= self->trim_wanted,
                "log %u: log start %ld, asked for %ld", log, (long)log_start,
                (long)self->trim_wanted);
    self->high_watermark = high_watermark;
    self->log_start = log_start;
}

int64_t model_lookup(struct model *model, uint32_t log, int64_t timestamp, int64_t *found) {
    struct model_log *self = model_log(model, log);
    for (size_t at = 0; at < self->known_count; at++) {
        uint32_t id = self->known[at];
        const struct model_batch *batch = model->batches[id];
        for (int32_t record = 0; record < batch->count; record++) {
            *found = model_timestamp(id) + record;
            if (batch->base + record < self->log_start || *found < timestamp) continue;
            return batch->base + record;
        }
    }
    *found = -1;
    return -1;
}

/* --- the whole log --- */

void model_full_begin(struct model *model, uint32_t log, int64_t log_start) {
    struct model_log *self = model_log(model, log);
    self->full_from = self->full_next = log_start;
    if (self->present) memset(self->present, 0, self->present_capacity);
}

/* Sequences of each producer: in order and without holes, from the first that is still there. */
static void model_check_sequences(struct model *model, const struct model_log *log, size_t from) {
    for (size_t at = from; at < log->known_count; at++) {
        const struct model_batch *batch = model->batches[log->known[at]];
        if (batch->producer_id < 0) continue;
        for (size_t before = at; before-- > from;) {
            const struct model_batch *last = model->batches[log->known[before]];
            if (last->producer_id != batch->producer_id) continue;
            seed_expect(last->sequence + last->count == batch->sequence,
                        "offset %ld: sequence %d of producer %ld after %d", (long)batch->base,
                        batch->sequence, (long)batch->producer_id, last->sequence);
            break;
        }
    }
}

void model_full_end(struct model *model, uint32_t log, int64_t high_watermark) {
    struct model_log *self = model_log(model, log);
    seed_expect(self->full_next == high_watermark, "log %u: read to %ld of %ld", log,
                (long)self->full_next, (long)high_watermark);
    if (self->known_count > 0) {
        const struct model_batch *last = model->batches[self->known[self->known_count - 1]];
        seed_expect(last->base + last->count <= high_watermark,
                    "log %u: batch %u at %ld is lost, the log ends at %ld", log,
                    self->known[self->known_count - 1], (long)last->base, (long)high_watermark);
    }
    if (self->is_compacted) model_compacted_end(model, self);
    model_check_sequences(model, self, known_find(model, self, self->full_from));
    self->full_next = -1;
}

uint64_t model_digest(struct model *model) {
    uint64_t digest = 0;
    for (uint32_t log = 0; log < model->log_count; log++) {
        const struct model_log *self = &model->logs[log];
        digest = hash_u64(digest ^ (uint64_t)self->high_watermark);
        digest = hash_u64(digest ^ (uint64_t)self->log_start);
        for (size_t at = 0; at < self->known_count; at++) {
            digest = hash_u64(digest ^ self->known[at]);
            digest = hash_u64(digest ^ (uint64_t)known_base(model, self, at));
        }
    }
    return digest;
}
