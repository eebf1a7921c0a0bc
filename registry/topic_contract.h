/* What keys or values of one topic have to be, opened on one view of the registry to check a batch
 * of records, and forgotten afterwards: opening costs a look-up or two, and nothing has to be kept
 * in step with configs and registry.
 *
 *   framed   schema id or GUID ─► schema ─► is it a version of the subject? ─► indexes ─► message,
 *            is it allowed? ─► (payload) every byte. The last frame that was admitted is kept: a
 *            record that begins with the same bytes goes straight to its payload.
 *   raw      the versions of the subject, newest first: one of them has to accept the payload
 *
 * It fails closed: what cannot be looked up is a breach. Not to be moved once it is open; config,
 * topic and view must outlive it. Several threads may each have their own. */
#pragma once

#include "metadata/topic_config.h"
#include "protocol/record.h"
#include "registry/framing.h"
#include "registry/schema_view.h"

enum {
    TOPIC_CONTRACT_VERSIONS_MAX = 8, /* of raw payloads: so many of the newest are tried */
    TOPIC_CONTRACT_NAME_MAX = 1024,  /* a subject's */
    TOPIC_CONTRACT_PREFIX_MAX = 64   /* a frame that is longer is looked up each time */
};

/* A contract and those of its messages that a payload may be. */
struct admitted {
    const struct schema *schema;
    uint32_t messages[CONTRACT_PATHS_MAX];
    size_t count; /* 0: the payload is not looked into */
};

struct topic_contract {
    enum contract_part part;
    const struct contract_config *config;
    const struct schema_view *view;
    struct bytes topic;
    enum contract_level level;
    enum contract_strategy strategy;
    bool reject_unknown;
    struct contract_versions versions;
    struct bytes subject_name; /* null: by record */
    const struct schema_subject *subject;
    /* Raw: newest first; the one that accepted the last payload is tried first. */
    struct admitted raw[TOPIC_CONTRACT_VERSIONS_MAX];
    size_t raw_count, raw_last;
    /* Framed: the last one that was admitted, by the bytes in front of its payload. */
    struct admitted last;
    size_t prefix_length; /* 0: none */
    uint8_t prefix[TOPIC_CONTRACT_PREFIX_MAX];
    char name[TOPIC_CONTRACT_NAME_MAX];
    struct violation violation; /* of the last payload; here, because it is large */
};

/* Why a key or value breaks the contract, in words without a byte of it. */
struct breach {
    int32_t schema_id; /* 0: none was found */
    char path[256];    /* of a field; empty: it is not about one */
    char reason[256];
};

/* `config` has a level other than off; the view is loaded. */
void topic_contract_open(struct topic_contract *contract, enum contract_part part,
                         const struct contract_config *config, struct bytes topic,
                         const struct schema_view *view);
/* Whether the record's key or value honours it. */
bool topic_contract_check(struct topic_contract *contract, const struct record *record,
                          struct breach *breach);

/* Judges a topic's contracts before they are set: whether what is named exists, and can be checked
 * as is asked. A subject by strategy may have no versions yet. */
bool topic_contract_judge(const struct topic_config *config, struct bytes topic,
                          const struct schema_view *view, struct error *error);
