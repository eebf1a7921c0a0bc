/* Files that nothing refers to, each with what becomes of it. */
#include "base/memory.h"
#include "offline/verify.h"
#include "storage/layout.h"

static const char *const advice_start = "the next start removes it";
static const char *const advice_stay = "the broker leaves it alone";
static const char *const advice_reuse = "it is written over when its number comes";

struct names {
    struct image *image;
    struct findings *findings;
    const char *folder;
};

static void note(const struct names *names, const char *name, const char *advice,
                 const char *what) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", names->folder, name);
    finding_add(names->findings, FINDING_NOTE, path, -1, advice, "%s", what);
}

static int verify_segment_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    const struct names *names = context;
    uint32_t id, number, revision;
    if (!layout_segment_parse(name, &id, &number, &revision)) {
        note(names, name, advice_stay, "it is no file of ours");
        return 0;
    }
    if (!names->image->recovered) return 0;
    const struct partition *partition = recovered_find(names->image->recovered, id);
    if (!partition) {
        note(names, name, advice_start, "it is of a partition that was deleted");
        return 0;
    }
    const struct segment *segment = partition_segment(partition, number);
    if (segment && segment->revision == revision) return 0;
    bool is_ahead = partition->segment_count == 0 || number > partition_active(partition)->number;
    if (partition->offline)
        note(names, name, "`millrace log repair` looks at it", "the table does not know it");
    else if (is_ahead)
        note(names, name, advice_reuse, "it was made ahead, or never taken into use");
    else
        note(names, name, advice_start, "it was trimmed or replaced");
    return 0;
}

static int verify_snapshot_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    const struct names *names = context;
    char own[LAYOUT_PATH_SIZE];
    unsigned shard;
    bool ours = sscanf(name, "%u", &shard) == 1 && shard < names->image->directory.shard_count;
    if (ours) layout_snapshot(own, shard);
    ours = ours && strcmp(own + sizeof LAYOUT_SNAPSHOTS, name) == 0;
    layout_snapshot_copy(own);
    if (!ours && strcmp(own + sizeof LAYOUT_SNAPSHOTS, name) != 0)
        note(names, name, advice_stay,
             "it is no snapshot: a crash left it, or somebody put it there");
    return 0;
}

static int verify_journal_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    uint32_t core, number;
    if (!layout_journal_parse(name, &core, &number))
        note(context, name, advice_stay, "it is no file of ours");
    return 0;
}

static int verify_aside_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    note(context, name, "remove it when nobody wants to look at it any more",
         "it holds what a start or a repair has set aside");
    return 0;
}

void verify_names(struct image *image, struct findings *findings) {
    static const struct {
        const char *folder;
        int (*entry)(void *context, const char *name, bool is_directory);
    } folders[] = {{LAYOUT_JOURNALS, verify_journal_name},
                   {LAYOUT_SNAPSHOTS, verify_snapshot_name},
                   {LAYOUT_SEGMENTS, verify_segment_name},
                   {LAYOUT_DAMAGED, verify_aside_name}};
    for (size_t at = 0; at < array_count(folders); at++) {
        struct names names = {image, findings, folders[at].folder};
        disk_list(image->real, folders[at].folder, folders[at].entry, &names);
    }
}
