/* The offsets that a group has committed, by topic and partition. Their records are written by the
 * functions that change them, but for replay. A group has a struct group_offsets only while there
 * is one.
 *
 * Each offset remembers the id of its topic: a topic that was deleted and made again starts clean,
 * also where the deletion's tombstones were lost in a crash, because an offset of an id that is not
 * there is dropped when the log is replayed. */
#pragma once

#include "base/uuid.h"
#include "consumer-groups/groups.h"

struct committed_offset {
    struct map_node by_index; /* in its topic */
    int32_t partition;
    int32_t leader_epoch; /* -1: not known */
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms; /* asked for by clients up to OffsetCommit 4; -1: not */
    struct uuid topic_id;
    struct bytes metadata; /* behind this struct */
};

struct offset_topic {
    struct map_node by_name;
    struct map partitions;
    struct bytes name; /* behind this struct */
};

struct group_offsets {
    struct map topics;
    size_t count, bytes; /* of all offsets; bytes of their records, about */
};

void offsets_free(struct group_offsets *offsets);
struct offset_topic *offsets_find_topic(const struct group *group, struct bytes topic);
const struct committed_offset *offsets_find(const struct group *group, struct bytes topic,
                                            int32_t partition);

/* Calls `visit` for every offset of a group that has some; it may erase the one it is given. */
typedef void (*offset_visit)(struct group *group, struct offset_topic *topic,
                             struct committed_offset *offset, void *context);
void offsets_each(struct group *group, offset_visit visit, void *context);

/* Stores a copy in place of what was there, and writes its record. */
void offsets_write(struct group *group, struct bytes topic, const struct committed_offset *offset);
/* With its tombstone. False when there was none. The topic goes with its last offset. */
bool offsets_erase(struct group *group, struct bytes topic, int32_t partition);
/* With tombstones for all. */
void offsets_erase_all(struct group *group);

/* Of a topic that is not there any more, or not the same; a zero id is any. */
bool offsets_is_dead(const struct groups *groups, struct bytes topic, const struct uuid *id);

/* Adds all records again, for the image. */
void offsets_image(struct group *group);
size_t offsets_image_bytes(const struct group_offsets *offsets);
bool offsets_replay_record(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error);

/* --- offset_expire.c --- */

/* Forgets what retention allows, and groups of which nothing is left. */
void offsets_expire(struct groups *groups);
/* Topics that were deleted: what offsets_forget_api takes. Their offsets go, not those of a new
 * topic of the same name. It has no response. */
struct deleted_topic {
    struct bytes name;
    struct uuid id;
};
struct deleted_topics {
    int32_t count;
    struct deleted_topic *items;
};
extern const struct group_api offsets_forget_api;
/* Forgets offsets of topics that are not there. */
void offsets_drop_dead(struct group *group);
