/* The simulated disk.
 *
 *   file        pages of 8 sectors, each with its content now and its stable content; a sector that
 *               is dirty is written by the next sync, and may or may not survive a power cut; one
 *               that is forgotten is read back until then, and is written by no sync
 *   directory   its entries now and its stable entries; changes that are not stable are kept in one
 *               list, in order, and each survives a power cut or not (a rename is one change)
 *
 * A sync of a file covers neither its entry in the directory nor any other file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "io/sim_world.h"

enum {
    SECTOR = 512,
    PAGE = 4096,
    SECTORS = PAGE / SECTOR,
    FAST_NS = 200 * 1000,
    SLOW_NS = 20 * 1000 * 1000, /* one of 64 operations */
};

static const int64_t FREE_BYTES = 64ll << 30;

struct sim_page {
    uint8_t now[PAGE], stable[PAGE];
    uint8_t dirty, forgotten; /* one bit per sector; all others are stable */
};

struct sim_entry {
    char *name;
    struct sim_node *node;
};

struct sim_entries {
    struct sim_entry *at;
    size_t count;
};

struct sim_node {
    struct list link;
    bool is_directory, is_reached;
    const struct file *locked_by;
    struct sim_page **pages; /* NULL: zeros, stable */
    size_t page_count;
    uint64_t size, stable_size;
    struct sim_entries now, stable;
};

/* from == NULL: created; to == NULL: removed. */
struct sim_change {
    struct list link;
    struct sim_node *from_directory, *to_directory, *node;
    char *from, *to;
};

struct sim_disk {
    struct disk disk;
    struct sim *sim;
    uint64_t life;
};

struct sim_file {
    struct file file;
    struct sim *sim;
    struct sim_node *node;
    uint64_t life;
};

struct sim_transfer {
    struct sim_event event;
    struct list link;
    struct ring *ring;
    struct io_op *op;
    uint32_t checksum;
};

static const struct disk_calls sim_disk_calls;
static const struct file_calls sim_file_calls;

/* --- the content of files --- */

static struct sim_page *node_page(struct sim_node *node, size_t index) {
    if (index >= node->page_count) {
        size_t count = index + 1 + index / 2;
        node->pages = memory_resize(node->pages, count * sizeof *node->pages);
        memset(node->pages + node->page_count, 0, (count - node->page_count) * sizeof *node->pages);
        node->page_count = count;
    }
    if (!node->pages[index]) node->pages[index] = new_zero(struct sim_page);
    return node->pages[index];
}

/* Bytes NULL stands for zeros. */
static void node_write(struct sim_node *node, const uint8_t *bytes, size_t len, uint64_t position) {
    for (size_t done = 0; done < len;) {
        uint64_t at = position + done;
        size_t inside = at % PAGE, count = PAGE - inside < len - done ? PAGE - inside : len - done;
        struct sim_page *page = node_page(node, at / PAGE);
        if (bytes)
            memcpy(page->now + inside, bytes + done, count);
        else
            memset(page->now + inside, 0, count);
        for (size_t sector = inside / SECTOR; sector <= (inside + count - 1) / SECTOR; sector++)
            page->dirty |= (uint8_t)(1u << sector);
        page->forgotten &= (uint8_t)~page->dirty;
        done += count;
    }
    if (position + len > node->size) node->size = position + len;
}

static size_t node_read(const struct sim_node *node, uint8_t *bytes, size_t len,
                        uint64_t position) {
    if (position >= node->size) return 0;
    if (len > node->size - position) len = node->size - position;
    for (size_t done = 0; done < len;) {
        uint64_t at = position + done;
        size_t inside = at % PAGE, count = PAGE - inside < len - done ? PAGE - inside : len - done;
        struct sim_page *page = at / PAGE < node->page_count ? node->pages[at / PAGE] : NULL;
        if (page)
            memcpy(bytes + done, page->now + inside, count);
        else
            memset(bytes + done, 0, count);
        done += count;
    }
    return len;
}

