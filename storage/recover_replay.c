/* One pass over all journals, oldest life first, into the partitions that snapshots brought and the
 * entries name. Which of them live is asked afterwards: the catalog is one of them.
 *
 * Where blocks are missing, a shard's run sequence tells whether they held something of it: it is
 * in doubt until the next run or census goes on without a jump. Of a shard with a hole, a partition
 * is whole when its next entry goes on at its end. */
#include <errno.h>

#include "base/check.h"
#include "base/say.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/replay.h"

enum { SETTLE_MIN = 64 << 10 };

/* --- what is missing --- */

/* Whether the shard's snapshot contains whatever a block holds of it. */
static bool block_is_contained(const struct shard *shard, unsigned core, uint64_t incarnation,
                               uint64_t sequence) {
    const struct journal_mark *mark = &shard->contained;
    if (mark->incarnation == 0) return false;
    return incarnation < mark->incarnation || (core == mark->core && sequence <= mark->through);
}

/* … and so for all blocks that are missing: none is of a later life than the one behind them. */
static bool gap_is_contained(const struct shard *shard, const struct journal_scan *scan) {
    uint64_t last = scan->has_block ? scan->block.sequence - 1 : scan->last_sequence;
    uint64_t incarnation = scan->has_block ? scan->block.incarnation : UINT64_MAX;
    return block_is_contained(shard, scan->core, incarnation, last);
}

static void replay_catalog_gap(struct recovered *recovered, const struct journal_scan *scan,
                               uint64_t next) {
    char path[LAYOUT_PATH_SIZE];
    layout_journal(path, scan->core, scan->gap_at.number);
    error_set(&recovered->catalog_gap, EBADMSG,
              "%s, byte %llu: blocks %llu to %llu were acknowledged and cannot be read", path,
              (unsigned long long)scan->gap_at.at, (unsigned long long)(next - scan->gap),
              (unsigned long long)(next - 1));
}

/* Blocks are missing before the one that was just read, or at the end. */
static void replay_gap(struct recovered *recovered, const struct journal_scan *scan) {
    recovered->damaged = true;
    recovered->gaps++;
    recovered->report.lost_blocks += scan->gap;
    uint64_t next = scan->has_block ? scan->block.sequence : scan->last_sequence + 1;
    say_error("journal %u: blocks %llu to %llu were acknowledged and cannot be read", scan->core,
              (unsigned long long)(next - scan->gap), (unsigned long long)(next - 1));
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        struct shard_trace *trace = &recovered->traces[id];
        uint32_t journals = recovered->directory->journals;
        unsigned home = trace->seen_in ? trace->seen_in - 1u
                        : journals     ? id % journals
                                       : scan->core;
        if (home != scan->core || gap_is_contained(recovered->shards[id], scan)) continue;
        trace->doubt = recovered->gaps;
        if (id == CATALOG_SHARD) replay_catalog_gap(recovered, scan, next);
    }
}

/* Runs are missing although no block is: they were released for a snapshot that is not there, or
 * that is an older one. */
static void replay_missing(struct recovered *recovered, uint32_t id) {
    struct shard_trace *trace = &recovered->traces[id];
    recovered->damaged = true;
    if (trace->is_absent && !trace->is_known && !trace->doubt) {
        say_error("the snapshot of shard %u is gone", id);
        trace->lost = true;
        return;
    }
    if (!trace->doubt) {
        say_error("changes of shard %u are neither in its snapshot nor in the journal", id);
        trace->doubt = ++recovered->gaps;
        if (id == CATALOG_SHARD)
            error_set(&recovered->catalog_gap, EBADMSG,
                      "changes of it are neither in snapshots/%u nor in a journal", id);
    }
    trace->hole = trace->doubt;
    trace->doubt = 0;
}

/* Before a run or at a census the shard's sequence was `before`; `after` it is. Blocks that are
 * contained tell nothing: between them and the next ones others may have been released. */
static void replay_sequence(struct recovered *recovered, const struct journal_scan *scan,
                            uint32_t id, uint64_t before, uint64_t after) {
    struct shard_trace *trace = &recovered->traces[id];
    struct shard *shard = recovered->shards[id];
    if (block_is_contained(shard, scan->core, scan->block.incarnation, scan->block.sequence))
        return;
    uint64_t known = trace->is_known ? trace->sequence : shard->sequence;
    bool is_uncertain = trace->doubt && !trace->is_known && before > 0;
    if (before > known || is_uncertain) replay_missing(recovered, id);
    trace->doubt = 0;
    trace->is_known = true;
    trace->sequence = after;
    if (after > shard->sequence) shard->sequence = after;
}

