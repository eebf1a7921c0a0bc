/* What a group has committed, beside where the partitions' logs begin and end. In the session's
 * arena, in order of topic and partition. */
#pragma once

#include "cli/group.h"

struct group_offset {
    struct bytes topic;
    int32_t partition;
    int32_t leader;                    /* -1: the partition is not there, or nobody leads it */
    int64_t committed;                 /* -1: nothing */
    int64_t first, end;                /* -1 without a leader */
    const struct group_member *member; /* who owns it; NULL: nobody */
    bool chosen;                       /* the caller's */
};

struct group_offsets {
    struct group_offset *items;
    size_t count, capacity;
};

/* Everything that the group has committed. */
bool group_offsets_read(struct session *session, const struct group *group,
                        struct group_offsets *offsets);
/* One more, with nothing but its name; it may be there already, until they are joined. */
struct group_offset *group_offsets_add(struct session *session, struct group_offsets *offsets,
                                       struct bytes topic, int32_t partition);
/* Sorts, and makes one of those that are there twice. */
void group_offsets_join(struct group_offsets *offsets);
/* Asks for leaders, first and end, after they are joined. */
bool group_offsets_locate(struct session *session, struct group_offsets *offsets);
/* The offset of each item at a time (cli/offsets.h), -1 where there is none; after locate. NULL
 * after an error. */
const int64_t *group_offsets_at(struct session *session, const struct group_offsets *offsets,
                                int64_t timestamp);

/* How many records are to be read; -1: nothing was committed, or the partition is not there. */
int64_t group_offset_lag(const struct group_offset *offset);
/* The width of the longest topic's name, and of `least`. */
int group_offsets_width(const struct group_offsets *offsets, int least);
