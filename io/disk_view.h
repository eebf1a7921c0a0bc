/* A disk that takes every change into memory and leaves the one below as it is: what a start would
 * do to a directory can be done, looked at and forgotten. Reads find the changes; a sync does
 * nothing; a lock is a shared one on the file below, which keeps a broker away. Memory grows with
 * what is written. One thread's. */
#pragma once

#include "io/file.h"

/* Borrows `below`, which must be closed after it. */
struct disk *disk_view_open(struct disk *below);
