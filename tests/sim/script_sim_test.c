#include "tests/sim/script_sim.h"

#include <criterion/criterion.h>

#include "tests/sim/seeds.h"

Test(script_sim, single_faults, .timeout = 36000) {
    struct sweep sweep = {.name = "script_sim/single_faults", .stride = 1201};
    if (seeds_tells())
        seeds_run(sweep.name, 1, script_sim);
    else
        script_sweep(&sweep);
}
