#include "storage/cold.h"

#include <errno.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/cold_walk.h"
#include "storage/read.h"

enum { COLD_TRIES_MAX = 8, COLD_BATCH_MAX = 128 << 20 };

struct cold_read {
    struct list link; /* in the queue, or among those that are to be alone */
    struct work work;
    struct window_waiter waiter;
    struct partition *partition; /* pinned */
    struct read *read;
    struct disk *disk;
    struct segment_identity identity;
    struct segment segment;    /* a copy: its extent as of the beginning */
    struct segment_file *file; /* pinned, or NULL */
    struct file *opened;       /* by the worker, until the file has it */
    struct index index;        /* loaded by the worker when load_index */
    bool load_index;
    struct cold_walk walk;
    unsigned tries;
    /* Result */
    int result;
    uint8_t *buffer; /* ALONE: of the batch at walk.at, or of its front */
    size_t buffer_len;
    bool cut, full;
};

/* --- answers --- */

static enum error_code cold_code(const struct cold_read *cold) {
    if (cold->partition->dead) return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    if (cold->result == 0) return ERROR_NONE;
    if (cold->read->offset < cold->partition->log_start) return ERROR_OFFSET_OUT_OF_RANGE;
    uint32_t unsaid;
    if (store_may_say(cold->partition->store, &unsaid))
        say_error(
            "partition %u, segment %u: %s at position %llu: this range cannot be served (%u lines "
            "left out before)",
            cold->identity.partition, cold->identity.segment,
            cold->result == -EBADMSG ? "a damaged batch" : strerror(-cold->result),
            (unsigned long long)cold->walk.at, unsaid);
    return cold->result == -EMFILE || cold->result == -ENFILE ? ERROR_KAFKA_STORAGE_ERROR
                                                              : ERROR_CORRUPT_MESSAGE;
}

static void answer_buffer(struct read *read, uint8_t *buffer, size_t len) {
    read->pieces[0] = bytes_make(buffer, len);
    read->pins[0] = NULL;
    read->piece_count = 1;
    read->total = len;
    read->buffer = buffer;
}

/* Slices of the windows; a copy where they would keep more than twice what is answered. */
static void answer_windows(struct read *read, const struct cold_walk *walk) {
    size_t total = walk->reached - walk->found;
    unsigned first = (unsigned)((walk->found - walk->held_from) / WINDOW_BYTES);
    unsigned last = (unsigned)((walk->reached - 1 - walk->held_from) / WINDOW_BYTES);
    bool copies = total * 2 < (size_t)(last - first + 1) * WINDOW_BYTES;
    uint8_t *copy = copies ? memory_new(total) : NULL;
    size_t done = 0;
    for (unsigned at = first; at <= last; at++) {
        const struct window *window = walk->held[at];
        size_t skip = at == first ? walk->found % WINDOW_BYTES : 0, len = WINDOW_BYTES - skip;
        if (len > total - done) len = total - done;
        if (copies) memory_copy(copy + done, window->chunk->at + skip, len);
        read->pieces[at - first] = bytes_make(window->chunk->at + skip, len);
        read->pins[at - first] = window->chunk;
        if (!copies) chunk_pin(window->chunk);
        done += len;
    }
    read->piece_count = (int32_t)(last - first + 1);
    read->total = total;
    if (copies) answer_buffer(read, copy, total);
}

/* --- from one place to the next --- */

/* Lets go of what it holds of the segment. */
static void cold_leave(struct cold_read *cold) {
    cold_walk_end(&cold->walk);
    segment_file_release(cold->file);
    cold->file = NULL;
    free(cold->buffer);
    cold->buffer = NULL;
}

/* The segment that was read from, unless it was given up meanwhile. */
static struct segment *cold_segment(const struct cold_read *cold) {
    return cold->partition->dead ? NULL : partition_same_segment(cold->partition, &cold->identity);
}

/* Where the batch that was cut is in the tail by now. */
static struct chunk *cold_chunk(const struct cold_read *cold) {
    const struct tail *tail = &cold->partition->tail;
    struct chunk *chunk = tail_find(tail, cold->read->offset);
    struct place first;
    int64_t first_offset;
    if (chunk || !tail_first(tail, &first, &first_offset)) return chunk;
    bool holds = place_compare(first, (struct place){cold->identity.segment, cold->walk.at}) <= 0;
    return holds ? tail_find(tail, first_offset) : NULL;
}

static bool cold_open(struct cold_read *cold, struct segment *segment);

