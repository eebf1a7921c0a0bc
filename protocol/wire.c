#include "protocol/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

enum { STRING_MAX = INT16_MAX, VARINT_MAX = 5, CHUNK_MIN = 512, CHUNK_MAX = 32 * 1024 };

/* In memory, by enum field_type; a struct's is in its layout. */
static const uint8_t type_size[] = {
    [FIELD_BOOL] = sizeof(bool),
    [FIELD_INT8] = 1,
    [FIELD_INT16] = 2,
    [FIELD_INT32] = 4,
    [FIELD_INT64] = 8,
    [FIELD_UINT16] = 2,
    [FIELD_UINT32] = 4,
    [FIELD_FLOAT64] = 8,
    [FIELD_UUID] = 16,
    [FIELD_STRING] = sizeof(struct bytes),
    [FIELD_BYTES] = sizeof(struct bytes),
    [FIELD_SLICES] = sizeof(struct record_slices),
    [FIELD_STRUCT] = 0,
};
static_assert(sizeof(bool) == 1 && sizeof(double) == 8, "one size in memory and on the wire");

/* On the wire, of what has a fixed size there. */
static size_t fixed_size(uint8_t type) { return type <= FIELD_UUID ? type_size[type] : 0; }

static bool in_version(const struct field *field, int version) {
    return version >= field->first && version <= field->last;
}

static bool null_in_version(const struct field *field, int version) {
    return version >= field->null_first && version <= field->null_last;
}

static size_t element_size(const struct field *field) {
    return field->type == FIELD_STRUCT ? field->layout->size : type_size[field->type];
}

/* ---- Decoding ---- */

struct decoder {
    const struct message *message;
    int version;
    const uint8_t *at, *end;
    struct arena *arena;
    bool flexible;
    /* Of the field that failed. */
    const char *owner, *field;
    char problem[96];
};

static bool decode_struct(struct decoder *d, const struct layout *layout, uint8_t *out);

__attribute__((format(printf, 2, 3))) static bool fail(struct decoder *d, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(d->problem, sizeof d->problem, format, list);
    va_end(list);
    return false;
}

/* Remembers the place of the problem: the innermost struct, which fails first, knows it. */
static bool fail_at(struct decoder *d, const struct layout *layout, const char *field) {
    if (d->field) return false;
    d->owner = layout == d->message->layout ? "" : layout->name + strlen(d->message->name) + 1;
    d->field = field;
    return false;
}

static size_t left(const struct decoder *d) { return (size_t)(d->end - d->at); }

static const uint8_t *take(struct decoder *d, size_t size) {
    if (size > left(d)) {
        fail(d, "is cut short: %zu bytes wanted, %zu left", size, left(d));
        return NULL;
    }
    const uint8_t *at = d->at;
    d->at += size;
    return at;
}

static bool take_uvarint(struct decoder *d, uint32_t *value) {
    uint64_t sum = 0;
    for (int i = 0; i < VARINT_MAX; i++) {
        const uint8_t *at = take(d, 1);
        if (!at) return false;
        sum |= (uint64_t)(*at & 0x7f) << (7 * i);
        if (*at & 0x80) continue;
        if (sum > UINT32_MAX) break;
        *value = (uint32_t)sum;
        return true;
    }
    return fail(d, "has a variable-length number of more than 32 bits");
}

/* The length in front of a string (two bytes), or of bytes and arrays (four); null is -1. */
static bool take_length(struct decoder *d, const struct field *field, bool string, bool nullable,
                        int64_t *length) {
    if (d->flexible && !field->classic) {
        uint32_t raw = 0;
        if (!take_uvarint(d, &raw)) return false;
        *length = (int64_t)raw - 1;
    } else {
        const uint8_t *at = take(d, string ? 2 : 4);
        if (!at) return false;
        *length = string ? load_i16(at) : load_i32(at);
        if (*length < -1) return fail(d, "has the negative length %lld", (long long)*length);
    }
    if (*length < 0 && !nullable) return fail(d, "is null");
    return true;
}

