#include "storage/commit.h"

#include <assert.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "protocol/batch.h"
#include "storage/layout.h"
#include "storage/replace.h"
#include "storage/settle.h"

struct commit {
    struct store *store;
    struct block_writer writer;
    struct shard *run_of; /* the shard whose run is open */
};

#define CENSUS_NS (1 * NS_PER_S)

enum commit_state { COMMIT_DONE, COMMIT_FULL };

/* --- reservation --- */

enum {
    APPEND_OVERHEAD =
        JOURNAL_RUN_BYTES + JOURNAL_ENTRY_BYTES + JOURNAL_EXTENT_BYTES + BATCH_HEADER_SIZE,
    EXTENT_MAX = APPEND_OVERHEAD + BYPASS_BATCHES_MAX * BATCH_HEADER_SIZE + DISK_BLOCK,
    REPLACE_MAX = JOURNAL_RUN_BYTES + JOURNAL_ENTRY_BYTES + REPLACE_FIXED_BYTES +
                  REPLACE_OLD_MAX * REPLACE_OLD_BYTES + REPLACE_NEW_BYTES,
};
/* Whatever is next fits into a file that has this much room, so that forming never gets stuck. */
static_assert(JOURNAL_HEADER_BYTES + APPEND_OVERHEAD + BYPASS_BYTES <= JOURNAL_ROOM_MIN, "room");
static_assert(JOURNAL_HEADER_BYTES + EXTENT_MAX <= JOURNAL_ROOM_MIN, "room");
static_assert(JOURNAL_HEADER_BYTES + REPLACE_MAX <= JOURNAL_ROOM_MIN, "room");

size_t commit_reservation(const struct partition *partition, size_t bytes) {
    if (bytes >= BYPASS_BYTES) return (size_t)2 * DISK_BLOCK;
    /* What waits behind a bypass may need a block of its own. */
    size_t alone = list_is_empty(&partition->bypasses) ? 0 : DISK_BLOCK;
    return bytes + APPEND_OVERHEAD + alone;
}

/* --- forming --- */

/* The log start that replay has reached when it meets the next entry. */
static int64_t commit_start(const struct partition *partition) {
    return partition->formed_start > partition->log_start ? partition->formed_start
                                                          : partition->log_start;
}

/* Opens the shard's run when it is not open and makes an entry in it. */
static uint8_t *commit_entry(struct commit *commit, struct partition *partition,
                             enum entry_kind kind, size_t payload_len) {
    struct shard *shard = partition->shard;
    if (commit->run_of != shard) {
        block_run(&commit->writer, shard->id, shard->epoch, ++shard->sequence);
        commit->run_of = shard;
    }
    uint8_t *at = block_entry(&commit->writer, kind, partition->definition.id, payload_len);
    block_mark_start(&commit->writer, commit_start(partition));
    return at;
}

static void commit_note(struct commit *commit, struct partition *partition, enum note_kind kind,
                        void *object) {
    partition_pin(partition);
    journal_note(&commit->store->journal, (struct commit_note){.partition = partition,
                                                               .kind = kind,
                                                               .offset = partition->formed_offset,
                                                               .place = partition->formed,
                                                               .object = object});
}

static uint8_t *put_place(uint8_t *at, struct place place) {
    store_u32(at, place.segment);
    store_u64(at + 4, place.position);
    return at + JOURNAL_PLACE_BYTES;
}

static enum commit_state commit_trims(struct commit *commit, struct partition *partition) {
    while (!list_is_empty(&partition->trims)) {
        if (block_room(&commit->writer) < 8) return COMMIT_FULL;
        struct trim *trim = list_entry(list_first(&partition->trims), struct trim, link);
        list_remove(&trim->link);
        store_i64(commit_entry(commit, partition, ENTRY_LOG_START, 8), trim->offset);
        if (trim->offset > partition->formed_start) partition->formed_start = trim->offset;
        commit->store->reserved_bytes -= COMMIT_TRIM_BYTES;
        if (MUTANT(trim_early)) partition_trimmed(partition, trim->offset);
        commit_note(commit, partition, NOTE_TRIM, trim);
    }
    return COMMIT_DONE;
}

