/* Records of __consumer_offsets, replayed: each is a 16-bit length and a key, a 16-bit length (all
 * ones: a tombstone) and a value, as they are stored. Damage is refused; whatever was taken writes
 * an image, and what that makes writes an image of as many records. */
#include "base/check.h"
#include "tests/fuzz/groups_bench.h"

enum { TOMBSTONE = 0xffff };

static bool take(struct bytes *rest, bool nullable, struct bytes *out) {
    if (rest->len < 2) return false;
    uint16_t length = load_u16(rest->at);
    *rest = bytes_make(rest->at + 2, rest->len - 2);
    *out = BYTES_NULL;
    if (nullable && length == TOMBSTONE) return true;
    if (length > rest->len) return false;
    *out = bytes_make(rest->at, length);
    *rest = bytes_make(rest->at + length, rest->len - length);
    return true;
}

static bool replay(struct bench *bench, struct bytes key, struct bytes value) {
    struct coordinator_record record;
    struct error error;
    if (!coordinator_record_parse(key, value, &record)) return false;
    record.timestamp_ms = 1000;
    return groups_kind.replay(bench->state, &record, &error);
}

/* All records of its state, in `out`; how many. */
static int32_t image(struct bench *bench, struct byte_buffer *out) {
    struct error error;
    bench->coordinator.running = true;
    groups_kind.loaded(bench->state);
    batch_build_restart(&bench->coordinator.build);
    groups_kind.image_begin(bench->state);
    while (groups_kind.image_step(bench->state)) continue;
    bench->coordinator.running = false;
    int32_t count = bench->coordinator.build.header.record_count;
    if (count) check(batch_build_finish(&bench->coordinator.build, CODEC_NONE, out, &error));
    return count;
}

static void replay_image(struct bench *bench, struct bytes batch) {
    struct record record;
    struct bytes rest = batch_records(batch);
    while (record_next(&rest, &record) == RECORD_READ)
        check(replay(bench, record.key, record.value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes rest = bytes_make(data, size), key, value;
    struct byte_buffer first = {0}, second = {0};
    struct bench bench, again;
    bool taken = true;
    bench_init(&bench);
    bench_init(&again);
    bench.coordinator.status = again.coordinator.status = COORDINATOR_LOADING;
    while (taken && take(&rest, false, &key) && take(&rest, true, &value))
        taken = replay(&bench, key, value);
    if (taken) {
        int32_t count = image(&bench, &first);
        if (count) replay_image(&again, byte_buffer_bytes(&first));
        check(image(&again, &second) == count);
    }
    bench_deinit(&bench);
    bench_deinit(&again);
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    return 0;
}
