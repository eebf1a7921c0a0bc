#include "storage/recover.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "storage/recovered.h"
#include "storage/snapshot.h"

enum { CORES_MAX = 1024 };

/* --- what was recovered --- */

struct partition *recovered_find(const struct recovered *recovered, uint32_t id) {
    struct map_node *node = map_find(&recovered->partitions, hash_u64(id));
    for (; node; node = map_find_next(node)) {
        struct partition *partition = map_entry(node, struct partition, by_id);
        if (partition->definition.id == id) return partition;
    }
    return NULL;
}

struct partition *recovered_add(struct recovered *recovered,
                                const struct partition_definition *definition) {
    struct partition *partition =
        partition_new(definition, recovered->shards[definition->shard], NULL);
    map_insert(&recovered->partitions, &partition->by_id, hash_u64(definition->id));
    return partition;
}

void recovered_drop(struct recovered *recovered, struct partition *partition) {
    map_remove(&recovered->partitions, &partition->by_id);
    partition_unpin(partition);
}

void recovered_take_offline(struct recovered *recovered, struct partition *partition,
                            enum damage damage) {
    if (partition->offline) return;
    partition->offline = damage;
    recovered->damaged = true;
}

bool recovered_is_whole(const struct recovered *recovered, const struct partition *partition) {
    return partition->start.whole_since >= recovered->traces[partition->shard->id].hole;
}

bool recovered_had_space(const struct recovered *recovered, const struct partition *partition,
                         struct error *error) {
    return !partition->start.lacks_space ||
           error_set(error, ENOSPC,
                     "the disk of %s is full, and partition %u cannot be recovered before a "
                     "segment of it is written: make some room; nothing is lost",
                     disk_root(recovered->directory->disk), partition->definition.id);
}

/* --- open --- */

struct journal_names {
    uint32_t *numbers[CORES_MAX];
    unsigned counts[CORES_MAX];
    unsigned cores;
};

static int journal_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct journal_names *names = context;
    uint32_t core, number;
    if (!layout_journal_parse(name, &core, &number) || core >= CORES_MAX) {
        say_warning("%s/%s is not ours; it was left alone", LAYOUT_JOURNALS, name);
        return 0;
    }
    unsigned count = names->counts[core]++;
    names->numbers[core] = memory_resize(names->numbers[core], (count + 1) * sizeof(uint32_t));
    names->numbers[core][count] = number;
    if (core >= names->cores) names->cores = core + 1;
    return 0;
}

static bool recover_journal(struct recovered *recovered, unsigned core, const uint32_t *numbers,
                            unsigned count, struct error *error) {
    struct journal_scan *scan = &recovered->scans[core];
    recovered->scan_count = core + 1;
    if (!journal_scan_open(scan, recovered->directory, core, numbers, count, error)) return false;
    recovered->report.torn_blocks += scan->torn_blocks;
    if (scan->damaged) say_error("%s", scan->damage.text);
    /* Also where snapshots contain all that was lost: such a journal cannot be gone on with. */
    recovered->damaged |= scan->damaged;
    return true;
}

static bool recover_journals(struct recovered *recovered, struct error *error) {
    struct journal_names *names = new_zero(struct journal_names);
    int result = disk_list(recovered->directory->disk, LAYOUT_JOURNALS, journal_name, names);
    bool fine = result >= 0 || error_set(error, -result, "cannot list %s/%s: %s",
                                         disk_root(recovered->directory->disk), LAYOUT_JOURNALS,
                                         strerror(-result));
    recovered->scans = memory_zero(names->cores, sizeof *recovered->scans);
    for (unsigned core = 0; core < names->cores; core++) {
        fine = fine &&
               recover_journal(recovered, core, names->numbers[core], names->counts[core], error);
        free(names->numbers[core]);
    }
    free(names);
    return fine;
}

static void shard_clear(struct shard *shard) {
    list_each(node, &shard->partitions)
        partition_unpin(list_entry(node, struct partition, in_shard));
    shard->sequence = 0;
    shard->contained = (struct journal_mark){0};
}

