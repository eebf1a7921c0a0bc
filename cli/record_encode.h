/* JSON as keys or values of a topic with a contract: encoded as the latest version of the subject
 * has the message, and framed as the contract wants it. */
#pragma once

#include "base/byte_buffer.h"
#include "cli/record_contract.h"
#include "protocol/record.h"

struct record_encode {
    const struct record_contract *contract;
    const struct registry_schema *schema;
    const struct json_message *message;
    struct byte_buffer frame;    /* in front of each payload, or the value of the header */
    struct record_header header; /* for each record; its key is null when there is none */
    struct byte_buffer encoded;  /* the last one */
    struct arena arena;
};

/* `message` is the full name, where the contract leaves a choice, or NULL; `flag` is what a user
 * chooses it with. False with the error; record_encode_deinit() either way. */
bool record_encode_init(struct record_encode *encode, const struct record_contract *contract,
                        const char *message, const char *flag, struct error *error);
void record_encode_deinit(struct record_encode *encode);

/* What goes into the record, good until the next; null is null. */
bool record_encode_json(struct record_encode *encode, struct bytes json, struct bytes *encoded,
                        struct error *error);
