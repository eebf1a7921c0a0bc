/* Every path that was opened or changed has a node:
 *
 *   below    the file under it, by the name that it has there; NULL: none, or nothing of it counts
 *   pages    4 KiB each, of what was written; they lie over the file
 *
 * A removed path keeps its node, so that what is below stays hidden. A node lives as long as the
 * view: handles point to it. */
#include "io/disk_view.h"

#include <errno.h>

#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/disk.h"

struct view_page {
    struct map_node node;
    uint64_t number;
    uint8_t at[DISK_BLOCK];
};

struct view_node {
    struct list link;
    struct map_node by_path;
    char *path;  /* NULL: renamed over, only handles know it */
    char *below; /* its name below; NULL: none */
    bool exists, is_directory;
    uint64_t size, below_size; /* below_size: so much of the file below is seen */
    struct map pages;
};

struct view_disk {
    struct disk disk;
    struct disk *below;
    struct list nodes;
    struct map paths;
};

struct view_file {
    struct file file;
    struct view_node *node;
    struct file *below; /* for reading; NULL: none */
};

static const struct disk_calls view_disk_calls;
static const struct file_calls view_file_calls;

static struct view_disk *view_of(struct disk *disk) {
    return container_of(disk, struct view_disk, disk);
}

static struct view_file *view_file_of(struct file *file) {
    return container_of(file, struct view_file, file);
}

/* --- nodes --- */

static struct view_node *node_find(struct view_disk *view, const char *path) {
    struct map_node *at = map_find(&view->paths, hash_bytes(bytes_of_text(path)));
    for (; at; at = map_find_next(at)) {
        struct view_node *node = map_entry(at, struct view_node, by_path);
        if (strcmp(node->path, path) == 0) return node;
    }
    return NULL;
}

static void node_name(struct view_disk *view, struct view_node *node, const char *path) {
    node->path = memory_copy_text(path);
    map_insert(&view->paths, &node->by_path, hash_bytes(bytes_of_text(path)));
}

static void node_unname(struct view_disk *view, struct view_node *node) {
    map_remove(&view->paths, &node->by_path);
    free(node->path);
    node->path = NULL;
}

static struct view_node *node_new(struct view_disk *view, const char *path) {
    struct view_node *node = new_zero(struct view_node);
    node_name(view, node, path);
    node->exists = true;
    map_init(&node->pages);
    list_prepend(&view->nodes, &node->link);
    return node;
}

static void node_free(struct view_node *node) {
    struct map_node *next;
    for (struct map_node *at = map_first(&node->pages); at; at = next) {
        next = map_next(&node->pages, at);
        free(map_entry(at, struct view_page, node));
    }
    map_deinit(&node->pages);
    free(node->path);
    free(node->below);
    free(node);
}

/* The node of what is at the path, or was before it was removed. -ENOENT when nothing ever was. */
static int node_get(struct view_disk *view, const char *path, struct view_node **out) {
    *out = node_find(view, path);
    if (*out) return 0;
    struct file *below;
    int result = file_open(view->below, path, FILE_READ, &below);
    if (result < 0) return result;
    int64_t size = file_size(below);
    file_close(below);
    if (size < 0) return (int)size;
    *out = node_new(view, path);
    (*out)->below = memory_copy_text(path);
    (*out)->size = (*out)->below_size = (uint64_t)size;
    return 0;
}

static struct view_page *node_page(const struct view_node *node, uint64_t number) {
    struct map_node *at = map_find(&node->pages, hash_u64(number));
    for (; at; at = map_find_next(at)) {
        struct view_page *page = map_entry(at, struct view_page, node);
        if (page->number == number) return page;
    }
    return NULL;
}

/* --- files --- */

static int view_open(struct disk *disk, const char *path, int mode, struct file **out) {
    struct view_disk *view = view_of(disk);
    struct view_node *node;
    int result = node_get(view, path, &node);
    bool is_new = result == -ENOENT || (result == 0 && !node->exists);
    if (result < 0 && result != -ENOENT) return result;
    if (is_new && !(mode & FILE_CREATE)) return -ENOENT;
    if (!is_new && (mode & FILE_EXCLUSIVE)) return -EEXIST;
    if (is_new && result == 0) node_unname(view, node);
    if (is_new) node = node_new(view, path);
    struct view_file *file = new_zero(struct view_file);
    file->file = (struct file){.calls = &view_file_calls, .fd = -1};
    file->node = node;
    result = node->below ? file_open(view->below, node->below, FILE_READ, &file->below) : 0;
    if (result < 0) {
        free(file);
        return result;
    }
    *out = &file->file;
    return 0;
}

