#include "broker/chore.h"

#include "broker/core.h"

static void chore_run(struct work *work) {
    struct chore *chore = container_of(work, struct chore, work);
    chore->run(chore);
}

static void chore_done(struct work *work) {
    struct chore *chore = container_of(work, struct chore, work);
    struct core *core = chore->core;
    core->chore_runs = false;
    chore->done(chore);
    chore_go_on(core);
}

void chore_go_on(struct core *core) {
    struct list *node = list_first(&core->chores);
    if (!node || core->chore_runs || core_is_overdrawn(core)) return;
    struct chore *chore = list_entry(node, struct chore, link);
    list_remove(node);
    core->chore_runs = true;
    chore->work.run = chore_run;
    chore->work.done = chore_done;
    ring_work(core->ring, &chore->work);
}

void chore_begin(struct chore *chore, struct core *core) {
    chore->core = core;
    list_init(&chore->link);
    list_append(&core->chores, &chore->link);
    chore_go_on(core);
}
