#include "consumer-groups/assignor.h"

#include "base/memory.h"

const struct assignor *assignor_find(struct bytes name) {
    static const struct assignor *const all[] = {&uniform_assignor, &range_assignor};
    for (size_t i = 0; i < array_count(all); i++)
        if (bytes_equal_text(name, all[i]->name)) return all[i];
    return NULL;
}
