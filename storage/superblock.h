/* Two 4 KiB slots that say whose directory this is. The valid slot with the higher generation
 * rules; an update overwrites the other one and is durable before it counts, so a crash or a torn
 * write leaves the older slot in charge.
 *
 *   0 magic 8 | 8 crc32c of the rest 4 | 12 format version 4 | 16 oldest reader 4 | 20 node id 4
 *   24 shard count 4 | 28 journals 4 | 32 cluster id 16 | 48 directory id 16 | 64 salt 8
 *   72 incarnation 8 | 80 generation 8 | zeros to 4096 */
#pragma once

#include "storage/data_directory.h"

enum { SUPERBLOCK_SLOTS = 2, SUPERBLOCK_BYTES = SUPERBLOCK_SLOTS * DISK_BLOCK };

enum superblock_state { SUPERBLOCK_VALID, SUPERBLOCK_BROKEN, SUPERBLOCK_NEWER };

/* Fills one slot of DISK_BLOCK bytes. */
void superblock_encode(const struct data_directory *directory, uint8_t slot[DISK_BLOCK]);
/* SUPERBLOCK_NEWER: intact, but of a format that this release cannot read. */
enum superblock_state superblock_decode(const uint8_t slot[DISK_BLOCK],
                                        struct data_directory *directory, uint32_t *version);