static void node_truncate(struct sim_node *node, uint64_t size) {
    for (uint64_t at = size; at < node->size;) {
        uint64_t end = round_down(at, PAGE) + PAGE;
        if (end > node->size) end = node->size;
        if (at / PAGE < node->page_count && node->pages[at / PAGE])
            node_write(node, NULL, end - at, at);
        at = end;
    }
    node->size = size;
}

static void page_settle_sector(struct sim_page *page, size_t sector) {
    memcpy(page->stable + sector * SECTOR, page->now + sector * SECTOR, SECTOR);
    page->dirty &= (uint8_t) ~(1u << sector);
}

/* Makes the dirty sectors of [from, to) stable, and so much of the size as reading them needs. */
static void node_settle(struct sim_node *node, uint64_t from, uint64_t to) {
    for (uint64_t at = round_down(from, SECTOR); at < to; at += SECTOR) {
        if (at / PAGE >= node->page_count) break;
        struct sim_page *page = node->pages[at / PAGE];
        if (!page || !page->dirty)
            at = round_down(at, PAGE) + PAGE - SECTOR;
        else if (page->dirty & (1u << (at % PAGE / SECTOR)))
            page_settle_sector(page, at % PAGE / SECTOR);
    }
    uint64_t needed = to < node->size ? to : node->size;
    if (needed > node->stable_size) node->stable_size = needed;
    if (node->size < node->stable_size) node->stable_size = node->size;
}

/* As Linux after a failed write-back: sectors count as clean, the disk never got them. */
static void node_forget(struct sim_node *node, uint64_t from, uint64_t to) {
    for (uint64_t at = round_down(from, SECTOR); at < to; at += SECTOR) {
        if (at / PAGE >= node->page_count) return;
        struct sim_page *page = node->pages[at / PAGE];
        uint8_t sector = (uint8_t)(1u << (at % PAGE / SECTOR));
        if (!page || !(page->dirty & sector)) continue;
        page->dirty &= (uint8_t)~sector;
        page->forgotten |= sector;
    }
}

static void page_crash(struct sim *sim, struct sim_page *page, unsigned keep) {
    for (size_t sector = 0; sector < SECTORS; sector++)
        if ((page->dirty & (1u << sector)) && sim_chance(sim, keep))
            page_settle_sector(page, sector);
    memcpy(page->now, page->stable, PAGE);
    page->dirty = page->forgotten = 0;
}

static void node_crash(struct sim *sim, struct sim_node *node, unsigned keep) {
    if (node->size != node->stable_size && sim_chance(sim, keep)) node->stable_size = node->size;
    for (size_t at = 0; at < node->page_count; at++) {
        struct sim_page *page = node->pages[at];
        if (page && (page->dirty | page->forgotten)) page_crash(sim, page, keep);
    }
    node->size = node->stable_size;
    /* What lies behind the end reads as zeros when the file grows again. */
    for (size_t at = node->size / PAGE; at < node->page_count; at++) {
        size_t inside = at == node->size / PAGE ? node->size % PAGE : 0;
        if (!node->pages[at]) continue;
        memset(node->pages[at]->now + inside, 0, PAGE - inside);
        memset(node->pages[at]->stable + inside, 0, PAGE - inside);
    }
}

/* --- directories --- */

static struct sim_entry *entries_find(const struct sim_entries *entries, const char *name,
                                      size_t len) {
    for (size_t at = 0; at < entries->count; at++) {
        const char *other = entries->at[at].name;
        if (strncmp(other, name, len) == 0 && !other[len]) return &entries->at[at];
    }
    return NULL;
}

static void entries_put(struct sim_entries *entries, const char *name, struct sim_node *node) {
    struct sim_entry *old = entries_find(entries, name, strlen(name));
    if (old) {
        old->node = node;
        return;
    }
    entries->at = memory_resize(entries->at, (entries->count + 1) * sizeof *entries->at);
    entries->at[entries->count++] = (struct sim_entry){memory_copy_text(name), node};
}

