/* Reading a topic to its end, or on and on: what `millrace consume` does, for commands that print
 * records in their own way. */
#pragma once

#include "cli/cli.h"
#include "cli/record_format.h"
#include "cli/settings.h"

/* Appends what there is to say of one record; false: nothing, and it does not count. */
typedef bool consume_printer(const struct consumed *consumed, const struct settings *settings,
                             struct text *out);

/* By the settings' offset, count, follow and partitions; `printer` NULL: by format or as JSON. */
enum cli_exit consume_topic(const struct settings *settings, const char *topic,
                            consume_printer *printer, struct error *error);
