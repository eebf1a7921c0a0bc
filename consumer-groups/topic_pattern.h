/* Regular expressions over topic names, as consumers subscribe with (KIP-848). The language is that
 * of RE2, which Kafka's coordinator uses, on names of ASCII; a name matches as a whole, so
 * "^orders" does not match "orders-1".
 *
 *   xy  x|y  (x)  (?:x)  (?P<n>x)  (?<n>x)  (?imsU-imsU)  (?i:x)      groups capture nothing
 *   x* x+ x? x{n} x{n,} x{n,m}, each also with a '?' behind it        n, m <= 1,000
 *   . [a-z] [^a-z] [[:alpha:]] \d \D \s \S \w \W \t \n … \x7F \x{7F} \101 \Q…\E \.
 *   ^ $ \A \z \b \B
 *
 * Refused, each with its position: look-around, back references, Unicode classes (\p), what RE2
 * refuses, and what would take more than PATTERN_STATES_MAX states.
 *
 * Matching runs all states of the automaton side by side: at most states × length steps, whatever
 * the pattern; nothing is allocated. A compiled pattern does not change: any thread may use it. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
    PATTERN_STATES_MAX = 1000,
    PATTERN_BYTES_MAX = 8192,
    PATTERN_NESTING_MAX = 100, /* of groups */
    PATTERN_REPEAT_MAX = 1000,
};

struct topic_pattern;

/* NULL, and an error that begins with "at position N: " (bytes, from 1), when it is refused. */
struct topic_pattern *topic_pattern_new(struct bytes text, struct error *error);
void topic_pattern_free(struct topic_pattern *pattern);
/* Whether the whole name matches. The underscore in front of an `internal` topic's name must be
 * named: "_.*" and "[_a].*" match it, ".*", "\w+" and "[^a].*" do not. */
bool topic_pattern_matches(const struct topic_pattern *pattern, struct bytes name, bool internal);
/* Of the automaton. */
int32_t topic_pattern_states(const struct topic_pattern *pattern);