/* The catalog's, when it is damaged or gone, from its copy; the next checkpoint writes both. */
static int recover_either(struct recovered *recovered, uint32_t id, int result) {
    struct shard *shard = recovered->shards[id];
    if (result != -EBADMSG && result != -ENOENT) return result;
    shard_clear(shard);
    if (snapshot_load_copy(recovered->directory->blobs, shard) < 0) {
        shard_clear(shard);
        return result;
    }
    say_error("snapshot %u is %s: its copy was read", id, result == -ENOENT ? "gone" : "damaged");
    shard->unsnapshotted = true;
    return 0;
}

static bool recover_snapshot(struct recovered *recovered, uint32_t id, struct error *error) {
    struct shard *shard = new_zero(struct shard);
    shard->id = id;
    list_init(&shard->partitions);
    list_init(&shard->dirty);
    list_init(&shard->in_store);
    recovered->shards[id] = shard;
    int result =
        recovered->directory->formatted_now
            ? -ENOENT
            : recover_either(recovered, id, snapshot_load(recovered->directory->blobs, shard));
    recovered->traces[id].is_absent = result == -ENOENT;
    recovered->traces[id].lost = result == -EBADMSG;
    if (result == -EBADMSG) {
        say_error("snapshot %u is damaged: the partitions of its shard are offline", id);
        recovered->damaged = true;
        shard_clear(shard);
    }
    if (result == 0 || result == -ENOENT || result == -EBADMSG) return true;
    return error_set(error, -result, "cannot read snapshot %u in %s: %s", id,
                     disk_root(recovered->directory->disk),
                     result == -EPROTONOSUPPORT ? "a newer release wrote it, start that one"
                                                : strerror(-result));
}

static bool recover_snapshots(struct recovered *recovered, struct error *error) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        if (!recover_snapshot(recovered, id, error)) return false;
        list_each(node, &recovered->shards[id]->partitions) {
            struct partition *partition = list_entry(node, struct partition, in_shard);
            map_insert(&recovered->partitions, &partition->by_id,
                       hash_u64(partition->definition.id));
        }
    }
    return true;
}

bool recover_open(struct data_directory *directory, uint64_t unsettled_bytes_max,
                  struct recovered **out, struct error *error) {
    struct recovered *recovered = new_zero(struct recovered);
    recovered->directory = directory;
    recovered->unsettled_bytes_max = unsettled_bytes_max;
    recovered->started_ns = clock_monotonic_ns();
    recovered->shards = memory_zero(directory->shard_count, sizeof(struct shard *));
    recovered->traces = memory_zero(directory->shard_count, sizeof(struct shard_trace));
    map_init(&recovered->partitions);
    if (recover_journals(recovered, error) && recover_snapshots(recovered, error) &&
        recovered_replay(recovered, error)) {
        *out = recovered;
        return true;
    }
    recover_free(recovered);
    return false;
}

/* --- which of them live --- */

struct lives {
    struct recovered *recovered;
    enum partition_life (*life)(void *context, uint32_t id,
                                struct partition_definition *definition);
    void *context;
};

static enum partition_life life_of(const struct lives *lives, uint32_t id,
                                   struct partition_definition *definition) {
    return lives->life(lives->context, id, definition);
}

static bool life_begin(struct lives *lives, struct partition *partition, struct error *error) {
    uint32_t id = partition->definition.id;
    struct partition_definition definition = {0};
    if (id == CATALOG_PARTITION_ID) return true;
    switch (life_of(lives, id, &definition)) {
        case PARTITION_NOT_GIVEN:
            return error_set(
                error, EBADMSG,
                "there are records of partition %u, which the catalog never gave: an "
                "end of it is missing; no record was touched. Restore a backup, or let "
                "`millrace log repair %s` tell what can be saved",
                id, disk_root(lives->recovered->directory->disk));
        case PARTITION_DEAD: recovered_drop(lives->recovered, partition); return true;
        case PARTITION_LIVE: break;
    }
    if (!recovered_had_space(lives->recovered, partition, error)) return false;
    if (definition.shard != partition->shard->id)
        return error_set(error, 0,
                         "partition %u is in shard %u, and for the catalog in shard %u: the "
                         "directory is inconsistent and was not changed",
                         id, partition->shard->id, definition.shard);
    if (partition->definition.leader_epoch > definition.leader_epoch)
        definition.leader_epoch = partition->definition.leader_epoch;
    partition->definition = definition;
    for (size_t at = 0; at < partition->segment_count; at++) {
        struct segment *segment = &partition->segments[at];
        segment_set_interval(partition, segment); /* replay did not know it */
        if (segment->index) index_thin(segment->index);
    }
    return true;
}

