#include "storage/journal_scan.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/say.h"
#include "storage/layout.h"

/* A block formed behind a missing one says that it was acknowledged at the latest when the slot of
 * the missing one was used again: it begins within so many bytes. */
enum {
    LOOK_AHEAD_BYTES = (JOURNAL_IN_FLIGHT_MAX + 1) * JOURNAL_BLOCK_MAX,
    BEHIND_BYTES = LOOK_AHEAD_BYTES + JOURNAL_BLOCK_MAX,
    READ_MIN = 64 << 10,
    READ_MAX = 4 * JOURNAL_BLOCK_MAX,
};

static void scan_path(const struct journal_scan *scan, const struct scanned_file *file,
                      char path[LAYOUT_PATH_SIZE]) {
    layout_journal(path, scan->core, file->number);
}

static bool scan_error(const struct journal_scan *scan, const struct scanned_file *file,
                       const char *what, int result, struct error *error) {
    char path[LAYOUT_PATH_SIZE];
    scan_path(scan, file, path);
    return error_set(error, -result, "cannot %s %s/%s: %s", what, disk_root(scan->directory->disk),
                     path, strerror(-result));
}

/* --- blocks, through a window that is read ahead --- */

/* Makes [position, position + len) lie in the window, as far as the file goes. The window grows
 * while it is used in sequence: most files end their chain at once. */
static int window_fill(struct journal_scan *scan, const struct scanned_file *file,
                       uint64_t position, size_t len) {
    struct scan_window *window = &scan->window;
    bool same = window->number == file->number && window->len > 0;
    if (same && position >= window->position && position + len <= window->position + window->len)
        return 0;
    bool goes_on =
        same && position >= window->position && position <= window->position + window->len;
    size_t size = goes_on ? window->size * 2 : READ_MIN;
    if (size > READ_MAX) size = READ_MAX;
    if (size < len) size = round_up(len, JOURNAL_ALIGNMENT);
    if (size > file->size - position) size = file->size - position;
    window->size = size;
    window->number = file->number;
    window->position = position;
    window->len = 0;
    int64_t got = file_read_at(file->file, scan->buffer, size, position);
    if (got < 0) return (int)got;
    window->len = (size_t)got;
    return 0;
}

static struct bytes window_bytes(const struct journal_scan *scan, uint64_t position) {
    const struct scan_window *window = &scan->window;
    size_t skip = position - window->position;
    return skip < window->len ? bytes_make(scan->buffer + skip, window->len - skip) : BYTES_NULL;
}

/* The block at `position`, its bytes in scan->bytes. 1 = a block of ours, 0 = none there, negative
 * errno = the disk said no. */
static int scan_block(struct journal_scan *scan, const struct scanned_file *file, uint64_t position,
                      struct journal_block *block) {
    if (position + JOURNAL_ALIGNMENT > file->size) return 0;
    int result = window_fill(scan, file, position, JOURNAL_ALIGNMENT);
    if (result < 0) return result;
    size_t length = block_claimed_length(window_bytes(scan, position));
    if (length == 0 || position + length > file->size) return 0;
    result = window_fill(scan, file, position, length);
    if (result < 0) return result;
    scan->bytes = window_bytes(scan, position);
    return block_read(scan->bytes, block) && block->salt == scan->directory->salt &&
           block->core == scan->core;
}

static uint64_t block_padded(const struct journal_block *block) {
    return round_up(block->length, JOURNAL_ALIGNMENT);
}

/* --- the blocks of one file --- */

static void file_push(struct scanned_file *file, struct scanned_block block) {
    if (file->block_count == file->block_capacity) {
        file->block_capacity = file->block_capacity * 2 + 64;
        file->blocks = memory_resize(file->blocks, file->block_capacity * sizeof *file->blocks);
    }
    file->blocks[file->block_count++] = block;
}

static void file_add(struct scanned_file *file, const struct journal_block *block) {
    file_push(file, (struct scanned_block){.sequence = block->sequence,
                                           .at = (uint32_t)(file->end / JOURNAL_ALIGNMENT)});
    file->last = block->sequence;
    file->last_incarnation = block->incarnation;
    file->acknowledged_through = block->acknowledged_through;
    file->released_through = block->released_through;
    file->end += block_padded(block);
}

