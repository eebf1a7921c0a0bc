/* The target assignment of a group: input, assignor, result.
 *
 *   consumer_assign() ─► input from members and catalog ─► assignor ─► targets that changed
 *                              │                             ▲ │
 *                              └──── large: on a worker ─────┘ └─► and the target epoch
 *
 * What is on a worker is its own copy, but for pointers to members, which are only looked at when
 * it is back; a member that goes meanwhile takes its pointer with it. */
#include "base/check.h"
#include "base/say.h"
#include "consumer-groups/consumer_group.h"

/* Members, partitions and entries of subscriptions together: above, a worker assigns. */
enum { SIZE_AT_ONCE = 20 * 1000 };

struct consumer_assignment {
    struct work work;
    struct coordinator_call call;
    struct coordinator *coordinator;
    struct consumer_group *group; /* NULL: gone */
    int32_t epoch;                /* the group's, when it began */
    const struct assignor *assignor;
    struct assignor_input input;
    struct consumer_member **members; /* by number; NULL: gone */
    struct uuid *topic_ids;           /* by number */
    int32_t *owner;                   /* by partition */
    /* What the input points into. */
    int32_t *topic_first, *member_subscription, *subscription_topics;
    struct assignor_subscription *subscriptions;
};

/* --- which assignor --- */

/* The next name of the broker's list, or false. */
static bool next_offered(struct bytes *rest, struct bytes *name) {
    while (rest->len > 0) {
        const uint8_t *comma = memchr(rest->at, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->at) : rest->len;
        *name = bytes_make(rest->at, len);
        size_t taken = comma ? len + 1 : len;
        *rest = bytes_make(rest->at + taken, rest->len - taken);
        while (name->len > 0 && name->at[0] == ' ') *name = bytes_make(name->at + 1, name->len - 1);
        while (name->len > 0 && name->at[name->len - 1] == ' ') name->len--;
        if (assignor_find(*name)) return true;
    }
    return false;
}

static struct bytes offered(const struct groups *groups) {
    return bytes_of_text(groups->catalog->options->consumer_assignors);
}

bool consumer_offers_assignor(const struct groups *groups, struct bytes name) {
    struct bytes rest = offered(groups), one;
    while (next_offered(&rest, &one))
        if (bytes_equal(one, name)) return true;
    return false;
}

static int32_t count_votes(const struct consumer_group *group, struct bytes name) {
    int32_t votes = 0;
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node))
        votes += bytes_equal(map_entry(node, struct consumer_member, by_id)->assignor, name);
    return votes;
}

const struct assignor *consumer_choose_assignor(const struct consumer_group *group) {
    struct bytes rest = offered(group->group->groups), name;
    const struct assignor *best = NULL;
    int32_t most = -1;
    while (next_offered(&rest, &name)) {
        int32_t votes = count_votes(group, name);
        if (votes <= most) continue;
        most = votes;
        best = assignor_find(name);
    }
    return best ? best : &uniform_assignor;
}

/* --- input --- */

static int compare_members(const void *left, const void *right) {
    const struct consumer_member *a = *(struct consumer_member *const *)left;
    const struct consumer_member *b = *(struct consumer_member *const *)right;
    bool a_static = !bytes_is_null(a->instance_id), b_static = !bytes_is_null(b->instance_id);
    if (a_static != b_static) return a_static ? -1 : 1;
    return a_static ? bytes_compare(a->instance_id, b->instance_id) : bytes_compare(a->id, b->id);
}

/* Static members first: their order stays when they come back. */
static void number_members(struct consumer_assignment *assignment) {
    struct consumer_group *group = assignment->group;
    int32_t count = 0;
    assignment->members = memory_zero((size_t)group->member_count + 1, sizeof *assignment->members);
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node))
        assignment->members[count++] = map_entry(node, struct consumer_member, by_id);
    qsort(assignment->members, (size_t)count, sizeof *assignment->members, compare_members);
    for (int32_t i = 0; i < count; i++) assignment->members[i]->number = i;
    assignment->input.member_count = count;
}

static int compare_topics(const void *left, const void *right) {
    const struct consumer_topic *a = *(struct consumer_topic *const *)left;
    const struct consumer_topic *b = *(struct consumer_topic *const *)right;
    return bytes_compare(a->name, b->name);
}

