#include "storage/remove.h"

#include <errno.h>

#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"

struct removal {
    struct blob_op op;
    struct store *store;
    uint32_t partition;
    size_t count, next;
    struct segment_name removed[];
};

static void removal_go_on(struct removal *removal) {
    struct store *store = removal->store;
    if (removal->next == removal->count) {
        store->flows--;
        free(removal);
        return;
    }
    const struct segment_name *name = &removal->removed[removal->next++];
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, removal->partition, name->number, name->revision);
    blob_op_remove(store->ring, &removal->op, store->directory->blobs, path);
}

static void removal_done(struct blob_op *op) {
    if (op->result < 0 && op->result != -ENOENT)
        say_warning("cannot remove %s: %s; it is not needed any more", op->name,
                    strerror((int)-op->result));
    removal_go_on(container_of(op, struct removal, op));
}

static struct removal *removal_new(struct store *store, uint32_t partition, size_t count) {
    struct removal *removal = memory_zero(1, sizeof *removal + count * sizeof(struct segment_name));
    removal->op.done = removal_done;
    removal->store = store;
    removal->partition = partition;
    removal->count = count;
    return removal;
}

static void removal_start(struct removal *removal) {
    removal->store->flows++;
    removal_go_on(removal);
}

void remove_segments(struct store *store, uint32_t partition, const struct segment *segments,
                     size_t count) {
    if (count == 0) return;
    struct removal *removal = removal_new(store, partition, count);
    for (size_t at = 0; at < count; at++)
        removal->removed[at] = (struct segment_name){segments[at].number, segments[at].revision};
    removal_start(removal);
}

void remove_segment(struct store *store, const struct segment_identity *identity) {
    struct removal *removal = removal_new(store, identity->partition, 1);
    removal->removed[0] = (struct segment_name){identity->segment, identity->revision};
    removal_start(removal);
}
