#include "broker/catalog_service.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/contracts.h"
#include "broker/core.h"
#include "broker/group_service.h"
#include "broker/registry_service.h"
#include "broker/server.h"
#include "metadata/catalog_lives.h"
#include "registry/topic_contract.h"

enum { CHANGE_WAIT_MS = 30000 };

/* The way of a batch to one core and back. The batch stays where it is until all have confirmed. */
struct copy {
    struct mail apply, confirm;
    struct catalog_service *service;
    struct core *core;
};

/* Producer ids of one core; touched by that core, and by the catalog's while `make` runs. */
struct id_block {
    struct catalog_change change;
    struct list waiting; /* producer_id_wish */
    struct core *core;
    bool fetching;
    int64_t first;
};

/* An image on its way into the log: its batches one behind the other. */
struct image {
    struct catalog_service *service;
    struct byte_buffer batches;
    size_t at;           /* where the next one begins */
    int64_t base_offset; /* of the first, once it was appended */
    struct append append;
    struct trim trim;
};

struct catalog_service {
    struct core *core; /* the catalog's */
    unsigned core_count;
    struct copy *copies;     /* per core */
    struct id_block *blocks; /* per core */
    struct partition *log;
    struct list queue; /* catalog_change */
    bool choosing;     /* next_change() is not entered twice */
    /* The change under way, NULL when none is. */
    struct catalog_change *current;
    struct change_records records;
    struct byte_buffer batch;
    struct append append;
    unsigned waiting;     /* cores that have not confirmed */
    int64_t late_at;      /* a change that nobody waits for any more is durable there; 0: none */
    struct waiter waiter; /* for that */
    /* The image that is being written, NULL when none is; the next is due at this size of the log.
     */
    struct image *image;
    uint64_t image_due_bytes;
};

static void next_change(struct catalog_service *service);

static struct core *shard_core(struct core *core, uint16_t shard) {
    return core_of_shard(core->server, shard);
}

/* --- partitions of a core's own shards --- */

/* An observer's context is its core. */
static void on_partition_created(void *context, const struct catalog_topic *topic,
                                 const struct catalog_partition *partition) {
    struct core *core = context;
    if (shard_core(core, partition->shard) != core) return;
    struct partition_definition definition;
    partition_define(topic, partition, &definition);
    store_create_partition(core->store, &definition);
    group_service_partition_created(core->groups, topic, partition);
    registry_service_partition_created(core->server->registry, core, topic, partition);
}

static void on_partition_deleted(void *context, const struct catalog_topic *topic,
                                 const struct catalog_partition *partition) {
    struct core *core = context;
    (void)topic;
    if (shard_core(core, partition->shard) == core)
        store_delete_partition(core->store, partition->id);
}

static void configure_partition(struct core *core, const struct catalog_partition *partition,
                                const struct partition_rules *rules) {
    if (shard_core(core, partition->shard) != core) return;
    struct partition *log = store_find_partition(core->store, partition->id);
    if (log) partition_configure(log, rules);
}

static void on_topic_configured(void *context, const struct catalog_topic *topic) {
    struct partition_rules rules;
    partition_rules_of(&topic->effective, &rules);
    for (int32_t i = 0; i < topic->partition_count; i++)
        configure_partition(context, topic->partitions + i, &rules);
}

/* --- a change: made, appended, applied everywhere, done --- */

/* Back to the core that asked; the next one may start. */
static void finish(struct catalog_service *service, enum error_code code) {
    struct catalog_change *change = service->current;
    service->current = NULL;
    change->code = code;
    errand_return(&change->errand);
}

static void apply_on(struct core *core, struct bytes batch) {
    struct error error;
    const struct catalog_observer observer = {.context = core,
                                              .partition_created = on_partition_created,
                                              .partition_deleted = on_partition_deleted,
                                              .topic_configured = on_topic_configured};
    if (!catalog_apply(&core->catalog, batch, &observer, &error)) {
        say_error("a change of the catalog cannot be applied: %s", error.text);
        unreachable(); /* it was made here, from the same state */
    }
    group_service_catalog_changed(core->groups);
}

static void confirmed(struct catalog_service *service) {
    check(service->waiting > 0);
    if (--service->waiting > 0) return;
    service->late_at = 0;
    if (service->current) finish(service, ERROR_NONE);
    next_change(service);
}

static void on_confirm(struct mail *mail) {
    confirmed(container_of(mail, struct copy, confirm)->service);
}

