#include "perf/bare_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "perf/process.h"

enum {
    BLOCK_FULL = 1 << 20, /* no more joins a block that would pass this */
    BLOCK_ROOM = 4 << 20, /* one large request may be alone in a block */
    BLOCK_COUNT = 32,
    PAD = 4096,
    STEP = 64 << 20,
};

static void writer_create(struct bare_writer *writer) {
    char path[512];
    snprintf(path, sizeof path, "%s/bare.data", writer->directory);
    unlink(path);
    if (writer->fd >= 0) close(writer->fd);
    writer->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (writer->fd < 0) die("%s: %m", path);
    writer->position = writer->allocated = 0;
}

static void writer_prefill(struct bare_writer *writer) {
    uint8_t *zeros = memory_aligned(PAD, BLOCK_FULL);
    memset(zeros, 0, BLOCK_FULL);
    for (; writer->allocated < writer->file_bytes; writer->allocated += BLOCK_FULL)
        if (pwrite(writer->fd, zeros, BLOCK_FULL, (off_t)writer->allocated) != BLOCK_FULL)
            die("prefilling: %m");
    if (fsync(writer->fd) != 0) die("fsync: %m");
    free(zeros);
}

void bare_writer_open(struct bare_writer *writer, struct io_uring *ring, const char *directory,
                      enum bare_mode mode, int depth) {
    *writer = (struct bare_writer){
        .ring = ring, .directory = directory, .mode = mode, .fd = -1, .depth = depth};
    writer->file_bytes = mode == BARE_JOURNAL ? STEP : 1u << 30;
    list_init(&writer->free);
    list_init(&writer->flying);
    for (int at = 0; at < BLOCK_COUNT; at++) {
        struct bare_block *block = new_zero(struct bare_block);
        block->data = memory_aligned(PAD, BLOCK_ROOM);
        list_append(&writer->free, &block->node);
    }
    writer_create(writer);
    if (mode != BARE_SEGMENT) writer_prefill(writer);
}

uint8_t *bare_writer_reserve(struct bare_writer *writer, size_t len) {
    check(len <= BLOCK_ROOM);
    struct bare_block *block = writer->forming;
    if (block && block->len && block->len + len > BLOCK_FULL) return NULL;
    if (!block) {
        struct list *node = list_first(&writer->free);
        if (!node) return NULL;
        list_remove(node);
        block = writer->forming = list_entry(node, struct bare_block, node);
        block->len = block->acks.len = 0;
        block->done = false;
    }
    return block->data + block->len;
}

void bare_writer_commit(struct bare_writer *writer, size_t len, void *connection,
                        struct bytes answer) {
    struct bare_ack ack = {connection, answer.len};
    writer->forming->len += len;
    text_append(&writer->forming->acks, bytes_make(&ack, sizeof ack));
    text_append(&writer->forming->acks, answer);
}

/* The place for the next write; files are allocated ahead, or used again from their start. */
static uint64_t writer_place(struct bare_writer *writer, size_t len) {
    if (writer->position + len > writer->file_bytes) {
        if (writer->mode == BARE_SEGMENT) writer_create(writer);
        writer->position = 0;
    }
    while (writer->mode == BARE_SEGMENT && writer->position + len > writer->allocated) {
        if (fallocate(writer->fd, 0, (off_t)writer->allocated, STEP) != 0) die("fallocate: %m");
        writer->allocated += STEP;
    }
    writer->position += len;
    return writer->position - len;
}

void bare_writer_submit(struct bare_writer *writer, uint64_t tag) {
    struct bare_block *block = writer->forming;
    if (!block || !block->len || writer->flying_count >= writer->depth) return;
    /* A file is only left behind when nothing is on its way to it. */
    size_t len = (block->len + PAD - 1) & ~(size_t)(PAD - 1);
    bool turns = writer->mode == BARE_SEGMENT && writer->position + len > writer->file_bytes;
    if (turns && writer->flying_count) return;
    memset(block->data + block->len, 0, len - block->len);
    uint64_t place = writer_place(writer, len);
    struct io_uring_sqe *sqe = io_uring_get_sqe(writer->ring);
    check(sqe);
    io_uring_prep_write(sqe, writer->fd, block->data, (unsigned)len, place);
    sqe->rw_flags = RWF_DSYNC;
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)block | tag);
    list_append(&writer->flying, &block->node);
    writer->flying_count++;
    writer->forming = NULL;
    writer->written_blocks++;
    writer->written_bytes += len;
}

static void block_release(struct bare_block *block,
                          void (*release)(void *connection, struct bytes answer)) {
    for (size_t at = 0; at < block->acks.len;) {
        struct bare_ack ack;
        memcpy(&ack, block->acks.at + at, sizeof ack);
        release(ack.connection, bytes_make(block->acks.at + at + sizeof ack, ack.len));
        at += sizeof ack + ack.len;
    }
}

void bare_writer_complete(struct bare_writer *writer, struct bare_block *block, int result,
                          void (*release)(void *connection, struct bytes answer)) {
    if (result < (int)block->len) die("a durable write returned %d", result);
    block->done = true;
    writer->flying_count--;
    for (struct list *first; (first = list_first(&writer->flying));) {
        struct bare_block *oldest = list_entry(first, struct bare_block, node);
        if (!oldest->done) break;
        block_release(oldest, release);
        list_remove(first);
        list_prepend(&writer->free, first); /* the one that is warm in the cache */
    }
}
