/* The data directory: who it belongs to, in which format, and that only one process uses it.
 *
 *   superblock              two 4 KiB slots, written alternately: the valid one with the higher
 *                           generation rules
 *   write-errors            of the processes that a write error has ended (write_errors.h)
 *   lock                    open-file-description lock, registered in every ring, so that the
 * kernel drops it only after the last request of a dying process journal/C-NNNNNNNN      journal
 * files of core C segments/P-S            segment S of partition P (ids only; names never become
 * paths) snapshots/SHARD         one per shard
 *
 * Opening formats an empty directory, refuses a foreign or newer one in clear words before it
 * touches anything, and makes a new incarnation durable. A crash while formatting leaves a
 * directory that the next start formats again: no superblock, no data. */
#pragma once

#include "base/uuid.h"
#include "storage/blob.h"

enum { SHARD_COUNT_DEFAULT = 64, SHARD_COUNT_MAX = 1024 };

struct data_directory {
    struct disk *disk;         /* owned */
    struct blobs *blobs;       /* owned: what is put whole, read by name, removed */
    struct file *lock;         /* owned */
    struct file *write_errors; /* owned; NULL: there is none (storage/write_errors.h) */
    struct uuid cluster_id, directory_id;
    int32_t node_id;
    uint32_t shard_count;
    uint32_t journals; /* of so many cores there is a journal, for certain; 0: not known */
    uint64_t salt;     /* in every journal block: a block of another directory is not ours */
    uint64_t incarnation;
    uint64_t generation; /* of the superblock slot that rules */
    bool formatted_now;
};

/* Takes ownership of the disk (closed on failure too). Retries the lock for 5 s. */
bool data_directory_open(struct disk *disk, int32_t node_id, struct data_directory *directory,
                         struct error *error);
/* Durably: from now on a start misses the journal of any of these cores when it is not there. */
bool data_directory_expect_journals(struct data_directory *directory, uint32_t journals,
                                    struct error *error);
void data_directory_close(struct data_directory *directory);