/* From its start as far as blocks follow each other. */
static bool scan_walk(struct journal_scan *scan, struct scanned_file *file, struct error *error) {
    struct journal_block block;
    if (file->walked) return true;
    file->walked = true;
    for (;;) {
        int result = scan_block(scan, file, file->end, &block);
        if (result < 0) return scan_error(scan, file, "read", result, error);
        bool follows = file->block_count == 0 || (block.sequence == file->last + 1 &&
                                                  block.incarnation >= file->last_incarnation);
        if (result == 0 || !follows) return true;
        file_add(file, &block);
    }
}

/* Which blocks it begins with. */
static bool scan_first(struct journal_scan *scan, struct scanned_file *file, struct error *error) {
    struct journal_block block;
    int result = scan_block(scan, file, 0, &block);
    if (result < 0) return scan_error(scan, file, "read", result, error);
    if (result == 0) return true;
    file->first = block.sequence;
    file->first_incarnation = block.incarnation;
    return true;
}

static bool scan_open_file(struct journal_scan *scan, uint32_t number, struct error *error) {
    struct scanned_file *file = &scan->files[scan->file_count];
    *file = (struct scanned_file){.number = number};
    char path[LAYOUT_PATH_SIZE];
    scan_path(scan, file, path);
    int result =
        file_open(scan->directory->disk, path, FILE_READ | FILE_WRITE | FILE_DIRECT, &file->file);
    if (result < 0) return scan_error(scan, file, "open", result, error);
    scan->file_count++;
    /* What a killed process left in caches must be durable before anything is built on it. */
    result = file_sync(file->file);
    int64_t size = result < 0 ? result : file_size(file->file);
    if (size < 0) return scan_error(scan, file, "sync", (int)size, error);
    file->size = round_down((uint64_t)size, JOURNAL_ALIGNMENT);
    return true;
}

static void scan_sort(struct journal_scan *scan) {
    for (unsigned at = 1; at < scan->file_count; at++)
        for (unsigned to = at; to > 0 && scan->files[to].first < scan->files[to - 1].first; to--) {
            struct scanned_file moved = scan->files[to];
            scan->files[to] = scan->files[to - 1];
            scan->files[to - 1] = moved;
        }
}

static bool scan_damaged(const struct journal_scan *scan, const struct scanned_file *file,
                         uint64_t position, uint64_t sequence, struct error *error) {
    char path[LAYOUT_PATH_SIZE];
    scan_path(scan, file, path);
    return error_set(error, 0,
                     "block %llu of journal %u was acknowledged and cannot be read: %s is damaged "
                     "before position %llu, or the file that held the block is gone",
                     (unsigned long long)sequence, scan->core, path, (unsigned long long)position);
}

/* --- the chain --- */

static bool file_follows(const struct scanned_file *before, const struct scanned_file *file) {
    return before->first && before->last + 1 == file->first &&
           before->last_incarnation <= file->first_incarnation;
}

/* Goes back from the newest file of a run, `*begin`, to the one that holds the first block that it
 * needs. False when there is a gap before that, or (error) the disk says no. */
static bool scan_reach_back(struct journal_scan *scan, unsigned *begin, struct error *error) {
    if (!scan_walk(scan, &scan->files[*begin], error)) return false;
    uint64_t needed = scan->files[*begin].released_through + 1;
    while (scan->files[*begin].first > needed) {
        if (*begin == 0) return false;
        struct scanned_file *before = &scan->files[*begin - 1];
        if (!scan_walk(scan, before, error) || !file_follows(before, &scan->files[*begin]))
            return false;
        --*begin;
    }
    return true;
}

static void scan_take(struct journal_scan *scan, unsigned begin, unsigned end) {
    const struct scanned_file *newest = &scan->files[end - 1];
    scan->acknowledged_through = newest->acknowledged_through;
    scan->released_through = newest->released_through;
    scan->last_sequence = newest->last;
    scan->last_incarnation = newest->last_incarnation;
    for (unsigned at = begin; at < end; at++)
        scan->files[at].needed = scan->files[at].last > scan->released_through;
}

