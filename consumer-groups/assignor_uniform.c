/* The uniform assignor: each class of topics is levelled with what its members have besides, class
 * by class, until nothing moves. One class is level at once; with several, each round makes the sum
 * of the squares smaller. */
#include "base/memory.h"
#include "consumer-groups/assignor_class.h"

struct uniform {
    const struct assignor_input *input;
    int32_t *owner;
    int32_t *load;  /* by member: partitions */
    int32_t *place; /* by member: its place in the class at hand, or -1 */
    /* By place: */
    int32_t *has, *others, *share;
    int32_t *waiting; /* places that get some, in turn */
    int32_t waiting_count, turn;
};

#define each_partition(topic, partition)                         \
    for (int32_t partition = uniform->input->topic_first[topic]; \
         partition < uniform->input->topic_first[(topic) + 1]; partition++)

static void enter_class(struct uniform *uniform, const struct assignor_class *class) {
    for (int32_t i = 0; i < class->member_count; i++) uniform->place[class->members[i]] = i;
}

static void leave_class(struct uniform *uniform, const struct assignor_class *class) {
    for (int32_t i = 0; i < class->member_count; i++) uniform->place[class->members[i]] = -1;
}

/* Who owns a partition without subscribing to it, or is no member, owns it no more. */
static void keep_valid(struct uniform *uniform, const struct assignor_classes *classes) {
    const struct assignor_input *input = uniform->input;
    size_t partition_count = (size_t)input->topic_first[input->topic_count];
    int32_t *old = memory_new(partition_count * sizeof *old);
    for (size_t p = 0; p < partition_count; p++) {
        old[p] = uniform->owner[p];
        uniform->owner[p] = ASSIGNOR_NOBODY;
    }
    for (int32_t c = 0; c < classes->count; c++) {
        const struct assignor_class *class = &classes->classes[c];
        enter_class(uniform, class);
        for (int32_t t = 0; t < class->topic_count; t++) each_partition(class->topics[t], p) {
                if (old[p] < 0 || old[p] >= input->member_count || uniform->place[old[p]] < 0)
                    continue;
                uniform->owner[p] = old[p];
                uniform->load[old[p]]++;
            }
        leave_class(uniform, class);
    }
    free(old);
}

/* Fills has, others and share. */
static void share_out(struct uniform *uniform, const struct assignor_class *class) {
    int32_t partition_count = 0;
    for (int32_t i = 0; i < class->member_count; i++) uniform->has[i] = 0;
    for (int32_t t = 0; t < class->topic_count; t++) each_partition(class->topics[t], p) {
            partition_count++;
            if (uniform->owner[p] >= 0) uniform->has[uniform->place[uniform->owner[p]]]++;
        }
    for (int32_t i = 0; i < class->member_count; i++)
        uniform->others[i] = uniform->load[class->members[i]] - uniform->has[i];
    assignor_level(class->member_count, uniform->others, uniform->has, partition_count,
                   uniform->share);
}

/* Members give up the last of what they have too much. */
static void release(struct uniform *uniform, const struct assignor_class *class) {
    for (int32_t t = class->topic_count - 1; t >= 0; t--) {
        int32_t first = uniform->input->topic_first[class->topics[t]];
        for (int32_t p = uniform->input->topic_first[class->topics[t] + 1] - 1; p >= first; p--) {
            int32_t member = uniform->owner[p];
            if (member < 0 ||
                uniform->has[uniform->place[member]] <= uniform->share[uniform->place[member]])
                continue;
            uniform->owner[p] = ASSIGNOR_NOBODY;
            uniform->has[uniform->place[member]]--;
        }
    }
}

/* The next place in turn that still gets some; there is one. */
static int32_t next_place(struct uniform *uniform) {
    if (uniform->turn == uniform->waiting_count) {
        int32_t kept = 0;
        for (int32_t i = 0; i < uniform->waiting_count; i++)
            if (uniform->has[uniform->waiting[i]] < uniform->share[uniform->waiting[i]])
                uniform->waiting[kept++] = uniform->waiting[i];
        uniform->waiting_count = kept;
        uniform->turn = 0;
    }
    return uniform->waiting[uniform->turn++];
}

/* Whether anything was dealt. */
static bool deal(struct uniform *uniform, const struct assignor_class *class) {
    bool dealt = false;
    uniform->waiting_count = uniform->turn = class->member_count;
    for (int32_t i = 0; i < class->member_count; i++) uniform->waiting[i] = i;
    for (int32_t t = 0; t < class->topic_count; t++) each_partition(class->topics[t], p) {
            if (uniform->owner[p] >= 0) continue;
            int32_t place = next_place(uniform);
            uniform->owner[p] = class->members[place];
            uniform->has[place]++;
            dealt = true;
        }
    for (int32_t i = 0; i < class->member_count; i++)
        uniform->load[class->members[i]] = uniform->others[i] + uniform->has[i];
    return dealt;
}

static bool level_class(struct uniform *uniform, const struct assignor_class *class) {
    enter_class(uniform, class);
    share_out(uniform, class);
    release(uniform, class);
    bool dealt = deal(uniform, class);
    leave_class(uniform, class);
    return dealt;
}

static void assign(const struct assignor_input *input, int32_t *owner) {
    size_t members = (size_t)input->member_count;
    int32_t *numbers = memory_zero(members * 6 + 1, sizeof *numbers);
    struct uniform uniform = {
        .input = input,
        .owner = owner,
        .load = numbers,
        .place = numbers + members,
        .has = numbers + 2 * members,
        .others = numbers + 3 * members,
        .share = numbers + 4 * members,
        .waiting = numbers + 5 * members,
    };
    for (size_t m = 0; m < members; m++) uniform.place[m] = -1;
    struct assignor_classes classes;
    assignor_classes_init(&classes, input, false);
    keep_valid(&uniform, &classes);
    for (int round = 0; round < ASSIGNOR_ROUNDS_MAX; round++) {
        bool dealt = false;
        for (int32_t c = 0; c < classes.count; c++)
            dealt = level_class(&uniform, &classes.classes[c]) || dealt;
        if (!dealt || classes.count == 1) break;
    }
    assignor_classes_deinit(&classes);
    free(numbers);
}

const struct assignor uniform_assignor = {.name = "uniform", .assign = assign};