/* Reads from the first batch at or behind `from`. */
static bool cold_look(struct cold_read *cold, int64_t from) {
    struct segment *segment;
    struct chunk *chunk = read_find(cold->partition, from, &segment);
    if (chunk) read_hot(cold->partition, cold->read, chunk);
    return chunk || !segment || cold_open(cold, segment);
}

/* Nothing to answer here: goes on behind the segment, in the tail that has moved on, or once more
 * because the segment was given up. True when it is over. */
static bool cold_next(struct cold_read *cold) {
    struct partition *partition = cold->partition;
    struct read *read = cold->read;
    struct segment *segment = cold_segment(cold);
    int64_t from = read->offset, behind = cold->segment.next_offset;
    bool cut = cold->cut;
    cold_leave(cold);
    if (partition->dead || (segment && cold->result < 0)) return true;
    cold->result = 0;
    if (cold->tries++ >= COLD_TRIES_MAX || from >= partition->high_watermark) return true;
    struct chunk *chunk = segment && cut ? cold_chunk(cold) : NULL;
    if (chunk) read_hot(partition, read, chunk);
    if (chunk) return true;
    if (segment && cut) return cold_open(cold, segment);
    if (segment && behind > from) from = behind;
    if (from < partition->log_start) cold->result = -ENOENT; /* it was deleted meanwhile */
    return cold->result < 0 || cold_look(cold, from);
}

/* The first batch began in the file and ends in the tail: puts it together. */
static bool cold_join(struct cold_read *cold) {
    const struct partition *partition = cold->partition;
    uint64_t at = cold->walk.at, have = cold->buffer_len;
    struct place rest = {cold->identity.segment, at + have};
    if (have == 0 || partition->dead || !tail_has(&partition->tail, rest)) return false;
    uint64_t end = readable_end(partition, rest.segment);
    uint8_t bytes[BATCH_HEADER_SIZE];
    size_t front = have < sizeof bytes ? have : sizeof bytes;
    memory_copy(bytes, cold->buffer, front);
    if (at + sizeof bytes > end) return false;
    tail_copy(&partition->tail, rest, bytes + front, sizeof bytes - front);
    struct batch_header header;
    if (!batch_header_read(bytes_make(bytes, sizeof bytes), &header)) return false;
    size_t size = batch_size(&header);
    if (size < have || at + size > end) return false;
    if (size > cold->walk.bytes_max && !cold->walk.minimum_one) return true;
    uint8_t *joined = memory_new(size);
    memory_copy(joined, cold->buffer, have);
    tail_copy(&partition->tail, rest, joined + have, size - have);
    if (batch_crc_valid(bytes_make(joined, size))) {
        answer_buffer(cold->read, joined, size);
    } else {
        cold->result = -EBADMSG;
        free(joined);
    }
    return true;
}

/* --- alone: one batch, exactly, on a worker --- */

static bool alone_read(struct cold_read *cold, void *into, uint64_t position, size_t len) {
    int fault = fault_hit(FAULT_segment_read);
    int64_t got = fault ? -fault : file_read_at(cold->walk.file->read, into, len, position);
    if (got < 0) cold->result = (int)got;
    if (got >= 0 && got < (int64_t)len) cold->result = -EIO; /* shorter than its extent */
    return cold->result == 0;
}

static void alone_take(struct cold_read *cold, const struct batch_header *header) {
    struct cold_walk *walk = &cold->walk;
    size_t size = batch_size(header), there = walk->upto - walk->at;
    cold->full = size > walk->bytes_max && !walk->minimum_one;
    cold->cut = size > there;
    if (cold->full) return;
    if (size > COLD_BATCH_MAX) {
        cold->result = -EBADMSG;
        return;
    }
    cold->buffer_len = cold->cut ? there : size;
    cold->buffer = memory_new(cold->buffer_len);
    if (!alone_read(cold, cold->buffer, walk->at, cold->buffer_len)) return;
    if (!cold->cut && !batch_crc_valid(bytes_make(cold->buffer, size))) cold->result = -EBADMSG;
}

static void alone_run(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct cold_walk *walk = &cold->walk;
    while (walk->at < walk->upto) {
        uint8_t bytes[BATCH_HEADER_SIZE];
        size_t there = walk->upto - walk->at;
        size_t front = there < sizeof bytes ? there : sizeof bytes;
        struct batch_header header;
        if (!alone_read(cold, bytes, walk->at, front)) return;
        if (front < sizeof bytes) { /* not even its header: the tail knows more */
            cold->cut = true;
            cold->buffer = memory_new(front);
            cold->buffer_len = front;
            memory_copy(cold->buffer, bytes, front);
            return;
        }
        if (!batch_header_read(bytes_make(bytes, sizeof bytes), &header) ||
            !cold_walk_fits(walk, &header)) {
            cold->result = -EBADMSG;
            return;
        }
        if (batch_last_offset(&header) >= walk->offset) {
            alone_take(cold, &header);
            return;
        }
        cold_walk_pass(walk, &header);
    }
    cold->cut = walk->at < walk->end;
}

