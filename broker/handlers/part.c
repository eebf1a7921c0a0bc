#include "broker/handlers/part.h"

bool part_find(struct part *part, const struct catalog_topic *topic, int32_t index,
               enum error_code missing) {
    part->missing = missing;
    part->code = topic ? ERROR_UNKNOWN_TOPIC_OR_PARTITION : missing;
    if (!topic || index < 0 || index >= topic->partition_count) return false;
    const struct catalog_partition *partition = &topic->partitions[index];
    part->partition_id = partition->id;
    part->shard = partition->shard;
    part->leader_epoch = partition->leader_epoch;
    part->code = ERROR_NONE;
    return true;
}

static void parts_one_back(struct parts *parts) {
    if (--parts->away == 0) parts->done(parts->request);
}

static void part_back(struct errand *errand) {
    struct part *part = container_of(errand, struct part, errand);
    if (part->parts->back) part->parts->back(part);
    parts_one_back(part->parts);
}

static void part_arrive(struct errand *errand, struct core *there) {
    struct part *part = container_of(errand, struct part, errand);
    struct partition *partition = store_find_partition(there->store, part->partition_id);
    if (partition)
        part->run(part, partition);
    else
        part_finish(part, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
}

void parts_begin(struct parts *parts, struct request *request,
                 void (*done)(struct request *request)) {
    *parts = (struct parts){.request = request, .done = done, .away = 1};
    request_count_memory(request);
}

void part_send(struct parts *parts, struct part *part,
               void (*run)(struct part *part, struct partition *partition)) {
    struct core *home = parts->request->core;
    part->parts = parts;
    part->run = run;
    part->errand.run = part_arrive;
    part->errand.back = part_back;
    parts->away++;
    errand_send(&part->errand, home, core_of_shard(home->server, part->shard));
}

void part_finish(struct part *part, enum error_code code) {
    part->code = code == ERROR_UNKNOWN_TOPIC_OR_PARTITION ? part->missing : code;
    errand_return(&part->errand);
}

void parts_end(struct parts *parts) { parts_one_back(parts); }