/* Only when the name still means this node. */
static void entries_remove(struct sim_entries *entries, const char *name,
                           const struct sim_node *node) {
    struct sim_entry *old = entries_find(entries, name, strlen(name));
    if (!old || old->node != node) return;
    free(old->name);
    *old = entries->at[--entries->count];
}

static void entries_clear(struct sim_entries *entries) {
    for (size_t at = 0; at < entries->count; at++) free(entries->at[at].name);
    free(entries->at);
    *entries = (struct sim_entries){0};
}

static struct sim_node *node_new(struct sim *sim, bool is_directory) {
    struct sim_node *node = new_zero(struct sim_node);
    node->is_directory = is_directory;
    list_append(&sim->nodes, &node->link);
    return node;
}

static void node_free(struct sim_node *node) {
    list_remove(&node->link);
    for (size_t at = 0; at < node->page_count; at++) free(node->pages[at]);
    free(node->pages);
    entries_clear(&node->now);
    entries_clear(&node->stable);
    free(node);
}

static void change_apply_to(struct sim_entries *from, struct sim_entries *to,
                            const struct sim_change *change) {
    if (from) entries_remove(from, change->from, change->node);
    if (to) entries_put(to, change->to, change->node);
}

static void change_free(struct sim_change *change) {
    list_remove(&change->link);
    free(change->from);
    free(change->to);
    free(change);
}

static void change_settle(struct sim_change *change) {
    change_apply_to(change->from_directory ? &change->from_directory->stable : NULL,
                    change->to_directory ? &change->to_directory->stable : NULL, change);
    change_free(change);
}

static bool change_touches(const struct sim_change *change) {
    return (change->from_directory && change->from_directory->is_reached) ||
           (change->to_directory && change->to_directory->is_reached);
}

struct sim_place {
    struct sim_node *directory;
    const char *name;
};

static void change_make(struct sim *sim, struct sim_node *node, struct sim_place from,
                        struct sim_place to) {
    struct sim_change *change = new_zero(struct sim_change);
    *change = (struct sim_change){
        .node = node, .from_directory = from.directory, .to_directory = to.directory};
    change->from = from.directory ? memory_copy_text(from.name) : NULL;
    change->to = to.directory ? memory_copy_text(to.name) : NULL;
    change_apply_to(from.directory ? &from.directory->now : NULL,
                    to.directory ? &to.directory->now : NULL, change);
    list_append(&sim->changes, &change->link);
}

/* Changes of this directory become stable; one that also touches another takes along what happened
 * to that one before, so that no order turns around. */
static void directory_settle(struct sim *sim, struct sim_node *directory) {
    list_each(node, &sim->nodes) list_entry(node, struct sim_node, link)->is_reached = false;
    directory->is_reached = true;
    struct list chosen;
    list_init(&chosen);
    for (struct list *node = sim->changes.previous, *before; node != &sim->changes; node = before) {
        before = node->previous;
        struct sim_change *change = list_entry(node, struct sim_change, link);
        if (!change_touches(change)) continue;
        if (change->from_directory) change->from_directory->is_reached = true;
        if (change->to_directory) change->to_directory->is_reached = true;
        list_remove(node);
        list_prepend(&chosen, node);
    }
    list_each(node, &chosen) change_settle(list_entry(node, struct sim_change, link));
}

static struct sim_node *node_find(struct sim *sim, const char *path) {
    struct sim_node *node = sim->root;
    while (node && *path) {
        size_t len = strcspn(path, "/");
        if (len > 0 && !(len == 1 && *path == '.')) {
            struct sim_entry *entry =
                node->is_directory ? entries_find(&node->now, path, len) : NULL;
            node = entry ? entry->node : NULL;
        }
        path += len + (path[len] == '/');
    }
    return node;
}

/* The directory that holds the last part of the path, which need not exist. */
static struct sim_place place_of(struct sim *sim, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return (struct sim_place){sim->root, path};
    char parent[4096];
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    struct sim_node *node = node_find(sim, parent);
    return (struct sim_place){node && node->is_directory ? node : NULL, slash + 1};
}

