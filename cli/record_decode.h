/* Keys or values of a topic with a contract as JSON: each as the schema has it that its frame
 * names, raw ones as the newest version that knows all of their fields. */
#pragma once

#include "cli/record_contract.h"
#include "protocol/record.h"

struct record_decode {
    const struct record_contract *contract;
    /* Raw: the versions of the subject, newest first. */
    int32_t versions[TOPIC_CONTRACT_VERSIONS_MAX];
    size_t version_count;
    uint64_t versions_ns; /* when they were asked for; 0: not yet */
};

void record_decode_init(struct record_decode *decode, const struct record_contract *contract);
/* Appends the record's key or value, "null" for null. False with the reason; `out` is then as it
 * was. */
bool record_decode_json(struct record_decode *decode, const struct record *record, struct text *out,
                        struct error *error);
