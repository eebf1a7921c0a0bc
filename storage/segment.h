/* One segment of a partition's log: a file that begins with a 4 KiB header block, then batches from
 * SEGMENT_START on, and once sealed a footer with its index: the same bytes will be an object in a
 * store. Which bytes count comes from the extent kept here and in snapshots, never from the file.
 *
 *   header    magic 8 | crc32c 4 of the rest of the block's first 80 bytes | version 4 |
 *             cluster id 16 | topic-independent partition id 4 | segment 4 | base offset 8 |
 *             revision 4 | zeros
 *   batches   [SEGMENT_START, end), whole, byte-exact
 *   zeros     to a multiple of 4096 (sealing alone pads)
 *   footer    index (storage/index.h) | zeros to a multiple of 4096, whose last 48 bytes are the
 *             trailer: base offset 8, next offset 8, end 8, largest timestamp 8, footer position 8,
 *             crc32c of those 4, magic 4
 *
 * The file is allocated ahead in steps and never grown by writes. A crash leaves bytes past the
 * settled end that nothing refers to; they are written again. */
#pragma once

#include "base/list.h"
#include "base/uuid.h"
#include "io/file.h"
#include "storage/index.h"
#include "storage/place.h"

enum {
    SEGMENT_START = 4096,
    SEGMENT_STEP_MIN = 1 << 20,
    SEGMENT_STEP_MAX = 64 << 20,
};

/* The open handles of a core's segment files, the least recently used first: bounded, because a
 * process has few descriptors and a broker many segments. */
struct segment_handles {
    struct list used;
    unsigned open, open_max;
    uint64_t numbers; /* given so far */
};

/* Shared by the owner and by writes and cold reads on their way, which pin it. Handles that nobody
 * pins may be closed and are opened again when needed. */
struct segment_file {
    uint64_t number;    /* of this file among all that the core has used; 0 = not used yet */
    struct file *write; /* direct; NULL once sealed, or while not needed */
    struct file *read;  /* buffered; NULL until first used */
    uint64_t allocated;
    uint32_t references; /* touched on the core's thread only */
    bool unsynced;       /* written since the last sync */
    bool awaited;        /* opened for a write that has not begun: stays open until it has */
    bool orphan;         /* its segment is gone: every reference left is a use of its handles */
    struct segment_handles *handles; /* that count it; NULL: none */
    struct list used;
    unsigned counted;
};

struct segment {
    uint32_t number;   /* rising; compaction leaves gaps */
    uint32_t revision; /* 0 as appended; compaction replaces a segment by one with a higher one */
    int64_t base_offset, next_offset;
    uint64_t end;                 /* position after the last batch */
    int64_t timestamp_max;        /* -1 when empty */
    int64_t timestamp_max_offset; /* base offset of the batch that has it */
    int64_t durable_timestamp_max, durable_timestamp_max_offset; /* the same of what is durable */
    int64_t created_ms;        /* when its first batch was appended */
    bool sealed;               /* rolled, settled, footer written */
    uint8_t place;             /* where it lies: 0 = a file of this directory */
    struct segment_file *file; /* NULL until first write-out or read */
    struct index *index;       /* NULL when not loaded */
    uint32_t index_interval;   /* index_interval() of the topic's */
    bool index_whole;          /* it begins at SEGMENT_START; else further on (after a restart) */
};

/* A segment's place in the table and which of its revisions. */
struct segment_name {
    uint32_t number, revision;
};

struct segment_identity {
    struct uuid cluster_id;
    uint32_t partition, segment;
    int64_t base_offset;
    uint32_t revision;
};

/* Blocking (worker or start-up): creates or opens for writing with at least `size` allocated;
 * header durable, directory synced. What a file that is there has behind its header stays. */
int segment_create(struct disk *disk, const struct segment_identity *identity, uint64_t size,
                   struct segment_file **file);
/* The same with nothing durable yet: the caller syncs the file, and LAYOUT_SEGMENTS, before
 * anything names it. */
int segment_create_unsynced(struct disk *disk, const struct segment_identity *identity,
                            uint64_t size, struct segment_file **file);
/* Blocking: allocates more. */
int segment_extend(struct segment_file *file, uint64_t size);
/* Blocking: opens for reading, after checking the header. -EBADMSG when it is another's. */
int segment_open_read(struct disk *disk, const struct segment_identity *identity,
                      struct file **file);
/* The same in two steps, so that the headers of many files are read from the disk at once. A file
 * that is not the segment's is closed. */
int segment_open_ahead(struct disk *disk, const struct segment_identity *identity,
                       struct file **file);
int segment_open_check(const struct segment_identity *identity, struct file **file);
/* Blocking: who a file of this name says that it is, by its header. -ENOENT, -EBADMSG (damaged),
 * another errno. */
int segment_identify(struct disk *disk, uint32_t partition, uint32_t segment, uint32_t revision,
                     struct segment_identity *identity);
/* Without handles, one reference. */
struct segment_file *segment_file_new(void);
void segment_file_pin(struct segment_file *file);
void segment_file_release(struct segment_file *file);
/* The segment's own reference ends. Who still reads, writes or syncs it keeps the handles open. */
void segment_file_abandon(struct segment_file *file);
/* Nothing is written there any more: closes that handle unless somebody pins the file. */
void segment_file_close_write(struct segment_file *file);
/* It is in use, or was opened: counts its handles, and closes those of others beyond the limit. */
void segment_file_used(struct segment_file *file, struct segment_handles *handles);
/* Closes what nobody pins or awaits and needs no sync, oldest first, while too many are open. */
void segment_handles_trim(struct segment_handles *handles);

/* The footer for a segment whose batches end at `end`: heap memory aligned for direct writes, its
 * place and size. */
uint8_t *segment_footer(const struct segment *segment, uint64_t *position, size_t *size);
/* Blocking: the footer's index, where there is a footer that belongs to exactly this extent. */
bool segment_load_footer(struct file *file, const struct segment *segment, struct index *index);
/* Blocking: the index from the footer, or by a walk (storage/segment_walk.h) when there is none or
 * it is in doubt: of the batches that begin below `upto`. True when it is the footer's. */
bool segment_load_index(struct file *file, const struct segment *segment, uint64_t upto,
                        struct index *index);