/* --- faults --- */

/* How much of a write is stored. */
enum stored { STORED_ALL, STORED_PART, STORED_UNSTABLE, STORED_FORGOTTEN, STORED_NOTHING };

struct outcome {
    int failed; /* 0, or the positive errno */
    enum stored stored;
};

static struct outcome spoil_outcome(struct sim *sim, bool is_write) {
    switch ((enum sim_spoil)sim->spoil) {
        case SIM_SPOIL_SHORT:
            sim->is_spoilt = is_write;
            return is_write ? (struct outcome){ENOSPC, STORED_PART} : (struct outcome){0};
        case SIM_SPOIL_LOST: sim->is_spoilt = is_write; return (struct outcome){0, STORED_NOTHING};
        case SIM_SPOIL_FORGOTTEN:
            sim->is_spoilt = is_write;
            return is_write ? (struct outcome){EIO, STORED_FORGOTTEN} : (struct outcome){0};
        case SIM_SPOIL_TORN:
        case SIM_SPOIL_STOP:
            sim->is_spoilt = sim->disk_stopped = true;
            return (struct outcome){
                EIO, sim->spoil == SIM_SPOIL_TORN ? STORED_UNSTABLE : STORED_NOTHING};
    }
    unreachable();
}

static enum stored stored_by_failure(struct sim *sim) {
    if (sim->fault_errno == 0) return STORED_PART;
    if (sim->fault_errno == EIO && sim_chance(sim, 3)) return STORED_FORGOTTEN;
    return sim_chance(sim, 4) ? STORED_PART : STORED_NOTHING;
}

/* Counts the operation and says what becomes of it. */
static struct outcome disk_outcome(struct sim *sim, enum sim_operation operation) {
    bool is_write = operation == SIM_WRITE;
    if (sim->before_operation) sim->before_operation(sim->watcher, operation);
    sim->disk_operations++;
    if (sim->disk_stopped) return (struct outcome){EIO, STORED_NOTHING};
    if (sim->fault_in == 0) return (struct outcome){0};
    if (sim->fault_in > 1) {
        sim->fault_in--;
        return (struct outcome){0};
    }
    bool waits_for_write = sim->spoil < 0 && sim->fault_errno == 0;
    if (waits_for_write && !is_write) return (struct outcome){0};
    sim->fault_in = 0;
    if (sim->spoil >= 0) return spoil_outcome(sim, is_write);
    sim->is_spoilt = true;
    return (struct outcome){sim->fault_errno ? sim->fault_errno : ENOSPC,
                            is_write ? stored_by_failure(sim) : STORED_NOTHING};
}

static int disk_step(struct sim_disk *disk, enum sim_operation operation) {
    if (disk->life != disk->sim->life) return -EIO; /* of an older life */
    return -disk_outcome(disk->sim, operation).failed;
}

static int file_step(struct sim_file *file, enum sim_operation operation) {
    if (file->life != file->sim->life) return -EIO;
    return -disk_outcome(file->sim, operation).failed;
}

void sim_fail_disk(struct sim *sim, uint64_t at, int error_number) {
    sim->fault_in = at;
    sim->fault_errno = error_number;
    sim->spoil = -1;
    sim->is_spoilt = false;
}

void sim_spoil_disk(struct sim *sim, uint64_t at, enum sim_spoil spoil) {
    sim->fault_in = at;
    sim->spoil = (int)spoil;
    sim->is_spoilt = false;
}

void sim_watch_disk(struct sim *sim, void (*before)(void *context, enum sim_operation operation),
                    void *context) {
    sim->before_operation = before;
    sim->watcher = context;
}

bool sim_disk_has_stopped(const struct sim *sim) { return sim->disk_stopped; }
bool sim_disk_is_spoilt(const struct sim *sim) { return sim->is_spoilt; }

uint64_t sim_disk_operations(const struct sim *sim) { return sim->disk_operations; }

/* --- the disk's calls --- */

