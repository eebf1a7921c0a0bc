#include "consumer-groups/consumer_protocol.h"

#include "protocol/consumer_protocol.h"
#include "protocol/wire.h"

enum { VERSION_SIZE = 2 };

bool consumer_protocol_topics(struct bytes metadata, struct arena *arena, struct bytes **topics,
                              int32_t *count) {
    struct consumer_protocol_subscription subscription;
    struct error error;
    if (metadata.len < VERSION_SIZE || load_i16(metadata.at) < 0) return false;
    struct bytes rest = bytes_make(metadata.at + VERSION_SIZE, metadata.len - VERSION_SIZE);
    if (!wire_decode_part(&consumer_protocol_subscription_message, 0, &rest, arena, &subscription,
                          &error))
        return false;
    *topics = subscription.topics;
    *count = subscription.topics_count;
    return true;
}
