/* Payloads for measuring contracts: messages of one schema, drawn at random. */
#pragma once

#include "base/byte_buffer.h"
#include "base/random.h"

/* A .proto file; the first message is shop.Order. */
extern const char payload_schema[];

/* Each appends one message. */
void payload_order(struct byte_buffer *to, struct random *random);       /* about 145 bytes */
void payload_order_large(struct byte_buffer *to, struct random *random); /* about 1 KiB */
void payload_note(struct byte_buffer *to, struct random *random);        /* text, 1 KiB */
void payload_sensor(struct byte_buffer *to, struct random *random);      /* small and fixed */
void payload_points(struct byte_buffer *to, struct random *random);      /* packed, 1 KiB */
