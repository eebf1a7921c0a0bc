#include "protocol/wire.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "protocol/api.h"
#include "protocol/api_versions.h"
#include "protocol/fetch.h"
#include "protocol/header.h"
#include "protocol/metadata.h"
#include "protocol/produce.h"

enum { ROUNDS = 12, ARENA_LIMIT = 4 << 20 };

/* ---- Random structs, and whether two are the same ---- */

static void fill(struct random *random, struct arena *arena, const struct layout *layout,
                 int version, uint8_t *out);

static bool in_range(int version, int first, int last) {
    return version >= first && version <= last;
}

static struct bytes random_bytes(struct random *random, struct arena *arena) {
    size_t len = random_below(random, 20);
    if (random_below(random, 50) == 0) len = random_below(random, 3000);
    uint8_t *at = arena_zero(arena, 1, len);
    for (size_t i = 0; i < len; i++) at[i] = (uint8_t)random_next(random);
    return bytes_make(at, len);
}

static struct record_slices random_slices(struct random *random, struct arena *arena) {
    int32_t count = (int32_t)random_below(random, 3);
    struct bytes *pieces = arena_array(arena, struct bytes, 3);
    size_t total = 0;
    for (int32_t i = 0; i < count; i++) {
        pieces[i] = random_bytes(random, arena);
        total += pieces[i].len;
    }
    return (struct record_slices){count, pieces, total};
}

static void fill_value(struct random *random, struct arena *arena, const struct field *field,
                       bool nullable, int version, uint8_t *out) {
    bool null = nullable && random_below(random, 4) == 0;
    static const size_t size[] = {1, 1, 2, 4, 8, 2, 4, 8, 16};
    uint64_t raw[2] = {random_next(random), random_next(random)};
    if (field->type == FIELD_STRUCT) {
        fill(random, arena, field->layout, version, out);
    } else if (field->type == FIELD_SLICES) {
        struct record_slices slices = {.count = -1};
        if (!null) slices = random_slices(random, arena);
        *(struct record_slices *)out = slices;
    } else if (field->type == FIELD_STRING || field->type == FIELD_BYTES) {
        *(struct bytes *)out = null ? BYTES_NULL : random_bytes(random, arena);
    } else if (field->type == FIELD_BOOL) {
        *(bool *)out = raw[0] & 1;
    } else if (random_below(random, 3)) {
        memcpy(out, raw, size[field->type]); /* otherwise the default stays */
    }
}

static void fill_field(struct random *random, struct arena *arena, const struct field *field,
                       int version, uint8_t *out) {
    bool nullable = in_range(version, field->null_first, field->null_last);
    if (field->shape == SHAPE_ONE) {
        fill_value(random, arena, field, nullable, version, out + field->offset);
        return;
    }
    bool null = nullable && random_below(random, 4) == 0;
    int32_t count = null ? -1 : (int32_t)random_below(random, 4);
    size_t size = field->type == FIELD_STRUCT ? field->layout->size : 64;
    if (field->type == FIELD_STRING || field->type == FIELD_UUID) size = 16;
    if (field->type <= FIELD_FLOAT64) size = (const size_t[]){1, 1, 2, 4, 8, 2, 4, 8}[field->type];
    if (field->shape == SHAPE_ARRAY) {
        *(int32_t *)(out + field->count_offset) = count;
    } else {
        count = null ? -1 : 1;
    }
    uint8_t *array = count > 0 ? arena_zero(arena, (size_t)count, size) : NULL;
    *(uint8_t **)(out + field->offset) = array;
    for (int32_t i = 0; i < count; i++) {
        fill_value(random, arena, field, false, version, array + (size_t)i * size);
    }
}

static void fill(struct random *random, struct arena *arena, const struct layout *layout,
                 int version, uint8_t *out) {
    memcpy(out, layout->defaults, layout->size);
    for (int i = 0; i < layout->field_count + layout->tagged_count; i++) {
        const struct field *field =
            i < layout->field_count ? &layout->fields[i] : &layout->tagged[i - layout->field_count];
        if (!in_range(version, field->first, field->last)) continue;
        if (field->tag >= 0 && random_below(random, 3) == 0) continue;
        fill_field(random, arena, field, version, out);
    }
}

static bool same(const struct layout *layout, const uint8_t *a, const uint8_t *b);

