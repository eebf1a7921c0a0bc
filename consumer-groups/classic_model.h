/* A small model of one classic group, for a test that compares the two: it knows the states and
 * rules of Kafka's ClassicGroup and nothing of how the coordinator keeps them.
 *
 * Its deadlines are exact and the coordinator's are not, so nothing is asked while one of them is
 * near, and of two that lie close together one is moved by a heartbeat. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "consumer-groups/classic_world.h"

enum {
    PEOPLE = 5,
    SENT_MAX = 64,
    WAITS = -100, /* a result that is not there yet */
    NOBODY = -1,
};

enum stage { GONE, EMPTY, PREPARING, COMPLETING, STABLE, STAGES };

struct person {
    char id[80], instance[8]; /* the newest id that it was given */
    char word;                /* what it says about itself */
    bool member, pending, joins, syncs, owes, is_new;
    bool told;       /* it knows the id that it is a member by */
    int seat;        /* members sit in the order in which they came */
    int64_t ends_ms; /* its session, or its id's; 0: it cannot end now */
    struct {
        bool member;
        char id[80], word;
    } saved; /* as of the group's last record */
};

/* A request that may wait. */
struct sent {
    bool used, is_sync;
    int who, result;
    int32_t generation;
    struct ask ask;
};

struct model {
    struct world world;
    struct random random;
    struct person people[PEOPLE];
    struct sent sent[SENT_MAX];
    enum stage stage;
    int32_t generation;
    bool saving; /* a record was added in this step */
    int leader, seats;
    int64_t now_ms;
    int64_t ends_ms;  /* the group's timer: the end of PREPARING, or who owes SyncGroup goes */
    int64_t fired_ms; /* the newest deadline that has passed */
    int64_t offset;   /* -1: none */
    bool recorded;
    struct {
        enum stage stage;
        int32_t generation;
        int leader;
    } saved;
    int32_t session_ms, rebalance_ms; /* of all its members */
    int32_t delay_ms;                 /* of the first rebalance */
    struct {
        bool on, added; /* somebody has come since it was prolonged */
        int64_t left_ms;
    } first;
    uint64_t seed;
    const char *doing;
};

#define expect(model, condition) \
    cr_assert(condition, "seed %lu, %s: %s", (model)->seed, (model)->doing, #condition)

#define each_person(model, name) \
    for (struct person *name = (model)->people; name < (model)->people + PEOPLE; name++)

/* Dead when nothing at all is left of it. */
enum stage model_stage(struct model *model);
int model_index(const struct model *model, const struct person *person);
int model_count(struct model *model);

/* What waits of this person is answered. */
void model_answer(struct model *model, const struct person *person, bool is_sync, int code);
/* The group's record is written. */
void model_save(struct model *model);
/* A rebalance begins where it can, else one that is under way may be complete now. */
void model_rebalance(struct model *model);
/* A member is gone because it wants to, or because its session has ended. */
void model_leave(struct model *model, struct person *person);

/* Catches up with the simulated clock. */
void model_advance(struct model *model);
/* Lets time pass, and then until no deadline is near. */
void model_pass(struct model *model, int64_t ms);
/* The id by which the group knows a member; a new one has not heard of it. */
void model_real_id(struct model *model, const struct person *person, char *id);
