#include "offline/verify_segment.h"

#include <errno.h>

#include "base/memory.h"
#include "storage/layout.h"
#include "storage/segment_walk.h"

enum { TOLD_MAX = 20 /* findings of one file; the rest is counted */ };

static const char *const advice_batch =
    "reads of it answer CORRUPT_MESSAGE; `millrace log repair` takes it out and keeps the file";
static const char *const advice_index =
    "reads find their way without it; `millrace log repair` writes it again";
static const char *const advice_file =
    "put the file back from a backup, or let `millrace log repair` go on without it";

struct pass {
    struct segment_check *check;
    struct findings *findings;
    struct file *file;
    char path[LAYOUT_PATH_SIZE];
    struct index index;
    bool has_index;
    size_t index_at;      /* its next entry */
    uint64_t end;         /* behind the last batch */
    int64_t next_offset;  /* likewise */
    uint64_t damage_told; /* where it begins, so that nothing is told twice */
};

static void found(struct pass *pass, uint64_t position, const char *advice, const char *what) {
    pass->check->batches_bad++;
    if (!pass->findings || pass->check->batches_bad > TOLD_MAX) return;
    finding_add(pass->findings, FINDING_DAMAGE, pass->path, (int64_t)position, advice, "%s", what);
}

/* --- batches --- */

static bool crc_holds(struct pass *pass, uint64_t position, size_t size) {
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(pass->file, batch, size, position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size));
    free(batch);
    return holds;
}

static void pass_damage(struct pass *pass, uint64_t from, uint64_t upto) {
    char what[160];
    if (from == pass->damage_told) return;
    snprintf(what, sizeof what, "%llu bytes of %s, from offset %lld on, are no batches",
             (unsigned long long)(upto - from), pass->check->name, (long long)pass->next_offset);
    found(pass, from, advice_batch, what);
}

static void pass_batch(struct pass *pass, const struct segment_walker *walk) {
    const struct batch_header *header = &walk->header;
    char what[160];
    bool behind_damage = walk->damaged_from != UINT64_MAX;
    if (behind_damage) pass_damage(pass, walk->damaged_from, walk->position);
    if (!crc_holds(pass, walk->position, batch_size(header))) {
        pass->damage_told = walk->position;
        snprintf(what, sizeof what,
                 "the batch of offsets %lld to %lld of %s does not match its checksum",
                 (long long)header->base_offset, (long long)batch_last_offset(header),
                 pass->check->name);
        found(pass, walk->position, advice_batch, what);
    } else if (header->base_offset != pass->next_offset && !behind_damage &&
               !pass->check->gaps_allowed) {
        snprintf(what, sizeof what, "offsets %lld to %lld of %s are missing before it",
                 (long long)pass->next_offset, (long long)header->base_offset - 1,
                 pass->check->name);
        found(pass, walk->position, advice_file, what);
    }
    pass->end = walk->position + batch_size(header);
    pass->next_offset = batch_last_offset(header) + 1;
}

/* Its entries are beginnings of batches. */
static void pass_index(struct pass *pass, const struct segment_walker *walk) {
    const struct index *index = &pass->index;
    if (!pass->has_index) return;
    while (pass->index_at < index->count &&
           index->entries[pass->index_at].position < walk->position)
        pass->index_at++, pass->check->index_bad = true;
    if (pass->index_at == index->count || index->entries[pass->index_at].position > walk->position)
        return;
    if (index->entries[pass->index_at].offset != walk->header.base_offset)
        pass->check->index_bad = true;
    pass->index_at++;
}

/* The batch that begins in the file and ends in memory. */
static void pass_crossing(struct pass *pass, uint64_t position) {
    const struct segment_check *check = pass->check;
    size_t in_file = (size_t)(check->settled - position);
    size_t len = (size_t)(check->segment->end - position);
    uint8_t *bytes = memory_new(len);
    struct batch_header header;
    bool fine = file_read_at(pass->file, bytes, in_file, position) == (int64_t)in_file;
    tail_copy(&check->partition->tail, (struct place){check->segment->number, check->settled},
              bytes + in_file, len - in_file);
    fine = fine && batch_header_read(bytes_make(bytes, len), &header) &&
           batch_size(&header) <= len && batch_crc_valid(bytes_make(bytes, batch_size(&header)));
    free(bytes);
    if (!fine) pass_damage(pass, position, check->settled);
}

