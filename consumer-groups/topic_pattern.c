/* The automaton of a topic pattern: Thompson's construction, built from the end of the pattern to
 * its beginning, so that every state knows what follows it. A match keeps the set of states that
 * are possible at a position, each once. */
#include "consumer-groups/topic_pattern.h"

#include "base/check.h"
#include "base/memory.h"
#include "consumer-groups/topic_pattern_syntax.h"

enum state_kind { STATE_SET, STATE_ASSERTION, STATE_FORK, STATE_MATCH };

struct state {
    uint8_t kind, assertion;
    uint16_t next, other; /* `other` is a fork's second way */
    uint16_t set;
};

struct topic_pattern {
    struct state *states;
    struct character_set *sets;
    uint16_t state_count, set_count, start;
};

/* --- building --- */

static uint16_t add_state(struct topic_pattern *pattern, enum state_kind kind, uint16_t next) {
    check(pattern->state_count < PATTERN_STATES_MAX);
    pattern->states[pattern->state_count] = (struct state){.kind = (uint8_t)kind, .next = next};
    return pattern->state_count++;
}

static uint16_t build(struct topic_pattern *pattern, const struct pattern_tree *tree, int32_t index,
                      uint16_t next);

static uint16_t build_set(struct topic_pattern *pattern, const struct pattern_node *node,
                          uint16_t next) {
    uint16_t state = add_state(pattern, STATE_SET, next);
    pattern->states[state].set = pattern->set_count;
    pattern->sets[pattern->set_count++] = node->set;
    return state;
}

static uint16_t build_assertion(struct topic_pattern *pattern, const struct pattern_node *node,
                                uint16_t next) {
    uint16_t state = add_state(pattern, STATE_ASSERTION, next);
    pattern->states[state].assertion = node->assertion;
    return state;
}

static uint16_t build_fork(struct topic_pattern *pattern, uint16_t next, uint16_t other) {
    uint16_t state = add_state(pattern, STATE_FORK, next);
    pattern->states[state].other = other;
    return state;
}

/* From `child` on; its siblings behind it come first, because they are what follows. */
static uint16_t build_sequence(struct topic_pattern *pattern, const struct pattern_tree *tree,
                               int32_t first, uint16_t next) {
    int32_t children[PATTERN_STATES_MAX], count = 0;
    for (int32_t child = first; child != NODE_NONE; child = tree->nodes[child].next)
        if (tree->nodes[child].states) {
            check(count < PATTERN_STATES_MAX);
            children[count++] = child;
        }
    while (count) next = build(pattern, tree, children[--count], next);
    return next;
}

static uint16_t build_alternatives(struct topic_pattern *pattern, const struct pattern_tree *tree,
                                   int32_t first, uint16_t next) {
    uint16_t entry = build(pattern, tree, first, next);
    for (int32_t child = tree->nodes[first].next; child != NODE_NONE;
         child = tree->nodes[child].next)
        entry = build_fork(pattern, build(pattern, tree, child, next), entry);
    return entry;
}

/* x{n,}: the last copy leads to a fork, which leads back to it. */
static uint16_t build_loop(struct topic_pattern *pattern, const struct pattern_tree *tree,
                           const struct pattern_node *node, uint16_t next) {
    uint16_t fork = build_fork(pattern, next, next);
    uint16_t entry = build(pattern, tree, node->first, fork);
    pattern->states[fork].other = entry;
    if (node->minimum == 0) return fork;
    for (int32_t i = 1; i < node->minimum; i++) entry = build(pattern, tree, node->first, entry);
    return entry;
}

static uint16_t build_repetition(struct topic_pattern *pattern, const struct pattern_tree *tree,
                                 const struct pattern_node *node, uint16_t next) {
    if (node->maximum == REPEAT_UNBOUNDED) return build_loop(pattern, tree, node, next);
    uint16_t entry = next;
    for (int32_t i = node->minimum; i < node->maximum; i++)
        entry = build_fork(pattern, build(pattern, tree, node->first, entry), next);
    for (int32_t i = 0; i < node->minimum; i++) entry = build(pattern, tree, node->first, entry);
    return entry;
}

/* The state where `index` begins, which leads to `next`. What needs no states is passed by, so the
 * work is bounded by states × depth. */
static uint16_t build(struct topic_pattern *pattern, const struct pattern_tree *tree, int32_t index,
                      uint16_t next) {
    const struct pattern_node *node = &tree->nodes[index];
    if (node->states == 0) return next;
    switch (node->kind) {
        case NODE_SET: return build_set(pattern, node, next);
        case NODE_ASSERTION: return build_assertion(pattern, node, next);
        case NODE_SEQUENCE: return build_sequence(pattern, tree, node->first, next);
        case NODE_ALTERNATIVES: return build_alternatives(pattern, tree, node->first, next);
        case NODE_REPETITION: return build_repetition(pattern, tree, node, next);
        default: unreachable();
    }
}

