/* A pattern and a name, with a zero byte between them: whatever they are, the pattern is refused
 * with its position or becomes a bounded automaton, and a topic of the broker's own never matches
 * where another one of that name would not. */
#include "base/check.h"
#include "consumer-groups/topic_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    struct bytes name = bytes_make(zero ? zero + 1 : data, zero ? size - length - 1 : 0);
    struct error error;
    struct topic_pattern *pattern = topic_pattern_new(bytes_make(data, length), &error);
    if (!pattern) {
        check(bytes_starts_with(bytes_of_text(error.text), BYTES_OF("at position ")));
        return 0;
    }
    check(topic_pattern_states(pattern) <= PATTERN_STATES_MAX);
    bool matches = topic_pattern_matches(pattern, name, false);
    check(matches || !topic_pattern_matches(pattern, name, true));
    topic_pattern_free(pattern);
    return 0;
}
