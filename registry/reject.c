#include "registry/reject.h"

#include "protocol/varint.h"
#include "registry/wire_field.h"

enum {
    TIME_MS = 1,
    TOPIC,
    PARTITION,
    CLIENT_ID,
    PEER,
    PRODUCER_ID,
    PRODUCER_EPOCH,
    BASE_SEQUENCE,
    RECORD_COUNT,
    BAD_COUNT,
    OBSERVED,
    VIOLATIONS,
    LEFT_OUT
};
enum { RECORD_INDEX = 1, IN_KEY, SCHEMA_ID, PATH, REASON, PAYLOAD, PAYLOAD_SIZE };

static void violation_tell(struct reject_violation *violation,
                           const struct batch_breaches *breaches,
                           const struct record_breach *breach) {
    *violation = (struct reject_violation){.record_index = breach->index,
                                           .schema_id = breach->breach.schema_id,
                                           .in_key = breach->part == CONTRACT_OF_KEY,
                                           .path = bytes_of_text(breach->breach.path),
                                           .reason = bytes_of_text(breach->breach.reason),
                                           .payload = record_breach_payload(breaches, breach),
                                           .payload_size = (int32_t)breach->payload_size};
}

void reject_tell(struct reject *reject, const struct batch_breaches *breaches) {
    reject->observed = breaches->bad_count == 0;
    reject->record_count = breaches->record_count;
    reject->bad_count = reject->observed ? breaches->seen_count : breaches->bad_count;
    const struct record_breach *told = reject->observed ? breaches->seen : breaches->told;
    int32_t count = reject->observed ? breaches->shown_count : breaches->told_count;
    reject->violation_count = (size_t)count;
    for (int32_t i = 0; i < count; i++) violation_tell(&reject->violations[i], breaches, &told[i]);
}

/* --- writing; what is 0 or empty is left out, as in proto3 --- */

static void put_varint(struct byte_buffer *to, uint64_t value) {
    uint8_t *at = byte_buffer_reserve(to, VARINT_64_MAX);
    to->len += varint_put_u64(at, value);
}

static void put_number(struct byte_buffer *to, uint32_t field, int64_t value) {
    if (value == 0) return;
    put_varint(to, field << 3 | WIRE_VARINT);
    put_varint(to, (uint64_t)value);
}

static void put_bytes(struct byte_buffer *to, uint32_t field, struct bytes value) {
    put_varint(to, field << 3 | WIRE_BYTES);
    put_varint(to, value.len);
    byte_buffer_append(to, value);
}

static void put_text(struct byte_buffer *to, uint32_t field, struct bytes text) {
    if (text.len > 0) put_bytes(to, field, text);
}

static void put_violation(const struct reject_violation *violation, struct byte_buffer *to) {
    struct byte_buffer inner = {0};
    put_number(&inner, RECORD_INDEX, violation->record_index);
    put_number(&inner, IN_KEY, violation->in_key);
    put_number(&inner, SCHEMA_ID, violation->schema_id);
    put_text(&inner, PATH, violation->path);
    put_text(&inner, REASON, violation->reason);
    put_text(&inner, PAYLOAD, violation->payload);
    put_number(&inner, PAYLOAD_SIZE, violation->payload_size);
    put_bytes(to, VIOLATIONS, byte_buffer_bytes(&inner));
    byte_buffer_deinit(&inner);
}

void reject_write(const struct reject *reject, struct byte_buffer *to) {
    put_number(to, TIME_MS, reject->time_ms);
    put_text(to, TOPIC, reject->topic);
    put_number(to, PARTITION, reject->partition);
    put_text(to, CLIENT_ID, reject->client_id);
    put_text(to, PEER, reject->peer);
    put_number(to, PRODUCER_ID, reject->producer_id);
    put_number(to, PRODUCER_EPOCH, reject->producer_epoch);
    put_number(to, BASE_SEQUENCE, reject->base_sequence);
    put_number(to, RECORD_COUNT, reject->record_count);
    put_number(to, BAD_COUNT, reject->bad_count);
    put_number(to, OBSERVED, reject->observed);
    for (size_t i = 0; i < reject->violation_count; i++) put_violation(&reject->violations[i], to);
    put_number(to, LEFT_OUT, reject->left_out);
}

/* --- reading --- */

static bool read_violation(struct bytes from, struct reject_violation *violation) {
    struct wire_field field;
    bool broken = false;
    *violation = (struct reject_violation){0};
    while (wire_field_next(&from, &field, &broken)) {
        switch (field.number) {
            case RECORD_INDEX: violation->record_index = (int32_t)field.value; break;
            case IN_KEY: violation->in_key = field.value != 0; break;
            case SCHEMA_ID: violation->schema_id = (int32_t)field.value; break;
            case PATH: violation->path = field.bytes; break;
            case REASON: violation->reason = field.bytes; break;
            case PAYLOAD: violation->payload = field.bytes; break;
            case PAYLOAD_SIZE: violation->payload_size = (int32_t)field.value; break;
            default: break;
        }
    }
    return !broken;
}

static bool take_violation(struct bytes from, struct reject *reject) {
    if (reject->violation_count == REJECT_VIOLATIONS_MAX) return true;
    return read_violation(from, &reject->violations[reject->violation_count++]);
}

static bool take_field(const struct wire_field *field, struct reject *reject) {
    switch (field->number) {
        case TIME_MS: reject->time_ms = (int64_t)field->value; break;
        case TOPIC: reject->topic = field->bytes; break;
        case PARTITION: reject->partition = (int32_t)field->value; break;
        case CLIENT_ID: reject->client_id = field->bytes; break;
        case PEER: reject->peer = field->bytes; break;
        case PRODUCER_ID: reject->producer_id = (int64_t)field->value; break;
        case PRODUCER_EPOCH: reject->producer_epoch = (int32_t)field->value; break;
        case BASE_SEQUENCE: reject->base_sequence = (int32_t)field->value; break;
        case RECORD_COUNT: reject->record_count = (int32_t)field->value; break;
        case BAD_COUNT: reject->bad_count = (int32_t)field->value; break;
        case OBSERVED: reject->observed = field->value != 0; break;
        case VIOLATIONS: return take_violation(field->bytes, reject);
        case LEFT_OUT: reject->left_out = (int64_t)field->value; break;
        default: break;
    }
    return true;
}

bool reject_read(struct bytes from, struct reject *reject) {
    struct wire_field field;
    bool broken = false;
    *reject = (struct reject){0};
    while (wire_field_next(&from, &field, &broken))
        if (!take_field(&field, reject)) return false;
    return !broken;
}
