#include "broker/handlers/partition_visit.h"

#include "broker/core.h"

struct visit_part {
    struct errand errand;
    struct visit *visit;
    struct core *core;
};

static void part_back(struct visit *visit) {
    if (--visit->pending == 0) visit->done(visit);
}

static void on_back(struct errand *errand) {
    part_back(container_of(errand, struct visit_part, errand)->visit);
}

static void on_run(struct errand *errand, struct core *there) {
    struct visit_part *part = container_of(errand, struct visit_part, errand);
    struct visit *visit = part->visit;
    for (int32_t i = 0; i < visit->item_count; i++) {
        struct visit_item *item = visit->items + i;
        if (item->core == there)
            visit->look(visit, item, store_find_partition(there->store, item->partition_id));
    }
    errand_return(errand);
}

static bool part_exists(const struct visit *visit, const struct core *core) {
    for (int32_t i = 0; i < visit->part_count; i++)
        if (visit->parts[i].core == core) return true;
    return false;
}

/* One part for each core that owns an item. */
static void make_parts(struct visit *visit) {
    struct core *home = visit->request->core;
    for (int32_t i = 0; i < visit->item_count; i++) {
        struct visit_item *item = visit->items + i;
        item->core = core_of_shard(home->server, item->shard);
        if (part_exists(visit, item->core)) continue;
        visit->parts[visit->part_count++] = (struct visit_part){
            .visit = visit, .core = item->core, .errand = {.run = on_run, .back = on_back}};
    }
}

void visit_start(struct visit *visit) {
    int32_t most = visit->item_count < SHARD_COUNT_MAX ? visit->item_count : SHARD_COUNT_MAX;
    struct core *home = visit->request->core;
    visit->parts = arena_array(&visit->request->arena, struct visit_part, (size_t)most);
    make_parts(visit);
    visit->pending = visit->part_count + 1;
    int32_t count = visit->part_count; /* the visit may be gone with the last one */
    struct visit_part *parts = visit->parts;
    for (int32_t i = 0; i < count; i++) errand_send(&parts[i].errand, home, parts[i].core);
    part_back(visit);
}
