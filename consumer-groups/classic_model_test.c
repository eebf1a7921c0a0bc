/* Random histories of one classic group against a small model, on the simulated clock: members with
 * and without instance ids come, go and fall silent, requests come too late and from nobody, the
 * broker is killed in between. The model says what each request is answered and when, which
 * generation that is, and who leads; every request must have met every state in the end. */
#include <stdio.h>

#include "consumer-groups/classic_model.h"

enum {
    STATIC_FROM = 3, /* people from here on have an instance id */
    STEPS = 120,
    SEEDS = 100,
};

static const char *const stage_names[STAGES] = {"Dead", "Empty", "PreparingRebalance",
                                                "CompletingRebalance", "Stable"};

static uint32_t below(struct model *model, uint32_t bound) {
    return (uint32_t)random_below(&model->random, bound);
}

/* --- requests --- */

enum request {
    JOIN_NEW,
    JOIN_FOR_ID,
    JOIN_AGAIN,
    JOIN_CHANGED,
    JOIN_IN_PLACE,
    JOIN_AS_NOBODY,
    SYNC,
    SYNC_LATE,
    BEAT,
    BEAT_LATE,
    LEAVE,
    REMOVE,
    COMMIT,
    COMMIT_LATE,
    COMMIT_ALONE,
    FETCH,
    DELETE,
    DESCRIBE,
    REQUESTS
};
static const char *const request_names[REQUESTS] = {
    "join",   "join for an id", "join again",   "join changed",   "join in place", "join as nobody",
    "sync",   "sync late",      "heartbeat",    "heartbeat late", "leave",         "remove",
    "commit", "commit late",    "commit alone", "fetch",          "delete",        "describe"};

static unsigned met[STAGES][REQUESTS];

static const char *instance_of(const struct person *person) {
    return *person->instance ? person->instance : NULL;
}

/* The one before; a negative one would say that there is none. */
static int32_t generation_of(const struct model *model, bool is_late) {
    return is_late ? (model->generation > 0 ? model->generation - 1 : 7) : model->generation;
}

static const char *id_of(const struct person *person) {
    return *person->id ? person->id : "nobody";
}

static const char *protocols_of(const struct person *person) {
    return person->word == 'm' ? "range=m" : "range=n";
}

static void wait_join(struct model *model, struct person *person) {
    model_answer(model, person, false, ERROR_REBALANCE_IN_PROGRESS);
    person->joins = true;
}

/* What the model makes of a member that comes in. */
static int admit(struct model *model, struct person *person) {
    person->member = person->is_new = true;
    person->told = person->pending;
    person->pending = false;
    person->seat = model->seats++;
    model->first.added = true;
    person->ends_ms = model->now_ms + NEW_MEMBER_JOIN_MS;
    if (model->leader == NOBODY) model->leader = model_index(model, person);
    wait_join(model, person);
    return WAITS;
}

static void check_sent(struct model *model, struct sent *sent) {
    struct person *person = &model->people[sent->who];
    if (!sent->used) return;
    expect(model, sent->ask.done == (sent->result != WAITS));
    if (!sent->ask.done) return;
    int code = (int)ask_code(&sent->ask);
    cr_assert(code == sent->result, "seed %lu, %s when %s: %s, not %s", model->seed, model->doing,
              stage_names[model->stage], error_code_name((int16_t)code),
              error_code_name((int16_t)sent->result));
    const struct join_group_response *response = &sent->ask.response.join;
    if (!sent->is_sync && (code == ERROR_NONE || code == ERROR_MEMBER_ID_REQUIRED)) {
        snprintf(person->id, sizeof person->id, "%.*s", BYTES_FORMAT(response->member_id));
        person->told = true;
    }
    if (!sent->is_sync && code == ERROR_NONE)
        expect(model, response->generation_id == sent->generation);
    ask_deinit(&sent->ask);
    sent->used = false;
}

static struct sent *new_sent(struct model *model, const struct person *person, bool is_sync) {
    int i = 0;
    while (model->sent[i].used) expect(model, ++i < SENT_MAX);
    model->sent[i] = (struct sent){
        .used = true, .is_sync = is_sync, .who = model_index(model, person), .result = WAITS};
    return &model->sent[i];
}

