/* Records of the catalog's log: proto/metadata.proto, one CatalogRecord as the value of one record
 * of a record batch. A change adds its records to a struct change_records; finish() makes the
 * batch, which takes effect as a whole. The texts and ids that are passed in are copied. */
#pragma once

#include "base/error.h"
#include "base/uuid.h"
#include "protocol/batch_build.h"

/* The number that a reader compares VersionRecord.oldest_reader with. It rises when a record is
 * added without which a catalog would be wrong. */
enum { CATALOG_FORMAT = 1 };

struct change_records {
    struct batch_build build;
    int64_t now_ms;
};

void change_records_init(struct change_records *records, int64_t now_ms);
void change_records_deinit(struct change_records *records);
/* Forgets what was added. */
void change_records_restart(struct change_records *records);
static inline int32_t change_records_count(const struct change_records *records) {
    return records->build.header.record_count;
}

void change_records_version(struct change_records *records);
void change_records_image(struct change_records *records, uint32_t part, bool end);
void change_records_topic(struct change_records *records, const struct uuid *id, const char *name,
                          bool internal);
void change_records_partition(struct change_records *records, const struct uuid *topic_id,
                              int32_t index, uint32_t id, uint16_t shard, int32_t leader_epoch);
void change_records_remove_topic(struct change_records *records, const struct uuid *id);
/* A NULL value takes the config back to its default. */
void change_records_topic_config(struct change_records *records, const struct uuid *topic_id,
                                 const char *name, const char *value);
void change_records_broker_config(struct change_records *records, const char *name,
                                  const char *value);
void change_records_group_config(struct change_records *records, const char *group,
                                 const char *name, const char *value);
void change_records_producer_ids(struct change_records *records, int64_t next);
void change_records_partition_ids(struct change_records *records, uint32_t next);

/* The batch, appended to `out`; there must be records. */
void change_records_finish(struct change_records *records, struct byte_buffer *out);

/* Generated from proto/metadata.proto. */
struct Metadata__CatalogRecord;

/* One decoded record, to be freed with catalog_record_free(). NULL and `error` for bytes that are
 * none (EBADMSG), for a kind that this version does not know, and for a VersionRecord that asks for
 * a newer reader (EPROTONOSUPPORT). */
struct Metadata__CatalogRecord *catalog_record_decode(struct bytes value, struct error *error);
void catalog_record_free(struct Metadata__CatalogRecord *record);
/* False unless it has the 16 bytes of an id. */
bool catalog_record_id(struct bytes raw, struct uuid *id);