/* Of a shard that lost something, also partitions of which nothing was met: all that they had may
 * be what was lost. */
static void lives_add_missing(struct lives *lives) {
    struct recovered *recovered = lives->recovered;
    struct partition_definition definition;
    enum partition_life life;
    for (uint32_t id = CATALOG_PARTITION_ID + 1;
         (life = life_of(lives, id, &definition)) != PARTITION_NOT_GIVEN; id++) {
        if (life == PARTITION_DEAD || recovered_find(recovered, id)) continue;
        const struct shard_trace *trace = &recovered->traces[definition.shard];
        if (trace->lost || trace->hole) recovered_add(recovered, &definition);
    }
}

/* By its name alone: a start that looked into every file would be slow. */
static int note_segment(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    const struct lives *lives = context;
    uint32_t id, number, revision;
    if (!layout_segment_parse(name, &id, &number, &revision)) return 0;
    struct partition *partition = recovered_find(lives->recovered, id);
    if (!partition || partition->segment_count == 0) return 0;
    const struct segment *active = partition_active(partition);
    if (number == active->number && revision == active->revision) partition->start.has_file = true;
    return 0;
}

/* Of the segment in which the log goes on: a new file in its place would hide that it is gone. */
static bool partition_wants_file(const struct partition *partition) {
    return partition->segment_count > 0 && partition->settled.position > SEGMENT_START &&
           partition->settled.segment == partition_active(partition)->number;
}

/* A segment that was removed since is not missed, and one behind which the log goes on is only an
 * unreadable range. */
static bool partition_lacks_file(const struct partition *partition) {
    return partition->start.lacks_file && partition->segment_count &&
           partition_active(partition)->number == partition->start.ends_in;
}

static void lives_judge(struct recovered *recovered, struct partition *partition) {
    bool gone = partition_wants_file(partition) && !partition->start.has_file;
    if (gone || partition_lacks_file(partition))
        recovered_take_offline(recovered, partition, DAMAGE_SEGMENT);
    else if (recovered->traces[partition->shard->id].lost)
        recovered_take_offline(recovered, partition, DAMAGE_SNAPSHOT);
    else if (!recovered_is_whole(recovered, partition))
        recovered_take_offline(recovered, partition, DAMAGE_JOURNAL);
    if (partition->offline) recovered->report.offline_partitions++;
}

/* Numbers are given in order: one up to the active segment's that is not in the table was trimmed
 * or replaced, and another revision was replaced or never took its place. Later ones are made
 * ahead. Where entries are missing, only what is below the table is certain. */
static bool segment_is_given_up(const struct recovered *recovered,
                                const struct partition *partition, uint32_t number,
                                uint32_t revision) {
    if (partition->offline || partition->segment_count == 0) return false;
    if (number < partition->segments[0].number) return true;
    if (recovered->damaged || number > partition_active(partition)->number) return false;
    const struct segment *segment = partition_segment(partition, number);
    return !segment || segment->revision != revision;
}

/* Segment files that a durable statement gave up, but a crash kept. */
static int sweep_segment(void *context, const char *name) {
    struct lives *lives = context;
    uint32_t id, number, revision;
    if (!layout_segment_parse(name + sizeof LAYOUT_SEGMENTS, &id, &number, &revision)) {
        say_warning("%s is not ours; it was left alone", name);
        return 0;
    }
    const struct partition *partition = recovered_find(lives->recovered, id);
    struct partition_definition definition;
    bool dead = !partition && id != CATALOG_PARTITION_ID &&
                life_of(lives, id, &definition) == PARTITION_DEAD;
    bool past = partition && segment_is_given_up(lives->recovered, partition, number, revision);
    if (dead || past) blobs_remove(lives->recovered->directory->blobs, name);
    return 0;
}

