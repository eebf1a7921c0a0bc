/* A produced batch on its way past its topic's contract (registry/batch_check.h). The verdict is
 * reached where the batch is validated, on the connection's core or a worker, and travels with the
 * batch to its shard, which asks for it after dedupe and before offsets are assigned:
 *
 *   begin ─┬─ no contract ───────────────────────────────────────► judge: the numbers still hold
 *          ├─ check now ─────────────────────────────────────────► judge: the verdict still holds
 *          ├─ lend, check on a worker ───────────────────────────► judge
 *          └─ the registry is being loaded: the request waits ───► judge: checked there
 *
 * The verdict carries the numbers of what it was made of. Where the shard's core knows newer
 * contracts or schemas, it checks the batch again by those, so that a contract holds for everything
 * that is appended after it was set. */
#pragma once

#include "base/uuid.h"
#include "broker/core.h"
#include "protocol/produce.h"
#include "registry/batch_check.h"
#include "storage/partition.h"
#include "storage/validate.h"

struct contract_loan;

/* Zeroed at first. The memory behind it goes with produce_contract_end(). */
struct produce_contract {
    struct uuid topic_id;
    uint64_t contracts, schemas; /* the numbers of catalog and view that it was judged by */
    bool bound;                  /* the topic has a contract */
    bool loading;                /* it is not judged: the registry was not there */
    struct contract_loan *loan;  /* what the worker reads */
    struct batch_breaches *breaches;
};

/* Whether the batch has to be checked: `check` or `lend` must follow then. */
bool produce_contract_begin(struct produce_contract *contract, const struct core *core,
                            const struct catalog_topic *topic);
/* The batch was validated with code NONE: result->records are there. */
void produce_contract_check(struct produce_contract *contract, struct core *core,
                            const struct catalog_topic *topic,
                            const struct validate_result *result);
/* The same in two steps: what a worker needs is set aside; it checks. */
void produce_contract_lend(struct produce_contract *contract, const struct core *core,
                           const struct catalog_topic *topic);
void produce_contract_check_lent(struct produce_contract *contract,
                                 const struct validate_result *result);
/* Back on the connection's core: counts what the worker has checked. */
void produce_contract_count_lent(const struct produce_contract *contract, struct core *core,
                                 const struct validate_result *result);

/* On the shard's core: NONE, INVALID_RECORD, or NOT_ENOUGH_REPLICAS, which is marked with the
 * partition, while the registry is being loaded. `rules` limit what inflates. */
enum error_code produce_contract_judge(struct produce_contract *contract, struct core *there,
                                       const struct append *append,
                                       const struct validate_rules *rules);

/* Back on the connection's core, after INVALID_RECORD: message and record errors (KIP-467). */
void produce_contract_explain(const struct produce_contract *contract, struct arena *arena,
                              struct produce_response_partition_produce_response *out);
void produce_contract_end(struct produce_contract *contract);