static struct sim_disk *disk_of(struct disk *disk) {
    return container_of(disk, struct sim_disk, disk);
}

struct disk *sim_disk_open(struct sim *sim) {
    struct sim_disk *disk = new_zero(struct sim_disk);
    disk->disk = (struct disk){&sim_disk_calls, memory_copy_text("(simulated)"), true};
    disk->sim = sim;
    disk->life = sim->life;
    return &disk->disk;
}

static void disk_sim_close(struct disk *disk) {
    free(disk->root);
    free(disk_of(disk));
}

static int64_t disk_sim_free_bytes(struct disk *disk) {
    (void)disk;
    return FREE_BYTES;
}

static int disk_sim_make_directory(struct disk *disk, const char *path) {
    struct sim *sim = disk_of(disk)->sim;
    int failed = disk_step(disk_of(disk), SIM_CHANGE);
    if (failed) return failed;
    struct sim_place place = place_of(sim, path);
    if (!place.directory) return -ENOENT;
    if (node_find(sim, path)) return -EEXIST;
    change_make(sim, node_new(sim, true), (struct sim_place){0}, place);
    return 0;
}

static int disk_sim_remove(struct disk *disk, const char *path, bool is_directory) {
    struct sim *sim = disk_of(disk)->sim;
    int failed = disk_step(disk_of(disk), SIM_CHANGE);
    if (failed) return failed;
    struct sim_node *node = node_find(sim, path);
    if (!node) return -ENOENT;
    if (node->is_directory != is_directory) return is_directory ? -ENOTDIR : -EISDIR;
    if (node->now.count > 0) return -ENOTEMPTY;
    change_make(sim, node, place_of(sim, path), (struct sim_place){0});
    return 0;
}

static int disk_sim_remove_directory(struct disk *disk, const char *path) {
    return disk_sim_remove(disk, path, true);
}

static int disk_sim_unlink(struct disk *disk, const char *path) {
    return disk_sim_remove(disk, path, false);
}

static int disk_sim_sync_directory(struct disk *disk, const char *path) {
    int failed = disk_step(disk_of(disk), SIM_CHANGE);
    if (failed) return failed;
    struct sim_node *node = node_find(disk_of(disk)->sim, path);
    if (!node) return -ENOENT;
    if (!node->is_directory) return -ENOTDIR;
    directory_settle(disk_of(disk)->sim, node);
    return 0;
}

static int disk_sim_rename(struct disk *disk, const char *from, const char *to) {
    struct sim *sim = disk_of(disk)->sim;
    int failed = disk_step(disk_of(disk), SIM_CHANGE);
    if (failed) return failed;
    struct sim_node *node = node_find(sim, from), *old = node_find(sim, to);
    struct sim_place place = place_of(sim, to);
    if (!node || !place.directory) return -ENOENT;
    if (node == old) return 0;
    if (old && old->is_directory != node->is_directory)
        return old->is_directory ? -EISDIR : -ENOTDIR;
    if (old && old->now.count > 0) return -ENOTEMPTY;
    change_make(sim, node, place_of(sim, from), place);
    return 0;
}

static int disk_sim_list(struct disk *disk, const char *path,
                         int (*entry)(void *context, const char *name, bool is_directory),
                         void *context) {
    int failed = disk_step(disk_of(disk), SIM_READ);
    if (failed) return failed;
    struct sim_node *node = node_find(disk_of(disk)->sim, path);
    if (!node) return -ENOENT;
    if (!node->is_directory) return -ENOTDIR;
    /* From a copy: the caller may remove what it is told. */
    struct sim_entries copy = {0};
    for (size_t at = 0; at < node->now.count; at++)
        entries_put(&copy, node->now.at[at].name, node->now.at[at].node);
    int answer = 0;
    for (size_t at = 0; at < copy.count && !answer; at++)
        answer = entry(context, copy.at[at].name, copy.at[at].node->is_directory);
    entries_clear(&copy);
    return answer;
}

