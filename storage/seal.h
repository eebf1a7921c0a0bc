/* Sealing: when a rolled segment is wholly settled, a worker writes its footer, gives back what was
 * allocated behind it and syncs the file. Then nothing writes there any more and the handle for
 * writing is closed. The footer is a cache: without space for it there is none.
 *
 * Also what a partition keeps of its sealed segments: the newest few keep their index in memory. */
#pragma once

#include "storage/state.h"

void seal_start(struct partition *partition, struct segment *segment);
