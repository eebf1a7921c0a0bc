/* Why a partition is offline. It is found at start, kept in snapshots, and ended by a repair or by
 * deleting the topic. Numbers are part of the snapshot's format. */
#pragma once

enum damage {
    DAMAGE_NONE = 0,
    DAMAGE_JOURNAL = 1,  /* acknowledged blocks of the journal that may hold its records are lost */
    DAMAGE_SNAPSHOT = 2, /* its shard's snapshot cannot be read */
    DAMAGE_SEGMENT = 3,  /* the segment file that goes on is missing, or is another's */
    DAMAGE_MISFIT = 4,   /* what the journal holds does not follow what is there */
    DAMAGE_KINDS = 5,
};

/* A clause for people: "its journal …". */
const char *damage_text(enum damage damage);
