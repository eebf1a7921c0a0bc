#include "registry/json_tree.h"

#include <stdio.h>

/* Not less than there are: each value but the first is behind a comma or in a new array or object.
 * Whether the text is JSON is the parser's business. */
static size_t count_values(struct bytes text) {
    bool in_string = false;
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '"') in_string = !in_string;
        if (in_string && byte == '\\') i++;
        count += !in_string && (byte == ',' || byte == '[' || byte == '{');
    }
    return count;
}

json_t *json_tree_load(struct bytes text, size_t flags, json_error_t *problem) {
    if (count_values(text) <= JSON_TREE_VALUES_MAX)
        return json_loadb(text.at ? (const char *)text.at : "", text.len, flags, problem);
    *problem = (json_error_t){.line = 1, .column = 1};
    snprintf(problem->text, sizeof problem->text, "more than %d values", JSON_TREE_VALUES_MAX);
    return NULL;
}
