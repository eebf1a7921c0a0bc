#include "tests/fuzz/contract_oracle.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>

#include <memory>

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
