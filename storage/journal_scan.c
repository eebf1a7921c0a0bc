#include "storage/journal_scan.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"

enum { LOOK_AHEAD_BYTES = (JOURNAL_IN_FLIGHT_MAX + 1) * JOURNAL_BLOCK_MAX };

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

/* Reads the block at `position` into the scan's buffer. 1 = a block of ours, 0 = none there,
 * negative errno = the disk said no. */
static int scan_block(struct journal_scan *scan, const struct scanned_file *file, uint64_t position,
                      struct journal_block *block) {
    if (position + JOURNAL_ALIGNMENT > file->size) return 0;
    int64_t got = file_read_at(file->file, scan->buffer, JOURNAL_ALIGNMENT, position);
    if (got < 0) return (int)got;
    size_t length = block_claimed_length(bytes_make(scan->buffer, (size_t)got));
    if (length == 0 || position + length > file->size) return 0;
    if (length > (size_t)got) {
        size_t rest = round_up(length, JOURNAL_ALIGNMENT) - JOURNAL_ALIGNMENT;
        got = file_read_at(file->file, scan->buffer + JOURNAL_ALIGNMENT, rest,
                           position + JOURNAL_ALIGNMENT);
        if (got < 0) return (int)got;
        if ((size_t)got + JOURNAL_ALIGNMENT < length) return 0;
    }
    return block_read(bytes_make(scan->buffer, length), block) &&
           block->salt == scan->directory->salt && block->core == scan->core;
}

static uint64_t block_padded(const struct journal_block *block) {
    return round_up(block->length, JOURNAL_ALIGNMENT);
}

/* Walks one file's blocks from its start as far as they follow each other. */
static bool scan_file(struct journal_scan *scan, struct scanned_file *file,
                      struct journal_block *newest, struct error *error) {
    struct journal_block block, last = {0};
    for (;;) {
        int result = scan_block(scan, file, file->end, &block);
        if (result < 0) return scan_error(scan, file, "read", result, error);
        bool follows = file->first == 0 || (block.sequence == last.sequence + 1 &&
                                            block.incarnation >= last.incarnation);
        if (result == 0 || !follows) break;
        if (file->first == 0) file->first = block.sequence;
        file->last = block.sequence;
        file->end += block_padded(&block);
        last = block;
    }
    if (file->first && last.sequence > newest->sequence) *newest = last;
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
                     "%s/%s is damaged at position %llu: block %llu was acknowledged and cannot be "
                     "read. Nothing was changed; restore this directory from a backup",
                     disk_root(scan->directory->disk), path, (unsigned long long)position,
                     (unsigned long long)sequence);
}

/* Zeros [from, upto), which was never acknowledged. */
static bool scan_clear(struct journal_scan *scan, struct scanned_file *file, uint64_t from,
                       uint64_t upto, struct error *error) {
    if (upto == from) return true;
    uint8_t *zeros = memory_aligned(JOURNAL_ALIGNMENT, upto - from);
    memset(zeros, 0, upto - from);
    int result = file_write_at(file->file, zeros, upto - from, from);
    free(zeros);
    if (result == 0) result = file_sync(file->file);
    return result == 0 || scan_error(scan, file, "clear the torn tail of", result, error);
}

/* A block that lies behind the chain's end: damage, or never acknowledged (then *clear_upto grows).
 */
static bool scan_stray(struct journal_scan *scan, const struct scanned_file *chain_end,
                       const struct scanned_file *file, uint64_t at, uint64_t *clear_upto,
                       struct error *error) {
    struct journal_block block;
    int result = scan_block(scan, file, at, &block);
    if (result < 0) return scan_error(scan, file, "read", result, error);
    if (result == 0 || block.sequence <= scan->last_sequence ||
        block.incarnation < scan->last_incarnation)
        return true;
    if (block.acknowledged_through > scan->last_sequence)
        return scan_damaged(scan, chain_end, chain_end->end, scan->last_sequence + 1, error);
    *clear_upto = at + block_padded(&block);
    scan->torn_blocks++;
    return true;
}

