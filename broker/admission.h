/* A core's memory budget for requests. A frame is read in only when its memory, and what its
 * request will need besides, is granted; until then its socket is not read. So an admitted request
 * can always finish, and peers cannot make the broker grow.
 *
 * Two classes: bulk, which is Produce and every large frame, and everything else. Bulk may take
 * three quarters; the last quarter is a reserve for the others, so that metadata, fetches and
 * control traffic never wait for produce, nor for a large frame that was announced and does not
 * come. Within a class, frames wait in the order of arrival.
 *
 *   0                                   3/4                total
 *   ├────────────── bulk ────────────────┤
 *   ├──────────────────────── other ───────────────────────┤
 *
 * Belongs to one core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

enum admission_class { ADMIT_BULK, ADMIT_OTHER, ADMIT_CLASSES };

struct admission {
    size_t total;
    size_t used[ADMIT_CLASSES];
    struct list waiting[ADMIT_CLASSES];
};

/* A frame that waits for memory, embedded in its connection. */
struct admission_wait {
    struct list link; /* list_init() before first use */
    enum admission_class class;
    size_t bytes;
    /* The bytes are granted; called from inside admission_give(). */
    void (*granted)(struct admission_wait *wait);
};

void admission_init(struct admission *admission, size_t total);
/* The most that one request of a class can ever have. */
size_t admission_limit(const struct admission *admission, enum admission_class class);
/* True: granted. False: others wait already or there is not enough; see admission_queue(). */
bool admission_take(struct admission *admission, enum admission_class class, size_t bytes);
/* Waits in line. `bytes` must be within admission_limit(). */
void admission_queue(struct admission *admission, struct admission_wait *wait);
/* Harmless when it is not waiting. */
void admission_cancel(struct admission *admission, struct admission_wait *wait);
/* Memory that an admitted request turned out to need, whatever is free: never refused. */
void admission_force(struct admission *admission, enum admission_class class, size_t bytes);
/* As much of `wanted` as half of what is free now, so that some stays for small requests; at least
 * `minimum`. For answers that can be shorter. */
size_t admission_take_some(struct admission *admission, enum admission_class class, size_t wanted,
                           size_t minimum);
/* More was forced in than there is: better to begin nothing that can wait. */
bool admission_is_overdrawn(const struct admission *admission);
/* Gives back, and grants what waits. */
void admission_give(struct admission *admission, enum admission_class class, size_t bytes);
