/* What keeps web pages away from a service without passwords: a page may make a browser send
 * requests anywhere, but it cannot forge Origin, nor Host.
 *   - Host is required once in HTTP/1.1, and has to name this machine where the listener is
 *     reachable from this machine only (otherwise a name that a page's owner points to 127.0.0.1
 *     would do: DNS rebinding);
 *   - an Origin, if there is one, has to be the service itself. */
#pragma once

#include "http/parse.h"

/* 0 when the request may pass, else the status to refuse it with: 400 or 403. */
int http_guard(const struct http_request *request, bool loopback_only);
/* Whether HOST:PORT, as a listener is bound, is this machine only. */
bool http_address_is_loopback(struct bytes address);