static void view_file_close(struct file *file) {
    file_close(view_file_of(file)->below);
    free(view_file_of(file));
}

static int64_t view_size(struct file *file) { return (int64_t)view_file_of(file)->node->size; }

/* What is below, zeros behind it. */
static int view_read_below(const struct view_file *file, uint8_t *at, size_t len,
                           uint64_t position) {
    uint64_t seen = file->node->below_size;
    size_t part = position >= seen ? 0 : len < seen - position ? len : (size_t)(seen - position);
    int64_t got = part ? file_read_at(file->below, at, part, position) : 0;
    if (got < 0) return (int)got;
    memset(at + got, 0, len - (size_t)got);
    return 0;
}

static void view_read_pages(const struct view_file *file, uint8_t *at, size_t len,
                            uint64_t position) {
    for (size_t done = 0; done < len;) {
        size_t skip = (position + done) % DISK_BLOCK, part = DISK_BLOCK - skip;
        if (part > len - done) part = len - done;
        const struct view_page *page = node_page(file->node, (position + done) / DISK_BLOCK);
        if (page) memcpy(at + done, page->at + skip, part);
        done += part;
    }
}

static int64_t view_read_at(struct file *handle, void *at, size_t len, uint64_t position) {
    const struct view_file *file = view_file_of(handle);
    uint64_t size = file->node->size;
    if (position >= size) return 0;
    if (len > size - position) len = (size_t)(size - position);
    int result = view_read_below(file, at, len, position);
    if (result < 0) return result;
    if (file->node->pages.count) view_read_pages(file, at, len, position);
    return (int64_t)len;
}

static int64_t view_read_cached(struct file *file, void *at, size_t len, uint64_t position) {
    return view_read_at(file, at, len, position);
}

/* The page to write to, as it is so far. */
static int view_page_get(struct view_file *file, uint64_t number, struct view_page **out) {
    *out = node_page(file->node, number);
    if (*out) return 0;
    struct view_page *page = new_zero(struct view_page);
    page->number = number;
    int result = view_read_below(file, page->at, DISK_BLOCK, number * DISK_BLOCK);
    if (result < 0) {
        free(page);
        return result;
    }
    map_insert(&file->node->pages, &page->node, hash_u64(number));
    *out = page;
    return 0;
}

static int view_write_at(struct file *handle, const void *at, size_t len, uint64_t position) {
    struct view_file *file = view_file_of(handle);
    for (size_t done = 0; done < len;) {
        size_t skip = (position + done) % DISK_BLOCK, part = DISK_BLOCK - skip;
        if (part > len - done) part = len - done;
        struct view_page *page;
        int result = view_page_get(file, (position + done) / DISK_BLOCK, &page);
        if (result < 0) return result;
        memcpy(page->at + skip, (const uint8_t *)at + done, part);
        done += part;
    }
    if (position + len > file->node->size) file->node->size = position + len;
    return 0;
}

static int view_sync(struct file *file) {
    (void)file;
    return 0;
}

/* Reserved bytes read as zeros, and are no pages. */
static int view_allocate(struct file *file, uint64_t size) {
    struct view_node *node = view_file_of(file)->node;
    if (size > node->size) node->size = size;
    return 0;
}

static int view_truncate(struct file *file, uint64_t size) {
    struct view_node *node = view_file_of(file)->node;
    if (size < node->below_size) node->below_size = size;
    struct map_node *next;
    for (struct map_node *at = map_first(&node->pages); at; at = next) {
        next = map_next(&node->pages, at);
        struct view_page *page = map_entry(at, struct view_page, node);
        uint64_t begin = page->number * DISK_BLOCK;
        if (begin + DISK_BLOCK <= size) continue;
        if (begin < size) {
            memset(page->at + (size - begin), 0, DISK_BLOCK - (size_t)(size - begin));
            continue;
        }
        map_remove(&node->pages, at);
        free(page);
    }
    node->size = size;
    return 0;
}

static int view_lock(struct file *handle) {
    struct view_file *file = view_file_of(handle);
    return file->below ? file_lock(file->below) : 0;
}

static const struct file_calls view_file_calls = {
    .close = view_file_close,
    .size = view_size,
    .read_at = view_read_at,
    .read_cached = view_read_cached,
    .write_at = view_write_at,
    .sync = view_sync,
    .allocate = view_allocate,
    .truncate = view_truncate,
    .lock = view_lock,
};