static bool same_slices(const struct record_slices *a, const struct record_slices *b) {
    struct wire_output left = {.pieces = (struct bytes *)a->pieces, .total = a->total};
    struct wire_output right = {.pieces = (struct bytes *)b->pieces, .total = b->total};
    if (a->count < 0 || b->count < 0) return a->count == b->count;
    left.count = (uint32_t)a->count;
    right.count = (uint32_t)b->count;
    struct arena arena;
    arena_init(&arena, ARENA_LIMIT);
    bool equal = bytes_equal(wire_join(&left, &arena), wire_join(&right, &arena));
    arena_deinit(&arena);
    return equal;
}

static bool same_value(const struct field *field, const uint8_t *a, const uint8_t *b) {
    static const size_t size[] = {1, 1, 2, 4, 8, 2, 4, 8, 16};
    if (field->type <= FIELD_UUID) return memcmp(a, b, size[field->type]) == 0;
    if (field->type == FIELD_STRUCT) return same(field->layout, a, b);
    if (field->type == FIELD_SLICES) {
        return same_slices((const struct record_slices *)a, (const struct record_slices *)b);
    }
    const struct bytes *left = (const struct bytes *)a, *right = (const struct bytes *)b;
    return bytes_is_null(*left) == bytes_is_null(*right) && bytes_equal(*left, *right);
}

static bool same_field(const struct field *field, const uint8_t *a, const uint8_t *b) {
    if (field->shape == SHAPE_ONE) return same_value(field, a + field->offset, b + field->offset);
    const uint8_t *left = *(uint8_t *const *)(a + field->offset);
    const uint8_t *right = *(uint8_t *const *)(b + field->offset);
    if (field->shape == SHAPE_POINTER) {
        return (!left && !right) || (left && right && same(field->layout, left, right));
    }
    int32_t count = *(const int32_t *)(a + field->count_offset);
    if (count != *(const int32_t *)(b + field->count_offset)) return false;
    size_t size = (const size_t[]){1, 1, 2, 4, 8, 2, 4, 8, 16, 16, 16, 24, 0}[field->type];
    if (field->type == FIELD_STRUCT) size = field->layout->size;
    for (int32_t i = 0; i < count; i++) {
        if (!same_value(field, left + (size_t)i * size, right + (size_t)i * size)) return false;
    }
    return true;
}

static bool same(const struct layout *layout, const uint8_t *a, const uint8_t *b) {
    for (int i = 0; i < layout->field_count; i++) {
        if (!same_field(&layout->fields[i], a, b)) return false;
    }
    for (int i = 0; i < layout->tagged_count; i++) {
        if (!same_field(&layout->tagged[i], a, b)) return false;
    }
    return true;
}

/* ---- Every message in every version ---- */

typedef void message_test(struct random *random, const struct message *message, int version);

static void each_version(struct random *random, const struct message *message, message_test *test) {
    int count = message->last_version - message->first_version + 1;
    for (int i = 0; i < count * ROUNDS; i++)
        test(random, message, message->first_version + i % count);
}

static void each_message(message_test *test) {
    struct random random;
    random_init(&random, 7);
    each_version(&random, &request_header_message, test);
    each_version(&random, &response_header_message, test);
    for (int32_t i = 0; i < api_count; i++) {
        each_version(&random, api_table[i].request, test);
        each_version(&random, api_table[i].response, test);
    }
}

/* A random struct and its encoding, in one arena. */
static struct bytes random_encoding(struct random *random, const struct message *message,
                                    int version, struct arena *arena, uint8_t **value) {
    struct wire_output out;
    *value = arena_zero(arena, 1, message->layout->size);
    fill(random, arena, message->layout, version, *value);
    cr_assert(wire_encode(message, version, *value, arena, &out));
    struct bytes encoded = wire_join(&out, arena);
    cr_assert_eq(encoded.len, out.total);
    cr_assert_geq(encoded.len, message->layout->minimum_size[version - message->first_version]);
    return encoded;
}

static void round_trip(struct random *random, const struct message *message, int version) {
    struct arena arena;
    struct error error;
    struct wire_output out;
    uint8_t *value;
    arena_init(&arena, ARENA_LIMIT);
    struct bytes encoded = random_encoding(random, message, version, &arena, &value);
    uint8_t *decoded = arena_zero(&arena, 1, message->layout->size);
    cr_assert(wire_decode(message, version, encoded, &arena, decoded, &error), "%s", error.text);
    cr_assert(same(message->layout, value, decoded), "%s v%d", message->name, version);
    cr_assert(wire_encode(message, version, decoded, &arena, &out));
    cr_assert(bytes_equal(wire_join(&out, &arena), encoded), "%s v%d", message->name, version);
    arena_deinit(&arena);
}

