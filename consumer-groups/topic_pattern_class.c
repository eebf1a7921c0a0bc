/* Characters, escapes and classes of topic patterns. */
#include "consumer-groups/topic_pattern_syntax.h"

enum { CHARACTER_MAX = 0x10ffff };

/* --- sets --- */

static void add_one(struct character_set *set, uint32_t c) {
    if (c < 128) set->bits[c / 64] |= 1ull << (c % 64);
}

static bool is_letter(uint32_t c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }

void character_set_range(struct character_set *set, uint32_t first, uint32_t last, unsigned flags) {
    for (uint32_t c = first; c <= last && c < 128; c++) {
        add_one(set, c);
        if ((flags & FLAG_FOLD) && is_letter(c)) add_one(set, c ^ 32);
    }
}

void character_set_name(struct character_set *set, uint32_t character, unsigned flags) {
    character_set_range(set, character, character, flags);
    if (character == '_') set->names_underscore = true;
}

void character_set_invert(struct character_set *set) {
    set->bits[0] = ~set->bits[0];
    set->bits[1] = ~set->bits[1];
    set->names_underscore = false;
}

static void character_set_join(struct character_set *set, const struct character_set *more) {
    set->bits[0] |= more->bits[0];
    set->bits[1] |= more->bits[1];
    set->names_underscore = set->names_underscore || more->names_underscore;
}

/* --- single characters --- */

/* The value of a UTF-8 sequence's lead byte, and how many bytes follow; -1: not a lead byte. */
static int utf8_lead(uint8_t lead, uint32_t *value) {
    static const struct {
        uint8_t mask, is;
    } forms[] = {{0x80, 0}, {0xe0, 0xc0}, {0xf0, 0xe0}, {0xf8, 0xf0}};
    for (int i = 0; i < 4; i++)
        if ((lead & forms[i].mask) == forms[i].is) {
            *value = lead & (uint8_t)~forms[i].mask;
            return i;
        }
    return -1;
}

bool pattern_take(struct pattern_parser *p, uint32_t *character) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t began = p->at;
    int more = utf8_lead(p->text.at[p->at++], character);
    for (int i = 0; i < more; i++) {
        if (pattern_at_end(p) || (pattern_peek(p) & 0xc0) != 0x80)
            return pattern_refuse(p, began, "not UTF-8");
        *character = *character << 6 | (p->text.at[p->at++] & 0x3f);
    }
    if (more < 0 || *character < least[more] || *character > CHARACTER_MAX)
        return pattern_refuse(p, began, "not UTF-8");
    return true;
}

