#include "registry/reject_print.h"

static void json_text(const char *name, struct bytes value, struct text *out) {
    text_printf(out, "%s", name);
    text_append_json(out, value);
}

void reject_print_hex(struct bytes payload, struct text *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < payload.len; i++) {
        const char pair[2] = {digits[payload.at[i] >> 4], digits[payload.at[i] & 15]};
        text_append(out, bytes_make(pair, sizeof pair));
    }
}

static void print_violation(const struct reject_violation *violation, struct text *out) {
    text_printf(out, "{\"record_index\": %d, \"in_key\": %s, \"schema_id\": %d",
                violation->record_index, violation->in_key ? "true" : "false",
                violation->schema_id);
    json_text(", \"path\": ", violation->path, out);
    json_text(", \"reason\": ", violation->reason, out);
    if (violation->payload.len > 0) {
        text_printf(out, ", \"payload_size\": %d, \"payload_hex\": \"", violation->payload_size);
        reject_print_hex(violation->payload, out);
        text_printf(out, "\"");
    }
    text_printf(out, "}");
}

void reject_print_json(const struct reject *reject, int64_t offset, struct text *out) {
    text_printf(out, "{\"offset\": %lld, \"time_ms\": %lld", (long long)offset,
                (long long)reject->time_ms);
    json_text(", \"topic\": ", reject->topic, out);
    text_printf(out, ", \"partition\": %d", reject->partition);
    json_text(", \"client_id\": ", reject->client_id, out);
    json_text(", \"peer\": ", reject->peer, out);
    text_printf(out,
                ", \"producer_id\": %lld, \"producer_epoch\": %d, \"base_sequence\": %d, "
                "\"record_count\": %d, \"bad_count\": %d, \"observed\": %s, \"left_out\": %lld, "
                "\"violations\": [",
                (long long)reject->producer_id, reject->producer_epoch, reject->base_sequence,
                reject->record_count, reject->bad_count, reject->observed ? "true" : "false",
                (long long)reject->left_out);
    for (size_t i = 0; i < reject->violation_count; i++) {
        if (i > 0) text_printf(out, ", ");
        print_violation(&reject->violations[i], out);
    }
    text_printf(out, "]}");
}
