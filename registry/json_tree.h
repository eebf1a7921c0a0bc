/* JSON from clients, as jansson's tree. A tree may take eighty times the memory of its text ("{}"
 * is an object with a table), so that the values are counted before any of them is made. */
#pragma once

#include <jansson.h>

#include "base/bytes.h"

/* A text of 1 MiB that means something has fewer. */
enum { JSON_TREE_VALUES_MAX = 200000 };

/* NULL with the problem; the caller's. */
json_t *json_tree_load(struct bytes text, size_t flags, json_error_t *problem);
