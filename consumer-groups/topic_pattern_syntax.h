/* The syntax of topic patterns (consumer-groups/topic_pattern.h): text to a tree. Only the compiler
 * uses this. The tree is an array of nodes that name each other by index; `states` of a node is
 * what the automaton needs for it, kept while parsing, so that a repetition that would be too large
 * is refused where it stands and before any work is done for it. */
#pragma once

#include "consumer-groups/topic_pattern.h"

/* Of ASCII; what is not ASCII is in no topic name, and so in no set. */
struct character_set {
    uint64_t bits[2];
    bool names_underscore; /* the pattern has a '_' of its own here, not one among others */
};

static inline bool character_set_has(const struct character_set *set, uint8_t c) {
    return c < 128 && (set->bits[c / 64] >> (c % 64) & 1);
}

enum node_kind {
    NODE_EMPTY,
    NODE_SET,
    NODE_ASSERTION,
    NODE_SEQUENCE,
    NODE_ALTERNATIVES,
    NODE_REPETITION,
};

enum assertion { ASSERT_BEGIN, ASSERT_END, ASSERT_WORD_BOUNDARY, ASSERT_NO_WORD_BOUNDARY };

enum { NODE_NONE = -1, REPEAT_UNBOUNDED = -1 };

struct pattern_node {
    uint8_t kind, assertion;
    int32_t states;
    int32_t first, next; /* child, sibling; or NODE_NONE */
    int32_t minimum, maximum;
    struct character_set set;
};

struct pattern_tree {
    struct pattern_node *nodes;
    int32_t count, capacity;
};

/* The root, or NODE_NONE and the error. The tree's nodes are freed by the caller in both cases. */
int32_t pattern_parse(struct bytes text, struct pattern_tree *tree, struct error *error);

/* --- between the parser and its character classes (topic_pattern_class.c) --- */

enum pattern_flag { FLAG_FOLD = 1, FLAG_DOT_NEWLINE = 2, FLAG_IGNORED = 4 };

struct pattern_parser {
    struct bytes text;
    size_t at; /* of the next byte */
    unsigned flags, depth;
    struct pattern_tree *tree;
    struct error *error; /* set once; text[0] tells */
};

static inline bool pattern_at_end(const struct pattern_parser *p) { return p->at >= p->text.len; }
static inline uint8_t pattern_peek(const struct pattern_parser *p) {
    return pattern_at_end(p) ? 0 : p->text.at[p->at];
}
bool pattern_starts(const struct pattern_parser *p, const char *text);
/* Fills the error, unless there is one already; returns false. `at` counts from 0. */
bool pattern_refuse(struct pattern_parser *p, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes one character, UTF-8 decoded. */
bool pattern_take(struct pattern_parser *p, uint32_t *character);
/* Takes an escape of one character, from its backslash on. */
bool pattern_take_escape(struct pattern_parser *p, uint32_t *character);
/* Takes \d, \W and their like into the set; false when it is none of them. */
bool pattern_take_perl_class(struct pattern_parser *p, struct character_set *set);
/* Takes [...], from its bracket on. */
bool pattern_take_class(struct pattern_parser *p, struct character_set *set);

/* One character that the pattern names, in both cases where the flags say so. */
void character_set_name(struct character_set *set, uint32_t character, unsigned flags);
void character_set_range(struct character_set *set, uint32_t first, uint32_t last, unsigned flags);
void character_set_invert(struct character_set *set);
