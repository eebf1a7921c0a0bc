/* What members of classic groups of type "consumer" say about themselves (KIP-429, KIP-792). It is
 * opaque to the broker but for one thing: which topics a group subscribes to, so that their offsets
 * are kept. Only the first fields are read, which every version has. */
#pragma once

#include "base/arena.h"

/* The topics of a subscription, in the arena; they point into `metadata`. False for bytes that are
 * no subscription. */
bool consumer_protocol_topics(struct bytes metadata, struct arena *arena, struct bytes **topics,
                              int32_t *count);
