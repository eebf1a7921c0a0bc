#include "storage/settle.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/remove.h"
#include "storage/seal.h"
#include "storage/space.h"

#define AHEAD_PAUSE_NS (1 * NS_PER_S) /* there was no room for more than is needed now */

/* --- cache --- */

void settle_drop_oldest(struct partition *partition) {
    struct chunk *chunk = tail_chunk(&partition->tail, 0);
    if (partition->store && list_is_linked(&chunk->cached))
        partition->store->cached_bytes -= chunk->capacity;
    tail_drop_oldest(&partition->tail);
}

/* A chunk is only a cache once everything that begins in it is in the segment file. */
static bool chunk_is_settled(const struct partition *partition, const struct chunk *chunk) {
    uint64_t needed = chunk->position + chunk->used;
    if (chunk->first_position != UINT64_MAX && chunk->batches_end > needed)
        needed = chunk->batches_end;
    bool grows = chunk->used < chunk->capacity && chunk->segment == partition->end.segment;
    if (grows) return false;
    return chunk->segment < partition->settled.segment ||
           (chunk->segment == partition->settled.segment && partition->settled.position >= needed);
}

static void settle_cache(struct partition *partition) {
    struct store *store = partition->store;
    for (size_t at = partition->tail.count; at-- > 0;) {
        struct chunk *chunk = tail_chunk(&partition->tail, at);
        if (list_is_linked(&chunk->cached)) break;
        if (!chunk_is_settled(partition, chunk)) continue;
        list_append(&store->cached, &chunk->cached);
        store->cached_bytes += chunk->capacity;
    }
    settle_trim_cache(store);
}

void settle_trim_cache(struct store *store) {
    while (store->cached_bytes > store->options.cache_bytes_max) {
        struct chunk *chunk = list_entry(list_first(&store->cached), struct chunk, cached);
        /* The oldest of its own tail goes first: a tail has no holes. */
        settle_drop_oldest(chunk->partition);
    }
}

/* Moves the settled cursor; at the end of a rolled segment it goes on in the next one. */
static void settled_move(struct partition *partition, struct place upto) {
    uint64_t before = partition->settled.position;
    const struct segment *segment = partition_segment(partition, upto.segment);
    uint64_t bytes = upto.position > before ? upto.position - before : 0;
    if (segment && upto.position >= segment->end && upto.segment < partition->end.segment) {
        bytes = segment->end > before ? segment->end - before : 0;
        partition->settled = (struct place){upto.segment + 1, SEGMENT_START};
    } else {
        partition->settled = upto;
    }
    struct store *store = partition->store;
    check(bytes <= store->unsettled_bytes);
    store->unsettled_bytes -= bytes;
    store->disk.written_bytes += bytes;
    settle_cache(partition);
    partition->shard->unsnapshotted = true;
    if (partition->settled.segment == upto.segment) return;
    partition_drop_segments(partition);
    struct segment *done = partition_segment(partition, upto.segment);
    if (done) seal_start(partition, done);
}

/* --- files --- */

struct preparation {
    struct work work;
    struct partition *partition;
    struct segment_identity identity;
    struct disk *disk;
    struct segment_file *file; /* created by the worker; or pinned, and the owner's, to extend */
    struct file *write;        /* of the file to extend */
    uint64_t size;             /* with what comes next */
    uint64_t size_min;         /* with what is there already: when there is no room for more */
    bool create;
    bool ahead; /* nothing waits for it */
    int result;
};

static bool error_is_full(int result) { return result == -ENOSPC || result == -EDQUOT; }

static int preparation_allocate(struct preparation *job, uint64_t size) {
    int fault = fault_hit(FAULT_segment_allocate);
    if (fault) return -fault;
    if (job->create) return segment_create(job->disk, &job->identity, size, &job->file);
    return file_allocate(job->write, size);
}

static void preparation_run(struct work *work) {
    struct preparation *job = container_of(work, struct preparation, work);
    job->result = preparation_allocate(job, job->size);
    if (!error_is_full(job->result) || job->size_min >= job->size) return;
    job->size = job->size_min;
    job->result = preparation_allocate(job, job->size);
}

/* There is no space, or no descriptor: the store tries again after a while. */
static void settle_later(struct partition *partition, int result) {
    struct store *store = partition->store;
    if (error_is_full(result)) space_met_full(store);
    if (partition->dead || list_is_linked(&partition->settling)) return;
    list_append(&store->settling, &partition->settling);
    space_check_later(store);
}

