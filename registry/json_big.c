#include "registry/json_big.h"

#include <ctype.h>
#include <strings.h>

enum { DIGITS_MIN = 19 }; /* of 9223372036854775808 */

/* A string with its quotes, as far as it goes. */
static size_t string_length(const uint8_t *at, size_t left) {
    for (size_t i = 1; i < left; i++) {
        if (at[i] == '\\')
            i++;
        else if (at[i] == '"')
            return i + 1;
    }
    return left;
}

static size_t number_length(const uint8_t *at, size_t left) {
    size_t len = 0;
    while (len < left && (isdigit(at[len]) || (at[len] && strchr("+-.eE", at[len])))) len++;
    return len;
}

static bool is_big(struct bytes number) {
    size_t sign = number.len > 0 && number.at[0] == '-';
    if (number.len - sign < DIGITS_MIN || number.at[sign] == '0') return false;
    for (size_t i = sign; i < number.len; i++)
        if (!isdigit(number.at[i])) return false;
    return true;
}

static bool has_mark(struct bytes json) {
    static const char escape[] = "\\uffff";
    for (size_t i = 0; i + sizeof escape - 1 <= json.len; i++)
        if (json.at[i] == '\\' &&
            strncasecmp((const char *)json.at + i, escape, sizeof escape - 1) == 0)
            return true;
    return memmem(json.at, json.len, JSON_BIG_MARK, strlen(JSON_BIG_MARK)) != NULL;
}

/* What is in a key's place is no number, and no JSON. */
static bool is_key(struct bytes rest) {
    size_t at = 0;
    while (at < rest.len && isspace(rest.at[at])) at++;
    return at < rest.len && rest.at[at] == ':';
}

bool json_big_mark(struct bytes json, struct byte_buffer *out) {
    bool found = false;
    if (json.len == 0 || has_mark(json)) return false;
    for (size_t i = 0; i < json.len;) {
        const uint8_t *at = json.at + i;
        size_t left = json.len - i, len = number_length(at, left);
        bool big = is_big(bytes_make(at, len)) && !is_key(bytes_make(at + len, left - len));
        found = found || big;
        if (len == 0) len = *at == '"' ? string_length(at, left) : 1;
        if (big) byte_buffer_append(out, BYTES_OF("\"" JSON_BIG_MARK));
        byte_buffer_append(out, bytes_make(at, len));
        if (big) byte_buffer_append(out, BYTES_OF("\""));
        i += len;
    }
    return found;
}
