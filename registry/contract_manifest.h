/* The manifest of a folder of schemas: which topics are bound to which messages
 * (docs/contracts.md).
 *
 *   compatibility: FULL              of every subject that the folder registers; optional
 *   topics:
 *     orders:
 *       value:
 *         message: shop.Order        one, or a list
 *         framing: raw
 *       key: {message: shop.Key}
 *
 * What a part may say is a row of manifest_keys; most are what `millrace contract set` takes, and
 * become the topic config millrace.value.NAME. Read with libyaml into a tree that is walked no
 * deeper than this, so that aliases cannot make it large. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "metadata/contract_config.h"

enum manifest_key {
    MANIFEST_LEVEL,
    MANIFEST_FRAMING,
    MANIFEST_MESSAGE,
    MANIFEST_NULL,
    MANIFEST_ON_VIOLATION,
    MANIFEST_SUBJECT,
    MANIFEST_STRATEGY,
    MANIFEST_UNKNOWN_FIELDS,
    MANIFEST_VERSIONS,
    MANIFEST_CONFIGS, /* the keys before are topic configs, in the order of these */
    MANIFEST_ANY_MESSAGE = MANIFEST_CONFIGS,
    MANIFEST_COMPATIBILITY,
    MANIFEST_FILE,
    MANIFEST_LOCK,
    MANIFEST_KEYS
};

struct manifest_key_row {
    const char *name;   /* in the manifest */
    const char *config; /* behind millrace.value.; NULL: it is none */
};
extern const struct manifest_key_row manifest_keys[MANIFEST_KEYS];

struct manifest_part {
    const char *values[MANIFEST_KEYS]; /* NULL: not said; lists with "," between */
    const char *place;                 /* "PATH:LINE", for messages */
};

struct manifest_topic {
    struct bytes name;
    struct manifest_part *parts[CONTRACT_PARTS]; /* NULL: nothing is said of it */
    const char *place;
};

struct contract_manifest {
    const char *compatibility; /* NULL: not said */
    struct manifest_topic *topics;
    size_t count;
};

enum { MANIFEST_BYTES_MAX = 1 << 20 };

/* Everything goes to the arena. False when a line was added to `problems`. */
bool contract_manifest_read(const char *path, struct arena *arena,
                            struct contract_manifest *manifest, struct text *problems);
/* "true" of a key that is true or false. */
bool manifest_part_has(const struct manifest_part *part, enum manifest_key key);