void settle_adopt(struct partition *partition) { settle_later(partition, -ENOSPC); }

void settle_again(struct partition *partition) {
    if (partition->dead) return;
    bypass_again(partition);
    if (partition->unformed) partition_dirty(partition);
    settle_consider(partition);
}

static bool error_is_no_space(int result) {
    return error_is_full(result) || result == -EMFILE || result == -ENFILE;
}

/* The file becomes the segment's, unless that is gone by now. */
static void preparation_keep(struct preparation *job, struct segment *segment) {
    struct store *store = job->partition->store;
    if (job->result < 0 && job->create) return;
    if (job->result == 0 && !job->create) job->file->allocated = job->size;
    if (job->create && !segment) /* it was removed before it was made */
        remove_segment(store, &job->identity);
    if (job->create && segment && !segment->file) {
        segment->file = job->file;
        segment_file_pin(job->file);
    } else if (job->create && segment && !segment->file->write) {
        segment->file->write = job->file->write; /* a cold read had opened it */
        segment->file->allocated = job->file->allocated;
        job->file->write = NULL;
    }
    if (segment) {
        segment->file->awaited = true;
        segment_file_used(segment->file, &store->handles);
    }
    segment_file_release(job->file);
}

static void preparation_done(struct work *work) {
    struct preparation *job = container_of(work, struct preparation, work);
    struct partition *partition = job->partition;
    struct store *store = partition->store;
    struct segment *segment = partition_segment(partition, job->identity.segment);
    partition->preparing = false;
    store->flows--;
    if (job->result < 0 && !error_is_no_space(job->result))
        fail_stop("preparing a file in", LAYOUT_SEGMENTS, -job->result);
    preparation_keep(job, partition->dead ? NULL : segment);
    if (job->result == 0) space_got_through(store);
    if (job->result < 0 && job->ahead) store->disk.ahead_failed_ns = ring_now_ns(store->ring);
    if (job->result < 0 && !job->ahead)
        settle_later(partition, job->result);
    else
        settle_again(partition);
    partition_unpin(partition);
    free(job);
}

static uint64_t allocation_size(const struct partition *partition, uint64_t upto) {
    uint64_t step = round_up(upto, SEGMENT_STEP_MIN);
    if (step > SEGMENT_STEP_MAX) step = SEGMENT_STEP_MAX;
    uint64_t size = round_up(upto + step, DISK_BLOCK);
    uint64_t most = round_up((uint64_t)partition->definition.rules.segment_bytes, DISK_BLOCK) +
                    SEGMENT_START + SEGMENT_STEP_MIN;
    return size > most && most >= upto ? most : size;
}

static bool segment_reaches(const struct segment *segment, uint64_t upto) {
    return segment->file && segment->file->write && segment->file->allocated >= upto;
}

/* Asks a worker for a file that is allocated up to `upto`. */
static void preparation_start(struct partition *partition, struct segment *segment, uint64_t upto,
                              bool ahead) {
    if (partition->preparing || list_is_linked(&partition->settling)) return;
    struct store *store = partition->store;
    uint64_t needed = round_up(upto, DISK_BLOCK), spare = space_to_spare(store);
    uint64_t size = allocation_size(partition, upto);
    if (size > needed && size - needed > spare) size = needed + round_down(spare, DISK_BLOCK);
    struct preparation *job = new_zero(struct preparation);
    *job =
        (struct preparation){.work = {.run = preparation_run, .done = preparation_done},
                             .partition = partition,
                             .identity = partition_identity(partition, store->directory, segment),
                             .disk = store->directory->disk,
                             .size = size,
                             .size_min = needed,
                             .create = !segment->file || !segment->file->write,
                             .ahead = ahead};
    if (!job->create) {
        job->file = segment->file;
        job->write = segment->file->write;
        segment_file_pin(job->file);
    }
    partition->preparing = true;
    partition_pin(partition);
    store->flows++;
    ring_work(store->ring, &job->work);
}

static bool settle_prepare(struct partition *partition, struct segment *segment, uint64_t upto) {
    if (segment_reaches(segment, upto)) return true;
    preparation_start(partition, segment, upto, false);
    return false;
}

/* --- write-out --- */

