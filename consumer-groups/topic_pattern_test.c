#include "consumer-groups/topic_pattern.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct topic_pattern *compile(const char *text) {
    struct error error;
    struct topic_pattern *pattern = topic_pattern_new(bytes_of_text(text), &error);
    cr_assert(pattern, "%s: %s", text, error.text);
    return pattern;
}

static bool matches(const char *text, const char *name, bool internal) {
    struct topic_pattern *pattern = compile(text);
    bool is = topic_pattern_matches(pattern, bytes_of_text(name), internal);
    topic_pattern_free(pattern);
    return is;
}

#define ASSERT_MATCH(text, name) \
    cr_assert(matches(text, name, false), "%s should match %s", text, name)
#define ASSERT_NO_MATCH(text, name) \
    cr_assert(!matches(text, name, false), "%s should not match %s", text, name)

Test(topic_pattern, a_name_matches_as_a_whole) {
    ASSERT_MATCH("orders", "orders");
    ASSERT_NO_MATCH("orders", "orders-1");
    ASSERT_NO_MATCH("orders", "my-orders");
    ASSERT_NO_MATCH("^orders", "orders-1");
    ASSERT_MATCH("^orders.*", "orders-1");
    ASSERT_MATCH("^orders-[0-9]+$", "orders-17");
    ASSERT_NO_MATCH("^orders-[0-9]+$", "orders-");
    ASSERT_MATCH("", "");
    ASSERT_NO_MATCH("", "a");
}

Test(topic_pattern, clients_join_their_patterns_with_bars) {
    const char *text = "^orders\\..*|^payments|^a.c";
    ASSERT_MATCH(text, "orders.eu");
    ASSERT_MATCH(text, "payments");
    ASSERT_NO_MATCH(text, "payments2");
    ASSERT_MATCH(text, "abc");
    ASSERT_NO_MATCH(text, "orders-eu");
    ASSERT_MATCH("a|", "");
    ASSERT_MATCH("(|b)c", "c");
}

Test(topic_pattern, repetitions) {
    ASSERT_MATCH("ab*c", "ac");
    ASSERT_MATCH("ab*?c", "abbbc");
    ASSERT_NO_MATCH("ab+c", "ac");
    ASSERT_MATCH("ab??c", "abc");
    ASSERT_MATCH("a{3}", "aaa");
    ASSERT_NO_MATCH("a{3}", "aaaa");
    ASSERT_MATCH("a{2,}", "aaaaa");
    ASSERT_NO_MATCH("a{2,}", "a");
    ASSERT_MATCH("(?:ab){0,2}", "abab");
    ASSERT_NO_MATCH("(?:ab){0,2}", "ababab");
    ASSERT_MATCH("xa{0}", "x");
    ASSERT_MATCH("(a*)*", "aaa");
    ASSERT_MATCH("(a*)+b", "b");
    ASSERT_MATCH("(){1000}a", "a");
    ASSERT_MATCH("a{,2}", "a{,2}");
    ASSERT_MATCH("a{x", "a{x");
}

Test(topic_pattern, classes) {
    ASSERT_MATCH("[a-c]+", "abc");
    ASSERT_NO_MATCH("[^a-c]", "b");
    ASSERT_MATCH("[]a]+", "]a");
    ASSERT_MATCH("[^]]", "a");
    ASSERT_MATCH("[a-]+", "a-");
    ASSERT_MATCH("[-a]+", "a-");
    ASSERT_MATCH("[a\\-z]+", "-az");
    ASSERT_NO_MATCH("[a\\-z]+", "b");
    ASSERT_MATCH("\\w+\\.\\d", "a_9.7");
    ASSERT_MATCH("\\D\\W\\S", "a.b");
    ASSERT_MATCH("[\\d.]+", "1.2");
    ASSERT_MATCH("[^\\d]", "a");
    ASSERT_MATCH("[[:alpha:]_]+[[:^digit:]]", "ab_c");
    ASSERT_NO_MATCH("[[:digit:]]", "a");
    ASSERT_MATCH("[[:]+", "[:");
    ASSERT_MATCH("[a-\xc3\xa9]+", "az"); /* a range beyond ASCII is cut */
    ASSERT_NO_MATCH("\xc3\xa9", "e");
    ASSERT_MATCH("a\xc3\xa9?b", "ab"); /* the operator is of the whole character */
}

