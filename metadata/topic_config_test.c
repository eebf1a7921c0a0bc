#include "metadata/topic_config.h"

#include <criterion/criterion.h>

#include "config/option_row.h"
#include "metadata/catalog.h"

static void assert_valid(const char *name, const char *value) {
    struct error error = {0};
    cr_assert(topic_config_validate(name, value, &error), "%s", error.text);
}

static void assert_refused(const char *name, const char *value, const char *text) {
    struct error error = {0};
    cr_assert_not(topic_config_validate(name, value, &error), "%s=%s", name, value);
    cr_assert_str_eq(error.text, text);
}

Test(topic_config, rows_are_sound) {
    for (size_t at = 0; at < topic_config_row_count; at++) {
        const struct topic_config_row *row = &topic_config_rows[at];
        if (at) cr_assert_lt(strcmp(row[-1].name, row->name), 0, "%s: order", row->name);
        assert_valid(row->name, row->value);
        cr_assert_eq(topic_config_find(bytes_of_text(row->name)), row);
        if (row->server_name) cr_assert_not_null(option_row_find(row->server_name));
        cr_assert(row->no_effect || row->take || row->has_field, "%s", row->name);
        cr_assert_eq(row->doc[strlen(row->doc) - 1], '.', "%s", row->name);
        if (row->no_effect)
            cr_assert(strstr(row->doc, "without effect") || strstr(row->doc, "only false"));
    }
    cr_assert_null(topic_config_find(BYTES_OF("retention.m")));
    cr_assert_null(topic_config_find(BYTES_OF("message.format.version")));
}

/* The options' defaults are the rows' defaults. */
Test(topic_config, defaults_agree_with_options) {
    struct options *options = options_new();
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t at = 0; at < topic_config_row_count; at++) {
        const struct topic_config_row *row = &topic_config_rows[at];
        cr_assert_str_eq(topic_config_default(row, options, &arena), row->value, "%s", row->name);
    }
    arena_deinit(&arena);
    options_free(options);
}

Test(topic_config, refuses_as_kafka_does) {
    assert_refused("retention.msx", "1", "Unknown topic config name: retention.msx");
    assert_refused("retention.ms", "soon",
                   "Invalid value soon for configuration retention.ms: Not a number of type LONG");
    assert_refused("retention.ms", "-2",
                   "Invalid value -2 for configuration retention.ms: Value must be at least -1");
    assert_refused("retention.ms", "9223372036854775808",
                   "Invalid value 9223372036854775808 for configuration retention.ms: "
                   "Not a number of type LONG");
    assert_refused("segment.bytes", "2147483648",
                   "Invalid value 2147483648 for configuration segment.bytes: "
                   "Not a number of type INT");
    assert_refused("segment.bytes", "1000",
                   "Invalid value 1000 for configuration segment.bytes: "
                   "Value must be at least 1048576");
    assert_refused("compression.lz4.level", "18",
                   "Invalid value 18 for configuration compression.lz4.level: "
                   "Value must be no more than 17");
    assert_refused("compression.gzip.level", "0",
                   "Invalid value 0 for configuration compression.gzip.level: "
                   "Value must be between 1 and 9 or equal to -1");
    assert_refused("preallocate", "yes",
                   "Invalid value yes for configuration preallocate: "
                   "Expected value to be either true or false");
    assert_refused("cleanup.policy", "compact,shred",
                   "Invalid value compact,shred for configuration cleanup.policy: "
                   "String must be one of: compact, delete");
    assert_refused("cleanup.policy", "delete,delete",
                   "Invalid value delete,delete for configuration cleanup.policy: "
                   "Duplicate values are not allowed");
    assert_refused("message.timestamp.type", "Never",
                   "Invalid value Never for configuration message.timestamp.type: "
                   "String must be one of: CreateTime, LogAppendTime");
    assert_refused("min.cleanable.dirty.ratio", "1.5",
                   "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: "
                   "Value must be no more than 1");
}

Test(topic_config, more_that_is_refused) {
    struct error error;
    cr_assert_not(topic_config_validate("remote.storage.enable", "true", &error));
    cr_assert_not(topic_config_validate("leader.replication.throttled.replicas", "1-2", &error));
    cr_assert_not(topic_config_validate("leader.replication.throttled.replicas", "1:", &error));
    cr_assert_not(topic_config_validate("cleanup.policy", "delete,", &error));
    cr_assert_not(topic_config_validate("retention.ms", "", &error));
    cr_assert_not(topic_config_validate("min.cleanable.dirty.ratio", "nan", &error));
}

Test(topic_config, accepts_as_kafka_does) {
    assert_valid("retention.ms", " 1000 ");
    assert_valid("retention.ms", "+1000");
    assert_valid("retention.bytes", "-5");
    assert_valid("cleanup.policy", "");
    assert_valid("cleanup.policy", "compact, delete");
    assert_valid("preallocate", "TRUE");
    assert_valid("compression.type", "zstd");
    assert_valid("leader.replication.throttled.replicas", "*");
    assert_valid("leader.replication.throttled.replicas", "0:1,12:3");
    assert_valid("min.cleanable.dirty.ratio", "0.25");
}

