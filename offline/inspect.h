/* Prints what a directory holds, as sheets (offline/sheet.h). */
#pragma once

#include "offline/image.h"

struct inspect_options {
    const char *partition; /* only this one, with its segments; NULL: all */
    bool records;          /* the headers of its batches */
    bool blocks;           /* of the journals, each */
    bool json;
};

/* False when there is no such partition. */
bool inspect_image(struct image *image, const struct inspect_options *options, FILE *out,
                   struct error *error);