/* Topics that are there, by name. */
static void number_topics(struct consumer_assignment *assignment) {
    struct consumer_group *group = assignment->group;
    const struct catalog *catalog = group->group->groups->catalog;
    size_t room = group->topics.count + 1;
    struct consumer_topic **topics = memory_zero(room, sizeof *topics);
    int32_t count = 0;
    for (struct map_node *node = map_first(&group->topics); node;
         node = map_next(&group->topics, node)) {
        topics[count] = map_entry(node, struct consumer_topic, by_name);
        topics[count]->number = -1;
        count += catalog_find_topic(catalog, topics[count]->name) != NULL;
    }
    qsort(topics, (size_t)count, sizeof *topics, compare_topics);
    assignment->topic_ids = memory_zero(room, sizeof *assignment->topic_ids);
    assignment->topic_first = memory_zero(room + 1, sizeof *assignment->topic_first);
    for (int32_t i = 0; i < count; i++) {
        const struct catalog_topic *topic = catalog_find_topic(catalog, topics[i]->name);
        topics[i]->number = i;
        assignment->topic_ids[i] = topic->id;
        assignment->topic_first[i + 1] = assignment->topic_first[i] + topic->partition_count;
    }
    assignment->input.topic_count = count;
    assignment->input.topic_first = assignment->topic_first;
    free(topics);
}

static size_t subscription_room(const struct consumer_subscription *subscription) {
    return (size_t)subscription->topics.count +
           (subscription->pattern ? (size_t)subscription->pattern->topics.count : 0);
}

