#include "registry/schema.h"

#include "base/check.h"
#include "base/md5.h"

/* --- GUIDs --- */

void schema_guid_format(const uint8_t guid[SCHEMA_GUID_SIZE], char text[SCHEMA_GUID_TEXT_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < SCHEMA_GUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *text++ = '-';
        *text++ = digits[guid[i] >> 4];
        *text++ = digits[guid[i] & 15];
    }
    *text = '\0';
}

static int digit_of(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool schema_guid_parse(struct bytes text, uint8_t guid[SCHEMA_GUID_SIZE]) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '-') continue;
        int digit = digit_of(text.at[i]);
        if (digit < 0 || count == 2 * SCHEMA_GUID_SIZE) return false;
        uint8_t *byte = &guid[count / 2];
        *byte = (uint8_t)(count % 2 ? *byte << 4 | digit : digit);
        count++;
    }
    return count == 2 * SCHEMA_GUID_SIZE;
}

static void guid_derive(struct schema *schema) {
    const struct schema_entry *entry = &schema->entry;
    struct md5 md5;
    md5_init(&md5);
    md5_add(&md5, entry->schema);
    for (size_t i = 0; i < entry->reference_count; i++) {
        uint8_t version[4];
        store_i32(version, entry->references[i].version);
        md5_add(&md5, entry->references[i].name);
        md5_add(&md5, entry->references[i].subject);
        md5_add(&md5, bytes_make(version, sizeof version));
    }
    const struct bytes more[] = {entry->metadata, entry->rule_set};
    for (size_t i = 0; i < array_count(more); i++) {
        if (!more[i].at) continue;
        md5_add(&md5, BYTES_OF("\x01"));
        md5_add(&md5, more[i]);
    }
    md5_finish(&md5, schema->guid);
}

/* --- life --- */

static struct bytes copy(struct arena *arena, struct bytes from) {
    return from.at ? arena_copy(arena, from) : BYTES_NULL;
}

static void entry_copy(struct schema *schema, const struct schema_entry *from) {
    struct arena *arena = &schema->memory;
    struct schema_entry *to = &schema->entry;
    *to = *from;
    to->schema = arena_copy(arena, from->schema);
    to->guid = copy(arena, from->guid);
    to->metadata = copy(arena, from->metadata);
    to->rule_set = copy(arena, from->rule_set);
    to->references = arena_array(arena, struct schema_reference, from->reference_count + 1);
    for (size_t i = 0; i < from->reference_count; i++) {
        const struct schema_reference *reference = &from->references[i];
        to->references[i] =
            (struct schema_reference){arena_copy(arena, reference->name),
                                      arena_copy(arena, reference->subject), reference->version};
    }
}

struct schema *schema_new(struct bytes context, const struct schema_entry *entry) {
    struct schema *schema = new_zero(struct schema);
    atomic_init(&schema->users, 1);
    arena_init(&schema->memory, SIZE_MAX);
    schema->context = arena_copy(&schema->memory, context);
    entry_copy(schema, entry);
    schema->identity = hash_bytes_wide(entry->schema);
    schema->state = entry->type == SCHEMA_TYPE_PROTOBUF ? SCHEMA_PENDING : SCHEMA_NOT_COMPILED;
    if (!entry->guid.at || !schema_guid_parse(entry->guid, schema->guid)) guid_derive(schema);
    char guid[SCHEMA_GUID_TEXT_SIZE];
    schema_guid_format(schema->guid, guid);
    schema->entry.guid = arena_copy(&schema->memory, bytes_of_text(guid));
    return schema;
}

struct schema *schema_hold(struct schema *schema) {
    atomic_fetch_add_explicit(&schema->users, 1, memory_order_relaxed);
    return schema;
}

void schema_drop(struct schema *schema) {
    if (atomic_fetch_sub_explicit(&schema->users, 1, memory_order_acq_rel) > 1) return;
    if (schema->contract) contract_free(schema->contract);
    arena_deinit(&schema->memory);
    free(schema);
}

/* --- states --- */

void schema_set_compiled(struct schema *schema, struct contract *contract,
                         struct hash_wide identity) {
    check(schema->state == SCHEMA_PENDING && contract);
    schema->state = SCHEMA_COMPILED;
    schema->contract = contract;
    schema->identity = identity;
}

void schema_set_quarantined(struct schema *schema, const char *problem) {
    check(schema->state == SCHEMA_PENDING);
    schema->state = SCHEMA_QUARANTINED;
    schema->problem = arena_text(&schema->memory, bytes_of_text(problem));
}

static bool references_equal(const struct schema_entry *a, const struct schema_entry *b) {
    if (a->reference_count != b->reference_count) return false;
    for (size_t i = 0; i < a->reference_count; i++) {
        const struct schema_reference *one = &a->references[i], *other = &b->references[i];
        if (one->version != other->version || !bytes_equal(one->name, other->name) ||
            !bytes_equal(one->subject, other->subject))
            return false;
    }
    return true;
}

bool schema_equals(const struct schema *a, const struct schema *b) {
    return a->entry.type == b->entry.type && a->identity.low == b->identity.low &&
           a->identity.high == b->identity.high && bytes_equal(a->context, b->context) &&
           bytes_equal(a->entry.metadata, b->entry.metadata) &&
           bytes_equal(a->entry.rule_set, b->entry.rule_set) &&
           references_equal(&a->entry, &b->entry);
}