Test(topic_pattern, escapes) {
    ASSERT_MATCH("a\\.b\\-c\\_d", "a.b-c_d");
    ASSERT_NO_MATCH("a\\.b", "axb");
    ASSERT_MATCH("\\x41\\x{42}\\103", "ABC");
    ASSERT_MATCH("\\Qa.b*\\E+", "a.b**");
    ASSERT_NO_MATCH("\\Qa.b\\E", "axb");
    ASSERT_MATCH("\\Qab", "ab");
    ASSERT_MATCH("\\Q\\Ea", "a");
    ASSERT_NO_MATCH("a\\tb", "atb");
}

Test(topic_pattern, groups_and_flags) {
    ASSERT_MATCH("(?P<part>a)(?<rest>b)(?:c)", "abc");
    ASSERT_MATCH("(?i)orders", "OrDeRs");
    ASSERT_NO_MATCH("((?i)a)b", "AB");
    ASSERT_MATCH("((?i)a)b", "Ab");
    ASSERT_MATCH("(?i:a)b", "Ab");
    ASSERT_NO_MATCH("(?i:a)b", "AB");
    ASSERT_NO_MATCH("(?i)a(?-i)b", "AB");
    ASSERT_MATCH("(?i)[a-c]", "B");
    ASSERT_MATCH("(?ims-U:a.c)", "A-C");
    ASSERT_MATCH("(?i)a|b", "B"); /* flags hold past the bar */
}

Test(topic_pattern, assertions) {
    ASSERT_MATCH("^^a$$", "a");
    ASSERT_NO_MATCH("a^b", "ab");
    ASSERT_MATCH("\\Aab\\z", "ab");
    ASSERT_MATCH("(^a|^b)c", "bc");
    ASSERT_MATCH("a\\b-\\bb", "a-b");
    ASSERT_NO_MATCH("a\\bb", "ab");
    ASSERT_MATCH("a\\Bb", "ab");
    ASSERT_MATCH("(?:^)*a", "a");
}

Test(topic_pattern, the_underscore_of_an_internal_topic_must_be_named) {
    const char *name = "__consumer_offsets";
    cr_assert(matches("__.*", name, true));
    cr_assert(matches("_.*", name, true));
    cr_assert(matches("(a|_).*", name, true));
    cr_assert(matches("[_a].*", name, true));
    cr_assert(matches("\\x5f.*", name, true));
    cr_assert(matches("\\Q_\\E.*", name, true));
    cr_assert(!matches(".*", name, true));
    cr_assert(!matches("\\w+", name, true));
    cr_assert(!matches("[^a].*", name, true));
    cr_assert(!matches("[A-z].*", name, true));
    cr_assert(!matches("[[:word:]]+", name, true));
    cr_assert(!matches("._consumer.*", name, true), "the first one is meant");
    cr_assert(matches(".*", name, false), "a topic of the user's");
    cr_assert(matches(".*", "orders", true), "one without an underscore");
}

Test(topic_pattern, work_is_linear) {
    char name[249];
    memset(name, 'a', sizeof name);
    /* Exponential for a matcher that goes back. */
    struct topic_pattern *pattern = compile("(a|aa|a*)*(a*)*(a?){200}b");
    cr_assert(!topic_pattern_matches(pattern, bytes_make(name, sizeof name), false));
    name[sizeof name - 1] = 'b';
    cr_assert(topic_pattern_matches(pattern, bytes_make(name, sizeof name), false));
    topic_pattern_free(pattern);
}

