#include "http/budget.h"

#include "base/check.h"

bool http_budget_hold(struct http_budget *budget, size_t *held, size_t bytes) {
    size_t others = budget->used - *held;
    check(budget->used >= *held);
    if (bytes <= HTTP_SMALL_BYTES) bytes = 0;
    bool fits = others == 0 || (others <= budget->bytes_max && bytes <= budget->bytes_max - others);
    if (bytes > *held && !fits) {
        budget->refused++;
        return false;
    }
    budget->used = others + bytes;
    *held = bytes;
    return true;
}

void http_budget_drop(struct http_budget *budget, size_t *held) {
    check(budget->used >= *held);
    budget->used -= *held;
    *held = 0;
}
