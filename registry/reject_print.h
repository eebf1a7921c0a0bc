/* A reject as JSON, for programs: one object, as `millrace reject --json` and GET /rejects have it.
 */
#pragma once

#include "base/text.h"
#include "registry/reject.h"

/* `offset`: of its record in the topic. Payloads are hexadecimal, and only where there are some. */
void reject_print_json(const struct reject *reject, int64_t offset, struct text *out);
/* Two digits for each byte. */
void reject_print_hex(struct bytes payload, struct text *out);
