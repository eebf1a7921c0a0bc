/* What the measuring programs share: TCP sockets on the loopback and CPU time from /proc. Errors
 * end the program with a line that says what was wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connects, blocking; TCP_NODELAY; `congestion` may be NULL or a name that the kernel has, which is
 * then used for what this side sends. "host:port". */
int connect_to(const char *address, const char *congestion);
/* Sends a request on a blocking socket and waits for its answer, which must fit; returns its length
 * with the length field. */
size_t call_and_wait(int fd, const uint8_t *request, size_t len, uint8_t *answer, size_t room);
/* Listens on 127.0.0.1 (port 0 chooses one) and prints `{"port": N}` on stdout. Accepted sockets
 * use the congestion control of the machine, as the broker's do. */
int listen_on(int port);
/* User and system time of all threads of a process so far, in seconds; 0 when it is not there. */
double process_cpu(int pid);
double own_cpu(void);