/* The newest run of files that reaches back to the first block that it needs. Newer files that do
 * not are behind a gap: their blocks were never acknowledged, or something is damaged. */
static bool scan_chain(struct journal_scan *scan, struct error *error) {
    error->text[0] = '\0';
    for (unsigned end = scan->file_count; end > 0 && scan->files[end - 1].first;) {
        unsigned begin = end - 1;
        bool reached = scan_reach_back(scan, &begin, error);
        if (error->text[0]) return false;
        if (reached) {
            scan_take(scan, begin, end);
            return true;
        }
        for (unsigned at = begin; at < end; at++) scan->files[at].first = scan->files[at].end = 0;
        end = begin;
    }
    return true;
}

/* --- what lies behind it --- */

static void scan_stray(struct journal_scan *scan, struct scanned_file *file, uint64_t at,
                       struct bytes rest) {
    struct journal_block block;
    if (!block_read(rest, &block) || block.salt != scan->directory->salt ||
        block.core != scan->core || block.sequence <= scan->last_sequence ||
        block.incarnation < scan->last_incarnation)
        return;
    bool acknowledged = block.acknowledged_through > scan->last_sequence;
    if (acknowledged && !scan->damaged && !MUTANT(damage_ignored)) {
        scan->damaged = true;
        scan_damaged(scan, file, at, scan->last_sequence + 1, &scan->damage);
    }
    file->clear_upto = at + block_padded(&block);
    scan->torn_blocks++;
}

/* Looks at what lies behind the chain in this file; changes nothing. */
static bool scan_behind(struct journal_scan *scan, struct scanned_file *file, uint8_t *window,
                        struct error *error) {
    uint64_t from = file->end, limit = from + BEHIND_BYTES;
    file->clear_upto = from;
    if (limit > file->size) limit = file->size;
    if (from >= limit) return true;
    int64_t got = file_read_at(file->file, window, limit - from, from);
    if (got < 0) return scan_error(scan, file, "read", (int)got, error);
    for (int64_t at = 0; at + JOURNAL_ALIGNMENT <= got && at < LOOK_AHEAD_BYTES;
         at += JOURNAL_ALIGNMENT)
        scan_stray(scan, file, from + (uint64_t)at, bytes_make(window + at, (size_t)(got - at)));
    return true;
}

/* Zeros what was never acknowledged: a block of the next life may end where one of these begins. */
static bool scan_clear(struct journal_scan *scan, struct scanned_file *file, struct error *error) {
    if (file->clear_upto == file->end || MUTANT(tail_left)) return true;
    uint64_t len = file->clear_upto - file->end;
    uint8_t *zeros = memory_aligned(JOURNAL_ALIGNMENT, len);
    memset(zeros, 0, len);
    int result = file_write_at(file->file, zeros, len, file->end);
    free(zeros);
    if (result == 0) result = file_sync(file->file);
    return result == 0 || scan_error(scan, file, "clear the torn tail of", result, error);
}

static int scan_write_again(struct journal_scan *scan, const struct scanned_file *file,
                            const struct scanned_block *wanted) {
    struct journal_block block;
    uint64_t position = (uint64_t)wanted->at * JOURNAL_ALIGNMENT;
    int result = scan_block(scan, file, position, &block);
    if (result < 0) return result;
    if (result == 0 || block.sequence != wanted->sequence) return -EIO; /* it was there */
    return file_write_at(file->file, scan->bytes.at, block_padded(&block), position);
}

/* The chain's last blocks: a sync writes only what counts as dirty, and after one that failed
 * nothing does. The same bytes at the same place: a power cut in between leaves the one or the
 * other, which are the same. */
static bool scan_make_durable(struct journal_scan *scan, const struct scanned_file *file,
                              struct error *error) {
    int result = 0;
    bool wrote = false;
    size_t count = file->needed && !MUTANT(start_unsynced) ? file->block_count : 0;
    for (size_t at = count; at > 0 && result == 0; at--) {
        const struct scanned_block *block = &file->blocks[at - 1];
        if (block->sequence <= scan->acknowledged_through) break;
        result = scan_write_again(scan, file, block);
        wrote = true;
    }
    if (wrote && result == 0) result = file_sync(file->file);
    return result == 0 || scan_error(scan, file, "write the newest blocks of", result, error);
}

