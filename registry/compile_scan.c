#include "registry/compile.h"

/* Follows libprotobuf's tokenizer: comments of C++, strings that end with their line. Each kind of
 * bracket is counted for itself and never below zero, so that a closing bracket of another kind
 * hides nothing. */
struct scan {
    const uint8_t *at, *end;
    int line;
    int depth[4];
};

static int bracket_kind(uint8_t byte, const char kinds[4]) {
    for (int i = 0; i < 4; i++) {
        if (byte == (uint8_t)kinds[i]) return i;
    }
    return -1;
}

static void skip_line_comment(struct scan *scan) {
    while (scan->at < scan->end && *scan->at != '\n') scan->at++;
}

static void skip_block_comment(struct scan *scan) {
    scan->at += 2;
    while (scan->at < scan->end) {
        if (scan->end - scan->at >= 2 && scan->at[0] == '*' && scan->at[1] == '/') {
            scan->at += 2;
            return;
        }
        if (*scan->at++ == '\n') scan->line++;
    }
}

static void skip_string(struct scan *scan) {
    uint8_t quote = *scan->at++;
    while (scan->at < scan->end && *scan->at != '\n') {
        uint8_t byte = *scan->at++;
        if (byte == quote) return;
        if (byte == '\\' && scan->at < scan->end && *scan->at != '\n') scan->at++;
    }
}

/* One byte, comment or string on. False when a bracket nests too deep. */
static bool scan_step(struct scan *scan) {
    uint8_t byte = *scan->at;
    uint8_t next = scan->end - scan->at > 1 ? scan->at[1] : 0;
    if (byte == '/' && next == '/') {
        skip_line_comment(scan);
    } else if (byte == '/' && next == '*') {
        skip_block_comment(scan);
    } else if (byte == '"' || byte == '\'') {
        skip_string(scan);
    } else {
        int opens = bracket_kind(byte, "{[(<"), closes = bracket_kind(byte, "}])>");
        scan->line += byte == '\n';
        scan->at++;
        if (opens >= 0 && ++scan->depth[opens] > SCHEMA_NESTING_MAX) return false;
        if (closes >= 0 && scan->depth[closes] > 0) scan->depth[closes]--;
    }
    return true;
}

bool schema_scan_text(struct bytes text, struct error *error) {
    struct scan scan = {.at = text.at, .end = text.at + text.len, .line = 1};
    if (text.len > SCHEMA_SIZE_MAX) {
        return error_set(error, 0, "the schema has %zu bytes; %d are allowed", text.len,
                         SCHEMA_SIZE_MAX);
    }
    if (text.len && memchr(text.at, 0, text.len)) {
        return error_set(error, 0, "the schema contains a zero byte");
    }
    while (scan.at < scan.end) {
        if (!scan_step(&scan)) {
            return error_set(error, 0, "%d:1: nested deeper than %d levels", scan.line,
                             SCHEMA_NESTING_MAX);
        }
    }
    return true;
}

bool schema_scan_aggregate(struct bytes text) {
    int opened = 0;
    for (size_t i = 0; i < text.len; i++) opened += bracket_kind(text.at[i], "{[(<") >= 0;
    return opened <= SCHEMA_NESTING_MAX;
}
