/* The mailbox of a ring: an intrusive list that many threads add to and one empties. The nodes live
 * in the messages' owners, so it is never full.
 *
 * Sleeping: the receiver calls mailbox_sleep() and waits only when it answers true; a sender that
 * gets true from mailbox_add() must wake the receiver (write its eventfd). Either the sender sees
 * the flag or the receiver sees the mail: both sides fence between their store and their load. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "io/ring.h"

struct mailbox {
    _Atomic(struct mail *) newest;
    atomic_bool sleeping;
};

void mailbox_init(struct mailbox *mailbox);
/* Any thread. True: the receiver sleeps and the caller has to wake it. */
bool mailbox_add(struct mailbox *mailbox, struct mail *mail);
/* Receiver: all mail, oldest first, linked by mailbox_next(); NULL when empty. */
struct mail *mailbox_take(struct mailbox *mailbox);
struct mail *mailbox_next(struct mail *mail);
bool mailbox_is_empty(struct mailbox *mailbox);
/* Receiver: true when it may sleep now; false when mail is there (and the flag is down again). */
bool mailbox_sleep(struct mailbox *mailbox);
void mailbox_awake(struct mailbox *mailbox);
