/* What registry/compile.h and its C++ half share: the limits, and functions over plain types
 * (base/'s headers are C only). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    SCHEMA_SIZE_MAX = 1 << 20,
    SCHEMA_NESTING_MAX = 32, /* brackets of one kind in a text; libprotobuf links no deeper */
    SCHEMA_FILES_MAX = 256,
    SCHEMA_IMPORT_DEPTH_MAX = 64
};

/* What the compiled schema's own file is called in descriptors and messages. */
#define SCHEMA_ROOT_NAME "default.proto"

struct shim_file {
    const char *name, *content;
    size_t name_len, content_len;
    bool is_descriptor;
};

struct error;

enum { SHIM_TEXT_SIZE = 256 };

enum shim_output { SHIM_PARSED, SHIM_LINKED };

#ifdef __cplusplus
extern "C" {
#endif

/* compile.cc: as schema_compile; each output is handed over once, at success. */
bool shim_compile(const struct shim_file *root, const struct shim_file *imports,
                  size_t import_count, void *owner, struct error *error);
/* compile.c, called by compile.cc. */
void shim_output(void *owner, enum shim_output which, const char *at, size_t len);
bool shim_scan_text(const char *at, size_t len, char why[SHIM_TEXT_SIZE]);
void shim_error(struct error *error, const char *text);
bool shim_scan_aggregate(const char *at, size_t len);

#ifdef __cplusplus
}
#endif