Test(wire, every_message_survives_a_round_trip) { each_message(round_trip); }

/* A decoder must not read past the end: the input is alone in its heap block. */
static bool decode_alone(const struct message *message, int version, struct bytes in, size_t limit,
                         struct error *error) {
    struct arena arena;
    arena_init(&arena, limit);
    uint8_t *copy = memory_new(in.len ? in.len : 1), *out = memory_new(message->layout->size);
    if (in.len) memcpy(copy, in.at, in.len);
    bool good = wire_decode(message, version, bytes_make(copy, in.len), &arena, out, error);
    struct wire_output again;
    if (good) wire_encode(message, version, out, &arena, &again);
    free(out);
    free(copy);
    arena_deinit(&arena);
    return good;
}

static void cut_short(struct random *random, const struct message *message, int version) {
    struct arena arena;
    struct error error;
    uint8_t *value;
    arena_init(&arena, ARENA_LIMIT);
    struct bytes encoded = random_encoding(random, message, version, &arena, &value);
    size_t step = encoded.len > 300 ? encoded.len / 100 : 1;
    for (size_t len = 0; len < encoded.len; len += step) {
        cr_assert(!decode_alone(message, version, bytes_make(encoded.at, len), 1 << 20, &error));
        cr_assert(strstr(error.text, message->name), "%s", error.text);
    }
    uint8_t *longer = arena_zero(&arena, 1, encoded.len + 1);
    memcpy(longer, encoded.at, encoded.len);
    cr_assert(
        !decode_alone(message, version, bytes_make(longer, encoded.len + 1), 1 << 20, &error));
    arena_deinit(&arena);
}

Test(wire, cut_or_lengthened_messages_are_errors, .timeout = 300) { each_message(cut_short); }

static void damage(struct random *random, const struct message *message, int version) {
    struct arena arena;
    struct error error;
    uint8_t *value;
    arena_init(&arena, ARENA_LIMIT);
    struct bytes encoded = random_encoding(random, message, version, &arena, &value);
    uint8_t *copy = arena_zero(&arena, 1, encoded.len);
    for (int i = 0; i < 20 && encoded.len; i++) {
        memcpy(copy, encoded.at, encoded.len);
        for (uint64_t flips = random_below(random, 4) + 1; flips > 0; flips--) {
            copy[random_below(random, encoded.len)] = (uint8_t)random_next(random);
        }
        decode_alone(message, version, bytes_make(copy, encoded.len), 64 << 10, &error);
    }
    arena_deinit(&arena);
}

Test(wire, damaged_messages_are_harmless, .timeout = 300) { each_message(damage); }

/* ---- Single rules, by hand-written bytes ---- */

struct fixture {
    struct arena arena;
    struct error error;
    struct wire_output out;
};

static struct fixture *fixture_new(size_t limit) {
    struct fixture *f = new_zero(struct fixture);
    arena_init(&f->arena, limit);
    return f;
}

static void fixture_free(struct fixture *f) {
    arena_deinit(&f->arena);
    free(f);
}

/* Decoding fails, and the error mentions the text. */
#define assert_refused(message, version, input, limit, mention)                              \
    do {                                                                                     \
        struct error refusal = {0};                                                          \
        cr_assert(!decode_alone(message, version, input, limit, &refusal));                  \
        cr_assert(strstr(refusal.text, mention), "'%s' not in '%s'", mention, refusal.text); \
    } while (0)

#define assert_accepted(message, version, input)                                                 \
    do {                                                                                         \
        struct error refusal = {0};                                                              \
        cr_assert(decode_alone(message, version, input, 1 << 20, &refusal), "%s", refusal.text); \
    } while (0)