static void pass_end(struct pass *pass, const struct segment_walker *walk, uint64_t crossing) {
    const struct segment *segment = pass->check->segment;
    if (walk->upto < segment->end) {
        if (crossing == UINT64_MAX && walk->damaged_from != UINT64_MAX)
            pass_damage(pass, walk->damaged_from, walk->upto);
        else if (crossing != UINT64_MAX || pass->end < walk->upto)
            pass_crossing(pass, crossing != UINT64_MAX ? crossing : pass->end);
    } else if (pass->end < segment->end) {
        pass_damage(pass, pass->end, segment->end);
    } else if (pass->next_offset != segment->next_offset && !pass->check->gaps_allowed) {
        found(pass, pass->end, advice_file, "it ends before the offset that the table names");
    }
}

static void pass_walk(struct pass *pass) {
    const struct segment *segment = pass->check->segment;
    struct segment_walker walk;
    uint64_t upto = segment->end, crossing = UINT64_MAX;
    if (!pass->check->is_settled && pass->check->settled < upto) upto = pass->check->settled;
    pass->end = SEGMENT_START;
    pass->next_offset = segment->base_offset;
    pass->damage_told = UINT64_MAX;
    segment_walker_init(&walk, pass->file, segment, upto);
    while (crossing == UINT64_MAX && segment_walker_next(&walk)) {
        if (walk.position + batch_size(&walk.header) <= upto) {
            pass_batch(pass, &walk);
            pass_index(pass, &walk);
            continue;
        }
        if (walk.damaged_from != UINT64_MAX) pass_damage(pass, walk.damaged_from, walk.position);
        crossing = walk.position;
    }
    pass_end(pass, &walk, crossing);
    segment_walker_deinit(&walk);
}

/* --- the index --- */

/* A segment that was sealed while the disk was full has no footer. */
static bool has_footer(struct pass *pass) {
    int64_t size = file_size(pass->file);
    return pass->check->segment->sealed &&
           size > (int64_t)round_up(pass->check->segment->end, DISK_BLOCK);
}

static void pass_footer(struct pass *pass) {
    if (!has_footer(pass)) return;
    pass->has_index = segment_load_footer(pass->file, pass->check->segment, &pass->index);
    pass->check->index_bad = !pass->has_index;
}

static void pass_end_index(struct pass *pass) {
    if (pass->has_index && pass->index_at < pass->index.count) pass->check->index_bad = true;
    if (pass->has_index) index_deinit(&pass->index);
    if (!pass->check->index_bad || !pass->findings) return;
    finding_add(pass->findings, FINDING_DAMAGE, pass->path,
                (int64_t)round_up(pass->check->segment->end, DISK_BLOCK), advice_index,
                pass->has_index ? "its index names places at which no batch begins"
                                : "its index or trailer does not match its checksum");
}

/* --- the file --- */

static void pass_missing(struct pass *pass, int result) {
    const struct segment *segment = pass->check->segment;
    pass->check->is_missing = result == -ENOENT || result == -EBADMSG;
    pass->check->batches_bad++;
    if (!pass->findings) return;
    finding_add(pass->findings, FINDING_DAMAGE, pass->path, 0, advice_file,
                "offsets %lld to %lld of %s cannot be read: %s", (long long)segment->base_offset,
                (long long)segment->next_offset - 1, pass->check->name,
                result == -ENOENT    ? "the file is gone"
                : result == -EBADMSG ? "its header is damaged, or that of another file"
                                     : strerror(-result));
}

void segment_verify(struct segment_check *check, struct findings *findings) {
    struct pass pass = {.check = check, .findings = findings};
    const struct segment_identity *identity = &check->identity;
    check->batches_bad = 0;
    check->index_bad = check->is_missing = false;
    layout_segment(pass.path, identity->partition, identity->segment, identity->revision);
    bool has_bytes = check->segment->end > SEGMENT_START &&
                     (check->is_settled || check->settled > SEGMENT_START);
    if (!has_bytes) return; /* an idle one has no file */
    int result = segment_open_read(check->disk, identity, &pass.file);
    if (result < 0) {
        pass_missing(&pass, result);
        return;
    }
    pass_footer(&pass);
    pass_walk(&pass);
    pass_end_index(&pass);
    file_close(pass.file);
    if (findings && check->batches_bad > TOLD_MAX)
        finding_add(findings, FINDING_DAMAGE, pass.path, -1, advice_batch,
                    "%u more places like these", check->batches_bad - TOLD_MAX);
}