static void on_apply(struct mail *mail) {
    struct copy *copy = container_of(mail, struct copy, apply);
    apply_on(copy->core, byte_buffer_bytes(&copy->service->batch));
    ring_post(copy->service->core->ring, &copy->confirm);
}

static void broadcast(struct catalog_service *service) {
    service->waiting = service->core_count;
    for (unsigned i = 0; i < service->core_count; i++)
        if (service->copies[i].core != service->core)
            ring_post(service->copies[i].core->ring, &service->copies[i].apply);
    apply_on(service->core, byte_buffer_bytes(&service->batch));
    confirmed(service);
}

/* The disk was full when it had its offset, so that it waits for space, and the other changes with
 * it: they are made from what it leaves. */
static void look_for_late(struct catalog_service *service) {
    struct partition_view view;
    partition_look(service->log, -1, -1, &view);
    if (view.high_watermark < service->late_at)
        partition_wait(service->log, &service->waiter);
    else
        broadcast(service);
}

static void on_log_moved(struct waiter *waiter) {
    look_for_late(container_of(waiter, struct catalog_service, waiter));
}

static void on_appended(struct append *append) {
    struct catalog_service *service = container_of(append, struct catalog_service, append);
    if (append->code == ERROR_NONE) {
        broadcast(service);
        return;
    }
    if (append->code == ERROR_REQUEST_TIMED_OUT) service->late_at = append->release_at;
    finish(service, append->code);
    if (service->late_at) look_for_late(service);
    next_change(service);
}

static enum append_state append_batch(struct catalog_service *service, struct append *append,
                                      struct bytes batch, uint64_t deadline_ns) {
    *append = (struct append){.batch = batch,
                              .append_time_ms = -1,
                              .deadline_ns = deadline_ns,
                              .may_time_out = append == &service->append,
                              .done = append->done};
    check(batch_header_read(batch, &append->header));
    return partition_append(service->log, append);
}

static uint64_t wait_from_now(struct catalog_service *service) {
    return ring_now_ns(service->core->ring) + CHANGE_WAIT_MS * NS_PER_MS;
}

/* What a topic's contract names has to be in the registry. */
static bool judge_contract(void *context, struct bytes topic, const struct topic_config *config,
                           struct error *error) {
    const struct core *core = context;
    return topic_contract_judge(config, topic, core->schemas, error);
}

/* The records of the current change; false when it has none. A new log says its format first. */
static bool make_records(struct catalog_service *service) {
    struct core *core = service->core;
    struct catalog_change *current = service->current;
    struct change change;
    int32_t first = 0;
    change_records_restart(&service->records);
    service->records.now_ms = ring_wall_ms(core->ring);
    if (core->catalog.version == 0) change_records_version(&service->records);
    first = change_records_count(&service->records);
    change_init(&change, current->arena, &core->catalog, core->server->directory.node_id,
                core->server->directory.shard_count, &service->records);
    const struct contract_judge judge = {.context = core, .judge = judge_contract};
    change.contract_judge = &judge;
    change.bindings = contracts_bindings(core->server->contracts);
    current->make(current, &change);
    return change_records_count(&service->records) > first;
}

static void start_change(struct catalog_service *service) {
    struct catalog_change *change =
        list_entry(list_first(&service->queue), struct catalog_change, link);
    list_remove(&change->link);
    service->current = change;
    bool has_records = make_records(service);
    if (!has_records || service->late_at) {
        finish(service, has_records ? ERROR_KAFKA_STORAGE_ERROR : ERROR_NONE);
        return;
    }
    service->batch.len = 0;
    change_records_finish(&service->records, &service->batch);
    service->append.done = on_appended;
    if (append_batch(service, &service->append, byte_buffer_bytes(&service->batch),
                     change->deadline_ns) == APPEND_REFUSED)
        finish(service, service->append.code);
}

/* --- the log is kept short --- */

static void image_end(struct image *image, uint64_t due_bytes) {
    struct catalog_service *service = image->service;
    service->image = NULL;
    service->image_due_bytes = due_bytes > CATALOG_LOG_BYTES ? due_bytes : CATALOG_LOG_BYTES;
    byte_buffer_deinit(&image->batches);
    free(image);
    next_change(service);
}

/* What was written of it is dropped by readers; tried again when the log has grown further. */
static void image_give_up(struct image *image, enum error_code code) {
    say_warning("the catalog's log could not be shortened: %s", error_code_message((int16_t)code));
    image_end(image, partition_size_bytes(image->service->log) + CATALOG_LOG_BYTES);
}

