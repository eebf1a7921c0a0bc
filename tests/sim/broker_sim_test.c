#include "tests/sim/broker_sim.h"

#include <criterion/criterion.h>

#include "tests/sim/seeds.h"

Test(broker_sim, produces_and_fetches) {
    seeds_run("broker_sim/produces_and_fetches", 10, broker_sim_once);
}
Test(broker_sim, crashes, .timeout = 600) { seeds_run("broker_sim/crashes", 100, broker_sim); }
Test(broker_sim, faults, .timeout = 600) { seeds_run("broker_sim/faults", 60, broker_sim_faults); }
Test(broker_sim, cores, .timeout = 600) { seeds_run("broker_sim/cores", 40, broker_sim_cores); }
Test(broker_sim, a_seed_repeats) {
    seeds_repeat("broker_sim/crashes", 6, broker_sim);
    seeds_repeat("broker_sim/faults", 6, broker_sim_faults);
}
