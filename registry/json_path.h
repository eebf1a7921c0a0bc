/* Where in a message one is: "Order.items[3].qty", and how deep. */
#pragma once

#include "base/error.h"
#include "base/text.h"

struct json_path {
    struct text text;
    unsigned depth; /* of messages inside the first one */
};

/* What json_path_leave() goes back to. */
static inline size_t json_path_enter(struct json_path *path, struct bytes member) {
    size_t before = path->text.len;
    text_printf(&path->text, "%s%.*s", before ? "." : "", BYTES_FORMAT(member));
    return before;
}

static inline size_t json_path_enter_index(struct json_path *path, size_t index) {
    size_t before = path->text.len;
    text_printf(&path->text, "[%zu]", index);
    return before;
}

/* `key` is JSON. */
static inline size_t json_path_enter_key(struct json_path *path, struct bytes key) {
    size_t before = path->text.len;
    text_printf(&path->text, "[%.*s]", BYTES_FORMAT(key));
    return before;
}

static inline void json_path_leave(struct json_path *path, size_t before) {
    path->text.len = before;
    if (path->text.at) path->text.at[before] = 0;
}

enum { JSON_PATH_SHOWN = 120 };

/* The path's end is what tells, where it is too long to be shown. */
static inline const char *json_path_show(const struct json_path *path) {
    if (!path->text.at) return "";
    return path->text.len > JSON_PATH_SHOWN ? path->text.at + path->text.len - JSON_PATH_SHOWN
                                            : path->text.at;
}
