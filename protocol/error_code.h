/* Kafka's error codes: number, name, whether a client may try again, and what it means in words of
 * ours (sent only where a response has an error message). 134 to 136 exist since Kafka 4.4; nothing
 * here answers with them. Source: the Kafka protocol guide; the client behind each KIP decides what
 * it retries. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* clang-format off */
#define ERROR_CODES(X) \
    X(-1, UNKNOWN_SERVER_ERROR, false, "the broker met an error that it did not expect") \
    X(0, NONE, false, "no error") \
    X(1, OFFSET_OUT_OF_RANGE, false, "the offset is not within what the partition holds") \
    X(2, CORRUPT_MESSAGE, true, "the records do not match their checksum") \
    X(3, UNKNOWN_TOPIC_OR_PARTITION, true, "this broker does not have the topic or the partition") \
    X(4, INVALID_FETCH_SIZE, false, "the fetch size is not valid") \
    X(5, LEADER_NOT_AVAILABLE, true, "the partition has no leader at the moment") \
    X(6, NOT_LEADER_OR_FOLLOWER, true, "this broker does not lead the partition") \
    X(7, REQUEST_TIMED_OUT, true, "the time of the request ran out") \
    X(8, BROKER_NOT_AVAILABLE, false, "the broker is not available") \
    X(9, REPLICA_NOT_AVAILABLE, true, "the replica is not available") \
    X(10, MESSAGE_TOO_LARGE, false, "the batch is larger than the topic allows (max.message.bytes)") \
    X(11, STALE_CONTROLLER_EPOCH, false, "the controller's epoch has passed") \
    X(12, OFFSET_METADATA_TOO_LARGE, false, "the text that goes with the offset is too long") \
    X(13, NETWORK_EXCEPTION, true, "the connection closed before the answer came") \
    X(14, COORDINATOR_LOAD_IN_PROGRESS, true, "the coordinator is still loading its state") \
    X(15, COORDINATOR_NOT_AVAILABLE, true, "the coordinator is not available") \
    X(16, NOT_COORDINATOR, true, "this broker is not the coordinator") \
    X(17, INVALID_TOPIC_EXCEPTION, false, "the name is not valid for a topic, or the topic is internal") \
    X(18, RECORD_LIST_TOO_LARGE, false, "the batch is larger than a segment") \
    X(19, NOT_ENOUGH_REPLICAS, true, "too few replicas are in sync") \
    X(20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, true, "the records are stored, but in too few replicas") \
    X(21, INVALID_REQUIRED_ACKS, false, "acks must be -1, 0 or 1") \
    X(22, ILLEGAL_GENERATION, false, "the group is in another generation") \
    X(23, INCONSISTENT_GROUP_PROTOCOL, false, "the member's protocols do not go with those of the group") \
    X(24, INVALID_GROUP_ID, false, "the name is not valid for a group") \
    X(25, UNKNOWN_MEMBER_ID, false, "the group does not know the member") \
    X(26, INVALID_SESSION_TIMEOUT, false, "the session time-out is outside the broker's bounds") \
    X(27, REBALANCE_IN_PROGRESS, false, "the group is rebalancing: join again") \
    X(28, INVALID_COMMIT_OFFSET_SIZE, false, "the committed offset takes too much room") \
    X(29, TOPIC_AUTHORIZATION_FAILED, false, "not authorised for the topic") \
    X(30, GROUP_AUTHORIZATION_FAILED, false, "not authorised for the group") \
    X(31, CLUSTER_AUTHORIZATION_FAILED, false, "not authorised for the cluster") \
    X(32, INVALID_TIMESTAMP, false, "a timestamp is outside what the topic allows") \
    X(33, UNSUPPORTED_SASL_MECHANISM, false, "the broker does not have the SASL mechanism") \
    X(34, ILLEGAL_SASL_STATE, false, "the request is not valid at this point of the authentication") \
    X(35, UNSUPPORTED_VERSION, false, "the broker does not speak this version of the request") \
    X(36, TOPIC_ALREADY_EXISTS, false, "the topic exists already") \
    X(37, INVALID_PARTITIONS, false, "the number of partitions is not valid") \
    X(38, INVALID_REPLICATION_FACTOR, false, "the replication factor is not valid") \
    X(39, INVALID_REPLICA_ASSIGNMENT, false, "the assignment of replicas is not valid") \
    X(40, INVALID_CONFIG, false, "the configuration is not valid") \
    X(41, NOT_CONTROLLER, true, "this broker is not the controller") \
    X(42, INVALID_REQUEST, false, "the request contradicts itself or the protocol") \
    X(43, UNSUPPORTED_FOR_MESSAGE_FORMAT, false, "the format of the stored records does not allow it") \
    X(44, POLICY_VIOLATION, false, "a policy of the broker forbids it") \
    X(45, OUT_OF_ORDER_SEQUENCE_NUMBER, false, "the batch does not follow the producer's last one") \
    X(46, DUPLICATE_SEQUENCE_NUMBER, false, "the batch was stored before") \
    X(47, INVALID_PRODUCER_EPOCH, false, "the producer's epoch has passed") \
    X(48, INVALID_TXN_STATE, false, "the transaction is not in a state that allows it") \
    X(49, INVALID_PRODUCER_ID_MAPPING, false, "the producer id does not belong to the transactional id") \
    X(50, INVALID_TRANSACTION_TIMEOUT, false, "the transaction's time-out is above the broker's bound") \
    X(51, CONCURRENT_TRANSACTIONS, true, "another change of the same transaction is in progress") \
    X(52, TRANSACTION_COORDINATOR_FENCED, false, "a newer transaction coordinator has taken over") \
    X(53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, false, "not authorised for the transactional id") \
    X(54, SECURITY_DISABLED, false, "access control is switched off") \
    X(55, OPERATION_NOT_ATTEMPTED, false, "not attempted, because another part of the request failed") \
    X(56, KAFKA_STORAGE_ERROR, true, "the broker could not reach its storage") \
    X(57, LOG_DIR_NOT_FOUND, false, "the broker has no such log directory") \
    X(58, SASL_AUTHENTICATION_FAILED, false, "the authentication failed") \
    X(59, UNKNOWN_PRODUCER_ID, false, "the partition does not know the producer id") \
    X(60, REASSIGNMENT_IN_PROGRESS, false, "the partition is being moved") \
    X(61, DELEGATION_TOKEN_AUTH_DISABLED, false, "delegation tokens are switched off") \
    X(62, DELEGATION_TOKEN_NOT_FOUND, false, "the delegation token does not exist") \
    X(63, DELEGATION_TOKEN_OWNER_MISMATCH, false, "the principal does not own the delegation token") \
    X(64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, false, "the connection must not ask for delegation tokens") \
    X(65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, false, "not authorised for the delegation token") \
    X(66, DELEGATION_TOKEN_EXPIRED, false, "the delegation token has expired") \
    X(67, INVALID_PRINCIPAL_TYPE, false, "the principal's type is not supported") \
    X(68, NON_EMPTY_GROUP, false, "the group has members") \
    X(69, GROUP_ID_NOT_FOUND, false, "the group does not exist") \
    X(70, FETCH_SESSION_ID_NOT_FOUND, true, "the fetch session does not exist") \
    X(71, INVALID_FETCH_SESSION_EPOCH, true, "the fetch session is at another epoch") \
    X(72, LISTENER_NOT_FOUND, true, "the leader has no listener of this name") \
    X(73, TOPIC_DELETION_DISABLED, false, "deleting topics is switched off") \
    X(74, FENCED_LEADER_EPOCH, true, "the leader epoch has passed") \
    X(75, UNKNOWN_LEADER_EPOCH, true, "the leader epoch is newer than the broker's") \
    X(76, UNSUPPORTED_COMPRESSION_TYPE, false, "the client's version does not know the compression") \
    X(77, STALE_BROKER_EPOCH, false, "the broker's epoch has passed") \
    X(78, OFFSET_NOT_AVAILABLE, true, "the leader does not know the offset yet") \
    X(79, MEMBER_ID_REQUIRED, false, "join again with the member id that was given") \
    X(80, PREFERRED_LEADER_NOT_AVAILABLE, true, "the preferred leader is not available") \
    X(81, GROUP_MAX_SIZE_REACHED, false, "the group is full") \
    X(82, FENCED_INSTANCE_ID, false, "another member has taken the instance id") \
    X(83, ELIGIBLE_LEADERS_NOT_AVAILABLE, true, "no replica that could lead is available") \
    X(84, ELECTION_NOT_NEEDED, true, "the partition has its leader already") \
    X(85, NO_REASSIGNMENT_IN_PROGRESS, false, "the partition is not being moved") \
    X(86, GROUP_SUBSCRIBED_TO_TOPIC, false, "the group is subscribed to the topic") \
    X(87, INVALID_RECORD, false, "a record was refused") \
    X(88, UNSTABLE_OFFSET_COMMIT, true, "an open transaction holds offsets that are not final") \
    X(89, THROTTLING_QUOTA_EXCEEDED, true, "the quota is used up") \
    X(90, PRODUCER_FENCED, false, "a newer producer has the same transactional id") \
    X(91, RESOURCE_NOT_FOUND, false, "the resource does not exist") \
    X(92, DUPLICATE_RESOURCE, false, "the request names a resource twice") \
    X(93, UNACCEPTABLE_CREDENTIAL, false, "the credential does not meet the rules") \
    X(94, INCONSISTENT_VOTER_SET, false, "the sets of voters differ") \
    X(95, INVALID_UPDATE_VERSION, false, "the version to update to is not valid") \
    X(96, FEATURE_UPDATE_FAILED, false, "the features could not be updated") \
    X(97, PRINCIPAL_DESERIALIZATION_FAILURE, false, "the forwarded principal could not be read") \
    X(98, SNAPSHOT_NOT_FOUND, false, "the snapshot does not exist") \
    X(99, POSITION_OUT_OF_RANGE, false, "the position is not within the snapshot") \
    X(100, UNKNOWN_TOPIC_ID, true, "this broker does not have the topic id") \
    X(101, DUPLICATE_BROKER_REGISTRATION, false, "the broker id is in use") \
    X(102, BROKER_ID_NOT_REGISTERED, false, "the broker id is not registered") \
    X(103, INCONSISTENT_TOPIC_ID, true, "the topic id does not match the topic's name") \
    X(104, INCONSISTENT_CLUSTER_ID, false, "the request is for another cluster") \
    X(105, TRANSACTIONAL_ID_NOT_FOUND, false, "the transactional id does not exist") \
    X(106, FETCH_SESSION_TOPIC_ID_ERROR, true, "the fetch session mixes topic names and ids") \
    X(107, INELIGIBLE_REPLICA, false, "the replica must not be in sync") \
    X(108, NEW_LEADER_ELECTED, false, "the partition has a new leader") \
    X(109, OFFSET_MOVED_TO_TIERED_STORAGE, false, "the offset is in tiered storage") \
    X(110, FENCED_MEMBER_EPOCH, false, "the member's epoch has passed: join again") \
    X(111, UNRELEASED_INSTANCE_ID, false, "another member still has the instance id") \
    X(112, UNSUPPORTED_ASSIGNOR, false, "the group does not have the assignor") \
    X(113, STALE_MEMBER_EPOCH, false, "the member must read its newest epoch first") \
    X(114, MISMATCHED_ENDPOINT_TYPE, false, "the request went to the wrong kind of endpoint") \
    X(115, UNSUPPORTED_ENDPOINT_TYPE, false, "this kind of endpoint is not supported") \
    X(116, UNKNOWN_CONTROLLER_ID, false, "the controller id is not known") \
    X(117, UNKNOWN_SUBSCRIPTION_ID, false, "the telemetry subscription is out of date") \
    X(118, TELEMETRY_TOO_LARGE, false, "the telemetry is too large") \
    X(119, INVALID_REGISTRATION, false, "the registration of the broker is not valid") \
    X(120, TRANSACTION_ABORTABLE, false, "the transaction must be aborted") \
    X(121, INVALID_RECORD_STATE, false, "the record is not in a state that allows it") \
    X(122, SHARE_SESSION_NOT_FOUND, true, "the share session does not exist") \
    X(123, INVALID_SHARE_SESSION_EPOCH, true, "the share session is at another epoch") \
    X(124, FENCED_STATE_EPOCH, false, "the share partition's epoch has passed") \
    X(125, INVALID_VOTER_KEY, false, "the voter's key does not match") \
    X(126, DUPLICATE_VOTER, false, "the voter is in the set already") \
    X(127, VOTER_NOT_FOUND, false, "the voter is not in the set") \
    X(128, INVALID_REGULAR_EXPRESSION, false, "the regular expression is not valid") \
    X(129, REBOOTSTRAP_REQUIRED, false, "the client must start afresh from its bootstrap servers") \
    X(130, STREAMS_INVALID_TOPOLOGY, false, "the topology is not valid") \
    X(131, STREAMS_INVALID_TOPOLOGY_EPOCH, false, "the topology's epoch is not valid") \
    X(132, STREAMS_TOPOLOGY_FENCED, false, "the topology's epoch has passed") \
    X(133, SHARE_SESSION_LIMIT_REACHED, true, "the broker has no room for another share session")
/* clang-format on */

enum error_code {
#define X(number, name, retriable, message) ERROR_##name = number,
    ERROR_CODES(X)
#undef X
};

/* "OFFSET_OUT_OF_RANGE"; "UNKNOWN_SERVER_ERROR" for a number that is not in the table. */
const char *error_code_name(int16_t code);
/* A sentence without a full stop; empty text never, also for success. */
const char *error_code_message(int16_t code);
bool error_code_is_retriable(int16_t code);
