/* How much memory the bodies and the answers of one service may hold together. What would pass it
 * is answered with 503, and clients come again; it never waits, because who holds the memory may be
 * slow on purpose. Bodies and answers up to HTTP_SMALL_BYTES are free: HTTP_CONNECTIONS_MAX bounds
 * them, so that small requests pass whatever large ones hold.
 *
 * Counted are bytes that have come, never those that were announced. Buffers grow in powers of two,
 * so that the memory behind a body is at most twice what is counted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_SMALL_BYTES = 64 << 10 };

struct http_budget {
    size_t bytes_max;
    size_t used;
    uint64_t refused; /* how often there was none left */
};

/* Makes what one body or answer holds enough for `bytes`. False, with nothing changed, when the
 * others hold too much; when they hold nothing, it is always enough. */
bool http_budget_hold(struct http_budget *budget, size_t *held, size_t bytes);
void http_budget_drop(struct http_budget *budget, size_t *held);
