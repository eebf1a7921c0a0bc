#include "broker/errand.h"

#include "broker/core.h"

static void errand_arrive(struct mail *mail) {
    struct errand *errand = container_of(mail, struct errand, mail);
    errand->run(errand, errand->there);
}

static void errand_arrive_back(struct mail *mail) {
    struct errand *errand = container_of(mail, struct errand, mail);
    errand->back(errand);
}

void errand_send(struct errand *errand, struct core *home, struct core *there) {
    errand->home = home;
    errand->there = there;
    if (home == there) {
        errand->run(errand, there);
        return;
    }
    errand->mail.deliver = errand_arrive;
    ring_post(there->ring, &errand->mail);
}

void errand_return(struct errand *errand) {
    if (errand->home == errand->there) {
        errand->back(errand);
        return;
    }
    errand->mail.deliver = errand_arrive_back;
    ring_post(errand->home->ring, &errand->mail);
}