static int disk_sim_open(struct disk *disk, const char *path, int mode, struct file **file) {
    struct sim *sim = disk_of(disk)->sim;
    struct sim_node *node = node_find(sim, path);
    bool creates = !node && (mode & FILE_CREATE);
    int failed = disk_step(disk_of(disk), creates ? SIM_CHANGE : SIM_READ);
    if (failed) return failed;
    struct sim_place place = place_of(sim, path);
    if (node && node->is_directory) return -EISDIR;
    if (node && (mode & FILE_EXCLUSIVE)) return -EEXIST;
    if (!node && (!(mode & FILE_CREATE) || !place.directory)) return -ENOENT;
    if (!node) {
        node = node_new(sim, false);
        change_make(sim, node, (struct sim_place){0}, place);
    }
    struct sim_file *opened = new_zero(struct sim_file);
    opened->file.calls = &sim_file_calls;
    opened->file.fd = -1;
    opened->file.is_direct = mode & FILE_DIRECT;
    opened->sim = sim;
    opened->node = node;
    opened->life = sim->life;
    *file = &opened->file;
    return 0;
}

/* --- the files' calls: they block, so they happen at once --- */

static struct sim_file *file_of(struct file *file) {
    return container_of(file, struct sim_file, file);
}

static bool file_lives(struct sim_file *file) { return file->life == file->sim->life; }

static void file_sim_close(struct file *file) {
    struct sim_file *self = file_of(file);
    if (file_lives(self) && self->node->locked_by == file) self->node->locked_by = NULL;
    free(self);
}

static int64_t file_sim_size(struct file *file) {
    return file_lives(file_of(file)) ? (int64_t)file_of(file)->node->size : -EIO;
}

static int64_t file_sim_read_at(struct file *file, void *at, size_t len, uint64_t position) {
    int failed = file_step(file_of(file), SIM_READ);
    return failed ? failed : (int64_t)node_read(file_of(file)->node, at, len, position);
}

/* Now and then nothing is cached. */
static int64_t file_sim_read_cached(struct file *file, void *at, size_t len, uint64_t position) {
    struct sim_file *self = file_of(file);
    if (!file_lives(self)) return -EIO;
    if (sim_chance(self->sim, 2)) return -EAGAIN;
    return (int64_t)node_read(self->node, at, len, position);
}

/* Whole sectors of the beginning, as a torn or short write leaves them. */
static size_t part_of(struct sim *sim, size_t len) {
    return round_down(random_below(&sim->random, len + 1), SECTOR);
}

static size_t stored_of(struct sim *sim, struct outcome outcome, size_t len) {
    if (outcome.stored == STORED_PART) return part_of(sim, len);
    return outcome.stored == STORED_NOTHING ? 0 : len;
}

/* A write that was lost has made the file longer all the same. */
static void node_grow(struct sim_node *node, uint64_t size) {
    if (size > node->size) node->size = size;
}

static int file_sim_write_at(struct file *file, const void *at, size_t len, uint64_t position) {
    struct sim_file *self = file_of(file);
    if (!file_lives(self)) return -EIO;
    struct outcome outcome = disk_outcome(self->sim, SIM_WRITE);
    size_t stored = stored_of(self->sim, outcome, len);
    if (stored > 0) node_write(self->node, at, stored, position);
    if (outcome.stored == STORED_FORGOTTEN) node_forget(self->node, position, position + len);
    if (!outcome.failed) node_grow(self->node, position + len);
    return -outcome.failed;
}

static int file_sim_sync(struct file *file) {
    struct sim_file *self = file_of(file);
    int failed = file_step(self, SIM_CHANGE);
    if (!failed) {
        node_settle(self->node, 0, self->node->size);
        node_settle(self->node, self->node->size, self->node->page_count * (uint64_t)PAGE);
    } else if (file_lives(self)) {
        node_forget(self->node, 0, self->node->page_count * (uint64_t)PAGE);
    }
    return failed;
}