static bool decode_bytes(struct decoder *d, const struct field *field, bool nullable,
                         struct bytes *out) {
    bool string = field->type == FIELD_STRING;
    int64_t length = 0;
    if (!take_length(d, field, string, nullable, &length)) return false;
    if (length < 0) {
        *out = BYTES_NULL;
        return true;
    }
    if (string && length > STRING_MAX) {
        return fail(d, "is a string of %lld bytes, more than %d", (long long)length, STRING_MAX);
    }
    *out = bytes_make(take(d, (size_t)length), (size_t)length);
    return out->at != NULL;
}

static bool decode_slices(struct decoder *d, const struct field *field, bool nullable,
                          struct record_slices *out) {
    struct bytes whole = BYTES_NULL;
    if (!decode_bytes(d, field, nullable, &whole)) return false;
    *out = (struct record_slices){.count = bytes_is_null(whole) ? -1 : 0};
    if (whole.len == 0) return true;
    struct bytes *piece = arena_try(d->arena, sizeof *piece);
    if (!piece) return fail(d, "needs more memory than the request may use");
    *piece = whole;
    *out = (struct record_slices){.count = 1, .pieces = piece, .total = whole.len};
    return true;
}

static void load_fixed(uint8_t type, const uint8_t *at, void *out) {
    switch (type) {
        case FIELD_BOOL: *(bool *)out = *at != 0; break;
        case FIELD_INT8: *(uint8_t *)out = *at; break;
        case FIELD_INT16:
        case FIELD_UINT16: *(uint16_t *)out = load_u16(at); break;
        case FIELD_INT32:
        case FIELD_UINT32: *(uint32_t *)out = load_u32(at); break;
        case FIELD_INT64:
        case FIELD_FLOAT64: *(uint64_t *)out = load_u64(at); break;
        default: memcpy(out, at, sizeof(struct uuid)); break;
    }
}

static bool decode_value(struct decoder *d, const struct field *field, bool nullable,
                         uint8_t *out) {
    size_t size = fixed_size(field->type);
    if (size) {
        const uint8_t *at = take(d, size);
        if (at) load_fixed(field->type, at, out);
        return at != NULL;
    }
    if (field->type == FIELD_STRUCT) return decode_struct(d, field->layout, out);
    if (field->type == FIELD_SLICES) {
        return decode_slices(d, field, nullable, (struct record_slices *)out);
    }
    return decode_bytes(d, field, nullable, (struct bytes *)out);
}

/* The fewest bytes of one element: at least 1, so that a count is always bounded. */
static size_t element_minimum(const struct decoder *d, const struct field *field) {
    size_t size = fixed_size(field->type);
    if (size) return size;
    if (field->type == FIELD_STRUCT) {
        size = field->layout->minimum_size[d->version - d->message->first_version];
        return size ? size : 1;
    }
    if (d->flexible && !field->classic) return 1;
    return field->type == FIELD_STRING ? 2 : 4;
}

static bool decode_array(struct decoder *d, const struct field *field, uint8_t *out) {
    int64_t count = 0;
    if (!take_length(d, field, false, null_in_version(field, d->version), &count)) return false;
    int32_t *out_count = (int32_t *)(out + field->count_offset);
    uint8_t **out_array = (uint8_t **)(out + field->offset);
    *out_count = count < 0 ? -1 : 0;
    *out_array = NULL;
    if (count <= 0) return true;
    if (count > WIRE_ARRAY_MAX || (size_t)count > left(d) / element_minimum(d, field)) {
        return fail(d, "declares %lld elements in %zu bytes", (long long)count, left(d));
    }
    size_t size = element_size(field);
    uint8_t *array = arena_try(d->arena, (size_t)count * size);
    if (!array) return fail(d, "needs more memory than the request may use");
    for (int64_t i = 0; i < count; i++) {
        if (!decode_value(d, field, false, array + (size_t)i * size)) return false;
    }
    *out_count = (int32_t)count;
    *out_array = array;
    return true;
}

