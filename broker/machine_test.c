#include <criterion/criterion.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/machine.h"

Test(machine, uses_no_more_processors_than_its_affinity) {
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    cr_assert(machine_processors() >= 1);
    cr_assert((int)machine_processors() <= CPU_COUNT(&set));
    int first = 0;
    while (!CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    cr_assert_eq(sched_setaffinity(0, sizeof set, &set), 0);
    cr_assert_eq(machine_processors(), 1);
}

Test(machine, has_no_more_memory_than_the_machine) {
    size_t all = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    cr_assert(machine_memory() > 0);
    cr_assert(machine_memory() <= all);
}

Test(machine, raises_the_file_limit) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 200 ? limit.rlim_max : 200;
    setrlimit(RLIMIT_NOFILE, &limit);
    machine_raise_file_limit();
    getrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(limit.rlim_cur, limit.rlim_max);
}
