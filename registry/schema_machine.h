/* The registry as a coordinator (coordinator/coordinator.h): its log is the one partition of
 * _schemas, in Confluent's format, its state are the subjects. One change at a time is under way
 * (broker/registry_service.h), so that what is applied here is also what is durable whenever a new
 * view is made.
 *
 * A record that cannot be read is said in the log and passed over: one bad record must not keep the
 * registry from coming up. */
#pragma once

#include "coordinator/coordinator.h"
#include "registry/subjects.h"

#define SCHEMAS_TOPIC "_schemas"

/* The context of coordinator_open(). */
struct schema_machine_owner {
    /* Everything is replayed; no schema is compiled yet. */
    void (*loaded)(struct schema_machine_owner *owner, struct subjects *subjects);
};

extern const struct coordinator_kind schema_machine_kind;

struct schema_machine;
struct subjects *schema_machine_subjects(struct schema_machine *machine);
/* From inside a call: applies the record and adds it to the log. `schema` is that of a SCHEMA
 * record, compiled; NULL for other kinds and where only flags change. */
void schema_machine_write(struct schema_machine *machine, const struct schema_record *record,
                          struct schema *schema);
/* The same for a version that is registered: hidden versions of the subject with the same id go,
 * now that there is a new one, unless somebody refers to them. */
void schema_machine_register(struct schema_machine *machine, const struct schema_record *record,
                             struct schema *schema);
