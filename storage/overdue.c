#include "storage/overdue.h"

#include "base/memory.h"

/* All that the log still needs of an append: its numbers and the batch's header. */
struct standin {
    struct append append;
    uint8_t header[BATCH_HEADER_SIZE];
};

static void standin_done(struct append *append) {
    free(container_of(append, struct standin, append));
}

static void append_become(struct append **reference, const struct append *append,
                          struct append *other) {
    if (*reference == append) *reference = other;
}

/* Puts a stand-in where the append was; that is in no list then. */
static void append_replace(struct partition *partition, struct append *append) {
    struct standin *standin = new_zero(struct standin);
    struct append *other = &standin->append;
    *other = *append;
    memcpy(standin->header, append->batch.at, sizeof standin->header);
    other->batch = bytes_make(standin->header, sizeof standin->header);
    other->may_time_out = false;
    other->done = standin_done;
    list_insert_before(&append->link, &other->link);
    list_remove(&append->link);
    append_become(&partition->unformed, append, other);
    list_each(node, &partition->bypasses) {
        struct bypass *bypass = list_entry(node, struct bypass, link);
        append_become(&bypass->first, append, other);
        append_become(&bypass->last, append, other);
    }
}

/* What was sent again has nothing in the log, and may come as often as its sender likes. */
static bool log_needs(const struct partition *partition, const struct append *append) {
    return append->bytes > 0 || partition->unformed == append;
}

static void partition_take_overdue(struct partition *partition, uint64_t now_ns,
                                   struct list *overdue) {
    list_each(node, &partition->pending) {
        struct append *append = list_entry(node, struct append, link);
        if (!append->may_time_out || now_ns < append->deadline_ns) continue;
        if (log_needs(partition, append))
            append_replace(partition, append);
        else
            list_remove(&append->link);
        list_append(overdue, &append->link);
    }
}

void overdue_answer(struct store *store) {
    struct list overdue;
    list_init(&overdue);
    list_each(node, &store->settling) partition_take_overdue(
        list_entry(node, struct partition, settling), ring_now_ns(store->ring), &overdue);
    for (struct list *node; (node = list_first(&overdue));) {
        struct append *append = list_entry(node, struct append, link);
        list_remove(node);
        append->code = ERROR_REQUEST_TIMED_OUT;
        append->base_offset = -1;
        append->done(append);
    }
}

void overdue_forget(struct partition *partition) {
    list_each(node, &partition->pending) {
        struct append *append = list_entry(node, struct append, link);
        if (append->done != standin_done) continue;
        list_remove(node);
        standin_done(append);
    }
}
