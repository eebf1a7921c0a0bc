#include "storage/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/say.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"

enum {
    FILE_BYTES_FIRST = JOURNAL_FILE_MIN,
    FILE_BYTES_SECOND = 16 << 20,
    FILE_BYTES = 64 << 20,
    FILES_FEW = 4, /* so many there are, also where there is hardly room for them */
    FILL_PIECE = 1 << 20,
    WANTED_S = 4, /* of what comes there shall be room, … */
    WANTED_BYTES_MIN = 4 * JOURNAL_ROOM_MIN,
    WANTED_BYTES_MAX = 2 * FILE_BYTES, /* … within these bounds */
};
#define CYCLE_NS_MIN (1 * NS_PER_S) /* between two checkpoints, while the journal may grow */
#define FILL_RETRY_NS (1 * NS_PER_S)

/* --- files --- */

int journal_file_fill(struct disk *disk, unsigned core, uint32_t number, uint64_t size,
                      struct file **file) {
    char path[LAYOUT_PATH_SIZE];
    layout_journal(path, core, number);
    int result = file_open(
        disk, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE | FILE_DIRECT, file);
    if (result < 0) return result;
    /* Blocks that were written once need no journal commit of the file system when they are
     * overwritten; blocks that were only allocated do. */
    uint8_t *zeros = memory_aligned(DISK_BLOCK, FILL_PIECE);
    memset(zeros, 0, FILL_PIECE);
    for (uint64_t at = 0; at < size && result == 0; at += FILL_PIECE)
        result = file_write_at(*file, zeros, FILL_PIECE, at);
    free(zeros);
    if (result == 0) result = -fault_hit(FAULT_journal_fill);
    if (result == 0) result = file_sync(*file);
    if (result == 0) result = disk_sync_directory(disk, LAYOUT_JOURNALS);
    if (result == 0) return 0;
    file_close(*file);
    disk_unlink(disk, path);
    return result;
}

static void journal_adopt(struct journal *journal, struct file *file, uint32_t number,
                          uint64_t size) {
    check(journal->file_count < JOURNAL_FILES_MAX);
    journal->files[journal->file_count++] = (struct journal_file){
        .file = file, .number = number, .size = size, .state = JOURNAL_FILE_FREE};
    journal->bytes += size;
}

static uint32_t journal_number_next(const struct journal *journal) {
    uint32_t next = 0;
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].number >= next) next = journal->files[at].number + 1;
    return next;
}

struct journal_file_work {
    struct work work;
    struct journal *journal;
    uint32_t number;
    uint64_t size;
    struct file *file;
    int result;
};

static void fill_run(struct work *work) {
    struct journal_file_work *fill = container_of(work, struct journal_file_work, work);
    fill->result = journal_file_fill(fill->journal->directory->disk, fill->journal->core,
                                     fill->number, fill->size, &fill->file);
}

static void fill_done(struct work *work) {
    struct journal_file_work *fill = container_of(work, struct journal_file_work, work);
    struct journal *journal = fill->journal;
    journal->filling = NULL;
    if (fill->result == 0)
        journal_adopt(journal, fill->file, fill->number, fill->size);
    else if (fill->result == -ENOSPC || fill->result == -EDQUOT)
        journal->fill_retry_ns = ring_now_ns(journal->ring) + FILL_RETRY_NS;
    else
        fail_stop("preparing a file in", LAYOUT_JOURNALS, -fill->result);
    free(fill);
}

static void journal_fill(struct journal *journal, uint64_t size) {
    struct journal_file_work *fill = new_zero(struct journal_file_work);
    *fill = (struct journal_file_work){.work = {.run = fill_run, .done = fill_done},
                                       .journal = journal,
                                       .number = journal_number_next(journal),
                                       .size = size};
    journal->filling = fill;
    ring_work(journal->ring, &fill->work);
}

static struct journal_file *journal_free_file(struct journal *journal) {
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FREE) return &journal->files[at];
    return NULL;
}

