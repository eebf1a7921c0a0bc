#include "consumer-groups/assignor_class.h"

#include "base/check.h"
#include "base/map.h"
#include "base/memory.h"

/* --- grouping ---
 *
 * A topic is described by the list of subscriptions that have it; topics with equal descriptions
 * are one class. The lists lie one behind the other in `subscribers`. */

struct topic_sort {
    const struct assignor_input *input;
    bool by_partition_count;
    int32_t *first;       /* by topic: where its list begins; [topic_count] is the end */
    int32_t *subscribers; /* subscriptions */
    int32_t *weight;      /* by topic: members */
    int32_t *order;       /* topics */
};

static int32_t partition_count_of(const struct assignor_input *input, int32_t topic) {
    return input->topic_first[topic + 1] - input->topic_first[topic];
}

/* Members by subscription. */
static int32_t *count_members(const struct assignor_input *input) {
    int32_t *counts = memory_zero((size_t)input->subscription_count + 1, sizeof *counts);
    for (int32_t m = 0; m < input->member_count; m++)
        if (input->member_subscription[m] >= 0) counts[input->member_subscription[m]]++;
    return counts;
}

static void topic_sort_init(struct topic_sort *sort, const struct assignor_input *input) {
    int32_t topics = input->topic_count, *members = count_members(input);
    sort->input = input;
    sort->first = memory_zero((size_t)topics + 2, sizeof *sort->first);
    sort->weight = memory_zero((size_t)topics + 1, sizeof *sort->weight);
    for (int32_t s = 0; s < input->subscription_count; s++)
        for (int32_t i = 0; members[s] && i < input->subscriptions[s].topic_count; i++) {
            sort->first[input->subscriptions[s].topics[i] + 2]++;
            sort->weight[input->subscriptions[s].topics[i]] += members[s];
        }
    for (int32_t t = 0; t < topics; t++) sort->first[t + 2] += sort->first[t + 1];
    sort->subscribers = memory_new((size_t)sort->first[topics + 1] * sizeof *sort->subscribers);
    /* Filling moves first[t + 1] from the beginning of topic t to its end. */
    for (int32_t s = 0; s < input->subscription_count; s++)
        for (int32_t i = 0; members[s] && i < input->subscriptions[s].topic_count; i++)
            sort->subscribers[sort->first[input->subscriptions[s].topics[i] + 1]++] = s;
    free(members);
}

static void topic_sort_deinit(struct topic_sort *sort) {
    free(sort->first);
    free(sort->subscribers);
    free(sort->weight);
    free(sort->order);
}

/* Order of classes, not of topics: 0 for two topics of one class. */
static int compare_classes(const struct topic_sort *sort, int32_t a, int32_t b) {
    if (sort->weight[a] != sort->weight[b]) return sort->weight[a] < sort->weight[b] ? -1 : 1;
    int32_t a_count = sort->first[a + 1] - sort->first[a];
    int32_t b_count = sort->first[b + 1] - sort->first[b];
    if (a_count != b_count) return a_count < b_count ? -1 : 1;
    int order = memcmp(sort->subscribers + sort->first[a], sort->subscribers + sort->first[b],
                       (size_t)a_count * sizeof *sort->subscribers);
    if (order || !sort->by_partition_count) return order;
    int32_t a_partitions = partition_count_of(sort->input, a);
    int32_t b_partitions = partition_count_of(sort->input, b);
    return (a_partitions > b_partitions) - (a_partitions < b_partitions);
}

static int compare_topics(const void *left, const void *right, void *context) {
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    int order = compare_classes(context, a, b);
    return order ? order : (a > b) - (a < b);
}

/* --- classes --- */

