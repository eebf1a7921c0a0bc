/* The guard against crash loops. A process that a write error ends (storage/fail_stop.h) leaves a
 * line in the file `write-errors` of its data directory; when there are several that are young, the
 * next start is refused, so that a supervisor does not wear out a failing disk, or its data, with
 * one restart after the other.
 *
 *   a line: wall clock in ms, then what failed, for people
 *
 * The line is written without a sync, for the disk may hang: it is lost in a power cut, and nothing
 * else depends on it. Removing the file is the operator's way to start all the same. */
#pragma once

#include "base/error.h"
#include "io/file.h"

enum {
    WRITE_ERRORS_MAX = 3,         /* so many … */
    WRITE_ERRORS_WITHIN_S = 600,  /* … in this time refuse the start */
    WRITE_ERRORS_BYTES = 64 << 10 /* of the file; a longer one begins anew */
};

/* False and `error` when the start is refused. */
bool write_errors_allow(struct disk *disk, int64_t now_ms, struct error *error);
/* From now on fail_stop() leaves its line there; NULL where there is no such file. The caller's. */
struct file *write_errors_open(struct disk *disk);
void write_errors_close(struct file *file);