/* The request goes out before the model looks: its answer, or that it waits, follows. */
static void join(struct model *model, struct person *person, enum request request) {
    bool in_place = request == JOIN_IN_PLACE && person->member && *person->instance;
    bool known = request == JOIN_AGAIN || request == JOIN_CHANGED;
    if (request == JOIN_CHANGED && person->member) person->word = person->word == 'm' ? 'n' : 'm';
    bool is_same = request != JOIN_CHANGED;
    if (in_place) {
        person->told = false;
        model_answer(model, person, false, ERROR_FENCED_INSTANCE_ID);
        model_answer(model, person, true, ERROR_FENCED_INSTANCE_ID);
    }
    struct sent *sent = new_sent(model, person, false);
    const char *id = request == JOIN_AS_NOBODY ? "nobody" : known ? id_of(person) : "";
    ask_join(&sent->ask, &model->world, id, request == JOIN_AS_NOBODY ? NULL : instance_of(person),
             protocols_of(person));
    sent->ask.request.join.session_timeout_ms = model->session_ms;
    sent->ask.request.join.rebalance_timeout_ms = model->rebalance_ms;
    if (request == JOIN_FOR_ID) sent->ask.call.version = 4;
    ask_send(&sent->ask);
    sent->generation = model->generation;

    if (request == JOIN_AS_NOBODY || (known && !person->member && !person->pending)) {
        sent->result = ERROR_UNKNOWN_MEMBER_ID;
    } else if (request == JOIN_FOR_ID) {
        sent->result = ERROR_MEMBER_ID_REQUIRED;
        person->pending = true;
        person->ends_ms = model->now_ms + model->session_ms;
    } else if (!person->member) {
        sent->used = false; /* not to be answered with those that came before */
        admit(model, person);
        sent->used = true;
        model_rebalance(model);
    } else if (known && is_same &&
               (model->stage == COMPLETING ||
                (model->stage == STABLE && model->leader != model_index(model, person)))) {
        sent->result = ERROR_NONE;
    } else if (in_place && model->stage == STABLE) {
        sent->result = ERROR_NONE;
        person->ends_ms = model->now_ms + model->session_ms;
        model_save(model);
    } else {
        if (in_place) person->syncs = false;
        if (in_place) person->ends_ms = model->now_ms + model->session_ms;
        sent->used = false;
        wait_join(model, person);
        sent->used = true;
        model_rebalance(model);
    }
}

static void sync(struct model *model, struct person *person, enum request request) {
    struct sent *sent = new_sent(model, person, true);
    int32_t generation = generation_of(model, request == SYNC_LATE);
    ask_sync(&sent->ask, &model->world, id_of(person), generation, "");
    ask_send(&sent->ask);
    if (!person->member) {
        sent->result = ERROR_UNKNOWN_MEMBER_ID;
    } else if (request == SYNC_LATE) {
        sent->result = ERROR_ILLEGAL_GENERATION;
    } else if (model->stage == PREPARING) {
        sent->result = ERROR_REBALANCE_IN_PROGRESS;
    } else {
        bool owing = false;
        person->owes = false;
        each_person(model, other) owing = owing || other->owes;
        if (!owing) model->ends_ms = 0;
        if (model->stage == STABLE) {
            sent->result = ERROR_NONE;
            return;
        }
        sent->used = false;
        model_answer(model, person, true, ERROR_REBALANCE_IN_PROGRESS);
        sent->used = person->syncs = true;
        if (model->leader != model_index(model, person)) return;
        model->stage = STABLE;
        model_save(model);
        each_person(model, other) {
            if (!other->syncs) continue;
            model_answer(model, other, true, ERROR_NONE);
            other->syncs = false;
            other->ends_ms = model->now_ms + model->session_ms;
        }
    }
}

/* What is answered at once, whatever it does. */
static int expect_member(struct model *model, struct person *person, enum request request) {
    if (!person->member) return ERROR_UNKNOWN_MEMBER_ID;
    if (request == BEAT_LATE || request == COMMIT_LATE) return ERROR_ILLEGAL_GENERATION;
    if (request == COMMIT && model->stage == COMPLETING) return ERROR_REBALANCE_IN_PROGRESS;
    person->ends_ms = model->now_ms + model->session_ms;
    bool busy = request == BEAT && model->stage == PREPARING;
    return busy ? ERROR_REBALANCE_IN_PROGRESS : ERROR_NONE;
}

static int expect_leave(struct model *model, struct person *person, enum request request) {
    if (request == LEAVE && person->pending) {
        person->pending = false;
        person->ends_ms = 0;
        if (model->stage != EMPTY) model_rebalance(model);
        return ERROR_NONE;
    }
    if (!person->member || (request == REMOVE && !*person->instance))
        return ERROR_UNKNOWN_MEMBER_ID;
    model_leave(model, person);
    return ERROR_NONE;
}

