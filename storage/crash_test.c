/* A process that appends is killed at a random moment, again and again: everything that it had been
 * answered is there afterwards, byte for byte and in order, and so is everything that was ever
 * read. MILLRACE_CRASH_CYCLES asks for more than the everyday number. Also the processes that stop
 * by themselves: errors injected at the fault points. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/random.h"
#include "storage/fail_stop.h"
#include "storage/layout.h"
#include "storage/store_fixture.h"
#include "storage/write_errors.h"

enum { CYCLES = 30, LOADED = 5, IN_FLIGHT = 24, KEPT_BYTES = 2 << 20 };

/* --- the model --- */

struct known {
    uint32_t partition, size, crc;
    int64_t base_offset, last_offset; /* size 0: a trim to base_offset */
};

struct model {
    struct known *known; /* answered or read */
    size_t count, capacity;
    int64_t log_start[LOADED + 1];
};

static void model_add(struct model *model, struct known known) {
    if (known.size == 0) {
        int64_t *start = &model->log_start[known.partition];
        if (known.base_offset > *start) *start = known.base_offset;
        return;
    }
    if (model->count == model->capacity) {
        model->capacity = model->capacity * 2 + 64;
        model->known = memory_resize(model->known, model->capacity * sizeof *model->known);
    }
    model->known[model->count++] = known;
}

/* --- the load, in a child --- */

struct loader {
    struct fixture *fixture;
    struct random random;
    int pipe;
    unsigned in_flight;
};

struct loaded {
    struct append append;
    struct trim trim;
    struct loader *loader;
    uint32_t partition;
};

/* What goes wrong in the child itself is told apart from an assertion or a sanitizer, whose status
 * is 1, and from fail_stop(). */
enum { EXIT_LOADER = 90 };

static noreturn void loader_fails(const char *what, int64_t value) {
    fprintf(stderr, "the loading process: %s (%lld)\n", what, (long long)value);
    _exit(EXIT_LOADER);
}

static void report(struct loader *loader, struct known known) {
    ssize_t wrote = write(loader->pipe, &known, sizeof known);
    if (wrote != sizeof known) loader_fails("cannot report", wrote < 0 ? -errno : wrote);
}

static void loaded_appended(struct append *append) {
    struct loaded *loaded = container_of(append, struct loaded, append);
    if (append->code == ERROR_NONE)
        report(loaded->loader, (struct known){.partition = loaded->partition,
                                              .size = (uint32_t)append->batch.len,
                                              .crc = append->header.crc,
                                              .base_offset = append->base_offset,
                                              .last_offset = batch_last_offset(&append->header)});
    loaded->loader->in_flight--;
    free((void *)append->batch.at);
    free(loaded);
}

static void loaded_trimmed(struct trim *trim) {
    struct loaded *loaded = container_of(trim, struct loaded, trim);
    if (trim->code == ERROR_NONE)
        report(loaded->loader,
               (struct known){.partition = loaded->partition, .base_offset = trim->low_watermark});
    free(loaded);
}

static void load_trim(struct loader *loader, uint32_t id) {
    struct partition *partition = fixture_partition(loader->fixture, id);
    int64_t kept = partition->high_watermark - partition->log_start;
    if (partition_size_bytes(partition) < KEPT_BYTES || kept < 2) return;
    struct loaded *loaded = new_zero(struct loaded);
    *loaded = (struct loaded){.loader = loader, .partition = id};
    loaded->trim = (struct trim){.offset = partition->log_start + kept / 2, .done = loaded_trimmed};
    if (partition_trim(partition, &loaded->trim)) free(loaded);
}

static void load_append(struct loader *loader) {
    static const uint64_t limits[] = {50, 50, 2000, 2000, 30000, 130000, 400000};
    uint64_t limit = limits[random_below(&loader->random, array_count(limits))];
    uint32_t count = 1 + (uint32_t)random_below(&loader->random, 4);
    struct loaded *loaded = new_zero(struct loaded);
    *loaded = (struct loaded){.loader = loader,
                              .partition = 1 + (uint32_t)random_below(&loader->random, LOADED)};
    loaded->append = (struct append){
        .batch = fixture_batch(count, random_below(&loader->random, limit), clock_wall_ms(), -1, 0),
        .append_time_ms = -1,
        .done = loaded_appended};
    if (!batch_header_read(loaded->append.batch, &loaded->append.header))
        loader_fails("makes no batch", 0);
    if (random_below(&loader->random, 8) == 0) load_trim(loader, loaded->partition);
    struct partition *partition = fixture_partition(loader->fixture, loaded->partition);
    loader->in_flight++;
    if (partition_append(partition, &loaded->append) != APPEND_PENDING)
        loader_fails("an append was refused", loaded->append.code);
}

