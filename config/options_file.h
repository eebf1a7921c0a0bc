/* The YAML file: one mapping from option names to scalars or lists of scalars. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Called for every scalar, in the order of the file; items of one list share their key's line.
 * False stops the reading; the error then gets the place put before it. */
typedef bool options_file_visit(void *context, const char *key, int line, const char *value,
                                struct error *error);

bool options_file_read(const char *path, options_file_visit *visit, void *context,
                       struct error *error);