/* How much the log may grow after an image before the next one. */
static uint64_t image_due_after(const struct image *image) {
    uint64_t bytes = 4 * image->batches.len;
    return bytes > CATALOG_LOG_BYTES ? bytes : CATALOG_LOG_BYTES;
}

static void on_image_trimmed(struct trim *trim) {
    struct image *image = container_of(trim, struct image, trim);
    if (trim->code)
        image_give_up(image, trim->code);
    else /* what was trimmed still counts until its whole segment can go */
        image_end(image, partition_size_bytes(image->service->log) + image_due_after(image));
}

static void image_append(struct image *image);

static void on_image_appended(struct append *append) {
    struct image *image = container_of(append, struct image, append);
    if (append->code) {
        image_give_up(image, append->code);
        return;
    }
    if (image->at == 0) image->base_offset = append->base_offset;
    image->at += append->batch.len;
    if (image->at < image->batches.len) {
        image_append(image);
        return;
    }
    image->trim = (struct trim){.offset = image->base_offset, .done = on_image_trimmed};
    if (partition_trim(image->service->log, &image->trim)) on_image_trimmed(&image->trim);
}

static void image_append(struct image *image) {
    struct bytes rest = bytes_make(image->batches.at + image->at, image->batches.len - image->at);
    struct batch_header header;
    check(batch_header_read(rest, &header) && batch_size(&header) <= rest.len);
    rest.len = batch_size(&header);
    image->append.done = on_image_appended;
    if (append_batch(image->service, &image->append, rest, wait_from_now(image->service)) ==
        APPEND_REFUSED)
        image_give_up(image, image->append.code);
}

/* True when an image is on its way: changes wait for it. */
static bool image_when_due(struct catalog_service *service) {
    uint64_t size = partition_size_bytes(service->log);
    if (size <= service->image_due_bytes || service->late_at) return false;
    if (!partition_has_space(service->log)) return false; /* later */
    struct image *image = new_zero(struct image);
    image->service = service;
    catalog_image(&service->core->catalog, ring_wall_ms(service->core->ring), &image->batches);
    if (size <= 4 * image->batches.len) {
        service->image_due_bytes = 4 * image->batches.len;
        byte_buffer_deinit(&image->batches);
        free(image);
        return false;
    }
    say_info("catalog: %llu bytes of log are replaced by an image of %zu", (unsigned long long)size,
             image->batches.len);
    service->image = image;
    image_append(image);
    return true;
}

/* --- the queue --- */

static void next_change(struct catalog_service *service) {
    if (service->choosing) return;
    service->choosing = true;
    while (!service->current && !service->image && !list_is_empty(&service->queue))
        if (!image_when_due(service)) start_change(service);
    service->choosing = false;
}

/* On the catalog's core. */
static void on_change_arrived(struct errand *errand, struct core *there) {
    struct catalog_change *change = container_of(errand, struct catalog_change, errand);
    struct catalog_service *service = there->catalog_service;
    if (!change->deadline_ns) change->deadline_ns = wait_from_now(service);
    list_append(&service->queue, &change->link);
    next_change(service);
}

/* On the asking core. */
static void on_change_back(struct errand *errand) {
    struct catalog_change *change = container_of(errand, struct catalog_change, errand);
    change->done(change);
}

void catalog_service_change(struct catalog_change *change, struct core *asking) {
    change->asking = asking;
    change->code = ERROR_NONE;
    change->errand.run = on_change_arrived;
    change->errand.back = on_change_back;
    list_init(&change->link);
    errand_send(&change->errand, asking, asking->catalog_service->core);
}

/* --- topics by mention --- */

static void make_auto_create(struct catalog_change *self, struct change *change) {
    struct auto_create *create = container_of(self, struct auto_create, change);
    create->results = arena_array(change->arena, struct change_result, (size_t)create->count);
    change_auto_create(change, create->names, create->count, create->results);
}

void catalog_service_auto_create(struct auto_create *create, struct core *asking) {
    create->change.make = make_auto_create;
    catalog_service_change(&create->change, asking);
}

/* --- producer ids --- */

static void make_ids(struct catalog_change *self, struct change *change) {
    change_producer_ids(change, PRODUCER_ID_BLOCK,
                        &container_of(self, struct id_block, change)->first);
}

