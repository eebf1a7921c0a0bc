/* Reading a log: from its beginning to its end, one read of LOAD_BYTES per round of the ring, so
 * that many logs load side by side and nothing else waits long. Memory is bounded by one read and
 * the state itself.
 *
 * It is read again where it has taken no more. Some of what was added may be on its way to the disk
 * still, even where nobody waits for it any more: what is read has to be all that will ever be
 * there, or the state would lack it. */
#include "base/check.h"
#include "base/say.h"
#include "coordinator/runtime.h"
#include "protocol/record.h"

static void load_damaged(struct coordinator *coordinator, const struct error *error) {
    say_error("%s: partition %u cannot be loaded: %s", coordinator->kind->name,
              (unsigned)partition_id(coordinator->log), error->text);
    coordinator_fail(coordinator, COORDINATOR_DAMAGED);
}

static void load_complete(struct coordinator *coordinator) {
    coordinator->appended_end = coordinator->durable_end = coordinator->load.end;
    coordinator->status = COORDINATOR_ACTIVE;
    load_end(coordinator);
    coordinator_enter(coordinator);
    if (coordinator->kind->loaded) coordinator->kind->loaded(coordinator->state);
    coordinator_leave(coordinator);
    image_advance(coordinator);
}

static bool replay_record(struct coordinator *coordinator, const struct batch_header *header,
                          const struct record *from, struct error *error) {
    struct coordinator_record record;
    int64_t offset = header->base_offset + from->offset_delta;
    if (offset < coordinator->load.offset) return true; /* before the log's start */
    if (coordinator->kind->raw)
        record = (struct coordinator_record){
            .type = -1, .key = from->key, .value = from->value, .value_version = -1};
    else if (!coordinator_record_parse(from->key, from->value, &record))
        return error_set(error, 0, "the record at offset %lld has no kind or no version",
                         (long long)offset);
    record.offset = offset;
    record.timestamp_ms = header->base_timestamp + from->timestamp_delta;
    return coordinator->kind->replay(coordinator->state, &record, error);
}

/* We never compress; whoever else wrote to a raw log may have. */
static bool inflate(struct coordinator *coordinator, const struct batch_header *header,
                    struct bytes *records, struct error *error) {
    const struct compress_limits limits = {INFLATED_BYTES_MAX, INFLATED_RATIO_MAX};
    struct load *load = &coordinator->load;
    enum codec codec = batch_codec(header);
    if (codec == CODEC_NONE) return true;
    if (coordinator->kind->raw && !load->inflater) load->inflater = inflater_new();
    if (coordinator->kind->raw && codec < CODEC_COUNT &&
        inflater_run(load->inflater, codec, *records, limits, records) == INFLATE_DONE)
        return true;
    return error_set(error, 0, "the batch at offset %lld is compressed and cannot be read",
                     (long long)header->base_offset);
}

static bool replay_batch(struct coordinator *coordinator, struct bytes batch, struct error *error) {
    struct batch_header header;
    struct record record;
    check(batch_header_read(batch, &header));
    struct bytes rest = batch_records(batch);
    if (!inflate(coordinator, &header, &rest, error)) return false;
    if (batch_control(&header)) rest.len = 0;
    for (;;) {
        switch (record_next(&rest, &record)) {
            case RECORD_END: return true;
            case RECORD_BROKEN:
                return error_set(error, 0, "a record of the batch at offset %lld is broken",
                                 (long long)header.base_offset);
            case RECORD_READ:
                if (!replay_record(coordinator, &header, &record, error)) return false;
        }
    }
}

static bool replay_all(struct coordinator *coordinator, struct bytes batches, struct error *error) {
    struct load *load = &coordinator->load;
    while (batches.len > 0) {
        struct batch_header header;
        check(batch_header_read(batches, &header) && batch_size(&header) <= batches.len);
        struct bytes batch = bytes_make(batches.at, batch_size(&header));
        if (!replay_batch(coordinator, batch, error)) return false;
        load->offset = batch_last_offset(&header) + 1;
        coordinator->log_bytes += batch.len;
        batches = bytes_make(batches.at + batch.len, batches.len - batch.len);
    }
    return true;
}

