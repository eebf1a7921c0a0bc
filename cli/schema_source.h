/* A .proto file from disk, compiled together with what it imports. Imports are looked for in the
 * folders of --proto-path, then beside the file; what everybody imports is built in. */
#pragma once

#include "base/arena.h"
#include "cli/settings.h"
#include "registry/compile.h"
#include "registry/descriptor.h"

struct schema_source {
    struct arena arena;
    struct schema_file files[SCHEMA_FILES_MAX]; /* the file itself is the first */
    size_t count;
    struct schema_compiled compiled;
    struct descriptor_set linked;
};

/* NULL with "FILE:LINE:COLUMN: what is wrong". */
struct schema_source *schema_source_open(const char *path, const struct settings_list *folders,
                                         struct error *error);
void schema_source_close(struct schema_source *source);