static bool scan_rest(struct journal_scan *scan, struct error *error) {
    uint8_t *window = memory_aligned(JOURNAL_ALIGNMENT, BEHIND_BYTES);
    bool fine = true;
    for (unsigned at = 0; fine && at < scan->file_count; at++)
        fine = scan_behind(scan, &scan->files[at], window, error);
    free(window);
    for (unsigned at = 0; fine && !scan->damaged && at < scan->file_count; at++)
        fine = scan_clear(scan, &scan->files[at], error) &&
               scan_make_durable(scan, &scan->files[at], error);
    return fine;
}

/* --- damage: whatever can be read --- */

/* Every block of ours in the file that is not known to be released. */
static bool salvage_file(struct journal_scan *scan, struct scanned_file *file, uint64_t *acked,
                         struct error *error) {
    struct journal_block block;
    file->block_count = 0;
    file->needed = false;
    for (file->end = 0; file->end + JOURNAL_ALIGNMENT <= file->size;) {
        int result = scan_block(scan, file, file->end, &block);
        if (result < 0) return scan_error(scan, file, "read", result, error);
        bool rises = file->block_count == 0 || block.sequence > file->last;
        if (result == 0) {
            file->end += JOURNAL_ALIGNMENT;
            continue;
        }
        if (block.acknowledged_through > *acked) *acked = block.acknowledged_through;
        /* What is left of the file's former life lies behind and is older. */
        if (rises)
            file_add(file, &block);
        else
            file->end += block_padded(&block);
    }
    return true;
}

/* The newest block up to `last` in any file. */
static struct scanned_file *salvage_newest(struct journal_scan *scan, uint64_t last,
                                           struct scanned_block *newest) {
    struct scanned_file *found = NULL;
    *newest = (struct scanned_block){0};
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *file = &scan->files[at];
        for (size_t each = file->block_count; each-- > 0;) {
            if (file->blocks[each].sequence > last) continue;
            if (file->blocks[each].sequence > newest->sequence) {
                *newest = file->blocks[each];
                found = file;
            }
            break;
        }
    }
    return found;
}

/* What is acknowledged for certain, and what goes on right behind that. The newest of these blocks
 * says what is released. */
static bool salvage_bounds(struct journal_scan *scan, uint64_t acked, struct error *error) {
    struct scanned_block newest, next;
    while (salvage_newest(scan, acked + 1, &next) && next.sequence == acked + 1) acked++;
    const struct scanned_file *file = salvage_newest(scan, acked, &newest);
    /* Nothing of what was acknowledged is left: ask what came behind. */
    if (!file) file = salvage_newest(scan, UINT64_MAX, &newest);
    check(file);
    struct journal_block block;
    int result = scan_block(scan, file, (uint64_t)newest.at * JOURNAL_ALIGNMENT, &block);
    if (result <= 0) return scan_error(scan, file, "read", result ? result : -EIO, error);
    scan->last_sequence = acked;
    scan->last_incarnation = block.incarnation;
    scan->released_through = block.released_through;
    return true;
}

static bool block_is_needed(const struct journal_scan *scan, const struct scanned_block *block) {
    return block->sequence > scan->released_through && block->sequence <= scan->last_sequence;
}

static void salvage_take(struct journal_scan *scan) {
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *file = &scan->files[at];
        file->first = 0;
        for (size_t each = 0; each < file->block_count; each++) {
            if (!block_is_needed(scan, &file->blocks[each])) continue;
            if (!file->first) file->first = file->blocks[each].sequence;
            file->last = file->blocks[each].sequence;
            file->needed = true;
        }
    }
    scan_sort(scan);
}

static bool scan_salvage(struct journal_scan *scan, struct error *error) {
    uint64_t acked = 0;
    for (unsigned at = 0; at < scan->file_count; at++)
        if (!salvage_file(scan, &scan->files[at], &acked, error)) return false;
    if (!salvage_bounds(scan, acked, error)) return false;
    salvage_take(scan);
    return true;
}