/* --- directories --- */

static void view_close(struct disk *disk) {
    struct view_disk *view = view_of(disk);
    list_each(link, &view->nodes) node_free(list_entry(link, struct view_node, link));
    map_deinit(&view->paths);
    free(disk->root);
    free(view);
}

static int64_t view_free_bytes(struct disk *disk) { return disk_free_bytes(view_of(disk)->below); }

static int list_nothing(void *context, const char *name, bool is_directory) {
    (void)context, (void)name, (void)is_directory;
    return 1;
}

static int view_make_directory(struct disk *disk, const char *path) {
    struct view_disk *view = view_of(disk);
    struct view_node *node = node_find(view, path);
    bool there = node ? node->exists : disk_list(view->below, path, list_nothing, NULL) >= 0;
    if (there) return -EEXIST;
    if (!node) node = node_new(view, path);
    node->exists = node->is_directory = true;
    return 0;
}

/* Gives the path up; what is below it stays hidden. */
static int view_hide(struct view_disk *view, const char *path) {
    struct view_node *node;
    int result = node_get(view, path, &node);
    if (result < 0) return result;
    if (!node->exists) return -ENOENT;
    node_unname(view, node);
    struct view_node *gone = node_new(view, path);
    gone->exists = false;
    return 0;
}

static int view_unlink(struct disk *disk, const char *path) {
    return view_hide(view_of(disk), path);
}

static int view_sync_directory(struct disk *disk, const char *path) {
    (void)disk, (void)path;
    return 0;
}

static int view_rename(struct disk *disk, const char *from, const char *to) {
    struct view_disk *view = view_of(disk);
    struct view_node *node, *over;
    int result = node_get(view, from, &node);
    if (result < 0) return result;
    if (!node->exists) return -ENOENT;
    if (node_get(view, to, &over) == 0) node_unname(view, over);
    result = view_hide(view, from);
    check(result == 0);
    node_name(view, node, to);
    return 0;
}

struct listing {
    struct view_disk *view;
    const char *path;
    int (*entry)(void *context, const char *name, bool is_directory);
    void *context;
};

/* "." is the root: its entries have no folder. */
static const char *name_inside(const char *folder, const char *path) {
    size_t len = strcmp(folder, ".") == 0 ? 0 : strlen(folder) + 1;
    if (len && (strncmp(path, folder, len - 1) != 0 || path[len - 1] != '/')) return NULL;
    return strchr(path + len, '/') ? NULL : path + len;
}

static int list_below(void *context, const char *name, bool is_directory) {
    struct listing *listing = context;
    struct text path = {0};
    if (strcmp(listing->path, ".") != 0) text_printf(&path, "%s/", listing->path);
    text_printf(&path, "%s", name);
    const struct view_node *node = node_find(listing->view, path.at);
    text_deinit(&path);
    /* A node speaks for itself. */
    return node ? 0 : listing->entry(listing->context, name, is_directory);
}

static int view_list(struct disk *disk, const char *path,
                     int (*entry)(void *context, const char *name, bool is_directory),
                     void *context) {
    struct listing listing = {view_of(disk), path, entry, context};
    struct view_node *folder = node_find(listing.view, path);
    int result = disk_list(listing.view->below, path, list_below, &listing);
    if (result == -ENOENT && folder && folder->exists) result = 0;
    if (result != 0) return result;
    list_each(link, &listing.view->nodes) {
        const struct view_node *node = list_entry(link, struct view_node, link);
        const char *inside = node->path && node->exists ? name_inside(path, node->path) : NULL;
        result = inside ? entry(context, inside, node->is_directory) : 0;
        if (result != 0) return result;
    }
    return 0;
}

static const struct disk_calls view_disk_calls = {
    .close = view_close,
    .free_bytes = view_free_bytes,
    .make_directory = view_make_directory,
    .remove_directory = view_unlink,
    .sync_directory = view_sync_directory,
    .rename = view_rename,
    .unlink = view_unlink,
    .list = view_list,
    .open = view_open,
};

struct disk *disk_view_open(struct disk *below) {
    struct view_disk *view = new_zero(struct view_disk);
    view->disk = (struct disk){&view_disk_calls, memory_copy_text(disk_root(below)), false};
    view->below = below;
    list_init(&view->nodes);
    map_init(&view->paths);
    return &view->disk;
}
