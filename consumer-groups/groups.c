#include "consumer-groups/groups.h"

#include "base/check.h"
#include "base/say.h"
#include "consumer-groups/classic_group.h"
#include "consumer-groups/offsets.h"

enum { IMAGE_STEP_BYTES = 64 << 10 };

/* --- groups by name --- */

struct group *groups_find(const struct groups *groups, struct bytes id) {
    struct map_node *node = map_find(&groups->by_id, hash_bytes(id));
    for (; node; node = map_find_next(node)) {
        struct group *group = map_entry(node, struct group, by_id);
        if (bytes_equal(group->id, id)) return group;
    }
    return NULL;
}

bool groups_have_room(const struct groups *groups) {
    const struct options *options = groups->catalog->options;
    int64_t partitions = options->offsets_topic_partitions;
    return groups->by_id.count < (uint64_t)((options->groups_max + partitions - 1) / partitions);
}

struct group *groups_add(struct groups *groups, struct bytes id, const struct group_kind *kind) {
    check(!groups_find(groups, id));
    struct group *group = memory_zero(1, sizeof *group + id.len);
    memcpy(group + 1, id.at, id.len);
    group->id = bytes_make(group + 1, id.len);
    group->groups = groups;
    group->kind = kind;
    map_insert(&groups->by_id, &group->by_id, hash_bytes(id));
    list_append(&groups->all, &group->link);
    kind->make(group);
    return group;
}

void groups_remove(struct groups *groups, struct group *group) {
    check(!group->kind->has_members(group));
    if (group->release_at > groups->gone_at) groups->gone_at = group->release_at;
    group->kind->free(group);
    if (group->offsets) offsets_free(group->offsets);
    map_remove(&groups->by_id, &group->by_id);
    list_remove(&group->link);
    free(group);
}

void group_convert(struct group *group, const struct group_kind *kind) {
    check(!group->kind->has_members(group));
    group->kind->erase(group);
    group->kind->free(group);
    group->kind = kind;
    kind->make(group);
}

void group_drop_if_gone(struct group *group) {
    if (!group->offsets && group->kind->is_gone(group)) groups_remove(group->groups, group);
}

void group_wrote(struct group *group) {
    group->release_at = coordinator_end(group->groups->coordinator);
}

void group_set_text(struct bytes *field, struct bytes value) {
    void *copy = NULL;
    if (!bytes_is_null(value)) {
        copy = memory_new(value.len);
        if (value.len > 0) memcpy(copy, value.at, value.len);
    }
    free((void *)field->at);
    *field = bytes_make(copy, value.len);
}

struct bytes groups_new_member_id(struct groups *groups, struct arena *arena, struct bytes prefix) {
    struct uuid id;
    uuid_make(&id);
    if (groups->random) {
        uint64_t half[2] = {random_next(groups->random), random_next(groups->random)};
        memcpy(id.raw, half, sizeof id.raw);
    }
    const uint8_t *raw = id.raw;
    char *text = arena_format(
        arena, "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        BYTES_FORMAT(prefix), raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], raw[6], raw[7],
        raw[8], raw[9], raw[10], raw[11], raw[12], raw[13], raw[14], raw[15]);
    return bytes_of_text(text);
}

/* --- the log --- */

static const struct group_record_row own_rows[] = {
    {0, offsets_replay_record}, /* as the next, in an older form */
    {1, offsets_replay_record},
    {2, classic_replay_record},
};

static const struct group_record_row *find_row(const struct group_record_row *rows, size_t count,
                                               int16_t type) {
    for (size_t i = 0; i < count; i++)
        if (rows[i].type == type) return rows + i;
    return NULL;
}

/* Kinds of record that are not known are skipped, as Kafka does: they are of other kinds of group,
 * and nothing of ours depends on them. */
static bool replay(void *state, const struct coordinator_record *record, struct error *error) {
    struct groups *groups = state;
    const struct group_record_row *row = find_row(own_rows, array_count(own_rows), record->type);
    if (!row) row = find_row(consumer_record_rows, consumer_record_row_count, record->type);
    if (!row) return true;
    bool replayed = row->replay(groups, record, &groups->arena, error);
    arena_reset(&groups->arena);
    return replayed;
}

