/* The rows. Kafka's names and defaults are those of Apache Kafka 4.x; where ours differ, the text
 * says why. Texts are printed in the manual, in --help and in the default file: full sentences. */
#include "base/memory.h"
#include "config/option_row.h"

#define FIELD(field) \
    .offset = offsetof(struct options, field), .size = sizeof(((struct options *)0)->field)
#define BETWEEN(low, high) .minimum = (low), .maximum = (high)
#define KAFKA(text, code) .kafka_name = (text), .kafka_type = (code)

#define KIB 1024ll
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const io_choices[] = {"auto", "uring", "epoll", NULL};
static const char *const level_choices[] = {"debug", "info", "warning", "error", NULL};
static const char *const format_choices[] = {"plain", "json", NULL};
static const char *const replication_choices[] = {"accept", "refuse", NULL};
static const char *const compression_choices[] = {"producer", "uncompressed", "gzip", "snappy",
                                                  "lz4",      "zstd",         NULL};
static const char *const timestamp_choices[] = {"CreateTime", "LogAppendTime", NULL};
static const char *const migration_choices[] = {"disabled", NULL};
static const char *const cleanup_choices[] = {"delete", "compact", "compact,delete", NULL};

const char *option_group_title(enum option_group group) {
    static const char *const titles[] = {"Running", "Listening and connections", "Topics",
                                         "Records", "Logs and retention",        "Consumer groups"};
    return titles[group];
}

