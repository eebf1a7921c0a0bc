#include "consumer-groups/classic_model.h"

#include <stdio.h>

enum { NEAR_MS = 1500, STEP_MS = 500 };

int model_index(const struct model *model, const struct person *person) {
    return (int)(person - model->people);
}

int model_count(struct model *model) {
    int count = 0;
    each_person(model, person) count += person->member;
    return count;
}

enum stage model_stage(struct model *model) {
    bool has_pending = false;
    each_person(model, person) has_pending = has_pending || person->pending;
    bool is_gone = model_count(model) == 0 && !has_pending && !model->recorded && model->offset < 0;
    return is_gone ? GONE : model->stage;
}

/* --- what waits is answered --- */

void model_answer(struct model *model, const struct person *person, bool is_sync, int code) {
    for (int i = 0; i < SENT_MAX; i++) {
        struct sent *sent = &model->sent[i];
        if (!sent->used || sent->is_sync != is_sync || sent->result != WAITS) continue;
        if (sent->who != model_index(model, person)) continue;
        sent->result = code;
        sent->generation = model->generation;
    }
}

/* --- from one generation to the next --- */

void model_save(struct model *model) {
    bool is_stable = model->stage == STABLE;
    model->recorded = model->saving = true;
    model->saved.stage = model->stage;
    model->saved.generation = model->generation;
    model->saved.leader = model->leader;
    each_person(model, person) {
        person->saved.member = person->member && is_stable;
        person->saved.word = person->word;
    }
}

/* Who sits first, of all or of those that join. */
static int first_member(struct model *model, bool joins) {
    int first = NOBODY;
    each_person(model, person) {
        if (!person->member || (joins && !person->joins)) continue;
        if (first == NOBODY || person->seat < model->people[first].seat)
            first = model_index(model, person);
    }
    return first;
}

static void remove_member(struct model *model, struct person *person) {
    person->member = person->joins = person->syncs = person->owes = person->is_new = false;
    person->ends_ms = 0;
    if (model->leader == model_index(model, person)) model->leader = first_member(model, false);
}

static bool all_joined(struct model *model) {
    each_person(model, person) {
        if (person->pending || (person->member && !person->joins)) return false;
    }
    return true;
}

static void announce(struct model *model) {
    each_person(model, person) {
        if (!person->member) continue;
        if (person->joins) model_answer(model, person, false, ERROR_NONE);
        person->joins = person->is_new = false;
        person->owes = true;
        person->ends_ms = model->now_ms + model->session_ms;
    }
    model->ends_ms = model->now_ms + model->rebalance_ms;
}

static void complete(struct model *model) {
    each_person(model, person) {
        if (person->member && !person->joins && !*person->instance) remove_member(model, person);
    }
    bool has_members = model_count(model) > 0;
    if (has_members && !model->people[model->leader].joins) {
        int heir = first_member(model, true);
        model->ends_ms = model->now_ms + model->rebalance_ms;
        if (heir == NOBODY) return;
        model->leader = heir;
    }
    model->generation++;
    model->first.on = false;
    model->stage = has_members ? COMPLETING : EMPTY;
    model->ends_ms = 0;
    if (has_members)
        announce(model);
    else
        model_save(model);
}

static void complete_if_joined(struct model *model) {
    if (model->stage == PREPARING && !model->first.on && all_joined(model)) complete(model);
}

/* The first rebalance of an empty group waits for those that start together. */
static void begin_first(struct model *model) {
    int64_t left_ms = model->rebalance_ms - model->delay_ms;
    model->stage = PREPARING;
    model->first.on = model->delay_ms > 0;
    model->first.added = false;
    model->first.left_ms = left_ms > 0 ? left_ms : 0;
    model->ends_ms = model->now_ms + model->delay_ms;
    if (!model->first.on) complete(model);
}

/* Anew as long as somebody came. */
static void end_first(struct model *model) {
    int64_t more_ms =
        model->delay_ms < model->first.left_ms ? model->delay_ms : model->first.left_ms;
    if (!model->first.added || more_ms == 0) {
        complete(model);
        return;
    }
    model->first.added = false;
    model->first.left_ms -= more_ms;
    model->ends_ms = model->now_ms + more_ms;
}

static void prepare(struct model *model) {
    if (model->stage == EMPTY) {
        begin_first(model);
        return;
    }
    each_person(model, person) {
        person->owes = false;
        if (!person->syncs) continue;
        model_answer(model, person, true, ERROR_REBALANCE_IN_PROGRESS);
        person->syncs = false;
        person->ends_ms = model->now_ms + model->session_ms;
    }
    model->stage = PREPARING;
    model->ends_ms = model->now_ms + (model_count(model) ? model->rebalance_ms : 0);
    if (all_joined(model)) complete(model);
}

