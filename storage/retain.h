/* Retention (cleanup.policy=delete): segments whose newest record is older than retention.ms, and
 * the oldest ones above retention.bytes, go by moving the log start to where the first kept segment
 * begins. The move is a LOG_START entry like DeleteRecords', so replay repeats the decision instead
 * of taking it again. */
#pragma once

#include "storage/state.h"

/* Looks at every partition of the store once; also forgets producers that were idle for longer than
 * producer.id.expiration.ms. */
void retain_round(struct store *store);
