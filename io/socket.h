/* Real sockets: addresses as text, listening, and what both real backends share. */
#pragma once

#include <sys/socket.h>

#include "base/error.h"

enum { ADDRESS_TEXT_SIZE = 80 };

/* HOST:PORT, [V6]:PORT or :PORT (every address). Returns the descriptor or -1. */
int socket_listen(const char *address, char *bound, size_t bound_size, struct error *error);
/* HOST:PORT; an IPv4 address inside IPv6 is written as IPv4. */
bool socket_format(const struct sockaddr *address, char *text, size_t size);
bool socket_address(int fd, bool of_peer, char *text, size_t size);
/* Splits at the last colon and drops brackets; false when there is no port. */
bool address_split(const char *address, char *host, size_t host_size, const char **port);