/* Slices of the tail as an iovec for whole blocks in [from, upto). */
static struct iovec *settle_pieces(const struct partition *partition, struct place from,
                                   uint64_t upto, int *count) {
    size_t len = upto - from.position, max = len / CHUNK_MIN + 2;
    struct bytes *slices = memory_new(max * sizeof *slices);
    struct iovec *pieces = memory_new((max + 1) * sizeof *pieces);
    size_t covered = 0;
    size_t found = tail_slices(&partition->tail, from, len, slices, NULL, max, &covered);
    for (size_t at = 0; at < found; at++)
        pieces[at] = (struct iovec){(void *)slices[at].at, slices[at].len};
    /* The last block of a rolled segment: its padding lies behind the used bytes of the chunk. */
    if (covered < len) {
        check(found > 0 && len - covered < DISK_BLOCK);
        pieces[found - 1].iov_len += len - covered;
    }
    free(slices);
    *count = (int)found;
    return pieces;
}

/* How far whole durable blocks of the settled segment go; rolled segments end padded. */
static uint64_t settle_limit(const struct partition *partition) {
    const struct segment *segment = partition_segment(partition, partition->settled.segment);
    if (!segment) return partition->settled.position;
    if (partition->durable.segment > segment->number) return round_up(segment->end, DISK_BLOCK);
    return round_down(partition->durable.position, DISK_BLOCK);
}

bool settle_is_pending(const struct partition *partition) {
    return partition->settle.in_flight || !list_is_empty(&partition->bypasses) ||
           settle_limit(partition) > partition->settled.position;
}

static void settle_done(struct io_op *op);
static void settle_upto(struct partition *partition, uint64_t bytes_min);

static void settle_write(struct partition *partition, struct segment *segment, uint64_t upto) {
    struct settle *settle = &partition->settle;
    int count = 0;
    settle->pieces = settle_pieces(partition, partition->settled, upto, &count);
    settle->upto = (struct place){segment->number, upto};
    settle->file = segment->file;
    settle->in_flight = true;
    settle->op.done = settle_done;
    segment_file_pin(settle->file);
    settle->file->awaited = false;
    segment_file_used(settle->file, &partition->store->handles);
    partition_pin(partition);
    partition->store->flows++;
    partition->store->write_out_count++;
    ring_write(partition->store->ring, &settle->op, settle->file->write, settle->pieces, count,
               partition->settled.position, false);
}

static void settle_release(struct settle *settle) {
    segment_file_release(settle->file);
    free(settle->pieces);
    *settle = (struct settle){0};
}

/* Partitions that fill evenly want to write out all at once; commits would wait behind them. */
static bool settle_has_turn(struct partition *partition) {
    struct store *store = partition->store;
    if (store->write_out_count < SETTLE_IN_FLIGHT_MAX) return true;
    if (!list_is_linked(&partition->write_out))
        list_append(&store->write_outs, &partition->write_out);
    return false;
}

static void settle_next(struct store *store) {
    while (store->write_out_count < SETTLE_IN_FLIGHT_MAX && !list_is_empty(&store->write_outs)) {
        struct list *first = list_first(&store->write_outs);
        list_remove(first);
        settle_upto(list_entry(first, struct partition, write_out), DISK_BLOCK);
    }
}

static void settle_done(struct io_op *op) {
    struct settle *settle = container_of(op, struct settle, op);
    struct partition *partition = container_of(settle, struct partition, settle);
    struct store *store = partition->store;
    int fault = fault_hit(FAULT_segment_write);
    int64_t result = fault ? -fault : op->result;
    struct place upto = settle->upto;
    if (result < 0 && !error_is_no_space((int)result))
        fail_stop("writing to", LAYOUT_SEGMENTS, (int)-result);
    settle->file->unsynced = true; /* now: a sync that began before this does not cover it */
    settle_release(settle);
    store->flows--;
    store->write_out_count--;
    settle_next(store);
    if (!partition->dead) {
        if (result >= 0) settled_move(partition, upto);
        if (result < 0)
            settle_later(partition, (int)result);
        else
            settle_again(partition);
    }
    partition_unpin(partition);
}

/* What was deleted before it was written need not be: so deletion frees a full disk, too. Closed
 * segments only: replay never goes on in them. */
