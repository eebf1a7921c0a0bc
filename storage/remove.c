#include "storage/remove.h"

#include <errno.h>

#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"

struct removal {
    struct work work;
    struct store *store;
    uint32_t partition;
    size_t count;
    struct segment_name removed[];
};

static void removal_run(struct work *work) {
    struct removal *removal = container_of(work, struct removal, work);
    for (size_t at = 0; at < removal->count; at++) {
        char path[LAYOUT_PATH_SIZE];
        layout_segment(path, removal->partition, removal->removed[at].number,
                       removal->removed[at].revision);
        int result = disk_unlink(removal->store->directory->disk, path);
        if (result < 0 && result != -ENOENT)
            say_warning("cannot remove %s: %s; it is not needed any more", path, strerror(-result));
    }
}

static void removal_done(struct work *work) {
    struct removal *removal = container_of(work, struct removal, work);
    removal->store->flows--;
    free(removal);
}

static struct removal *removal_new(struct store *store, uint32_t partition, size_t count) {
    struct removal *removal = memory_zero(1, sizeof *removal + count * sizeof(struct segment_name));
    removal->work = (struct work){.run = removal_run, .done = removal_done};
    removal->store = store;
    removal->partition = partition;
    removal->count = count;
    return removal;
}

static void removal_start(struct removal *removal) {
    removal->store->flows++;
    ring_work(removal->store->ring, &removal->work);
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
