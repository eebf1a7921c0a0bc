/* DescribeConfigs: topics, this broker, and sensible answers for what has no configs here.
 *
 * A request for many resources is answered from a worker, which knows neither catalog nor options:
 *
 *   start ─► look: what there is of each resource ─┬────────────► describe ─► answer
 *                                                  └─► worker: describe, encode ─► answer
 *
 * Topics that have set nothing, as most have, share one list of configs. What an answer may hold
 * altogether is bounded: resources beyond that get an error of their own. */
#include "protocol/describe_configs.h"

#include "broker/chore.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/admin_configs.h"
#include "broker/handlers/handlers.h"
#include "metadata/group_config.h"

enum { RESOURCES_HERE = 50 }; /* more go to a worker */

typedef struct describe_configs_request_describe_configs_resource asked_resource;
typedef struct describe_configs_response_describe_configs_result described_resource;
typedef struct describe_configs_response_describe_configs_resource_result answered_config;

/* Rows of one kind, and what a resource without filter and without values of its own answers. */
struct sheet {
    struct described_config *rows; /* NULL: not made yet */
    int32_t count;
    struct map by_name; /* struct column */
    struct column *columns;
    answered_config *plain;
    size_t plain_bytes;
};

struct column {
    struct map_node node;
    const char *name;
};

enum sheet_kind { SHEET_TOPIC, SHEET_GROUP, SHEET_BROKER, SHEET_CLUSTER, SHEETS };

struct inquiry {
    struct chore chore;
    struct request *request;
    struct describe_configs_response *response;
    const struct catalog_configs **set; /* of each resource; NULL: there is nothing to describe */
    const struct options *options;
    struct options *own_options; /* a copy, on a worker */
    struct sheet sheets[SHEETS];
    size_t bytes, bytes_max; /* of the answer so far, about */
};

static const struct catalog_configs nothing_set;

/* --- looking: on the core --- */

static void refuse(described_resource *to, enum error_code code, const char *message) {
    to->error_code = (int16_t)code;
    to->error_message = bytes_of_text(message);
}

