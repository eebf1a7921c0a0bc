/* Which epoch a member may commit with (KIP-1251): its newest, or an older one since which it has
 * had every partition that it commits. */
#include "consumer-groups/consumer_world.h"
#include "consumer-groups/offsets.h"
#include "protocol/consumer_group_records.h"
#include "protocol/offset_commit.h"

enum { PARTITIONS = 4 };

static struct world world;
static void teardown(void) { world_deinit(&world); }

static int32_t beat(const char *member, int32_t epoch, const char *owns, uint32_t *assigned) {
    struct beat one;
    beat_init(&one, &world, "g", member, epoch);
    if (epoch == 0) beat_join(&one, "t");
    if (epoch != 0 && owns) beat_owns(&one, owns);
    enum error_code code = beat_run(&one);
    cr_assert(code == ERROR_NONE, "%s", error_code_name((int16_t)code));
    int32_t reached = one.response.member_epoch;
    for (const char *at = strchr(beat_assignment(&one), ':'); at && assigned && *at; at += 2)
        *assigned |= 1u << (at[1] - '0');
    beat_deinit(&one);
    return reached;
}

/* Offset 7 for the partitions in the set; the code of the first, which is that of all. */
static enum error_code commit(int32_t epoch, uint32_t set) {
    struct offset_commit_request_offset_commit_request_partition partitions[PARTITIONS];
    struct offset_commit_request_offset_commit_request_topic topic = {.name = BYTES_OF("t"),
                                                                      .partitions = partitions};
    for (int32_t i = 0; i < PARTITIONS; i++)
        if (set >> i & 1)
            partitions[topic.partitions_count++] =
                (struct offset_commit_request_offset_commit_request_partition){
                    .partition_index = i, .committed_offset = 7, .committed_leader_epoch = -1};
    struct offset_commit_request request = {.group_id = BYTES_OF("g"),
                                            .generation_id_or_member_epoch = epoch,
                                            .member_id = BYTES_OF("a"),
                                            .retention_time_ms = -1,
                                            .topics_count = 1,
                                            .topics = &topic};
    struct offset_commit_response response = {0};
    struct beat one;
    beat_init(&one, &world, "g", "", 0);
    one.call.api = &offset_commit_api;
    one.call.version = 9;
    one.call.request = &request;
    one.call.response = &response;
    beat_run(&one);
    enum error_code code = (enum error_code)response.topics[0].partitions[0].error_code;
    for (int32_t i = 0; i < topic.partitions_count; i++)
        cr_assert(response.topics[0].partitions[i].error_code == (int16_t)code, "all or nothing");
    beat_deinit(&one);
    return code;
}

static uint32_t committed(void) {
    const struct group *group = groups_find(coordinator_state(world.coordinator), BYTES_OF("g"));
    uint32_t set = 0;
    for (int32_t i = 0; i < PARTITIONS; i++)
        set |= (uint32_t)(offsets_find(group, BYTES_OF("t"), i) != NULL) << i;
    return set;
}

/* "a" had all four from epoch 2 on, and keeps two of them at epoch 3, which it has not heard of if
 * its answer was lost. Returns what it keeps. */
static uint32_t give_up_two(void) {
    uint32_t kept = 0;
    world_init(&world, 5);
    world_topic(&world, "t", PARTITIONS);
    cr_assert(beat("a", 0, NULL, NULL) == 2);
    beat("b", 0, NULL, NULL);
    cr_assert(beat("a", 2, NULL, &kept) == 2);
    cr_assert(__builtin_popcount(kept) == 2);
    return kept;
}

static void reach_the_next(uint32_t kept) {
    char owns[16] = "t";
    size_t len = 1;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        if (!(kept >> i & 1)) continue;
        owns[len] = len == 1 ? ':' : ',';
        owns[len + 1] = (char)('0' + i);
        len += 2;
    }
    owns[len] = 0;
    cr_assert(beat("a", 2, owns, NULL) == 3);
}

