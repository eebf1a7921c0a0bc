/* What an operator can set, in one place: `struct options` holds the values, options_table.c the
 * rows that name, bound, default and document them. The flags, the environment, the YAML file, the
 * manual, --help and DescribeConfigs(BROKER) are all read from or printed from those rows.
 *
 * Precedence: flag > environment (MILLRACE_<OPTION>, upper case, '-' and '.' as '_') > YAML file
 * (--config FILE) > default. Every value remembers where it came from.
 *
 * One `struct options` owns everything it points to. It is not shared between cores while it can
 * change: a core that wants to follow a reload keeps its own options_copy().
 *
 * Units: *_ms are milliseconds, *_bytes bytes. -1 means "no limit" where the row allows it. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

enum option_io { OPTION_IO_AUTO, OPTION_IO_URING, OPTION_IO_EPOLL };
enum option_compression {
    OPTION_COMPRESSION_PRODUCER,
    OPTION_COMPRESSION_UNCOMPRESSED,
    OPTION_COMPRESSION_GZIP,
    OPTION_COMPRESSION_SNAPPY,
    OPTION_COMPRESSION_LZ4,
    OPTION_COMPRESSION_ZSTD,
};
enum option_timestamp { OPTION_TIMESTAMP_CREATE, OPTION_TIMESTAMP_APPEND };
enum option_cleanup { OPTION_CLEANUP_DELETE, OPTION_CLEANUP_COMPACT, OPTION_CLEANUP_BOTH };
enum option_replication { OPTION_REPLICATION_ACCEPT, OPTION_REPLICATION_REFUSE };

enum option_migration { OPTION_MIGRATION_DISABLED };

enum option_source {
    OPTION_FROM_DEFAULT,
    OPTION_FROM_FILE,
    OPTION_FROM_ENVIRONMENT,
    OPTION_FROM_FLAG,
    OPTION_FROM_CLUSTER, /* set at run time by AlterConfigs */
};

/* One listener or advertised address. host has no brackets; port 0 lets the kernel choose (listen)
 * or means the port that is listened on (advertise). */
struct endpoint {
    char *name; /* "PLAINTEXT" when none was given */
    char *host;
    int port;
};
struct endpoints {
    struct endpoint *items;
    size_t count;
};

struct option_origin {
    enum option_source source;
    int line; /* in the file */
};

/* At least as many as there are rows; options_table.c checks. */
enum { OPTION_ROWS_MAX = 100 };

struct options {
    /* Running. */
    char *config; /* path of the YAML file, "" for none */
    char *data;
    bool ephemeral;
    enum option_io io;
    int64_t cores;        /* 0: one less than the machine has, at least one */
    int64_t memory_bytes; /* 0: a quarter of the machine or cgroup */
    int64_t node_id;
    int log_level;    /* enum say_level */
    int log_format;   /* enum say_format */
    int64_t ready_fd; /* -1: none */
    char *ready_file; /* "": none */
    bool exit_with_parent;

    /* Listening. */
    struct endpoints listen;
    struct endpoints advertise;       /* empty: what the client connected to */
    struct endpoints admin_listen;    /* at most one */
    struct endpoints registry_listen; /* at most one */
    int64_t registry_bytes_max;
    int64_t connections_max; /* 0: four fifths of the open file limit */
    int64_t connections_per_address_max;
    int64_t connection_idle_ms;
    int64_t request_progress_ms;
    int64_t in_flight_max;
    int64_t frame_bytes_max;
    int64_t frame_bytes_max_unauthenticated;

    /* Topics. */
    bool auto_create_topics;
    int64_t num_partitions;
    int64_t default_replication_factor;
    enum option_replication replication_above_one;
    int64_t min_insync_replicas;
    bool delete_topic_enable;
    int64_t topics_max;
    int64_t partitions_max;
    char *contracts; /* folder or image; "": none */

    /* Records. */
    int64_t message_bytes_max;
    enum option_compression compression_type;
    enum option_timestamp message_timestamp_type;
    int64_t message_timestamp_before_ms_max;
    int64_t message_timestamp_after_ms_max;
    int64_t decompressed_bytes_max;
    int64_t decompression_ratio_max;
    int64_t producer_id_expiration_ms;
    int64_t fetch_bytes_max;

    /* Logs: what a topic has unless it says otherwise. */
    enum option_cleanup cleanup_policy;
    int64_t retention_ms;
    int64_t retention_bytes;
    int64_t retention_check_ms;
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int64_t segment_delete_delay_ms;
    int64_t delete_retention_ms;
    int64_t compaction_lag_ms_min;
    int64_t compaction_lag_ms_max;
    double cleanable_ratio_min;
    int64_t compact_check_ms;
    int64_t compact_bytes_max;
    int64_t journal_bytes_max;

    /* Groups of consumers. */
    int64_t group_session_ms_min, group_session_ms_max;
    int64_t group_initial_delay_ms;
    int64_t group_members_max; /* of a classic group */
    int64_t groups_max;
    int64_t offset_metadata_bytes_max;
    int64_t offsets_retention_minutes;
    int64_t offsets_retention_check_ms;
    int64_t offsets_topic_partitions;
    int64_t consumer_session_ms, consumer_session_ms_min, consumer_session_ms_max;
    int64_t consumer_heartbeat_ms, consumer_heartbeat_ms_min, consumer_heartbeat_ms_max;
    int64_t consumer_members_max; /* of a consumer group */
    int64_t consumer_assignment_interval_ms;
    int64_t consumer_assignment_interval_ms_min, consumer_assignment_interval_ms_max;
    char *consumer_assignors;
    enum option_migration consumer_migration;

    /* ---- how it was loaded ---- */
    bool help_wanted; /* --help was given: nothing else was looked at */
    struct option_origin origins[OPTION_ROWS_MAX]; /* by row */
    struct text warnings; /* lines worth a say_warning() at start; empty when there are none */
    struct arena memory;  /* everything that is pointed to */
};

/* argv[0] is the command and is skipped; environ ends with NULL. On success *options is the
 * caller's, free with options_free(). Errors name the thing, its place and the fix. */
bool options_load(int argc, char *const argv[], char *const environ[], struct options **options,
                  struct error *error);
/* The defaults alone, for tests and tools. */
struct options *options_new(void);
struct options *options_copy(const struct options *options);
void options_free(struct options *options);

/* Takes the reloadable values that `fresh` has into `options`. Values set at run time stay. The
 * report has one line for each change taken, and for each that needs a restart. */
void options_reload(struct options *options, const struct options *fresh, struct text *report);

/* AlterConfigs(BROKER): sets one reloadable option by its Kafka name (or ours); value NULL goes
 * back to `base`, the options as loaded. */
bool options_set_dynamic(struct options *options, const struct options *base, const char *name,
                         const char *value, struct error *error);

/* The endpoint of that name, or NULL. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, const char *name);
