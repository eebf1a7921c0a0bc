/* What recovery's scan of each journal has met: gaps in what was acknowledged, and what a crash
 * left behind the end. */
#include "offline/verify.h"
#include "storage/layout.h"

static const char *const advice_gap =
    "the partitions that it may have held are offline; `millrace log repair` ends that";

static void path_of(const struct journal_scan *scan, const struct journal_position *position,
                    char path[LAYOUT_PATH_SIZE]) {
    layout_journal(path, scan->core, position->number);
}

static void verify_gap(const struct journal_scan *scan, struct findings *findings) {
    uint64_t next = scan->has_block ? scan->block.sequence : scan->last_sequence + 1;
    char path[LAYOUT_PATH_SIZE];
    path_of(scan, &scan->gap_at, path);
    finding_add(findings, FINDING_DAMAGE, path, (int64_t)scan->gap_at.at, advice_gap,
                "blocks %llu to %llu were acknowledged and cannot be read",
                (unsigned long long)(next - scan->gap), (unsigned long long)(next - 1));
}

static void verify_scan(struct journal_scan *scan, struct findings *findings) {
    struct error error;
    char path[LAYOUT_PATH_SIZE];
    bool fine;
    journal_scan_rewind(scan);
    while ((fine = journal_scan_next(scan, &error))) {
        if (scan->gap) verify_gap(scan, findings);
        if (!scan->has_block) break;
    }
    path_of(scan, &scan->met_at, path);
    if (!fine)
        finding_add(findings, FINDING_DAMAGE, path, (int64_t)scan->met_at.at, advice_gap, "%s",
                    error.text);
    if (scan->torn_blocks && !scan->damaged)
        finding_add(findings, FINDING_NOTE, path, (int64_t)scan->met_at.at,
                    "the next start clears them",
                    "%llu blocks behind block %llu were never acknowledged, as after a crash",
                    (unsigned long long)scan->torn_blocks, (unsigned long long)scan->last_sequence);
}

void verify_journals(struct image *image, struct findings *findings) {
    for (unsigned at = 0; at < image->recovered->scan_count; at++)
        verify_scan(&image->recovered->scans[at], findings);
}
