#include "broker/serve.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/announce.h"
#include "broker/ephemeral.h"
#include "broker/machine.h"
#include "broker/reload.h"
#include "config/option_row.h"

extern char **environ;

enum { WORKERS_MAX = 4, MEMORY_MIN_MIB = 64 };

/* One core's thread. All of them and the main thread meet at barriers: on the way up after opening,
 * after the verdict, and after the first step of serving; at the end before anything is freed. */
struct core_thread {
    struct serve *serve;
    unsigned index;
    pthread_t thread;
    bool good;
    struct error error;
};

struct serve {
    int argc;
    char **argv;
    uint64_t started_ns;
    struct options *options;
    struct ephemeral ephemeral;
    struct server server;
    struct workers *workers;
    pthread_barrier_t all, end;
    bool goes_on; /* the main thread's verdict, read behind the barrier */
    struct core_thread threads[CORES_MAX];
    int signals, parent; /* descriptors; parent -1: not watched */
};

static int fail(const struct error *error) {
    say_error("%s", error->text);
    return 1;
}

/* --- cores --- */

static bool core_thread_open(struct core_thread *thread) {
    static const enum io_backend backends[] = {
        [OPTION_IO_AUTO] = IO_AUTO, [OPTION_IO_URING] = IO_URING, [OPTION_IO_EPOLL] = IO_EPOLL};
    struct serve *serve = thread->serve;
    struct ring_options options = {.backend = backends[serve->options->io],
                                   .workers = serve->workers};
    struct error why;
    struct ring *ring = ring_new(&options, &why);
    if (!ring) {
        thread->error = why;
        return false;
    }
    if (why.text[0] && thread->index == 0) say_info("%s", why.text);
    return server_open_core(&serve->server, thread->index, ring, &thread->error);
}

static void core_thread_end(struct core_thread *thread) {
    struct serve *serve = thread->serve;
    pthread_barrier_wait(&serve->end); /* who may still be posting mail to this ring? */
    if (!atomic_load(&serve->server.forced)) server_close_core(&serve->server, thread->index);
}

static void *core_thread_run(void *context) {
    struct core_thread *thread = context;
    struct serve *serve = thread->serve;
    struct server *server = &serve->server;
    char name[16];
    snprintf(name, sizeof name, "core-%u", thread->index);
    prctl(PR_SET_NAME, name);
    thread->good = core_thread_open(thread);
    pthread_barrier_wait(&serve->all);
    pthread_barrier_wait(&serve->all);
    if (serve->goes_on) {
        thread->good = server_begin_core(server, thread->index, &thread->error);
        pthread_barrier_wait(&serve->all);
        pthread_barrier_wait(&serve->all);
    }
    if (serve->goes_on)
        ring_run(server->cores[thread->index].ring);
    else
        server_cancel_core(server, thread->index);
    core_thread_end(thread);
    return NULL;
}

/* The first core that failed, or NULL. */
static const struct core_thread *failed_thread(const struct serve *serve) {
    for (unsigned i = 0; i < serve->server.core_count; i++)
        if (!serve->threads[i].good) return &serve->threads[i];
    return NULL;
}

/* Behind the barrier, while the cores wait for the verdict. */
static bool verdict(struct serve *serve, struct error *error) {
    const struct core_thread *failed = failed_thread(serve);
    serve->goes_on = !failed;
    if (failed) *error = failed->error;
    return !failed;
}

static bool start_cores(struct serve *serve, struct error *error) {
    unsigned count = serve->server.core_count;
    pthread_barrier_init(&serve->all, NULL, count + 1);
    pthread_barrier_init(&serve->end, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        struct core_thread *thread = &serve->threads[i];
        thread->serve = serve;
        thread->index = i;
        int failed = pthread_create(&thread->thread, NULL, core_thread_run, thread);
        check(failed == 0);
    }
    pthread_barrier_wait(&serve->all);
    bool good = verdict(serve, error) && server_join(&serve->server, error);
    serve->goes_on = good;
    pthread_barrier_wait(&serve->all);
    if (!good) return false;
    pthread_barrier_wait(&serve->all);
    good = verdict(serve, error) && announce_ready(&serve->server, error);
    serve->goes_on = good;
    pthread_barrier_wait(&serve->all);
    return good;
}

static void join_cores(struct serve *serve) {
    pthread_barrier_wait(&serve->end);
    for (unsigned i = 0; i < serve->server.core_count; i++)
        pthread_join(serve->threads[i].thread, NULL);
    pthread_barrier_destroy(&serve->all);
    pthread_barrier_destroy(&serve->end);
}

/* --- signals and the parent --- */

/* Before the first thread, so that all inherit the mask and only the main thread hears signals. */
static bool open_signals(struct serve *serve, struct error *error) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    serve->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return serve->signals >= 0 || error_set(error, errno, "signalfd: %s", strerror(errno));
}

/* A descriptor of the parent, because PR_SET_PDEATHSIG speaks when the thread ends that started
 * us, which in many test runners is not the process; that is for kernels without pidfd only. */
static void watch_parent(struct serve *serve) {
    serve->parent = -1;
    if (!serve->options->exit_with_parent) return;
    pid_t parent = getppid();
    serve->parent = (int)syscall(SYS_pidfd_open, parent, 0);
    if (serve->parent < 0) prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) raise(SIGTERM); /* it died meanwhile */
}