static int file_sim_truncate(struct file *file, uint64_t size) {
    int failed = file_step(file_of(file), SIM_CHANGE);
    if (!failed) node_truncate(file_of(file)->node, size);
    return failed;
}

static int file_sim_lock(struct file *file) {
    struct sim_node *node = file_of(file)->node;
    if (!file_lives(file_of(file))) return -EIO;
    if (node->locked_by && node->locked_by != file) return -EAGAIN;
    node->locked_by = file;
    return 0;
}

/* --- transfers of rings --- */

static uint32_t op_checksum(const struct io_op *op) {
    uint32_t sum = 0;
    for (int at = 0; at < op->piece_count; at++)
        sum = crc32c_extend(sum, op->pieces[at].iov_base, op->pieces[at].iov_len);
    return sum;
}

static size_t op_size(const struct io_op *op) {
    size_t size = 0;
    for (int at = 0; at < op->piece_count; at++) size += op->pieces[at].iov_len;
    return size;
}

/* Stores the first `limit` bytes of the operation. */
static void transfer_store(const struct io_op *op, size_t limit) {
    uint64_t position = op->position;
    for (int at = 0; at < op->piece_count && limit > 0; at++) {
        size_t len = op->pieces[at].iov_len < limit ? op->pieces[at].iov_len : limit;
        node_write(file_of(op->file)->node, op->pieces[at].iov_base, len, position);
        position += len;
        limit -= len;
    }
}

static int64_t transfer_write(struct sim *sim, struct sim_transfer *transfer) {
    struct io_op *op = transfer->op;
    check(op_checksum(op) == transfer->checksum && "a buffer was changed while it was written");
    struct sim_node *node = file_of(op->file)->node;
    size_t size = op_size(op);
    struct outcome outcome = disk_outcome(sim, SIM_WRITE);
    transfer_store(op, stored_of(sim, outcome, size));
    if (outcome.stored == STORED_FORGOTTEN) node_forget(node, op->position, op->position + size);
    if (outcome.failed) return -outcome.failed;
    node_grow(node, op->position + size);
    if (op->durable) node_settle(node, op->position, op->position + size);
    return (int64_t)size;
}

static void transfer_free(struct sim *sim, struct sim_transfer *transfer) {
    sim_forget(sim, &transfer->event);
    list_remove(&transfer->link);
    free(transfer);
}

static void transfer_happen(struct sim *sim, struct sim_event *event) {
    struct sim_transfer *transfer = container_of(event, struct sim_transfer, event);
    struct io_op *op = transfer->op;
    int64_t result;
    if (op->kind == IO_WRITE)
        result = transfer_write(sim, transfer);
    else
        result = file_sim_read_at(op->file, op->piece.iov_base, op->piece.iov_len, op->position);
    struct ring *ring = transfer->ring;
    transfer_free(sim, transfer);
    op->private = NULL;
    op_complete(ring, op, result);
}

void sim_disk_submit(struct ring *ring, struct io_op *op) {
    struct sim *sim = sim_ring_of(ring)->sim;
    check(op->file->calls == &sim_file_calls && file_lives(file_of(op->file)));
    struct sim_transfer *transfer = new_zero(struct sim_transfer);
    transfer->event.happen = transfer_happen;
    transfer->ring = ring;
    transfer->op = op;
    if (op->kind == IO_WRITE)
        transfer->checksum = op_checksum(op);
    else
        memset(op->piece.iov_base, 0xa5, op->piece.iov_len); /* the kernel's from here on */
    op->private = transfer;
    list_append(&sim->transfers, &transfer->link);
    sim_soon(sim, &transfer->event, random_below(&sim->random, 64) ? FAST_NS : SLOW_NS);
}

void sim_disk_drop(struct sim_ring *ring) {
    list_each(node, &ring->sim->transfers) {
        struct sim_transfer *transfer = list_entry(node, struct sim_transfer, link);
        if (transfer->ring == &ring->ring) transfer_free(ring->sim, transfer);
    }
}

/* --- crashes --- */