Test(wire, bytes_are_as_kafka_writes_them) {
    struct fixture *f = fixture_new(1 << 20);
    struct bytes frame = BYTES_OF(
        "\0\0\0\x1e"                   /* length */
        "\0\x12\0\x03\0\0\0\x07\0\x03" /* key, version, correlation id, client id */
        "abc"                          /* classic even here */
        "\0"                           /* the header's tags */
        "\x0bmillrace-c\x04"
        "0.1"
        "\0"); /* compact strings, tags */
    struct api_versions_request request = {BYTES_OF("millrace-c"), BYTES_OF("0.1"), BYTES_NULL, 0};
    const struct api *api = api_find(API_API_VERSIONS);
    cr_assert(api_encode_request(api, 3, 7, BYTES_OF("abc"), &request, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena), frame));

    struct request_header header;
    struct api_versions_request decoded;
    struct bytes rest = bytes_make(frame.at + 4, frame.len - 4);
    cr_assert(wire_decode_part(&request_header_message, 2, &rest, &f->arena, &header, &f->error));
    cr_assert_eq(header.correlation_id, 7);
    cr_assert(bytes_equal_text(header.client_id, "abc"));
    cr_assert(wire_decode(api->request, 3, rest, &f->arena, &decoded, &f->error));
    cr_assert(bytes_equal_text(decoded.client_software_version, "0.1"));
    cr_assert_eq(decoded.client_software_version.at, frame.at + 30, "points into the input");
    cr_assert_eq(decoded.node_id, -1, "a field of a later version has its default");
    fixture_free(f);
}

Test(wire, classic_bytes_are_as_kafka_writes_them) {
    struct fixture *f = fixture_new(1 << 20);
    struct produce_request_partition_produce_data part = {.index = 3, .records = BYTES_OF("xyz")};
    struct produce_request_topic_produce_data topic = {
        .name = BYTES_OF("t"), .partition_data_count = 1, .partition_data = &part};
    struct produce_request request = {
        .acks = -1, .timeout_ms = 1500, .topic_data_count = 1, .topic_data = &topic};
    cr_assert(wire_encode(&produce_request_message, 3, &request, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena),
                          BYTES_OF("\xff\xff\xff\xff\0\0\x05\xdc\0\0\0\x01\0\x01t\0\0\0\x01"
                                   "\0\0\0\x03\0\0\0\x03xyz")));
    fixture_free(f);
}

Test(wire, tagged_fields_are_written_when_they_differ_from_their_defaults) {
    struct fixture *f = fixture_new(1 << 20);
    struct api_versions_response response;
    message_defaults(&api_versions_response_message, &response);
    cr_assert_eq(response.finalized_features_epoch, -1);
    cr_assert(wire_encode(&api_versions_response_message, 3, &response, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena), BYTES_OF("\0\0\x01\0\0\0\0\0")));
    response.finalized_features_epoch = 5;
    response.zk_migration_ready = true;
    cr_assert(wire_encode(&api_versions_response_message, 3, &response, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena),
                          BYTES_OF("\0\0\x01\0\0\0\0\x02\x01\x08\0\0\0\0\0\0\0\x05\x03\x01\x01")));
    fixture_free(f);
}

Test(wire, a_struct_inside_a_tag_is_measured) {
    struct fixture *f = fixture_new(1 << 20);
    struct produce_response_partition_produce_response part = {
        .base_offset = 1, .log_append_time_ms = -1, .current_leader = {4, 9}};
    struct produce_response_topic_produce_response topic = {
        .name = BYTES_OF("t"), .partition_responses_count = 1, .partition_responses = &part};
    struct produce_response response = {.responses_count = 1, .responses = &topic}, decoded;
    cr_assert(wire_encode(&produce_response_message, 10, &response, &f->arena, &f->out));
    struct bytes encoded = wire_join(&f->out, &f->arena);
    cr_assert(wire_decode(&produce_response_message, 10, encoded, &f->arena, &decoded, &f->error));
    cr_assert_eq(decoded.responses[0].partition_responses[0].current_leader.leader_epoch, 9);
    fixture_free(f);
}

static struct fetch_response one_partition(struct arena *arena, struct record_slices records) {
    struct fetch_response_fetchable_topic_response *topic =
        arena_new(arena, struct fetch_response_fetchable_topic_response);
    topic->partitions = arena_new(arena, struct fetch_response_partition_data);
    topic->partitions_count = 1;
    topic->partitions->records = records;
    topic->partitions->preferred_read_replica = -1;
    return (struct fetch_response){.responses_count = 1, .responses = topic};
}