static void load(struct fixture *fixture, uint64_t seed, int to) {
    struct loader loader = {.fixture = fixture, .pipe = to};
    random_init(&loader.random, seed);
    fixture_start(fixture);
    for (;;) {
        bool from_outside = loader.in_flight < IN_FLIGHT; /* nothing may be there to wait for */
        while (loader.in_flight < IN_FLIGHT) load_append(&loader);
        ring_round(fixture->ring, !from_outside);
    }
}

/* Runs the load in a child for a while and kills it; answers how it ended. Its answers join the
 * model also while it runs, so that the pipe is never full. */
static int load_and_kill(struct fixture *fixture, struct model *model, uint64_t seed, uint64_t ms) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        load(fixture, seed, ends[1]);
    }
    close(ends[1]);
    pid_t killer = fork();
    if (killer == 0) {
        close(ends[0]);
        struct timespec pause_time = {(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};
        nanosleep(&pause_time, NULL);
        kill(child, SIGKILL);
        _exit(0);
    }
    struct known known;
    while (read(ends[0], &known, sizeof known) == sizeof known) model_add(model, known);
    close(ends[0]);
    /* First, while the child's number is still its own. */
    int status = 0, unused;
    kill(killer, SIGKILL);
    waitpid(killer, &unused, 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return status;
}

/* --- the verdict --- */

struct looking {
    struct read read;
    bool done;
};
static void looking_done(struct read *read) {
    container_of(read, struct looking, read)->done = true;
}

/* The batches of one answer, in order and without gaps, into `found`. */
static int64_t found_add(struct model *found, uint32_t id, const struct read *read, int64_t next) {
    uint8_t *all = memory_new(read->total);
    size_t len = 0;
    for (int32_t at = 0; at < read->piece_count; at++) {
        memcpy(all + len, read->pieces[at].at, read->pieces[at].len);
        len += read->pieces[at].len;
    }
    for (struct bytes rest = bytes_make(all, len); rest.len;) {
        struct batch_header header;
        cr_assert(batch_header_read(rest, &header) && batch_crc_valid(rest));
        bool first = found->count == 0 || found->known[found->count - 1].partition != id;
        cr_assert(first ? header.base_offset <= next : header.base_offset == next,
                  "partition %u: %lld where %lld was to come", id, (long long)header.base_offset,
                  (long long)next);
        next = batch_last_offset(&header) + 1;
        model_add(found, (struct known){.partition = id,
                                        .size = (uint32_t)batch_size(&header),
                                        .crc = header.crc,
                                        .base_offset = header.base_offset,
                                        .last_offset = next - 1});
        rest = bytes_make(rest.at + batch_size(&header), rest.len - batch_size(&header));
    }
    free(all);
    return next;
}

static void found_read(struct fixture *fixture, struct model *found, uint32_t id) {
    struct partition *partition = fixture_partition(fixture, id);
    found->log_start[id] = partition->log_start;
    for (int64_t next = partition->log_start; next < partition->high_watermark;) {
        struct looking looking = {
            .read = {
                .offset = next, .bytes_max = 200000, .minimum_one = true, .done = looking_done}};
        if (!partition_read(partition, &looking.read)) fixture_run_until(fixture, &looking.done);
        cr_assert_eq(looking.read.code, ERROR_NONE, "partition %u, offset %lld: %d", id,
                     (long long)next, looking.read.code);
        cr_assert(looking.read.total > 0);
        next = found_add(found, id, &looking.read, next);
        read_release(&looking.read);
    }
}

static const struct known *found_at(const struct model *found, uint32_t id, int64_t base_offset) {
    size_t low = 0, high = found->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct known *known = &found->known[middle];
        if (known->partition == id && known->base_offset == base_offset) return known;
        bool before =
            known->partition < id || (known->partition == id && known->base_offset < base_offset);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Everything known is there unless it was trimmed; then what is there is what is known. */
static void verify(struct fixture *fixture, struct model *model) {
    struct model found = {0};
    for (uint32_t id = 1; id <= LOADED; id++) {
        found_read(fixture, &found, id);
        cr_assert(found.log_start[id] >= model->log_start[id], "partition %u: a trim is lost", id);
    }
    for (size_t at = 0; at < model->count; at++) {
        const struct known *known = &model->known[at];
        if (known->last_offset < found.log_start[known->partition]) continue;
        const struct known *met = found_at(&found, known->partition, known->base_offset);
        cr_assert(met, "partition %u: offset %lld is lost", known->partition,
                  (long long)known->base_offset);
        cr_assert(met->crc == known->crc && met->size == known->size &&
                      met->last_offset == known->last_offset,
                  "partition %u: offset %lld is another batch", known->partition,
                  (long long)known->base_offset);
    }
    free(model->known);
    *model = found;
}

static void crash_init(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture->rules.segment_bytes = 300000;
    fixture->options.journal_bytes_max = 2 << 20;
    fixture->options.cache_bytes_max = 300000;
    fixture->options.unsettled_bytes_max = 8 << 20;
    fixture->options.segment_handles_max = 12;
    fixture->partitions = LOADED;
}

static int cycles(void) {
    const char *wanted = getenv("MILLRACE_CRASH_CYCLES");
    return wanted && atoi(wanted) > 0 ? atoi(wanted) : CYCLES;
}

static void killed_again_and_again(enum io_backend backend, uint64_t seed) {
    struct fixture fixture;
    struct model model = {0};
    struct random random;
    random_init(&random, seed);
    crash_init(&fixture);
    fixture.backend = backend;
    for (int cycle = 0; cycle < cycles() / 2; cycle++) {
        int status = load_and_kill(&fixture, &model, random_below(&random, UINT32_MAX),
                                   20 + random_below(&random, 250));
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself: %x",
                  (unsigned)status);
        fixture_start(&fixture);
        verify(&fixture, &model);
        if (cycle % 4 == 3)
            fixture_stop(&fixture);
        else
            fixture_kill(&fixture);
    }
    cr_assert(model.count > 0);
    free(model.known);
    fixture_deinit(&fixture);
}

Test(crash, killed_on_epoll, .timeout = 3600) { killed_again_and_again(IO_EPOLL, 1); }

Test(crash, killed_on_io_uring, .timeout = 3600) {
    struct error why;
    struct workers *workers = workers_new(1);
    struct ring_options options = {.backend = IO_URING, .workers = workers};
    struct ring *ring = ring_new(&options, &why);
    if (ring) ring_free(ring);
    workers_free(workers);
    if (!ring) cr_skip_test("no io_uring: %s", why.text);
    killed_again_and_again(IO_URING, 2);
}

#ifdef MILLRACE_FAULTS
/* The process stops at the error, and what it had answered before is there. */
static void stops_at(const char *fault) {
    struct fixture fixture;
    struct model model = {0};
    crash_init(&fixture);
    setenv("MILLRACE_FAULT", fault, 1);
    int status = load_and_kill(&fixture, &model, 7, 20000);
    unsetenv("MILLRACE_FAULT");
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STORAGE, "%s: status %x", fault,
              (unsigned)status);
    fixture_start(&fixture);
    verify(&fixture, &model);
    fixture_stop(&fixture);
    free(model.known);
    fixture_deinit(&fixture);
}