/* Segments before `durable` are whole in earlier entries, so replay may go on in its segment. */
static enum commit_state commit_replacements(struct commit *commit, struct partition *partition) {
    while (!list_is_empty(&partition->replacements)) {
        struct replacement *replacement =
            list_entry(list_first(&partition->replacements), struct replacement, link);
        size_t size = replacement_size(replacement);
        if (block_room(&commit->writer) < size) return COMMIT_FULL;
        list_remove(&replacement->link);
        replacement->begun = partition->durable.segment;
        replacement_encode(replacement, commit_entry(commit, partition, ENTRY_REPLACE, size));
        commit->store->reserved_bytes -= replacement->reserved;
        commit_note(commit, partition, NOTE_REPLACE, replacement);
    }
    return COMMIT_DONE;
}

/* The batches of [first, last] in the pending list, without duplicates. */
static uint32_t extent_header_count(const struct bypass *bypass) {
    uint32_t count = 0;
    for (struct append *append = bypass->first;;
         append = list_entry(append->link.next, struct append, link)) {
        if (append->bytes) count++;
        if (append == bypass->last) return count;
    }
}

static enum commit_state commit_extent(struct commit *commit, struct partition *partition,
                                       struct bypass *bypass) {
    uint32_t count = extent_header_count(bypass);
    size_t remainder = bypass->end > bypass->upto ? bypass->end - bypass->upto : 0;
    size_t len = JOURNAL_EXTENT_BYTES + (size_t)count * BATCH_HEADER_SIZE + remainder;
    if (block_room(&commit->writer) < len) return COMMIT_FULL;
    uint8_t *at = commit_entry(commit, partition, ENTRY_EXTENT, len);
    at = put_place(at, bypass->from);
    store_u64(at, bypass->upto);
    store_u64(at + 8, bypass->first_batch);
    store_u64(at + 16, bypass->end);
    store_u32(at + 24, count);
    at += 28;
    for (struct append *append = bypass->first;;
         append = list_entry(append->link.next, struct append, link)) {
        if (append->bytes) {
            memcpy(at, append->batch.at, BATCH_HEADER_SIZE);
            at += BATCH_HEADER_SIZE;
        }
        if (append == bypass->last) break;
    }
    if (remainder)
        tail_copy(&partition->tail, (struct place){bypass->from.segment, bypass->upto}, at,
                  remainder);
    bypass->formed = true;
    commit->store->reserved_bytes -= bypass->reserved;
    bypass->reserved = 0;
    partition_pin(partition);
    journal_note(&commit->store->journal,
                 (struct commit_note){.partition = partition,
                                      .kind = NOTE_EXTENT,
                                      .offset = bypass->end_offset,
                                      .place = {bypass->from.segment, bypass->end},
                                      .object = bypass});
    return COMMIT_DONE;
}

static bool commit_has_unformed_bypass(const struct partition *partition) {
    if (list_is_empty(&partition->bypasses)) return false;
    return !list_entry(partition->bypasses.previous, struct bypass, link)->formed;
}

/* Moves `unformed` over the appends that go into one entry: of one segment, at most `room` bytes.
 */
static uint64_t commit_take(struct partition *partition, size_t room, int64_t *end_offset) {
    uint64_t taken = 0;
    struct append *append = partition->unformed;
    uint32_t segment = append->segment;
    while (append) {
        if (append->bytes) {
            if (taken == 0) segment = append->segment;
            bool large = append->bytes >= BYPASS_BYTES && partition->store->options.durable;
            if (large || append->segment != segment || taken + append->bytes > room) break;
            taken += append->bytes;
            partition->unformed_count--;
            partition->unformed_reserved -= append->reserved;
            partition->store->reserved_bytes -= append->reserved;
            *end_offset = append->release_at;
        }
        struct list *next = append->link.next;
        append = next == &partition->pending ? NULL : list_entry(next, struct append, link);
    }
    partition->unformed = append;
    partition->unformed_bytes -= taken;
    return taken;
}

