/* Tells of batches that broke their contract: into the topic __millrace_rejects (registry/reject.h)
 * and, where the broker has a terminal, on it. For those whose clients drop the answer's words.
 *
 *   report ─► bucket of (topic, client) ─► pending ─► a batch, after a moment ─► the topic's shard
 *                     └─ too many: counted, one summary a second
 *
 * Nobody waits for it: what finds no room is left out and counted, never a reason to wait. Pending
 * bytes and buckets are bounded. The topic comes with the first reject and keeps what
 * REJECTS_BYTES hold. Belongs to its core; freed when all cores have ended, because the last batch
 * may lie with another one. */
#pragma once

#include "protocol/batch.h"
#include "registry/reject.h"

struct core;
struct rejects;

enum {
    REJECTS_BYTES = 64 << 20,          /* the topic's size, about */
    REJECTS_PENDING_BYTES = 256 << 10, /* of each core */
    REJECTS_BUCKETS = 64,              /* of each core */
    REJECTS_PER_S = 10,                /* of a bucket */
    REJECTS_BURST = 50,
    REJECTS_MOMENT_MS = 20
};

/* Who sent a batch, and where to. */
struct reject_source {
    struct bytes client_id;
    const char *peer, *topic;
    int32_t partition;
    const struct batch_header *header;
};

/* Batches, and their bad records, since the start. */
struct rejects_counts {
    uint64_t refused, observed;
    uint64_t left_out; /* of both: told of in no record of their own */
    uint64_t refused_records, observed_records;
};

struct rejects *rejects_new(struct core *core);
void rejects_free(struct rejects *rejects);
void rejects_report(struct rejects *rejects, const struct reject_source *source,
                    const struct batch_breaches *breaches);
const struct rejects_counts *rejects_counts(const struct rejects *rejects);
