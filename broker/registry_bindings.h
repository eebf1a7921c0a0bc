/* Which subjects the topics' contracts (millrace.key.*, millrace.value.*) name: what the registry
 * asks before it deletes, and what serializers ask before they pick a subject. */
#pragma once

#include "metadata/catalog.h"
#include "registry/api.h"

/* The subjects that the topic is bound to by name or by its own; those by record have none. */
size_t registry_bindings_of(const struct catalog *catalog, struct bytes topic, struct arena *arena,
                            struct registry_association found[CONTRACTS_OF_TOPIC_MAX]);
/* Appends the names of topics whose contract admits that version, hidden as it may be. */
void registry_bindings_print(const struct catalog *catalog, struct bytes subject, int32_t version,
                             struct text *names);
