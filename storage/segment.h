/* One segment of a partition's log: a file that begins with a 4 KiB header block, then batches from
 * SEGMENT_START on, and once sealed a footer with its index: the same bytes will be an object in a
 * store. Which bytes count comes from the extent kept here and in snapshots, never from the file.
 *
 *   header    magic 8 | crc32c 4 of the rest of the block's first 80 bytes | version 4 |
 *             cluster id 16 | topic-independent partition id 4 | segment 4 | base offset 8 | zeros
 *   batches   [SEGMENT_START, end), whole, byte-exact
 *   zeros     to a multiple of 4096 (sealing alone pads)
 *   footer    index (storage/index.h) | zeros to a multiple of 4096, whose last 48 bytes are the
 *             trailer: base offset 8, next offset 8, end 8, largest timestamp 8, footer position 8,
 *             crc32c of those 4, magic 4
 *
 * The file is allocated ahead in steps and never grown by writes. A crash leaves bytes past the
 * settled end that nothing refers to; they are written again. */
#pragma once

#include "base/uuid.h"
#include "io/file.h"
#include "storage/index.h"
#include "storage/place.h"

enum {
    SEGMENT_START = 4096,
    SEGMENT_STEP_MIN = 1 << 20,
    SEGMENT_STEP_MAX = 64 << 20,
};

/* Shared by the owner and by cold reads on workers. */
struct segment_file {
    struct file *write; /* direct */
    struct file *read;  /* buffered; NULL until first used */
    uint64_t allocated;
    uint32_t references; /* touched on the core's thread only */
    bool unsynced;       /* written since the last sync */
};

struct segment {
    uint32_t number;
    int64_t base_offset, next_offset;
    uint64_t end;                 /* position after the last batch */
    int64_t timestamp_max;        /* -1 when empty */
    int64_t timestamp_max_offset; /* base offset of the batch that has it */
    int64_t created_ms;           /* when its first batch was appended */
    bool sealed;                  /* rolled, settled, footer written */
    struct segment_file *file;    /* NULL until first write-out or read */
    struct index *index;          /* NULL when not loaded */
    bool index_whole; /* it begins at SEGMENT_START; else further on (after a restart) */
};

struct segment_identity {
    struct uuid cluster_id;
    uint32_t partition, segment;
    int64_t base_offset;
};

/* Blocking (worker or start-up): creates or opens for writing with at least `size` allocated;
 * header durable, directory synced. */
int segment_create(struct disk *disk, const struct segment_identity *identity, uint64_t size,
                   struct segment_file **file);
/* Blocking: allocates more. */
int segment_extend(struct segment_file *file, uint64_t size);
/* Blocking: opens for reading, after checking the header. -EBADMSG when it is another's. */
int segment_open_read(struct disk *disk, const struct segment_identity *identity,
                      struct file **file);
void segment_file_pin(struct segment_file *file);
void segment_file_release(struct segment_file *file);

/* The footer for a segment whose batches end at `end`: heap memory aligned for direct writes, its
 * place and size. */
uint8_t *segment_footer(const struct segment *segment, uint64_t *position, size_t *size);
/* Blocking: the index from the footer, or by walking [SEGMENT_START, end) when there is none or it
 * is in doubt. Negative errno when the walk meets damage (-EBADMSG) or a read error. */
int segment_load_index(struct file *file, const struct segment *segment, struct index *index);
