/* What must be true of a compacted log. Its records have keys (a few per log) and sometimes no
 * value; each is known by its timestamp, so it is recognised in a batch that compaction has
 * rewritten.
 *   - a record that is there is the one that was appended at that offset, byte for byte
 *   - one that is gone has a newer one of its key behind it that is there, or was a tombstone, or
 *     has one behind it
 *   - while tombstones are kept, the newest record of each key is there whatever it is; and a
 *     tombstone never goes before what it deletes */
#pragma once

#include "tests/sim/model.h"

/* A record's key and, unless it is a tombstone, value. */
struct bytes model_key(uint32_t id, int32_t index, char text[16]);
bool model_is_tombstone(uint32_t id, int32_t index);

/* The id of a batch of a compacted log, as it was found. */
uint32_t model_compacted_id(uint32_t log, struct bytes found);
/* Compares it with the batch that was made, and notes which records are there. */
void model_compacted_batch(struct model *model, struct model_log *log, uint32_t id,
                           struct bytes found);
/* At the end of a pass over the log. */
void model_compacted_end(struct model *model, struct model_log *log);
