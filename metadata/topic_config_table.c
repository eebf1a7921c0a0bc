/* The rows: names, types, bounds and defaults are Kafka 4.4's (LogConfig, TopicConfig, QuotaConfig,
 * ServerTopicConfigSynonyms); the texts are ours and say what each does here. */
#include "base/memory.h"
#include "metadata/topic_config.h"

#define TO(field) .has_field = true, .offset = offsetof(struct topic_config, field)
#define AT_LEAST(low) .minimum = (low), .maximum = INT64_MAX
#define BETWEEN(low, high) .minimum = (low), .maximum = (high)
#define ANY .minimum = INT64_MIN, .maximum = INT64_MAX
#define NO_EFFECT " Accepted and shown, without effect here: "
/* Of values that storage is given and does not use yet. */
#define NOT_YET " Accepted and shown, without effect here yet: "
#define NO_RECOMPRESSION NO_EFFECT "batches stay byte for byte as their producer compressed them."

#define LONG_MAX_TEXT "9223372036854775807"

/* They use TO(). */
#include "metadata/contract_config_rows.h"

static const char *const cleanup_choices[] = {"compact", "delete", NULL};
static const char *const timestamp_choices[] = {"CreateTime", "LogAppendTime", NULL};
/* In the order of enum option_compression. */
static const char *const compression_choices[] = {"producer", "uncompressed", "gzip", "snappy",
                                                  "lz4",      "zstd",         NULL};

static bool list_has(const char *list, const char *item) {
    size_t len = strlen(item);
    for (const char *at = list; (at = strstr(at, item)); at += len) {
        bool starts = at == list || at[-1] == ',' || at[-1] == ' ';
        if (starts && (at[len] == 0 || at[len] == ',' || at[len] == ' ')) return true;
    }
    return false;
}

static void take_cleanup(const char *value, struct topic_config *out) {
    out->cleanup_delete = list_has(value, "delete");
    out->cleanup_compact = list_has(value, "compact");
}

static void take_timestamp(const char *value, struct topic_config *out) {
    out->append_time = strcmp(value, "LogAppendTime") == 0;
}

static void take_compression(const char *value, struct topic_config *out) {
    for (int at = 0; compression_choices[at]; at++)
        if (strcmp(value, compression_choices[at]) == 0)
            out->compression = (enum option_compression)at;
}

static bool gzip_level_is_valid(const char *value, const char **why) {
    *why = "Value must be between 1 and 9 or equal to -1";
    return strcmp(value, "0") != 0;
}

static bool remote_is_off(const char *value, const char **why) {
    *why =
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured "
        "with remote log storage.";
    return value[0] != 't' && value[0] != 'T';
}

/* "*", or partition:broker pairs. */
static bool throttle_is_valid(const char *value, const char **why) {
    *why =
        "Value must be the literal '*' or a list of replicas in the following format: "
        "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    if (strcmp(value, "*") == 0) return true;
    for (const char *at = value; *at;) {
        size_t partition = strspn(at, "0123456789");
        if (partition == 0 || at[partition] != ':') return false;
        at += partition + 1;
        size_t broker = strspn(at, "0123456789");
        if (broker == 0 || (at[broker] && at[broker] != ',')) return false;
        at += broker + (at[broker] == ',');
    }
    return true;
}

