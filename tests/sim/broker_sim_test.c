#include "tests/sim/broker_sim.h"

#include <criterion/criterion.h>

#include "tests/sim/seeds.h"

Test(broker_sim, produces_and_fetches) {
    seeds_run("broker_sim/produces_and_fetches", 6, broker_sim_once);
}
Test(broker_sim, crashes, .timeout = 600) { seeds_run("broker_sim/crashes", 30, broker_sim); }
Test(broker_sim, faults, .timeout = 600) { seeds_run("broker_sim/faults", 24, broker_sim_faults); }
Test(broker_sim, cores, .timeout = 600) { seeds_run("broker_sim/cores", 14, broker_sim_cores); }
Test(broker_sim, a_seed_repeats) {
    seeds_repeat("broker_sim/crashes", 2, broker_sim);
    seeds_repeat("broker_sim/faults", 2, broker_sim_faults);
}