static void load_post(struct coordinator *coordinator) {
    coordinator->load.posted = true;
    ring_post(coordinator->host->ring, &coordinator->load.next);
}

static void load_take(struct coordinator *coordinator) {
    struct load *load = &coordinator->load;
    struct error error;
    load->reading = false;
    if (load->read.code) {
        error_set(&error, 0, "%s", error_code_message((int16_t)load->read.code));
    } else if (load->read.total == 0) {
        error_set(&error, 0, "nothing is readable at offset %lld", (long long)load->offset);
    } else {
        load->bytes.len = 0;
        for (int32_t i = 0; i < load->read.piece_count; i++)
            byte_buffer_append(&load->bytes, load->read.pieces[i]);
        read_release(&load->read);
        if (coordinator->status != COORDINATOR_LOADING) return;
        if (replay_all(coordinator, byte_buffer_bytes(&load->bytes), &error)) {
            load_post(coordinator);
            return;
        }
    }
    read_release(&load->read);
    load_damaged(coordinator, &error);
}

static void load_read_done(struct read *read) {
    load_take(container_of(read, struct coordinator, load.read));
}

static void load_step(struct mail *mail) {
    struct coordinator *coordinator = container_of(mail, struct coordinator, load.next);
    struct load *load = &coordinator->load;
    load->posted = false;
    if (coordinator->status != COORDINATOR_LOADING) return;
    if (load->offset >= load->end) {
        load_complete(coordinator);
        return;
    }
    load->reading = true;
    load->read = (struct read){.offset = load->offset,
                               .bytes_max = LOAD_BYTES,
                               .minimum_one = true,
                               .done = load_read_done};
    if (partition_read(coordinator->log, &load->read)) load_take(coordinator);
}

void load_begin(struct coordinator *coordinator) {
    struct load *load = &coordinator->load;
    struct partition_view view;
    partition_look(coordinator->log, -1, -1, &view);
    if (view.code) {
        struct error error;
        error_set(&error, 0, "%s", error_code_message((int16_t)view.code));
        load_damaged(coordinator, &error);
        return;
    }
    load->offset = view.log_start_offset;
    load->end = view.high_watermark;
    load->next.deliver = load_step;
    load_post(coordinator);
}

bool load_is_busy(const struct coordinator *coordinator) {
    return coordinator->load.reading || coordinator->load.posted;
}

/* --- again --- */

void load_again(struct coordinator *coordinator, int64_t durable_at) {
    struct load *load = &coordinator->load;
    load->again = true;
    if (durable_at > load->overdue_end) load->overdue_end = durable_at;
    coordinator_fail(coordinator, COORDINATOR_LOADING);
    coordinator_look_later(coordinator->host);
}

/* Nothing is on its way to the disk, and no worker will come back to the state. */
static bool load_may_begin(const struct coordinator *coordinator) {
    struct partition_view view;
    partition_look(coordinator->log, -1, -1, &view);
    bool durable = view.high_watermark >= coordinator->load.overdue_end;
    return !coordinator_is_busy(coordinator) && (durable || view.code);
}

void load_look(struct coordinator *coordinator) {
    if (!load_waits(coordinator) || !load_may_begin(coordinator)) return;
    check(list_is_empty(&coordinator->waiting));
    coordinator->load.again = false;
    coordinator->log_bytes = 0;
    coordinator->image = (struct image){.due_bytes = coordinator->image.due_bytes};
    coordinator->kind->state_free(coordinator->state);
    coordinator->state = coordinator->kind->state_new(coordinator, coordinator->context);
    load_begin(coordinator);
}

void load_end(struct coordinator *coordinator) {
    struct load *load = &coordinator->load;
    byte_buffer_deinit(&load->bytes);
    if (load->inflater) inflater_free(load->inflater);
    load->inflater = NULL;
}