/* Blocks are padded, and what is left of a file when the next entry does not fit is lost. */
static uint64_t journal_usable(uint64_t bytes) {
    uint64_t lost = JOURNAL_ROOM_MIN + bytes / 128;
    return bytes > lost ? bytes - lost : 0;
}

uint64_t journal_room(const struct journal *journal) {
    uint64_t room = 0;
    if (journal->current) room = journal_usable(journal->current->size - journal->current->used);
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FREE)
            room += journal_usable(journal->files[at].size);
    return room;
}

/* With the full files that the next block makes free, where there is room for that block. */
static uint64_t journal_room_soon(const struct journal *journal) {
    uint64_t room = journal_room(journal), soon = room;
    for (unsigned at = 0; at < journal->file_count && room > 0; at++)
        if (journal->files[at].state == JOURNAL_FILE_FULL &&
            journal->files[at].last_sequence <= journal->released_through)
            soon += journal_usable(journal->files[at].size);
    return soon;
}

/* Full files that no checkpoint has released yet. */
static bool journal_has_work_to_release(const struct journal *journal) {
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FULL &&
            journal->files[at].last_sequence > journal->released_through)
            return true;
    return false;
}

/* Committed in the last second, or in this one so far when that is more. */
static uint64_t journal_pace(struct journal *journal) {
    uint64_t now = ring_now_ns(journal->ring), age_ns = now - journal->pace_since_ns;
    if (age_ns >= NS_PER_S) { /* of a second that is long over nothing is left */
        uint64_t bytes = journal->commit_bytes - journal->pace_from;
        journal->pace_bytes = age_ns < 2 * NS_PER_S ? bytes : 0;
        journal->pace_from = journal->commit_bytes;
        journal->pace_since_ns = now;
    }
    uint64_t bytes = journal->commit_bytes - journal->pace_from;
    return bytes > journal->pace_bytes ? bytes : journal->pace_bytes;
}

/* So much room there shall be: what comes until a checkpoint that begins now is over, and no more
 * often than it is worth it; so what comes slowly needs a small journal. */
static uint64_t journal_wanted(struct journal *journal) {
    uint64_t wanted = WANTED_S * journal_pace(journal);
    if (wanted < WANTED_BYTES_MIN) return WANTED_BYTES_MIN;
    return wanted < WANTED_BYTES_MAX ? wanted : WANTED_BYTES_MAX;
}

/* The size that the next file could have; 0 when there can be none now. */
static uint64_t journal_growth(const struct journal *journal) {
    uint64_t now = ring_now_ns(journal->ring);
    if (journal->file_count == JOURNAL_FILES_MAX || now < journal->fill_retry_ns) return 0;
    if (journal->bytes >= journal->bytes_max) return 0;
    uint64_t size = journal->bytes < FILE_BYTES_SECOND ? FILE_BYTES_SECOND : FILE_BYTES;
    uint64_t left = round_down(journal->bytes_max - journal->bytes, JOURNAL_FILE_MIN);
    if (size > left) size = left;
    if (size <= journal->growth_max) return size;
    bool few = journal->file_count < FILES_FEW; /* one cannot be released into itself */
    return few ? round_down(journal->growth_max, JOURNAL_FILE_MIN) : 0;
}

/* Not more often than snapshots are worth it. */
static bool journal_cycle_is_over(const struct journal *journal) {
    return ring_now_ns(journal->ring) - journal->last_cycle_ns >= CYCLE_NS_MIN;
}

static bool journal_is_long(const struct journal *journal) {
    return journal->replay_bytes_max && journal->replay_bytes >= journal->replay_bytes_max &&
           journal_cycle_is_over(journal);
}