/* A byte tells whether the struct is there: -1 for null. */
static bool decode_pointer(struct decoder *d, const struct field *field, uint8_t *out) {
    const uint8_t *present = take(d, 1);
    if (!present) return false;
    uint8_t **pointer = (uint8_t **)(out + field->offset);
    *pointer = NULL;
    if ((int8_t)*present < 0) return true;
    uint8_t *value = arena_try(d->arena, field->layout->size);
    if (!value) return fail(d, "needs more memory than the request may use");
    *pointer = value;
    return decode_struct(d, field->layout, value);
}

static bool decode_field(struct decoder *d, const struct field *field, uint8_t *out) {
    if (field->shape == SHAPE_ARRAY) return decode_array(d, field, out);
    if (field->shape == SHAPE_POINTER) return decode_pointer(d, field, out);
    return decode_value(d, field, null_in_version(field, d->version), out + field->offset);
}

static const struct field *find_tagged(const struct decoder *d, const struct layout *layout,
                                       uint32_t tag) {
    for (int i = 0; i < layout->tagged_count; i++) {
        const struct field *field = &layout->tagged[i];
        if ((uint32_t)field->tag == tag && in_version(field, d->version)) return field;
    }
    return NULL;
}

/* A tagged field ends where its size says, neither before nor after. */
static bool decode_tagged(struct decoder *d, const struct layout *layout, const struct field *field,
                          uint32_t size, uint8_t *out) {
    const uint8_t *end = d->end;
    d->end = d->at + size;
    if (!decode_field(d, field, out)) return fail_at(d, layout, field->name);
    if (d->at != d->end) {
        fail(d, "leaves %zu of its %u bytes over", left(d), size);
        return fail_at(d, layout, field->name);
    }
    d->end = end;
    return true;
}

static bool decode_tags(struct decoder *d, const struct layout *layout, uint8_t *out) {
    uint32_t count = 0, tag = 0, size = 0;
    int64_t previous = -1;
    if (!take_uvarint(d, &count)) return false;
    if (count > WIRE_TAGS_MAX) return fail(d, "are %u, more than %d", count, WIRE_TAGS_MAX);
    for (; count > 0; count--) {
        if (!take_uvarint(d, &tag) || !take_uvarint(d, &size)) return false;
        if (tag <= previous) return fail(d, "are not in ascending order");
        previous = tag;
        if (size > left(d)) return fail(d, "are cut short: %u bytes, %zu left", size, left(d));
        const struct field *field = find_tagged(d, layout, tag);
        if (!field) {
            d->at += size;
        } else if (!decode_tagged(d, layout, field, size, out)) {
            return false;
        }
    }
    return true;
}

static bool decode_struct(struct decoder *d, const struct layout *layout, uint8_t *out) {
    memcpy(out, layout->defaults, layout->size);
    for (int i = 0; i < layout->field_count; i++) {
        const struct field *field = &layout->fields[i];
        if (in_version(field, d->version) && !decode_field(d, field, out)) {
            return fail_at(d, layout, field->name);
        }
    }
    if (!d->flexible || decode_tags(d, layout, out)) return true;
    return fail_at(d, layout, "tagged fields");
}

bool wire_decode_part(const struct message *message, int version, struct bytes *in,
                      struct arena *arena, void *out, struct error *error) {
    if (version < message->first_version || version > message->last_version) {
        return error_set(error, EPROTONOSUPPORT, "%s v%d is not defined (%d to %d are)",
                         message->name, version, message->first_version, message->last_version);
    }
    struct decoder d = {
        .message = message,
        .version = version,
        .at = in->at ? in->at : (const uint8_t *)"",
        .arena = arena,
        .flexible = message_is_flexible(message, version),
    };
    d.end = d.at + in->len;
    if (!decode_struct(&d, message->layout, out)) {
        return error_set(error, EBADMSG, "%s v%d: %s%s%s %s", message->name, version, d.owner,
                         d.owner[0] ? "." : "", d.field, d.problem);
    }
    *in = bytes_make(d.at, left(&d));
    return true;
}

