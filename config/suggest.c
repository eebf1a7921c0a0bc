#include "config/suggest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 63 };

static int letter(char c) {
    if (c == '_' || c == '.') return '-';
    return tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Optimal string alignment: rows are prefixes of a, columns prefixes of b. */
size_t edit_distance(const char *a, const char *b) {
    size_t rows = strnlen(a, WORD_MAX), columns = strnlen(b, WORD_MAX);
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= rows; i++) cost[i][0] = i;
    for (size_t j = 0; j <= columns; j++) cost[0][j] = j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            size_t change = cost[i - 1][j - 1] + (letter(a[i - 1]) != letter(b[j - 1]));
            cost[i][j] = least(change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && letter(a[i - 1]) == letter(b[j - 2]) &&
                letter(a[i - 2]) == letter(b[j - 1]))
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[rows][columns];
}

int edit_is_near(size_t distance, const char *word) {
    size_t len = strlen(word);
    return distance <= (len < 4 ? 1 : len < 10 ? 2 : len / 4);
}

const char *suggest_word(const char *typed, const char *const *words, size_t count) {
    const char *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (size_t at = 0; at < count; at++) {
        size_t distance = edit_distance(typed, words[at]);
        if (distance >= nearest_distance) continue;
        nearest = words[at];
        nearest_distance = distance;
    }
    return nearest && edit_is_near(nearest_distance, nearest) ? nearest : NULL;
}