static void settle_skip_deleted(struct partition *partition) {
    for (;;) {
        uint32_t number = partition->settled.segment;
        const struct segment *segment = partition_segment(partition, number);
        if (!segment || segment->next_offset > partition->log_start) return;
        if (partition->begun <= number || partition->durable.segment <= number) return;
        settled_move(partition, (struct place){number, round_up(segment->end, DISK_BLOCK)});
    }
}

static void settle_upto(struct partition *partition, uint64_t bytes_min) {
    if (partition->dead || partition->settle.in_flight || !list_is_empty(&partition->bypasses))
        return;
    settle_skip_deleted(partition);
    struct segment *segment = partition_segment(partition, partition->settled.segment);
    uint64_t limit = settle_limit(partition), from = partition->settled.position;
    if (!segment || limit <= from) return;
    bool rolled = partition->durable.segment > segment->number;
    if (limit - from < bytes_min && !rolled) return;
    if (!settle_has_turn(partition)) return;
    if (limit - from > SETTLE_BYTES_MAX) limit = from + SETTLE_BYTES_MAX;
    if (settle_prepare(partition, segment, limit)) settle_write(partition, segment, limit);
}

/* Half a step before the file's end. */
static void settle_ahead(struct partition *partition) {
    const struct store *store = partition->store;
    struct segment *active = partition->segment_count ? partition_active(partition) : NULL;
    if (!active || !segment_reaches(active, 0) || active->end <= SEGMENT_STEP_MIN) return;
    if (active->end + SEGMENT_STEP_MAX / 2 <= active->file->allocated) return;
    if (active->end >= (uint64_t)partition->definition.rules.segment_bytes) return;
    if (store->disk.ahead_failed_ns &&
        ring_now_ns(store->ring) - store->disk.ahead_failed_ns < AHEAD_PAUSE_NS)
        return;
    uint64_t upto = allocation_size(partition, active->end);
    if (segment_reaches(active, upto)) return;
    if (upto - active->file->allocated > space_to_spare(store)) return;
    preparation_start(partition, active, upto, true);
}

void settle_consider(struct partition *partition) {
    struct store *store = partition->store;
    if (!store || partition->dead) return;
    bool pressed = store->unsettled_bytes > store->options.unsettled_bytes_max / 2;
    settle_upto(partition, pressed ? DISK_BLOCK : SETTLE_BYTES_MIN);
    settle_ahead(partition);
}

void settle_force(struct partition *partition) { settle_upto(partition, DISK_BLOCK); }

/* --- bypass --- */

bool bypass_is_wanted(const struct partition *partition) {
    if (!partition->store->options.durable || !partition->unformed) return false;
    if (partition->unformed->bytes >= BYPASS_BYTES) return true;
    if (partition->store->disk.short_since_ns) return false; /* the journal has room for them */
    return partition->unformed_bytes >= BYPASS_BYTES &&
           partition->unformed_bytes >= (uint64_t)partition->unformed_count * BYPASS_BATCH_BYTES;
}

struct bypass *bypass_to_form(struct partition *partition) {
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        if (bypass->formed) continue;
        return bypass->written ? bypass : NULL;
    }
    return NULL;
}

static void bypass_done(struct io_op *op) {
    struct bypass *bypass = container_of(op, struct bypass, op);
    struct partition *partition = bypass->partition;
    int fault = fault_hit(FAULT_segment_write);
    int64_t result = fault ? -fault : op->result;
    if (result < 0 && !error_is_no_space((int)result))
        fail_stop("writing to", LAYOUT_SEGMENTS, (int)-result);
    bypass->in_flight = false;
    bypass->written = result >= 0;
    partition->store->flows--;
    if (partition->dead)
        bypass_finish(bypass);
    else if (bypass->written)
        partition_dirty(partition);
    else
        settle_later(partition, (int)result);
    partition_unpin(partition);
}

/* Where the next bypass begins: behind the last one, else at the settled end. */
static struct place bypass_from(const struct partition *partition) {
    if (list_is_empty(&partition->bypasses)) return partition->settled;
    struct bypass *last = list_entry(partition->bypasses.previous, struct bypass, link);
    const struct segment *segment = partition_segment(partition, last->from.segment);
    if (segment && last->upto >= segment->end && partition->end.segment > segment->number)
        return (struct place){segment->number + 1, SEGMENT_START};
    return (struct place){last->from.segment, last->upto};
}

