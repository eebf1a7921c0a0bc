/* Objects in memory, for tests: what holds for a store of objects without what a disk adds to it.
 * Workers share them, under one lock. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/list.h"
#include "base/memory.h"
#include "storage/blob.h"

struct object {
    struct list link;
    char name[BLOB_NAME_SIZE];
    uint8_t *at;
    size_t len;
};

struct memory_blobs {
    struct blobs blobs;
    pthread_mutex_t lock;
    struct list objects;
};

static struct memory_blobs *lock_of(struct blobs *blobs) {
    struct memory_blobs *memory = container_of(blobs, struct memory_blobs, blobs);
    pthread_mutex_lock(&memory->lock);
    return memory;
}

static void unlock(struct memory_blobs *memory) { pthread_mutex_unlock(&memory->lock); }

static struct object *object_find(const struct memory_blobs *memory, const char *name) {
    list_each(node, &memory->objects) {
        struct object *object = list_entry(node, struct object, link);
        if (strcmp(object->name, name) == 0) return object;
    }
    return NULL;
}

static int memory_put(struct blobs *blobs, const char *name, struct bytes content, bool more) {
    (void)more;
    struct memory_blobs *memory = lock_of(blobs);
    struct object *object = object_find(memory, name);
    if (!object) {
        object = new_zero(struct object);
        snprintf(object->name, sizeof object->name, "%s", name);
        list_append(&memory->objects, &object->link);
    }
    free(object->at);
    object->at = memory_new(content.len + 1);
    object->len = content.len;
    if (content.len) memcpy(object->at, content.at, content.len);
    unlock(memory);
    return 0;
}

static int64_t memory_size(struct blobs *blobs, const char *name) {
    struct memory_blobs *memory = lock_of(blobs);
    const struct object *object = object_find(memory, name);
    int64_t size = object ? (int64_t)object->len : -ENOENT;
    unlock(memory);
    return size;
}

static int64_t memory_read(struct blobs *blobs, const char *name, void *into, size_t len,
                           uint64_t position) {
    struct memory_blobs *memory = lock_of(blobs);
    const struct object *object = object_find(memory, name);
    size_t there = object && position < object->len ? object->len - position : 0;
    if (len > there) len = there;
    if (len) memcpy(into, object->at + position, len);
    unlock(memory);
    return object ? (int64_t)len : -ENOENT;
}

static void object_free(struct object *object) {
    list_remove(&object->link);
    free(object->at);
    free(object);
}

static int memory_remove(struct blobs *blobs, const char *name) {
    struct memory_blobs *memory = lock_of(blobs);
    struct object *object = object_find(memory, name);
    if (object) object_free(object);
    unlock(memory);
    return object ? 0 : -ENOENT;
}

/* Names first: who is called back may remove objects. */
static int memory_list(struct blobs *blobs, const char *prefix,
                       int (*each)(void *context, const char *name), void *context) {
    struct memory_blobs *memory = lock_of(blobs);
    char(*names)[BLOB_NAME_SIZE] = NULL;
    size_t count = 0;
    list_each(node, &memory->objects) {
        const struct object *object = list_entry(node, struct object, link);
        if (strncmp(object->name, prefix, strlen(prefix)) != 0) continue;
        names = memory_resize(names, (count + 1) * sizeof *names);
        memcpy(names[count++], object->name, sizeof *names);
    }
    unlock(memory);
    int result = 0;
    for (size_t at = 0; at < count && result == 0; at++) result = each(context, names[at]);
    free(names);
    return result;
}

static void memory_free_all(struct blobs *blobs) {
    struct memory_blobs *memory = lock_of(blobs);
    for (struct list *node; (node = list_first(&memory->objects));)
        object_free(list_entry(node, struct object, link));
    unlock(memory);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const struct blob_calls calls = {.put = memory_put,
                                        .size = memory_size,
                                        .read = memory_read,
                                        .remove = memory_remove,
                                        .list = memory_list,
                                        .free = memory_free_all};

struct blobs *blobs_new_memory(void) {
    struct memory_blobs *memory = new_zero(struct memory_blobs);
    memory->blobs.calls = &calls;
    pthread_mutex_init(&memory->lock, NULL);
    list_init(&memory->objects);
    return &memory->blobs;
}