struct refusal {
    const char *text;
    int position;
    const char *words; /* some of them */
};

static void assert_refused(const struct refusal *refusal) {
    struct error error;
    struct topic_pattern *pattern = topic_pattern_new(bytes_of_text(refusal->text), &error);
    cr_assert_null(pattern, "%s should be refused", refusal->text);
    char begin[32];
    snprintf(begin, sizeof begin, "at position %d: ", refusal->position);
    cr_assert(strncmp(error.text, begin, strlen(begin)) == 0, "%s: %s, not %s", refusal->text,
              error.text, begin);
    cr_assert(strstr(error.text, refusal->words), "%s: %s", refusal->text, error.text);
}

Test(topic_pattern, refusals_name_the_position) {
    static const struct refusal all[] = {
        {"a(b", 2, "not closed"},
        {"a)b", 2, "not opened"},
        {"a[b", 2, "not closed"},
        {"[]", 1, "not closed"},
        {"a**", 3, "repetition of a repetition"},
        {"a{2}{3}", 5, "repetition of a repetition"},
        {"a++", 3, "repetition of a repetition"},
        {"*a", 1, "nothing before"},
        {"a|+", 3, "nothing before"},
        {"a(?i)*", 6, "nothing before"},
        {"(?", 1, "not known"},
        {"(?)", 1, "not known"},
        {"(?i-)", 1, "not known"},
        {"(?x:a)", 1, "not known"},
        {"x(?=a)", 2, "look-around"},
        {"(?!a)", 1, "look-around"},
        {"(?<=a)", 1, "look-around"},
        {"(?<!a)", 1, "look-around"},
        {"(?P<a", 1, "name"},
        {"(?P<a-b>x)", 1, "name"},
        {"(a)\\1", 4, "back references"},
        {"\\pL", 1, "Unicode"},
        {"\\", 1, "backslash"},
        {"\\y", 1, "not known"},
        {"\\C", 1, "not known"},
        {"\\x4", 1, "number"},
        {"\\x{110000}", 1, "number"},
        {"\\x{}", 1, "number"},
        {"[z-a]", 2, "before it begins"},
        {"[a-\\d]", 4, "not known"},
        {"[[:foo:]]", 2, "not known"},
        {"a{1001}", 2, "more than 1000 times"},
        {"a{99999999999}", 2, "more than 1000 times"},
        {"a{2,1}", 2, "below the smallest"},
        {"a\xff", 2, "UTF-8"},
        {"a\xc0\xaf", 2, "UTF-8"},
        {"a\xe2\x82", 2, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_refused(&all[i]);
}

Test(topic_pattern, the_automaton_is_bounded) {
    struct topic_pattern *pattern = compile("a{999}");
    cr_assert(topic_pattern_states(pattern) == 1000);
    topic_pattern_free(pattern);
    assert_refused(&(struct refusal){"b(a{1000}c)", 4, "more than 1000 states"});
    assert_refused(&(struct refusal){"(a{32}){32}", 8, "more than 1000 states"});
    assert_refused(&(struct refusal){"(((((a*){9}){9}){9}){9}){9}", 17, "more than 1000 states"});
}

Test(topic_pattern, the_text_is_bounded) {
    char *text = malloc(PATTERN_BYTES_MAX + 2);
    memset(text, '(', PATTERN_BYTES_MAX + 1);
    text[PATTERN_BYTES_MAX + 1] = 0;
    assert_refused(&(struct refusal){text, PATTERN_BYTES_MAX + 1, "longer than"});
    text[PATTERN_BYTES_MAX] = 0;
    assert_refused(&(struct refusal){text, PATTERN_NESTING_MAX + 1, "inside each other"});
    memset(text, '|', PATTERN_BYTES_MAX);
    assert_refused(&(struct refusal){text, 1, "more than 1000 states"});
    free(text);
}
