/* A script of 300 operations on one store (create, produce in all sizes, trims, deletions,
 * retention, compaction, changed configs, checkpoints; clean stops, kills and power cuts in
 * between), and one fault in it: of each kind, at each disk operation, those of recovery included.
 * Then the store starts again, everything is read and held against the model, it takes more load,
 * stops, and is read once more.
 *
 * Where the disk lied (a write was lost) a partition may be damaged, but it must say so: offline,
 * or CORRUPT_MESSAGE for what cannot be read; or the store refuses to start. */
#pragma once

#include <stdint.h>

struct sweep;

/* Point by point: what fails or stops, and writes that are lost. */
void script_sweep_faults(struct sweep *sweep);
void script_sweep_lies(struct sweep *sweep);
/* One point: disk operation `seed / 9`, counted from 1, and the kind of fault. 0: nothing fails. */
uint64_t script_sim(uint64_t seed);
