/* A data directory with a catalog of one topic "orders" of eight partitions (ids 1 … 8), made by
 * storage's fixture, for the unit tests of offline/. */
#pragma once

#include "offline/findings.h"
#include "offline/image.h"
#include "storage/store_fixture.h"

enum { ORDERS_PARTITIONS = 8, OFFLINE_TOPICS_MAX = 80 };

struct offline_topic {
    char name[40];
    struct uuid id;
};

struct offline_fixture {
    struct fixture store;
    struct image image;
    struct findings findings;
    struct offline_topic topics[OFFLINE_TOPICS_MAX]; /* that were added */
    size_t topic_count;
};

/* A broker has run here and has been stopped. */
void offline_init(struct offline_fixture *fixture);
/* … with records in partition 3, in small segments: sealed ones have their index behind them. */
void offline_init_with_segments(struct offline_fixture *fixture);
void offline_deinit(struct offline_fixture *fixture);
/* The broker runs until offline_stop() or offline_kill(). */
void offline_start(struct offline_fixture *fixture);
void offline_stop(struct offline_fixture *fixture);
void offline_kill(struct offline_fixture *fixture);
/* A topic with these partitions, into the catalog's log; answers the first offset. The store has
 * partitions up to store.partitions only. */
int64_t offline_add_topic(struct offline_fixture *fixture, const char *name, uint32_t first,
                          uint32_t count);
/* Of the newest one with this name; the store keeps its partitions. */
void offline_remove_topic(struct offline_fixture *fixture, const char *name);
/* The block that an idle second brings: it says what was acknowledged. */
void offline_rest(struct offline_fixture *fixture);
/* A batch of two records of 500 bytes. */
void offline_append(struct offline_fixture *fixture, uint32_t id);
/* Writes out every whole block. */
void offline_settle(struct offline_fixture *fixture, uint32_t id);
/* So many records as make a segment file of some size, all written out; and a snapshot of it. */
void offline_fill(struct offline_fixture *fixture, uint32_t id, unsigned batches);
void offline_checkpoint(struct offline_fixture *fixture);
/* Records that can be read, from the log start on; a damaged range ends the test. */
int64_t offline_records(struct offline_fixture *fixture, uint32_t id);

/* A file in the directory. */
void offline_flip(const struct offline_fixture *fixture, const char *path, int64_t position);
void offline_unlink(const struct offline_fixture *fixture, const char *path);
/* Flips a bit in the nth block (0 …) that has an entry of this partition. */
void offline_flip_block(const struct offline_fixture *fixture, uint32_t id, unsigned nth);
/* A block that was in flight while the one before it was lost, as a power cut leaves it. */
void offline_add_torn_tail(const struct offline_fixture *fixture);
/* One number for all names, bytes and times of change of the directory. */
uint64_t offline_fingerprint(const struct offline_fixture *fixture);

/* Opens the image, verifies, closes; and that nothing changed meanwhile. */
void offline_verify(struct offline_fixture *fixture);
/* The finding whose file is this and whose words contain that. */
const struct finding *offline_found(const struct offline_fixture *fixture, enum finding_kind kind,
                                    const char *file, const char *words);

/* --- repairing --- */

/* What repair says, into `said` (heap); answers the number of things. */
size_t offline_repair(struct offline_fixture *fixture, bool yes, char **said);
/* A plan changes nothing and says what the repair then does; after it nothing is damaged. */
void offline_repair_wholly(struct offline_fixture *fixture);
/* Whether a repair or a start has set it aside ("journal-0-00000000"). */
bool offline_is_kept(const struct offline_fixture *fixture, const char *name);
