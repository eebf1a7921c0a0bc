#include "broker/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/registry_listener.h"
#include "broker/registry_service.h"
#include "broker/server.h"

void metrics_read(struct core *core, struct core_metrics *metrics) {
    *metrics = (struct core_metrics){.connections = core->connection_count,
                                     .answer_bytes = core->answer_bytes};
    for (size_t i = 0; i < ADMIT_CLASSES; i++) metrics->request_bytes += core->admission.used[i];
    store_usage(core->store, &metrics->store);
    metrics->rejects = *rejects_counts(core->rejects);
    metrics->contracts = core->contract_counts;
}

/* --- one line per core --- */

struct core_row {
    const char *name, *type, *help;
    size_t offset; /* of an uint64_t in struct core_metrics */
};
#define CORE_ROW(name, type, field, help) \
    { name, type, help, offsetof(struct core_metrics, field) }

static const struct core_row core_rows[] = {
    CORE_ROW("millrace_connections", "gauge", connections, "Connections of Kafka clients."),
    CORE_ROW("millrace_request_memory_bytes", "gauge", request_bytes,
             "Memory that requests and their answers hold."),
    CORE_ROW("millrace_answer_memory_bytes", "gauge", answer_bytes,
             "Memory of answers that have not left."),
    CORE_ROW("millrace_tail_bytes", "gauge", store.tail_bytes,
             "Memory of the newest records of all partitions."),
    CORE_ROW("millrace_cached_bytes", "gauge", store.cached_bytes,
             "Memory of records that are settled and kept for readers."),
    CORE_ROW("millrace_journal_bytes", "gauge", store.journal_bytes, "Size of the journal files."),
    CORE_ROW("millrace_segment_bytes", "gauge", store.segment_bytes, "Records in segment files."),
    CORE_ROW("millrace_commits_total", "counter", store.commits,
             "Group commits that were written to the journal."),
    CORE_ROW("millrace_commit_bytes_total", "counter", store.commit_bytes,
             "Bytes of group commits."),
    CORE_ROW("millrace_checkpoints_total", "counter", store.checkpoints,
             "Checkpoints that let journal files be used again."),
    CORE_ROW("millrace_compactions_total", "counter", store.compactions,
             "Passes of compaction that came to their end."),
    CORE_ROW("millrace_compaction_read_bytes_total", "counter", store.compaction_read_bytes,
             "Bytes of batches that passes of compaction have read."),
    CORE_ROW("millrace_compaction_written_bytes_total", "counter", store.compaction_written_bytes,
             "Bytes of batches that they have written."),
    CORE_ROW("millrace_disk_full", "gauge", store.disk_full,
             "1 while the disk has too little space for records."),
    CORE_ROW("millrace_appends_refused_for_space_total", "counter", store.appends_refused_for_space,
             "Batches that were refused because no space came in time."),
    CORE_ROW("millrace_contract_batches_refused_total", "counter", rejects.refused,
             "Batches that were refused because they break their topic's contract."),
    CORE_ROW("millrace_contract_batches_observed_total", "counter", rejects.observed,
             "Batches that break their topic's contract and were stored (on.violation=observe)."),
    CORE_ROW("millrace_contract_batches_untold_total", "counter", rejects.left_out,
             "Those of both that have no record of their own in __millrace_rejects."),
    CORE_ROW("millrace_contract_records_refused_total", "counter", rejects.refused_records,
             "Records that break their topic's contract, in batches that were refused for it."),
    CORE_ROW("millrace_contract_records_observed_total", "counter", rejects.observed_records,
             "Records that break their topic's contract where that is only observed."),
    CORE_ROW("millrace_contract_batches_checked_total", "counter", contracts.batches,
             "Batches that were held against their topic's contract."),
    CORE_ROW("millrace_contract_batches_checked_by_worker_total", "counter",
             contracts.batches_by_worker, "Those of them that a worker thread has checked."),
    CORE_ROW("millrace_contract_batches_checked_again_total", "counter", contracts.batches_again,
             "Those of them that were checked again by a newer contract or schema."),
    CORE_ROW("millrace_contract_records_checked_total", "counter", contracts.records,
             "Records in these batches."),
    CORE_ROW("millrace_contract_requests_waited_total", "counter", contracts.waited,
             "Produce requests that had to wait for the registry to be loaded."),
    CORE_ROW("millrace_contract_requests_waiting", "gauge", contracts.waiting,
             "Produce requests that wait for it now."),
};

