/* What keeps a broker from starting, and what it costs to go on without it. */
#include "offline/verify.h"

static const char *const advice_restore = "restore the directory from a backup";
static const char *const advice_repair =
    "a restored backup has all of it; `millrace log repair` begins it anew with what can be read";
static const char *const advice_gap = "`millrace log repair` goes on without them";
static const char *const advice_lost =
    "`millrace log repair` gives its records that topic, which keeps them until somebody deletes "
    "it";

enum { GAPS_TOLD_MAX = 20 };

static void verify_more_gaps(const struct catalog_rescue *rescue, struct findings *findings) {
    int64_t changes = 0;
    for (size_t at = GAPS_TOLD_MAX; at < rescue->gap_count; at++)
        changes += rescue->gaps[at].upto - rescue->gaps[at].from;
    if (changes > 0)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_gap,
                    "%lld more in %zu other places cannot be read either", (long long)changes,
                    rescue->gap_count - GAPS_TOLD_MAX);
}

static void verify_gaps(const struct catalog_rescue *rescue, struct findings *findings) {
    for (size_t at = 0; at < rescue->gap_count && at < GAPS_TOLD_MAX; at++)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_gap,
                    "changes %lld to %lld of the catalog cannot be read",
                    (long long)rescue->gaps[at].from, (long long)rescue->gaps[at].upto - 1);
    verify_more_gaps(rescue, findings);
    if (rescue->left_out > 0)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_gap,
                    "%llu later ones do not fit without those",
                    (unsigned long long)rescue->left_out);
    if (rescue->next_offset > 0)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_gap,
                    "the newest change of the catalog that can be read is %lld; whether there were "
                    "later ones is not known",
                    (long long)rescue->next_offset - 1);
    else
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_gap,
                    "nothing of the catalog can be read: all topics, configs and group configs");
}

static void verify_lost(struct image *image, uint32_t id, struct findings *findings) {
    char name[IMAGE_NAME_SIZE];
    const struct partition *partition = recovered_find(image->recovered, id);
    int64_t first = partition ? partition->log_start : 0;
    int64_t next = partition ? partition->next_offset : 0;
    image_name(image, id, name);
    if (next > first)
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_lost,
                    "partition %u, offsets %lld to %lld, has no topic any more: %s", id,
                    (long long)first, (long long)next - 1, name);
    else
        finding_add(findings, FINDING_DAMAGE, "", -1, advice_lost,
                    "partition %u has files and no topic any more: %s", id, name);
}

void verify_refusal(struct image *image, struct findings *findings) {
    finding_add(findings, FINDING_DAMAGE, "", -1,
                image->is_rescued ? advice_repair : advice_restore, "no broker can start: %s",
                image->refusal.text);
    if (!image->is_rescued) return;
    verify_gaps(&image->rescue, findings);
    for (size_t at = 0; at < image->lost_count; at++) verify_lost(image, image->lost[at], findings);
}
