#include "cli/group_offsets.h"

#include <criterion/criterion.h>

Test(group_offsets, the_same_partition_is_joined) {
    struct session session = {0};
    struct group_offsets offsets = {0};
    struct group_member member = {0};
    arena_init(&session.arena, 1 << 20);
    for (int32_t at = 40; at-- > 0;)
        group_offsets_add(&session, &offsets, BYTES_OF("b"), at)->committed = at;
    group_offsets_add(&session, &offsets, BYTES_OF("b"), 7)->member = &member;
    group_offsets_add(&session, &offsets, BYTES_OF("a"), 9)->chosen = true;
    group_offsets_add(&session, &offsets, BYTES_OF("a"), 9)->committed = 3;
    group_offsets_join(&offsets);
    cr_assert_eq(offsets.count, 41);
    cr_assert(offsets.items[0].chosen && offsets.items[0].committed == 3);
    for (int32_t at = 0; at < 40; at++) {
        cr_assert_eq(offsets.items[at + 1].partition, at);
        cr_assert_eq(offsets.items[at + 1].committed, at);
        cr_assert_eq(offsets.items[at + 1].member, at == 7 ? &member : NULL);
    }
    arena_deinit(&session.arena);
}

Test(group_offsets, lag) {
    cr_assert_eq(group_offset_lag(&(struct group_offset){.committed = 3, .end = 10}), 7);
    cr_assert_eq(group_offset_lag(&(struct group_offset){.committed = 10, .end = 10}), 0);
    cr_assert_eq(group_offset_lag(&(struct group_offset){.committed = 11, .end = 10}), 0);
    cr_assert_eq(group_offset_lag(&(struct group_offset){.committed = -1, .end = 10}), -1);
    cr_assert_eq(group_offset_lag(&(struct group_offset){.committed = 3, .end = -1}), -1);
}
