/* The parser of topic patterns: recursive descent, one function per rule.
 *
 *   alternatives  sequence ('|' sequence)*
 *   sequence      (atom operator?)*
 *   operator      ('*' | '+' | '?' | '{' n (',' m?)? '}') '?'?
 *   atom          character | set | assertion | '(' … ')' | '\Q' … '\E'
 *
 * Every node takes at least one byte of text, but for those that join: memory is at most a few
 * nodes per byte. Recursion is bounded by PATTERN_NESTING_MAX. */
#include "consumer-groups/topic_pattern_syntax.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

static int32_t parse_alternatives(struct pattern_parser *p);

bool pattern_refuse(struct pattern_parser *p, size_t at, const char *format, ...) {
    if (p->error->text[0]) return false;
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return error_set(p->error, 0, "at position %zu: %s", at + 1, text);
}

bool pattern_starts(const struct pattern_parser *p, const char *text) {
    return bytes_starts_with(bytes_make(p->text.at + p->at, p->text.len - p->at),
                             bytes_of_text(text));
}

static bool take(struct pattern_parser *p, const char *text) {
    if (!pattern_starts(p, text)) return false;
    p->at += strlen(text);
    return true;
}

/* --- nodes --- */

static struct pattern_node *node_at(struct pattern_parser *p, int32_t index) {
    return &p->tree->nodes[index];
}

/* NODE_NONE when the pattern needs too many states; `at` is where it began to. */
static int32_t node_new(struct pattern_parser *p, enum node_kind kind, int64_t states, size_t at) {
    struct pattern_tree *tree = p->tree;
    if (states >= PATTERN_STATES_MAX) { /* one is for the end */
        pattern_refuse(p, at, "the pattern takes more than %d states", PATTERN_STATES_MAX);
        return NODE_NONE;
    }
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? tree->capacity * 2 : 32;
        tree->nodes = memory_resize(tree->nodes, (size_t)tree->capacity * sizeof *tree->nodes);
    }
    tree->nodes[tree->count] = (struct pattern_node){
        .kind = (uint8_t)kind, .states = (int32_t)states, .first = NODE_NONE, .next = NODE_NONE};
    return tree->count++;
}

static int32_t set_node(struct pattern_parser *p, const struct character_set *set, size_t at) {
    int32_t node = node_new(p, NODE_SET, 1, at);
    node_at(p, node)->set = *set;
    return node;
}

static int32_t assertion_node(struct pattern_parser *p, enum assertion assertion, size_t at) {
    int32_t node = node_new(p, NODE_ASSERTION, 1, at);
    node_at(p, node)->assertion = (uint8_t)assertion;
    return node;
}

/* A row of children under one parent, of which nothing exists while there are fewer than two. */
struct row {
    int32_t first, last;
    int64_t states;
    int32_t count;
};

static void row_add(struct pattern_parser *p, struct row *row, int32_t child) {
    row->states += node_at(p, child)->states;
    if (row->count++ == 0)
        row->first = child;
    else
        node_at(p, row->last)->next = child;
    row->last = child;
}

static int32_t row_close(struct pattern_parser *p, const struct row *row, enum node_kind kind,
                         size_t at) {
    if (row->count == 0) return node_new(p, NODE_EMPTY, 0, at);
    if (row->count == 1) return row->first;
    int64_t more = kind == NODE_ALTERNATIVES ? row->count - 1 : 0; /* forks */
    int32_t node = node_new(p, kind, row->states + more, at);
    if (node != NODE_NONE) node_at(p, node)->first = row->first;
    return node;
}

/* --- repetition --- */

static bool take_number(struct pattern_parser *p, int32_t *number) {
    size_t began = p->at;
    for (*number = 0; pattern_peek(p) >= '0' && pattern_peek(p) <= '9'; p->at++)
        if (*number <= PATTERN_REPEAT_MAX) *number = *number * 10 + (pattern_peek(p) - '0');
    return p->at > began;
}

/* {n}, {n,} or {n,m}; anything else that begins with a brace stands for itself. */
static bool take_counts(struct pattern_parser *p, int32_t *minimum, int32_t *maximum) {
    size_t began = p->at;
    if (take(p, "{") && take_number(p, minimum)) {
        *maximum = *minimum;
        if (take(p, ",") && !take_number(p, maximum)) *maximum = REPEAT_UNBOUNDED;
        if (take(p, "}")) return true;
    }
    p->at = began;
    return false;
}

static bool take_operator(struct pattern_parser *p, int32_t *minimum, int32_t *maximum) {
    if (take(p, "*") || take(p, "+") || take(p, "?")) {
        uint8_t c = p->text.at[p->at - 1];
        *minimum = c == '+';
        *maximum = c == '?' ? 1 : REPEAT_UNBOUNDED;
        return true;
    }
    return take_counts(p, minimum, maximum);
}

/* What the automaton takes: the copies, and a fork for the loop or for each one that may be left
 * out. */