/* --- entries --- */

/* Whether it proves that nothing before it is missing: batches at the end of the log, made on the
 * log start that replay has reached. Entries that a snapshot contains prove nothing. */
static bool entry_goes_on(const struct block_entry_view *entry, int64_t before,
                          const struct partition *partition) {
    bool batches = entry->kind == ENTRY_BATCH || entry->kind == ENTRY_EXTENT;
    return batches && partition->next_offset > before &&
           block_starts_at(entry, partition->log_start);
}

static uint64_t unsettled(const struct partition *partition) {
    return partition->settled.segment == partition->end.segment
               ? partition->end.position - partition->settled.position
               : partition_unsettled_bytes(partition);
}

/* Memory stays bounded: what is much goes into its segment file. */
static bool replay_bound(struct recovered *recovered, struct partition *partition,
                         struct error *error) {
    if (recovered->unsettled_bytes <= recovered->unsettled_bytes_max) return true;
    uint64_t before = unsettled(partition);
    if (before < SETTLE_MIN) return true;
    uint64_t upto = round_down(partition->end.position, DISK_BLOCK);
    if (!replay_settle(partition, upto, recovered->directory, error)) {
        if (error->code != ENOSPC && error->code != EDQUOT) return false;
        recovered->unsettled_bytes_max = UINT64_MAX; /* as it was in memory before the start */
    }
    recovered->unsettled_bytes -= before - unsettled(partition);
    return true;
}

static bool replay_one(struct recovered *recovered, struct partition *partition,
                       const struct block_entry_view *entry, int64_t time_ms, struct error *error) {
    int64_t next_offset = partition->next_offset;
    uint64_t before = unsettled(partition);
    if (!replay_entry(partition, entry, time_ms, recovered->directory, error)) {
        /* It may be dead, and its files gone: who knows is asked afterwards. */
        partition->start.lacks_space = error->code == ENOSPC || error->code == EDQUOT;
        if (partition->start.lacks_space) return true;
        if (error->code != EBADMSG) return false;
        bool whole = recovered_is_whole(recovered, partition);
        say_error("%s", error->text);
        recovered_take_offline(recovered, partition, whole ? DAMAGE_MISFIT : DAMAGE_JOURNAL);
        return true;
    }
    if (entry_goes_on(entry, next_offset, partition))
        partition->start.whole_since = recovered->gaps;
    recovered->unsettled_bytes += unsettled(partition) - before;
    recovered->report.batches++;
    return replay_bound(recovered, partition, error);
}

static bool replay_find_and_apply(struct recovered *recovered, const struct journal_scan *scan,
                                  const struct block_entry_view *entry, struct error *error) {
    struct partition *partition = recovered_find(recovered, entry->partition);
    if (!partition) {
        struct partition_definition definition = {.id = entry->partition,
                                                  .shard = (uint16_t)entry->shard};
        partition = recovered_add(recovered, &definition);
    }
    if (partition->definition.shard != entry->shard)
        return error_set(error, 0,
                         "journal %u names partition %u in shard %u, which is in shard %u: the "
                         "directory is inconsistent and was not changed",
                         scan->core, entry->partition, entry->shard, partition->definition.shard);
    if (partition->offline || partition->start.lacks_space) return true;
    replay_meet(partition);
    return replay_one(recovered, partition, entry, scan->block.time_ms, error);
}

/* --- blocks --- */

static bool replay_runs(struct recovered *recovered, const struct journal_scan *scan,
                        struct error *error) {
    struct run_cursor cursor;
    run_cursor_init(&cursor, scan->bytes, &scan->block);
    if (scan->block.catalog_mark)
        replay_sequence(recovered, scan, CATALOG_SHARD, scan->block.catalog_mark - 1,
                        scan->block.catalog_mark - 1);
    while (run_next(&cursor)) {
        const struct block_run_view *run = &cursor.run;
        if (run->shard >= recovered->directory->shard_count)
            return error_set(error, 0, "journal %u names shard %u, which does not exist",
                             scan->core, run->shard);
        bool census = run->entries == 0;
        replay_sequence(recovered, scan, run->shard, census ? run->sequence : run->sequence - 1,
                        run->sequence);
        if (!census) recovered->traces[run->shard].seen_in = (uint16_t)(scan->core + 1);
    }
    return true;
}

