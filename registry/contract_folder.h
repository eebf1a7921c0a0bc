/* The schemas of a folder (option `contracts`), each compiled once to see what it imports.
 *
 *   DIR/shop/order.proto    is the file "shop/order.proto": what others import it as
 *   DIR/all.binpb           an image, as `buf build` and `protoc --include_imports` write it (a
 *                           FileDescriptorSet): every file in it, by its own name
 *   DIR/millrace.yaml       the manifest (registry/contract_manifest.h)
 *
 * DIR itself may be an image. Folders are read as deep as FOLDER_DEPTH_MAX; links to files are
 * followed, to folders not; names that begin with a dot are passed over, and so are the files that
 * every schema may import without a reference (registry/known.h), whose built-in form counts.
 *
 * One that has nothing of this is not the one that was meant. What is wrong is collected, so that
 * all of it is seen at once: one line each, "PLACE: words" with line and column where they are
 * known. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

enum {
    FOLDER_FILES_MAX = 1000,
    FOLDER_DEPTH_MAX = 16,
    FOLDER_BYTES_MAX = 64 << 20, /* of all files together */
};

#define MANIFEST_NAME "millrace.yaml"

struct contract_file {
    struct bytes name;
    struct bytes content; /* .proto text, or a descriptor */
    bool is_descriptor;
    const char *place; /* for messages: where it was read from */
    size_t *imports;   /* the folder's files that it imports, by their index */
    size_t import_count;
    bool is_imported; /* by another file of the folder */
};

struct contract_folder {
    struct contract_file *files; /* each behind those that it imports */
    size_t count;
    const char *manifest; /* its path; NULL: there is none */
    struct arena arena;
};

/* False when a line was added to `problems`; contract_folder_close() either way. Compiles, so it
 * takes from microseconds to seconds. */
bool contract_folder_open(const char *path, struct contract_folder *folder, struct text *problems);
void contract_folder_close(struct contract_folder *folder);
/* The index of the file of that name, or folder->count. */
size_t contract_folder_find(const struct contract_folder *folder, struct bytes name);
