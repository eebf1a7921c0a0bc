/* Log lines for people and machines: one line to stderr each, plain or JSON, written with one
 * write(2) so that lines of different threads never mix. "log" stays the word for Kafka's logs.
 * Values from peers are escaped: control bytes never reach the terminal or break a line. */
#pragma once

#include <stdbool.h>

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARNING, SAY_ERROR, SAY_NOTHING };
enum say_format { SAY_PLAIN, SAY_JSON };

/* Set once at start (and by SIGHUP for the level). SAY_NOTHING is above any line. */
void say_configure(enum say_level lowest, enum say_format format);
void say_line(enum say_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define say_debug(...) say_line(SAY_DEBUG, __VA_ARGS__)
#define say_info(...) say_line(SAY_INFO, __VA_ARGS__)
#define say_warning(...) say_line(SAY_WARNING, __VA_ARGS__)
#define say_error(...) say_line(SAY_ERROR, __VA_ARGS__)
