/* A schema as data: what a FileDescriptorSet (google/protobuf/descriptor.proto) says, with names
 * resolved. The compiled tables of the checker, the compatibility rules and the printer all start
 * here. Reading is bounded: nesting by DESCRIPTOR_NESTING_MAX, memory by the arena's limit, so that
 * descriptors may come from anywhere; nothing is copied that can be pointed to, so the bytes must
 * outlive the arena.
 *
 * Full names have no leading dot. `type_name` is as written; in a set that libprotobuf linked it is
 * resolved and leads with a dot. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum { DESCRIPTOR_NESTING_MAX = 100 };

enum proto_type {
    PROTO_UNSET,
    PROTO_DOUBLE,
    PROTO_FLOAT,
    PROTO_INT64,
    PROTO_UINT64,
    PROTO_INT32,
    PROTO_FIXED64,
    PROTO_FIXED32,
    PROTO_BOOL,
    PROTO_STRING,
    PROTO_GROUP,
    PROTO_MESSAGE,
    PROTO_BYTES,
    PROTO_UINT32,
    PROTO_ENUM,
    PROTO_SFIXED32,
    PROTO_SFIXED64,
    PROTO_SINT32,
    PROTO_SINT64,
    PROTO_TYPE_COUNT
};

enum field_label { LABEL_UNSET, LABEL_OPTIONAL, LABEL_REQUIRED, LABEL_REPEATED };

enum packing { PACKING_UNSET, PACKING_ON, PACKING_OFF };

struct message_descriptor;
struct enum_descriptor;
struct file_descriptor;

struct field_descriptor {
    struct bytes name, type_name, extendee, default_value, json_name, options;
    uint32_t number;
    enum proto_type type;
    enum field_label label;
    int oneof; /* index into its message's oneofs, -1: none */
    bool proto3_optional;
    enum packing packing;
    /* Resolved; NULL when not of that kind, or not found. */
    const struct message_descriptor *message;
    const struct enum_descriptor *enumeration;
};

struct oneof_descriptor {
    struct bytes name, options;
};

/* `last` is included. */
struct number_range {
    int64_t first, last;
    struct bytes options;
};

struct enum_value {
    struct bytes name, options;
    int32_t number;
};

struct enum_descriptor {
    struct bytes name, full_name, options;
    struct enum_value *values;
    struct number_range *reserved;
    struct bytes *reserved_names;
    size_t value_count, reserved_count, reserved_name_count;
    const struct file_descriptor *file;
    uint32_t number; /* consecutive in the whole set */
};

struct message_descriptor {
    struct bytes name, full_name, options;
    struct field_descriptor *fields, *extensions; /* extensions: declared in its scope */
    struct message_descriptor *messages;
    struct enum_descriptor *enums;
    struct oneof_descriptor *oneofs;
    struct number_range *extension_ranges, *reserved;
    struct bytes *reserved_names;
    size_t field_count, extension_count, message_count, enum_count, oneof_count;
    size_t extension_range_count, reserved_count, reserved_name_count;
    bool is_map_entry;
    const struct file_descriptor *file;
    const struct message_descriptor *parent; /* NULL at the top of the file */
    uint32_t number;                         /* consecutive in the whole set */
};

struct method_descriptor {
    struct bytes name, input, output, options;
    bool client_streaming, server_streaming;
};

struct service_descriptor {
    struct bytes name, options;
    struct method_descriptor *methods;
    size_t method_count;
};

struct import {
    struct bytes name;
    bool is_public, is_weak;
};

struct file_descriptor {
    struct bytes name, package, options;
    bool proto3;
    struct import *imports;
    struct message_descriptor *messages;
    struct enum_descriptor *enums;
    struct field_descriptor *extensions;
    struct service_descriptor *services;
    size_t import_count, message_count, enum_count, extension_count, service_count;
};

struct descriptor_set {
    struct file_descriptor *files; /* the schema itself is the last */
    size_t file_count;
    const struct message_descriptor **messages; /* all, by `number` */
    const struct message_descriptor **messages_by_name;
    const struct enum_descriptor **enums_by_name;
    size_t message_count, enum_count;
};

/* Reads a serialized FileDescriptorSet; false when it is not one. */
bool descriptor_set_read(struct bytes from, struct arena *arena, struct descriptor_set *set,
                         struct error *error);
/* Reads one FileDescriptorProto, as a set of one file. */
bool descriptor_file_read(struct bytes from, struct arena *arena, struct descriptor_set *set,
                          struct error *error);

/* The schema's own file. */
static inline const struct file_descriptor *descriptor_root(const struct descriptor_set *set) {
    return &set->files[set->file_count - 1];
}
/* By full name, with or without a leading dot; NULL when there is none. */
const struct message_descriptor *descriptor_find_message(const struct descriptor_set *set,
                                                         struct bytes full_name);
const struct enum_descriptor *descriptor_find_enum(const struct descriptor_set *set,
                                                   struct bytes full_name);
