#include "storage/fail_stop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"

static atomic_int note_fd = -1;

void fail_stop_note_into(int fd) { atomic_store(&note_fd, fd); }

/* Best effort, and of the first thread only that comes here: one line is one end. */
static void note(const char *what, const char *path, int error_number) {
    int fd = atomic_exchange(&note_fd, -1);
    struct stat state;
    if (fd < 0 || fstat(fd, &state) < 0) return;
    char line[256];
    int len = snprintf(line, sizeof line, "%lld %.64s %.64s: %.64s\n", (long long)clock_wall_ms(),
                       what, path, strerror(error_number));
    if (pwrite(fd, line, (size_t)len, state.st_size) < 0) return; /* then it goes uncounted */
}

noreturn void fail_stop(const char *what, const char *path, int error_number) {
    say_error(
        "%s %s failed: %s; stopping, because nothing acknowledged after this could be "
        "trusted. Check the disk, then start again: recovery reads what is durable",
        what, path, strerror(error_number));
    note(what, path, error_number);
    _exit(EXIT_STORAGE);
}
