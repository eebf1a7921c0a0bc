#include "registry/contract_manifest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/map.h"
#include "config/suggest.h"
#include "metadata/catalog.h"
#include "registry/compatibility.h"
#include "registry/schema_machine.h"

const struct manifest_key_row manifest_keys[MANIFEST_KEYS] = {
    [MANIFEST_LEVEL] = {"level", "contract"},
    [MANIFEST_FRAMING] = {"framing", "framing"},
    [MANIFEST_MESSAGE] = {"message", "message"},
    [MANIFEST_NULL] = {"null", "null"},
    [MANIFEST_ON_VIOLATION] = {"on-violation", "on.violation"},
    [MANIFEST_SUBJECT] = {"subject", "subject"},
    [MANIFEST_STRATEGY] = {"strategy", "subject.strategy"},
    [MANIFEST_UNKNOWN_FIELDS] = {"unknown-fields", "unknown.fields"},
    [MANIFEST_VERSIONS] = {"versions", "versions"},
    [MANIFEST_ANY_MESSAGE] = {"any-message", NULL},
    [MANIFEST_COMPATIBILITY] = {"compatibility", NULL},
    [MANIFEST_FILE] = {"file", NULL},
    [MANIFEST_LOCK] = {"lock", NULL},
};

/* A small text may stand for much, with aliases. */
enum { MEMORY_MAX = 64 << 20, PROBLEMS_MAX = 100 };

struct reading {
    const char *path;
    yaml_document_t document;
    struct arena *arena;
    struct contract_manifest *manifest;
    struct map names; /* struct topic_name: of the topics so far */
    struct text *problems;
    size_t problem_count, used_before;
};

static int line_of(const yaml_node_t *node) { return (int)node->start_mark.line + 1; }

__attribute__((format(printf, 3, 4))) static void problem(struct reading *reading,
                                                          const yaml_node_t *node,
                                                          const char *format, ...) {
    char words[400];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    reading->problem_count++;
    text_printf(reading->problems, "%s:%d:%d: %s\n", reading->path, line_of(node),
                (int)node->start_mark.column + 1, words);
}

/* Nothing further is read when there is more than anybody reads, or has memory for. */
static bool goes_on(struct reading *reading, const yaml_node_t *node) {
    if (reading->problem_count >= PROBLEMS_MAX) return false;
    if (reading->arena->used - reading->used_before <= MEMORY_MAX) return true;
    problem(reading, node, "too large with all that its aliases stand for");
    reading->problem_count = PROBLEMS_MAX;
    return false;
}

static const yaml_node_t *node_at(struct reading *reading, int index) {
    return yaml_document_get_node(&reading->document, index);
}

/* NULL, with a problem, for what is no plain text. */
static const char *scalar(struct reading *reading, const yaml_node_t *node) {
    const char *text =
        node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
    if (text && strlen(text) == node->data.scalar.length)
        return arena_text(reading->arena, bytes_of_text(text));
    problem(reading, node, "a plain value is expected here");
    return NULL;
}

/* Calls for each pair of a mapping whose key is a text. */
static void each_pair(struct reading *reading, const yaml_node_t *node, const char *what,
                      void (*call)(struct reading *reading, void *context, const char *key,
                                   const yaml_node_t *key_node, const yaml_node_t *value),
                      void *context) {
    if (node->type != YAML_MAPPING_NODE) {
        problem(reading, node, "%s are expected here", what);
        return;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top && goes_on(reading, node); pair++) {
        const yaml_node_t *key_node = node_at(reading, pair->key);
        const char *key = scalar(reading, key_node);
        if (key) call(reading, context, key, key_node, node_at(reading, pair->value));
    }
}

/* --- one contract --- */

