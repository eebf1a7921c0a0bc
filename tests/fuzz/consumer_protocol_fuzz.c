/* What a member of a classic consumer group says about itself: whatever the bytes are, they are
 * refused or give the topics that a plain reading gives, and a group with such a member subscribes
 * to these, or to all when it could not be read. */
#include "base/check.h"
#include "consumer-groups/classic_group.h"
#include "consumer-groups/consumer_protocol.h"
#include "tests/fuzz/groups_bench.h"

enum { TOPICS_MAX = 1 << 16 };

/* --- the plain reading --- */

static bool take_bytes(struct bytes *rest, int64_t count, struct bytes *out) {
    if (count < 0 || (uint64_t)count > rest->len) return false;
    *out = bytes_make(rest->at, (size_t)count);
    *rest = bytes_make(rest->at + count, rest->len - (size_t)count);
    return true;
}

static bool take_i16(struct bytes *rest, int16_t *out) {
    struct bytes raw;
    if (!take_bytes(rest, 2, &raw)) return false;
    *out = load_i16(raw.at);
    return true;
}

static bool take_i32(struct bytes *rest, int32_t *out) {
    struct bytes raw;
    if (!take_bytes(rest, 4, &raw)) return false;
    *out = load_i32(raw.at);
    return true;
}

/* The version, the topics, and the user's bytes, which may be null; what follows is not looked at.
 * How many topics, or -1. */
static int32_t read_plainly(struct bytes rest, struct bytes *topics) {
    int16_t version, length;
    int32_t count, user_bytes;
    struct bytes user;
    if (!take_i16(&rest, &version) || version < 0 || !take_i32(&rest, &count) || count < 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        if (i == TOPICS_MAX || !take_i16(&rest, &length)) return -1;
        if (!take_bytes(&rest, length, topics + i)) return -1;
    }
    if (!take_i32(&rest, &user_bytes)) return -1;
    return user_bytes == -1 || take_bytes(&rest, user_bytes, &user) ? count : -1;
}

/* --- a group with such a member --- */

static void try_group(struct bytes metadata, const struct bytes *topics, int32_t count) {
    struct bench bench;
    bench_init(&bench);
    struct group *group = groups_add(bench.state, BYTES_OF("g"), &classic_kind);
    struct classic_group *classic = group->state;
    const struct member_protocol protocol = {BYTES_OF("range"), metadata};
    struct classic_member *member =
        classic_add_member(classic, BYTES_OF("m"), BYTES_NULL, CLASSIC_CONSUMER_TYPE);
    classic_set_protocols(member, &protocol, 1);
    group_set_text(&classic->protocol, protocol.name);
    classic_read_topics(classic);
    check(classic->topics_known == (count >= 0));
    for (int32_t i = 0; i < count; i++) check(classic_kind.subscribes(group, topics[i]));
    check(classic_kind.subscribes(group, BYTES_OF("\xff other")) == (count < 0));
    classic_remove_member(classic, member);
    bench_deinit(&bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bytes plain[TOPICS_MAX];
    struct bytes metadata = bytes_make(data, size), *topics;
    struct arena arena;
    int32_t count = -1, expected = read_plainly(metadata, plain);
    arena_init(&arena, 64 << 20);
    if (!consumer_protocol_topics(metadata, &arena, &topics, &count)) count = -1;
    check(count == expected);
    for (int32_t i = 0; i < count; i++) check(bytes_equal(topics[i], plain[i]));
    bool has_other = false;
    for (int32_t i = 0; i < count; i++)
        has_other = has_other || bytes_equal(plain[i], BYTES_OF("\xff other"));
    if (!has_other) try_group(metadata, plain, count);
    arena_deinit(&arena);
    return 0;
}
