/* Partitions of a topic on a command line: "orders", all of them; "orders:0,3-5", those. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct partition_choice {
    struct bytes topic;
    const char *numbers; /* "0,3-5"; NULL: all */
    int64_t largest;     /* that is named; -1: none */
};

/* Points into the text. */
bool partition_choice_parse(const char *text, struct partition_choice *choice, struct error *error);
bool partition_choice_has(const struct partition_choice *choice, int32_t partition);
