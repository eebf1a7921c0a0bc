/* The index of a segment by walking its batch headers. What cannot be read, or is no batch, costs
 * itself: the walk goes on at the next batch behind it whose CRC holds, and that has an entry, so
 * that readers find it without passing the damage. */
#pragma once

#include "storage/segment.h"

/* Blocking: adds entries for the batches that begin in [SEGMENT_START, upto); what lies behind need
 * not be in the file. */
void segment_walk(struct file *file, const struct segment *segment, uint64_t upto,
                  struct index *index);
