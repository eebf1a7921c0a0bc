#include "tests/fuzz/oracle.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/wire_format_lite.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pb = google::protobuf;

struct oracle {
    pb::LogSilencer quiet;
    pb::DescriptorPool pool;
    pb::DynamicMessageFactory factory;
    const pb::Message *prototype;
};

struct oracle *oracle_new(const uint8_t *set, size_t len, const char *message) {
    auto *oracle = new struct oracle();
    pb::FileDescriptorSet files;
    if (!files.ParseFromArray(set, static_cast<int>(len))) return nullptr;
    for (const auto &file : files.file()) {
        if (!oracle->pool.BuildFile(file)) return nullptr;
    }
    const pb::Descriptor *type = oracle->pool.FindMessageTypeByName(message);
    oracle->prototype = type ? oracle->factory.GetPrototype(type) : nullptr;
    return oracle->prototype ? oracle : nullptr;
}

bool oracle_accepts(struct oracle *oracle, const uint8_t *payload, size_t len) {
    std::unique_ptr<pb::Message> message(oracle->prototype->New());
    return message->ParsePartialFromArray(payload, static_cast<int>(len)) &&
           message->IsInitialized();
}

// The default of a field, on the wire.
static std::string zero_of(const pb::FieldDescriptor *field) {
    using Wire = pb::internal::WireFormatLite;
    auto type = Wire::WireTypeForFieldType(static_cast<Wire::FieldType>(field->type()));
    size_t size = type == Wire::WIRETYPE_FIXED64 ? 8 : type == Wire::WIRETYPE_FIXED32 ? 4 : 1;
    return static_cast<char>(field->number() << 3 | type) + std::string(size, '\0');
}

// With both of its fields.
static std::unique_ptr<pb::Message> entry_complete(const pb::Message &entry) {
    std::unique_ptr<pb::Message> whole(entry.New());
    const pb::Descriptor *type = entry.GetDescriptor();
    whole->ParsePartialFromString(zero_of(type->FindFieldByNumber(1)) +
                                  zero_of(type->FindFieldByNumber(2)) +
                                  entry.SerializePartialAsString());
    whole->DiscardUnknownFields();
    return whole;
}

static std::string key_of(const pb::Message &entry) {
    std::unique_ptr<pb::Message> copy(entry.New());
    copy->CopyFrom(entry);
    copy->GetReflection()->ClearField(copy.get(), copy->GetDescriptor()->FindFieldByNumber(2));
    return copy->SerializePartialAsString();
}

// A dynamic message keeps all entries of a key; the last one counts.
static void map_normalize(pb::Message *message, const pb::FieldDescriptor *field) {
    const pb::Reflection *reflection = message->GetReflection();
    std::map<std::string, std::unique_ptr<pb::Message>> entries;
    for (int i = 0; i < reflection->FieldSize(*message, field); i++) {
        auto entry = entry_complete(reflection->GetRepeatedMessage(*message, field, i));
        entries[key_of(*entry)] = std::move(entry);
    }
    reflection->ClearField(message, field);
    for (const auto &entry : entries)
        reflection->AddMessage(message, field)->CopyFrom(*entry.second);
}

static void normalize(pb::Message *message) {
    const pb::Reflection *reflection = message->GetReflection();
    std::vector<const pb::FieldDescriptor *> fields;
    reflection->ListFields(*message, &fields);
    // A value that has none is shown as null, which is one.
    if (fields.empty() && message->GetDescriptor()->full_name() == "google.protobuf.Value")
        reflection->SetEnumValue(message, message->GetDescriptor()->FindFieldByNumber(1), 0);
    for (const pb::FieldDescriptor *field : fields) {
        if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (field->is_map()) map_normalize(message, field);
        if (!field->is_repeated()) normalize(reflection->MutableMessage(message, field));
        for (int i = 0; field->is_repeated() && i < reflection->FieldSize(*message, field); i++)
            normalize(reflection->MutableRepeatedMessage(message, field, i));
    }
}

static std::unique_ptr<pb::Message> parse(struct oracle *oracle, const uint8_t *wire, size_t len) {
    std::unique_ptr<pb::Message> message(oracle->prototype->New());
    if (!message->ParsePartialFromArray(wire, static_cast<int>(len))) return nullptr;
    message->DiscardUnknownFields();
    normalize(message.get());
    return message;
}

static bool equal(const pb::Message &a, const pb::Message &b) {
    pb::util::MessageDifferencer differencer;
    pb::util::DefaultFieldComparator comparator;
    comparator.set_treat_nan_as_equal(true);
    differencer.set_field_comparator(&comparator);
    return differencer.Compare(a, b);
}

bool oracle_equal(struct oracle *oracle, const uint8_t *a, size_t a_len, const uint8_t *b,
                  size_t b_len) {
    auto first = parse(oracle, a, a_len), second = parse(oracle, b, b_len);
    return first && second && equal(*first, *second);
}

enum oracle_answer oracle_reads(struct oracle *oracle, const char *json, size_t json_len,
                                const uint8_t *wire, size_t wire_len) {
    std::unique_ptr<pb::Message> read(oracle->prototype->New());
    auto wanted = parse(oracle, wire, wire_len);
    if (!pb::util::JsonStringToMessage(std::string(json, json_len), read.get()).ok())
        return ORACLE_REFUSES;
    normalize(read.get());
    return wanted && equal(*read, *wanted) ? ORACLE_AGREES : ORACLE_DIFFERS;
}