static void alone_done(struct work *work);

static void alone_start(struct cold_read *cold) {
    cold->work = (struct work){.run = alone_run, .done = alone_done};
    ring_work(cold->partition->store->ring, &cold->work);
}

static bool cold_go_alone(struct cold_read *cold) {
    struct list *alone = &cold->partition->store->cold.alone;
    cold->buffer_len = 0;
    cold_walk_end(&cold->walk);
    list_append(alone, &cold->link);
    if (list_first(alone) == &cold->link) alone_start(cold);
    return false;
}

static void cold_over(struct cold_read *cold);

static void alone_done(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct list *alone = &cold->partition->store->cold.alone;
    list_remove(&cold->link);
    if (list_first(alone)) alone_start(list_entry(list_first(alone), struct cold_read, link));
    bool has_all = cold->result == 0 && !cold->cut && cold->buffer_len > 0;
    if (has_all) {
        answer_buffer(cold->read, cold->buffer, cold->buffer_len);
        cold->buffer = NULL;
    }
    bool joined = cold->result == 0 && cold->cut && !cold->full && cold_join(cold);
    if (has_all || joined || cold->full || cold_next(cold)) cold_over(cold);
}

/* --- the walk --- */

/* True when it is over. */
static bool cold_go_on(struct cold_read *cold) {
    struct cold_walk *walk = &cold->walk;
    switch (cold_walk_on(walk, &cold->waiter)) {
        case WALK_WAITS: return false;
        case WALK_DONE:
            cold->cut = false;
            if (!walk->reached) return cold_next(cold);
            answer_windows(cold->read, walk);
            return true;
        case WALK_FULL: return true;
        case WALK_CUT:
            cold->cut = true;
            return walk->at < walk->upto ? cold_go_alone(cold) : cold_next(cold);
        case WALK_ALONE: return cold_go_alone(cold);
    }
    unreachable();
}

static void cold_ready(struct window_waiter *waiter) {
    struct cold_read *cold = container_of(waiter, struct cold_read, waiter);
    if (cold_go_on(cold)) cold_over(cold);
}

static bool cold_walk(struct cold_read *cold, const struct index *index) {
    const struct index_entry *entry = index ? index_find_offset(index, cold->read->offset) : NULL;
    struct cold_walk *walk = &cold->walk;
    walk->file = cold->file;
    if (entry && entry->position > walk->at) {
        walk->at = entry->position;
        walk->next_offset = entry->offset;
    }
    segment_file_used(cold->file, &cold->partition->store->handles);
    cold_walk_begin(walk);
    return cold_go_on(cold);
}

/* --- preparing: the file's handle and the segment's index, on a worker --- */

static void prepare_run(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct file *file = cold->file ? cold->file->read : NULL;
    if (!file) cold->result = segment_open_read(cold->disk, &cold->identity, &cold->opened);
    if (cold->result < 0 || !cold->load_index) return;
    if (segment_load_index(file ? file : cold->opened, &cold->segment, cold->walk.upto,
                           &cold->index))
        index_thin_to(&cold->index, INDEX_INTERVAL_KEPT);
}

/* The index becomes the segment's; what was appended since it was read stays. */
static void cold_keep_index(struct cold_read *cold, struct segment *segment) {
    struct index *mine = segment->index;
    for (size_t at = 0; mine && at < mine->count; at++)
        if (mine->entries[at].position >= cold->walk.upto)
            index_add(&cold->index, mine->entries[at].offset, mine->entries[at].position,
                      mine->entries[at].timestamp_before);
    if (!mine) segment->index = new_zero(struct index);
    index_deinit(segment->index);
    *segment->index = cold->index;
    cold->index = (struct index){0};
    segment->index_whole = true;
}

/* What the worker opened becomes the segment's, unless that has its own or is gone by now. */
static void cold_keep_file(struct cold_read *cold, struct segment *segment) {
    if (!cold->opened) return;
    if (!cold->file) {
        if (segment && !segment->file) segment->file = segment_file_new();
        cold->file = segment ? segment->file : segment_file_new();
        cold->file->orphan = !segment;
        if (segment) segment_file_pin(cold->file);
    }
    if (cold->file->read) {
        file_close(cold->opened);
    } else {
        cold->file->read = cold->opened;
    }
    cold->opened = NULL;
}

