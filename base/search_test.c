#include "base/search.h"

#include <criterion/criterion.h>

struct numbers {
    const int *at;
    int wanted;
};

static bool is_reached(const void *context, size_t at) {
    const struct numbers *numbers = context;
    return numbers->at[at] >= numbers->wanted;
}

Test(search, every_place_of_every_size) {
    int at[9];
    for (int each = 0; each < 9; each++) at[each] = each * 2;
    for (size_t count = 0; count <= 9; count++)
        for (int wanted = -1; wanted < 20; wanted++) {
            struct numbers numbers = {at, wanted};
            size_t found = search_first(count, is_reached, &numbers);
            cr_assert(found == count || at[found] >= wanted);
            cr_assert(found == 0 || at[found - 1] < wanted);
        }
}