static int expect_commit(struct model *model, struct person *person, enum request request,
                         int64_t offset) {
    enum stage stage = model_stage(model);
    int code = request == COMMIT_ALONE
                   ? (stage == GONE || stage == EMPTY ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID)
               : stage == GONE ? ERROR_ILLEGAL_GENERATION
                               : expect_member(model, person, request);
    if (code == ERROR_NONE) model->offset = offset;
    return code;
}

static int expect_delete(struct model *model) {
    enum stage stage = model_stage(model);
    if (stage == GONE) return ERROR_GROUP_ID_NOT_FOUND;
    if (stage != EMPTY) return ERROR_NON_EMPTY_GROUP;
    each_person(model, person) {
        if (person->pending) person->ends_ms = 0;
        person->pending = false;
    }
    model->recorded = false;
    model->offset = -1;
    return ERROR_NONE;
}

static int make_ask(struct model *model, struct person *person, enum request request,
                    struct ask *ask) {
    struct world *world = &model->world;
    bool is_late = request == BEAT_LATE || request == COMMIT_LATE;
    int32_t generation = generation_of(model, is_late);
    int64_t offset = below(model, 1000);
    switch (request) {
        case BEAT:
        case BEAT_LATE:
            ask_heartbeat(ask, world, id_of(person), generation);
            return expect_member(model, person, request);
        case LEAVE:
        case REMOVE:
            ask_leave(ask, world, request == LEAVE ? id_of(person) : "",
                      request == LEAVE    ? NULL
                      : *person->instance ? person->instance
                                          : "none");
            return expect_leave(model, person, request);
        case COMMIT:
        case COMMIT_LATE:
            ask_commit(ask, world, id_of(person), generation, offset);
            return expect_commit(model, person, request, offset);
        case COMMIT_ALONE:
            ask_commit(ask, world, "", -1, offset);
            return expect_commit(model, person, request, offset);
        case FETCH: ask_fetch(ask, world); return ERROR_NONE;
        case DELETE: ask_delete(ask, world); return expect_delete(model);
        default:
            ask_describe(ask, world);
            return model_stage(model) == GONE ? ERROR_GROUP_ID_NOT_FOUND : ERROR_NONE;
    }
}

static void ask_at_once(struct model *model, struct person *person, enum request request) {
    struct ask ask;
    int expected = make_ask(model, person, request, &ask);
    ask_send(&ask);
    model_pass(model, 100);
    expect(model, ask.done);
    cr_assert((int)ask_code(&ask) == expected, "seed %lu, %s: %s, not %s", model->seed,
              model->doing, error_code_name((int16_t)ask_code(&ask)),
              error_code_name((int16_t)expected));
    const struct offset_fetch_response_offset_fetch_response_group *fetched = &ask.response.fetch;
    if (request == FETCH) {
        expect(model, fetched->topics_count == (model->offset >= 0));
        if (model->offset >= 0)
            expect(model, fetched->topics[0].partitions[0].committed_offset == model->offset);
    }
    ask_deinit(&ask);
}

/* --- histories --- */

static void check_group(struct model *model) {
    const struct classic_group *group = world_classic(&model->world);
    for (int i = 0; i < SENT_MAX; i++) check_sent(model, &model->sent[i]);
    if (model_stage(model) == GONE) { /* also in a first rebalance that everybody has left */
        model->stage = EMPTY;
        model->first.on = false;
        model->ends_ms = 0;
        model->generation = 0;
        model->leader = NOBODY;
    }
    const char *now = world_state(&model->world);
    cr_assert(strcmp(now, stage_names[model_stage(model)]) == 0, "seed %lu, %s: %s, not %s",
              model->seed, model->doing, now, stage_names[model_stage(model)]);
    expect(model, world_offset(&model->world) == model->offset);
    expect(model, (group ? group->generation : 0) == model->generation);
    expect(model, (group ? group->member_count : 0) == model_count(model));
    if (model->leader != NOBODY) {
        char id[80];
        model_real_id(model, &model->people[model->leader], id);
        expect(model, bytes_equal_text(group->leader_id, id));
    }
    if (model->saving)
        each_person(model, person) memcpy(person->saved.id, person->id, sizeof person->id);
    model->saving = false;
}