const struct topic_config_row topic_config_rows[] = {
    {"cleanup.policy", CONFIG_LIST, "delete", .choices = cleanup_choices, .take = take_cleanup,
     .server_name = "log.cleanup.policy",
     .doc = "What happens to old records: `delete` removes segments by age and size, `compact` "
            "keeps the newest record of each key; both may be given, and an empty list keeps all "
            "records. A compacted topic takes records with keys only."},
    {"compression.gzip.level", CONFIG_INT, "-1", BETWEEN(-1, 9), TO(gzip_level),
     .is_valid = gzip_level_is_valid, .no_effect = true,
     .doc = "Level for compression.type=gzip, 1 to 9; -1 is the codec's own "
            "default." NO_RECOMPRESSION},
    {"compression.lz4.level", CONFIG_INT, "9", BETWEEN(1, 17), TO(lz4_level), .no_effect = true,
     .doc = "Level for compression.type=lz4." NO_RECOMPRESSION},
    {"compression.type", CONFIG_STRING, "producer", .choices = compression_choices,
     .take = take_compression, .server_name = "compression.type", .no_effect = true,
     .doc = "Codec that batches are stored in; `producer` keeps what the producer "
            "chose." NO_RECOMPRESSION},
    {"compression.zstd.level", CONFIG_INT, "3", BETWEEN(-131072, 22), TO(zstd_level),
     .no_effect = true, .doc = "Level for compression.type=zstd." NO_RECOMPRESSION},
    CONFLUENT_ROWS("key", CONTRACT_OF_KEY),
    CONFLUENT_ROWS("value", CONTRACT_OF_VALUE),
    {"delete.retention.ms", CONFIG_LONG, "86400000", AT_LEAST(0), TO(delete_retention_ms),
     .server_name = "log.cleaner.delete.retention.ms",
     .doc = "How long a compacted topic keeps the marker of a deleted key, from the compaction on "
            "that meets it first: the time in which a consumer from the start must come by to see "
            "it."},
    {"errors.deadletterqueue.group.enable", CONFIG_BOOLEAN, "false", .no_effect = true,
     .doc = "Whether share groups may use the topic as their dead-letter queue." NO_EFFECT
            "there are no share groups yet."},
    {"file.delete.delay.ms", CONFIG_LONG, "60000", AT_LEAST(0), .no_effect = true,
     .server_name = "log.segment.delete.delay.ms",
     .doc = "How long a file stays after its segment was deleted." NO_EFFECT
            "files go when nothing reads them any more."},
    {"flush.messages", CONFIG_LONG, LONG_MAX_TEXT, AT_LEAST(1), .no_effect = true,
     .doc = "Records between two syncs." NO_EFFECT
            "every acknowledged record is on disk, whatever this says."},
    {"flush.ms", CONFIG_LONG, LONG_MAX_TEXT, AT_LEAST(0), .no_effect = true,
     .doc = "Time between two syncs." NO_EFFECT
            "every acknowledged record is on disk, whatever this says."},
    {"follower.replication.throttled.replicas", CONFIG_LIST, "", .is_valid = throttle_is_valid,
     .no_effect = true,
     .doc = "Replicas whose followers are throttled." NO_EFFECT "one node keeps one replica."},
    {"index.interval.bytes", CONFIG_INT, "4096", AT_LEAST(0), TO(index_interval_bytes),
     .doc =
         "Bytes of log for each entry of a segment's index, from the next segment on. Below 4096 "
         "it counts as 4096, above 1048576 as 1048576."},
    {"leader.replication.throttled.replicas", CONFIG_LIST, "", .is_valid = throttle_is_valid,
     .no_effect = true,
     .doc = "Replicas whose leaders are throttled." NO_EFFECT "one node keeps one replica."},
    {"local.retention.bytes", CONFIG_LONG, "-2", AT_LEAST(-2), .no_effect = true,
     .doc = "Bytes kept locally under tiered storage; -2 follows retention.bytes." NO_EFFECT
            "all records are local."},
    {"local.retention.ms", CONFIG_LONG, "-2", AT_LEAST(-2), .no_effect = true,
     .doc = "Time kept locally under tiered storage; -2 follows retention.ms." NO_EFFECT
            "all records are local."},
    {"max.compaction.lag.ms", CONFIG_LONG, LONG_MAX_TEXT, AT_LEAST(1), TO(compaction_lag_ms_max),
     .server_name = "log.cleaner.max.compaction.lag.ms",
     .doc = "How long a record of a compacted topic may wait for compaction at most; segments are "
            "closed for it."},
    {"max.message.bytes", CONFIG_INT, "1048588", AT_LEAST(0), TO(message_bytes_max),
     .server_name = "message.max.bytes",
     .doc = "Largest record batch, as it is stored (compressed when it is compressed)."},
    {"message.timestamp.after.max.ms", CONFIG_LONG, "3600000", AT_LEAST(0),
     TO(timestamp_after_ms_max), .server_name = "log.message.timestamp.after.max.ms",
     .doc = "How far a record's timestamp may lie in the future (CreateTime only); others are "
            "refused."},
    {"message.timestamp.before.max.ms", CONFIG_LONG, LONG_MAX_TEXT, AT_LEAST(0),
     TO(timestamp_before_ms_max), .server_name = "log.message.timestamp.before.max.ms",
     .doc = "How far a record's timestamp may lie in the past (CreateTime only); others are "
            "refused."},
    {"message.timestamp.type", CONFIG_STRING, "CreateTime", .choices = timestamp_choices,
     .take = take_timestamp, .server_name = "log.message.timestamp.type",
     .doc = "Whether a record keeps its producer's timestamp or gets the time of its append."},
    REJECTS_ROW,
    MILLRACE_ROWS("key", CONTRACT_OF_KEY),
    MILLRACE_ROWS("value", CONTRACT_OF_VALUE),
    {"min.cleanable.dirty.ratio", CONFIG_DOUBLE, "0.5", BETWEEN(0, 1), TO(dirty_ratio_min),
     .server_name = "log.cleaner.min.cleanable.ratio",
     .doc = "Share of a log that must be new since its last compaction before it is compacted "
            "again."},
    {"min.compaction.lag.ms", CONFIG_LONG, "0", AT_LEAST(0), TO(compaction_lag_ms_min),
     .server_name = "log.cleaner.min.compaction.lag.ms",
     .doc = "How long a record of a compacted topic stays as it is at least."},
    {"min.insync.replicas", CONFIG_INT, "1", AT_LEAST(1), .no_effect = true,
     .server_name = "min.insync.replicas",
     .doc = "Replicas that must have a record before acks=all is answered." NO_EFFECT
            "one node keeps one replica, durably."},
    {"preallocate", CONFIG_BOOLEAN, "false", .no_effect = true,
     .doc = "Whether a segment's file is allocated when it is made." NO_EFFECT
            "segments are always allocated ahead."},
    REDPANDA_ROWS("key", CONTRACT_OF_KEY),
    REDPANDA_ROWS("value", CONTRACT_OF_VALUE),
    {"remote.copy.lag.bytes", CONFIG_LONG, "0", AT_LEAST(-1), .no_effect = true,
     .doc =
         "Bytes before a segment is copied to tiered storage." NO_EFFECT "all records are local."},
    {"remote.copy.lag.ms", CONFIG_LONG, "0", AT_LEAST(-1), .no_effect = true,
     .doc =
         "Time before a segment is copied to tiered storage." NO_EFFECT "all records are local."},
    {"remote.log.copy.disable", CONFIG_BOOLEAN, "false", .no_effect = true,
     .doc = "Whether copying to tiered storage has stopped." NO_EFFECT "all records are local."},
    {"remote.log.delete.on.disable", CONFIG_BOOLEAN, "false", .no_effect = true,
     .doc = "Whether tiered records go when tiering is turned off." NO_EFFECT
            "all records are local."},
    {"remote.storage.enable", CONFIG_BOOLEAN, "false", .is_valid = remote_is_off, .no_effect = true,
     .doc = "Whether the topic uses tiered storage; only false is accepted here, as by a Kafka "
            "broker that has tiering turned off."},
    {"retention.bytes", CONFIG_LONG, "-1", ANY, TO(retention_bytes),
     .server_name = "log.retention.bytes",
     .doc = "A partition keeps about so many bytes; older segments may be deleted "
            "(cleanup.policy=delete). -1: no limit."},
    {"retention.ms", CONFIG_LONG, "604800000", AT_LEAST(-1), TO(retention_ms),
     .server_name = "log.retention.ms",
     .doc = "Records older than this may be deleted, a whole segment at a time "
            "(cleanup.policy=delete). -1: never."},
    {"segment.bytes", CONFIG_INT, "1073741824", AT_LEAST(1048576), TO(segment_bytes),
     .server_name = "log.segment.bytes",
     .doc = "A segment is closed when it is so large. Retention and compaction work on closed "
            "segments."},
    {"segment.index.bytes", CONFIG_INT, "10485760", AT_LEAST(4), .no_effect = true,
     .doc = "Largest index of a segment." NO_EFFECT
            "indexes are sparse caches and grow with their segment."},
    {"segment.jitter.ms", CONFIG_LONG, "0", AT_LEAST(0), TO(segment_jitter_ms),
     .server_name = "log.roll.jitter.ms", .no_effect = true,
     .doc = "Up to so much is taken off segment.ms at random, so that partitions do not roll at "
            "the same moment." NOT_YET "segments roll without jitter."},
    {"segment.ms", CONFIG_LONG, "604800000", AT_LEAST(1), TO(segment_ms),
     .server_name = "log.roll.ms",
     .doc = "A segment is closed when its first record is so old, even if it is not full."},
    {"unclean.leader.election.enable", CONFIG_BOOLEAN, "false", .no_effect = true,
     .doc = "Whether a replica that lags may become the leader." NO_EFFECT
            "one node keeps one replica."},
};

const size_t topic_config_row_count = array_count(topic_config_rows);
