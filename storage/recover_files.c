/* The segment files in which logs go on, looked at behind the entries of all journals. After a
 * crash their headers are not in memory, and read one after the other they took longer than the
 * replay of a thousand partitions: so the system is asked for those of many files at once. */
#include "storage/recovered.h"
#include "storage/replay.h"

enum { WAVE = 64 };

struct wave {
    struct partition *partitions[WAVE];
    struct segment_identity identities[WAVE];
    struct file *files[WAVE];
    size_t count;
};

/* One that the log has left behind is only an unreadable range. */
static bool file_is_wanted(const struct partition *partition) {
    return partition->start.wants_file && !partition->offline && partition->segment_count &&
           partition_active(partition)->number == partition->start.ends_in;
}

static bool wave_check(struct wave *wave, struct error *error) {
    bool fine = true;
    for (size_t at = 0; at < wave->count; at++) {
        int result = segment_open_check(&wave->identities[at], &wave->files[at]);
        file_close(wave->files[at]);
        fine = fine && replay_found_file(wave->partitions[at], result, error);
    }
    wave->count = 0;
    return fine;
}

static bool wave_add(struct wave *wave, struct partition *partition,
                     const struct data_directory *directory, struct error *error) {
    size_t at = wave->count;
    wave->partitions[at] = partition;
    wave->identities[at] = partition_identity(partition, directory, partition_active(partition));
    int result = segment_open_ahead(directory->disk, &wave->identities[at], &wave->files[at]);
    if (result < 0) return replay_found_file(partition, result, error);
    return ++wave->count < WAVE || wave_check(wave, error);
}

bool recovered_look_at_files(struct recovered *recovered, struct error *error) {
    struct wave wave = {.count = 0};
    bool fine = true;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        list_each(node, &recovered->shards[id]->partitions) {
            struct partition *partition = list_entry(node, struct partition, in_shard);
            if (fine && file_is_wanted(partition))
                fine = wave_add(&wave, partition, recovered->directory, error);
        }
    return wave_check(&wave, error) && fine;
}