static enum commit_state commit_batches(struct commit *commit, struct partition *partition) {
    enum { FIXED = JOURNAL_PLACE_BYTES };
    while (partition->unformed) {
        if (bypass_is_wanted(partition)) {
            bypass_start(partition);
            return COMMIT_DONE; /* dirty again when the write or its file is ready */
        }
        size_t room = block_room(&commit->writer);
        if (room <= FIXED) return COMMIT_FULL;
        partition_formed_next_segment(partition);
        struct place from = partition->formed;
        int64_t end_offset = partition->formed_offset;
        uint64_t bytes = commit_take(partition, room - FIXED, &end_offset);
        if (bytes == 0) return partition->unformed ? COMMIT_FULL : COMMIT_DONE;
        uint8_t *at = commit_entry(commit, partition, ENTRY_BATCH, FIXED + bytes);
        tail_copy(&partition->tail, from, put_place(at, from), bytes);
        partition->formed.position += bytes;
        partition->formed_offset = end_offset;
        if (MUTANT(watermark_ahead)) partition->high_watermark = end_offset;
        commit_note(commit, partition, NOTE_BATCHES, NULL);
    }
    return COMMIT_DONE;
}

static enum commit_state commit_partition(struct commit *commit, struct partition *partition) {
    if (commit_replacements(commit, partition) == COMMIT_FULL) return COMMIT_FULL;
    if (commit_trims(commit, partition) == COMMIT_FULL) return COMMIT_FULL;
    struct bypass *bypass;
    while ((bypass = bypass_to_form(partition)))
        if (commit_extent(commit, partition, bypass) == COMMIT_FULL) return COMMIT_FULL;
    if (commit_has_unformed_bypass(partition)) {
        if (bypass_is_wanted(partition)) bypass_start(partition);
        return COMMIT_DONE; /* behind the bypass: dirty again when it is written */
    }
    return commit_batches(commit, partition);
}

static enum commit_state commit_shard(struct commit *commit, struct shard *shard) {
    while (!list_is_empty(&shard->dirty)) {
        struct partition *partition =
            list_entry(list_first(&shard->dirty), struct partition, dirty);
        if (commit_partition(commit, partition) == COMMIT_FULL) return COMMIT_FULL;
        list_remove(&partition->dirty);
    }
    return COMMIT_DONE;
}

/* Runs without entries that name every shard's sequence, as far as there is room: what they are
 * compared with tells which shards an unreadable block before them held. */
static void commit_census(struct store *store, struct block_writer *writer) {
    for (uint32_t id = 0; id < store->directory->shard_count; id++) {
        const struct shard *shard = store->shards[id];
        if (!shard) continue;
        if (block_room(writer) == 0) return;
        block_run(writer, shard->id, shard->epoch, shard->sequence);
    }
    store->census_ns = ring_now_ns(store->ring);
}

static void commit_submit(struct store *store, struct block_writer *writer) {
    journal_submit(&store->journal, writer);
    const struct shard *catalog = store->shards[CATALOG_SHARD];
    store->journal.catalog_mark = catalog ? catalog->sequence + 1 : 0;
}

/* One block; false when there was nothing to form. */
static bool commit_block(struct store *store) {
    struct commit commit = {.store = store};
    journal_begin(&store->journal, &commit.writer);
    enum commit_state state = COMMIT_DONE;
    while (state == COMMIT_DONE && !list_is_empty(&store->dirty_shards)) {
        struct shard *shard = list_entry(list_first(&store->dirty_shards), struct shard, in_store);
        state = commit_shard(&commit, shard);
        if (state == COMMIT_DONE) list_remove(&shard->in_store);
    }
    if (commit.writer.entry_count == 0) {
        journal_abandon(&store->journal);
        return false;
    }
    bool due = ring_now_ns(store->ring) - store->census_ns >= CENSUS_NS;
    if (due) commit_census(store, &commit.writer);
    commit_submit(store, &commit.writer);
    return true;
}

