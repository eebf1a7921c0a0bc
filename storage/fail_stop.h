/* After a failed write or sync nothing that the page cache says can be trusted (fsyncgate), so the
 * process stops at once; recovery reads back what is really on the disk. */
#pragma once

#include <stdnoreturn.h>

enum { EXIT_STORAGE = 70 };

/* Says what failed and exits without running anything else. `error_number` is positive. */
noreturn void fail_stop(const char *what, const char *path, int error_number);