static const struct catalog_configs *look_topic(struct inquiry *inquiry,
                                                const asked_resource *resource,
                                                described_resource *to) {
    struct request *request = inquiry->request;
    struct error error;
    if (!catalog_name_is_valid(resource->resource_name, &error)) {
        refuse(to, ERROR_INVALID_TOPIC_EXCEPTION,
               arena_text(&request->arena, bytes_of_text(error.text)));
        return NULL;
    }
    const struct catalog_topic *topic =
        catalog_find_topic(&request->core->catalog, resource->resource_name);
    if (topic) return topic->configs.count ? &topic->configs : &nothing_set;
    refuse(to, ERROR_UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.");
    return NULL;
}

static const struct catalog_configs *look_broker(struct inquiry *inquiry,
                                                 const asked_resource *resource,
                                                 described_resource *to) {
    struct request *request = inquiry->request;
    struct bytes name = resource->resource_name;
    if (change_names_this_broker(name, admin_node_id(request))) return &nothing_set;
    refuse(to, ERROR_INVALID_REQUEST,
           arena_format(&request->arena,
                        "Unexpected broker id, expected %d or empty string, but received %.*s",
                        admin_node_id(request), BYTES_FORMAT(name)));
    return NULL;
}

/* Also of a group that is not there: it would have these. */
static const struct catalog_configs *look_group(struct inquiry *inquiry,
                                                const asked_resource *resource,
                                                described_resource *to) {
    if (resource->resource_name.len == 0) {
        refuse(to, ERROR_INVALID_REQUEST, "Default group resources are not allowed.");
        return NULL;
    }
    const struct catalog_configs *set =
        catalog_group_configs(&inquiry->request->core->catalog, resource->resource_name);
    return set ? set : &nothing_set;
}

static const struct catalog_configs *look(struct inquiry *inquiry, const asked_resource *resource,
                                          described_resource *to) {
    *to = (described_resource){.error_message = BYTES_NULL,
                               .resource_type = resource->resource_type,
                               .resource_name = resource->resource_name};
    switch (resource->resource_type) {
        case CONFIG_RESOURCE_TOPIC: return look_topic(inquiry, resource, to);
        case CONFIG_RESOURCE_BROKER: return look_broker(inquiry, resource, to);
        /* They exist and nothing is set on them. */
        case CONFIG_RESOURCE_BROKER_LOGGER:
        case CONFIG_RESOURCE_CLIENT_METRICS: return NULL;
        case CONFIG_RESOURCE_GROUP: return look_group(inquiry, resource, to);
        default: refuse(to, ERROR_INVALID_REQUEST, "Unsupported resource type"); return NULL;
    }
}

/* --- describing: wherever the request is --- */

static enum sheet_kind sheet_kind_of(const asked_resource *resource) {
    if (resource->resource_type == CONFIG_RESOURCE_TOPIC) return SHEET_TOPIC;
    if (resource->resource_type == CONFIG_RESOURCE_GROUP) return SHEET_GROUP;
    return resource->resource_name.len == 0 ? SHEET_CLUSTER : SHEET_BROKER;
}

static int32_t make_rows(struct inquiry *inquiry, enum sheet_kind kind,
                         struct described_config **rows) {
    struct arena *arena = &inquiry->request->arena;
    switch (kind) {
        case SHEET_TOPIC:
            *rows = topic_config_describe_defaults(inquiry->options, arena);
            return (int32_t)topic_config_row_count;
        case SHEET_GROUP:
            *rows = group_config_describe_defaults(inquiry->options, arena);
            return GROUP_CONFIG_COUNT;
        default: return admin_describe_broker(inquiry->options, kind == SHEET_CLUSTER, arena, rows);
    }
}

static struct sheet *sheet_of(struct inquiry *inquiry, const asked_resource *resource) {
    struct arena *arena = &inquiry->request->arena;
    enum sheet_kind kind = sheet_kind_of(resource);
    struct sheet *sheet = &inquiry->sheets[kind];
    if (sheet->columns) return sheet;
    sheet->count = make_rows(inquiry, kind, &sheet->rows);
    sheet->columns = arena_array(arena, struct column, (size_t)sheet->count + 1);
    map_init(&sheet->by_name);
    for (int32_t i = 0; i < sheet->count; i++) {
        struct column *column = &sheet->columns[i];
        column->name = sheet->rows[i].name;
        map_insert(&sheet->by_name, &column->node, hash_bytes(bytes_of_text(column->name)));
    }
    return sheet;
}

/* The place of that name, or -1. */
static int32_t sheet_find(const struct sheet *sheet, struct bytes name) {
    struct map_node *node = map_find(&sheet->by_name, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        const struct column *column = map_entry(node, struct column, node);
        if (bytes_equal_text(name, column->name)) return (int32_t)(column - sheet->columns);
    }
    return -1;
}

static void fill_synonyms(struct inquiry *inquiry, const struct described_config *from,
                          answered_config *to) {
    to->synonyms =
        arena_array(&inquiry->request->arena,
                    struct describe_configs_response_describe_configs_synonym, from->synonym_count);
    to->synonyms_count = (int32_t)from->synonym_count;
    for (size_t i = 0; i < from->synonym_count; i++)
        to->synonyms[i] = (struct describe_configs_response_describe_configs_synonym){
            .name = bytes_of_text(from->synonyms[i].name),
            .value = from->sensitive ? BYTES_NULL : bytes_of_text(from->synonyms[i].value),
            .source = (int8_t)from->synonyms[i].source,
        };
}

static void fill_row(struct inquiry *inquiry, const struct described_config *from,
                     answered_config *to) {
    const struct describe_configs_request *body = inquiry->request->body;
    *to = (answered_config){
        .name = bytes_of_text(from->name),
        .value = from->sensitive ? BYTES_NULL : bytes_of_text(from->value),
        .read_only = from->read_only,
        .config_source = (int8_t)from->source,
        .is_sensitive = from->sensitive,
        .config_type = (int8_t)from->type,
        .documentation = body->include_documentation ? bytes_of_text(from->doc) : BYTES_NULL,
    };
    if (body->include_synonyms) fill_synonyms(inquiry, from, to);
}

/* About what rows take in an answer. */
static size_t rows_bytes(const answered_config *rows, int32_t count) {
    enum { NUMBERS = 16 };
    size_t bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        bytes += rows[i].name.len + rows[i].value.len + rows[i].documentation.len + NUMBERS;
        for (int32_t k = 0; k < rows[i].synonyms_count; k++)
            bytes += rows[i].synonyms[k].name.len + rows[i].synonyms[k].value.len + NUMBERS;
    }
    return bytes;
}

static answered_config *fill_all(struct inquiry *inquiry, const struct described_config *from,
                                 int32_t count) {
    answered_config *rows = arena_array(&inquiry->request->arena, answered_config, (size_t)count);
    for (int32_t i = 0; i < count; i++) fill_row(inquiry, from + i, rows + i);
    return rows;
}

/* Those that were asked for, in the sheet's order and each once. */
static int32_t fill_wanted(struct inquiry *inquiry, const asked_resource *resource,
                           const struct sheet *sheet, const struct described_config *from,
                           answered_config **rows) {
    struct arena *arena = &inquiry->request->arena;
    bool *is_wanted = arena_array(arena, bool, (size_t)sheet->count);
    int32_t count = 0;
    for (int32_t i = 0; i < resource->configuration_keys_count; i++) {
        int32_t at = sheet_find(sheet, resource->configuration_keys[i]);
        if (at < 0 || is_wanted[at]) continue;
        is_wanted[at] = true;
        count++;
    }
    *rows = arena_array(arena, answered_config, (size_t)count);
    count = 0;
    for (int32_t i = 0; i < sheet->count; i++)
        if (is_wanted[i]) fill_row(inquiry, from + i, *rows + count++);
    return count;
}