static void ephemeral_partition(struct partition *partition) {
    struct store *store = partition->store;
    store->reserved_bytes -= partition->unformed_reserved;
    partition->unformed = NULL;
    partition->unformed_bytes = partition->unformed_reserved = 0;
    partition->unformed_count = 0;
    partition->formed = partition->end;
    partition->formed_offset = partition->next_offset;
    while (!list_is_empty(&partition->replacements)) {
        struct replacement *replacement =
            list_entry(list_first(&partition->replacements), struct replacement, link);
        list_remove(&replacement->link);
        store->reserved_bytes -= replacement->reserved;
        replacement->begun = partition->durable.segment;
        partition_replaced(partition, replacement);
    }
    while (!list_is_empty(&partition->trims)) {
        struct trim *trim = list_entry(list_first(&partition->trims), struct trim, link);
        list_remove(&trim->link);
        store->reserved_bytes -= COMMIT_TRIM_BYTES;
        partition_trimmed(partition, trim->offset);
        trim->code = ERROR_NONE;
        trim->low_watermark = partition->log_start;
        trim->done(trim);
    }
    partition_advance(partition, partition->next_offset, partition->end);
}

/* --ephemeral: nothing is written, so everything that was appended is as good as durable. */
static void commit_ephemeral(struct store *store) {
    while (!list_is_empty(&store->dirty_shards)) {
        struct shard *shard = list_entry(list_first(&store->dirty_shards), struct shard, in_store);
        while (!list_is_empty(&shard->dirty)) {
            struct partition *partition =
                list_entry(list_first(&shard->dirty), struct partition, dirty);
            list_remove(&partition->dirty);
            partition_pin(partition);
            ephemeral_partition(partition);
            partition_unpin(partition);
        }
        list_remove(&shard->in_store);
    }
}

void commit_round(struct store *store) {
    if (!store->options.durable) {
        commit_ephemeral(store);
        return;
    }
    while (!list_is_empty(&store->dirty_shards) && journal_can_begin(&store->journal))
        if (!commit_block(store)) break;
}

void commit_empty(struct store *store) {
    if (!store->options.durable || !journal_wants_empty_block(&store->journal)) return;
    if (!journal_can_begin(&store->journal)) return;
    struct block_writer writer;
    journal_begin(&store->journal, &writer);
    commit_census(store, &writer);
    commit_submit(store, &writer);
}

bool commit_is_quiet(const struct store *store) {
    return list_is_empty(&store->dirty_shards) && store->reserved_bytes == 0 &&
           journal_is_quiet(&store->journal);
}

/* --- durable --- */

static void note_trimmed(struct partition *partition, struct trim *trim) {
    partition_trimmed(partition, trim->offset);
    trim->code = partition->dead ? ERROR_UNKNOWN_TOPIC_OR_PARTITION : ERROR_NONE;
    trim->low_watermark = partition->log_start;
    trim->done(trim);
}

void commit_durable(struct journal *journal, struct journal_slot *slot) {
    (void)journal;
    for (size_t at = 0; at < slot->note_count; at++) {
        struct commit_note *note = &slot->notes[at];
        struct partition *partition = note->partition;
        if (note->kind == NOTE_TRIM)
            note_trimmed(partition, note->object);
        else if (note->kind == NOTE_REPLACE)
            partition_replaced(partition, note->object);
        else {
            if (note->kind == NOTE_EXTENT) bypass_finish(note->object);
            if (!partition->dead) partition_advance(partition, note->offset, note->place);
        }
        partition_unpin(partition);
    }
}
