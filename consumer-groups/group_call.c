#include "base/check.h"
#include "consumer-groups/groups.h"

static struct group_call *call_of(struct coordinator_call *call) {
    return container_of(call, struct group_call, call);
}

static void on_run(struct coordinator_call *self, void *state) {
    struct group_call *call = call_of(self);
    call->groups = state;
    call->api->start(state, call);
}

static void on_hurry(struct coordinator_call *self, void *state) {
    struct group_call *call = call_of(self);
    (void)state;
    if (!call->held) return; /* its answer is on the way without anybody's help */
    check(*call->held == call);
    group_call_take(call->held);
    group_call_refuse(call, NULL, ERROR_COORDINATOR_NOT_AVAILABLE);
}

static void on_done(struct coordinator_call *self) {
    struct group_call *call = call_of(self);
    if (self->code) call->api->refuse(call, self->code);
    call->done(call);
}

void group_call_submit(struct coordinator *coordinator, struct group_call *call) {
    call->call = (struct coordinator_call){
        .run = on_run, .done = on_done, .hurry = on_hurry, .writes = call->api->writes};
    call->groups = NULL;
    call->held = NULL;
    coordinator_submit(coordinator, &call->call);
}

void group_call_finish(struct group_call *call, const struct group *group) {
    check(!call->held);
    coordinator_finish(&call->call, group ? group->release_at : call->groups->gone_at);
}

void group_call_refuse(struct group_call *call, const struct group *group, enum error_code code) {
    call->api->refuse(call, code);
    group_call_finish(call, group);
}

void group_call_hold(struct group_call *call, struct group_call **place) {
    check(!*place && !call->held);
    *place = call;
    call->held = place;
}

struct group_call *group_call_take(struct group_call **place) {
    struct group_call *call = *place;
    *place = NULL;
    if (call) call->held = NULL;
    return call;
}