/* What lies between the fields of a struct says nothing about its value. */
Test(wire, padding_does_not_count_as_a_difference) {
    struct fixture *f = fixture_new(1 << 20);
    struct fetch_response_partition_data part;
    memset(&part, 0x55, sizeof part);
    struct fetch_response response = one_partition(&f->arena, (struct record_slices){.count = 0});
    part.diverging_epoch.epoch = part.current_leader.leader_id = part.snapshot_id.epoch = -1;
    part.diverging_epoch.end_offset = part.snapshot_id.end_offset = -1;
    part.current_leader.leader_epoch = -1;
    part.aborted_transactions_count = 0;
    part.records = (struct record_slices){.count = 0};
    response.responses->partitions = &part;
    cr_assert(wire_encode(&fetch_response_message, 12, &response, &f->arena, &f->out));
    struct bytes encoded = wire_join(&f->out, &f->arena);
    /* At the end: empty records, and no tags of partition, topic and response. */
    cr_assert(bytes_equal(bytes_make(encoded.at + encoded.len - 4, 4), BYTES_OF("\x01\0\0\0")));
    fixture_free(f);
}

Test(wire, unknown_tags_are_skipped) {
    assert_accepted(&api_versions_request_message, 3, BYTES_OF("\x01\x01\x01\x07\x02zz"));
    assert_accepted(&api_versions_request_message, 3, BYTES_OF("\x01\x01\x02\x07\x02zz\x64\0"));
    assert_accepted(&api_versions_response_message, 3, /* tag 9 behind the known tag 1 */
                    BYTES_OF("\0\0\x01\0\0\0\0\x02\x01\x08\0\0\0\0\0\0\0\x05\x09\x01z"));
}

Test(wire, tags_are_bounded) {
    const struct message *message = &api_versions_request_message;
    assert_refused(message, 3, BYTES_OF("\x01\x01\x02\x07\0\x07\0"), 1 << 20, "ascending");
    assert_refused(message, 3, BYTES_OF("\x01\x01\x01\x07\x05zz"), 1 << 20, "cut short");
    assert_refused(message, 3, BYTES_OF("\x01\x01\x41"), 1 << 20, "more than 64");
    assert_refused(message, 3, BYTES_OF("\x01\x01\xff\xff\xff\xff\x0f"), 1 << 20, "more than 64");
    assert_refused(message, 3, BYTES_OF("\x01\x01\xff\xff\xff\xff\xff\x01"), 1 << 20, "32 bits");
    assert_refused(message, 3, BYTES_OF("\x01\x01\xff\xff\xff\xff\x1f"), 1 << 20, "32 bits");
    assert_refused(&api_versions_response_message, 3,
                   BYTES_OF("\0\0\x01\0\0\0\0\x01\x01\x09\0\0\0\0\0\0\0\x05\0"), 1 << 20,
                   "finalized_features_epoch leaves 1 of its 9 bytes over");
    assert_refused(&api_versions_response_message, 3,
                   BYTES_OF("\0\0\x01\0\0\0\0\x01\x01\x07\0\0\0\0\0\0\x05"), 1 << 20, "cut short");
}

Test(wire, counts_are_checked_against_the_bytes_left) {
    const struct message *message = &metadata_request_message;
    assert_refused(message, 1, BYTES_OF("\x7f\xff\xff\xff\0\x01t"), 1 << 20, "2147483647 elements");
    assert_refused(message, 1, BYTES_OF("\0\0\0\x02\0\x01t"), 1 << 20,
                   "topics declares 2 elements");
    assert_refused(message, 1, BYTES_OF("\xff\xff\xff\xfe"), 1 << 20, "negative length");
    assert_refused(message, 9, BYTES_OF("\xff\xff\xff\xff\x0f\0\0\0\0"), 1 << 20, "elements");
    assert_refused(&metadata_request_message, 9, BYTES_OF("\x80\x80\x80\x80\x80\x01"), 1 << 20,
                   "32 bits");
}

/* 20,000 topics in 40 KB of input would need 640 KB. */
Test(wire, arrays_must_fit_under_the_limit_of_the_arena) {
    enum { COUNT = 20000, SIZE = 4 + 2 * COUNT };
    uint8_t *in = memory_zero(1, SIZE);
    store_u32(in, COUNT);
    assert_accepted(&metadata_request_message, 1, bytes_make(in, SIZE));
    assert_refused(&metadata_request_message, 1, bytes_make(in, SIZE), 64 << 10, "more memory");
    free(in);
}