static void scanned_file_close(struct scanned_file *file) {
    file_close(file->file);
    free(file->blocks);
}

/* A crash while a file was prefilled leaves a short one, of which nothing is needed. */
static void scan_remove_unfinished(struct journal_scan *scan) {
    unsigned kept = 0;
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *file = &scan->files[at];
        if (!file->needed && file->size < JOURNAL_FILE_MIN) {
            char path[LAYOUT_PATH_SIZE];
            scan_path(scan, file, path);
            scanned_file_close(file);
            disk_unlink(scan->directory->disk, path);
        } else {
            scan->files[kept++] = *file;
        }
    }
    scan->file_count = kept;
}

bool journal_scan_open(struct journal_scan *scan, struct data_directory *directory, unsigned core,
                       const uint32_t *numbers, unsigned count, struct error *error) {
    *scan = (struct journal_scan){.directory = directory, .core = core, .found_count = count};
    scan->buffer = memory_aligned(JOURNAL_ALIGNMENT, READ_MAX);
    if (count > JOURNAL_FILES_MAX)
        return error_set(error, 0, "journal %u has %u files, more than %d: not ours", core, count,
                         JOURNAL_FILES_MAX);
    for (unsigned at = 0; at < count; at++) {
        if (!scan_open_file(scan, numbers[at], error)) return false;
        if (!scan_first(scan, &scan->files[at], error)) return false;
    }
    scan_sort(scan);
    if (!scan_chain(scan, error) || !scan_rest(scan, error)) return false;
    if (scan->damaged) return scan_salvage(scan, error);
    scan_remove_unfinished(scan);
    if (scan->torn_blocks)
        say_info(
            "journal %u: a torn tail after block %llu: %llu blocks that were never "
            "acknowledged were cleared",
            core, (unsigned long long)scan->last_sequence, (unsigned long long)scan->torn_blocks);
    return true;
}

void journal_scan_close(struct journal_scan *scan) {
    for (unsigned at = 0; at < scan->file_count; at++) scanned_file_close(&scan->files[at]);
    free(scan->buffer);
    *scan = (struct journal_scan){0};
}

void journal_scan_rewind(struct journal_scan *scan) {
    scan->at_file = 0;
    scan->at_block = 0;
    scan->met = scan->released_through;
    scan->met_at = (struct journal_position){0};
    scan->lost_blocks = scan->replayed_bytes = 0;
    scan->has_block = false;
}

/* The next block that is needed, or NULL. */
static const struct scanned_block *scan_wanted(struct journal_scan *scan) {
    for (; scan->at_file < scan->file_count; scan->at_file++, scan->at_block = 0) {
        const struct scanned_file *file = &scan->files[scan->at_file];
        while (file->needed && scan->at_block < file->block_count) {
            const struct scanned_block *block = &file->blocks[scan->at_block++];
            if (block_is_needed(scan, block) && block->sequence > scan->met) return block;
        }
    }
    return NULL;
}

bool journal_scan_next(struct journal_scan *scan, struct error *error) {
    scan->has_block = false;
    const struct scanned_block *wanted = scan_wanted(scan);
    uint64_t sequence = wanted ? wanted->sequence : scan->last_sequence + 1;
    scan->gap = sequence > scan->met + 1 ? sequence - scan->met - 1 : 0;
    scan->lost_blocks += scan->gap;
    scan->gap_at = scan->met_at;
    if (!wanted) scan->met = scan->last_sequence;
    if (!wanted) return true;
    const struct scanned_file *file = &scan->files[scan->at_file];
    if (scan->met_at.at == 0) scan->gap_at.number = file->number;
    uint64_t position = (uint64_t)wanted->at * JOURNAL_ALIGNMENT;
    int result = scan_block(scan, file, position, &scan->block);
    if (result < 0) return scan_error(scan, file, "read", result, error);
    if (result == 0 || scan->block.sequence != wanted->sequence)
        return scan_damaged(scan, file, position, wanted->sequence, error);
    scan->met = wanted->sequence;
    scan->met_at = (struct journal_position){file->number, position + block_padded(&scan->block)};
    scan->replayed_bytes += block_padded(&scan->block);
    scan->has_block = true;
    return true;
}