static int compare_numbers(const void *left, const void *right) {
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static int32_t add_numbers(const struct consumer_topics *topics, int32_t *numbers, int32_t count) {
    for (int32_t i = 0; i < topics->count; i++)
        if (topics->items[i]->number >= 0) numbers[count++] = topics->items[i]->number;
    return count;
}

/* Numbers of the topics, ascending, each once: names and pattern may have the same topic. */
static int32_t list_numbers(const struct consumer_subscription *subscription, int32_t *numbers) {
    int32_t count = add_numbers(&subscription->topics, numbers, 0), kept = 0;
    if (!subscription->pattern) return count; /* sorted by name, as the numbers are */
    count = add_numbers(&subscription->pattern->topics, numbers, count);
    qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    for (int32_t i = 0; i < count; i++)
        if (i == 0 || numbers[i] != numbers[kept - 1]) numbers[kept++] = numbers[i];
    return kept;
}

static void number_subscriptions(struct consumer_assignment *assignment) {
    struct consumer_group *group = assignment->group;
    size_t count = group->subscriptions.count, room = 0;
    for (struct map_node *node = map_first(&group->subscriptions); node;
         node = map_next(&group->subscriptions, node))
        room += subscription_room(map_entry(node, struct consumer_subscription, by_content));
    assignment->subscriptions = memory_zero(count + 1, sizeof *assignment->subscriptions);
    assignment->subscription_topics = memory_new(room * sizeof(int32_t));
    int32_t *numbers = assignment->subscription_topics, i = 0;
    for (struct map_node *node = map_first(&group->subscriptions); node;
         node = map_next(&group->subscriptions, node), i++) {
        struct consumer_subscription *subscription =
            map_entry(node, struct consumer_subscription, by_content);
        int32_t topics = list_numbers(subscription, numbers);
        subscription->number = i;
        assignment->subscriptions[i] = (struct assignor_subscription){topics, numbers};
        numbers += topics;
    }
    assignment->input.subscription_count = (int32_t)count;
    assignment->input.subscriptions = assignment->subscriptions;
    assignment->member_subscription =
        memory_zero((size_t)assignment->input.member_count + 1, sizeof(int32_t));
    for (int32_t m = 0; m < assignment->input.member_count; m++)
        assignment->member_subscription[m] = assignment->members[m]->subscription->number;
    assignment->input.member_subscription = assignment->member_subscription;
}

static int32_t topic_number(const struct consumer_assignment *assignment,
                            const struct uuid *topic_id) {
    const struct consumer_group *group = assignment->group;
    const struct catalog_topic *topic =
        catalog_find_topic_id(group->group->groups->catalog, topic_id);
    if (!topic) return -1;
    struct bytes name = bytes_of_text(topic->name);
    struct map_node *node = map_find(&group->topics, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        const struct consumer_topic *found = map_entry(node, struct consumer_topic, by_name);
        if (bytes_equal(found->name, name)) return found->number;
    }
    return -1;
}

/* The targets so far. */
static void fill_owners(struct consumer_assignment *assignment) {
    const int32_t *first = assignment->topic_first;
    int32_t partitions = first[assignment->input.topic_count];
    assignment->owner = memory_new((size_t)partitions * sizeof(int32_t));
    for (int32_t p = 0; p < partitions; p++) assignment->owner[p] = ASSIGNOR_NOBODY;
    for (int32_t m = 0; m < assignment->input.member_count; m++) {
        const struct consumer_partitions *target = &assignment->members[m]->target;
        for (int32_t i = 0, end; i < target->count; i = end) {
            end = i + consumer_partitions_run(target, i);
            int32_t topic = topic_number(assignment, &target->items[i].topic_id);
            for (int32_t at = i; topic >= 0 && at < end; at++)
                if (target->items[at].index < first[topic + 1] - first[topic])
                    assignment->owner[first[topic] + target->items[at].index] = m;
        }
    }
}

static struct consumer_assignment *assignment_new(struct consumer_group *group) {
    struct consumer_assignment *assignment = new_zero(struct consumer_assignment);
    assignment->group = group;
    assignment->coordinator = consumer_coordinator(group);
    assignment->epoch = group->epoch;
    assignment->assignor = consumer_choose_assignor(group);
    group->assignment = assignment;
    number_members(assignment);
    number_topics(assignment);
    number_subscriptions(assignment);
    fill_owners(assignment);
    return assignment;
}

static void assignment_free(struct consumer_assignment *assignment) {
    free(assignment->members);
    free(assignment->topic_ids);
    free(assignment->owner);
    free(assignment->topic_first);
    free(assignment->member_subscription);
    free(assignment->subscription_topics);
    free(assignment->subscriptions);
    free(assignment);
}

/* --- result --- */

/* Every member's partitions as a set. */
static struct consumer_partitions *make_targets(const struct consumer_assignment *assignment) {
    const struct assignor_input *input = &assignment->input;
    int32_t partitions = input->topic_first[input->topic_count];
    int32_t *counts = memory_zero((size_t)input->member_count + 1, sizeof *counts);
    struct consumer_partitions *targets =
        memory_zero((size_t)input->member_count + 1, sizeof *targets);
    for (int32_t p = 0; p < partitions; p++)
        if (assignment->owner[p] >= 0) counts[assignment->owner[p]]++;
    for (int32_t m = 0; m < input->member_count; m++)
        targets[m] = consumer_partitions_open((size_t)counts[m]);
    for (int32_t t = 0; t < input->topic_count; t++)
        for (int32_t p = input->topic_first[t]; p < input->topic_first[t + 1]; p++) {
            const struct consumer_partition one = {assignment->topic_ids[t],
                                                   p - input->topic_first[t], 0};
            if (assignment->owner[p] >= 0)
                consumer_partitions_put(&targets[assignment->owner[p]], &one);
        }
    for (int32_t m = 0; m < input->member_count; m++) consumer_partitions_close(&targets[m]);
    free(counts);
    return targets;
}

/* Only what changed is written. */
static int32_t apply_targets(struct consumer_assignment *assignment) {
    struct consumer_partitions *targets = make_targets(assignment);
    int32_t changed = 0;
    for (int32_t m = 0; m < assignment->input.member_count; m++) {
        struct consumer_member *member = assignment->members[m];
        if (member && !consumer_partitions_equal(&member->target, &targets[m])) {
            consumer_set_target(member, &targets[m]);
            consumer_write_target(member);
            changed++;
        }
        if (member) member->number = -1;
        consumer_partitions_deinit(&targets[m]);
    }
    free(targets);
    return changed;
}

static void set_target_epoch(struct consumer_group *group, int32_t epoch) {
    struct coordinator *coordinator = consumer_coordinator(group);
    group->target_epoch = epoch;
    group->assigned_ms = coordinator_wall_ms(coordinator);
    group->assigned_at_ms = coordinator_now_ms(coordinator);
    consumer_write_target_epoch(group);
}

static void apply(struct consumer_assignment *assignment) {
    struct consumer_group *group = assignment->group;
    check(group->assignment == assignment);
    group->assignment = NULL;
    int32_t changed = apply_targets(assignment);
    set_target_epoch(group, assignment->epoch);
    say_debug("group %.*s: epoch %d is assigned by %s, %d of %d members have another target",
              BYTES_FORMAT(group->group->id), assignment->epoch, assignment->assignor->name,
              changed, assignment->input.member_count);
}

/* --- on a worker --- */

static void on_worker(struct work *work) {
    struct consumer_assignment *assignment = container_of(work, struct consumer_assignment, work);
    assignment->assignor->assign(&assignment->input, assignment->owner);
}

/* Meanwhile the group may have moved on: then the next one begins. */
static void on_result(struct coordinator_call *call, void *state) {
    struct consumer_assignment *assignment = container_of(call, struct consumer_assignment, call);
    struct consumer_group *group = assignment->group;
    (void)state;
    if (group) {
        apply(assignment);
        consumer_settle(group);
    }
    coordinator_finish(call, 0);
}

static void on_result_done(struct coordinator_call *call) {
    struct consumer_assignment *assignment = container_of(call, struct consumer_assignment, call);
    struct coordinator *coordinator = assignment->coordinator;
    if (call->code && assignment->group) consumer_forget_assignment(assignment->group);
    assignment_free(assignment);
    coordinator_drop(coordinator);
}

static void on_worker_done(struct work *work) {
    struct consumer_assignment *assignment = container_of(work, struct consumer_assignment, work);
    assignment->call =
        (struct coordinator_call){.run = on_result, .done = on_result_done, .writes = true};
    coordinator_submit(assignment->coordinator, &assignment->call);
}

static void send_to_worker(struct consumer_assignment *assignment) {
    assignment->work = (struct work){.run = on_worker, .done = on_worker_done};
    coordinator_hold(assignment->coordinator);
    ring_work(coordinator_ring(assignment->coordinator), &assignment->work);
}

void consumer_forget_in_assignment(struct consumer_member *member) {
    if (member->group->assignment && member->number >= 0)
        member->group->assignment->members[member->number] = NULL;
}

void consumer_forget_assignment(struct consumer_group *group) {
    if (!group->assignment) return;
    for (int32_t m = 0; m < group->assignment->input.member_count; m++)
        if (group->assignment->members[m]) group->assignment->members[m]->number = -1;
    group->assignment->group = NULL;
    group->assignment = NULL;
}

/* --- when --- */

static int64_t size_of(const struct consumer_group *group) {
    const struct catalog *catalog = group->group->groups->catalog;
    int64_t size = group->member_count;
    for (struct map_node *node = map_first(&group->topics); node;
         node = map_next(&group->topics, node)) {
        struct bytes name = map_entry(node, struct consumer_topic, by_name)->name;
        const struct catalog_topic *topic = catalog_find_topic(catalog, name);
        size += topic ? topic->partition_count : 0;
    }
    for (struct map_node *node = map_first(&group->subscriptions); node;
         node = map_next(&group->subscriptions, node))
        size +=
            (int64_t)subscription_room(map_entry(node, struct consumer_subscription, by_content));
    return size;
}

/* The larger the group, the further apart: members of large groups come in crowds, and an
 * assignment for each would change everybody's target each time. */
static int64_t wait_ms(const struct consumer_group *group, int64_t size) {
    enum { SIZE_PER_MS = 100, SMALL = 1000 };
    int64_t interval = consumer_assignment_interval_ms(group);
    if (size >= SMALL && interval < size / SIZE_PER_MS) interval = size / SIZE_PER_MS;
    if (group->target_epoch == FIRST_EPOCH || !group->assigned_at_ms) return 0;
    int64_t over =
        (int64_t)(coordinator_now_ms(consumer_coordinator(group)) - group->assigned_at_ms);
    return over < interval ? interval - over : 0;
}

void consumer_assign(struct consumer_group *group) {
    if (group->assignment || group->epoch == group->target_epoch) return;
    if (coordinator_timer_is_armed(&group->assign) && group->member_count > 0) return;
    if (group->member_count == 0) {
        coordinator_disarm(consumer_coordinator(group), &group->assign);
        set_target_epoch(group, group->epoch);
        group->assigned_at_ms = 0; /* the next member need not wait */
        return;
    }
    int64_t size = size_of(group), wait = wait_ms(group, size);
    if (wait > 0) {
        coordinator_arm(consumer_coordinator(group), &group->assign, wait);
        return;
    }
    struct consumer_assignment *assignment = assignment_new(group);
    if (size > SIZE_AT_ONCE) {
        send_to_worker(assignment);
        return;
    }
    assignment->assignor->assign(&assignment->input, assignment->owner);
    apply(assignment);
    assignment_free(assignment);
}
