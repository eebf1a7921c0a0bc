/* Where things are in the data directory, and the sizes that the format fixes. Names are made of
 * numbers only. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

enum {
    FORMAT_VERSION = 1,       /* written by this release */
    FORMAT_OLDEST_READER = 1, /* the oldest release that can read what we write */
    LAYOUT_PATH_SIZE = 64,
};

#define LAYOUT_SUPERBLOCK "superblock"
#define LAYOUT_LOCK "lock"
#define LAYOUT_JOURNALS "journal"
#define LAYOUT_SEGMENTS "segments"
#define LAYOUT_SNAPSHOTS "snapshots"

static inline void layout_journal(char path[LAYOUT_PATH_SIZE], unsigned core, uint32_t number) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_JOURNALS "/%u-%08" PRIu32, core, number);
}
static inline void layout_segment(char path[LAYOUT_PATH_SIZE], uint32_t partition,
                                  uint32_t segment) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_SEGMENTS "/%" PRIu32 "-%" PRIu32, partition, segment);
}
static inline void layout_snapshot(char path[LAYOUT_PATH_SIZE], uint32_t shard) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_SNAPSHOTS "/%" PRIu32, shard);
}
