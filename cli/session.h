/* What a command that asks the cluster something works with: its settings, a connection, memory for
 * its messages, and a place for its error. Opened for every command that has `work` (command.h). */
#pragma once

#include "cli/cli.h"
#include "cli/cluster.h"

struct session {
    const struct settings *settings;
    struct cluster *cluster;
    struct arena arena;
    struct error *error;
};

/* Opens a session and runs `work` in it, which returns whether all was done. */
enum cli_exit session_run(const struct settings *settings, struct error *error,
                          bool (*work)(struct session *session));

/* Runs `one` for each name of the command line until one fails; the arena is emptied behind each.
 */
bool session_each_name(struct session *session,
                       bool (*one)(struct session *session, const char *name));

/* cluster_call() to any broker. */
bool session_call(struct session *session, enum api_key key, int version_max, const void *request,
                  void *response);