/* Who does not know its id can ask only what needs none; who is there does not come anew. */
static enum request possible(const struct person *person, enum request request) {
    bool is_here = person->member || person->pending;
    if (request == JOIN_FOR_ID && *person->instance) request = JOIN_NEW;
    if (request <= JOIN_FOR_ID && is_here) request = person->pending ? JOIN_AGAIN : SYNC;
    if (request == JOIN_IN_PLACE && !(person->member && *person->instance)) request = JOIN_AGAIN;
    bool names_id = (request >= JOIN_AGAIN && request <= JOIN_CHANGED) ||
                    (request >= SYNC && request <= LEAVE) || request == COMMIT ||
                    request == COMMIT_LATE;
    return names_id && person->member && !person->told ? DESCRIBE : request;
}

static void ask_one(struct model *model) {
    struct person *person = &model->people[below(model, PEOPLE)];
    enum request request = possible(person, (enum request)below(model, REQUESTS));
    if (below(model, 3) == 0 && person->member && person->told)
        request = model->stage == PREPARING ? JOIN_AGAIN : SYNC;
    met[model_stage(model)][request]++;
    model->doing = request_names[request];
    if (request <= JOIN_AS_NOBODY)
        join(model, person, request);
    else if (request <= SYNC_LATE)
        sync(model, person, request);
    else
        ask_at_once(model, person, request);
    model_pass(model, 100);
}

static void forget_sent(struct model *model) {
    for (int i = 0; i < SENT_MAX; i++) {
        if (model->sent[i].used) ask_deinit(&model->sent[i].ask);
        model->sent[i].used = false;
    }
}

static void restart(struct model *model) {
    model->doing = "a restart";
    uint32_t how = below(model, 3);
    if (how == 2)
        world_refuse(&model->world);
    else
        world_restart(&model->world, how);
    forget_sent(model);
    model_advance(model);
    model->stage = model->recorded ? model->saved.stage : EMPTY;
    model->generation = model->recorded ? model->saved.generation : 0;
    model->leader = model->recorded && model->stage == STABLE ? model->saved.leader : NOBODY;
    model->ends_ms = 0;
    model->first.on = false;
    each_person(model, person) {
        bool stays = model->recorded && person->saved.member;
        person->pending = person->joins = person->syncs = person->owes = person->is_new = false;
        person->member = stays;
        person->ends_ms = stays ? model->now_ms + model->session_ms : 0;
        if (!stays) continue;
        person->told = true;
        person->word = person->saved.word;
        memcpy(person->id, person->saved.id, sizeof person->id);
    }
}

static void step(struct model *model) {
    uint32_t what = below(model, 30);
    model->doing = "time";
    if (what == 0)
        restart(model);
    else if (what <= 3)
        model_pass(model, below(model, what == 1 ? 70000 : 14000));
    else
        ask_one(model);
    check_group(model);
}

static void try_seed(uint64_t seed) {
    struct model *model = new_zero(struct model);
    model->seed = seed;
    model->leader = NOBODY;
    model->offset = -1;
    model->stage = EMPTY;
    model->session_ms = seed % 2 ? 10000 : 40000;
    model->rebalance_ms = seed % 2 ? 60000 : 12000;
    random_init(&model->random, seed);
    world_init(&model->world, seed);
    world_topic(&model->world, "t", 1);
    model->delay_ms = seed % 3 == 2 ? 5000 : 0;
    model->world.catalog.options->group_initial_delay_ms = model->delay_ms;
    each_person(model, person) {
        person->word = 'm';
        if (model_index(model, person) >= STATIC_FROM)
            snprintf(person->instance, sizeof person->instance, "i%d", model_index(model, person));
    }
    model_advance(model);
    for (int i = 0; i < STEPS; i++) step(model);
    forget_sent(model);
    world_deinit(&model->world);
    free(model);
}

static void assert_all_met(void) {
    for (int stage = 0; stage < STAGES; stage++)
        for (int request = 0; request < REQUESTS; request++) {
            bool needs_member = request == JOIN_IN_PLACE;
            if (needs_member && stage <= EMPTY) continue;
            cr_assert(met[stage][request], "no %s when %s", request_names[request],
                      stage_names[stage]);
        }
}

Test(classic_model, random_groups_are_as_the_model_says, .timeout = 600) {
    const char *given = getenv("MILLRACE_SEED");
    if (given) {
        try_seed(strtoull(given, NULL, 10));
        return;
    }
    for (uint64_t seed = 0; seed < SEEDS; seed++) try_seed(seed);
    assert_all_met();
}