static void row_head(struct text *text, const char *name, const char *type, const char *help) {
    text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void core_rows_print(const struct core_metrics *cores, unsigned count, struct text *text) {
    for (size_t i = 0; i < array_count(core_rows); i++) {
        const struct core_row *row = &core_rows[i];
        row_head(text, row->name, row->type, row->help);
        for (unsigned core = 0; core < count; core++) {
            uint64_t value;
            memcpy(&value, (const char *)&cores[core] + row->offset, sizeof value);
            text_printf(text, "%s{core=\"%u\"} %llu\n", row->name, core, (unsigned long long)value);
        }
    }
}

/* --- once --- */

static void number_print(struct text *text, const char *name, const char *type, const char *help,
                         double value) {
    row_head(text, name, type, help);
    text_printf(text, "%s %.15g\n", name, value);
}

static double resident_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    double count = 0;
    if (!folder) return 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder's own */
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void process_print(struct text *text) {
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    number_print(text, "process_cpu_seconds_total", "counter", "Processor time of the process.",
                 seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    number_print(text, "process_resident_memory_bytes", "gauge", "Memory of the process.",
                 resident_bytes());
    number_print(text, "process_open_fds", "gauge", "Open files and sockets.", open_files());
}

/* --- the registry --- */

static size_t version_count(const struct schema_view *view) {
    size_t count = 0;
    for (size_t i = 0; i < view->subject_count; i++) count += view->subjects[i].count;
    return count;
}

static void view_print(const struct schema_view *view, struct text *text) {
    number_print(text, "millrace_registry_loaded", "gauge", "1 when the registry is loaded.",
                 view->loaded);
    number_print(text, "millrace_registry_schemas", "gauge", "Schemas of all contexts.",
                 (double)view->schema_count);
    number_print(text, "millrace_registry_subjects", "gauge", "Subjects, hidden ones too.",
                 (double)view->subject_count);
    number_print(text, "millrace_registry_versions", "gauge",
                 "Versions of all subjects, hidden ones too.", (double)version_count(view));
    number_print(text, "millrace_registry_bytes", "gauge",
                 "Schemas, names and settings, as registry-bytes-max counts them.",
                 (double)view->bytes);
}

static void counts_print(const struct api_counts *counts, struct text *text) {
    number_print(text, "millrace_registry_registrations_total", "counter",
                 "Registrations that were answered with an id, new or not.",
                 (double)counts->registrations);
    number_print(text, "millrace_registry_lookups_total", "counter",
                 "Schemas that were found in their subject.", (double)counts->lookups);
    number_print(text, "millrace_registry_compiles_total", "counter",
                 "Schemas of clients that were compiled, or refused while they were.",
                 (double)counts->compiles);
    number_print(text, "millrace_registry_compile_seconds_total", "counter", "Time that this took.",
                 (double)counts->compile_ns / (double)NS_PER_S);
    row_head(text, "millrace_registry_refused_total", "counter", "Requests that were refused.");
    for (int i = 0; i < API_STATUS_COUNT; i++)
        text_printf(text, "millrace_registry_refused_total{status=\"%d\"} %llu\n", api_statuses[i],
                    (unsigned long long)counts->refused[i]);
}

static void registry_print(const struct server *server, struct text *text) {
    static const struct registry_listener none;
    const struct registry_listener *listener = registry_service_listener(server->registry);
    if (!listener) listener = &none;
    view_print(server->cores[0].schemas, text);
    counts_print(&listener->api.counts, text);
    number_print(text, "millrace_registry_memory_bytes", "gauge",
                 "Large bodies and answers of the registry's listener.",
                 (double)listener->http.budget.used);
    number_print(text, "millrace_registry_refused_for_memory_total", "counter",
                 "Requests and answers that found no memory left for large ones.",
                 (double)listener->http.budget.refused);
}

void metrics_print(const struct server *server, const struct core_metrics *cores,
                   struct text *text) {
    const struct catalog *catalog = &server->cores[0].catalog;
    row_head(text, "millrace_build_info", "gauge", "Always 1; the labels say what runs.");
    text_printf(text, "millrace_build_info{version=\"%s\",io=\"%s\"} 1\n", MILLRACE_VERSION,
                io_backend_name(ring_backend(server->cores[0].ring)));
    number_print(text, "millrace_topics", "gauge", "Topics.",
                 (double)catalog->topics_by_name.count);
    number_print(text, "millrace_partitions", "gauge", "Partitions of all topics.",
                 (double)catalog->partition_count);
    number_print(text, "millrace_connections_refused_total", "counter",
                 "Connections refused by a cap.", (double)server->listeners.refused);
    number_print(text, "millrace_memory_budget_bytes", "gauge", "The whole memory budget.",
                 (double)server->memory_bytes);
    registry_print(server, text);
    core_rows_print(cores, server->core_count, text);
    process_print(text);
}
