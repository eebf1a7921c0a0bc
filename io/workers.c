/* Two lanes of threads, each with one queue: up to `threads_max` for what somebody waits for, and
 * half as many, of low priority, for the background, because a thread that computes for seconds
 * must not take the processor from a core's loop. A thread is started when work is queued and
 * nobody of its lane is idle; threads stay until workers_free(). Signals are for the main thread
 * only. */
#include "io/workers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/backend.h"

enum { BACKGROUND_NICE = 10 }; /* about a tenth of what a loop gets that competes with it */

struct lane {
    struct workers *workers;
    pthread_cond_t more;
    struct list queue;
    unsigned queued, idle, threads, threads_max;
    int nice;
    pthread_t *ids;
};

struct workers {
    pthread_mutex_t lock;
    struct lane usual, background;
    bool stop;
};

static void lane_init(struct lane *lane, struct workers *workers, unsigned threads_max, int nice) {
    lane->workers = workers;
    pthread_cond_init(&lane->more, NULL);
    list_init(&lane->queue);
    lane->threads_max = threads_max;
    lane->nice = nice;
    lane->ids = memory_zero(threads_max, sizeof *lane->ids);
}

struct workers *workers_new(unsigned threads_max) {
    check(threads_max > 0);
    struct workers *workers = new_zero(struct workers);
    pthread_mutex_init(&workers->lock, NULL);
    lane_init(&workers->usual, workers, threads_max, 0);
    lane_init(&workers->background, workers, (threads_max + 1) / 2, BACKGROUND_NICE);
    return workers;
}

/* --- threads --- */

static struct work *lane_take(struct lane *lane) {
    struct workers *workers = lane->workers;
    pthread_mutex_lock(&workers->lock);
    lane->idle++;
    while (list_is_empty(&lane->queue) && !workers->stop)
        pthread_cond_wait(&lane->more, &workers->lock);
    lane->idle--;
    struct list *first = list_first(&lane->queue);
    if (first) {
        list_remove(first);
        lane->queued--;
    }
    pthread_mutex_unlock(&workers->lock);
    return first ? list_entry(first, struct work, link) : NULL;
}

static void *lane_main(void *context) {
    struct lane *lane = context;
    pthread_setname_np(pthread_self(), lane->nice > 0 ? "background" : "worker");
    /* On Linux a thread has a priority of its own. */
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + lane->nice);
    for (struct work *work; (work = lane_take(lane));) {
        work->run(work);
        ring_post_work(work);
    }
    return NULL;
}

static void lane_start_thread(struct lane *lane) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&lane->ids[lane->threads], NULL, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) lane->threads++;
    check(lane->threads > 0 && "no thread for blocking work can be started");
}

void workers_add(struct workers *workers, struct work *work) {
    struct lane *lane = work->is_background ? &workers->background : &workers->usual;
    pthread_mutex_lock(&workers->lock);
    check(!workers->stop);
    list_append(&lane->queue, &work->link);
    lane->queued++;
    if (lane->queued > lane->idle && lane->threads < lane->threads_max) lane_start_thread(lane);
    pthread_cond_signal(&lane->more);
    pthread_mutex_unlock(&workers->lock);
}

/* --- the end --- */

static void lane_join(struct lane *lane) {
    for (unsigned at = 0; at < lane->threads; at++) pthread_join(lane->ids[at], NULL);
    pthread_cond_destroy(&lane->more);
    free(lane->ids);
}

static void workers_stop(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    check(list_is_empty(&workers->usual.queue) && list_is_empty(&workers->background.queue) &&
          "rings are freed before their workers");
    workers->stop = true;
    pthread_cond_broadcast(&workers->usual.more);
    pthread_cond_broadcast(&workers->background.more);
    pthread_mutex_unlock(&workers->lock);
}

void workers_free(struct workers *workers) {
    if (!workers) return;
    workers_stop(workers);
    lane_join(&workers->usual);
    lane_join(&workers->background);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