static int64_t repetition_states(int64_t body, int32_t minimum, int32_t maximum) {
    if (maximum == REPEAT_UNBOUNDED) return body * (minimum ? minimum : 1) + 1;
    return body * maximum + (maximum - minimum);
}

static int32_t repeat(struct pattern_parser *p, int32_t atom, int32_t minimum, int32_t maximum,
                      size_t at) {
    if (minimum > PATTERN_REPEAT_MAX || maximum > PATTERN_REPEAT_MAX) {
        pattern_refuse(p, at, "repeated more than %d times", PATTERN_REPEAT_MAX);
        return NODE_NONE;
    }
    if (maximum != REPEAT_UNBOUNDED && maximum < minimum) {
        pattern_refuse(p, at, "the largest count is below the smallest");
        return NODE_NONE;
    }
    int64_t body = node_at(p, atom)->states;
    if (body == 0) return atom;
    if (maximum == 0) return node_new(p, NODE_EMPTY, 0, at);
    int32_t node = node_new(p, NODE_REPETITION, repetition_states(body, minimum, maximum), at);
    if (node == NODE_NONE) return node;
    node_at(p, node)->first = atom;
    node_at(p, node)->minimum = minimum;
    node_at(p, node)->maximum = maximum;
    return node;
}

/* The atom with the operator behind it, if there is one. */
static int32_t parse_operator(struct pattern_parser *p, int32_t atom) {
    size_t at = p->at;
    int32_t minimum, maximum;
    if (atom == NODE_NONE || !take_operator(p, &minimum, &maximum)) return atom;
    take(p, "?"); /* lazy: the same names match as a whole */
    int32_t node = repeat(p, atom, minimum, maximum, at);
    at = p->at;
    if (node == NODE_NONE || !take_operator(p, &minimum, &maximum)) return node;
    pattern_refuse(p, at, "a repetition of a repetition; put the inner one in parentheses");
    return NODE_NONE;
}

/* --- atoms --- */

/* i, m, s, U, with '-' before those to clear; true at ':' or ')', which stays. */
static bool take_flags(struct pattern_parser *p, size_t began) {
    unsigned flags = p->flags, cleared = 0;
    bool minus = false;
    size_t letters = 0;
    for (; !pattern_at_end(p) && pattern_peek(p) != ':' && pattern_peek(p) != ')'; p->at++) {
        uint8_t c = pattern_peek(p);
        unsigned flag = c == 'i'               ? FLAG_FOLD
                        : c == 's'             ? FLAG_DOT_NEWLINE
                        : c == 'm' || c == 'U' ? FLAG_IGNORED
                                               : 0;
        if (!flag && (c != '-' || minus)) break;
        minus = minus || c == '-';
        letters = c == '-' ? 0 : letters + 1;
        flags |= minus ? 0 : flag;
        cleared |= minus ? flag : 0;
    }
    if (pattern_at_end(p) || (pattern_peek(p) != ':' && pattern_peek(p) != ')') ||
        (minus && letters == 0) || (p->at == began + 2 && pattern_peek(p) == ')'))
        return pattern_refuse(p, began, "the group after \"(?\" is not known or not supported");
    p->flags = flags & ~cleared;
    return true;
}

/* Behind "(?P<" or "(?<". */
static bool take_group_name(struct pattern_parser *p, size_t began) {
    size_t from = p->at;
    for (; !pattern_at_end(p) && pattern_peek(p) != '>'; p->at++) {
        uint8_t c = pattern_peek(p);
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
        if (!word) break;
    }
    if (p->at == from || !take(p, ">"))
        return pattern_refuse(p, began, "the group's name is not valid");
    return true;
}

/* Behind "(", what says which kind of group it is. Sets `inside` to false where "(?i)" is all. */
static bool take_group_start(struct pattern_parser *p, size_t began, bool *inside) {
    *inside = true;
    if (pattern_starts(p, "?=") || pattern_starts(p, "?!") || pattern_starts(p, "?<=") ||
        pattern_starts(p, "?<!"))
        return pattern_refuse(p, began, "look-around is not supported");
    if (take(p, "?P<") || take(p, "?<")) return take_group_name(p, began);
    if (!take(p, "?")) return true;
    if (!take_flags(p, began)) return false;
    *inside = take(p, ":");
    if (!*inside) take(p, ")");
    return true;
}

/* Behind "(?i)": its flags stay to the end of the group around it. */
static int32_t parse_behind_flags(struct pattern_parser *p, size_t began) {
    size_t at = p->at;
    int32_t minimum, maximum;
    if (!take_operator(p, &minimum, &maximum)) return node_new(p, NODE_EMPTY, 0, began);
    pattern_refuse(p, at, "nothing before the repetition");
    return NODE_NONE;
}