static void describe_plain(struct inquiry *inquiry, struct sheet *sheet, described_resource *to) {
    if (!sheet->plain) {
        sheet->plain = fill_all(inquiry, sheet->rows, sheet->count);
        sheet->plain_bytes = rows_bytes(sheet->plain, sheet->count);
    }
    to->configs = sheet->plain;
    to->configs_count = sheet->count;
    inquiry->bytes += sheet->plain_bytes;
}

static void describe(struct inquiry *inquiry, const asked_resource *resource,
                     const struct catalog_configs *set, described_resource *to) {
    struct sheet *sheet = sheet_of(inquiry, resource);
    if (inquiry->bytes > inquiry->bytes_max) {
        refuse(to, ERROR_INVALID_REQUEST,
               "The answer would not fit into the memory budget (memory): ask for fewer resources "
               "at a time.");
        return;
    }
    if (set->count == 0 && resource->configuration_keys_count < 0) {
        describe_plain(inquiry, sheet, to);
        return;
    }
    struct arena *arena = &inquiry->request->arena;
    const struct described_config *rows = sheet->rows;
    if (set->count && sheet == &inquiry->sheets[SHEET_GROUP])
        rows = group_config_describe(sheet->rows, set, arena);
    else if (set->count)
        rows = topic_config_describe(sheet->rows, set, arena);
    to->configs_count = sheet->count;
    if (resource->configuration_keys_count < 0)
        to->configs = fill_all(inquiry, rows, sheet->count);
    else
        to->configs_count = fill_wanted(inquiry, resource, sheet, rows, &to->configs);
    inquiry->bytes += rows_bytes(to->configs, to->configs_count);
}

static void describe_all(struct inquiry *inquiry) {
    const struct describe_configs_request *body = inquiry->request->body;
    for (int32_t i = 0; i < body->resources_count; i++)
        if (inquiry->set[i])
            describe(inquiry, body->resources + i, inquiry->set[i], inquiry->response->results + i);
    for (int i = 0; i < SHEETS; i++)
        if (inquiry->sheets[i].columns) map_deinit(&inquiry->sheets[i].by_name);
}

/* --- on a worker --- */

static void work_run(struct chore *chore) {
    struct inquiry *inquiry = container_of(chore, struct inquiry, chore);
    describe_all(inquiry);
    request_encode(inquiry->request, inquiry->response);
}

static void work_done(struct chore *chore) {
    struct inquiry *inquiry = container_of(chore, struct inquiry, chore);
    options_free(inquiry->own_options);
    request_send(inquiry->request);
}

/* The catalog may change meanwhile. */
static const struct catalog_configs *keep(struct arena *arena, const struct catalog_configs *set) {
    if (!set || set->count == 0) return set;
    struct catalog_configs *copy = arena_new(arena, struct catalog_configs);
    copy->count = set->count;
    copy->items = arena_array(arena, struct catalog_config, (size_t)set->count);
    for (int32_t i = 0; i < set->count; i++)
        copy->items[i] =
            (struct catalog_config){arena_text(arena, bytes_of_text(set->items[i].name)),
                                    arena_text(arena, bytes_of_text(set->items[i].value))};
    return copy;
}

static void describe_away(struct inquiry *inquiry) {
    struct request *request = inquiry->request;
    const struct describe_configs_request *body = request->body;
    for (int32_t i = 0; i < body->resources_count; i++)
        inquiry->set[i] = keep(&request->arena, inquiry->set[i]);
    inquiry->options = inquiry->own_options = options_copy(inquiry->options);
    inquiry->chore.run = work_run;
    inquiry->chore.done = work_done;
    chore_begin(&inquiry->chore, request->core);
}

/* --- the beginning --- */

static void start(struct request *request) {
    const struct describe_configs_request *body = request->body;
    if (!admin_count_is_good(request, body->resources_count)) return;
    size_t count = (size_t)body->resources_count;
    struct inquiry *inquiry = arena_new(&request->arena, struct inquiry);
    inquiry->request = request;
    inquiry->options = request->core->options;
    inquiry->bytes_max = request->core->admission.total;
    inquiry->set = arena_array(&request->arena, const struct catalog_configs *, count);
    inquiry->response = request_response(request);
    inquiry->response->results = arena_array(&request->arena, described_resource, count);
    inquiry->response->results_count = body->resources_count;
    for (size_t i = 0; i < count; i++)
        inquiry->set[i] = look(inquiry, body->resources + i, inquiry->response->results + i);
    if (count > RESOURCES_HERE) {
        describe_away(inquiry);
        return;
    }
    describe_all(inquiry);
    request_answer(request, inquiry->response);
}

const struct handler describe_configs_handler = {.key = API_DESCRIBE_CONFIGS, .start = start};
