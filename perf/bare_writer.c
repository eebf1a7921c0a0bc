#include "perf/bare_writer.h"

#include <fcntl.h>
#include <pthread.h>
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
    AHEAD = 2 * STEP,
    FILE_BYTES = 1 << 30,
    COPIES_MAX = 8,        /* as many write-outs as the broker has on their way */
    COPIES_FROM = 1 << 20, /* the numbers of their files */
};

static void file_path(const struct bare_writer *writer, int number, char path[512]) {
    snprintf(path, 512, "%s/bare.%d", writer->directory, number);
}

static struct bare_file file_create(const struct bare_writer *writer, int number) {
    char path[512];
    file_path(writer, number, path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0) die("%s: %m", path);
    return (struct bare_file){.fd = fd, .number = number};
}

static void file_prefill(struct bare_file *file, uint64_t size) {
    uint8_t *zeros = memory_aligned(PAD, BLOCK_FULL);
    memset(zeros, 0, BLOCK_FULL);
    for (; file->allocated < size; file->allocated += BLOCK_FULL)
        if (pwrite(file->fd, zeros, BLOCK_FULL, (off_t)file->allocated) != BLOCK_FULL)
            die("prefilling: %m");
    if (fsync(file->fd) != 0) die("fsync: %m");
    free(zeros);
}

static void stream_open(const struct bare_writer *writer, struct bare_stream *stream, int number) {
    stream->file = file_create(writer, number);
    stream->next.fd = -1;
    if (!stream->once) file_prefill(&stream->file, stream->file_bytes);
}

static bool writer_copies(const struct bare_writer *writer) { return writer->mode == BARE_TWICE; }

void bare_writer_open(struct bare_writer *writer) {
    bool small = writer->mode == BARE_JOURNAL || writer_copies(writer);
    writer->main.file_bytes = small ? STEP : FILE_BYTES;
    writer->main.once = writer->mode == BARE_SEGMENT;
    writer->copy = (struct bare_stream){.file_bytes = FILE_BYTES, .once = writer_copies(writer)};
    list_init(&writer->free);
    list_init(&writer->flying);
    for (int at = 0; at < BLOCK_COUNT; at++) {
        struct bare_block *block = new_zero(struct bare_block);
        block->data = memory_aligned(PAD, BLOCK_ROOM);
        list_append(&writer->free, &block->node);
    }
    stream_open(writer, &writer->main, 0);
    if (writer_copies(writer)) stream_open(writer, &writer->copy, COPIES_FROM);
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
        block->durable = false;
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

static void *close_slowly(void *fd) {
    close((int)(intptr_t)fd);
    return NULL;
}

/* Giving a gigabyte back takes the file system a while: another thread waits for it. */
static void file_remove(const struct bare_writer *writer, const struct bare_file *file) {
    char path[512];
    pthread_t thread;
    file_path(writer, file->number, path);
    unlink(path);
    check(pthread_create(&thread, NULL, close_slowly, (void *)(intptr_t)file->fd) == 0);
    pthread_detach(thread);
}

static void file_allocate_more(struct bare_writer *writer, struct bare_file *file) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(writer->ring);
    check(sqe);
    io_uring_prep_fallocate(sqe, file->fd, 0, (off_t)file->allocated, STEP);
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)file | writer->allocate_tag);
    file->allocating = true;
}

void bare_writer_allocated(struct bare_file *file, int result) {
    if (result < 0) die("fallocate returned %d", result);
    file->allocating = false;
    file->allocated += STEP;
}

/* Keeps a step allocated in front of the writes, in the next file when this one ends. */
static void stream_look_ahead(struct bare_writer *writer, struct bare_stream *stream) {
    if (!stream->once) return;
    uint64_t wanted = stream->position + AHEAD;
    struct bare_file *file = &stream->file;
    if (wanted > file->allocated && file->allocated < stream->file_bytes && !file->allocating)
        file_allocate_more(writer, file);
    if (wanted <= stream->file_bytes || file->allocating) return;
    if (stream->next.fd < 0) stream->next = file_create(writer, file->number + 1);
    if (stream->next.allocated < AHEAD && !stream->next.allocating)
        file_allocate_more(writer, &stream->next);
}

/* Files are used again from their start, or left for the next one. False while what is needed is
 * not allocated, or the old file still has writes on their way. */
static bool stream_has_place(struct bare_writer *writer, struct bare_stream *stream, size_t len) {
    if (stream->position + len > stream->file_bytes) {
        if (stream->once) {
            if (stream->next.fd < 0 || stream->next.allocating || stream->flying_count)
                return false;
            file_remove(writer, &stream->file);
            stream->file = stream->next;
            stream->next.fd = -1;
        }
        stream->position = 0;
    }
    return stream->position + len <= stream->file.allocated;
}

static void stream_write(struct bare_writer *writer, struct bare_stream *stream,
                         struct bare_block *block, int flags, uint64_t tag) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(writer->ring);
    check(sqe);
    io_uring_prep_write(sqe, stream->file.fd, block->data, (unsigned)block->len, stream->position);
    sqe->rw_flags = flags;
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)block | tag);
    stream->position += block->len;
    stream->flying_count++;
    block->writes++;
    writer->written_bytes += block->len;
}

/* Both places, or it waits: so the copies hold the answers up as the broker's write-outs do. */
static bool writer_has_place(struct bare_writer *writer, size_t len) {
    if (writer->main.flying_count >= writer->depth) return false;
    if (!stream_has_place(writer, &writer->main, len)) return false;
    return !writer_copies(writer) ||
           (writer->copy.flying_count < COPIES_MAX && stream_has_place(writer, &writer->copy, len));
}

void bare_writer_submit(struct bare_writer *writer) {
    struct bare_block *block = writer->forming;
    stream_look_ahead(writer, &writer->main);
    stream_look_ahead(writer, &writer->copy);
    if (!block || !block->len) return;
    size_t len = (block->len + PAD - 1) & ~(size_t)(PAD - 1);
    if (!writer_has_place(writer, len)) return;
    memset(block->data + block->len, 0, len - block->len);
    block->len = len;
    stream_write(writer, &writer->main, block, RWF_DSYNC, writer->write_tag);
    if (writer_copies(writer)) stream_write(writer, &writer->copy, block, 0, writer->copy_tag);
    list_append(&writer->flying, &block->node);
    writer->forming = NULL;
    writer->written_blocks++;
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

/* The one that is warm in the cache is the next. */
static void block_give_back(struct bare_writer *writer, struct bare_block *block) {
    if (block->writes == 0 && !list_is_linked(&block->node))
        list_prepend(&writer->free, &block->node);
}

static void block_written(struct bare_stream *stream, struct bare_block *block, int result) {
    if (result < (int)block->len) die("a write returned %d", result);
    stream->flying_count--;
    block->writes--;
}

void bare_writer_complete(struct bare_writer *writer, struct bare_block *block, int result,
                          void (*release)(void *connection, struct bytes answer)) {
    block_written(&writer->main, block, result);
    block->durable = true;
    for (struct list *first; (first = list_first(&writer->flying));) {
        struct bare_block *oldest = list_entry(first, struct bare_block, node);
        if (!oldest->durable) break;
        block_release(oldest, release);
        list_remove(first);
        block_give_back(writer, oldest);
    }
}

void bare_writer_copied(struct bare_writer *writer, struct bare_block *block, int result) {
    block_written(&writer->copy, block, result);
    block_give_back(writer, block);
}
