/* Locked subjects: READONLY in the registry, so that no serializer that registers by itself can
 * change what a contract admits. */
#pragma once

#include "cli/registry_client.h"

/* What a contract says of its subjects; texts may be NULL or empty. */
struct contract_names {
    const char *topic, *part; /* "value" */
    const char *subject, *strategy, *messages;
};

/* The subjects that records of the contract may be of: the one that is named, that of the topic, or
 * one for each message. False when nothing names them. */
bool contract_subjects(const struct contract_names *names, struct arena *arena,
                       struct settings_list *subjects);
/* Makes each of them READONLY; they have versions. False with the error, which names the subject
 * where it stopped. */
bool contract_lock(const struct registry_client *client, const struct settings_list *subjects,
                   struct arena *arena, struct error *error);
/* Whether all of them are; false when the registry does not answer. */
bool contract_lock_read(const struct registry_client *client, const struct settings_list *subjects,
                        struct arena *arena, bool *locked);
