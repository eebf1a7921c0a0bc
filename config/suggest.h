/* "Did you mean": the nearest of a few known words. */
#pragma once

#include <stddef.h>

/* Edits (insert, delete, change, swap of neighbours) from a to b, ignoring case and with '-', '_'
 * and '.' the same. Words longer than 63 bytes are compared by their start. */
size_t edit_distance(const char *a, const char *b);

/* Whether a typo of this distance could have meant a word of this length. */
int edit_is_near(size_t distance, const char *word);

/* The nearest of count words, or NULL when none is near. */
const char *suggest_word(const char *typed, const char *const *words, size_t count);