static bool take_id(struct core *core, struct producer_id_wish *wish) {
    if (core->producer_id_next >= core->producer_id_end) return false;
    wish->code = ERROR_NONE;
    wish->producer_id = core->producer_id_next++;
    return true;
}

static void fetch_ids(struct id_block *block) {
    block->fetching = true;
    block->change.deadline_ns = 0;
    catalog_service_change(&block->change, block->core);
}

/* Gives ids to those who wait, or all of them the error; fetches again when a block was too small.
 */
static void on_ids(struct catalog_change *change) {
    struct id_block *block = container_of(change, struct id_block, change);
    struct list served;
    block->fetching = false;
    if (change->code == ERROR_NONE) {
        block->core->producer_id_next = block->first;
        block->core->producer_id_end = block->first + PRODUCER_ID_BLOCK;
    }
    list_init(&served);
    list_each(node, &block->waiting) {
        struct producer_id_wish *wish = list_entry(node, struct producer_id_wish, link);
        wish->code = change->code;
        if (change->code == ERROR_NONE && !take_id(block->core, wish)) break;
        list_remove(node);
        list_append(&served, node);
    }
    if (!list_is_empty(&block->waiting)) fetch_ids(block);
    for (struct list *node; (node = list_first(&served));) {
        struct producer_id_wish *wish = list_entry(node, struct producer_id_wish, link);
        list_remove(node);
        wish->done(wish);
    }
}

bool catalog_service_producer_id(struct core *core, struct producer_id_wish *wish) {
    struct id_block *block = core->catalog_service->blocks + core->index;
    list_init(&wish->link);
    if (list_is_empty(&block->waiting) && take_id(core, wish)) return true;
    list_append(&block->waiting, &wish->link);
    if (!block->fetching) fetch_ids(block);
    return false;
}

/* --- start-up --- */

static void copy_init(struct copy *copy, struct catalog_service *service, struct core *core) {
    *copy = (struct copy){.service = service, .core = core};
    copy->apply.deliver = on_apply;
    copy->confirm.deliver = on_confirm;
}

static void id_block_init(struct id_block *block, struct core *core) {
    *block = (struct id_block){.core = core, .change = {.make = make_ids, .done = on_ids}};
    list_init(&block->waiting);
}

struct catalog_service *catalog_service_new(struct core *const *cores, unsigned count) {
    struct catalog_service *service = new_zero(struct catalog_service);
    service->core_count = count;
    service->copies = memory_zero(count, sizeof *service->copies);
    service->blocks = memory_zero(count, sizeof *service->blocks);
    service->image_due_bytes = CATALOG_LOG_BYTES;
    service->waiter.wake = on_log_moved;
    list_init(&service->waiter.link);
    list_init(&service->queue);
    change_records_init(&service->records, 0);
    for (unsigned i = 0; i < count; i++) {
        check(cores[i]->index == i);
        cores[i]->catalog_service = service;
        copy_init(service->copies + i, service, cores[i]);
        id_block_init(service->blocks + i, cores[i]);
    }
    service->core = shard_core(cores[0], CATALOG_SHARD);
    return service;
}

void catalog_service_free(struct catalog_service *service) {
    if (service->image) byte_buffer_deinit(&service->image->batches);
    free(service->image);
    change_records_deinit(&service->records);
    byte_buffer_deinit(&service->batch);
    free(service->copies);
    free(service->blocks);
    free(service);
}

static struct partition *log_open(struct store *store) {
    struct partition_definition definition;
    catalog_log_define(&definition);
    return store_create_partition(store, &definition);
}

static void start_topic(struct core *core, const struct catalog_topic *topic) {
    on_topic_configured(core, topic);
    for (int32_t i = 0; i < topic->partition_count; i++)
        if (shard_core(core, topic->partitions[i].shard) == core &&
            !store_find_partition(core->store, topic->partitions[i].id))
            on_partition_created(core, topic, topic->partitions + i);
}

void catalog_service_start(struct catalog_service *service, struct core *core) {
    if (core == service->core) service->log = log_open(core->store);
    struct map *topics = &core->catalog.topics_by_name;
    for (struct map_node *node = map_first(topics); node; node = map_next(topics, node))
        start_topic(core, map_entry(node, struct catalog_topic, by_name));
}

bool catalog_service_replay(void *context, struct bytes batch, struct error *error) {
    struct catalog_replay *replay = context;
    for (unsigned i = 0; i < replay->count; i++)
        if (!catalog_apply(&replay->cores[i]->catalog, batch, NULL, error)) return false;
    return true;
}