static void prepare_done(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct partition *partition = cold->partition;
    struct segment *segment = cold_segment(cold);
    cold_keep_file(cold, segment);
    if (cold->result == 0 && cold->index.count && segment && !segment->index_whole)
        cold_keep_index(cold, segment);
    const struct index *index = segment ? segment->index : NULL;
    if (cold->index.count) index = &cold->index;
    bool fails = cold->result < 0 || partition->dead;
    bool is_over = fails ? cold_next(cold) : cold_walk(cold, index);
    index_deinit(&cold->index);
    if (is_over) cold_over(cold);
}

static bool cold_prepare(struct cold_read *cold) {
    cold->work = (struct work){.run = prepare_run, .done = prepare_done};
    ring_work(cold->partition->store->ring, &cold->work);
    return false;
}

/* True when it is over at once. */
static bool cold_open(struct cold_read *cold, struct segment *segment) {
    struct partition *partition = cold->partition;
    struct read *read = cold->read;
    const struct index_entry *entry =
        segment->index ? index_find_offset(segment->index, read->offset) : NULL;
    cold->identity = partition_identity(partition, partition->store->directory, segment);
    cold->segment = *segment;
    cold->file = segment->file;
    cold->load_index = !segment->index_whole && !entry;
    cold->cut = cold->full = false;
    cold->walk = (struct cold_walk){
        .windows = &partition->store->cold.windows,
        .upto = partition_settled_in(partition, segment),
        .end = segment->end,
        .offset = read->offset,
        .bytes_max = read->bytes_max < COLD_READ_MAX ? read->bytes_max : COLD_READ_MAX,
        .minimum_one = read->minimum_one,
        .at = SEGMENT_START,
        .next_offset = segment->base_offset,
        .has_gaps = segment->revision > 0,
    };
    if (cold->walk.upto <= SEGMENT_START) { /* all of it is in the tail */
        cold->cut = true;
        cold->file = NULL;
        return cold_next(cold);
    }
    if (cold->file) segment_file_pin(cold->file);
    if (!cold->file || !cold->file->read || cold->load_index) return cold_prepare(cold);
    return cold_walk(cold, segment->index);
}

/* --- life --- */

/* True when it is over at once. */
static bool cold_begin(struct cold_read *cold) {
    cold->partition->store->cold.running++;
    return cold->partition->dead || cold_look(cold, cold->read->offset);
}

static void cold_end(struct cold_read *cold) {
    struct store *store = cold->partition->store;
    struct read *read = cold->read;
    if (cold->partition->dead) read_release(read);
    if (read->piece_count == 0) read->code = cold_code(cold);
    cold_leave(cold);
    free(cold);
    store->flows--;
    store->cold.running--;
}

static void cold_over(struct cold_read *cold) {
    struct partition *partition = cold->partition;
    struct read *read = cold->read;
    cold_end(cold);
    read->done(read);
    partition_unpin(partition);
}

bool cold_read(struct partition *partition, struct read *read) {
    struct store *store = partition->store;
    struct cold_read *cold = new_zero(struct cold_read);
    cold->partition = partition;
    cold->read = read;
    cold->disk = store->directory->disk;
    cold->waiter.ready = cold_ready;
    list_init(&cold->waiter.link);
    list_init(&cold->link);
    partition_pin(partition);
    store->flows++;
    if (store->cold.running == store->cold.running_max) {
        list_append(&store->cold.queue, &cold->link);
        return false;
    }
    if (!cold_begin(cold)) return false;
    cold_end(cold);
    partition_unpin(partition);
    return true;
}

void cold_init(struct store *store, uint64_t bytes_max) {
    struct cold_reads *reads = &store->cold;
    if (bytes_max == 0) bytes_max = COLD_BYTES_DEFAULT;
    if (bytes_max < COLD_BYTES_MIN) bytes_max = COLD_BYTES_MIN;
    windows_init(&reads->windows, store->ring, &store->chunks, &store->flows, bytes_max);
    list_init(&reads->queue);
    list_init(&reads->alone);
    reads->running_max = (unsigned)(bytes_max / COLD_BYTES_MIN);
}

void cold_deinit(struct store *store) { windows_deinit(&store->cold.windows); }

void cold_round(struct store *store) {
    struct cold_reads *reads = &store->cold;
    windows_round(&reads->windows);
    while (reads->running < reads->running_max && !list_is_empty(&reads->queue)) {
        struct cold_read *cold = list_entry(list_first(&reads->queue), struct cold_read, link);
        list_remove(&cold->link);
        if (cold_begin(cold)) cold_over(cold);
    }
}