bool journal_tend(struct journal *journal) {
    uint64_t wanted = journal_wanted(journal), room = journal_room_soon(journal);
    uint64_t growth = journal_growth(journal);
    if (!journal->filling && room < wanted && growth > 0) journal_fill(journal, growth);
    if (journal_is_long(journal)) return true;
    if (journal->filling || room >= journal->bytes / 2) return false;
    return journal_has_work_to_release(journal) && (growth == 0 || journal_cycle_is_over(journal));
}

/* --- opening --- */

bool journal_open(struct journal *journal, struct ring *ring, struct data_directory *directory,
                  unsigned core, uint64_t bytes_max, struct error *error) {
    journal->ring = ring;
    journal->directory = directory;
    journal->core = core;
    journal->bytes_max = bytes_max > JOURNAL_BYTES_MIN ? bytes_max : JOURNAL_BYTES_MIN;
    journal->growth_max = UINT64_MAX;
    for (unsigned slot = 0; slot < JOURNAL_IN_FLIGHT_MAX; slot++)
        journal->slots[slot].journal = journal;
    if (journal->file_count > 0) return true;
    struct file *file = NULL;
    int result = journal_file_fill(directory->disk, core, 0, FILE_BYTES_FIRST, &file);
    if (result < 0)
        return error_set(error, -result,
                         "cannot create a journal file in %s/" LAYOUT_JOURNALS ": %s",
                         disk_root(directory->disk), strerror(-result));
    journal_adopt(journal, file, 0, FILE_BYTES_FIRST);
    journal->sequence_next = 1;
    return true;
}

void journal_close(struct journal *journal) {
    check(journal_is_quiet(journal));
    for (unsigned at = 0; at < journal->file_count; at++) file_close(journal->files[at].file);
    for (unsigned at = 0; at < JOURNAL_IN_FLIGHT_MAX; at++) {
        free(journal->slots[at].buffer);
        free(journal->slots[at].notes);
    }
    journal->file_count = 0;
}

/* --- forming and writing blocks --- */

static struct journal_slot *journal_slot_of(struct journal *journal, uint64_t sequence) {
    return &journal->slots[sequence % JOURNAL_IN_FLIGHT_MAX];
}

bool journal_is_quiet(const struct journal *journal) {
    if (journal->forming || journal->filling) return false;
    for (unsigned at = 0; at < JOURNAL_IN_FLIGHT_MAX; at++)
        if (journal->slots[at].busy) return false;
    return true;
}

/* Makes sure that the current file has room, moving on to a free one when it is nearly full. */
static bool journal_find_room(struct journal *journal) {
    struct journal_file *current = journal->current;
    uint64_t room = current ? current->size - current->used : 0;
    if (room >= JOURNAL_ROOM_MIN) return true;
    struct journal_file *next = journal_free_file(journal);
    if (!next && room >= DISK_BLOCK) return true;
    if (!next) {
        if (current) current->state = JOURNAL_FILE_FULL;
        journal->current = NULL;
        return false;
    }
    if (current) current->state = JOURNAL_FILE_FULL;
    next->state = JOURNAL_FILE_CURRENT;
    next->used = 0;
    journal->current = next;
    return true;
}

bool journal_can_begin(struct journal *journal) {
    check(!journal->forming);
    return !journal_slot_of(journal, journal->sequence_next)->busy && journal_find_room(journal);
}

void journal_begin(struct journal *journal, struct block_writer *writer) {
    struct journal_slot *slot = journal_slot_of(journal, journal->sequence_next);
    check(!slot->busy && journal->current);
    if (!slot->buffer) slot->buffer = memory_aligned(JOURNAL_ALIGNMENT, JOURNAL_BLOCK_MAX);
    slot->note_count = 0;
    journal->forming = slot;
    uint64_t room = journal->current->size - journal->current->used;
    block_begin(writer, slot->buffer, room < JOURNAL_BLOCK_MAX ? room : JOURNAL_BLOCK_MAX);
}

