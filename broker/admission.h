/* A core's memory budget for requests. A frame is read in only when its memory, and what its
 * request will need besides, is granted; until then its socket is not read. So an admitted request
 * can always finish, and peers cannot make the broker grow.
 *
 * Two classes of requests share most of it: bulk, which is Produce and every large frame, and
 * everything else. Bulk may take three quarters; the last quarter is a reserve for the others, so
 * that metadata, fetches and control traffic never wait for produce. What connections have beside
 * requests is taken at once or not at all, from parts of its own: bytes that were received and wait
 * (held), and fetch sessions (kept).
 *
 *   0                       39/64     13/16        15/16     total
 *   ├────────── bulk ─────────┤         │            │         │
 *   ├──────────────── other ────────────┤            │         │
 *                                       ├─── held ───┤         │
 *                                                    ├─ kept ──┤
 *
 * Between peers. Every peer belongs to a party, by its address. A party that holds something may
 * not come to hold more than three quarters of a class, and where several parties wait, memory goes
 * to the one that holds least: those behind one address cannot keep the others out. Within a party,
 * frames wait in the order of arrival.
 *
 * Belongs to one core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum admission_class { ADMIT_BULK, ADMIT_OTHER, ADMIT_HELD, ADMIT_KEPT, ADMIT_CLASSES };

/* Addresses share parties by their hash: few enough to look at all of them for each grant. */
enum { ADMISSION_PARTIES = 64 };

struct admission_party {
    size_t used[ADMIT_CLASSES];
    struct list waiting[ADMIT_CLASSES];
};

struct admission {
    size_t total; /* of bulk and other */
    size_t held, kept;
    size_t used[ADMIT_CLASSES];
    uint32_t waiting; /* in all lines */
    struct admission_party parties[ADMISSION_PARTIES];
};

/* Memory that is asked for, or was granted. */
struct admission_share {
    enum admission_class class;
    uint8_t party;
    size_t bytes;
};

/* A frame that waits for memory, embedded in its connection. */
struct admission_wait {
    struct list link; /* list_init() before first use */
    struct admission_share share;
    /* The bytes are granted; called from inside admission_give(). */
    void (*granted)(struct admission_wait *wait);
};

void admission_init(struct admission *admission, size_t total);
/* The party of a hash of an address. */
uint8_t admission_party_of(uint64_t hash);
/* The most that one request of a class can ever have. */
size_t admission_limit(const struct admission *admission, enum admission_class class);
/* True: granted. False: others come first or there is not enough; see admission_queue(). */
bool admission_take(struct admission *admission, struct admission_share share);
/* Waits in line; requests only. The bytes must be within admission_limit(). */
void admission_queue(struct admission *admission, struct admission_wait *wait);
/* Harmless when it is not waiting. */
void admission_cancel(struct admission *admission, struct admission_wait *wait);
/* Somebody waits for memory that others have. */
bool admission_is_short(const struct admission *admission);
/* Memory that an admitted request turned out to need, whatever is free: never refused. */
void admission_force(struct admission *admission, struct admission_share share);
/* As much of the share as half of what its party could have now, so that some stays for small
 * requests; at least `minimum`. For answers that can be shorter. */
size_t admission_take_some(struct admission *admission, struct admission_share share,
                           size_t minimum);
/* More was forced in than there is: better to begin nothing that can wait. */
bool admission_is_overdrawn(const struct admission *admission);
/* Gives back, and grants what waits. */
void admission_give(struct admission *admission, struct admission_share share);
