/* Objects by name: put whole, read in ranges, removed, listed by the beginning of their names. That
 * is what a store of objects can do, and no more: nothing is appended or changed in place. Here
 * they are the files of a data directory (blob_file.c), or memory for tests (blob_memory.c); an
 * object store is a third set of calls.
 *
 *   put      all or nothing, durable when it has succeeded; a name that is there already gets its
 *            new content in one step. A crash before leaves what was there before.
 *   remove   need not be durable at once: a crash may bring the object back
 *   names    "FOLDER/NAME" as storage/layout.h makes them, of numbers, never of what a client chose
 *
 * Results are a count, or 0, or a negative errno: -ENOENT where there is no such object, -EFBIG
 * beyond BLOB_BYTES_MAX, -ENOSPC when there is no room.
 *
 * blobs_… block: for starts, workers and directories that no broker uses. blob_op_… are for loops,
 * after the rules of io/ring.h: the operation is embedded in its owner, zeroed at first, and lives
 * until its `done` ran, which is never inside the call that began it; name and content are the
 * owner's until then (the name is copied). */
#pragma once

#include "io/file.h"
#include "io/ring.h"

enum {
    BLOB_NAME_SIZE = 64,
    BLOB_BYTES_MAX = 1 << 30, /* of one object that is put, or read whole */
};

struct blobs;

/* An implementation's; each is called from any thread. */
struct blob_calls {
    int (*put)(struct blobs *blobs, const char *name, struct bytes content, bool more);
    int64_t (*size)(struct blobs *blobs, const char *name);
    int64_t (*read)(struct blobs *blobs, const char *name, void *into, size_t len,
                    uint64_t position);
    int (*remove)(struct blobs *blobs, const char *name);
    int (*list)(struct blobs *blobs, const char *prefix,
                int (*each)(void *context, const char *name), void *context);
    void (*free)(struct blobs *blobs);
};

struct blobs {
    const struct blob_calls *calls;
};

/* The files of a disk, in folders that are there; the disk stays its owner's. */
struct blobs *blobs_new_files(struct disk *disk);
struct blobs *blobs_new_memory(void);
void blobs_free(struct blobs *blobs);

int blobs_put(struct blobs *blobs, const char *name, struct bytes content);
int64_t blobs_size(struct blobs *blobs, const char *name);
/* Up to `len` bytes from `position` on: fewer only at the object's end. */
int64_t blobs_read(struct blobs *blobs, const char *name, void *into, size_t len,
                   uint64_t position);
/* All of it, as heap memory of the caller's. */
int blobs_read_whole(struct blobs *blobs, const char *name, uint8_t **at, size_t *len);
int blobs_remove(struct blobs *blobs, const char *name);
/* Calls back with the whole name of each object whose name begins so ("FOLDER/" or further), in any
 * order; stops at the first non-zero answer and returns it. `each` may remove objects. */
int blobs_list(struct blobs *blobs, const char *prefix,
               int (*each)(void *context, const char *name), void *context);

struct blob_op {
    void (*done)(struct blob_op *op); /* set by the owner before it begins */
    int64_t result;
    /* Inside, from begin to done */
    struct work work;
    struct blobs *blobs;
    char name[BLOB_NAME_SIZE];
    struct bytes content;
    bool more;
    void *into;
    size_t len;
    uint64_t position;
};

/* `more`: a put into the same folder follows, and until that one is durable this one need not be:
 * a crash in between leaves the old object or the new one. */
void blob_op_put(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name,
                 struct bytes content, bool more);
void blob_op_read(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name,
                  void *into, size_t len, uint64_t position);
void blob_op_remove(struct ring *ring, struct blob_op *op, struct blobs *blobs, const char *name);
