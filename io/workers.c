/* One queue, a lock and up to `threads_max` threads. A thread is started when work is queued and
 * nobody is idle; threads stay until workers_free(). Signals are for the main thread only. */
#include "io/workers.h"

#include <pthread.h>
#include <signal.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/backend.h"

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list queue;
    unsigned queued, idle, threads, threads_max;
    bool stop;
    pthread_t *ids;
};

struct workers *workers_new(unsigned threads_max) {
    check(threads_max > 0);
    struct workers *workers = new_zero(struct workers);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->more, NULL);
    list_init(&workers->queue);
    workers->threads_max = threads_max;
    workers->ids = memory_zero(threads_max, sizeof *workers->ids);
    return workers;
}

static struct work *workers_take(struct workers *workers) {
    pthread_mutex_lock(&workers->lock);
    workers->idle++;
    while (list_is_empty(&workers->queue) && !workers->stop)
        pthread_cond_wait(&workers->more, &workers->lock);
    workers->idle--;
    struct list *first = list_first(&workers->queue);
    if (first) {
        list_remove(first);
        workers->queued--;
    }
    pthread_mutex_unlock(&workers->lock);
    return first ? list_entry(first, struct work, link) : NULL;
}

static void *workers_main(void *context) {
    struct workers *workers = context;
    pthread_setname_np(pthread_self(), "worker");
    for (struct work *work; (work = workers_take(workers));) {
        work->run(work);
        ring_post_work(work);
    }
    return NULL;
}

static void workers_start_thread(struct workers *workers) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&workers->ids[workers->threads], NULL, workers_main, workers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) workers->threads++;
    check(workers->threads > 0 && "no thread for blocking work can be started");
}

void workers_add(struct workers *workers, struct work *work) {
    pthread_mutex_lock(&workers->lock);
    check(!workers->stop);
    list_append(&workers->queue, &work->link);
    workers->queued++;
    if (workers->queued > workers->idle && workers->threads < workers->threads_max)
        workers_start_thread(workers);
    pthread_cond_signal(&workers->more);
    pthread_mutex_unlock(&workers->lock);
}

void workers_free(struct workers *workers) {
    if (!workers) return;
    pthread_mutex_lock(&workers->lock);
    check(list_is_empty(&workers->queue) && "rings are freed before their workers");
    workers->stop = true;
    pthread_cond_broadcast(&workers->more);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned at = 0; at < workers->threads; at++) pthread_join(workers->ids[at], NULL);
    pthread_cond_destroy(&workers->more);
    pthread_mutex_destroy(&workers->lock);
    free(workers->ids);
    free(workers);
}
