/* The file `write-errors`, whatever is in it: it refuses a start only with so many lines that a
 * process may have left, the refusal is one text, and removing the file ends it. */
#include <string.h>

#include "base/check.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/write_errors.h"

enum { NOW_BYTES = 8 };

static void put(struct disk *disk, struct bytes content) {
    struct file *file;
    check(file_open(disk, LAYOUT_WRITE_ERRORS, FILE_WRITE | FILE_CREATE, &file) == 0);
    check(content.len == 0 || file_write_at(file, content.at, content.len, 0) == 0);
    file_close(file);
}

static unsigned count_lines(struct bytes content) {
    unsigned count = content.len > 0;
    for (size_t at = 0; at < content.len; at++) count += content.at[at] == '\n';
    return count;
}

/* The first eight bytes are the clock: any time that a clock may show. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < NOW_BYTES || size > 2 * WRITE_ERRORS_BYTES) return 0;
    int64_t now_ms = (int64_t)(load_u64(data) % (1ull << 48));
    struct bytes content = bytes_make(data + NOW_BYTES, size - NOW_BYTES);
    struct error error = {0};
    struct sim *sim = sim_new(1);
    struct disk *disk = sim_disk_open(sim);
    check(write_errors_allow(disk, now_ms, &error));
    put(disk, content);
    if (!write_errors_allow(disk, now_ms, &error)) {
        check(count_lines(content) >= WRITE_ERRORS_MAX && strstr(error.text, "write errors"));
    }
    struct file *file = write_errors_open(disk);
    check(file && file_size(file) < WRITE_ERRORS_BYTES);
    write_errors_close(file);
    check(disk_unlink(disk, LAYOUT_WRITE_ERRORS) == 0);
    check(write_errors_allow(disk, now_ms, &error));
    disk_close(disk);
    sim_free(sim);
    return 0;
}
