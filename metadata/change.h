/* Durable changes of the catalog. A change is a function (catalog, request) -> records + results; it
 * runs on the catalog's core against the newest state, its records are appended to the catalog's
 * log, and when they are durable every core applies them and confirms; only then is it done, so a
 * topic is usable everywhere when the answer leaves.
 *
 * Changes are made one after the other: each sees the one before it applied. The functions here are
 * pure; broker/catalog_service.h carries their records. A change that fails makes no records. */
#pragma once

#include "base/arena.h"
#include "metadata/catalog.h"
#include "protocol/error_code.h"

/* Records in the making: one record batch of the catalog's log. */
struct change {
    struct arena *arena;
    const struct catalog *catalog; /* as it is before the change */
    int64_t now_ms;
    uint32_t shard_count;
    struct change_records *records; /* metadata/catalog_record.h */
    /* Ids given by this change, so that several topics in one request do not collide. */
    uint32_t partition_id_next;
};

/* A result per topic or resource: a code and words for it. */
struct change_result {
    enum error_code code;
    const char *message; /* in the change's arena, or NULL */
};
