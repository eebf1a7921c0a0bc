#include "io/mailbox.h"

void mailbox_init(struct mailbox *mailbox) {
    atomic_init(&mailbox->newest, NULL);
    atomic_init(&mailbox->sleeping, false);
}

bool mailbox_add(struct mailbox *mailbox, struct mail *mail) {
    struct mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do atomic_store_explicit(&mail->next, newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&mailbox->newest, &newest, mail));
    /* Sequentially consistent, as the store and the load in mailbox_sleep(): one of both sees the
     * other's. The exchange lets one of several senders do the waking. */
    return atomic_load(&mailbox->sleeping) && atomic_exchange(&mailbox->sleeping, false);
}

struct mail *mailbox_take(struct mailbox *mailbox) {
    if (mailbox_is_empty(mailbox)) return NULL;
    struct mail *newest = atomic_exchange(&mailbox->newest, NULL), *oldest = NULL;
    while (newest) {
        struct mail *before = mailbox_next(newest);
        atomic_store_explicit(&newest->next, oldest, memory_order_relaxed);
        oldest = newest;
        newest = before;
    }
    return oldest;
}

struct mail *mailbox_next(struct mail *mail) {
    return atomic_load_explicit(&mail->next, memory_order_relaxed);
}

bool mailbox_is_empty(struct mailbox *mailbox) { return atomic_load(&mailbox->newest) == NULL; }

bool mailbox_sleep(struct mailbox *mailbox) {
    atomic_store(&mailbox->sleeping, true);
    if (mailbox_is_empty(mailbox)) return true;
    mailbox_awake(mailbox);
    return false;
}

void mailbox_awake(struct mailbox *mailbox) { atomic_store(&mailbox->sleeping, false); }
