/* A segment file of which the extent is known: loading its index takes the footer, or walks. The
 * first eight bytes say where the batches end; a second run has the footer's checksums made right.
 * Whatever the file holds, the index rises and stays inside the extent. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "io/sim.h"
#include "storage/segment.h"

enum { TRAILER_BYTES = 48 };

static void load(struct disk *disk, struct bytes content, uint64_t end) {
    struct file *file;
    struct segment segment = {.end = end, .next_offset = INT64_MAX};
    struct index index, again;
    if (content.len >= TRAILER_BYTES)
        segment.base_offset = load_i64(content.at + content.len - TRAILER_BYTES);
    check(file_open(disk, "x", FILE_READ | FILE_WRITE | FILE_CREATE, &file) == 0);
    check(file_truncate(file, 0) == 0);
    check(file_write_at(file, content.at, content.len, 0) == 0);
    segment_load_index(file, &segment, end, &index);
    uint8_t *bytes = memory_new(index_encoded_size(&index));
    index_encode(&index, bytes);
    check(index_decode(bytes_make(bytes, index_encoded_size(&index)), &again));
    check(again.count == index.count);
    index_deinit(&again);
    free(bytes);
    index_deinit(&index);
    file_close(file);
}

/* The footer as a writer would have sealed it: its place from the end of the batches. */
static void make_right(uint8_t *at, size_t size, uint64_t end) {
    uint64_t position = round_up(end, DISK_BLOCK);
    if (size < position + 8 + TRAILER_BYTES) return;
    size_t room = size - TRAILER_BYTES - position - 8, count = load_u32(at + position);
    if (count > room / INDEX_ENTRY_BYTES) count = room / INDEX_ENTRY_BYTES;
    store_u32(at + position, (uint32_t)count);
    store_u32(at + position + 4, crc32c(at + position + 8, count * INDEX_ENTRY_BYTES));
    uint8_t *trailer = at + size - TRAILER_BYTES;
    store_u64(trailer + 16, end);
    store_u64(trailer + 32, position);
    store_u32(trailer + 40, crc32c(trailer, 40));
    store_u32(trailer + 44, 0x4d525346);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct index index;
    if (index_decode(bytes_make(data, size), &index)) index_deinit(&index);
    if (size < 8) return 0;
    uint64_t end = SEGMENT_START + load_u64(data) % (1 << 20);
    struct sim *sim = sim_new(1);
    struct disk *disk = sim_disk_open(sim);
    struct bytes content = bytes_make(data + 8, size - 8);
    load(disk, content, end);
    uint8_t *copy = memory_new(content.len + 1);
    memcpy(copy, content.at, content.len);
    make_right(copy, content.len, end);
    load(disk, bytes_make(copy, content.len), end);
    free(copy);
    disk_close(disk);
    sim_free(sim);
    return 0;
}
