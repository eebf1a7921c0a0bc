/* What is asked about the server, and which subject a topic is bound to. */
#include "registry/api_body.h"
#include "registry/api_handlers.h"

void cluster_handle(struct http_exchange *exchange) {
    struct api_call *call = call_new(exchange);
    const char *id = call->api->cluster_id;
    text_printf(&call->body,
                "{\"id\":\"%s\",\"scope\":{\"path\":[],\"clusters\":{\"kafka-cluster\":\"%s\","
                "\"schema-registry-cluster\":\"%s\"}}}",
                id, id, id);
    call_answer(call);
}

void server_version_handle(struct http_exchange *exchange) {
    struct api_call *call = call_new(exchange);
    text_printf(&call->body, "{\"version\":\"%s\",\"commitId\":\"\"}", MILLRACE_VERSION);
    call_answer(call);
}

/* Attributes are the operator's words over there, none by default. */
void deployment_handle(struct http_exchange *exchange) {
    struct api_call *call = call_new(exchange);
    text_printf(&call->body, "{\"attributes\":[]}");
    call_answer(call);
}

void ready_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, ready_handle);
    if (!call) return;
    text_printf(&call->body, "{}");
    call_answer(call);
}

void rejects_handle(struct http_exchange *exchange) {
    struct registry_api *api = (struct registry_api *)exchange->context;
    api->rejects(api, exchange);
}

/* --- associations --- */

/* Without associationType both kinds are asked for. */
static bool is_wanted(struct api_call *call, bool is_key) {
    struct bytes type;
    size_t count = 0;
    while (uri_parameter(&call->arena, call->exchange->request->query, "associationType", count,
                         &type)) {
        if (bytes_equal_text(type, is_key ? "key" : "value")) return true;
        count++;
    }
    return count == 0;
}

static void association_print(struct api_call *call, struct bytes topic,
                              const struct registry_association *association) {
    body_print_text(call, "{\"subject\":", association->subject);
    body_print_text(call, ",\"resourceName\":", topic);
    body_print_text(call, ",\"resourceNamespace\":", bytes_of_text(call->api->cluster_id));
    body_print_text(call, ",\"resourceId\":", topic);
    text_printf(&call->body,
                ",\"resourceType\":\"topic\",\"associationType\":\"%s\",\"lifecycle\":\"WEAK\","
                "\"frozen\":false}",
                association->is_key ? "key" : "value");
}

/* New serializers ask before every first use of a topic: an answer that is not 200 makes them fail,
 * an empty list makes them take the subject that they always took. */
void associations_handle(struct http_exchange *exchange) {
    struct api_call *call = call_new(exchange);
    struct registry_association found[CONTRACTS_OF_TOPIC_MAX];
    struct bytes space = exchange->parts[0], topic = exchange->parts[1];
    struct bytes type = call_parameter(call, "resourceType");
    bool is_ours = bytes_equal_text(space, "-") || bytes_equal_text(space, call->api->cluster_id);
    bool is_topic = bytes_is_null(type) || bytes_equal_text(type, "topic");
    size_t count = 0, printed = 0;
    if (is_ours && is_topic) count = call->api->associations(call->api, topic, &call->arena, found);
    text_printf(&call->body, "[");
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(call, found[i].is_key)) continue;
        text_printf(&call->body, "%s", printed++ ? "," : "");
        association_print(call, topic, &found[i]);
    }
    text_printf(&call->body, "]");
    call_answer(call);
}