static int32_t parse_group(struct pattern_parser *p) {
    size_t began = p->at++;
    unsigned outer = p->flags;
    bool inside;
    if (!take_group_start(p, began, &inside)) return NODE_NONE;
    if (!inside) return parse_behind_flags(p, began);
    if (p->depth == PATTERN_NESTING_MAX) {
        pattern_refuse(p, began, "more than %d groups inside each other", PATTERN_NESTING_MAX);
        return NODE_NONE;
    }
    p->depth++;
    int32_t node = parse_alternatives(p);
    p->depth--;
    p->flags = outer;
    if (node != NODE_NONE && !take(p, ")")) {
        pattern_refuse(p, began, "the parenthesis is not closed");
        return NODE_NONE;
    }
    return node;
}

/* \Q…\E; an end that is missing is the pattern's. An operator behind it is of its last character.
 */
static int32_t parse_quoted(struct pattern_parser *p) {
    struct row row = {0};
    size_t began = p->at;
    for (p->at += 2; !pattern_at_end(p) && !pattern_starts(p, "\\E");) {
        uint32_t character;
        size_t at = p->at;
        if (!pattern_take(p, &character)) return NODE_NONE;
        struct character_set set = {0};
        character_set_name(&set, character, p->flags);
        bool last = pattern_at_end(p) || pattern_starts(p, "\\E");
        if (last) take(p, "\\E");
        int32_t node = set_node(p, &set, at);
        if (last) node = parse_operator(p, node);
        if (node == NODE_NONE) return node;
        row_add(p, &row, node);
        if (last) return row_close(p, &row, NODE_SEQUENCE, began);
    }
    take(p, "\\E");
    return row_close(p, &row, NODE_SEQUENCE, began);
}

/* True when it is one; the assertion is taken. */
static bool take_assertion(struct pattern_parser *p, enum assertion *assertion) {
    static const struct {
        const char *text;
        enum assertion assertion;
    } all[] = {{"^", ASSERT_BEGIN},           {"$", ASSERT_END},
               {"\\A", ASSERT_BEGIN},         {"\\z", ASSERT_END},
               {"\\b", ASSERT_WORD_BOUNDARY}, {"\\B", ASSERT_NO_WORD_BOUNDARY}};
    for (size_t i = 0; i < array_count(all); i++)
        if (take(p, all[i].text)) {
            *assertion = all[i].assertion;
            return true;
        }
    return false;
}

/* A '.' matches all but the end of a line, which is in no name anyway. */
static bool take_set(struct pattern_parser *p, struct character_set *set) {
    uint32_t character;
    uint8_t c = pattern_peek(p);
    if (c == '[') return pattern_take_class(p, set);
    if (take(p, ".")) {
        if (!(p->flags & FLAG_DOT_NEWLINE)) character_set_range(set, '\n', '\n', 0);
        character_set_invert(set);
        return true;
    }
    if (c == '\\' && pattern_take_perl_class(p, set)) return true;
    if (!(c == '\\' ? pattern_take_escape(p, &character) : pattern_take(p, &character)))
        return false;
    character_set_name(set, character, p->flags);
    return true;
}

static int32_t parse_atom(struct pattern_parser *p) {
    size_t began = p->at;
    int32_t minimum, maximum;
    enum assertion assertion;
    struct character_set set = {0};
    if (take_operator(p, &minimum, &maximum)) {
        pattern_refuse(p, began, "nothing before the repetition");
        return NODE_NONE;
    }
    if (pattern_peek(p) == '(') return parse_group(p);
    if (take_assertion(p, &assertion)) return assertion_node(p, assertion, began);
    return take_set(p, &set) ? set_node(p, &set, began) : NODE_NONE;
}

/* --- rows of atoms --- */

static int32_t parse_sequence(struct pattern_parser *p) {
    struct row row = {0};
    size_t began = p->at;
    while (!pattern_at_end(p) && pattern_peek(p) != '|' && pattern_peek(p) != ')') {
        int32_t node =
            pattern_starts(p, "\\Q") ? parse_quoted(p) : parse_operator(p, parse_atom(p));
        if (node == NODE_NONE) return node;
        row_add(p, &row, node);
    }
    return row_close(p, &row, NODE_SEQUENCE, began);
}

static int32_t parse_alternatives(struct pattern_parser *p) {
    struct row row = {0};
    size_t began = p->at;
    do {
        int32_t node = parse_sequence(p);
        if (node == NODE_NONE) return node;
        row_add(p, &row, node);
    } while (take(p, "|"));
    return row_close(p, &row, NODE_ALTERNATIVES, began);
}

int32_t pattern_parse(struct bytes text, struct pattern_tree *tree, struct error *error) {
    *tree = (struct pattern_tree){0};
    *error = (struct error){0};
    struct pattern_parser p = {.text = text, .tree = tree, .error = error};
    if (text.len > PATTERN_BYTES_MAX) {
        pattern_refuse(&p, PATTERN_BYTES_MAX, "the pattern is longer than %d bytes",
                       PATTERN_BYTES_MAX);
        return NODE_NONE;
    }
    int32_t root = parse_alternatives(&p);
    if (root != NODE_NONE && !pattern_at_end(&p)) {
        pattern_refuse(&p, p.at, "a parenthesis that was not opened");
        return NODE_NONE;
    }
    return root;
}
