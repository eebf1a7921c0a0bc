#include "cli/reset_goal.h"

#include <errno.h>

#include "base/check.h"
#include "config/quantity.h"

bool reset_goal_parse(const struct settings *settings, int64_t now_ms, struct reset_goal *goal,
                      struct error *error) {
    const char *shift = settings->shift;
    if (!settings->to == !shift)
        return error_set(
            error, EINVAL,
            "give either --to earliest|latest|N|@TIME, or --shift N to go back (-N) or "
            "ahead (+N)");
    *goal = (struct reset_goal){.by_shift = shift != NULL};
    if (!shift) return start_offset_parse("--to", settings->to, now_ms, &goal->start, error);
    bool plus = shift[0] == '+' && shift[1] != '-';
    if (number_parse_plain(shift + plus, &goal->shift) && goal->shift != 0) return true;
    return error_set(error, EINVAL, "--shift: \"%s\" is not a number of records such as -100 or +5",
                     shift);
}

static int64_t add_capped(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

static int64_t wanted(const struct reset_goal *goal, const struct group_offset *from,
                      int64_t by_time) {
    if (goal->by_shift) return add_capped(from->committed, goal->shift);
    switch (goal->start.kind) {
        case START_EARLIEST: return from->first;
        case START_LATEST: return from->end;
        case START_AT: return goal->start.value;
        case START_LAST: return add_capped(from->end, -goal->start.value);
        case START_TIME: return by_time < 0 ? from->end : by_time;
    }
    unreachable();
}

int64_t reset_goal_offset(const struct reset_goal *goal, const struct group_offset *from,
                          int64_t by_time) {
    check(from->leader >= 0 && (!goal->by_shift || from->committed >= 0));
    int64_t offset = wanted(goal, from, by_time);
    if (offset < from->first) return from->first;
    return offset > from->end ? from->end : offset;
}
