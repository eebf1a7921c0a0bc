/* Where things are in the data directory, and the sizes that the format fixes. Names are made of
 * numbers only. */
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    /* 1: the first. 2: snapshots say what is offline, where leader epochs began and how much of the
     * journals they contain. 3: … and where each segment lies. Every older format is read; a start
     * makes it the newest. */
    FORMAT_VERSION = 3,       /* written by this release */
    FORMAT_OLDEST_READER = 3, /* the oldest format whose readers understand what we write */
    LAYOUT_PATH_SIZE = 64,
};

/* The catalog's own partition: id 0 on shard 0. */
enum { CATALOG_PARTITION_ID = 0, CATALOG_SHARD = 0 };

#define LAYOUT_SUPERBLOCK "superblock"
#define LAYOUT_LOCK "lock"
#define LAYOUT_WRITE_ERRORS "write-errors"
#define LAYOUT_JOURNALS "journal"
#define LAYOUT_SEGMENTS "segments"
#define LAYOUT_SNAPSHOTS "snapshots"
#define LAYOUT_DAMAGED                                                         \
    "damaged" /* what could not be read, set aside; one folder per incarnation \
               */

static inline void layout_journal(char path[LAYOUT_PATH_SIZE], unsigned core, uint32_t number) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_JOURNALS "/%u-%08" PRIu32, core, number);
}
/* Revision 0 is what was appended, and has no third number; compaction makes the others. */
static inline void layout_segment(char path[LAYOUT_PATH_SIZE], uint32_t partition, uint32_t segment,
                                  uint32_t revision) {
    int len = snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_SEGMENTS "/%" PRIu32 "-%" PRIu32, partition,
                       segment);
    if (revision) snprintf(path + len, LAYOUT_PATH_SIZE - (size_t)len, "-%" PRIu32, revision);
}
static inline void layout_snapshot(char path[LAYOUT_PATH_SIZE], uint32_t shard) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_SNAPSHOTS "/%" PRIu32, shard);
}

/* The catalog's shard has its snapshot twice: without the catalog there is no start. */
static inline void layout_snapshot_copy(char path[LAYOUT_PATH_SIZE]) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_SNAPSHOTS "/%u-copy", CATALOG_SHARD);
}

static inline void layout_damaged(char path[LAYOUT_PATH_SIZE], uint64_t incarnation) {
    snprintf(path, LAYOUT_PATH_SIZE, LAYOUT_DAMAGED "/%" PRIu64, incarnation);
}

/* The numbers in a file's name (without its folder). False unless it is exactly the name that we
 * would give: "0-1.bak" and "0-01" are not ours. */
static inline bool layout_journal_parse(const char *name, uint32_t *core, uint32_t *number) {
    char again[LAYOUT_PATH_SIZE];
    if (sscanf(name, "%" SCNu32 "-%" SCNu32, core, number) != 2) return false;
    layout_journal(again, *core, *number);
    return strcmp(again + sizeof LAYOUT_JOURNALS, name) == 0;
}
static inline bool layout_segment_parse(const char *name, uint32_t *partition, uint32_t *segment,
                                        uint32_t *revision) {
    char again[LAYOUT_PATH_SIZE];
    *revision = 0;
    if (sscanf(name, "%" SCNu32 "-%" SCNu32 "-%" SCNu32, partition, segment, revision) < 2)
        return false;
    layout_segment(again, *partition, *segment, *revision);
    return strcmp(again + sizeof LAYOUT_SEGMENTS, name) == 0;
}
