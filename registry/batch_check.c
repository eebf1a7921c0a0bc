#include "registry/batch_check.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

struct checking {
    struct topic_contract parts[CONTRACT_PARTS];
    bool open[CONTRACT_PARTS];
    int32_t record_count;
    size_t payload_bytes;            /* of each, that may be told */
    struct breach breach, seen;      /* of one record; here, because they are large */
    struct batch_breaches *breaches; /* NULL: none so far */
};

/* A record, the part of it that is looked at, and what is wrong with it. */
struct finding {
    int32_t index;
    enum contract_part part;
    const struct breach *breach;
    const struct record *record;
};

static void payload_tell(const struct checking *checking, struct record_breach *told,
                         struct bytes payload) {
    struct byte_buffer *payloads = &checking->breaches->payloads;
    size_t len = payload.len < checking->payload_bytes ? payload.len : checking->payload_bytes;
    if (len == 0) return;
    told->payload_size = payload.len;
    told->payload_at = payloads->len;
    told->payload_length = len;
    byte_buffer_append(payloads, bytes_make(payload.at, len));
}

static void breach_tell(const struct checking *checking, struct record_breach *told,
                        const struct finding *finding) {
    const struct record *record = finding->record;
    told->index = finding->index;
    told->part = finding->part;
    told->breach = *finding->breach;
    payload_tell(checking, told, finding->part == CONTRACT_OF_KEY ? record->key : record->value);
}

/* The list grows in powers of two from 8 on. */
static void list_add(struct batch_breaches *breaches, int32_t index) {
    int32_t count = breaches->listed_count;
    if (count == BATCH_BREACHES_LISTED) return;
    if (count == 0 || (count >= 8 && (count & (count - 1)) == 0))
        breaches->listed =
            memory_resize(breaches->listed, (count ? 2 * (size_t)count : 8) * sizeof(int32_t));
    breaches->listed[breaches->listed_count++] = index;
}

static struct batch_breaches *breaches_of(struct checking *checking) {
    if (!checking->breaches) {
        checking->breaches = new_zero(struct batch_breaches);
        checking->breaches->record_count = checking->record_count;
    }
    return checking->breaches;
}

static void record_is_bad(struct checking *checking, const struct finding *finding) {
    struct batch_breaches *breaches = breaches_of(checking);
    breaches->bad_count++;
    list_add(breaches, finding->index);
    if (breaches->told_count < BATCH_BREACHES_TOLD)
        breach_tell(checking, &breaches->told[breaches->told_count++], finding);
}

static void record_is_seen(struct checking *checking, const struct finding *finding) {
    struct batch_breaches *breaches = breaches_of(checking);
    breaches->seen_count++;
    if (breaches->shown_count < BATCH_BREACHES_SEEN)
        breach_tell(checking, &breaches->seen[breaches->shown_count++], finding);
}

/* A record is told of once: by what makes it bad, or else by what is seen first. */
static void check_record(struct checking *checking, const struct record *record, int32_t index) {
    struct breach *breach = &checking->breach;
    int seen_part = -1;
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++) {
        struct topic_contract *contract = &checking->parts[part];
        if (!checking->open[part] || topic_contract_check(contract, record, breach)) continue;
        if (contract->config->on_violation == CONTRACT_REJECT) {
            record_is_bad(checking, &(struct finding){index, part, breach, record});
            return;
        }
        if (seen_part >= 0) continue;
        seen_part = (int)part;
        checking->seen = *breach;
    }
    if (seen_part < 0) return;
    record_is_seen(
        checking, &(struct finding){index, (enum contract_part)seen_part, &checking->seen, record});
}

struct batch_breaches *batch_check(const struct topic_config *config, struct bytes topic,
                                   const struct schema_view *view, struct bytes records,
                                   int32_t count) {
    struct checking checking;
    struct record record;
    check(view->loaded);
    checking.record_count = count;
    checking.payload_bytes = (size_t)config->rejects_bytes;
    checking.breaches = NULL;
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++) {
        const struct contract_config *binding = &config->contracts[part];
        checking.open[part] = contract_config_level(binding) != CONTRACT_OFF;
        if (checking.open[part])
            topic_contract_open(&checking.parts[part], part, binding, topic, view);
    }
    for (int32_t index = 0; index < count; index++) {
        check(record_next(&records, &record) == RECORD_READ);
        check_record(&checking, &record, index);
    }
    return checking.breaches;
}

void batch_breaches_free(struct batch_breaches *breaches) {
    if (!breaches) return;
    free(breaches->listed);
    byte_buffer_deinit(&breaches->payloads);
    free(breaches);
}

struct bytes record_breach_payload(const struct batch_breaches *breaches,
                                   const struct record_breach *breach) {
    if (breach->payload_length == 0) return BYTES_NULL;
    return bytes_make(breaches->payloads.at + breach->payload_at, breach->payload_length);
}

struct bytes record_breach_print(const struct record_breach *breach, char text[BREACH_TEXT_MAX]) {
    const struct breach *what = &breach->breach;
    char schema[32] = "";
    if (what->schema_id > 0) snprintf(schema, sizeof schema, " (schema id %d)", what->schema_id);
    int len = snprintf(text, BREACH_TEXT_MAX, "record %d: %s%s%s%s%s", breach->index,
                       breach->part == CONTRACT_OF_KEY ? "key: " : "", what->path,
                       what->path[0] ? ": " : "", what->reason, schema);
    check(len > 0 && len < BREACH_TEXT_MAX);
    return bytes_make(text, (size_t)len);
}
