/* One shard's state in an object that is put whole (storage/blob.h): what replay begins with. It
 * holds each partition's segment table, settled end, the bytes between the settled end and the high
 * watermark (below 16 KiB as a rule), log start and producers, so that no journal block that was
 * acknowledged before the capture is needed any more.
 *
 *   magic 8 | crc32c 4 of the rest | version 4 | shard 4 | epoch 4 | sequence 8 |
 *     incarnation 8 | core 4 | through 8 (struct journal_mark) | partitions 4
 *   partition: id 4 | leader epoch 4 | offline 1 (storage/damage.h) | epochs (storage/epochs.h) |
 *     log start 8 | high watermark 8 | compacted offset 8 | settled place 12 |
 *     durable position 8 | first batch position 8, offset 8 (of the bytes that follow; -1 when none
 *     begins there) | length 4, bytes | segments 4 | producers (storage/producers.h)
 *   segment: number 4 | revision 4 | base 8 | next 8 | end 8 | largest timestamp 8, its offset 8 |
 *     created 8 | sealed 1 | place 1 (0: a file of this directory)
 *
 * Older versions are read and never written: 2 had no places; 1 neither places nor the journal
 * mark, offline, epochs, compacted offset and revisions.
 *
 * That of the catalog's shard is put a second time, under another name: a start takes the copy
 * where the first one is damaged or gone. Journal blocks are released when both are durable, so
 * that either will do.
 *
 * Producers may be ahead of the high watermark: the checkpoint waits until all of that is durable
 * before it writes the file. */
#pragma once

#include "base/byte_buffer.h"
#include "storage/state.h"

/* Whether each partition's unsettled bytes are few enough and in one segment. */
bool snapshot_is_possible(const struct shard *shard);
void snapshot_encode(const struct shard *shard, struct byte_buffer *out);
/* Rebuilds a shard's partitions (recovery): 0, or -ENOENT, -EBADMSG (damaged: the shard may hold a
 * part of it), -EPROTONOSUPPORT (of a newer release, or of a place that this one does not know),
 * another errno. */
int snapshot_load(struct blobs *blobs, struct shard *shard);
/* The same from the copy; -ENOENT for shards that have none. */
int snapshot_load_copy(struct blobs *blobs, struct shard *shard);
/* Blocking: durably, with its copy. */
int snapshot_put(struct blobs *blobs, uint32_t shard, struct bytes bytes);
/* Whether bytes from `position` on are what restore_remainder() takes. */
bool remainder_is_sound(struct bytes bytes, uint64_t position, uint64_t first_position);
/* Puts unsettled bytes at the settled end back into the tail: the rest of a batch that began before
 * them, then whole batches from `first_position` on. False when they are not that. */
bool restore_remainder(struct partition *partition, struct bytes bytes, uint64_t first_position);
/* Whether the bytes match their checksum. */
bool snapshot_is_intact(struct bytes bytes);
/* As snapshot_load(), from bytes (fuzzing and inspection). */
bool snapshot_decode(struct bytes bytes, struct shard *shard);
