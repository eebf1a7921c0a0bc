#include "perf/frames.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "base/random.h"

void out_i8(struct out *out, int8_t value) { *out->at++ = (uint8_t)value; }
void out_i16(struct out *out, int16_t value) {
    store_i16(out->at, value);
    out->at += 2;
}
void out_i32(struct out *out, int32_t value) {
    store_i32(out->at, value);
    out->at += 4;
}
void out_i64(struct out *out, int64_t value) {
    store_i64(out->at, value);
    out->at += 8;
}
void out_text(struct out *out, struct bytes text) {
    out_i16(out, (int16_t)text.len);
    if (text.len) memcpy(out->at, text.at, text.len);
    out->at += text.len;
}

const uint8_t *in_take(struct in *in, size_t len) {
    static const uint8_t zeros[8];
    if (in->bad || len > (size_t)(in->end - in->at)) {
        in->bad = true;
        return len <= sizeof zeros ? zeros : NULL;
    }
    in->at += len;
    return in->at - len;
}
int8_t in_i8(struct in *in) { return (int8_t)*in_take(in, 1); }
int16_t in_i16(struct in *in) { return load_i16(in_take(in, 2)); }
int32_t in_i32(struct in *in) { return load_i32(in_take(in, 4)); }
int64_t in_i64(struct in *in) { return load_i64(in_take(in, 8)); }
struct bytes in_text(struct in *in) {
    int16_t len = in_i16(in);
    return len < 0 ? BYTES_NULL : bytes_make(in_take(in, (size_t)len), in->bad ? 0 : (size_t)len);
}
struct bytes in_blob(struct in *in) {
    int32_t len = in_i32(in);
    return len < 0 ? BYTES_NULL : bytes_make(in_take(in, (size_t)len), in->bad ? 0 : (size_t)len);
}

static size_t varint(uint8_t *at, int64_t value) {
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    size_t len = 0;
    for (; zigzag >= 0x80; zigzag >>= 7) at[len++] = (uint8_t)(zigzag | 0x80);
    at[len++] = (uint8_t)zigzag;
    return len;
}

/* attributes, timestamp delta, offset delta, null key, value, no headers */
static size_t record_make(uint8_t *at, int32_t delta, size_t value, struct random *random) {
    uint8_t head[32];
    size_t len = 0;
    head[len++] = 0;
    head[len++] = 0;
    len += varint(head + len, delta);
    len += varint(head + len, -1);
    len += varint(head + len, (int64_t)value);
    size_t whole = varint(at, (int64_t)(len + value + 1));
    memcpy(at + whole, head, len);
    whole += len;
    for (size_t byte = 0; byte < value; byte++)
        at[whole + byte] = (uint8_t)('0' + (random_next(random) & 63));
    whole += value;
    at[whole++] = 0;
    return whole;
}

static void batch_finish(uint8_t *at, size_t size, int32_t count) {
    int64_t now = clock_wall_ms();
    memset(at, 0, BATCH_HEADER);
    store_i32(at + 8, (int32_t)size - 12);
    at[16] = 2; /* magic */
    store_i32(at + 23, count - 1);
    store_i64(at + 27, now);
    store_i64(at + 35, now);
    store_i64(at + 43, -1); /* no producer id, epoch, sequence */
    store_i16(at + 51, -1);
    store_i32(at + 53, -1);
    store_i32(at + 57, count);
    store_u32(at + 17, crc32c(at + 21, size - 21));
}

struct bytes batch_make(size_t record, size_t size, uint64_t seed) {
    enum { RECORD_OVERHEAD = 24 };
    uint8_t *at = memory_new(size + record + BATCH_HEADER + RECORD_OVERHEAD);
    struct random random;
    random_init(&random, seed);
    size_t len = BATCH_HEADER;
    int32_t count = 0;
    do {
        len += record_make(at + len, count++, record, &random);
    } while (len + record + RECORD_OVERHEAD <= size);
    batch_finish(at, len, count);
    return bytes_make(at, len);
}

