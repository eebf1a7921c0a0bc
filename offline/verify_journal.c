/* What recovery's scan of each journal has met: gaps in what was acknowledged, and what a crash
 * left behind the end. */
#include "offline/verify.h"
#include "storage/layout.h"

static const char *const advice_gap =
    "the partitions that it may have held are offline; `millrace log repair` ends that";

/* Where the blocks that are missing would begin: behind the last one that was met. */
struct place_met {
    char path[LAYOUT_PATH_SIZE];
    uint64_t end;
};

static void place_take(const struct journal_scan *scan, struct place_met *met) {
    const struct scanned_file *file = &scan->files[scan->at_file];
    const struct scanned_block *block = &file->blocks[scan->at_block - 1];
    layout_journal(met->path, scan->core, file->number);
    met->end =
        (uint64_t)block->at * JOURNAL_ALIGNMENT + round_up(scan->block.length, JOURNAL_ALIGNMENT);
}

static void verify_gap(const struct journal_scan *scan, const struct place_met *met,
                       struct findings *findings) {
    uint64_t next = scan->has_block ? scan->block.sequence : scan->last_sequence + 1;
    finding_add(findings, FINDING_DAMAGE, met->path, (int64_t)met->end, advice_gap,
                "blocks %llu to %llu were acknowledged and cannot be read",
                (unsigned long long)(next - scan->gap), (unsigned long long)(next - 1));
}

static void verify_scan(struct journal_scan *scan, struct findings *findings) {
    struct error error;
    struct place_met met = {.path = LAYOUT_JOURNALS};
    bool fine;
    journal_scan_rewind(scan);
    while ((fine = journal_scan_next(scan, &error))) {
        if (scan->gap) verify_gap(scan, &met, findings);
        if (!scan->has_block) break;
        place_take(scan, &met);
    }
    if (!fine)
        finding_add(findings, FINDING_DAMAGE, met.path, (int64_t)met.end, advice_gap, "%s",
                    error.text);
    if (scan->torn_blocks && !scan->damaged)
        finding_add(findings, FINDING_NOTE, met.path, (int64_t)met.end,
                    "the next start clears them",
                    "%llu blocks behind block %llu were never acknowledged, as after a crash",
                    (unsigned long long)scan->torn_blocks, (unsigned long long)scan->last_sequence);
}

void verify_journals(struct image *image, struct findings *findings) {
    for (unsigned at = 0; at < image->recovered->scan_count; at++)
        verify_scan(&image->recovered->scans[at], findings);
}