static bool replay_block(struct recovered *recovered, struct journal_scan *scan,
                         struct error *error) {
    if (!replay_runs(recovered, scan, error)) return false;
    struct block_cursor cursor;
    block_cursor_init(&cursor, scan->bytes, &scan->block);
    int more;
    while ((more = block_next(&cursor)) > 0) {
        if (recovered->traces[cursor.entry.shard].lost) continue;
        if (!replay_find_and_apply(recovered, scan, &cursor.entry, error)) return false;
    }
    return more == 0 || error_set(error, 0, "journal %u: block %llu is malformed", scan->core,
                                  (unsigned long long)scan->block.sequence);
}

/* The journal whose next block belongs to the oldest life: a shard's entries of one life are all in
 * one journal, so this order is each shard's own. */
static struct journal_scan *replay_oldest(struct recovered *recovered) {
    struct journal_scan *oldest = NULL;
    for (unsigned at = 0; at < recovered->scan_count; at++) {
        struct journal_scan *scan = &recovered->scans[at];
        if (scan->has_block && (!oldest || scan->block.incarnation < oldest->block.incarnation))
            oldest = scan;
    }
    return oldest;
}

/* Whether the journal that the shard's newest entries are in is not there, or not the one that was
 * written: it ends before what the shard's snapshot contains of it. */
static bool shard_lacks_journal(const struct recovered *recovered, uint32_t id, unsigned *core) {
    const struct journal_mark *mark = &recovered->shards[id]->contained;
    uint32_t journals = recovered->directory->journals;
    *core = journals ? id % journals : 0;
    bool is_there = *core < recovered->scan_count && recovered->scans[*core].found_count > 0;
    if (journals && !is_there) return true;
    if (mark->incarnation == 0 || mark->through == 0) return false;
    *core = mark->core;
    return *core >= recovered->scan_count || recovered->scans[*core].last_sequence < mark->through;
}

static void replay_check_journals(struct recovered *recovered) {
    unsigned core, said = UINT32_MAX;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        if (!shard_lacks_journal(recovered, id, &core)) continue;
        if (core != said) say_error("journal %u is gone, or is an older one", core);
        said = core;
        recovered->damaged = true;
        recovered->traces[id].hole = ++recovered->gaps;
        if (id == CATALOG_SHARD)
            error_set(&recovered->catalog_gap, EBADMSG, "journal %u is gone, or is an older one",
                      core);
    }
}

/* Nothing behind the last gap speaks for them. */
static void replay_end_doubts(struct recovered *recovered) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        struct shard_trace *trace = &recovered->traces[id];
        if (trace->doubt) trace->hole = trace->doubt;
    }
}

bool recovered_sync_names(struct recovered *recovered, struct error *error) {
    int result = disk_sync_directory(recovered->directory->disk, LAYOUT_SEGMENTS);
    return result == 0 || error_set(error, -result, "cannot sync %s/" LAYOUT_SEGMENTS ": %s",
                                    disk_root(recovered->directory->disk), strerror(-result));
}

bool recovered_replay(struct recovered *recovered, struct error *error) {
    for (unsigned at = 0; at < recovered->scan_count; at++) {
        struct journal_scan *scan = &recovered->scans[at];
        journal_scan_rewind(scan);
        if (!journal_scan_next(scan, error)) return false;
        if (scan->gap) replay_gap(recovered, scan);
    }
    struct journal_scan *scan;
    while ((scan = replay_oldest(recovered))) {
        recovered->report.blocks++;
        recovered->report.bytes += round_up(scan->block.length, JOURNAL_ALIGNMENT);
        if (!replay_block(recovered, scan, error)) return false;
        if (!journal_scan_next(scan, error)) return false;
        if (scan->gap) replay_gap(recovered, scan);
    }
    replay_check_journals(recovered);
    replay_end_doubts(recovered);
    if (recovered->report.batches == 0) return true;
    return recovered_look_at_files(recovered, error) && recovered_sync_names(recovered, error);
}
