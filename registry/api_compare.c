/* Would a schema be compatible, without registering it. */
#include "registry/api_body.h"
#include "registry/api_handlers.h"

struct trial {
    struct bytes subject;
    bool all; /* the versions that the level asks for, else `version` */
    int32_t version;
};

static void verdict_print(struct api_call *call, const char *const *problems, size_t count) {
    text_printf(&call->body, "{\"is_compatible\":%s", count == 0 ? "true" : "false");
    if (call_flag(call, "verbose")) {
        text_printf(&call->body, ",\"messages\":[");
        for (size_t i = 0; i < count; i++)
            body_print_text(call, i ? "," : "", bytes_of_text(problems[i]));
        text_printf(&call->body, "]");
    }
    text_printf(&call->body, "}");
}

/* A schema that is none is an answer, not an error, for who wants to know why. */
static void refuse_schema(struct api_call *call, struct bytes subject, const struct error *error) {
    const char *why = error->text;
    if (call_flag(call, "verbose"))
        verdict_print(call, &why, 1);
    else
        call_refuse(call, 422, 42201, "Invalid schema for subject \"%.*s\", details: %s",
                    BYTES_FORMAT(subject), why);
}

/* The versions to compare with; false with a refusal. "latest" of nothing is nothing. */
static bool versions_find(struct api_call *call, const struct trial *trial,
                          const struct schema_version ***versions, size_t *count) {
    const struct schema_subject *subject = schema_view_subject(call->view, trial->subject);
    size_t room = subject ? subject->count + 1 : 1;
    *versions = arena_array(&call->arena, const struct schema_version *, room);
    *count = 0;
    if (trial->all) {
        for (size_t i = 0; subject && i < subject->count; i++)
            if (!subject->versions[i].deleted) (*versions)[(*count)++] = &subject->versions[i];
        return true;
    }
    const struct schema_version *one =
        subject ? schema_subject_version(subject, trial->version, false) : NULL;
    if (one) (*versions)[(*count)++] = one;
    if (one || trial->version == -1) return true;
    if (!subject) call_find_subject(call, trial->subject, false);
    return call_refuse(call, 404, 40402, "Version %d not found.", trial->version);
}

static void trial_run(struct api_call *call) {
    const struct trial *trial = (const struct trial *)call->detail;
    const struct schema_version **versions;
    struct compatibility_verdict verdict;
    struct schema_wish wish;
    struct error error;
    size_t count;
    if (!body_read_schema(call, &wish) || !versions_find(call, trial, &versions, &count)) return;
    struct schema *schema =
        call_prepare(call, subject_context(trial->subject), &wish.entry, &error);
    if (!schema) {
        refuse_schema(call, trial->subject, &error);
        return;
    }
    schema_compare(call->view, schema_view_level(call->view, trial->subject), schema, versions,
                   count, &call->arena, &verdict);
    verdict_print(call, verdict.problems, verdict.count);
    schema_drop(schema);
}

static void trial_handle(struct http_exchange *exchange, bool all) {
    struct api_call *call = call_begin(exchange, all ? compare_all_handle : compare_version_handle);
    if (!call) return;
    struct trial *trial = arena_new(&call->arena, struct trial);
    trial->subject = call_subject(call, 0);
    trial->all = all;
    call->detail = trial;
    if (all || call_version(call, 1, &trial->version))
        call_work(call, trial_run, call_answer);
    else
        call_answer(call);
}

void compare_version_handle(struct http_exchange *exchange) { trial_handle(exchange, false); }
void compare_all_handle(struct http_exchange *exchange) { trial_handle(exchange, true); }
