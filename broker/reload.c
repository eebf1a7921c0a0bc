#include "broker/reload.h"

#include "base/say.h"
#include "metadata/catalog_lives.h"

struct reload {
    struct mail mail;
    struct core *core;
    struct options *fresh;
};

static void say_lines(const struct text *report) {
    const char *at = report->at;
    if (!at) say_info("options reloaded: nothing has changed");
    while (at && *at) {
        size_t len = strcspn(at, "\n");
        say_info("options reloaded: %.*s", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static void reload_topic(struct core *core, const struct catalog_topic *topic) {
    struct partition_rules rules;
    partition_rules_of(&topic->effective, &rules);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        struct partition *partition = store_find_partition(core->store, topic->partitions[i].id);
        if (partition) partition_configure(partition, &rules);
    }
}

static void reload_store(struct core *core) {
    const struct options *options = core->catalog.options;
    const struct store_options intervals = {
        .retention_check_ms = (uint64_t)options->retention_check_ms,
        .compact_check_ms = (uint64_t)options->compact_check_ms,
        .producer_expiration_ms = (uint64_t)options->producer_id_expiration_ms,
    };
    store_set_intervals(core->store, &intervals);
}

static void reload_deliver(struct mail *mail) {
    struct reload *reload = container_of(mail, struct reload, mail);
    struct core *core = reload->core;
    struct text report = {0};
    options_reload(core->catalog.options, reload->fresh, &report);
    catalog_follow_options(&core->catalog);
    struct map *topics = &core->catalog.topics_by_name;
    for (struct map_node *node = map_first(topics); node; node = map_next(topics, node))
        reload_topic(core, map_entry(node, struct catalog_topic, by_name));
    reload_store(core);
    if (core->index == 0) say_lines(&report);
    text_deinit(&report);
    options_free(reload->fresh);
    free(reload);
}

void reload_send(struct server *server, const struct options *fresh) {
    for (unsigned i = 0; i < server->core_count; i++) {
        struct reload *reload = new_zero(struct reload);
        reload->core = &server->cores[i];
        reload->fresh = options_copy(fresh);
        reload->mail.deliver = reload_deliver;
        ring_post(server->cores[i].ring, &reload->mail);
    }
}
