/* Bodies of the REST interface: requests read, schemas printed. */
#pragma once

#include "registry/api_call.h"

/* What a client registers, looks up or compares. */
struct schema_wish {
    struct schema_entry entry; /* id and version 0: none was given */
};

/* Reads the request's body; refuses with 42201 what has no schema or an unknown type, with 400 what
 * is no JSON object. Properties that are null or unknown are passed over. On any thread. */
bool body_read_schema(struct api_call *call, struct schema_wish *wish);
/* One text property of a small body, null when it is missing; on the thread. */
bool body_read_text(struct api_call *call, const char *name, struct bytes *value);

/* The schema in the form that `format` asks for: as it is kept, or (Protobuf, "serialized") as a
 * descriptor in base64. A refusal with 42201 when it does not compile. */
bool body_schema_text(struct api_call *call, const struct schema *schema, struct bytes *text);
/* Runs `print` on a worker where `format` makes it slow, else at once; then answers. */
void body_answer(struct api_call *call, void (*print)(struct api_call *call));

/* {"subject":…,"version":…,"id":…,"schemaType":…,"schema":…} and what else the client takes.
 * `text` is the schema in the form that was asked for. */
void body_print_version(struct api_call *call, struct bytes subject,
                        const struct schema_version *version, struct bytes text);
/* ,"references":[…] and metadata, rules, when there are some; each with a comma in front. */
void body_print_more(struct api_call *call, const struct schema *schema);
void body_print_text(struct api_call *call, const char *before, struct bytes value);

enum { LIST_BYTES_MAX = 32 << 20 }; /* of one answer */

/* Before each item of a list: false, with a refusal 42209, when the answer is as large as one may
 * be. A part of it, said to be all, would mislead. */
bool body_list_goes_on(struct api_call *call);
