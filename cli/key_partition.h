/* The partition of a key, as the Java client chooses it (murmur2, Kafka's seed), so that records of
 * one key meet in one partition whoever wrote them. */
#pragma once

#include "base/bytes.h"

uint32_t murmur2(struct bytes key);
int32_t key_partition(struct bytes key, int32_t partition_count);