/* Takes unformed appends of one segment into the bypass, up to the size of one write. */
static void bypass_take(struct partition *partition, struct bypass *bypass) {
    bypass->first_batch = partition->formed.position;
    bypass->end = partition->formed.position;
    uint64_t taken = 0;
    uint32_t count = 0;
    struct append *append = partition->unformed;
    while (append) {
        if (append->bytes) {
            /* One write holds whole blocks at least, also when a huge batch follows a small one. */
            bool fits = taken < BYPASS_BYTES || taken + append->bytes <= BYPASS_BYTES_MAX;
            if (append->segment != bypass->from.segment || !fits) break;
            if (++count > BYPASS_BATCHES_MAX) break;
            if (!bypass->first) bypass->first = append;
            bypass->last = append;
            taken += append->bytes;
            bypass->end += append->bytes;
            bypass->end_offset = append->release_at;
            bypass->reserved += append->reserved;
            partition->unformed_bytes -= append->bytes;
            partition->unformed_reserved -= append->reserved;
            partition->unformed_count--;
        }
        struct list *next = append->link.next;
        append = next == &partition->pending ? NULL : list_entry(next, struct append, link);
    }
    partition->unformed = append;
}

static void bypass_submit(struct bypass *bypass) {
    struct partition *partition = bypass->partition;
    int count = 0;
    free(bypass->pieces);
    bypass->pieces = settle_pieces(partition, bypass->from, bypass->upto, &count);
    bypass->op.done = bypass_done;
    bypass->in_flight = true;
    bypass->file->awaited = false;
    segment_file_used(bypass->file, &partition->store->handles);
    partition_pin(partition);
    partition->store->flows++;
    ring_write(partition->store->ring, &bypass->op, bypass->file->write, bypass->pieces, count,
               bypass->from.position, !MUTANT(bypass_unsynced));
}

void bypass_again(struct partition *partition) {
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        if (!bypass->in_flight && !bypass->written) bypass_submit(bypass);
    }
}

static void bypass_write(struct partition *partition, struct segment *segment, struct place from) {
    struct bypass *bypass = new_zero(struct bypass);
    bypass->partition = partition;
    bypass->from = from;
    bypass_take(partition, bypass);
    check(bypass->first);
    bool rolled_at_end = partition->end.segment > segment->number && bypass->end == segment->end;
    bypass->upto =
        rolled_at_end ? round_up(bypass->end, DISK_BLOCK) : round_down(bypass->end, DISK_BLOCK);
    partition->formed = (struct place){segment->number, bypass->end};
    if (rolled_at_end) partition->formed = (struct place){segment->number + 1, SEGMENT_START};
    partition->formed_offset = bypass->end_offset;
    bypass->file = segment->file;
    segment_file_pin(bypass->file);
    list_append(&partition->bypasses, &bypass->link);
    partition->bypass_count++;
    bypass_submit(bypass);
}

void bypass_start(struct partition *partition) {
    while (partition->bypass_count < BYPASS_IN_FLIGHT_MAX && bypass_is_wanted(partition)) {
        partition_formed_next_segment(partition);
        struct place from = bypass_from(partition);
        struct segment *segment = partition_segment(partition, from.segment);
        /* What was rolled away from must be settled first: the write is one range of one file. */
        bool behind = from.segment != partition->formed.segment;
        if (partition->settle.in_flight || behind || !segment) {
            settle_force(partition);
            return;
        }
        uint64_t upto = partition->formed.position + partition->unformed_bytes;
        if (segment->end < upto) upto = segment->end;
        if (!settle_prepare(partition, segment, round_up(upto, DISK_BLOCK))) return;
        bypass_write(partition, segment, from);
    }
}

static void bypass_free(struct bypass *bypass) {
    segment_file_release(bypass->file);
    free(bypass->pieces);
    free(bypass);
}

void bypass_finish(struct bypass *bypass) {
    struct partition *partition = bypass->partition;
    check(partition->dead || &bypass->link == list_first(&partition->bypasses));
    list_remove(&bypass->link);
    partition->bypass_count--;
    partition->store->reserved_bytes -= bypass->reserved;
    if (!partition->dead) {
        settled_move(partition, (struct place){bypass->from.segment, bypass->upto});
        if (partition->unformed) partition_dirty(partition); /* there is room for another one */
    }
    bypass_free(bypass);
}

void bypass_abandon(struct partition *partition) {
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        check(!bypass->in_flight);
        list_remove(&bypass->link);
        bypass_free(bypass);
    }
}
