/* libyaml reads the file into a tree of nodes with line numbers; the tree is walked two levels deep
 * and no further, so aliases cannot make it large. */
#include "config/options_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

enum { FILE_BYTES_MAX = 1 << 20 };

struct reading {
    const char *path;
    yaml_document_t document;
    options_file_visit *visit;
    void *context;
    struct error *error;
};

static bool reading_fail(struct reading *reading, int line, const char *why) {
    char copy[200]; /* `why` may be the error's own text */
    snprintf(copy, sizeof copy, "%.199s", why);
    return error_set(reading->error, EINVAL, "%s:%d: %s", reading->path, line, copy);
}

static int line_of(const yaml_node_t *node) { return (int)node->start_mark.line + 1; }

static bool visit_scalar(struct reading *reading, const yaml_node_t *key,
                         const yaml_node_t *value) {
    if (value->type != YAML_SCALAR_NODE)
        return reading_fail(reading, line_of(value), "a plain value is expected here");
    const char *text = (const char *)value->data.scalar.value;
    const char *name = (const char *)key->data.scalar.value;
    if (strlen(text) != value->data.scalar.length)
        return reading_fail(reading, line_of(value), "the value has a zero byte in it");
    if (reading->visit(reading->context, name, line_of(key), text, reading->error)) return true;
    return reading_fail(reading, line_of(value), reading->error->text);
}

static bool visit_list(struct reading *reading, const yaml_node_t *key, const yaml_node_t *list) {
    const yaml_node_item_t *at = list->data.sequence.items.start;
    for (; at < list->data.sequence.items.top; at++) {
        const yaml_node_t *item = yaml_document_get_node(&reading->document, *at);
        if (!visit_scalar(reading, key, item)) return false;
    }
    return true;
}

static bool visit_pair(struct reading *reading, const yaml_node_pair_t *pair) {
    const yaml_node_t *key = yaml_document_get_node(&reading->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(&reading->document, pair->value);
    if (key->type != YAML_SCALAR_NODE)
        return reading_fail(reading, line_of(key), "an option's name is expected here");
    if (value->type == YAML_SEQUENCE_NODE) return visit_list(reading, key, value);
    return visit_scalar(reading, key, value);
}

static bool visit_document(struct reading *reading) {
    const yaml_node_t *root = yaml_document_get_root_node(&reading->document);
    if (!root) return true; /* an empty file sets nothing */
    if (root->type != YAML_MAPPING_NODE)
        return reading_fail(reading, line_of(root), "`name: value` lines are expected");
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    for (; pair < root->data.mapping.pairs.top; pair++)
        if (!visit_pair(reading, pair)) return false;
    return true;
}

static bool read_document(struct reading *reading, FILE *file) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_set(reading->error, ENOMEM, "%s: out of memory", reading->path);
    yaml_parser_set_input_file(&parser, file);
    bool loaded = yaml_parser_load(&parser, &reading->document);
    if (!loaded) {
        char why[160];
        snprintf(why, sizeof why, "not valid YAML: %s", parser.problem ? parser.problem : "?");
        reading_fail(reading, (int)parser.problem_mark.line + 1, why);
    }
    yaml_parser_delete(&parser);
    return loaded;
}

/* A directory opens but cannot be read; a file far too large is the wrong file. */
static bool check_file(const char *path, FILE *file, struct error *error) {
    struct stat about;
    if (fstat(fileno(file), &about) != 0)
        return error_set(error, errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return error_set(error, EISDIR, "%s is a directory; --config needs a YAML file", path);
    if (about.st_size > FILE_BYTES_MAX)
        return error_set(error, EFBIG, "%s has more than 1MiB; --config needs a YAML file", path);
    return true;
}

bool options_file_read(const char *path, options_file_visit *visit, void *context,
                       struct error *error) {
    struct reading reading = {.path = path, .visit = visit, .context = context, .error = error};
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, errno, "cannot read the config file %s: %s", path, strerror(errno));
    bool good = check_file(path, file, error) && read_document(&reading, file);
    fclose(file);
    if (!good) return false;
    good = visit_document(&reading);
    yaml_document_delete(&reading.document);
    return good;
}
