/* The range assignor: topics with the same subscribers and the same partition count are assigned
 * together, as one row of positions. */
#include "base/memory.h"
#include "consumer-groups/assignor_class.h"

struct range {
    const struct assignor_input *input;
    const struct assignor_class *class;
    int32_t *owner;
    int32_t position_count;
    int32_t *row;                /* by position: its place in the class, or -1 */
    int32_t *place;              /* by member, or -1 */
    int32_t *has, *share, *none; /* by place; none: zeros */
};

/* Who has a position: its owner in the first topic where it has one. */
static int32_t place_of(const struct range *range, int32_t position) {
    for (int32_t t = 0; t < range->class->topic_count; t++) {
        int32_t first = range->input->topic_first[range->class->topics[t]];
        int32_t member = range->owner[first + position];
        if (member >= 0 && member < range->input->member_count && range->place[member] >= 0)
            return range->place[member];
    }
    return -1;
}

static void read_row(struct range *range) {
    for (int32_t i = 0; i < range->class->member_count; i++) range->has[i] = range->none[i] = 0;
    for (int32_t i = 0; i < range->position_count; i++) {
        range->row[i] = place_of(range, i);
        if (range->row[i] >= 0) range->has[range->row[i]]++;
    }
}

static void release(struct range *range) {
    for (int32_t i = range->position_count - 1; i >= 0; i--) {
        int32_t place = range->row[i];
        if (place < 0 || range->has[place] <= range->share[place]) continue;
        range->has[place]--;
        range->row[i] = -1;
    }
}

static void fill(struct range *range) {
    int32_t place = 0;
    for (int32_t i = 0; i < range->position_count; i++) {
        if (range->row[i] >= 0) continue;
        while (range->has[place] == range->share[place]) place++;
        range->has[place]++;
        range->row[i] = place;
    }
}

static void write_row(struct range *range) {
    for (int32_t t = 0; t < range->class->topic_count; t++) {
        int32_t first = range->input->topic_first[range->class->topics[t]];
        for (int32_t i = 0; i < range->position_count; i++)
            range->owner[first + i] = range->class->members[range->row[i]];
    }
}

static void assign_class(struct range *range, const struct assignor_class *class) {
    const int32_t *first = range->input->topic_first + class->topics[0];
    range->class = class;
    range->position_count = first[1] - first[0];
    range->row = memory_new((size_t)range->position_count * sizeof *range->row);
    for (int32_t i = 0; i < class->member_count; i++) range->place[class->members[i]] = i;
    read_row(range);
    assignor_level(class->member_count, range->none, range->has, range->position_count,
                   range->share);
    release(range);
    fill(range);
    write_row(range);
    for (int32_t i = 0; i < class->member_count; i++) range->place[class->members[i]] = -1;
    free(range->row);
}

/* Partitions of topics that nobody subscribes to have no owner. */
static void clear_others(const struct assignor_input *input, const struct assignor_classes *classes,
                         int32_t *owner) {
    uint8_t *wanted = memory_zero((size_t)input->topic_count + 1, 1);
    for (int32_t c = 0; c < classes->count; c++)
        for (int32_t t = 0; t < classes->classes[c].topic_count; t++)
            wanted[classes->classes[c].topics[t]] = 1;
    for (int32_t t = 0; t < input->topic_count; t++)
        for (int32_t p = input->topic_first[t]; !wanted[t] && p < input->topic_first[t + 1]; p++)
            owner[p] = ASSIGNOR_NOBODY;
    free(wanted);
}

static void assign(const struct assignor_input *input, int32_t *owner) {
    size_t members = (size_t)input->member_count;
    int32_t *numbers = memory_zero(members * 4 + 1, sizeof *numbers);
    struct range range = {.input = input,
                          .owner = owner,
                          .place = numbers,
                          .has = numbers + members,
                          .share = numbers + 2 * members,
                          .none = numbers + 3 * members};
    for (size_t m = 0; m < members; m++) range.place[m] = -1;
    struct assignor_classes classes;
    assignor_classes_init(&classes, input, true);
    clear_others(input, &classes, owner);
    for (int32_t c = 0; c < classes.count; c++) assign_class(&range, &classes.classes[c]);
    assignor_classes_deinit(&classes);
    free(numbers);
}

const struct assignor range_assignor = {.name = "range", .assign = assign};