bool recover_partitions(struct recovered *recovered,
                        enum partition_life (*life)(void *context, uint32_t id,
                                                    struct partition_definition *definition),
                        void *context, struct error *error) {
    struct lives lives = {.recovered = recovered, .life = life, .context = context};
    bool fine = true;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        list_each(node, &recovered->shards[id]->partitions) fine =
            fine && life_begin(&lives, list_entry(node, struct partition, in_shard), error);
    if (!fine) return false;
    if (recovered->damaged) lives_add_missing(&lives);
    int result = disk_list(recovered->directory->disk, LAYOUT_SEGMENTS, note_segment, &lives);
    if (result < 0)
        return error_set(error, -result, "cannot list %s/" LAYOUT_SEGMENTS ": %s",
                         disk_root(recovered->directory->disk), strerror(-result));
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        list_each(node, &recovered->shards[id]->partitions)
            lives_judge(recovered, list_entry(node, struct partition, in_shard));
    if (!recovered->directory->formatted_now)
        blobs_list(recovered->directory->blobs, LAYOUT_SEGMENTS "/", sweep_segment, &lives);
    recovered->report.damaged = recovered->damaged;
    recovered->report.elapsed_ms = (clock_monotonic_ns() - recovered->started_ns) / NS_PER_MS;
    return true;
}

void recover_each_changed(const struct recovered *recovered,
                          void (*each)(void *context, const struct partition_definition *definition,
                                       enum damage damage),
                          void *context) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        list_each(node, &recovered->shards[id]->partitions) {
            const struct partition *partition = list_entry(node, struct partition, in_shard);
            if (partition->offline || partition->definition.leader_epoch > 0)
                each(context, &partition->definition, partition->offline);
        }
}

/* --- handing over --- */

struct shard *recovered_take_shard(struct recovered *recovered, uint32_t id) {
    struct shard *shard = recovered->shards[id];
    check(shard);
    recovered->shards[id] = NULL;
    return shard;
}

void recovered_take_journal(struct recovered *recovered, unsigned core, struct journal *journal) {
    if (recovered->reset || core >= recovered->scan_count) return;
    struct journal_scan *scan = &recovered->scans[core];
    check(!scan->damaged);
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *from = &scan->files[at];
        bool newest = from->needed && from->last == scan->last_sequence;
        struct journal_file *to = &journal->files[journal->file_count++];
        *to = (struct journal_file){
            .file = from->file,
            .number = from->number,
            .size = from->size,
            .used = from->end,
            .last_sequence = from->last,
            .state = newest         ? JOURNAL_FILE_CURRENT
                     : from->needed ? JOURNAL_FILE_FULL
                                    : JOURNAL_FILE_FREE,
        };
        if (newest) journal->current = to;
        journal->bytes += from->size;
        from->file = NULL;
    }
    journal->sequence_next = scan->last_sequence + 1;
    journal->acknowledged_through = scan->last_sequence;
    journal->released_through = journal->said_released = scan->released_through;
    journal->replay_bytes = scan->replayed_bytes;
}

static void recovered_free_shard(struct shard *shard) {
    if (!shard) return;
    shard_clear(shard);
    free(shard);
}

void recover_free(struct recovered *recovered) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        recovered_free_shard(recovered->shards[id]);
    for (unsigned at = 0; at < recovered->scan_count; at++)
        journal_scan_close(&recovered->scans[at]);
    map_deinit(&recovered->partitions);
    free(recovered->scans);
    free(recovered->shards);
    free(recovered->traces);
    free(recovered);
}

void recover_report(const struct recovered *recovered, struct recover_report *report) {
    *report = recovered->report;
}