static struct catalog_config overrides[] = {
    {"cleanup.policy", "compact, delete"}, {"compression.type", "zstd"},
    {"max.message.bytes", "2000"},         {"message.timestamp.type", "LogAppendTime"},
    {"min.cleanable.dirty.ratio", "0.25"}, {"retention.ms", " 1234"}};
static const struct catalog_configs some = {6, overrides};
static const struct catalog_configs none = {0, NULL};

Test(topic_config, resolve_takes_defaults_from_options) {
    struct options *options = options_new();
    struct topic_config config, defaults;
    options->retention_ms = 55;
    options->cleanup_policy = OPTION_CLEANUP_BOTH;
    topic_config_defaults(options, &defaults);
    topic_config_resolve(&none, &defaults, &config);
    cr_assert_eq(config.retention_ms, 55);
    cr_assert_eq(config.retention_bytes, -1);
    cr_assert_eq(config.segment_bytes, 1 << 30);
    cr_assert_eq(config.segment_ms, 604800000);
    cr_assert_eq(config.index_interval_bytes, 4096);
    cr_assert_eq(config.message_bytes_max, 1048588);
    cr_assert_eq(config.compression, OPTION_COMPRESSION_PRODUCER);
    cr_assert_eq(config.timestamp_before_ms_max, INT64_MAX);
    cr_assert_eq(config.timestamp_after_ms_max, 3600000);
    cr_assert(config.cleanup_delete && config.cleanup_compact);
    cr_assert_not(config.append_time);
    options_free(options);
}

Test(topic_config, resolve_takes_what_the_topic_set) {
    struct options *options = options_new();
    struct topic_config config, defaults;
    topic_config_defaults(options, &defaults);
    topic_config_resolve(&some, &defaults, &config);
    cr_assert_eq(config.retention_ms, 1234);
    cr_assert_eq(config.message_bytes_max, 2000);
    cr_assert_eq(config.compression, OPTION_COMPRESSION_ZSTD);
    cr_assert_eq(config.dirty_ratio_min, 0.25);
    cr_assert(config.cleanup_delete && config.cleanup_compact && config.append_time);
    struct catalog_config empty = {"cleanup.policy", ""};
    topic_config_resolve(&(struct catalog_configs){1, &empty}, &defaults, &config);
    cr_assert_not(config.cleanup_delete || config.cleanup_compact);
    options_free(options);
}

Test(topic_config, what_must_fit_together) {
    struct options *options = options_new();
    struct error error = {0};
    struct topic_config defaults;
    topic_config_defaults(options, &defaults);
    struct catalog_config lags[] = {{"max.compaction.lag.ms", "10"},
                                    {"min.compaction.lag.ms", "11"}};
    cr_assert(topic_config_validate_set(&some, &defaults, &error));
    cr_assert_not(topic_config_validate_set(&(struct catalog_configs){2, lags}, &defaults, &error));
    cr_assert_str_eq(error.text,
                     "conflict topic config setting min.compaction.lag.ms (11) > "
                     "max.compaction.lag.ms (10)");
    options_free(options);
}

static const struct described_config *find(const struct described_config *rows, size_t count,
                                           const char *name) {
    for (size_t at = 0; at < count; at++)
        if (strcmp(rows[at].name, name) == 0) return &rows[at];
    cr_assert_fail("%s is not described", name);
    return NULL;
}

Test(topic_config, describe) {
    char *argv[] = {"serve", "--log-retention-ms=5000", NULL}, *variables[] = {NULL};
    struct options *options;
    struct error error;
    struct arena arena;
    cr_assert(options_load(2, argv, variables, &options, &error), "%s", error.text);
    arena_init(&arena, 1 << 20);
    struct described_config *defaults = topic_config_describe_defaults(options, &arena);
    struct described_config *rows = topic_config_describe(defaults, &some, &arena);
    size_t count = topic_config_row_count;
    const struct described_config *one = find(rows, count, "retention.ms");
    cr_assert_str_eq(one->value, " 1234");
    cr_assert_eq(one->source, CONFIG_FROM_TOPIC);
    cr_assert_eq(one->synonym_count, 3);
    cr_assert_str_eq(one->synonyms[1].name, "log.retention.ms");
    cr_assert_str_eq(one->synonyms[1].value, "5000");
    cr_assert_eq(one->synonyms[1].source, CONFIG_FROM_BROKER_STATIC);
    cr_assert_str_eq(one->synonyms[2].value, "604800000");
    one = find(rows, count, "segment.ms");
    cr_assert(one->is_default && one->source == CONFIG_FROM_DEFAULT && one->type == CONFIG_LONG);
    cr_assert_eq(one->synonym_count, 1);
    cr_assert_eq(find(rows, count, "flush.ms")->synonym_count, 0);

    rows = topic_config_describe(defaults, &none, &arena);
    one = find(rows, count, "retention.ms");
    cr_assert_str_eq(one->value, "5000");
    cr_assert_eq(one->source, CONFIG_FROM_BROKER_STATIC);
    cr_assert_not(one->is_default || one->read_only || one->sensitive);
    arena_deinit(&arena);
    options_free(options);
}
