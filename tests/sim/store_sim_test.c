#include "tests/sim/store_sim.h"

#include <criterion/criterion.h>

#include "tests/sim/seeds.h"

Test(store_sim, crashes, .timeout = 600) { seeds_run("store_sim/crashes", 40, store_sim); }
Test(store_sim, faults, .timeout = 600) { seeds_run("store_sim/faults", 40, store_sim_faults); }
Test(store_sim, compaction, .timeout = 600) {
    seeds_run("store_sim/compaction", 40, store_sim_compaction);
}
Test(store_sim, switches, .timeout = 600) {
    seeds_run("store_sim/switches", 4, store_sim_switches);
}
Test(store_sim, cores, .timeout = 600) { seeds_run("store_sim/cores", 20, store_sim_cores); }
Test(store_sim, a_seed_repeats) {
    seeds_repeat("store_sim/crashes", 3, store_sim);
    seeds_repeat("store_sim/faults", 3, store_sim_faults);
    seeds_repeat("store_sim/compaction", 3, store_sim_compaction);
}
