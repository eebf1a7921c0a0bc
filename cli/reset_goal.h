/* Where a group's offsets are to be moved: --to WHERE (start_offset.h) or --shift N. */
#pragma once

#include "cli/group_offsets.h"
#include "cli/start_offset.h"

struct reset_goal {
    bool by_shift; /* by `shift` from what is committed, else to `start` */
    struct start_offset start;
    int64_t shift;
};

/* One of the two has to be given. */
bool reset_goal_parse(const struct settings *settings, int64_t now_ms, struct reset_goal *goal,
                      struct error *error);
/* The new offset, never outside the log. `by_time` is the offset at the start's time, -1 for none
 * so new. The partition has to be there, and to have a committed offset if that is shifted. */
int64_t reset_goal_offset(const struct reset_goal *goal, const struct group_offset *from,
                          int64_t by_time);