bool wire_decode(const struct message *message, int version, struct bytes in, struct arena *arena,
                 void *out, struct error *error) {
    if (!wire_decode_part(message, version, &in, arena, out, error)) return false;
    if (in.len == 0) return true;
    return error_set(error, EBADMSG, "%s v%d: %zu bytes are left over", message->name, version,
                     in.len);
}

/* ---- Encoding ---- */

/* The version in use goes along with the output. */
struct encoder {
    struct wire_output *out;
    int version;
    bool flexible;
};

static void encode_struct(const struct encoder *e, const struct layout *layout, const uint8_t *in);

static void push_piece(struct wire_output *out, struct bytes piece) {
    if (piece.len == 0 || out->failed) return;
    if (out->count == out->capacity) {
        uint32_t capacity = out->capacity ? out->capacity * 2 : 8;
        struct bytes *pieces = arena_try(out->arena, capacity * sizeof *pieces);
        if (!pieces) {
            out->failed = true;
            return;
        }
        if (out->count) memcpy(pieces, out->pieces, out->count * sizeof *pieces);
        out->pieces = pieces;
        out->capacity = capacity;
    }
    out->pieces[out->count++] = piece;
    out->total += piece.len;
}

/* Makes a piece of what the chunk holds since the last one. */
static void close_piece(struct wire_output *out) {
    if (out->next == out->start) return;
    push_piece(out, bytes_make(out->start, (size_t)(out->next - out->start)));
    out->start = out->next;
}

/* A new chunk; or, when only measuring, nothing but the sum. */
static uint8_t *reserve_slowly(struct wire_output *out, size_t size) {
    if (out->measuring) out->measured += size;
    if (out->measuring || out->failed) return NULL;
    close_piece(out);
    out->chunk_size = out->chunk_size ? out->chunk_size * 2 : CHUNK_MIN;
    if (out->chunk_size > CHUNK_MAX) out->chunk_size = CHUNK_MAX;
    size_t chunk = size > out->chunk_size ? size : out->chunk_size;
    out->start = arena_try(out->arena, chunk);
    if (!out->start) {
        out->failed = true;
        out->next = out->end = NULL;
        return NULL;
    }
    out->next = out->start + size;
    out->end = out->start + chunk;
    return out->start;
}

/* Room for size > 0 bytes; NULL when they are only measured, or when the arena is full. */
static inline uint8_t *reserve(struct wire_output *out, size_t size) {
    if (__builtin_expect(size > (size_t)(out->end - out->next), 0)) {
        return reserve_slowly(out, size);
    }
    uint8_t *at = out->next;
    out->next += size;
    return at;
}

static void put_uvarint(struct wire_output *out, uint32_t value) {
    size_t size = 1;
    for (uint32_t rest = value >> 7; rest; rest >>= 7) size++;
    uint8_t *at = reserve(out, size);
    if (!at) return;
    for (; value > 0x7f; value >>= 7) *at++ = (uint8_t)(value | 0x80);
    *at = (uint8_t)value;
}

static void put_byte(struct wire_output *out, uint8_t value) {
    uint8_t *at = reserve(out, 1);
    if (at) *at = value;
}

static void put_length(const struct encoder *e, const struct field *field, bool string,
                       int32_t length) {
    if (e->flexible && !field->classic) {
        put_uvarint(e->out, (uint32_t)(length + 1));
        return;
    }
    uint8_t *at = reserve(e->out, string ? 2 : 4);
    if (!at) return;
    if (string) {
        store_i16(at, (int16_t)length);
    } else {
        store_i32(at, length);
    }
}

