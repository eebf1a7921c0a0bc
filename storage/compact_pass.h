/* The reading and writing of one pass of compaction (storage/compact.h), for a worker: in slices,
 * so that it can be interrupted. Touches files and its own memory only; the owner looks at it
 * between slices. */
#pragma once

#include "storage/compact_batch.h"
#include "storage/compact_select.h"
#include "storage/compact_source.h"
#include "storage/compact_target.h"

struct compact_pass {
    /* What to do: set by the owner. */
    struct disk *disk;
    struct uuid cluster_id;
    uint32_t partition, index_interval;
    bool durable; /* sync what is written */
    uint64_t slice_bytes;
    int64_t first_dirty, end;
    struct compact_part *parts;
    size_t part_count;
    size_t at; /* the part that is read; at first the first dirty one */
    struct compact_map map;
    struct compact_reader reader;
    struct compact_filter filter; /* mapped_end is set by mapping */
    size_t group_first, group_count;

    /* How far it is */
    struct compact_source source;
    struct compact_target target;
    struct byte_buffer out;
    bool finished; /* with mapping, or with the group */
    bool dry;      /* nothing of the group has changed yet, so nothing is written */
    bool has_file; /* the target's file is there, and nobody else's */
    bool is_write; /* `result` is of a write */
    int result;    /* of the last slice: negative errno */
    uint64_t read_bytes, written_bytes;
};

void compact_pass_deinit(struct compact_pass *pass);
struct segment_identity compact_part_identity(const struct compact_pass *pass, size_t at);

/* One slice of mapping: the newest offsets of keys in the dirty parts, until all are done or the
 * map is full. */
void compact_pass_map(struct compact_pass *pass);
/* The group behind the last one; false when there is none, or none whose records are mapped. */
bool compact_pass_next_group(struct compact_pass *pass, int64_t segment_bytes);
bool compact_group_is_last(const struct compact_pass *pass);
/* One slice of rewriting the group. When it is finished: `dry` says that it stays as it is, else
 * `has_file` whether anything is left of it, which target.segment describes. */
void compact_pass_rewrite(struct compact_pass *pass);
/* Removes the target's file. */
void compact_pass_clear(struct compact_pass *pass);
