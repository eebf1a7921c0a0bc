/* Random patterns against a matcher that takes the tree by its meaning: the set of places where a
 * part may end, for each place where it may begin. */
#include <criterion/criterion.h>

#include "base/random.h"
#include "base/text.h"
#include "consumer-groups/topic_pattern.h"

enum kind { LETTER, ANY, CLASS, SEQUENCE, EITHER, REPEAT, BEGIN, END, KINDS };

struct part {
    enum kind kind;
    char letter;
    int minimum, maximum; /* -1: no end */
    struct part *left, *right;
};

static struct part pool[256];
static size_t pool_used;

static struct part *part_make(struct random *random, int depth) {
    struct part *part = &pool[pool_used++];
    *part = (struct part){.kind = random_below(random, KINDS)};
    if (depth == 0 && part->kind >= SEQUENCE && part->kind <= REPEAT) part->kind = LETTER;
    part->letter = (char)('a' + random_below(random, 3));
    if (part->kind == SEQUENCE || part->kind == EITHER || part->kind == REPEAT)
        part->left = part_make(random, depth - 1);
    if (part->kind == SEQUENCE || part->kind == EITHER) part->right = part_make(random, depth - 1);
    part->minimum = (int)random_below(random, 3);
    part->maximum = random_below(random, 2) ? -1 : part->minimum + (int)random_below(random, 3);
    return part;
}

static void part_print(const struct part *part, struct text *text) {
    switch (part->kind) {
        case LETTER: text_printf(text, "%c", part->letter); break;
        case ANY: text_printf(text, "."); break;
        case CLASS: text_printf(text, "[^%c]", part->letter); break;
        case BEGIN: text_printf(text, "^"); break;
        case END: text_printf(text, "$"); break;
        default:
            text_printf(text, "(?:");
            part_print(part->left, text);
            if (part->kind == EITHER) text_printf(text, "|");
            if (part->kind != REPEAT) part_print(part->right, text);
            text_printf(text, ")");
    }
    if (part->kind != REPEAT) return;
    if (part->maximum < 0)
        text_printf(text, "{%d,}", part->minimum);
    else
        text_printf(text, "{%d,%d}", part->minimum, part->maximum);
}

/* Places are bits: bit i is before the i-th character. */
static unsigned ends_of(const struct part *part, const char *name, int length, unsigned begins);

static unsigned ends_of_repeat(const struct part *part, const char *name, int length,
                               unsigned begins) {
    for (int i = 0; i < part->minimum; i++) begins = ends_of(part->left, name, length, begins);
    unsigned ends = begins;
    for (int i = part->minimum; part->maximum < 0 ? i <= length + part->minimum : i < part->maximum;
         i++) {
        begins = ends_of(part->left, name, length, begins);
        ends |= begins;
    }
    return ends;
}

static unsigned ends_of_one(const struct part *part, const char *name, int length,
                            unsigned begins) {
    unsigned ends = 0;
    for (int i = 0; i < length; i++) {
        bool takes = part->kind == ANY || (part->kind == LETTER && name[i] == part->letter) ||
                     (part->kind == CLASS && name[i] != part->letter);
        if (takes && (begins >> i & 1)) ends |= 2u << i;
    }
    return ends;
}

static unsigned ends_of(const struct part *part, const char *name, int length, unsigned begins) {
    switch (part->kind) {
        case SEQUENCE:
            return ends_of(part->right, name, length, ends_of(part->left, name, length, begins));
        case EITHER:
            return ends_of(part->left, name, length, begins) |
                   ends_of(part->right, name, length, begins);
        case REPEAT: return ends_of_repeat(part, name, length, begins);
        case BEGIN: return begins & 1;
        case END: return begins & 1u << length;
        default: return ends_of_one(part, name, length, begins);
    }
}

static void try_one(struct random *random, uint64_t round) {
    pool_used = 0;
    const struct part *part = part_make(random, 4);
    struct text text = {0};
    struct error error;
    part_print(part, &text);
    struct topic_pattern *pattern = topic_pattern_new(text_bytes(&text), &error);
    cr_assert(pattern || strstr(error.text, "states"), "%s: %s", text.at, error.text);
    for (int i = 0; pattern && i < 20; i++) {
        char name[9];
        int length = (int)random_below(random, sizeof name);
        for (int at = 0; at < length; at++) name[at] = (char)('a' + random_below(random, 3));
        bool expected = ends_of(part, name, length, 1) >> length & 1;
        bool got = topic_pattern_matches(pattern, bytes_make(name, (size_t)length), false);
        cr_assert(got == expected, "round %lu: %s on %.*s gives %d", round, text.at, length, name,
                  got);
    }
    topic_pattern_free(pattern);
    text_deinit(&text);
}

Test(topic_pattern, random_patterns_match_by_their_meaning) {
    struct random random;
    random_init(&random, 848);
    for (uint64_t round = 0; round < 5000; round++) try_one(&random, round);
}

/* Whatever the bytes are: a pattern or a refusal with words. */
Test(topic_pattern, random_bytes_are_taken_or_refused) {
    static const char alphabet[] = "ab_.*+?{}[]()|\\^$-:,0129idwQExP<>!=\xc3\xa9\xff";
    struct random random;
    random_init(&random, 849);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t length = random_below(&random, sizeof text);
        for (size_t i = 0; i < length; i++)
            text[i] = alphabet[random_below(&random, sizeof alphabet - 1)];
        struct error error;
        /* An exact copy, so that a read past its end is found. */
        char *copy = malloc(length ? length : 1);
        memcpy(copy, text, length);
        struct topic_pattern *pattern = topic_pattern_new(bytes_make(copy, length), &error);
        cr_assert(pattern || strlen(error.text) > strlen("at position 1: "));
        if (pattern) topic_pattern_matches(pattern, BYTES_OF("ab_0.-"), false);
        topic_pattern_free(pattern);
        free(copy);
    }
}
