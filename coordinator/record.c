/* The frame of Kafka's coordinator records (CoordinatorRecordSerde): a key is an int16 that tells
 * its kind and the key's message in version 0, a value an int16 version and the value's message. */
#include "base/check.h"
#include "coordinator/coordinator.h"
#include "protocol/wire.h"

enum { NUMBER_SIZE = 2 };

static struct bytes behind_number(struct bytes from) {
    return bytes_make(from.at + NUMBER_SIZE, from.len - NUMBER_SIZE);
}

bool coordinator_record_parse(struct bytes key, struct bytes value,
                              struct coordinator_record *record) {
    *record = (struct coordinator_record){.value_version = -1};
    if (key.len < NUMBER_SIZE) return false;
    record->type = load_i16(key.at);
    record->key = behind_number(key);
    if (bytes_is_null(value)) return true;
    if (value.len < NUMBER_SIZE) return false;
    record->value_version = load_i16(value.at);
    record->value = behind_number(value);
    return record->value_version >= 0;
}

static bool decode(const struct message *message, int16_t version, struct bytes from,
                   struct arena *arena, void *out, struct error *error) {
    if (version < message->first_version || version > message->last_version)
        return error_set(error, 0, "%s has version %d, which is not known", message->name, version);
    return wire_decode(message, version, from, arena, out, error);
}

bool coordinator_record_key(const struct coordinator_record *record, const struct message *message,
                            struct arena *arena, void *out, struct error *error) {
    check(message->key == record->type);
    return decode(message, message->last_version, record->key, arena, out, error);
}

bool coordinator_record_value(const struct coordinator_record *record,
                              const struct message *message, struct arena *arena, void *out,
                              struct error *error) {
    check(!bytes_is_null(record->value));
    return decode(message, record->value_version, record->value, arena, out, error);
}
