/* A store on a real ring in a directory of its own, for the unit tests of storage/: starts, dies
 * without a word (as kill -9 does) and starts again. */
#pragma once

#include "io/ring.h"
#include "storage/recover.h"
#include "storage/state.h"
#include "storage/store.h"

enum { FIXTURE_PARTITIONS = 16 };

struct fixture {
    char path[64];
    enum io_backend backend;
    struct workers *workers;
    struct ring *ring;
    struct data_directory directory;
    struct blobs *blobs; /* the test's, instead of the directory's own; NULL: those */
    struct store *store;
    struct store_options options;
    struct partition_rules rules;
    uint32_t partitions; /* ids 1..partitions live */
    unsigned cores;
    struct recover_report report;
};

void fixture_init(struct fixture *fixture, enum io_backend backend);
/* Opens, recovers, makes the store and its partitions. */
void fixture_start(struct fixture *fixture);
/* Stops as a clean shutdown does. */
void fixture_stop(struct fixture *fixture);
/* Lets what is in flight finish, then drops everything without a closing word. */
void fixture_kill(struct fixture *fixture);
/* Removes the directory. */
void fixture_deinit(struct fixture *fixture);
struct partition *fixture_partition(struct fixture *fixture, uint32_t id);
/* Rounds until the condition's flag is set; fails after ten seconds. */
void fixture_run_until(struct fixture *fixture, const bool *flag);

/* A batch of `count` records with values of `value_bytes`; heap memory. producer_id -1 for none. */
struct bytes fixture_batch(uint32_t count, size_t value_bytes, int64_t timestamp,
                           int64_t producer_id, int32_t sequence);
/* Appends and waits; answers the base offset, or minus the error code. */
int64_t fixture_append(struct fixture *fixture, uint32_t id, struct bytes batch);
/* Reads everything from `offset`, checks contiguity, answers the next offset; bytes are added up.
 */
int64_t fixture_read_all(struct fixture *fixture, uint32_t id, int64_t offset, uint64_t *bytes);

/* Flips a bit of a file of the directory; a negative position counts from its end. */
void fixture_flip(const struct fixture *fixture, const char *path, int64_t position);
/* Flips a bit in the nth block (0 …) of the first journal file that has an entry of this
 * partition. */
void fixture_flip_block(const struct fixture *fixture, uint32_t id, unsigned nth);
