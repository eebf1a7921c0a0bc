/* libprotobuf's own parser as the measure for registry/contract.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct oracle;

/* From a serialized FileDescriptorSet; lives as long as the process. */
struct oracle *oracle_new(const uint8_t *set, size_t len, const char *message);
/* Whether the bytes parse as the message, with all required fields. */
bool oracle_accepts(struct oracle *oracle, const uint8_t *payload, size_t len);

#ifdef __cplusplus
}
#endif