static void unknown_key(struct reading *reading, const yaml_node_t *node, const char *key) {
    const char *names[MANIFEST_KEYS];
    for (size_t i = 0; i < MANIFEST_KEYS; i++) names[i] = manifest_keys[i].name;
    const char *near = suggest_word(key, names, MANIFEST_KEYS);
    problem(reading, node, "\"%.60s\" is nothing that a contract has%s%s%s", key,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* A list as it is in topic configs; an item with a comma in it would be two. */
static const char *list_join(struct reading *reading, const yaml_node_t *list) {
    struct text joined = {0};
    const yaml_node_item_t *at = list->data.sequence.items.start;
    for (; at < list->data.sequence.items.top && goes_on(reading, list); at++) {
        const char *item = scalar(reading, node_at(reading, *at));
        if (item) text_printf(&joined, "%s%s", joined.len ? "," : "", item);
    }
    const char *text = arena_text(reading->arena, text_bytes(&joined));
    text_deinit(&joined);
    return text;
}

static void value_check(struct reading *reading, enum contract_part part, enum manifest_key key,
                        const char *value, const yaml_node_t *node) {
    enum compatibility_level level;
    struct error error;
    char name[64];
    if (manifest_keys[key].config) {
        snprintf(name, sizeof name, "millrace.%s.%s", contract_part_name(part),
                 manifest_keys[key].config);
        if (!topic_config_validate(name, value, &error)) problem(reading, node, "%s", error.text);
    } else if (key == MANIFEST_COMPATIBILITY) {
        if (!compatibility_level_parse(bytes_of_text(value), &level))
            problem(reading, node, "\"%.60s\" is no level of compatibility, as BACKWARD", value);
    } else if (key != MANIFEST_FILE && strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        problem(reading, node, "\"%.60s\" is neither true nor false", value);
    }
}

struct part_reading {
    enum contract_part which;
    struct manifest_part *part;
};

static void part_key(struct reading *reading, void *context, const char *key,
                     const yaml_node_t *key_node, const yaml_node_t *node) {
    const struct part_reading *into = (const struct part_reading *)context;
    size_t at = 0;
    while (at < MANIFEST_KEYS && strcmp(manifest_keys[at].name, key) != 0) at++;
    if (at == MANIFEST_KEYS) {
        unknown_key(reading, key_node, key);
        return;
    }
    if (into->part->values[at]) problem(reading, key_node, "\"%s\" is said twice", key);
    bool is_list = at == MANIFEST_MESSAGE && node->type == YAML_SEQUENCE_NODE;
    const char *value = is_list ? list_join(reading, node) : scalar(reading, node);
    if (!value) return;
    into->part->values[at] = value;
    value_check(reading, into->which, (enum manifest_key)at, value, node);
}

bool manifest_part_has(const struct manifest_part *part, enum manifest_key key) {
    return part->values[key] && strcmp(part->values[key], "true") == 0;
}

/* As `millrace contract set` asks for it: nothing is bound to any message by an oversight. */
static void part_check(struct reading *reading, const struct manifest_part *part,
                       const yaml_node_t *node) {
    const char *level = part->values[MANIFEST_LEVEL];
    bool any = manifest_part_has(part, MANIFEST_ANY_MESSAGE);
    bool named = part->values[MANIFEST_MESSAGE] && *part->values[MANIFEST_MESSAGE];
    if (any && named) problem(reading, node, "give either message or any-message");
    if (any || named || (level && strcmp(level, "off") == 0)) return;
    problem(reading, node,
            "say which messages are allowed: `message: NAME`, or `any-message: true` for every one "
            "of the file");
}

/* --- topics --- */

static void topic_part(struct reading *reading, void *context, const char *key,
                       const yaml_node_t *key_node, const yaml_node_t *node) {
    struct manifest_topic *topic = (struct manifest_topic *)context;
    struct part_reading into = {.which = CONTRACT_PARTS};
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++)
        if (strcmp(key, contract_part_name(part)) == 0) into.which = part;
    if (into.which == CONTRACT_PARTS || topic->parts[into.which]) {
        problem(reading, key_node, "\"%.60s\" is not expected here, but `value:` or `key:`, once",
                key);
        return;
    }
    into.part = topic->parts[into.which] = arena_new(reading->arena, struct manifest_part);
    into.part->place = arena_format(reading->arena, "%s:%d", reading->path, line_of(key_node));
    each_pair(reading, node, "`message: NAME` and the like", part_key, &into);
    part_check(reading, into.part, key_node);
}

struct topic_name {
    struct map_node node;
    struct bytes name;
};

/* False when it is there already. */
static bool name_add(struct reading *reading, struct bytes name) {
    uint64_t hash = hash_bytes(name);
    struct map_node *node = map_find(&reading->names, hash);
    for (; node; node = map_find_next(node))
        if (bytes_equal(map_entry(node, struct topic_name, node)->name, name)) return false;
    struct topic_name *added = arena_new(reading->arena, struct topic_name);
    added->name = name;
    map_insert(&reading->names, &added->node, hash);
    return true;
}

static void topic_check(struct reading *reading, const struct manifest_topic *topic,
                        const yaml_node_t *node) {
    struct error error;
    if (!name_add(reading, topic->name))
        problem(reading, node, "the topic \"%.*s\" is there twice", BYTES_FORMAT(topic->name));
    if (!catalog_name_is_valid(topic->name, &error))
        problem(reading, node, "%s", error.text);
    else if (catalog_name_is_internal(topic->name) || bytes_equal_text(topic->name, SCHEMAS_TOPIC))
        problem(reading, node, "the topic \"%.*s\" is the broker's own and takes no contract",
                BYTES_FORMAT(topic->name));
}

static void topic_read(struct reading *reading, void *context, const char *key,
                       const yaml_node_t *key_node, const yaml_node_t *node) {
    struct contract_manifest *manifest = reading->manifest;
    struct manifest_topic *topic = &manifest->topics[manifest->count++];
    (void)context;
    topic->name = bytes_of_text(key);
    topic->place = arena_format(reading->arena, "%s:%d", reading->path, line_of(key_node));
    topic_check(reading, topic, key_node);
    each_pair(reading, node, "`value:` and `key:`", topic_part, topic);
}

static void root_key(struct reading *reading, void *context, const char *key,
                     const yaml_node_t *key_node, const yaml_node_t *node) {
    struct contract_manifest *manifest = reading->manifest;
    (void)context;
    if (strcmp(key, "compatibility") == 0) {
        manifest->compatibility = scalar(reading, node);
        if (manifest->compatibility)
            value_check(reading, CONTRACT_OF_VALUE, MANIFEST_COMPATIBILITY, manifest->compatibility,
                        node);
        return;
    }
    if (strcmp(key, "topics") != 0 || manifest->topics) {
        problem(reading, key_node,
                "\"%.60s\" is not expected here, but `topics:` and `compatibility:`, once", key);
        return;
    }
    size_t count = node->type == YAML_MAPPING_NODE
                       ? (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start)
                       : 0;
    manifest->topics = arena_array(reading->arena, struct manifest_topic, count + 1);
    each_pair(reading, node, "names of topics", topic_read, NULL);
}

/* --- the file --- */

static bool document_load(struct reading *reading, FILE *file) {
    yaml_parser_t parser;
    struct stat about;
    if (fstat(fileno(file), &about) != 0 || about.st_size > MANIFEST_BYTES_MAX) {
        text_printf(reading->problems, "%s: larger than %d bytes\n", reading->path,
                    MANIFEST_BYTES_MAX);
        return false;
    }
    if (!yaml_parser_initialize(&parser)) return false;
    yaml_parser_set_input_file(&parser, file);
    bool loaded = yaml_parser_load(&parser, &reading->document);
    if (!loaded)
        text_printf(reading->problems, "%s:%d:%d: not valid YAML: %s\n", reading->path,
                    (int)parser.problem_mark.line + 1, (int)parser.problem_mark.column + 1,
                    parser.problem ? parser.problem : "?");
    yaml_parser_delete(&parser);
    return loaded;
}

bool contract_manifest_read(const char *path, struct arena *arena,
                            struct contract_manifest *manifest, struct text *problems) {
    struct reading reading = {.path = path,
                              .arena = arena,
                              .manifest = manifest,
                              .problems = problems,
                              .used_before = arena->used};
    *manifest = (struct contract_manifest){0};
    FILE *file = fopen(path, "re");
    if (!file) {
        text_printf(problems, "%s: cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    bool loaded = document_load(&reading, file);
    fclose(file);
    if (!loaded) return false;
    map_init(&reading.names);
    yaml_node_t *root = yaml_document_get_root_node(&reading.document);
    if (root) each_pair(&reading, root, "`topics:` and `compatibility:`", root_key, NULL);
    map_deinit(&reading.names);
    yaml_document_delete(&reading.document);
    return reading.problem_count == 0;
}