Test(consumer_commit, what_is_being_given_up_is_still_committed, .fini = teardown) {
    uint32_t all = (1u << PARTITIONS) - 1;
    give_up_two();
    cr_assert(commit(2, all) == ERROR_NONE);
    cr_assert(committed() == all);
}

Test(consumer_commit, an_older_epoch_commits_what_the_member_has_kept, .fini = teardown) {
    uint32_t kept = give_up_two();
    reach_the_next(kept);
    cr_assert(commit(2, kept) == ERROR_NONE);
    cr_assert(committed() == kept);
    cr_assert(commit(3, kept) == ERROR_NONE);
}

Test(consumer_commit, an_older_epoch_commits_nothing_that_was_given_up, .fini = teardown) {
    uint32_t all = (1u << PARTITIONS) - 1, kept = give_up_two();
    reach_the_next(kept);
    cr_assert(commit(2, all) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(commit(2, all & ~kept) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(committed() == 0, "nothing of a refused commit is stored");
}

Test(consumer_commit, an_epoch_from_before_the_assignment_is_stale, .fini = teardown) {
    uint32_t kept = give_up_two();
    reach_the_next(kept);
    cr_assert(commit(1, kept) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(commit(4, kept) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(committed() == 0);
}

Test(consumer_commit, a_restart_keeps_since_when, .fini = teardown) {
    uint32_t kept = give_up_two();
    reach_the_next(kept);
    world_restart(&world, true);
    cr_assert(commit(2, kept) == ERROR_NONE);
    cr_assert(commit(1, kept) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(commit(2, ~kept & 15) == ERROR_STALE_MEMBER_EPOCH);
}

/* What comes back later is new: another member may have had it. */
Test(consumer_commit, what_comes_back_counts_from_then, .fini = teardown) {
    uint32_t kept = give_up_two(), again = 0;
    reach_the_next(kept);
    beat("b", -1, NULL, NULL);
    cr_assert(beat("a", 3, NULL, &again) == 4);
    cr_assert(again == 15);
    cr_assert(commit(2, kept) == ERROR_NONE);
    cr_assert(commit(3, ~kept & 15) == ERROR_STALE_MEMBER_EPOCH);
    cr_assert(commit(4, 15) == ERROR_NONE);
}

/* --- records of brokers that do not say since when --- */

static void write_as_before(struct groups *groups, void *context) {
    struct consumer_group *group = consumer_of(groups_find(groups, BYTES_OF("g")));
    const struct consumer_current *current = &consumer_find_member(group, BYTES_OF("a"))->current;
    const struct consumer_group_current_member_assignment_key key = {BYTES_OF("g"), BYTES_OF("a")};
    int32_t indexes[PARTITIONS], count = 0;
    for (; count < current->assigned.count; count++)
        indexes[count] = current->assigned.items[count].index;
    struct consumer_group_current_member_assignment_value_topic_partitions topic = {
        .topic_id = current->assigned.items[0].topic_id,
        .partitions_count = count,
        .partitions = indexes,
        .assignment_epochs_count = -1};
    const struct consumer_group_current_member_assignment_value value = {
        .member_epoch = current->epoch,
        .previous_member_epoch = current->previous_epoch,
        .assigned_partitions_count = 1,
        .assigned_partitions = &topic};
    (void)context;
    coordinator_write(groups->coordinator, &consumer_group_current_member_assignment_key_message,
                      &key, &consumer_group_current_member_assignment_value_message, 0, &value);
}

Test(consumer_commit, what_an_older_record_has_counts_from_its_epoch, .fini = teardown) {
    uint32_t kept = give_up_two();
    reach_the_next(kept);
    world_do(&world, write_as_before, NULL);
    world_restart(&world, true);
    cr_assert(commit(2, kept) == ERROR_STALE_MEMBER_EPOCH, "nobody knows whether it had it then");
    cr_assert(commit(3, kept) == ERROR_NONE);
}
