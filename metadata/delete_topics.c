/* DeleteTopics (KIP-4; by id: KIP-516). */
#include "metadata/change.h"
#include "metadata/tally.h"

static struct change_result check_wish(struct change *change, const struct delete_wish *wish) {
    bool named = !bytes_is_null(wish->name), has_id = !uuid_is_zero(&wish->id);
    if (named && has_id)
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "You may not specify both topic name and topic id.");
    if (!named && !has_id)
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "Neither topic name nor id were specified.");
    if (!change->catalog->options->delete_topic_enable)
        return change_refuse(change, ERROR_TOPIC_DELETION_DISABLED,
                             "Topic deletion is disabled (option delete-topic-enable).");
    return (struct change_result){0};
}

static struct change_result check_topic(struct change *change, const struct delete_wish *wish,
                                        const struct catalog_topic *topic) {
    if (!topic && bytes_is_null(wish->name))
        return change_refuse(change, ERROR_UNKNOWN_TOPIC_ID, "This topic id does not exist.");
    if (!topic)
        return change_refuse(change, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                             "This server does not host this topic-partition.");
    if (catalog_topic_is_ours(change->catalog, topic))
        return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION,
                             "The topic '%s' belongs to the broker itself.", topic->name);
    return (struct change_result){0};
}

static const struct catalog_topic *find(struct change *change, const struct delete_wish *wish) {
    return bytes_is_null(wish->name) ? catalog_find_topic_id(change->catalog, &wish->id)
                                     : catalog_find_topic(change->catalog, wish->name);
}

/* The name and id are copied: the topic is gone when the answer is written. */
static void remove_topic(struct change *change, const struct delete_wish *wish,
                         struct tally *removed, struct delete_outcome *outcome) {
    outcome->result = check_wish(change, wish);
    if (outcome->result.code) return;
    const struct catalog_topic *topic = find(change, wish);
    outcome->result = check_topic(change, wish, topic);
    if (!topic) return;
    outcome->id = topic->id;
    outcome->name = arena_copy(change->arena, bytes_of_text(topic->name));
    if (outcome->result.code) return;
    if ((*tally_of(removed, outcome->name))++)
        outcome->result = change_refuse(change, ERROR_INVALID_REQUEST, "Duplicate topic.");
    else
        change_records_remove_topic(change->records, &topic->id);
}

void change_delete_topics(struct change *change, const struct delete_wish *wishes, int32_t count,
                          struct delete_outcome *outcomes) {
    struct tally removed;
    tally_init(&removed, change->arena);
    for (int32_t i = 0; i < count; i++) {
        outcomes[i] = (struct delete_outcome){.name = wishes[i].name, .id = wishes[i].id};
        remove_topic(change, wishes + i, &removed, outcomes + i);
    }
    tally_deinit(&removed);
}