/* Started again at once by a supervisor: not for ever. */
Test(crash, write_errors_in_a_row_refuse_the_start, .timeout = 300) {
    struct fixture fixture;
    struct model model = {0};
    crash_init(&fixture);
    setenv("MILLRACE_FAULT", "journal_write:20", 1);
    for (int at = 0; at < WRITE_ERRORS_MAX; at++) {
        int status = load_and_kill(&fixture, &model, 7 + at, 20000);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STORAGE, "start %d: %x", at,
                  (unsigned)status);
    }
    unsetenv("MILLRACE_FAULT");
    struct error error = {0};
    struct disk *disk = disk_open(fixture.path, false, &error);
    cr_assert_not(data_directory_open(disk, 1, &fixture.directory, &error));
    cr_assert(strstr(error.text, "write errors have stopped 3 processes"), "%s", error.text);
    cr_assert(strstr(error.text, "writing to journal: Input/output error"), "%s", error.text);
    disk = disk_open(fixture.path, false, &error);
    cr_assert_eq(disk_unlink(disk, LAYOUT_WRITE_ERRORS), 0);
    disk_close(disk);
    fixture_start(&fixture);
    verify(&fixture, &model);
    fixture_stop(&fixture);
    free(model.known);
    fixture_deinit(&fixture);
}

Test(crash, a_journal_write_error_stops, .timeout = 300) { stops_at("journal_write:20"); }
Test(crash, a_segment_write_error_stops, .timeout = 300) { stops_at("segment_write:10"); }
Test(crash, a_segment_sync_error_stops, .timeout = 300) { stops_at("segment_sync:2"); }
Test(crash, a_snapshot_write_error_stops, .timeout = 300) { stops_at("snapshot_write:2"); }
Test(crash, a_snapshot_rename_error_stops, .timeout = 300) { stops_at("snapshot_rename:3"); }

/* A read error is an answer, not an end. */
Test(crash, a_segment_read_error_is_answered) {
    struct fixture fixture;
    setenv("MILLRACE_FAULT", "segment_read:1", 1);
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    struct bytes batch = fixture_batch(1, 1000000, 1000, -1, 0);
    cr_assert_eq(fixture_append(&fixture, 1, batch), 0);
    cr_assert_eq(fixture_append(&fixture, 1, batch), 1);
    cr_assert_eq(fixture_append(&fixture, 1, batch), 2);
    struct looking looking = {
        .read = {.offset = 0, .bytes_max = 100, .minimum_one = true, .done = looking_done}};
    if (!partition_read(fixture_partition(&fixture, 1), &looking.read))
        fixture_run_until(&fixture, &looking.done);
    cr_assert_eq(looking.read.code, ERROR_CORRUPT_MESSAGE);
    read_release(&looking.read);
    cr_assert_eq(fixture_append(&fixture, 1, batch), 3);
    free((void *)batch.at);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
#endif
