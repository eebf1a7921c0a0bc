/* Checks what callers must keep, forwards to the implementation, and lets workers do what a loop
 * must not wait for. */
#include "storage/blob.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"

/* Ours are made of numbers: anything else is a mistake, not input. */
static void name_check(const char *name) {
    size_t len = strlen(name);
    const char *slash = strchr(name, '/');
    check(len > 0 && len < BLOB_NAME_SIZE && slash && slash != name);
    check(!strstr(name, ".."));
}

void blobs_free(struct blobs *blobs) {
    if (blobs) blobs->calls->free(blobs);
}

static int put(struct blobs *blobs, const char *name, struct bytes content, bool more) {
    name_check(name);
    return content.len > BLOB_BYTES_MAX ? -EFBIG : blobs->calls->put(blobs, name, content, more);
}

int blobs_put(struct blobs *blobs, const char *name, struct bytes content) {
    return put(blobs, name, content, false);
}

int64_t blobs_size(struct blobs *blobs, const char *name) {
    name_check(name);
    return blobs->calls->size(blobs, name);
}

int64_t blobs_read(struct blobs *blobs, const char *name, void *into, size_t len,
                   uint64_t position) {
    name_check(name);
    int64_t got = blobs->calls->read(blobs, name, into, len, position);
    check(got <= (int64_t)len);
    return got;
}

int blobs_read_whole(struct blobs *blobs, const char *name, uint8_t **at, size_t *len) {
    *at = NULL;
    *len = 0;
    int64_t size = blobs_size(blobs, name);
    if (size > BLOB_BYTES_MAX) size = -EFBIG;
    if (size < 0) return (int)size;
    uint8_t *content = memory_new((size_t)size);
    int64_t got = blobs_read(blobs, name, content, (size_t)size, 0);
    if (got < 0) {
        free(content);
        return (int)got;
    }
    *at = content;
    *len = (size_t)got;
    return 0;
}

int blobs_remove(struct blobs *blobs, const char *name) {
    name_check(name);
    return blobs->calls->remove(blobs, name);
}

int blobs_list(struct blobs *blobs, const char *prefix,
               int (*each)(void *context, const char *name), void *context) {
    name_check(prefix);
    return blobs->calls->list(blobs, prefix, each, context);
}

/* --- without waiting --- */

static void op_run_put(struct work *work) {
    struct blob_op *op = container_of(work, struct blob_op, work);
    op->result = put(op->blobs, op->name, op->content, op->more);
}

static void op_run_read(struct work *work) {
    struct blob_op *op = container_of(work, struct blob_op, work);
    op->result = blobs_read(op->blobs, op->name, op->into, op->len, op->position);
}

static void op_run_remove(struct work *work) {
    struct blob_op *op = container_of(work, struct blob_op, work);
    op->result = blobs_remove(op->blobs, op->name);
}

static void op_done(struct work *work) {
    struct blob_op *op = container_of(work, struct blob_op, work);
    op->done(op);
}

static void op_begin(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name,
                     void (*run)(struct work *work)) {
    name_check(name);
    check(op->done);
    op->blobs = blobs;
    memcpy(op->name, name, strlen(name) + 1);
    op->work = (struct work){.run = run, .done = op_done};
    ring_work(ring, &op->work);
}

void blob_op_put(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name,
                 struct bytes content, bool more) {
    op->content = content;
    op->more = more;
    op_begin(ring, op, blobs, name, op_run_put);
}

void blob_op_read(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name,
                  void *into, size_t len, uint64_t position) {
    op->into = into;
    op->len = len;
    op->position = position;
    op_begin(ring, op, blobs, name, op_run_read);
}

void blob_op_remove(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name) {
    op_begin(ring, op, blobs, name, op_run_remove);
}