/* All members of the subscriptions in a topic's list, ascending, behind the others in `members`. */
static void add_members(const struct topic_sort *sort, int32_t topic, uint8_t *chosen,
                        struct assignor_class *class, int32_t *members) {
    const struct assignor_input *input = sort->input;
    memset(chosen, 0, (size_t)input->subscription_count);
    for (int32_t i = sort->first[topic]; i < sort->first[topic + 1]; i++)
        chosen[sort->subscribers[i]] = 1;
    class->members = members;
    for (int32_t m = 0; m < input->member_count; m++)
        if (input->member_subscription[m] >= 0 && chosen[input->member_subscription[m]])
            members[class->member_count++] = m;
    check(class->member_count == sort->weight[topic]);
}

static void build_classes(struct assignor_classes *classes, const struct topic_sort *sort,
                          int32_t topic_count) {
    uint8_t *chosen = memory_new((size_t)sort->input->subscription_count + 1);
    size_t member_total = 0;
    for (int32_t i = 0; i < topic_count; i++)
        if (i == 0 || compare_classes(sort, sort->order[i - 1], sort->order[i]) != 0) {
            classes->count++;
            member_total += (size_t)sort->weight[sort->order[i]];
        }
    classes->classes = memory_zero((size_t)classes->count + 1, sizeof *classes->classes);
    classes->members = memory_new(member_total * sizeof *classes->members);
    struct assignor_class *class = classes->classes - 1;
    int32_t *members = classes->members;
    for (int32_t i = 0; i < topic_count; i++) {
        if (i == 0 || compare_classes(sort, sort->order[i - 1], sort->order[i]) != 0) {
            (++class)->topics = sort->order + i;
            add_members(sort, sort->order[i], chosen, class, members);
            members += class->member_count;
        }
        class->topic_count++;
    }
    free(chosen);
}

void assignor_classes_init(struct assignor_classes *classes, const struct assignor_input *input,
                           bool by_partition_count) {
    *classes = (struct assignor_classes){0};
    struct topic_sort sort = {.by_partition_count = by_partition_count};
    topic_sort_init(&sort, input);
    sort.order = memory_new((size_t)input->topic_count * sizeof *sort.order);
    int32_t count = 0;
    for (int32_t t = 0; t < input->topic_count; t++)
        if (sort.weight[t] && partition_count_of(input, t)) sort.order[count++] = t;
    qsort_r(sort.order, (size_t)count, sizeof *sort.order, compare_topics, &sort);
    build_classes(classes, &sort, count);
    classes->topics = sort.order;
    sort.order = NULL;
    topic_sort_deinit(&sort);
}

void assignor_classes_deinit(struct assignor_classes *classes) {
    free(classes->classes);
    free(classes->topics);
    free(classes->members);
}

/* --- level --- */

/* What it takes to lift everybody to `level`. */
static int64_t filling(int32_t member_count, const int32_t *others, int32_t level) {
    int64_t sum = 0;
    for (int32_t i = 0; i < member_count; i++) sum += others[i] < level ? level - others[i] : 0;
    return sum;
}

/* The highest level to which all can be lifted. */
static int32_t find_level(int32_t member_count, const int32_t *others, int32_t partition_count) {
    int32_t low = others[0];
    for (int32_t i = 1; i < member_count; i++)
        if (others[i] < low) low = others[i];
    int64_t high = (int64_t)low + partition_count + 1; /* too high */
    while (high - low > 1) {
        int32_t middle = (int32_t)(low + (high - low) / 2);
        if (filling(member_count, others, middle) <= partition_count)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void assignor_level(int32_t member_count, const int32_t *others, const int32_t *has,
                    int32_t partition_count, int32_t *share) {
    check(member_count > 0);
    int32_t level = find_level(member_count, others, partition_count);
    int64_t rest = partition_count - filling(member_count, others, level);
    for (int32_t i = 0; i < member_count; i++) share[i] = others[i] < level ? level - others[i] : 0;
    /* The rest is less than the members at the level: one more for some of them. */
    for (int32_t i = 0; i < member_count && rest; i++)
        if (others[i] <= level && has[i] > share[i]) {
            share[i]++;
            rest--;
        }
    for (int32_t i = 0; i < member_count && rest; i++)
        if (others[i] <= level && others[i] + share[i] == level) {
            share[i]++;
            rest--;
        }
    check(rest == 0);
}