/* Looks at what lies behind the end of the chain in this file, from `position` on. */
static bool scan_behind(struct journal_scan *scan, const struct scanned_file *chain_end,
                        struct scanned_file *file, uint64_t position, struct error *error) {
    uint64_t limit = position + LOOK_AHEAD_BYTES, clear_upto = position;
    if (limit > file->size) limit = file->size;
    uint8_t *window = memory_aligned(JOURNAL_ALIGNMENT, LOOK_AHEAD_BYTES);
    int64_t got =
        position < limit ? file_read_at(file->file, window, limit - position, position) : 0;
    bool fine = got >= 0 || scan_error(scan, file, "read", (int)got, error);
    for (int64_t at = 0; fine && at + JOURNAL_ALIGNMENT <= got; at += JOURNAL_ALIGNMENT)
        if (block_claimed_length(bytes_make(window + at, JOURNAL_ALIGNMENT)))
            fine = scan_stray(scan, chain_end, file, position + (uint64_t)at, &clear_upto, error);
    free(window);
    return fine && scan_clear(scan, file, position, clear_upto, error);
}

/* Finds the contiguous chain after released_through; files behind a gap were never acknowledged. */
static bool scan_chain(struct journal_scan *scan, struct error *error) {
    struct scanned_file *last = NULL;
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *file = &scan->files[at];
        if (file->first == 0 || file->last <= scan->released_through) continue;
        if (!last && file->first > scan->released_through + 1)
            return scan_damaged(scan, file, 0, scan->released_through + 1, error);
        if (last && file->first != last->last + 1) break;
        file->needed = true;
        last = file;
        scan->last_sequence = file->last;
    }
    if (!last) return true;
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *file = &scan->files[at];
        bool behind_gap = !file->needed && file->first > scan->last_sequence;
        if (file != last && !behind_gap && file->first != 0) continue;
        if (!scan_behind(scan, last, file, file == last ? file->end : 0, error)) return false;
        if (behind_gap) file->first = file->last = file->end = 0;
    }
    return true;
}

bool journal_scan_open(struct journal_scan *scan, struct data_directory *directory, unsigned core,
                       const uint32_t *numbers, unsigned count, struct error *error) {
    *scan = (struct journal_scan){.directory = directory, .core = core};
    scan->buffer = memory_aligned(JOURNAL_ALIGNMENT, JOURNAL_BLOCK_MAX);
    struct journal_block newest = {0};
    if (count > JOURNAL_FILES_MAX)
        return error_set(error, 0, "journal %u has %u files, more than %d: not ours", core, count,
                         JOURNAL_FILES_MAX);
    for (unsigned at = 0; at < count; at++) {
        if (!scan_open_file(scan, numbers[at], error)) return false;
        if (!scan_file(scan, &scan->files[at], &newest, error)) return false;
    }
    scan_sort(scan);
    scan->released_through = newest.released_through;
    scan->last_incarnation = newest.incarnation;
    scan->last_sequence = newest.sequence;
    if (!scan_chain(scan, error)) return false;
    if (scan->torn_blocks)
        say_info(
            "journal %u: a torn tail after block %llu: %llu blocks that were never "
            "acknowledged were cleared",
            core, (unsigned long long)scan->last_sequence, (unsigned long long)scan->torn_blocks);
    return true;
}

void journal_scan_close(struct journal_scan *scan) {
    for (unsigned at = 0; at < scan->file_count; at++)
        if (scan->files[at].file) file_close(scan->files[at].file);
    free(scan->buffer);
    *scan = (struct journal_scan){0};
}

void journal_scan_rewind(struct journal_scan *scan) {
    scan->at_file = 0;
    scan->at_position = 0;
    scan->has_block = false;
}

bool journal_scan_next(struct journal_scan *scan, struct error *error) {
    scan->has_block = false;
    while (scan->at_file < scan->file_count) {
        struct scanned_file *file = &scan->files[scan->at_file];
        if (!file->needed || scan->at_position >= file->end) {
            scan->at_file++;
            scan->at_position = 0;
            continue;
        }
        int result = scan_block(scan, file, scan->at_position, &scan->block);
        if (result < 0) return scan_error(scan, file, "read", result, error);
        if (result == 0)
            return scan_damaged(scan, file, scan->at_position, scan->block.sequence + 1, error);
        scan->at_position += block_padded(&scan->block);
        scan->has_block = true;
        return true;
    }
    return true;
}
