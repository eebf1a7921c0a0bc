#include "tests/sim/script_sim.h"

#include <criterion/criterion.h>

#include "tests/sim/seeds.h"

static void run(struct sweep sweep, void (*all)(struct sweep *)) {
    if (seeds_tells())
        seeds_run(sweep.name, 1, script_sim);
    else
        sweep_run(&sweep, all);
}

Test(script_sim, single_faults, .timeout = 36000) {
    run((struct sweep){.name = "script_sim/single_faults", .stride = 601}, script_sweep_faults);
}
Test(script_sim, lost_writes, .timeout = 36000) {
    run((struct sweep){.name = "script_sim/lost_writes", .stride = 211}, script_sweep_lies);
}
