#include "base/random.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

Test(random, the_same_seed_gives_the_same_numbers) {
    struct random one, two, other;
    random_init(&one, 5);
    random_init(&two, 5);
    random_init(&other, 6);
    int differ = 0;
    for (int round = 0; round < 100; round++) {
        uint64_t number = random_next(&one);
        cr_assert_eq(number, random_next(&two));
        differ += number != random_next(&other);
    }
    cr_assert_eq(differ, 100);
}

Test(random, seed_zero_works) {
    struct random random;
    random_init(&random, 0);
    cr_assert_neq(random_next(&random), random_next(&random));
}

Test(random, below_stays_below_and_reaches_all) {
    struct random random;
    int met[10] = {0};
    random_init(&random, 9);
    for (int round = 0; round < 10000; round++) {
        uint64_t number = random_below(&random, 10);
        cr_assert_lt(number, 10);
        met[number]++;
    }
    for (int number = 0; number < 10; number++) cr_assert(met[number] > 800 && met[number] < 1200);
    cr_assert_eq(random_below(&random, 1), 0);
}

Test(random, below_nothing_stops, .signal = SIGABRT) {
    struct random random;
    random_init(&random, 1);
    random_below(&random, 0);
}
