/* The few Kafka frames that the measuring programs speak, written by hand in the newest versions
 * that are not flexible, so that encoding one costs next to nothing: Produce 7, Fetch 11,
 * ListOffsets 2, CreateTopics 4, DeleteTopics 3. Independent of protocol/ on purpose: what measures
 * the broker shares no codec with it. */
#pragma once

#include "base/bytes.h"

enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_METADATA = 3,
    API_FIND_COORDINATOR = 10,
    API_API_VERSIONS = 18,
    API_CREATE_TOPICS = 19,
    API_DELETE_TOPICS = 20,
    API_INIT_PRODUCER_ID = 22,
};

enum { BATCH_HEADER = 61, FRAME_HEAD_MAX = 512, PARTITION_HEAD = 8, CREATE_REQUEST_MAX = 4096 };

/* A cursor that writes; the caller has made room. */
struct out {
    uint8_t *at;
};
void out_i8(struct out *out, int8_t value);
void out_i16(struct out *out, int16_t value);
void out_i32(struct out *out, int32_t value);
void out_i64(struct out *out, int64_t value);
/* int16 length and bytes. */
void out_text(struct out *out, struct bytes text);

/* A cursor that reads; past the end it yields zeros and `bad` stays set. */
struct in {
    const uint8_t *at, *end;
    bool bad;
};
const uint8_t *in_take(struct in *in, size_t len);
int8_t in_i8(struct in *in);
int16_t in_i16(struct in *in);
int32_t in_i32(struct in *in);
int64_t in_i64(struct in *in);
/* A nullable text or, with in_blob, bytes with an int32 length. */
struct bytes in_text(struct in *in);
struct bytes in_blob(struct in *in);

/* One uncompressed batch (magic 2, offset 0, no producer) of records with null keys and printable
 * values of `record` bytes: as many as fit into `size`, at least one. Free with free(). */
struct bytes batch_make(size_t record, size_t size, uint64_t seed);
int32_t batch_record_count(struct bytes batch);
/* Batches from a file where they stand one behind the other: at most `most`, each to be freed as
 * above; returns how many, 0 when it cannot be read. */
int batches_read(const char *path, struct bytes *batches, int most);

/* Where the correlation id stands in every request frame, and in every answer. */
enum { REQUEST_CORRELATION = 8, ANSWER_CORRELATION = 4 };

/* The start of a Produce request up to and including the count of partitions: `body` bytes follow,
 * for each partition PARTITION_HEAD (index, length) and the batch. Returns its length. */
size_t produce_head(uint8_t *at, struct bytes topic, int16_t acks, int32_t partitions, size_t body);
/* A whole Fetch request for one partition. */
size_t fetch_request(uint8_t *at, struct bytes topic, int32_t partition, int64_t offset,
                     int32_t max_bytes, int32_t max_wait_ms);
/* What a client says first; brokers take only small frames before. Version 0. */
size_t api_versions_request(uint8_t *at);
/* `configs` are texts NAME=VALUE of at most 255 bytes; the request fits CREATE_REQUEST_MAX. */
size_t create_topic_request(uint8_t *at, struct bytes topic, int32_t partitions,
                            const char *const *configs, int config_count);
/* The end offsets of `count` partitions from `first` on; the request and its answer each fit
 * LIST_OFFSETS_MAX(count). Version 2; in the answer a partition is index, error, int64, int64. */
#define LIST_OFFSETS_MAX(count) (FRAME_HEAD_MAX + (size_t)(count)*22)
size_t list_offsets_request(uint8_t *at, struct bytes topic, int32_t first, int32_t count);
size_t delete_topic_request(uint8_t *at, struct bytes topic);

/* Walks whole frames: length of the frame at `at` with its length field, or 0 while it is not
 * whole. */
size_t frame_length(const uint8_t *at, size_t len);
