/* The numbers of a broker in Prometheus' text format (version 0.0.4). Each core counts for itself
 * and fills in its own; whoever asks puts them together. */
#pragma once

#include "base/text.h"
#include "broker/contract_counts.h"
#include "broker/rejects.h"
#include "storage/store.h"

struct core;
struct server;

struct core_metrics {
    uint64_t connections;
    uint64_t request_bytes, answer_bytes;
    struct store_usage store;
    struct rejects_counts rejects;
    struct contract_counts contracts;
};

/* On the core's own thread. */
void metrics_read(struct core *core, struct core_metrics *metrics);
/* On the first core, which adds what there is only once; `cores` has one for each. */
void metrics_print(const struct server *server, const struct core_metrics *cores,
                   struct text *text);
