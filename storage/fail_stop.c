#include "storage/fail_stop.h"

#include <string.h>
#include <unistd.h>

#include "base/say.h"

noreturn void fail_stop(const char *what, const char *path, int error_number) {
    say_error(
        "%s %s failed: %s; stopping, because nothing acknowledged after this could be "
        "trusted. Check the disk, then start again: recovery reads what is durable",
        what, path, strerror(error_number));
    _exit(EXIT_STORAGE);
}