int batches_read(const char *path, struct bytes *batches, int most) {
    enum { LENGTH_AT = 8, LENGTH_END = 12, BATCH_MAX = 64 << 20 };
    uint8_t head[LENGTH_END];
    int count = 0;
    FILE *file = fopen(path, "re");
    while (file && count < most && fread(head, 1, sizeof head, file) == sizeof head) {
        size_t rest = (size_t)load_i32(head + LENGTH_AT);
        uint8_t *at = rest < BATCH_MAX ? memory_new(sizeof head + rest) : NULL;
        if (!at) break;
        memcpy(at, head, sizeof head);
        batches[count++] = bytes_make(at, sizeof head + rest);
        if (fread(at + sizeof head, 1, rest, file) != rest) count = 0; /* cut short */
        if (count == 0) break;
    }
    if (file) fclose(file);
    return count;
}

int32_t batch_record_count(struct bytes batch) { return load_i32(batch.at + 57); }

static struct out request_begin(uint8_t *at, int16_t api, int16_t version) {
    struct out out = {at + 4};
    out_i16(&out, api);
    out_i16(&out, version);
    out_i32(&out, 0); /* the correlation id, patched when it is sent */
    out_text(&out, BYTES_OF("millrace-perf"));
    return out;
}

static size_t request_end(uint8_t *at, struct out out, size_t more) {
    size_t len = (size_t)(out.at - at);
    store_i32(at, (int32_t)(len + more - 4));
    return len;
}

size_t produce_head(uint8_t *at, struct bytes topic, int16_t acks, int32_t partitions,
                    size_t body) {
    struct out out = request_begin(at, API_PRODUCE, 7);
    out_i16(&out, -1); /* no transactional id */
    out_i16(&out, acks);
    out_i32(&out, 30000);
    out_i32(&out, 1);
    out_text(&out, topic);
    out_i32(&out, partitions);
    return request_end(at, out, body);
}

size_t fetch_request(uint8_t *at, struct bytes topic, int32_t partition, int64_t offset,
                     int32_t max_bytes, int32_t max_wait_ms) {
    struct out out = request_begin(at, API_FETCH, 11);
    out_i32(&out, -1); /* a consumer, not a replica */
    out_i32(&out, max_wait_ms);
    out_i32(&out, 1);
    out_i32(&out, max_bytes);
    out_i8(&out, 0);
    out_i32(&out, 0);  /* no session */
    out_i32(&out, -1); /* ... and none wanted */
    out_i32(&out, 1);
    out_text(&out, topic);
    out_i32(&out, 1);
    out_i32(&out, partition);
    out_i32(&out, -1);
    out_i64(&out, offset);
    out_i64(&out, -1);
    out_i32(&out, max_bytes);
    out_i32(&out, 0);
    out_text(&out, BYTES_NULL);
    return request_end(at, out, 0);
}

size_t api_versions_request(uint8_t *at) {
    return request_end(at, request_begin(at, API_API_VERSIONS, 0), 0);
}

static void out_config(struct out *out, const char *config) {
    const char *value = strchr(config, '=');
    check(value && strlen(config) <= 255);
    out_text(out, bytes_make(config, (size_t)(value - config)));
    out_text(out, bytes_of_text(value + 1));
}

size_t create_topic_request(uint8_t *at, struct bytes topic, int32_t partitions,
                            const char *const *configs, int config_count) {
    struct out out = request_begin(at, API_CREATE_TOPICS, 4);
    out_i32(&out, 1);
    out_text(&out, topic);
    out_i32(&out, partitions);
    out_i16(&out, 1);
    out_i32(&out, 0);
    out_i32(&out, config_count);
    for (int index = 0; index < config_count; index++) out_config(&out, configs[index]);
    out_i32(&out, 30000);
    out_i8(&out, 0);
    return request_end(at, out, 0);
}

size_t list_offsets_request(uint8_t *at, struct bytes topic, int32_t first, int32_t count) {
    struct out out = request_begin(at, API_LIST_OFFSETS, 2);
    out_i32(&out, -1);
    out_i8(&out, 0);
    out_i32(&out, 1);
    out_text(&out, topic);
    out_i32(&out, count);
    for (int32_t index = first; index < first + count; index++) {
        out_i32(&out, index);
        out_i64(&out, -1);
    }
    return request_end(at, out, 0);
}

size_t delete_topic_request(uint8_t *at, struct bytes topic) {
    struct out out = request_begin(at, API_DELETE_TOPICS, 3);
    out_i32(&out, 1);
    out_text(&out, topic);
    out_i32(&out, 30000);
    return request_end(at, out, 0);
}

size_t frame_length(const uint8_t *at, size_t len) {
    if (len < 4) return 0;
    size_t whole = (size_t)load_u32(at) + 4;
    return whole <= len ? whole : 0;
}