void model_rebalance(struct model *model) {
    if (model->stage == PREPARING)
        complete_if_joined(model);
    else
        prepare(model);
}

/* --- deadlines --- */

static void drop(struct model *model, struct person *person) {
    model_answer(model, person, false, ERROR_UNKNOWN_MEMBER_ID);
    model_answer(model, person, true, ERROR_UNKNOWN_MEMBER_ID);
    remove_member(model, person);
}

void model_leave(struct model *model, struct person *person) {
    drop(model, person);
    model_rebalance(model);
}

static void end_session(struct model *model, struct person *person) {
    person->ends_ms = 0;
    bool was_pending = person->pending;
    if (!was_pending && !person->is_new && (person->joins || person->syncs)) return;
    person->pending = false;
    if (!was_pending) drop(model, person);
    if (model->stage == PREPARING && all_joined(model))
        complete(model); /* in a first rebalance too */
    else if (!was_pending && model->stage != PREPARING)
        prepare(model);
}

static void end_group_timer(struct model *model) {
    bool some = false;
    model->ends_ms = 0;
    if (model->stage == PREPARING && model->first.on) {
        end_first(model);
        return;
    }
    if (model->stage == PREPARING) {
        complete(model);
        return;
    }
    each_person(model, person) {
        some = some || person->owes;
        if (person->owes) remove_member(model, person);
    }
    if (some) prepare(model);
}

/* The next deadline, and whose it is: NULL for the group's. 0 when there is none. */
static int64_t next_deadline(struct model *model, struct person **whose) {
    int64_t next_ms = model->ends_ms;
    *whose = NULL;
    each_person(model, person) {
        if (!person->ends_ms || (next_ms && person->ends_ms >= next_ms)) continue;
        next_ms = person->ends_ms;
        *whose = person;
    }
    return next_ms;
}

void model_advance(struct model *model) {
    int64_t real_ms = (int64_t)(sim_now_ns(model->world.sim) / NS_PER_MS), next_ms;
    struct person *whose;
    while ((next_ms = next_deadline(model, &whose)) && next_ms <= real_ms) {
        model->now_ms = model->fired_ms = next_ms;
        if (whose)
            end_session(model, whose);
        else
            end_group_timer(model);
    }
    model->now_ms = real_ms;
}

/* As the group knows it: a new member has not heard of its id. */
void model_real_id(struct model *model, const struct person *person, char *id) {
    int before = 0;
    each_person(model, other) before += other->member && other->seat < person->seat;
    list_each(node, &world_classic(&model->world)->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        if (before-- == 0) snprintf(id, 80, "%.*s", BYTES_FORMAT(member->id));
    }
}

static void nudge(struct model *model, struct person *person) {
    struct ask ask;
    char id[80] = "";
    model_real_id(model, person, id);
    ask_heartbeat(&ask, &model->world, id, model->generation);
    enum error_code code = ask_run(&ask);
    expect(model, code == (model->stage == PREPARING ? ERROR_REBALANCE_IN_PROGRESS : ERROR_NONE));
    person->ends_ms = model->now_ms + model->session_ms;
    ask_deinit(&ask);
}

static bool is_near(int64_t a_ms, int64_t b_ms) {
    return a_ms && b_ms && a_ms - b_ms < NEAR_MS && b_ms - a_ms < NEAR_MS;
}

/* Two ends of silent members may come in any order; others may not. */
static void part_deadlines(struct model *model) {
    each_person(model, person) {
        bool close = is_near(person->ends_ms, model->ends_ms);
        each_person(model, other) {
            if (other == person || !is_near(person->ends_ms, other->ends_ms)) continue;
            close = close || person->is_new || other->is_new || other->pending;
        }
        bool is_soon = person->ends_ms < model->now_ms + STEP_MS + NEAR_MS;
        if (person->member && close && is_soon) nudge(model, person);
    }
}

static bool is_quiet(struct model *model) {
    struct person *whose;
    int64_t next_ms = next_deadline(model, &whose);
    return model->now_ms >= model->fired_ms + NEAR_MS &&
           (!next_ms || next_ms > model->now_ms + NEAR_MS);
}

void model_pass(struct model *model, int64_t ms) {
    int64_t until_ms = model->now_ms + ms;
    ring_round(model->world.ring, false); /* what came from outside is seen at once */
    while (model->now_ms < until_ms || !is_quiet(model)) {
        int64_t left_ms = until_ms - model->now_ms;
        part_deadlines(model);
        world_pass_ms(&model->world, left_ms > 0 && left_ms < STEP_MS ? left_ms : STEP_MS);
        model_advance(model);
    }
}
