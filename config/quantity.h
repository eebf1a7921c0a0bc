/* Numbers as people write them: sizes with KiB, MiB, GiB, TiB, times with ms, s, m, h, d. Also for
 * the command line. Plain numbers are bytes and milliseconds; -1 is allowed here, and judged by who
 * asked. False when the text is something else or does not fit. */
#pragma once

#include "base/text.h"

bool number_parse_plain(const char *text, int64_t *value);
bool size_parse(const char *text, int64_t *value);
bool duration_parse(const char *text, int64_t *value);
/* Finite numbers only. */
bool double_parse(const char *text, double *value);

/* With the largest unit that divides the value exactly, and so that it parses back. */
void size_print(int64_t value, struct text *out);
void duration_print(int64_t value, struct text *out);