const struct option_row option_rows[] = {
    {"config", OPTION_PATH, OPTION_GROUP_RUNNING, FIELD(config), .value = "", .not_in_file = true,
     .doc = "YAML file with options: one `name: value` per line, lists as YAML lists. "
            "`millrace config default` prints one to start from."},
    {"data", OPTION_PATH, OPTION_GROUP_RUNNING, FIELD(data), .value = "./millrace-data",
     KAFKA("log.dirs", CONFIG_STRING),
     .doc = "Directory that holds everything that is kept. Made at the first start; one broker at "
            "a time may use it."},
    {"ephemeral", OPTION_BOOL, OPTION_GROUP_RUNNING, FIELD(ephemeral), .value = "false",
     .doc = "Keep nothing and sync nothing: for tests. An acknowledged record is lost with the "
            "process."},
    {"io", OPTION_ENUM, OPTION_GROUP_RUNNING, FIELD(io), .value = "auto", .choices = io_choices,
     .doc = "How the broker talks to the kernel. `auto` takes io_uring where it is allowed and "
            "epoll with worker threads otherwise; both behave the same."},
    {"cores", OPTION_INT, OPTION_GROUP_RUNNING, FIELD(cores), .value = "0", BETWEEN(0, 64),
     .doc = "Cores that serve connections and partitions. 0 takes one less than the machine or "
            "cgroup has, at least one; the rest is for worker threads and the kernel."},
    {"memory", OPTION_SIZE, OPTION_GROUP_RUNNING, FIELD(memory_bytes), .value = "0",
     BETWEEN(0, INT64_MAX),
     .doc = "Memory budget for requests, answers and cached records, at least 64MiB. 0 takes a "
            "quarter of the machine or cgroup. When it is spent, sockets are not read until some "
            "is free again."},
    {"node-id", OPTION_INT, OPTION_GROUP_RUNNING, FIELD(node_id), .value = "1",
     BETWEEN(0, INT32_MAX), KAFKA("node.id", CONFIG_INT),
     .doc = "The number that this broker has in its cluster. Stored in the data directory at the "
            "first start; it cannot change afterwards."},
    {"log-level", OPTION_ENUM, OPTION_GROUP_RUNNING, FIELD(log_level), .value = "info",
     .choices = level_choices, .reloadable = true,
     .doc = "The least severe log lines that are written (to standard error)."},
    {"log-format", OPTION_ENUM, OPTION_GROUP_RUNNING, FIELD(log_format), .value = "plain",
     .choices = format_choices, .reloadable = true,
     .doc = "Log lines for people or, as JSON, for machines."},
    {"ready-fd", OPTION_INT, OPTION_GROUP_RUNNING, FIELD(ready_fd), .value = "-1",
     BETWEEN(-1, 1 << 20), .not_in_file = true,
     .doc = "File descriptor that gets one line of JSON as soon as the broker serves: "
            "{\"kafka\": [\"127.0.0.1:41234\"], \"admin\": \"http://127.0.0.1:9644\", "
            "\"schema_registry\": \"http://127.0.0.1:8081\", \"version\": ..., \"pid\": ...}. It "
            "is closed "
            "afterwards. -1: none."},
    {"ready-file", OPTION_PATH, OPTION_GROUP_RUNNING, FIELD(ready_file), .value = "",
     .doc = "File that appears, complete, with the same line as soon as the broker serves."},
    {"exit-with-parent", OPTION_BOOL, OPTION_GROUP_RUNNING, FIELD(exit_with_parent),
     .value = "false",
     .doc = "Stop when the process that started the broker ends: a test runner that dies takes "
            "its broker along."},

    {"listen", OPTION_ENDPOINTS, OPTION_GROUP_LISTENING, FIELD(listen), .value = "127.0.0.1:9092",
     KAFKA("listeners", CONFIG_LIST),
     .doc = "Addresses to serve Kafka clients on: HOST:PORT, or NAME=HOST:PORT for a named "
            "listener. IPv6 addresses go in brackets; an empty host is every IPv4 address; port 0 "
            "lets the kernel choose. Give it several times, or with commas, for several."},
    {"advertise", OPTION_ENDPOINTS, OPTION_GROUP_LISTENING, FIELD(advertise), .value = "",
     KAFKA("advertised.listeners", CONFIG_LIST),
     .doc = "Address that clients are told to connect to, [NAME=]HOST[:PORT] for the listener of "
            "that name, for port mappings and proxies. Where it is not set clients are told the "
            "address that they connected to, which is right on a plain network."},
    {"admin-listen", OPTION_ENDPOINTS, OPTION_GROUP_LISTENING, FIELD(admin_listen),
     .value = "127.0.0.1:9644",
     .doc =
         "Address for /health, /ready and /metrics (Prometheus) over HTTP; empty for none. Where "
         "another process has the default address, a free port is taken: the ready line and "
         "the log say which."},
    {"registry-listen", OPTION_ENDPOINTS, OPTION_GROUP_LISTENING, FIELD(registry_listen),
     .value = "127.0.0.1:8081",
     .doc =
         "Address of the schema registry (Confluent's REST interface) over HTTP; port 0 lets the "
         "kernel choose, empty is none."},
    {"registry-bytes-max", OPTION_SIZE, OPTION_GROUP_LISTENING, FIELD(registry_bytes_max),
     .value = "128MiB", BETWEEN(MIB, INT64_MAX),
     .doc = "Most bytes of schemas, with the names and settings of subjects, that the registry "
            "keeps; what would pass it is refused with 42205. The same schema counts once. What is "
            "made of Protobuf schemas, to check records by, takes about ten times as much "
            "besides."},
    {"connections-max", OPTION_INT, OPTION_GROUP_LISTENING, FIELD(connections_max), .value = "0",
     BETWEEN(0, INT32_MAX), .reloadable = true, KAFKA("max.connections", CONFIG_INT),
     .doc = "Connections at the same time. 0 takes four fifths of the limit on open files."},
    {"connections-max-per-address", OPTION_INT, OPTION_GROUP_LISTENING,
     FIELD(connections_per_address_max), .value = "1000", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("max.connections.per.ip", CONFIG_INT),
     .doc = "Connections at the same time from one address."},
    {"connection-idle-ms", OPTION_DURATION, OPTION_GROUP_LISTENING, FIELD(connection_idle_ms),
     .value = "10m", BETWEEN(1000, INT64_MAX), .reloadable = true,
     KAFKA("connections.max.idle.ms", CONFIG_LONG),
     .doc = "A connection without a request for so long is closed."},
    {"request-progress-ms", OPTION_DURATION, OPTION_GROUP_LISTENING, FIELD(request_progress_ms),
     .value = "30s", BETWEEN(100, INT64_MAX), .reloadable = true,
     .doc = "A request that has begun to arrive must be complete after so long, and an answer "
            "must be taken at some pace, or the connection is closed. While others wait for its "
            "memory, 256KiB of a request must arrive in an eighth of that time."},
    {"in-flight-max", OPTION_INT, OPTION_GROUP_LISTENING, FIELD(in_flight_max), .value = "64",
     BETWEEN(1, 4096), .reloadable = true,
     .doc = "Requests of one connection that may be worked on at the same time. Answers leave in "
            "request order; further requests wait in the socket."},
    {"frame-bytes-max", OPTION_SIZE, OPTION_GROUP_LISTENING, FIELD(frame_bytes_max),
     .value = "100MiB", BETWEEN(64 * KIB, 1 * GIB), .reloadable = true,
     KAFKA("socket.request.max.bytes", CONFIG_INT),
     .doc = "Largest request. A connection that announces a larger one is closed."},
    {"frame-bytes-max-unauthenticated", OPTION_SIZE, OPTION_GROUP_LISTENING,
     FIELD(frame_bytes_max_unauthenticated), .value = "64KiB", BETWEEN(1 * KIB, 1 * GIB),
     .reloadable = true,
     .doc = "Largest request of an API or version that is not served here, and of any where a "
            "listener asks for authentication and it is still to come."},

    {"auto-create-topics", OPTION_BOOL, OPTION_GROUP_TOPICS, FIELD(auto_create_topics),
     .value = "true", .reloadable = true, KAFKA("auto.create.topics.enable", CONFIG_BOOLEAN),
     .doc = "Whether a topic is made when a client that allows it asks for one that is not "
            "there."},
    {"num-partitions", OPTION_INT, OPTION_GROUP_TOPICS, FIELD(num_partitions), .value = "1",
     BETWEEN(1, 100000), .reloadable = true, KAFKA("num.partitions", CONFIG_INT),
     .doc = "Partitions of a new topic that does not say how many."},
    {"default-replication-factor", OPTION_INT, OPTION_GROUP_TOPICS,
     FIELD(default_replication_factor), .value = "1", BETWEEN(1, INT16_MAX), .reloadable = true,
     KAFKA("default.replication.factor", CONFIG_INT),
     .doc = "Replication factor of a new topic that does not say which. One node keeps one copy, "
            "whatever is asked for; see replication-factor-above-one."},
    {"replication-factor-above-one", OPTION_ENUM, OPTION_GROUP_TOPICS, FIELD(replication_above_one),
     .value = "accept", .choices = replication_choices, .reloadable = true,
     .doc = "What to do with a topic that asks for more than one replica: make it with one and "
            "say so in the log, so that tools with fixed factors work, or refuse it with "
            "INVALID_REPLICATION_FACTOR."},
    {"min-insync-replicas", OPTION_INT, OPTION_GROUP_TOPICS, FIELD(min_insync_replicas),
     .value = "1", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("min.insync.replicas", CONFIG_INT),
     .doc = "Accepted and shown for tools that set it; an acknowledged record is durable on this "
            "node whatever it says."},
    {"delete-topic-enable", OPTION_BOOL, OPTION_GROUP_TOPICS, FIELD(delete_topic_enable),
     .value = "true", .reloadable = true, KAFKA("delete.topic.enable", CONFIG_BOOLEAN),
     .doc = "Whether clients may delete topics."},
    {"topics-max", OPTION_INT, OPTION_GROUP_TOPICS, FIELD(topics_max), .value = "100000",
     BETWEEN(1, 10000000), .reloadable = true,
     .doc = "Topics that may exist; a further one is refused with POLICY_VIOLATION."},
    {"partitions-max", OPTION_INT, OPTION_GROUP_TOPICS, FIELD(partitions_max), .value = "100000",
     BETWEEN(1, 10000000), .reloadable = true,
     .doc = "Partitions that may exist in all topics together; a topic that needs more is refused "
            "with POLICY_VIOLATION."},
    {"contracts", OPTION_PATH, OPTION_GROUP_TOPICS, FIELD(contracts), .value = "",
     .doc = "Folder of .proto files, or an image of one (FileDescriptorSet): its schemas are "
            "registered at every start, and the topics that millrace.yaml in it names are bound to "
            "them, before anybody is served. What is wrong in it refuses the start. "
            "docs/contracts.md has the details."},

    {"message-max-bytes", OPTION_SIZE, OPTION_GROUP_RECORDS, FIELD(message_bytes_max),
     .value = "1048588", BETWEEN(0, INT32_MAX), .reloadable = true,
     KAFKA("message.max.bytes", CONFIG_INT),
     .doc = "Largest record batch, as it is stored (compressed when it is compressed). A topic's "
            "max.message.bytes goes before it."},
    {"compression-type", OPTION_ENUM, OPTION_GROUP_RECORDS, FIELD(compression_type),
     .value = "producer", .choices = compression_choices, .reloadable = true,
     KAFKA("compression.type", CONFIG_STRING),
     .doc = "Codec that batches are stored in; `producer` keeps what the producer chose. Accepted "
            "and shown, without effect here: batches stay byte for byte as their producer "
            "compressed them."},
    {"log-message-timestamp-type", OPTION_ENUM, OPTION_GROUP_RECORDS, FIELD(message_timestamp_type),
     .value = "CreateTime", .choices = timestamp_choices, .reloadable = true,
     KAFKA("log.message.timestamp.type", CONFIG_STRING),
     .doc = "Whether a record keeps its producer's timestamp or gets the time of its append."},
    {"log-message-timestamp-before-max-ms", OPTION_DURATION, OPTION_GROUP_RECORDS,
     FIELD(message_timestamp_before_ms_max), .value = "9223372036854775807", BETWEEN(0, INT64_MAX),
     .reloadable = true, KAFKA("log.message.timestamp.before.max.ms", CONFIG_LONG),
     .doc = "How far a record's timestamp may lie in the past (CreateTime only)."},
    {"log-message-timestamp-after-max-ms", OPTION_DURATION, OPTION_GROUP_RECORDS,
     FIELD(message_timestamp_after_ms_max), .value = "1h", BETWEEN(0, INT64_MAX),
     .reloadable = true, KAFKA("log.message.timestamp.after.max.ms", CONFIG_LONG),
     .doc = "How far a record's timestamp may lie in the future (CreateTime only)."},
    {"decompressed-bytes-max", OPTION_SIZE, OPTION_GROUP_RECORDS, FIELD(decompressed_bytes_max),
     .value = "128MiB", BETWEEN(64 * KIB, INT32_MAX), .reloadable = true,
     .doc = "Most bytes that one compressed batch may unpack to, where a check has to look at its "
            "records; a larger one is refused as invalid."},
    {"decompression-ratio-max", OPTION_INT, OPTION_GROUP_RECORDS, FIELD(decompression_ratio_max),
     .value = "1000", BETWEEN(1, 1000000), .reloadable = true,
     .doc = "Most times its own size that a compressed batch above 1MiB may unpack to."},
    {"producer-id-expiration-ms", OPTION_DURATION, OPTION_GROUP_RECORDS,
     FIELD(producer_id_expiration_ms), .value = "1d", BETWEEN(1, INT64_MAX), .reloadable = true,
     KAFKA("producer.id.expiration.ms", CONFIG_INT),
     .doc = "The sequence numbers of an idempotent producer are forgotten when it has not written "
            "to a partition for so long."},
    {"fetch-bytes-max", OPTION_SIZE, OPTION_GROUP_RECORDS, FIELD(fetch_bytes_max), .value = "55MiB",
     BETWEEN(1 * KIB, 1 * GIB), .reloadable = true, KAFKA("fetch.max.bytes", CONFIG_INT),
     .doc = "Most bytes in one fetch answer, whatever the client asks for. The first batch is "
            "always returned whole."},

    {"log-cleanup-policy", OPTION_ENUM, OPTION_GROUP_LOGS, FIELD(cleanup_policy), .value = "delete",
     .choices = cleanup_choices, .reloadable = true, KAFKA("log.cleanup.policy", CONFIG_LIST),
     .doc = "What happens to old records: deleted by age and size, compacted to the newest record "
            "of each key, or both."},
    {"log-retention-ms", OPTION_DURATION, OPTION_GROUP_LOGS, FIELD(retention_ms), .value = "7d",
     BETWEEN(-1, INT64_MAX), .reloadable = true, KAFKA("log.retention.ms", CONFIG_LONG),
     .doc = "Records older than this may be deleted, a whole segment at a time. -1: never."},
    {"log-retention-bytes", OPTION_SIZE, OPTION_GROUP_LOGS, FIELD(retention_bytes), .value = "-1",
     BETWEEN(-1, INT64_MAX), .reloadable = true, KAFKA("log.retention.bytes", CONFIG_LONG),
     .doc = "A partition keeps about so many bytes; older segments may be deleted. -1: no limit."},
    {"log-retention-check-interval-ms", OPTION_DURATION, OPTION_GROUP_LOGS,
     FIELD(retention_check_ms), .value = "5m", BETWEEN(1, INT64_MAX), .reloadable = true,
     KAFKA("log.retention.check.interval.ms", CONFIG_LONG),
     .doc = "How often retention is looked at."},
    {"log-segment-bytes", OPTION_SIZE, OPTION_GROUP_LOGS, FIELD(segment_bytes), .value = "1GiB",
     BETWEEN(1 * MIB, INT32_MAX), .reloadable = true, KAFKA("log.segment.bytes", CONFIG_INT),
     .doc = "A segment of a partition's log is closed when it is so large. Retention works on "
            "closed segments."},
    {"log-roll-ms", OPTION_DURATION, OPTION_GROUP_LOGS, FIELD(segment_ms), .value = "7d",
     BETWEEN(1, INT64_MAX), .reloadable = true, KAFKA("log.roll.ms", CONFIG_LONG),
     .doc = "A segment is closed when its first record is so old, even if it is not full."},
    {"log-roll-jitter-ms", OPTION_DURATION, OPTION_GROUP_LOGS, FIELD(segment_jitter_ms),
     .value = "0", BETWEEN(0, INT64_MAX), .reloadable = true,
     KAFKA("log.roll.jitter.ms", CONFIG_LONG),
     .doc =
         "Up to so much is taken off log-roll-ms at random, so that partitions do not roll at the "
         "same moment. Accepted and shown, without effect yet: segments roll without jitter."},
    {"log-segment-delete-delay-ms", OPTION_DURATION, OPTION_GROUP_LOGS,
     FIELD(segment_delete_delay_ms), .value = "1m", BETWEEN(0, INT64_MAX), .reloadable = true,
     KAFKA("log.segment.delete.delay.ms", CONFIG_LONG),
     .doc = "Accepted and shown for tools that set it: files are removed when nothing reads them "
            "any more."},
    {"log-cleaner-delete-retention-ms", OPTION_DURATION, OPTION_GROUP_LOGS,
     FIELD(delete_retention_ms), .value = "1d", BETWEEN(0, INT64_MAX), .reloadable = true,
     KAFKA("log.cleaner.delete.retention.ms", CONFIG_LONG),
     .doc = "How long a compacted topic keeps the marker of a deleted key, from the compaction on "
            "that meets it first."},
    {"log-cleaner-min-compaction-lag-ms", OPTION_DURATION, OPTION_GROUP_LOGS,
     FIELD(compaction_lag_ms_min), .value = "0", BETWEEN(0, INT64_MAX), .reloadable = true,
     KAFKA("log.cleaner.min.compaction.lag.ms", CONFIG_LONG),
     .doc = "How long a record of a compacted topic stays as it is at least."},
    {"log-cleaner-max-compaction-lag-ms", OPTION_DURATION, OPTION_GROUP_LOGS,
     FIELD(compaction_lag_ms_max), .value = "9223372036854775807", BETWEEN(1, INT64_MAX),
     .reloadable = true, KAFKA("log.cleaner.max.compaction.lag.ms", CONFIG_LONG),
     .doc = "How long a record of a compacted topic may wait for compaction at most; segments are "
            "closed for it."},
    {"log-cleaner-min-cleanable-ratio", OPTION_DOUBLE, OPTION_GROUP_LOGS,
     FIELD(cleanable_ratio_min), .value = "0.5", BETWEEN(0, 1), .reloadable = true,
     KAFKA("log.cleaner.min.cleanable.ratio", CONFIG_DOUBLE),
     .doc = "Share of a log that must be new since its last compaction before it is compacted "
            "again."},
    {"log-cleaner-backoff-ms", OPTION_DURATION, OPTION_GROUP_LOGS, FIELD(compact_check_ms),
     .value = "15s", BETWEEN(1, INT64_MAX), .reloadable = true,
     KAFKA("log.cleaner.backoff.ms", CONFIG_LONG),
     .doc = "How often compaction looks for something to do when it had nothing."},
    {"log-cleaner-dedupe-buffer-size", OPTION_SIZE, OPTION_GROUP_LOGS, FIELD(compact_bytes_max),
     .value = "128MiB", BETWEEN(64 * KIB, INT64_MAX),
     KAFKA("log.cleaner.dedupe.buffer.size", CONFIG_LONG),
     .doc = "Most memory for the keys of compactions under way, all cores together, and at most a "
            "sixteenth of `memory`. A log with more new keys (about 24 bytes each) is compacted in "
            "several passes. It is taken while a compaction runs, as far as it is needed."},
    {"journal-bytes-max", OPTION_SIZE, OPTION_GROUP_LOGS, FIELD(journal_bytes_max), .value = "2GiB",
     BETWEEN(16 * MIB, INT64_MAX),
     .doc = "Most bytes that the journal files of one core take on disk. Larger lets bursts run "
            "longer before segments have to be written."},

    {"group-min-session-timeout-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(group_session_ms_min), .value = "6s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.min.session.timeout.ms", CONFIG_INT),
     .doc = "Shortest session time-out that a member of a classic group may ask for."},
    {"group-max-session-timeout-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(group_session_ms_max), .value = "30m", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.max.session.timeout.ms", CONFIG_INT),
     .doc = "Longest session time-out that a member of a classic group may ask for."},
    {"group-initial-rebalance-delay-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(group_initial_delay_ms), .value = "0", BETWEEN(0, INT32_MAX), .reloadable = true,
     KAFKA("group.initial.rebalance.delay.ms", CONFIG_INT),
     .doc = "How long the first rebalance of an empty classic group waits for further members. "
            "Kafka waits 3 s; without a wait the first record comes sooner, and members that start "
            "together rebalance more often."},
    {"group-max-size", OPTION_INT, OPTION_GROUP_GROUPS, FIELD(group_members_max), .value = "10000",
     BETWEEN(1, INT32_MAX), .reloadable = true, KAFKA("group.max.size", CONFIG_INT),
     .doc = "Members that a classic group may have, those included that were given an id and have "
            "not joined with it yet."},
    {"groups-max", OPTION_INT, OPTION_GROUP_GROUPS, FIELD(groups_max), .value = "100000",
     BETWEEN(1, 10000000), .reloadable = true,
     .doc = "Groups that may exist, those included that only have offsets; a further one is "
            "refused with GROUP_MAX_SIZE_REACHED. It counts per partition of the offsets topic: "
            "each has its equal share, rounded up."},
    {"offset-metadata-max-bytes", OPTION_SIZE, OPTION_GROUP_GROUPS,
     FIELD(offset_metadata_bytes_max), .value = "4096", BETWEEN(0, 32767), .reloadable = true,
     KAFKA("offset.metadata.max.bytes", CONFIG_INT),
     .doc = "Longest text that a consumer may store with an offset."},
    {"offsets-retention-minutes", OPTION_INT, OPTION_GROUP_GROUPS, FIELD(offsets_retention_minutes),
     .value = "10080", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("offsets.retention.minutes", CONFIG_INT),
     .doc = "Offsets are forgotten when their group has been empty for so long; those of a "
            "consumer that manages itself, or of a topic that its group does not subscribe to any "
            "more, when they were committed so long ago."},
    {"offsets-retention-check-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(offsets_retention_check_ms), .value = "10m", BETWEEN(1, INT64_MAX), .reloadable = true,
     KAFKA("offsets.retention.check.interval.ms", CONFIG_LONG),
     .doc = "How often offsets-retention-minutes is looked at."},
    {"offsets-topic-num-partitions", OPTION_INT, OPTION_GROUP_GROUPS,
     FIELD(offsets_topic_partitions), .value = "50", BETWEEN(1, 1000),
     KAFKA("offsets.topic.num.partitions", CONFIG_INT),
     .doc = "Partitions of __consumer_offsets, over which groups are spread. Only the creation of "
            "the topic, by the first group, looks at it."},
    {"group-consumer-session-timeout-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_session_ms), .value = "45s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.session.timeout.ms", CONFIG_INT),
     .doc = "A member of a consumer group (KIP-848) that was silent for so long is removed. A "
            "group's own consumer.session.timeout.ms goes before it."},
    {"group-consumer-min-session-timeout-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_session_ms_min), .value = "45s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.min.session.timeout.ms", CONFIG_INT),
     .doc = "Shortest consumer.session.timeout.ms of a group."},
    {"group-consumer-max-session-timeout-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_session_ms_max), .value = "60s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.max.session.timeout.ms", CONFIG_INT),
     .doc = "Longest consumer.session.timeout.ms of a group."},
    {"group-consumer-heartbeat-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_heartbeat_ms), .value = "5s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.heartbeat.interval.ms", CONFIG_INT),
     .doc = "How often members of a consumer group send heartbeats. A group's own "
            "consumer.heartbeat.interval.ms goes before it."},
    {"group-consumer-min-heartbeat-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_heartbeat_ms_min), .value = "5s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.min.heartbeat.interval.ms", CONFIG_INT),
     .doc = "Shortest consumer.heartbeat.interval.ms of a group."},
    {"group-consumer-max-heartbeat-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_heartbeat_ms_max), .value = "15s", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.max.heartbeat.interval.ms", CONFIG_INT),
     .doc = "Longest consumer.heartbeat.interval.ms of a group."},
    {"group-consumer-max-size", OPTION_INT, OPTION_GROUP_GROUPS, FIELD(consumer_members_max),
     .value = "10000", BETWEEN(1, INT32_MAX), .reloadable = true,
     KAFKA("group.consumer.max.size", CONFIG_INT),
     .doc = "Members that a consumer group may have."},
    {"group-consumer-assignment-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_assignment_interval_ms), .value = "0", BETWEEN(0, INT32_MAX),
     .reloadable = true, KAFKA("group.consumer.assignment.interval.ms", CONFIG_INT),
     .doc = "Least time between two assignments of one consumer group, so that members that come "
            "one by one cause fewer of them. One at a time is made in any case."},
    {"group-consumer-min-assignment-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_assignment_interval_ms_min), .value = "0", BETWEEN(0, INT32_MAX),
     .reloadable = true, KAFKA("group.consumer.min.assignment.interval.ms", CONFIG_INT),
     .doc = "Shortest consumer.assignment.interval.ms of a group."},
    {"group-consumer-max-assignment-interval-ms", OPTION_DURATION, OPTION_GROUP_GROUPS,
     FIELD(consumer_assignment_interval_ms_max), .value = "15s", BETWEEN(0, INT32_MAX),
     .reloadable = true, KAFKA("group.consumer.max.assignment.interval.ms", CONFIG_INT),
     .doc = "Longest consumer.assignment.interval.ms of a group."},
    {"group-consumer-assignors", OPTION_TEXT, OPTION_GROUP_GROUPS, FIELD(consumer_assignors),
     .value = "uniform,range", KAFKA("group.consumer.assignors", CONFIG_LIST),
     .doc = "Assignors that members of consumer groups may name; the first one is the default."},
    {"group-consumer-migration-policy", OPTION_ENUM, OPTION_GROUP_GROUPS, FIELD(consumer_migration),
     .value = "disabled", .choices = migration_choices,
     KAFKA("group.consumer.migration.policy", CONFIG_STRING),
     .doc = "Whether a group with members may change between the classic and the consumer "
            "protocol. It may not; an empty one always may."},
};

const size_t option_row_count = array_count(option_rows);
_Static_assert(array_count(option_rows) <= OPTION_ROWS_MAX, "raise OPTION_ROWS_MAX");
