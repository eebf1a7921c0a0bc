/* libprotobuf as the measure: its parser for registry/contract.h, its JSON for registry/json_read.h
 * and registry/json_write.h. */
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
/* Whether both are the same message, unknown fields aside. */
bool oracle_equal(struct oracle *oracle, const uint8_t *a, size_t a_len, const uint8_t *b,
                  size_t b_len);
enum oracle_answer { ORACLE_REFUSES, ORACLE_DIFFERS, ORACLE_AGREES };
/* What it makes of JSON, beside the message that it should be. */
enum oracle_answer oracle_reads(struct oracle *oracle, const char *json, size_t json_len,
                                const uint8_t *wire, size_t wire_len);

#ifdef __cplusplus
}
#endif
