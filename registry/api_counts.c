#include "registry/api_counts.h"

const int api_statuses[API_STATUS_COUNT] = {400, 404, 409, 422, 500, 503};

void api_counts_answer(struct api_counts *counts, int status) {
    for (int i = 0; i < API_STATUS_COUNT; i++)
        if (status == api_statuses[i]) counts->refused[i]++;
}
