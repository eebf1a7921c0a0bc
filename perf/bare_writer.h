/* The durable half of the bare program: blocks that fill with batches, up to `depth` of them being
 * written at a time with O_DIRECT and RWF_DSYNC, acknowledged in order. No timer: a block goes as
 * soon as there is a place for it among those in flight, and collects until then.
 *
 * BARE_JOURNAL   one 64 MiB file, written with zeros before, used round and round
 * BARE_WRITTEN   the same with 1 GiB: what a disk gives where every block has been written
 * BARE_SEGMENT   files of 1 GiB that are written once, each block allocated before it is needed, as
 *                the broker's segments are; those that are full are removed behind our back
 * BARE_TWICE     BARE_JOURNAL, and each block once more as BARE_SEGMENT writes it, which nobody
 * waits for but the block's memory: the bytes that a journal and segments cost */
#pragma once

#include <liburing.h>

#include "base/list.h"
#include "base/text.h"

enum bare_mode { BARE_JOURNAL, BARE_WRITTEN, BARE_SEGMENT, BARE_TWICE };

struct bare_block {
    struct list node; /* in writer->free, or in writer->flying in the order of submission */
    uint8_t *data;
    size_t len;
    unsigned writes; /* on their way */
    bool durable;
    struct text acks; /* for each request: struct bare_ack, then its answer */
};

/* An answer that leaves when its block is durable. */
struct bare_ack {
    void *connection;
    size_t len;
};

struct bare_file {
    int fd, number;
    uint64_t allocated;
    bool allocating;
};

/* Where blocks are written one behind the other. */
struct bare_stream {
    struct bare_file file, next; /* next.fd is -1 until this one is nearly full */
    uint64_t position, file_bytes;
    unsigned flying_count;
    bool once; /* files are left when they are full, not used again */
};

struct bare_writer {
    struct io_uring *ring;
    const char *directory;
    enum bare_mode mode;
    unsigned depth;
    struct bare_stream main, copy; /* copy: of BARE_TWICE */
    /* The low bits of the user data of our completions */
    uint64_t write_tag, copy_tag, allocate_tag;
    struct list free, flying;
    struct bare_block *forming;
    uint64_t written_bytes, written_blocks;
};

/* The caller has filled ring, directory, mode, depth and the tags. */
void bare_writer_open(struct bare_writer *writer);
/* Room for up to `len` bytes in the forming block, or NULL while every block is in flight. */
uint8_t *bare_writer_reserve(struct bare_writer *writer, size_t len);
/* What was written there, and the answer that waits for it. */
void bare_writer_commit(struct bare_writer *writer, size_t len, void *connection,
                        struct bytes answer);
/* Submits the forming block when there is a place; its completion carries the block. */
void bare_writer_submit(struct bare_writer *writer);
/* Takes the completion of an allocation, which carries the file. */
void bare_writer_allocated(struct bare_file *file, int result);
/* Takes the completion of a write; calls `release` for each answer that may leave now, in order. */
void bare_writer_complete(struct bare_writer *writer, struct bare_block *block, int result,
                          void (*release)(void *connection, struct bytes answer));
/* Takes the completion of a write with the copy's tag. */
void bare_writer_copied(struct bare_writer *writer, struct bare_block *block, int result);