Test(wire, an_array_has_at_most_a_million_elements) {
    size_t size = 4 + 2 * (WIRE_ARRAY_MAX + 1);
    uint8_t *in = memory_zero(1, size);
    store_u32(in, WIRE_ARRAY_MAX + 1);
    assert_refused(&metadata_request_message, 1, bytes_make(in, size), SIZE_MAX, "1000001");
    free(in);
}

Test(wire, null_is_refused_where_the_version_has_none) {
    assert_refused(&metadata_request_message, 0, BYTES_OF("\xff\xff\xff\xff"), 1 << 20,
                   "metadata_request v0: topics is null");
    assert_accepted(&metadata_request_message, 1, BYTES_OF("\xff\xff\xff\xff"));
    assert_refused(&metadata_request_message, 1, BYTES_OF("\0\0\0\x01\xff\xff"), 1 << 20,
                   "metadata_request_topic.name is null");
    assert_refused(&api_versions_request_message, 3, BYTES_OF("\0\x01\0"), 1 << 20,
                   "client_software_name is null");
    assert_refused(&api_versions_request_message, 3, BYTES_OF("\x81\x80\x02"), 1 << 20,
                   "more than 32767");
}

Test(wire, versions_outside_the_definition_are_refused) {
    assert_refused(&produce_request_message, 2, BYTES_OF(""), 1 << 20, "v2 is not defined");
    assert_refused(&produce_request_message, 14, BYTES_OF(""), 1 << 20, "3 to 13");
    assert_refused(&produce_request_message, -1, BYTES_OF(""), 1 << 20, "not defined");
    assert_refused(&produce_request_message, 300, BYTES_OF(""), 1 << 20, "not defined");
}

Test(wire, null_is_written_as_empty_where_the_version_has_none) {
    struct fixture *f = fixture_new(1 << 20);
    struct metadata_request request = {.topics_count = -1};
    cr_assert(wire_encode(&metadata_request_message, 0, &request, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena), BYTES_OF("\0\0\0\0")));
    struct api_versions_request names = {0};
    cr_assert(wire_encode(&api_versions_request_message, 3, &names, &f->arena, &f->out));
    cr_assert(bytes_equal(wire_join(&f->out, &f->arena), BYTES_OF("\x01\x01\0")));
    fixture_free(f);
}

Test(wire, records_of_a_response_are_sent_from_where_they_lie) {
    struct fixture *f = fixture_new(1 << 20);
    struct bytes pieces[] = {BYTES_OF("first batch"), BYTES_OF("second")};
    struct fetch_response response =
        one_partition(&f->arena, (struct record_slices){2, pieces, pieces[0].len + pieces[1].len});
    cr_assert(api_encode_response(api_find(API_FETCH), 12, 5, &response, &f->arena, &f->out));
    cr_assert_eq(f->out.count, 4);
    cr_assert_eq(f->out.pieces[1].at, pieces[0].at);
    cr_assert_eq(f->out.pieces[2].at, pieces[1].at);
    cr_assert_eq(load_u32(f->out.pieces[0].at), f->out.total - 4);
    fixture_free(f);
}

Test(wire, encoding_says_when_the_arena_is_full) {
    struct fixture *f = fixture_new(4096);
    struct metadata_response_metadata_response_broker brokers[1000] = {0};
    struct metadata_response response = {.brokers_count = 1000, .brokers = brokers};
    cr_assert(!wire_encode(&metadata_response_message, 9, &response, &f->arena, &f->out));
    cr_assert(!api_encode_response(api_find(API_METADATA), 9, 1, &response, &f->arena, &f->out));
    fixture_free(f);
}

Test(wire, long_strings_are_cut_to_what_the_wire_can_say) {
    struct fixture *f = fixture_new(1 << 20);
    uint8_t *name = memory_zero(1, 40000);
    struct api_versions_request request = {.client_software_name = bytes_make(name, 40000)}, back;
    cr_assert(wire_encode(&api_versions_request_message, 3, &request, &f->arena, &f->out));
    struct bytes encoded = wire_join(&f->out, &f->arena);
    cr_assert(wire_decode(&api_versions_request_message, 3, encoded, &f->arena, &back, &f->error));
    cr_assert_eq(back.client_software_name.len, INT16_MAX);
    free(name);
    fixture_free(f);
}