static void reload(struct serve *serve) {
    struct options *fresh;
    struct error error;
    if (!options_load(serve->argc, serve->argv, environ, &fresh, &error)) {
        say_error("the options are not reloaded: %s", error.text);
        return;
    }
    say_configure((enum say_level)fresh->log_level, (enum say_format)fresh->log_format);
    reload_send(&serve->server, fresh);
    options_free(fresh);
}

/* The second signal is to end the process at once. */
static void restore_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Returns when the broker is to end. */
static void await_end(struct serve *serve) {
    for (;;) {
        struct pollfd fds[] = {{serve->signals, POLLIN, 0}, {serve->parent, POLLIN, 0}};
        int ready = poll(fds, serve->parent >= 0 ? 2 : 1, -1);
        if (ready < 0) continue;
        if (serve->parent >= 0 && fds[1].revents) {
            say_info("the parent process has ended: stopping");
            return;
        }
        struct signalfd_siginfo info;
        if (read(serve->signals, &info, sizeof info) != sizeof info) continue;
        if (info.ssi_signo != SIGHUP) {
            say_info("stopping (%s)", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
            return;
        }
        reload(serve);
    }
}

/* --- the process --- */

static unsigned core_count(const struct options *options) {
    unsigned processors = machine_processors();
    if (options->cores > 0) return (unsigned)options->cores;
    if (processors > CORES_MAX) processors = CORES_MAX;
    return processors > 1 ? processors - 1 : 1;
}

static size_t memory_budget(const struct options *options) {
    size_t bytes = options->memory_bytes ? (size_t)options->memory_bytes : machine_memory() / 4;
    size_t least = (size_t)MEMORY_MIN_MIB << 20;
    return bytes < least ? least : bytes;
}

static struct disk *open_disk(struct serve *serve, struct error *error) {
    if (!serve->options->ephemeral) return disk_open(serve->options->data, true, error);
    if (!ephemeral_open(&serve->ephemeral, error)) return NULL;
    return disk_open(serve->ephemeral.path, false, error);
}

static void say_recovery(const struct server *server) {
    const struct recover_report *report = &server->recovery;
    if (server->directory.formatted_now) return;
    say_info("recovered %lu batches (%lu MiB of journal) in %lu ms", (unsigned long)report->batches,
             (unsigned long)(report->bytes >> 20), (unsigned long)report->elapsed_ms);
    if (report->offline_partitions > 0)
        say_error("%lu partitions are damaged and offline",
                  (unsigned long)report->offline_partitions);
}

/* From an open server to the end of its cores. */
static bool run(struct serve *serve, struct error *error) {
    say_recovery(&serve->server);
    serve->workers = workers_new(WORKERS_MAX);
    bool good = start_cores(serve, error);
    if (good) {
        announce_start(&serve->server, serve->started_ns);
        await_end(serve);
        server_drain(&serve->server);
    }
    restore_signals();
    join_cores(serve);
    if (!atomic_load(&serve->server.forced)) return good;
    if (serve->options->ephemeral) ephemeral_close(&serve->ephemeral);
    _exit(0);
}

static int serve_with_options(struct serve *serve) {
    struct error error;
    machine_raise_file_limit();
    watch_parent(serve);
    struct disk *disk = open_disk(serve, &error);
    bool good = disk != NULL;
    if (disk) {
        good = server_open(&serve->server, serve->options, disk, core_count(serve->options),
                           memory_budget(serve->options), &error) &&
               run(serve, &error);
        server_close(&serve->server);
        if (serve->workers) workers_free(serve->workers);
    }
    if (serve->ephemeral.path[0]) ephemeral_close(&serve->ephemeral);
    return good ? 0 : fail(&error);
}

static void say_warnings(const struct options *options) {
    const char *at = options->warnings.at;
    while (at && *at) {
        size_t len = strcspn(at, "\n");
        say_warning("%.*s", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static int print_help(void) {
    struct text text = {0};
    options_print_help(&text);
    printf("usage: millrace serve [OPTION]...\n\nStarts the broker.\n\n%s", text.at ? text.at : "");
    text_deinit(&text);
    return 0;
}

/* Large frames come and go all the time: give their memory back to the system only in large steps,
 * because pages that must be cleared anew cost more than the copy into them. */
static void keep_freed_memory(void) {
    enum { MMAP_THRESHOLD = 32 << 20, TRIM_THRESHOLD = 64 << 20 };
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
}

int serve_main(int argc, char *argv[]) {
    keep_freed_memory();
    struct serve *serve = new_zero(struct serve);
    struct error error;
    serve->started_ns = clock_monotonic_ns();
    serve->argc = argc;
    serve->argv = argv;
    if (!open_signals(serve, &error) ||
        !options_load(argc, argv, environ, &serve->options, &error)) {
        free(serve);
        return fail(&error);
    }
    say_configure((enum say_level)serve->options->log_level,
                  (enum say_format)serve->options->log_format);
    say_warnings(serve->options);
    int status = serve->options->help_wanted ? print_help() : serve_with_options(serve);
    options_free(serve->options);
    free(serve);
    return status;
}