struct topic_pattern *topic_pattern_new(struct bytes text, struct error *error) {
    struct pattern_tree tree;
    int32_t root = pattern_parse(text, &tree, error);
    struct topic_pattern *pattern = NULL;
    if (root != NODE_NONE) {
        size_t states = (size_t)tree.nodes[root].states + 1;
        pattern = new_zero(struct topic_pattern);
        pattern->states = memory_zero(states, sizeof *pattern->states);
        pattern->sets = memory_zero(states, sizeof *pattern->sets);
        uint16_t match = add_state(pattern, STATE_MATCH, 0);
        pattern->start = build(pattern, &tree, root, match);
        check(pattern->state_count == states);
    }
    free(tree.nodes);
    return pattern;
}

void topic_pattern_free(struct topic_pattern *pattern) {
    if (!pattern) return;
    free(pattern->states);
    free(pattern->sets);
    free(pattern);
}

int32_t topic_pattern_states(const struct topic_pattern *pattern) { return pattern->state_count; }

/* --- matching --- */

/* The states that are possible at one position. `seen` has the position's number. */
struct possible {
    uint16_t list[PATTERN_STATES_MAX];
    uint16_t count;
};

struct match {
    const struct topic_pattern *pattern;
    struct bytes name;
    size_t position;
    struct possible now, then;
    uint32_t seen[PATTERN_STATES_MAX]; /* the position + 1 for which a state was last added */
    bool matched;                      /* the end of the pattern is possible here */
};

static bool is_word(struct bytes name, size_t position) {
    if (position >= name.len) return false;
    uint8_t c = name.at[position];
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static bool assertion_holds(const struct match *match, uint8_t assertion) {
    size_t at = match->position;
    bool before = at > 0 && is_word(match->name, at - 1), after = is_word(match->name, at);
    switch (assertion) {
        case ASSERT_BEGIN: return at == 0;
        case ASSERT_END: return at == match->name.len;
        case ASSERT_WORD_BOUNDARY: return before != after;
        case ASSERT_NO_WORD_BOUNDARY: return before == after;
        default: unreachable();
    }
}

/* Adds a state and all that it leads to without a character. Each state is looked at once per
 * position, so the stack holds every state at most twice. */
static void add_possible(struct match *match, struct possible *set, uint16_t first) {
    uint16_t stack[2 * PATTERN_STATES_MAX], depth = 0;
    stack[depth++] = first;
    while (depth) {
        uint16_t index = stack[--depth];
        const struct state *state = &match->pattern->states[index];
        if (match->seen[index] == match->position + 1) continue;
        match->seen[index] = (uint32_t)match->position + 1;
        if (state->kind == STATE_MATCH) match->matched = true;
        if (state->kind == STATE_SET) set->list[set->count++] = index;
        if (state->kind == STATE_FORK) stack[depth++] = state->other;
        if (state->kind == STATE_FORK ||
            (state->kind == STATE_ASSERTION && assertion_holds(match, state->assertion)))
            stack[depth++] = state->next;
    }
}

/* Over one character: `now` becomes what is possible behind it. */
static void step(struct match *match, bool guarded) {
    uint8_t c = match->name.at[match->position++];
    match->then.count = 0;
    match->matched = false;
    for (uint16_t i = 0; i < match->now.count; i++) {
        const struct state *state = &match->pattern->states[match->now.list[i]];
        const struct character_set *set = &match->pattern->sets[state->set];
        if (character_set_has(set, c) && (!guarded || set->names_underscore))
            add_possible(match, &match->then, state->next);
    }
    match->now.count = match->then.count;
    memcpy(match->now.list, match->then.list, match->then.count * sizeof *match->then.list);
}

bool topic_pattern_matches(const struct topic_pattern *pattern, struct bytes name, bool internal) {
    struct match match;
    match.pattern = pattern;
    match.name = name;
    match.position = 0;
    match.now.count = 0;
    match.matched = false;
    memset(match.seen, 0, pattern->state_count * sizeof *match.seen);
    add_possible(&match, &match.now, pattern->start);
    while (match.position < name.len && match.now.count) {
        bool guarded = internal && match.position == 0 && name.at[0] == '_';
        step(&match, guarded);
    }
    return match.matched && match.position == name.len;
}
