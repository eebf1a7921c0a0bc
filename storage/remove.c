#include "storage/remove.h"

#include <errno.h>

#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"

struct removal {
    struct work work;
    struct store *store;
    uint32_t partition, first, count;
};

static void removal_run(struct work *work) {
    struct removal *removal = container_of(work, struct removal, work);
    for (uint32_t at = 0; at < removal->count; at++) {
        char path[LAYOUT_PATH_SIZE];
        layout_segment(path, removal->partition, removal->first + at);
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

void remove_segments(struct store *store, uint32_t partition, uint32_t first, uint32_t count) {
    if (count == 0) return;
    struct removal *removal = new_zero(struct removal);
    *removal = (struct removal){.work = {.run = removal_run, .done = removal_done},
                                .store = store,
                                .partition = partition,
                                .first = first,
                                .count = count};
    store->flows++;
    ring_work(store->ring, &removal->work);
}
