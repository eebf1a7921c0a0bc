#include "cli/session.h"

enum cli_exit session_run(const struct settings *settings, struct error *error,
                          bool (*work)(struct session *session)) {
    struct session session = {.settings = settings, .error = error};
    if (!cluster_open(settings, &session.cluster, error)) return CLI_UNREACHABLE;
    arena_init(&session.arena, CLUSTER_ARENA_BYTES);
    bool good = work(&session);
    arena_deinit(&session.arena);
    cluster_close(session.cluster);
    return good ? CLI_DONE : CLI_FAILED;
}

bool session_each_name(struct session *session,
                       bool (*one)(struct session *session, const char *name)) {
    const struct settings *settings = session->settings;
    bool good = true;
    for (size_t at = 0; good && at < settings->positional_count; at++) {
        good = one(session, settings->positional[at]);
        arena_reset(&session->arena);
    }
    return good;
}

bool session_call(struct session *session, enum api_key key, int version_max, const void *request,
                  void *response) {
    return cluster_call(session->cluster, CLUSTER_ANY, key, version_max, request, &session->arena,
                        response, session->error);
}
