#include "storage/journal_block.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { CAPACITY = 64 << 10 };

struct sample {
    uint8_t *at;
    size_t padded;
    struct journal_block header;
};

/* Two runs: shard 3 with two entries, shard 9 with one. */
static struct sample sample_make(void) {
    struct sample sample = {.at = memory_aligned(JOURNAL_ALIGNMENT, CAPACITY)};
    memset(sample.at, 0xee, CAPACITY); /* whatever the buffer held before */
    struct block_writer writer;
    block_begin(&writer, sample.at, CAPACITY);
    block_run(&writer, 3, 7, 100);
    memcpy(block_entry(&writer, ENTRY_BATCH, 11, 5), "hello", 5);
    block_entry(&writer, ENTRY_BATCH, 12, 0);
    block_mark_start(&writer, 1ll << 24);
    block_run(&writer, 9, 8, 200);
    memset(block_entry(&writer, ENTRY_LOG_START, 13, 8), 1, 8);
    sample.header = (struct journal_block){.salt = 1,
                                           .incarnation = 2,
                                           .sequence = 3,
                                           .acknowledged_through = 2,
                                           .released_through = 1,
                                           .time_ms = -5,
                                           .core = 6};
    sample.padded = block_finish(&writer, &sample.header);
    return sample;
}

Test(journal_block, round_trip) {
    struct sample sample = sample_make();
    cr_assert_eq(sample.padded, 4096);
    for (size_t at = sample.header.length; at < sample.padded; at++) cr_assert_eq(sample.at[at], 0);
    struct journal_block read;
    cr_assert(block_read(bytes_make(sample.at, sample.padded), &read));
    cr_assert_eq(read.salt, 1);
    cr_assert_eq(read.incarnation, 2);
    cr_assert_eq(read.sequence, 3);
    cr_assert_eq(read.acknowledged_through, 2);
    cr_assert_eq(read.released_through, 1);
    cr_assert_eq(read.time_ms, -5);
    cr_assert_eq(read.core, 6);
    cr_assert_eq(read.run_count, 2);
    cr_assert_eq(read.length, sample.header.length);
    cr_assert_eq(block_claimed_length(bytes_make(sample.at, JOURNAL_HEADER_BYTES)), read.length);

    struct block_cursor cursor;
    block_cursor_init(&cursor, bytes_make(sample.at, sample.padded), &read);
    cr_assert_eq(block_next(&cursor), 1);
    cr_assert_eq(cursor.entry.shard, 3);
    cr_assert_eq(cursor.entry.epoch, 7);
    cr_assert_eq(cursor.entry.shard_sequence, 100);
    cr_assert_eq(cursor.entry.partition, 11);
    cr_assert(bytes_equal(cursor.entry.payload, BYTES_OF("hello")));
    cr_assert(block_starts_at(&cursor.entry, 0) && block_starts_at(&cursor.entry, 77), "not said");
    cr_assert_eq(block_next(&cursor), 1);
    cr_assert_eq(cursor.entry.partition, 12);
    cr_assert_eq(cursor.entry.payload.len, 0);
    cr_assert(block_starts_at(&cursor.entry, 1ll << 24));
    cr_assert_not(block_starts_at(&cursor.entry, 0));
    cr_assert_not(block_starts_at(&cursor.entry, (1ll << 24) - 1));
    cr_assert_eq(block_next(&cursor), 1);
    cr_assert_eq(cursor.entry.shard, 9);
    cr_assert_eq(cursor.entry.kind, ENTRY_LOG_START);
    cr_assert_eq(block_next(&cursor), 0);
    free(sample.at);
}

Test(journal_block, every_truncation_and_flipped_bit_is_seen) {
    struct sample sample = sample_make();
    struct journal_block read;
    for (size_t len = 0; len < sample.header.length; len++)
        cr_assert_not(block_read(bytes_make(sample.at, len), &read), "%zu bytes", len);
    for (size_t bit = 0; bit < (size_t)sample.header.length * 8; bit++) {
        sample.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not(block_read(bytes_make(sample.at, sample.padded), &read), "bit %zu", bit);
        sample.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(sample.at);
}

Test(journal_block, the_room_that_is_promised_is_there) {
    uint8_t *buffer = memory_aligned(JOURNAL_ALIGNMENT, CAPACITY);
    struct random random;
    random_init(&random, 1);
    for (int round = 0; round < 200; round++) {
        struct block_writer writer;
        block_begin(&writer, buffer, (1 + random_below(&random, 16)) * JOURNAL_ALIGNMENT);
        size_t entries = 0, room;
        while ((room = block_room(&writer)) > 0) {
            size_t len = random_below(&random, 10) ? random_below(&random, room + 1) : room;
            block_run(&writer, (uint32_t)entries, 0, entries);
            memset(block_entry(&writer, ENTRY_BATCH, 1, len), 7, len);
            entries++;
        }
        struct journal_block header = {.sequence = 1}, read;
        size_t padded = block_finish(&writer, &header);
        cr_assert(padded <= writer.capacity);
        cr_assert(block_read(bytes_make(buffer, padded), &read));
        struct block_cursor cursor;
        block_cursor_init(&cursor, bytes_make(buffer, padded), &read);
        while (block_next(&cursor) == 1) entries--;
        cr_assert_eq(entries, 0);
    }
    free(buffer);
}

/* A CRC that holds says nothing about what a newer or broken writer put inside. */
Test(journal_block, a_cursor_stays_inside_a_malformed_block) {
    struct random random;
    random_init(&random, 2);
    for (int round = 0; round < 20000; round++) {
        struct sample sample = sample_make();
        size_t length = sample.header.length;
        uint8_t *exact = memory_new(length);
        memcpy(exact, sample.at, length);
        for (int times = 0; times < 3; times++)
            exact[JOURNAL_HEADER_BYTES + random_below(&random, length - JOURNAL_HEADER_BYTES)] =
                (uint8_t)random_below(&random, 256);
        struct journal_block header = sample.header;
        header.run_count = (uint32_t)random_below(&random, 5);
        struct block_cursor cursor;
        block_cursor_init(&cursor, bytes_make(exact, length), &header);
        while (block_next(&cursor) == 1)
            cr_assert(cursor.entry.payload.at + cursor.entry.payload.len <= exact + length);
        free(exact);
        free(sample.at);
    }
}
