#include "storage/write_errors.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"

struct tally {
    unsigned count;
    int64_t newest_ms;
    struct bytes newest; /* what it says */
};

static void tally_line(struct tally *tally, struct bytes line, int64_t now_ms) {
    char *rest;
    char text[32] = {0};
    memcpy(text, line.at, line.len < sizeof text - 1 ? line.len : sizeof text - 1);
    int64_t at_ms = strtoll(text, &rest, 10), window_ms = WRITE_ERRORS_WITHIN_S * 1000;
    size_t skip = (size_t)(rest - text) + 1;
    if (rest == text || *rest != ' ' || skip >= line.len) return;
    /* A clock that was set back makes them young, not for ever. */
    if (at_ms <= now_ms - window_ms || at_ms >= now_ms + window_ms) return;
    tally->count++;
    tally->newest_ms = at_ms;
    tally->newest = bytes_make(line.at + skip, line.len - skip);
}

static void tally_all(struct tally *tally, struct bytes rest, int64_t now_ms) {
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.at, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.at) : rest.len;
        tally_line(tally, bytes_make(rest.at, len), now_ms);
        size_t skip = end ? len + 1 : len;
        rest = bytes_make(rest.at + skip, rest.len - skip);
    }
}

bool write_errors_allow(struct disk *disk, int64_t now_ms, struct error *error) {
    uint8_t *at = NULL;
    size_t len = 0;
    if (disk_read_file(disk, LAYOUT_WRITE_ERRORS, WRITE_ERRORS_BYTES, &at, &len) < 0) return true;
    struct tally tally = {0};
    tally_all(&tally, bytes_make(at, len), now_ms);
    bool allowed = tally.count < WRITE_ERRORS_MAX;
    if (!allowed)
        error_set(error, 0,
                  "not started: write errors have stopped %u processes here within %d minutes, the "
                  "newest %lld s ago (%.*s); check the disk, then remove %s/%s to start at once",
                  tally.count, WRITE_ERRORS_WITHIN_S / 60,
                  (long long)(now_ms - tally.newest_ms) / 1000,
                  (int)(tally.newest.len < 64 ? tally.newest.len : 64),
                  (const char *)tally.newest.at, disk_root(disk), LAYOUT_WRITE_ERRORS);
    free(at);
    return allowed;
}

struct file *write_errors_open(struct disk *disk) {
    struct file *file;
    if (file_open(disk, LAYOUT_WRITE_ERRORS, FILE_READ | FILE_WRITE | FILE_CREATE, &file) < 0)
        return NULL; /* a guard that is missing keeps nobody from starting */
    if (file_size(file) >= WRITE_ERRORS_BYTES) file_truncate(file, 0);
    fail_stop_note_into(file_descriptor(file));
    return file;
}

void write_errors_close(struct file *file) {
    if (!file) return;
    fail_stop_note_into(-1);
    file_close(file);
}
