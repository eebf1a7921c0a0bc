/* Appends that have their offset when the disk turns out to be full wait in the log until there is
 * space. Who sent one waits no longer than he said: he is answered REQUEST_TIMED_OUT, as Kafka's
 * delayed produce requests are, and a stand-in goes on in the append's place. So the batch is
 * neither refused nor acknowledged: it becomes readable when there is space, and a crash before
 * leaves nothing of it. An idempotent producer that sends it again has it once. */
#pragma once

#include "storage/state.h"

/* Those of partitions whose write-out waits for space. */
void overdue_answer(struct store *store);
/* Frees the stand-ins of a partition that goes. */
void overdue_forget(struct partition *partition);
