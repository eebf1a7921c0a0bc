#include "broker/handlers/produce_contract.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "protocol/compress.h"

/* The catalog may change while a worker reads: it gets copies, and holds the view. */
struct contract_loan {
    struct schema_view *view;
    struct topic_config config; /* the contracts' texts lie below */
    struct bytes topic;
    char texts[];
};

/* --- on the connection's core --- */

bool produce_contract_begin(struct produce_contract *contract, const struct core *core,
                            const struct catalog_topic *topic) {
    contract->topic_id = topic->id;
    contract->contracts = core->catalog.contracts;
    contract->bound = topic_config_has_contract(&topic->effective);
    if (!contract->bound) return false;
    contract->schemas = core->schemas->generation;
    contract->loading = !core->schemas->loaded;
    return !contract->loading;
}

static void count(struct core *core, const struct validate_result *result) {
    core->contract_counts.batches++;
    core->contract_counts.records += (uint64_t)result->header.record_count;
}

void produce_contract_check(struct produce_contract *contract, struct core *core,
                            const struct catalog_topic *topic,
                            const struct validate_result *result) {
    count(core, result);
    contract->breaches = batch_check(&topic->effective, bytes_of_text(topic->name), core->schemas,
                                     result->records, result->header.record_count);
}

static size_t texts_size(const struct contract_config *config) {
    return strlen(config->subject) + strlen(config->messages) + strlen(config->versions) + 3;
}

static const char *text_keep(char **to, const char *text) {
    char *kept = *to;
    size_t size = strlen(text) + 1;
    memcpy(kept, text, size);
    *to += size;
    return kept;
}

void produce_contract_lend(struct produce_contract *contract, const struct core *core,
                           const struct catalog_topic *topic) {
    size_t size = strlen(topic->name) + 1;
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++)
        size += texts_size(&topic->effective.contracts[part]);
    struct contract_loan *loan = memory_zero(1, sizeof *loan + size);
    char *to = loan->texts;
    loan->view = schema_view_hold(core->schemas);
    loan->config = topic->effective;
    loan->topic = bytes_of_text(text_keep(&to, topic->name));
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++) {
        struct contract_config *config = &loan->config.contracts[part];
        config->subject = text_keep(&to, config->subject);
        config->messages = text_keep(&to, config->messages);
        config->versions = text_keep(&to, config->versions);
    }
    check(to == loan->texts + size);
    contract->loan = loan;
}

void produce_contract_check_lent(struct produce_contract *contract,
                                 const struct validate_result *result) {
    const struct contract_loan *loan = contract->loan;
    contract->breaches = batch_check(&loan->config, loan->topic, loan->view, result->records,
                                     result->header.record_count);
}

void produce_contract_count_lent(const struct produce_contract *contract, struct core *core,
                                 const struct validate_result *result) {
    if (!contract->loan || result->code != ERROR_NONE) return;
    count(core, result);
    core->contract_counts.batches_by_worker++;
}

/* --- on the shard's core --- */

static enum error_code verdict(const struct produce_contract *contract) {
    return contract->breaches && contract->breaches->bad_count > 0 ? ERROR_INVALID_RECORD
                                                                   : ERROR_NONE;
}

/* What was valid at the connection's core is valid here. */
static bool records_again(struct core *there, const struct append *append,
                          const struct validate_rules *rules, struct bytes *records) {
    enum codec codec = batch_codec(&append->header);
    *records = batch_records(append->batch);
    if (codec == CODEC_NONE) return true;
    const struct compress_limits limits = {.output_max = rules->decompressed_bytes_max,
                                           .ratio_max = rules->ratio_max};
    return inflater_run(there->inflater, codec, *records, limits, records) == INFLATE_DONE;
}

/* By what this core knows now. */
static enum error_code judge_again(struct produce_contract *contract, struct core *there,
                                   const struct append *append,
                                   const struct validate_rules *rules) {
    const struct catalog_topic *topic = catalog_find_topic_id(&there->catalog, &contract->topic_id);
    struct validate_result result = {.header = append->header};
    batch_breaches_free(contract->breaches);
    contract->breaches = NULL;
    if (!topic) return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    bool checks = produce_contract_begin(contract, there, topic);
    if (!contract->bound) return ERROR_NONE;
    if (!checks) {
        partition_mark_refused(append->partition, &append->header);
        return ERROR_NOT_ENOUGH_REPLICAS;
    }
    if (!records_again(there, append, rules, &result.records)) return ERROR_INVALID_RECORD;
    produce_contract_check(contract, there, topic, &result);
    there->contract_counts.batches_again++;
    return verdict(contract);
}

enum error_code produce_contract_judge(struct produce_contract *contract, struct core *there,
                                       const struct append *append,
                                       const struct validate_rules *rules) {
    bool holds = there->catalog.contracts <= contract->contracts;
    if (holds && contract->bound)
        holds = !contract->loading && there->schemas->generation <= contract->schemas;
    return holds ? verdict(contract) : judge_again(contract, there, append, rules);
}

/* --- the answer --- */

static struct bytes told_text(struct arena *arena, const struct record_breach *told,
                              const char *more) {
    char text[BREACH_TEXT_MAX];
    struct bytes printed = record_breach_print(told, text);
    size_t len = printed.len + strlen(more);
    uint8_t *at = arena_try(arena, len);
    if (!at) return BYTES_NULL;
    memcpy(at, printed.at, printed.len);
    memcpy(at + printed.len, more, strlen(more));
    return bytes_make(at, len);
}

static struct bytes message_of(const struct batch_breaches *breaches, struct arena *arena) {
    char more[80] = "";
    if (breaches->bad_count > 1)
        snprintf(more, sizeof more, "; %d of %d records break the contract", breaches->bad_count,
                 breaches->record_count);
    return told_text(arena, &breaches->told[0], more);
}

void produce_contract_explain(const struct produce_contract *contract, struct arena *arena,
                              struct produce_response_partition_produce_response *out) {
    const struct batch_breaches *breaches = contract->breaches;
    /* A batch that did not inflate a second time has none. */
    if (!breaches || breaches->bad_count == 0) return;
    out->error_message = message_of(breaches, arena);
    /* librdkafka gives the code of a single bad record to its whole batch: named twice, it is one
     * of several, and the others are told apart. */
    int32_t count = breaches->listed_count;
    bool twice = breaches->bad_count == 1 && breaches->record_count > 1;
    size_t entries = (size_t)count + twice;
    struct produce_response_batch_index_and_error_message *errors =
        arena_try(arena, entries * sizeof *errors);
    if (!errors) return;
    memset(errors, 0, entries * sizeof *errors);
    for (int32_t i = 0; i < count; i++) {
        errors[i].batch_index = breaches->listed[i];
        errors[i].batch_index_error_message =
            i < breaches->told_count ? told_text(arena, &breaches->told[i], "") : BYTES_NULL;
    }
    if (twice) errors[1] = errors[0];
    out->record_errors = errors;
    out->record_errors_count = (int32_t)entries;
}

void produce_contract_end(struct produce_contract *contract) {
    if (contract->loan) schema_view_drop(contract->loan->view);
    free(contract->loan);
    batch_breaches_free(contract->breaches);
}