static int hex_digit(uint8_t c) {
    if (is_digit(c)) return c - '0';
    return is_letter(c) && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Behind "\x": two digits, or any number in braces. */
static bool take_hex(struct pattern_parser *p, size_t began, uint32_t *character) {
    bool braces = pattern_peek(p) == '{';
    size_t digits = 0;
    p->at += braces;
    for (*character = 0; braces || digits < 2; digits++, p->at++) {
        int digit = hex_digit(pattern_peek(p));
        if (digit < 0 || pattern_at_end(p)) break;
        *character = *character * 16 + (uint32_t)digit;
        if (*character > CHARACTER_MAX) break;
    }
    bool closed = !braces || (!pattern_at_end(p) && p->text.at[p->at++] == '}');
    if (closed && (braces ? digits > 0 : digits == 2)) return true;
    return pattern_refuse(p, began, "the escape is not a character's number");
}

/* At the first digit: \0, \12, \101; one digit from 1 to 7 alone would be a back reference. */
static bool take_octal(struct pattern_parser *p, size_t began, uint32_t *character) {
    uint8_t first = p->text.at[p->at++];
    uint8_t second = pattern_peek(p);
    if (first != '0' && !(second >= '0' && second <= '7'))
        return pattern_refuse(p, began, "back references are not supported");
    *character = (uint32_t)(first - '0');
    for (int i = 0; i < 2 && pattern_peek(p) >= '0' && pattern_peek(p) <= '7'; i++)
        *character = *character * 8 + (uint32_t)(p->text.at[p->at++] - '0');
    return true;
}

bool pattern_take_escape(struct pattern_parser *p, uint32_t *character) {
    static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
    size_t began = p->at++;
    if (pattern_at_end(p)) return pattern_refuse(p, began, "a backslash at the end");
    uint8_t c = pattern_peek(p);
    if (c >= '0' && c <= '7') return take_octal(p, began, character);
    const char *letter = c ? strchr(letters, c) : NULL;
    if (c == 'p' || c == 'P') return pattern_refuse(p, began, "Unicode classes are not supported");
    if (c >= 128 || (!letter && c != 'x' && (is_letter(c) || is_digit(c))))
        return pattern_refuse(p, began, "the escape is not known");
    p->at++;
    if (c == 'x') return take_hex(p, began, character);
    *character = letter ? (uint8_t)values[letter - letters] : c;
    return true;
}

/* --- classes --- */

struct named_class {
    const char *name;
    const char *ranges; /* pairs */
};

static const struct named_class posix_classes[] = {
    {"alnum", "09AZaz"},
    {"alpha", "AZaz"},
    {"ascii", "\1\177"},
    {"blank", "\t\t  "},
    {"cntrl", "\1\37\177\177"},
    {"digit", "09"},
    {"graph", "!~"},
    {"lower", "az"},
    {"print", " ~"},
    {"punct", "!/:@[`{~"},
    {"space", "\t\r  "},
    {"upper", "AZ"},
    {"word", "09AZaz__"},
    {"xdigit", "09AFaf"},
};

static void add_ranges(struct character_set *set, const char *ranges, unsigned flags) {
    for (; *ranges; ranges += 2)
        character_set_range(set, (uint8_t)ranges[0], (uint8_t)ranges[1], flags);
}

bool pattern_take_perl_class(struct pattern_parser *p, struct character_set *set) {
    uint8_t c = p->at + 1 < p->text.len && pattern_peek(p) == '\\' ? p->text.at[p->at + 1] : 0;
    const char *ranges = (c | 32) == 'd'   ? "09"
                         : (c | 32) == 's' ? "\t\n\f\r  "
                         : (c | 32) == 'w' ? "09AZaz__"
                                           : NULL;
    if (!ranges) return false;
    struct character_set found = {0};
    add_ranges(&found, ranges, 0);
    if (!(c & 32)) character_set_invert(&found);
    character_set_join(set, &found);
    p->at += 2;
    return true;
}

/* At "[:": true when it was taken, false when it is refused, or is no class but a '['. */
static bool take_posix_class(struct pattern_parser *p, struct character_set *set) {
    const uint8_t *name = p->text.at + p->at + 2;
    const uint8_t *end = memmem(name, p->text.len - p->at - 2, ":]", 2);
    if (!end) return false;
    size_t began = p->at;
    bool inverted = *name == '^';
    struct bytes wanted = bytes_make(name + inverted, (size_t)(end - name) - inverted);
    p->at = (size_t)(end - p->text.at) + 2;
    for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes; i++) {
        if (!bytes_equal_text(wanted, posix_classes[i].name)) continue;
        struct character_set found = {0};
        add_ranges(&found, posix_classes[i].ranges, p->flags);
        if (inverted) character_set_invert(&found);
        character_set_join(set, &found);
        return true;
    }
    return pattern_refuse(p, began, "the class is not known");
}

static bool take_class_character(struct pattern_parser *p, uint32_t *character) {
    return pattern_peek(p) == '\\' ? pattern_take_escape(p, character) : pattern_take(p, character);
}

/* One character, or first-last. */
static bool take_class_range(struct pattern_parser *p, struct character_set *set) {
    size_t began = p->at;
    uint32_t first, last;
    if (!take_class_character(p, &first)) return false;
    last = first;
    if (pattern_starts(p, "-") && !pattern_starts(p, "-]") && p->at + 1 < p->text.len) {
        p->at++;
        if (!take_class_character(p, &last)) return false;
    }
    if (last < first) return pattern_refuse(p, began, "the range ends before it begins");
    character_set_range(set, first, last, p->flags);
    if (first == '_' || last == '_') set->names_underscore = true;
    return true;
}

bool pattern_take_class(struct pattern_parser *p, struct character_set *set) {
    size_t began = p->at++;
    bool inverted = pattern_peek(p) == '^';
    p->at += inverted;
    for (bool first = true; first || pattern_peek(p) != ']'; first = false) {
        if (pattern_at_end(p)) return pattern_refuse(p, began, "the bracket is not closed");
        if (pattern_starts(p, "[:") && take_posix_class(p, set)) continue;
        if (p->error->text[0]) return false;
        if (!pattern_take_perl_class(p, set) && !take_class_range(p, set)) return false;
    }
    p->at++;
    if (inverted) character_set_invert(set);
    return true;
}