static void encode_bytes(const struct encoder *e, const struct field *field, bool nullable,
                         struct bytes value) {
    bool string = field->type == FIELD_STRING;
    if (bytes_is_null(value) && nullable) {
        put_length(e, field, string, -1);
        return;
    }
    if (string && value.len > STRING_MAX) value.len = STRING_MAX;
    check(value.len < INT32_MAX);
    put_length(e, field, string, (int32_t)value.len);
    if (value.len == 0) return;
    uint8_t *at = reserve(e->out, value.len);
    if (at) memcpy(at, value.at, value.len);
}

static void encode_slices(const struct encoder *e, const struct field *field, bool nullable,
                          const struct record_slices *slices) {
    if (slices->count < 0) {
        put_length(e, field, false, nullable ? -1 : 0);
        return;
    }
    check(slices->total < INT32_MAX);
    put_length(e, field, false, (int32_t)slices->total);
    if (e->out->measuring) {
        e->out->measured += slices->total;
        return;
    }
    close_piece(e->out);
    size_t total = 0;
    for (int32_t i = 0; i < slices->count; i++) {
        push_piece(e->out, slices->pieces[i]);
        total += slices->pieces[i].len;
    }
    check(total == slices->total);
}

static void store_fixed(uint8_t type, const void *in, uint8_t *at) {
    switch (type) {
        case FIELD_BOOL: *at = *(const bool *)in; break;
        case FIELD_INT8: *at = *(const uint8_t *)in; break;
        case FIELD_INT16:
        case FIELD_UINT16: store_u16(at, *(const uint16_t *)in); break;
        case FIELD_INT32:
        case FIELD_UINT32: store_u32(at, *(const uint32_t *)in); break;
        case FIELD_INT64:
        case FIELD_FLOAT64: store_u64(at, *(const uint64_t *)in); break;
        default: memcpy(at, in, sizeof(struct uuid)); break;
    }
}

static void encode_value(const struct encoder *e, const struct field *field, bool nullable,
                         const uint8_t *in) {
    size_t size = fixed_size(field->type);
    if (size) {
        uint8_t *at = reserve(e->out, size);
        if (at) store_fixed(field->type, in, at);
    } else if (field->type == FIELD_STRUCT) {
        encode_struct(e, field->layout, in);
    } else if (field->type == FIELD_SLICES) {
        encode_slices(e, field, nullable, (const struct record_slices *)in);
    } else {
        encode_bytes(e, field, nullable, *(const struct bytes *)in);
    }
}

static void encode_array(const struct encoder *e, const struct field *field, const uint8_t *in) {
    int32_t count = *(const int32_t *)(in + field->count_offset);
    const uint8_t *array = *(uint8_t *const *)(in + field->offset);
    if (count < 0) {
        put_length(e, field, false, null_in_version(field, e->version) ? -1 : 0);
        return;
    }
    check(count == 0 || array);
    put_length(e, field, false, count);
    size_t size = element_size(field);
    for (int32_t i = 0; i < count; i++) {
        encode_value(e, field, false, array + (size_t)i * size);
    }
}

static void encode_field(const struct encoder *e, const struct field *field, const uint8_t *in) {
    if (field->shape == SHAPE_ARRAY) {
        encode_array(e, field, in);
    } else if (field->shape == SHAPE_POINTER) {
        const uint8_t *value = *(uint8_t *const *)(in + field->offset);
        put_byte(e->out, value ? 1 : (uint8_t)-1);
        if (value) encode_struct(e, field->layout, value);
    } else {
        encode_value(e, field, null_in_version(field, e->version), in + field->offset);
    }
}

static bool is_default(const struct layout *layout, const struct field *field, const uint8_t *in);

/* Equal memory is the usual case; where only padding differs, the fields decide. */
static bool all_default(const struct layout *layout, const uint8_t *in) {
    if (memcmp(in, layout->defaults, layout->size) == 0) return true;
    for (int i = 0; i < layout->field_count; i++) {
        if (!is_default(layout, &layout->fields[i], in)) return false;
    }
    for (int i = 0; i < layout->tagged_count; i++) {
        if (!is_default(layout, &layout->tagged[i], in)) return false;
    }
    return true;
}

