/* Configs of topics: every one that Kafka 4.4 knows, with its type, bounds, default and meaning
 * here, and the values that storage works with.
 *
 * A value comes from the topic where it was set there, else from the broker's option of the row's
 * server name (log.retention.ms for retention.ms), else from the row. Those without meaning on this
 * broker are accepted, kept and shown, and their documentation says so. */
#pragma once

#include "config/described.h"
#include "config/options.h"
#include "metadata/contract_config.h"

/* In metadata/catalog.h, which includes this file. */
struct catalog_configs;

/* What holds for one topic. */
struct topic_config {
    int64_t retention_ms;    /* -1: for ever */
    int64_t retention_bytes; /* per partition; -1: no limit */
    int32_t segment_bytes;
    int64_t segment_ms, segment_jitter_ms;
    int32_t index_interval_bytes;
    bool cleanup_delete, cleanup_compact; /* neither: nothing goes by itself */
    int64_t delete_retention_ms;
    int64_t compaction_lag_ms_min, compaction_lag_ms_max;
    double dirty_ratio_min;
    int32_t message_bytes_max; /* a batch as stored */
    bool append_time;          /* LogAppendTime */
    int64_t timestamp_before_ms_max, timestamp_after_ms_max;
    enum option_compression compression;
    int32_t gzip_level, lz4_level, zstd_level;
    struct contract_config contracts[CONTRACT_PARTS];
    int32_t rejects_bytes; /* of a bad key or value, in what is told of it */
};

struct topic_config_row {
    const char *name;
    enum config_type type;
    const char *value; /* default */
    int64_t minimum, maximum;
    const char *const *choices; /* of a string, or of a list's items; ends with NULL */
    const char *server_name;    /* the broker config with the default, or NULL */
    bool no_effect;             /* accepted, kept and shown, nothing more */
    bool (*is_valid)(const char *value, const char **why); /* beyond type and bounds, or NULL */
    /* Where the value goes in struct topic_config: a field, or a function. A field is of the
     * type's size; the place among its choices is a uint8_t, another text a pointer to it. */
    bool has_field;
    size_t offset;
    void (*take)(const char *value, struct topic_config *out);
    const char *doc;
};

/* In order of name. */
extern const struct topic_config_row topic_config_rows[];
extern const size_t topic_config_row_count;

/* NULL when Kafka has no such topic config. */
const struct topic_config_row *topic_config_find(struct bytes name);

/* Judges one value as Kafka does; the error is worded as Kafka's, for INVALID_CONFIG. */
bool topic_config_validate(const char *name, const char *value, struct error *error);
/* What holds for a topic that has set nothing. Dear: it is kept (struct catalog). */
void topic_config_defaults(const struct options *options, struct topic_config *out);
/* What holds for a topic that has set `configs` (each valid), whose texts it may point to. */
void topic_config_resolve(const struct catalog_configs *configs,
                          const struct topic_config *defaults, struct topic_config *out);
/* Judges what must fit together in a topic's whole set (each valid by itself). */
bool topic_config_validate_set(const struct catalog_configs *configs,
                               const struct topic_config *defaults, struct error *error);

/* Whether a topic has a contract for its keys or its values. */
static inline bool topic_config_has_contract(const struct topic_config *config) {
    return contract_config_level(&config->contracts[CONTRACT_OF_KEY]) != CONTRACT_OFF ||
           contract_config_level(&config->contracts[CONTRACT_OF_VALUE]) != CONTRACT_OFF;
}

/* What holds where the topic has set nothing, as text in the arena. */
char *topic_config_default(const struct topic_config_row *row, const struct options *options,
                           struct arena *arena);

/* As DescribeConfigs shows them, topic_config_row_count rows in the arena: what holds where a topic
 * has set nothing, to be made once for many topics, and those of a topic. Texts of `configs` are
 * not copied; the rows of a topic without any are `defaults`. */
struct described_config *topic_config_describe_defaults(const struct options *options,
                                                        struct arena *arena);
struct described_config *topic_config_describe(struct described_config *defaults,
                                               const struct catalog_configs *configs,
                                               struct arena *arena);
