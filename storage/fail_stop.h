/* After a failed write or sync nothing that the page cache says can be trusted (fsyncgate), so the
 * process stops at once; recovery reads back what is really on the disk. */
#pragma once

#include <stdnoreturn.h>

enum { EXIT_STORAGE = 70 };

/* Says what failed and exits without running anything else. `error_number` is positive. */
noreturn void fail_stop(const char *what, const char *path, int error_number);
/* The descriptor into which it leaves a line for the next start (storage/write_errors.h); -1 for
 * none. One for the whole process, as its end is. */
void fail_stop_note_into(int fd);