/* A write in flight has reached the disk not at all, in part, or wholly. */
static void transfers_crash(struct sim *sim) {
    list_each(node, &sim->transfers) {
        struct sim_transfer *transfer = list_entry(node, struct sim_transfer, link);
        struct io_op *op = transfer->op;
        if (op->kind == IO_WRITE && file_lives(file_of(op->file)) && sim_chance(sim, 6)) {
            check(op_checksum(op) == transfer->checksum);
            size_t size = op_size(op);
            transfer_store(op, sim_chance(sim, 4) ? size : part_of(sim, size));
        }
        transfer_free(sim, transfer);
    }
}

static void changes_crash(struct sim *sim, unsigned keep) {
    list_each(node, &sim->changes) {
        struct sim_change *change = list_entry(node, struct sim_change, link);
        if (sim_chance(sim, keep))
            change_settle(change);
        else
            change_free(change);
    }
}

static void directory_crash(struct sim_node *node) {
    entries_clear(&node->now);
    for (size_t at = 0; at < node->stable.count; at++)
        entries_put(&node->now, node->stable.at[at].name, node->stable.at[at].node);
}

static void node_reach(struct sim_node *node) {
    if (!node || node->is_reached) return;
    node->is_reached = true;
    for (size_t at = 0; at < node->now.count; at++) node_reach(node->now.at[at].node);
    for (size_t at = 0; at < node->stable.count; at++) node_reach(node->stable.at[at].node);
}

/* Nobody has a file open now: what no directory and no change names is gone. */
static void nodes_sweep(struct sim *sim) {
    list_each(node, &sim->nodes) list_entry(node, struct sim_node, link)->is_reached = false;
    node_reach(sim->root);
    list_each(node, &sim->changes) {
        struct sim_change *change = list_entry(node, struct sim_change, link);
        node_reach(change->node);
        node_reach(change->from_directory);
        node_reach(change->to_directory);
    }
    list_each(node, &sim->nodes) {
        struct sim_node *found = list_entry(node, struct sim_node, link);
        found->locked_by = NULL;
        if (!found->is_reached) node_free(found);
    }
}

void sim_disk_crash(struct sim *sim, int keep) {
    transfers_crash(sim);
    sim->fault_in = 0;
    sim->disk_stopped = false;
    if (keep >= 0) {
        changes_crash(sim, (unsigned)keep);
        list_each(node, &sim->nodes) {
            struct sim_node *found = list_entry(node, struct sim_node, link);
            if (found->is_directory)
                directory_crash(found);
            else
                node_crash(sim, found, (unsigned)keep);
        }
    }
    nodes_sweep(sim);
}

void sim_disk_init(struct sim *sim) {
    list_init(&sim->nodes);
    list_init(&sim->changes);
    list_init(&sim->transfers);
    sim->root = node_new(sim, true);
}

void sim_disk_deinit(struct sim *sim) {
    list_each(node, &sim->transfers)
        transfer_free(sim, list_entry(node, struct sim_transfer, link));
    list_each(node, &sim->changes) change_free(list_entry(node, struct sim_change, link));
    list_each(node, &sim->nodes) node_free(list_entry(node, struct sim_node, link));
}

static const struct disk_calls sim_disk_calls = {
    .close = disk_sim_close,
    .free_bytes = disk_sim_free_bytes,
    .make_directory = disk_sim_make_directory,
    .remove_directory = disk_sim_remove_directory,
    .sync_directory = disk_sim_sync_directory,
    .rename = disk_sim_rename,
    .unlink = disk_sim_unlink,
    .list = disk_sim_list,
    .open = disk_sim_open,
};

static const struct file_calls sim_file_calls = {
    .close = file_sim_close,
    .size = file_sim_size,
    .read_at = file_sim_read_at,
    .read_cached = file_sim_read_cached,
    .write_at = file_sim_write_at,
    .sync = file_sim_sync,
    .allocate = file_sim_truncate, /* space is never short here: only the size matters */
    .truncate = file_sim_truncate,
    .lock = file_sim_lock,
};
