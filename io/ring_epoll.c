#include "io/backend.h"
struct ring *ring_epoll_new(const struct ring_options *options, struct error *why) {
    (void)options;
    error_set(why, 38, "epoll is not built yet");
    return NULL;
}
