/* How JSON writes google.protobuf.Timestamp, Duration and FieldMask: RFC 3339 in UTC, seconds with
 * an s, and paths in lowerCamelCase. Texts are without quotes. */
#pragma once

#include "base/text.h"

/* False when it is no time of the years 1 to 9999. */
bool well_known_timestamp_print(int64_t seconds, int32_t nanos, struct text *out);
bool well_known_timestamp_parse(struct bytes text, int64_t *seconds, int32_t *nanos);

/* False when it is longer than 10,000 years, or its parts have different signs. */
bool well_known_duration_print(int64_t seconds, int32_t nanos, struct text *out);
bool well_known_duration_parse(struct bytes text, int64_t *seconds, int32_t *nanos);

/* One path of a mask. False when it could not be read back. */
bool well_known_mask_print(struct bytes path, struct text *out);
bool well_known_mask_parse(struct bytes text, struct text *path);