static void each_loaded(struct groups *groups) {
    size_t members = 0;
    list_each(node, &groups->all) {
        struct group *group = list_entry(node, struct group, link);
        members += group->kind->has_members(group);
        if (group->kind->loaded) group->kind->loaded(group);
        if (groups->catalog->version != groups->catalog_version) offsets_drop_dead(group);
        group_drop_if_gone(group);
    }
    if (groups->by_id.count > 0)
        say_debug("groups: %zu loaded, %zu of them with members", groups->by_id.count, members);
}

static void loaded(void *state) {
    struct groups *groups = state;
    each_loaded(groups);
    coordinator_arm(groups->coordinator, &groups->cleanup,
                    groups->catalog->options->offsets_retention_check_ms);
}

static size_t image_bytes(void *state) {
    struct groups *groups = state;
    size_t bytes = 0;
    for (struct map_node *node = map_first(&groups->by_id); node;
         node = map_next(&groups->by_id, node)) {
        const struct group *group = map_entry(node, struct group, by_id);
        bytes += group->kind->image_bytes(group);
        if (group->offsets) bytes += offsets_image_bytes(group->offsets);
    }
    return bytes;
}

static void image_begin(void *state) {
    struct groups *groups = state;
    list_move_all(&groups->image_left, &groups->all);
}

static bool image_step(void *state) {
    struct groups *groups = state;
    size_t bytes = 0;
    for (struct list *node; bytes < IMAGE_STEP_BYTES && (node = list_first(&groups->image_left));) {
        struct group *group = list_entry(node, struct group, link);
        list_remove(node);
        list_append(&groups->all, node);
        group->kind->image(group);
        bytes += group->kind->image_bytes(group);
        if (!group->offsets) continue;
        offsets_image(group);
        bytes += offsets_image_bytes(group->offsets);
    }
    return !list_is_empty(&groups->image_left);
}

/* --- changes of the catalog --- */

static void tell_list(struct list *list) {
    list_each(node, list) {
        struct group *group = list_entry(node, struct group, link);
        if (group->kind->catalog_changed) group->kind->catalog_changed(group);
    }
}

static void on_catalog_run(struct coordinator_call *call, void *state) {
    struct groups *groups = state;
    groups->catalog_call_waits = false; /* what changes from here on is told again */
    tell_list(&groups->all);
    tell_list(&groups->image_left);
    coordinator_finish(call, 0);
}

/* Not run: there is nothing to tell yet, or any more. */
static void on_catalog_done(struct coordinator_call *call) {
    if (call->code) container_of(call, struct groups, catalog_call)->catalog_call_waits = false;
}

void groups_catalog_changed(struct coordinator *coordinator) {
    struct groups *groups = coordinator_state(coordinator);
    if (groups->catalog_call_waits) return;
    groups->catalog_call_waits = true;
    groups->catalog_call =
        (struct coordinator_call){.run = on_catalog_run, .done = on_catalog_done, .writes = true};
    coordinator_submit(coordinator, &groups->catalog_call);
}

/* --- life --- */

static void on_cleanup(struct coordinator_timer *timer) {
    struct groups *groups = container_of(timer, struct groups, cleanup);
    offsets_expire(groups);
    coordinator_arm(groups->coordinator, timer,
                    groups->catalog->options->offsets_retention_check_ms);
}

static void *state_new(struct coordinator *coordinator, void *context) {
    struct groups *groups = new_zero(struct groups);
    groups->coordinator = coordinator;
    groups->catalog = context;
    groups->catalog_version = groups->catalog->version;
    groups->cleanup.fire = on_cleanup;
    map_init(&groups->by_id);
    list_init(&groups->all);
    list_init(&groups->image_left);
    arena_init(&groups->arena, SIZE_MAX);
    return groups;
}

static void free_list(struct list *list) {
    for (struct list *node; (node = list_first(list));) {
        struct group *group = list_entry(node, struct group, link);
        list_remove(node);
        group->kind->free(group);
        if (group->offsets) offsets_free(group->offsets);
        free(group);
    }
}

static void state_free(void *state) {
    struct groups *groups = state;
    coordinator_disarm(groups->coordinator, &groups->cleanup);
    free_list(&groups->all);
    free_list(&groups->image_left);
    map_deinit(&groups->by_id);
    arena_deinit(&groups->arena);
    free(groups);
}

const struct coordinator_kind groups_kind = {
    .name = "groups",
    .state_new = state_new,
    .state_free = state_free,
    .replay = replay,
    .loaded = loaded,
    .image_bytes = image_bytes,
    .image_begin = image_begin,
    .image_step = image_step,
};
