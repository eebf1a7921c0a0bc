/* The .proto files that every schema may import without a reference, as descriptors that were
 * compiled when Millrace was built (registry/known.cmake). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct known_file {
    const char *name;
    const uint8_t *descriptor; /* a serialized FileDescriptorProto */
    size_t len;
};

extern const struct known_file known_files[];
extern const size_t known_file_count;

#ifdef __cplusplus
}
#endif
