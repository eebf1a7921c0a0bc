#include "metadata/catalog_record.h"

#include <errno.h>

#include "base/check.h"
#include "proto/metadata.pb-c.h"

void change_records_init(struct change_records *records, int64_t now_ms) {
    batch_build_init(&records->build);
    records->now_ms = now_ms;
}

void change_records_deinit(struct change_records *records) { batch_build_deinit(&records->build); }
void change_records_restart(struct change_records *records) {
    batch_build_restart(&records->build);
}

static void add(struct change_records *records, const Metadata__CatalogRecord *record) {
    size_t size = metadata__catalog_record__get_packed_size(record);
    uint8_t *at = memory_new(size);
    metadata__catalog_record__pack(record, at);
    batch_build_add(&records->build, records->now_ms, BYTES_NULL, bytes_make(at, size), NULL, 0);
    free(at);
}

/* Protobuf's structs have no const. */
static ProtobufCBinaryData raw(const struct uuid *id) {
    return (ProtobufCBinaryData){sizeof id->raw, (uint8_t *)(uintptr_t)id->raw};
}
static char *text(const char *text) { return (char *)(uintptr_t)(text ? text : ""); }

/* Declares `part`, a record of the type named, and adds it as the field and kind named. */
#define ADD(records, TYPE, type, field, KIND, ...)                       \
    do {                                                                 \
        Metadata__##type part = METADATA__##TYPE##__INIT;                \
        Metadata__CatalogRecord record = METADATA__CATALOG_RECORD__INIT; \
        __VA_ARGS__;                                                     \
        record.kind_case = METADATA__CATALOG_RECORD__KIND_##KIND;        \
        record.field = &part;                                            \
        add(records, &record);                                           \
    } while (0)

void change_records_version(struct change_records *records) {
    ADD(records, VERSION_RECORD, VersionRecord, version, VERSION,
        part.oldest_reader = CATALOG_FORMAT, part.written_by = text(MILLRACE_VERSION));
}

void change_records_image(struct change_records *records, uint32_t number, bool end) {
    ADD(records, IMAGE_RECORD, ImageRecord, image, IMAGE, part.part = number, part.end = end);
}

void change_records_topic(struct change_records *records, const struct uuid *id, const char *name,
                          bool internal) {
    ADD(records, TOPIC_RECORD, TopicRecord, topic, TOPIC, part.id = raw(id), part.name = text(name),
        part.internal = internal);
}

void change_records_partition(struct change_records *records, const struct uuid *topic_id,
                              int32_t index, uint32_t id, uint16_t shard, int32_t leader_epoch) {
    ADD(records, PARTITION_RECORD, PartitionRecord, partition, PARTITION,
        part.topic_id = raw(topic_id), part.index = index, part.partition_id = id,
        part.shard = shard, part.leader_epoch = leader_epoch);
}

void change_records_remove_topic(struct change_records *records, const struct uuid *id) {
    ADD(records, REMOVE_TOPIC_RECORD, RemoveTopicRecord, remove_topic, REMOVE_TOPIC,
        part.topic_id = raw(id));
}

void change_records_topic_config(struct change_records *records, const struct uuid *topic_id,
                                 const char *name, const char *value) {
    ADD(records, TOPIC_CONFIG_RECORD, TopicConfigRecord, topic_config, TOPIC_CONFIG,
        part.topic_id = raw(topic_id), part.name = text(name), part.value = text(value),
        part.remove = !value);
}

void change_records_broker_config(struct change_records *records, const char *name,
                                  const char *value) {
    ADD(records, BROKER_CONFIG_RECORD, BrokerConfigRecord, broker_config, BROKER_CONFIG,
        part.name = text(name), part.value = text(value), part.remove = !value);
}

void change_records_group_config(struct change_records *records, const char *group,
                                 const char *name, const char *value) {
    ADD(records, GROUP_CONFIG_RECORD, GroupConfigRecord, group_config, GROUP_CONFIG,
        part.group = text(group), part.name = text(name), part.value = text(value),
        part.remove = !value);
}

void change_records_producer_ids(struct change_records *records, int64_t next) {
    ADD(records, PRODUCER_IDS_RECORD, ProducerIdsRecord, producer_ids, PRODUCER_IDS,
        part.next = next);
}

void change_records_partition_ids(struct change_records *records, uint32_t next) {
    ADD(records, PARTITION_IDS_RECORD, PartitionIdsRecord, partition_ids, PARTITION_IDS,
        part.next = next);
}

void change_records_finish(struct change_records *records, struct byte_buffer *out) {
    struct error error;
    check(batch_build_finish(&records->build, CODEC_NONE, out, &error));
}

struct Metadata__CatalogRecord *catalog_record_decode(struct bytes value, struct error *error) {
    Metadata__CatalogRecord *record =
        value.at ? metadata__catalog_record__unpack(NULL, value.len, value.at) : NULL;
    if (!record) {
        error_set(error, EBADMSG, "a record of the catalog's log is damaged (%zu bytes)",
                  value.len);
        return NULL;
    }
    if (record->kind_case == METADATA__CATALOG_RECORD__KIND__NOT_SET) {
        unsigned tag = record->base.n_unknown_fields ? record->base.unknown_fields[0].tag : 0;
        error_set(error, EPROTONOSUPPORT,
                  "the catalog's log has a record of kind %u, which millrace %s does not know: the "
                  "data directory was used by a newer version; start that one",
                  tag, MILLRACE_VERSION);
    } else if (record->kind_case == METADATA__CATALOG_RECORD__KIND_VERSION &&
               record->version->oldest_reader > CATALOG_FORMAT) {
        error_set(error, EPROTONOSUPPORT,
                  "the catalog's log was written by millrace %s and needs format %u; millrace %s "
                  "reads up to format %d: start the newer version",
                  record->version->written_by, record->version->oldest_reader, MILLRACE_VERSION,
                  CATALOG_FORMAT);
    } else {
        return record;
    }
    catalog_record_free(record);
    return NULL;
}

void catalog_record_free(struct Metadata__CatalogRecord *record) {
    metadata__catalog_record__free_unpacked(record, NULL);
}

bool catalog_record_id(struct bytes from, struct uuid *id) {
    if (from.len != sizeof id->raw) return false;
    memcpy(id->raw, from.at, sizeof id->raw);
    return true;
}
