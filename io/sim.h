/* The simulated world: one seed decides the clock, the order of events, the network's cuts and
 * what a power cut leaves on the disk. Rings and disks made here serve the same interfaces as the
 * real ones, so the broker runs in it unchanged, in one thread.
 *
 *   disk     per file: what was written (volatile) and what is stable, in 512-byte sectors; per
 *            directory the same for entries. A power cut keeps each unsynced sector and entry with
 *            a probability drawn from the seed (none, half, most), so writes tear and reorder.
 *   network  byte streams, split at random places; delivered in order, with random delays.
 *   faults   the Nth disk operation fails with an errno, is short, torn, lost, or the last one.
 */
#pragma once

#include "io/file.h"
#include "io/ring.h"

struct sim;

/* Also seeds hash_bytes(), so that the order of maps repeats. */
struct sim *sim_new(uint64_t seed);
/* After its rings, files and disks. */
void sim_free(struct sim *sim);
/* A ring in this world; its workers and disk are the world's. */
struct ring *sim_ring_new(struct sim *sim);
/* The world's disk; the same contents each time, also after a crash. disk_close() it as usual. */
struct disk *sim_disk_open(struct sim *sim);

/* Runs one event; false when nothing is left to happen until `until_ns`: then the clock stands
 * there (but for UINT64_MAX). */
bool sim_step(struct sim *sim, uint64_t until_ns);
uint64_t sim_now_ns(const struct sim *sim);

/* Drops what was not stable (power cut), or keeps all that was written (kill). Every ring, socket
 * and open file of the old life is dead afterwards: free them; nothing completes any more. */
void sim_power_cut(struct sim *sim);
void sim_kill(struct sim *sim);
/* Disk operation number `at` (counted from now, from 1) fails with this errno, once; 0 = the first
 * write from there on stores a part and fails with ENOSPC. A failed write may store nothing, a
 * part, or (EIO) all; a failed sync forgets what was to be synced, as Linux does, and so does a
 * write that stored all and failed: it is read back until the power goes, the next sync succeeds,
 * and the data is lost. */
void sim_fail_disk(struct sim *sim, uint64_t at, int error_number);

/* What else may happen to one operation. */
enum sim_spoil {
    SIM_SPOIL_SHORT, /* a write stores a part and fails with ENOSPC */
    SIM_SPOIL_LOST,  /* a write stores nothing and says that it is done */
    SIM_SPOIL_TORN,  /* a write stores sectors that are not stable, and the disk stops */
    SIM_SPOIL_STOP,  /* the disk stops: this operation and all later ones do nothing but fail */
    /* a write fails with EIO, is read back, and no sync makes it stable any more */
    SIM_SPOIL_FORGOTTEN,
};
/* As sim_fail_disk(). A disk that has stopped waits for the power cut or kill. */
void sim_spoil_disk(struct sim *sim, uint64_t at, enum sim_spoil spoil);
bool sim_disk_has_stopped(const struct sim *sim);
/* Whether what was armed has happened; not so where SHORT, LOST or FORGOTTEN met no write. */
bool sim_disk_is_spoilt(const struct sim *sim);
/* What a disk operation does to the disk. */
enum sim_operation {
    SIM_READ,   /* nothing: bytes, names, an open of what is there */
    SIM_CHANGE, /* names, sizes, what is stable */
    SIM_WRITE,  /* bytes */
};
/* Called before each disk operation; it may arm a fault for that one. */
void sim_watch_disk(struct sim *sim, void (*before)(void *context, enum sim_operation operation),
                    void *context);
/* Keeps each unsynced sector and entry with a chance of `parts` in 8. */
void sim_power_cut_keeping(struct sim *sim, unsigned parts);
uint64_t sim_disk_operations(const struct sim *sim);

/* A client's end of a connection to a listening address of the world; -1 when refused. */
int sim_connect(struct sim *sim, const char *address);
void sim_send(struct sim *sim, int socket, struct bytes data);
/* What has arrived (0 = nothing yet, -1 = closed). */
int64_t sim_receive(struct sim *sim, int socket, void *at, size_t len);
void sim_disconnect(struct sim *sim, int socket);