static bool is_default(const struct layout *layout, const struct field *field, const uint8_t *in) {
    const uint8_t *standard = layout->defaults;
    const uint8_t *a = in + field->offset, *b = standard + field->offset;
    if (field->shape == SHAPE_ARRAY) {
        return *(const int32_t *)(in + field->count_offset) ==
               *(const int32_t *)(standard + field->count_offset);
    }
    if (field->shape == SHAPE_POINTER) return *(void *const *)a == NULL;
    if (field->type == FIELD_STRUCT) return all_default(field->layout, a);
    if (field->type == FIELD_SLICES) return ((const struct record_slices *)a)->count <= 0;
    size_t size = fixed_size(field->type);
    if (size) return memcmp(a, b, size) == 0;
    const struct bytes *value = (const struct bytes *)a, *expected = (const struct bytes *)b;
    return bytes_is_null(*value) == bytes_is_null(*expected) && bytes_equal(*value, *expected);
}

/* The size of a tagged field: encoded without room to write to, it is only summed up. */
static uint32_t measure_field(const struct encoder *e, const struct field *field,
                              const uint8_t *in) {
    struct wire_output measure = {.measuring = true};
    struct encoder inner = *e;
    inner.out = &measure;
    encode_field(&inner, field, in);
    check(measure.measured < INT32_MAX);
    return (uint32_t)measure.measured;
}

static void encode_tags(const struct encoder *e, const struct layout *layout, const uint8_t *in) {
    uint32_t count = 0;
    uint64_t present = 0;
    for (int i = 0; i < layout->tagged_count; i++) {
        const struct field *field = &layout->tagged[i];
        if (!in_version(field, e->version) || is_default(layout, field, in)) continue;
        present |= UINT64_C(1) << i;
        count++;
    }
    put_uvarint(e->out, count);
    for (; present; present &= present - 1) {
        const struct field *field = &layout->tagged[__builtin_ctzll(present)];
        put_uvarint(e->out, (uint32_t)field->tag);
        put_uvarint(e->out, measure_field(e, field, in));
        encode_field(e, field, in);
    }
}

static void encode_struct(const struct encoder *e, const struct layout *layout, const uint8_t *in) {
    for (int i = 0; i < layout->field_count; i++) {
        const struct field *field = &layout->fields[i];
        if (in_version(field, e->version)) encode_field(e, field, in);
    }
    if (e->flexible) encode_tags(e, layout, in);
}

static void append_message(struct wire_output *out, const struct message *message, int version,
                           const void *in) {
    if (!message) return;
    check(version >= message->first_version && version <= message->last_version);
    struct encoder e = {
        .out = out, .version = version, .flexible = message_is_flexible(message, version)};
    encode_struct(&e, message->layout, in);
}

bool wire_encode(const struct message *message, int version, const void *in, struct arena *arena,
                 struct wire_output *out) {
    *out = (struct wire_output){.arena = arena};
    append_message(out, message, version, in);
    close_piece(out);
    return !out->failed;
}

bool wire_encode_frame(const struct message *header_message, int header_version, const void *header,
                       const struct message *body_message, int body_version, const void *body,
                       struct arena *arena, struct wire_output *out) {
    *out = (struct wire_output){.arena = arena};
    uint8_t *length = reserve(out, 4);
    if (!length) return false;
    append_message(out, header_message, header_version, header);
    append_message(out, body_message, body_version, body);
    close_piece(out);
    if (out->failed || out->total - 4 > INT32_MAX) return false;
    store_u32(length, (uint32_t)(out->total - 4));
    return true;
}

struct bytes wire_join(const struct wire_output *out, struct arena *arena) {
    uint8_t *whole = arena_zero(arena, 1, out->total), *at = whole;
    for (uint32_t i = 0; i < out->count; i++) {
        memcpy(at, out->pieces[i].at, out->pieces[i].len);
        at += out->pieces[i].len;
    }
    return bytes_make(whole, out->total);
}
