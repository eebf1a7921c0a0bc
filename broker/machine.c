#include "broker/machine.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned affinity_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* The cgroup of this process below `controller` ("" is version 2), as /proc names it. */
static int cgroup_path(const char *controller, char *path, size_t size) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return 0;
    char line[512];
    int found = 0;
    while (!found && fgets(line, sizeof line, file)) {
        char *names = strchr(line, ':'), *place = names ? strchr(names + 1, ':') : NULL;
        if (!place) continue;
        *place++ = '\0';
        place[strcspn(place, "\n")] = '\0';
        if (strcmp(names + 1, controller) != 0) continue;
        snprintf(path, size, "%s", place);
        found = 1;
    }
    fclose(file);
    return found;
}

static int read_line(const char *path, char *line, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    int there = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return there;
}

/* The file of our cgroup, or of the root: inside a container that is the same place. */
static int read_cgroup(const char *mount, const char *controller, const char *name, char *line,
                       size_t size) {
    char group[400], path[512];
    if (cgroup_path(controller, group, sizeof group)) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", mount, group, name);
        if (read_line(path, line, size)) return 1;
    }
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", mount, name);
    return read_line(path, line, size);
}

static unsigned quota_processors(void) {
    char line[128];
    long quota = -1, period = 100000;
    if (read_cgroup("", "", "cpu.max", line, sizeof line)) {
        if (sscanf(line, "%ld %ld", &quota, &period) < 2) return UINT_MAX; /* "max 100000" */
    } else if (read_cgroup("/cpu", "cpu,cpuacct", "cpu.cfs_quota_us", line, sizeof line)) {
        sscanf(line, "%ld", &quota);
    }
    if (quota <= 0 || period <= 0) return UINT_MAX;
    return (unsigned)((quota + period - 1) / period);
}

unsigned machine_processors(void) {
    unsigned allowed = affinity_processors(), quota = quota_processors();
    return quota < allowed ? quota : allowed;
}

size_t machine_memory(void) {
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    char line[128];
    unsigned long long limit;
    bool has_limit = read_cgroup("", "", "memory.max", line, sizeof line) ||
                     read_cgroup("/memory", "memory", "memory.limit_in_bytes", line, sizeof line);
    if (has_limit && sscanf(line, "%llu", &limit) == 1 && limit > 0 && limit < memory)
        memory = (size_t)limit;
    return memory;
}

void machine_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
