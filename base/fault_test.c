#include "base/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#ifdef MILLRACE_FAULTS
/* Criterion runs every test in a process of its own, so each one arms afresh. */
Test(fault, not_armed_never_fires) {
    unsetenv("MILLRACE_FAULT");
    for (int pass = 0; pass < 10; pass++) cr_assert_eq(fault_hit(FAULT_journal_write), 0);
}

Test(fault, fires_from_the_nth_pass_on) {
    setenv("MILLRACE_FAULT", "segment_sync:3:28", 1);
    cr_assert_eq(fault_hit(FAULT_segment_sync), 0);
    cr_assert_eq(fault_hit(FAULT_journal_write), 0);
    cr_assert_eq(fault_hit(FAULT_segment_sync), 0);
    cr_assert_eq(fault_hit(FAULT_segment_sync), ENOSPC);
    cr_assert_eq(fault_hit(FAULT_segment_sync), ENOSPC);
    cr_assert_eq(fault_hit(FAULT_journal_write), 0);
}

Test(fault, zero_is_at_once_and_eio_the_default) {
    setenv("MILLRACE_FAULT", "snapshot_write:0", 1);
    cr_assert_eq(fault_hit(FAULT_snapshot_write), EIO);
}

Test(fault, ends_after_so_many_times) {
    setenv("MILLRACE_FAULT", "disk_free:2:28:2", 1);
    static const int expected[] = {0, ENOSPC, ENOSPC, 0, 0};
    for (size_t pass = 0; pass < 5; pass++)
        cr_assert_eq(fault_hit(FAULT_disk_free), expected[pass], "pass %zu", pass);
}

Test(fault, unknown_name_stops, .signal = SIGABRT) {
    setenv("MILLRACE_FAULT", "no_such_point:1", 1);
    fault_hit(FAULT_journal_write);
}

Test(fault, half_a_specification_stops, .signal = SIGABRT) {
    setenv("MILLRACE_FAULT", "journal_write", 1);
    fault_hit(FAULT_journal_write);
}
#else
Test(fault, costs_nothing_in_release) {
    setenv("MILLRACE_FAULT", "journal_write:0", 1);
    cr_assert_eq(fault_hit(FAULT_journal_write), 0);
}
#endif