void journal_note(struct journal *journal, struct commit_note note) {
    struct journal_slot *slot = journal->forming;
    if (slot->note_count == slot->note_capacity) {
        slot->note_capacity = slot->note_capacity ? slot->note_capacity * 2 : 64;
        slot->notes = memory_resize(slot->notes, slot->note_capacity * sizeof *slot->notes);
    }
    slot->notes[slot->note_count++] = note;
}

void journal_abandon(struct journal *journal) {
    check(journal->forming && journal->forming->note_count == 0);
    journal->forming = NULL;
}

/* Files whose every block is released by a durable statement may be written again. */
static void journal_free_released(struct journal *journal, uint64_t released_through) {
    for (unsigned at = 0; at < journal->file_count; at++) {
        struct journal_file *file = &journal->files[at];
        if (file->state == JOURNAL_FILE_FULL && file->last_sequence <= released_through)
            file->state = JOURNAL_FILE_FREE;
    }
}

static void journal_written(struct io_op *op) {
    struct journal_slot *slot = container_of(op, struct journal_slot, op);
    struct journal *journal = slot->journal;
    int fault = fault_hit(FAULT_journal_write);
    int64_t result = fault ? -fault : op->result;
    if (result < 0) fail_stop("writing to", LAYOUT_JOURNALS, (int)-result);
    slot->written = true;
    for (;;) {
        slot = journal_slot_of(journal, journal->acknowledged_through + 1);
        if (!slot->busy || !slot->written) return;
        journal->acknowledged_through = slot->sequence;
        journal_free_released(
            journal, MUTANT(journal_freed_early) ? slot->sequence : slot->released_through);
        journal->durable(journal, slot);
        slot->busy = false;
    }
}

void journal_submit(struct journal *journal, struct block_writer *writer) {
    struct journal_slot *slot = journal->forming;
    struct journal_file *file = journal->current;
    journal->forming = NULL;
    journal->newest_is_empty = writer->entry_count == 0;
    struct journal_block header = {
        .core = (uint16_t)journal->core,
        .salt = journal->directory->salt,
        .incarnation = journal->directory->incarnation,
        .sequence = journal->sequence_next++,
        .acknowledged_through = journal->acknowledged_through,
        .released_through = journal->released_through,
        .catalog_mark = journal->catalog_mark,
        .time_ms = ring_wall_ms(journal->ring),
    };
    if (MUTANT(acknowledged_ahead)) header.acknowledged_through = header.sequence - 1;
    size_t length = block_finish(writer, &header);
    slot->sequence = header.sequence;
    slot->released_through = journal->said_released = header.released_through;
    slot->busy = true;
    slot->written = false;
    slot->piece = (struct iovec){slot->buffer, length};
    slot->op.done = journal_written;
    uint64_t position = file->used;
    file->used += length;
    file->last_sequence = header.sequence;
    journal->commits++;
    journal->commit_bytes += length;
    journal->replay_bytes += length;
    ring_write(journal->ring, &slot->op, file->file, &slot->piece, 1, position,
               !MUTANT(ack_before_sync));
}

/* --- releasing --- */

void journal_release(struct journal *journal, uint64_t through, uint64_t bytes) {
    check(through <= journal->acknowledged_through && bytes <= journal->replay_bytes);
    journal->replay_bytes -= bytes;
    if (through > journal->released_through) journal->released_through = through;
    journal->last_cycle_ns = ring_now_ns(journal->ring);
}

static bool journal_has_unsaid_release(const struct journal *journal) {
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FULL &&
            journal->files[at].last_sequence <= journal->released_through)
            return true;
    return false;
}

bool journal_must_say_release(const struct journal *journal) {
    return journal_is_quiet(journal) && journal_has_unsaid_release(journal);
}

bool journal_wants_empty_block(const struct journal *journal) {
    bool begun = journal->sequence_next > 1; /* never where nothing is durable */
    if (!journal_is_quiet(journal) || !begun) return false;
    return !journal->newest_is_empty || journal->released_through > journal->said_released;
}
