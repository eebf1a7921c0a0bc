#include "broker/listener.h"

#include "broker/broker_fixture.h"

static uint32_t open_connections(struct fixture *fixture) {
    uint32_t count = 0;
    for (unsigned i = 0; i < fixture->core_count; i++)
        count += fixture->server.cores[i].connection_count;
    return count;
}

static bool counts_are(struct fixture *fixture, uint32_t count, size_t addresses) {
    const struct listeners *listeners = &fixture->server.listeners;
    return open_connections(fixture) == count && listeners->connections == count &&
           listeners->peers.count == addresses;
}

static void set_endpoints(struct endpoints *endpoints, struct endpoint *items, size_t count) {
    endpoints->items = items;
    endpoints->count = count;
}

Test(listener, connections_are_dealt_to_the_cores_in_turn) {
    struct fixture fixture;
    fixture_init(&fixture, 1);
    fixture_start(&fixture, 3, FIXTURE_MEMORY);
    int clients[7];
    for (int i = 0; i < 7; i++) clients[i] = fixture_connect(&fixture);
    fixture_await(&fixture, counts_are(&fixture, 7, 1));
    cr_assert_eq(fixture.server.cores[0].connection_count, 3);
    cr_assert_eq(fixture.server.cores[1].connection_count, 2);
    cr_assert_eq(fixture.server.cores[2].connection_count, 2);
    for (int i = 0; i < 7; i++) sim_disconnect(fixture.sim, clients[i]);
    fixture_await(&fixture, counts_are(&fixture, 0, 0));
    fixture_end(&fixture);
}

Test(listener, more_than_connections_max_are_refused) {
    struct fixture fixture;
    fixture_init(&fixture, 2);
    fixture.options->connections_max = 3;
    fixture_start(&fixture, 2, FIXTURE_MEMORY);
    int clients[3];
    for (int i = 0; i < 3; i++) clients[i] = fixture_connect(&fixture);
    fixture_await(&fixture, counts_are(&fixture, 3, 1));
    for (int i = 0; i < 5; i++) cr_assert(fixture_is_closed(&fixture, fixture_connect(&fixture)));
    cr_assert(counts_are(&fixture, 3, 1));
    cr_assert_eq(fixture_said(&fixture, "connections-max is reached (1 refused"), 1);
    cr_assert_eq(fixture_said(&fixture, "refused a connection"), 1, "said once a minute");
    fixture_pass(&fixture, 61000);
    cr_assert(fixture_is_closed(&fixture, fixture_connect(&fixture)));
    cr_assert_eq(fixture_said(&fixture, "connections-max is reached (6 refused"), 1);
    sim_disconnect(fixture.sim, clients[1]);
    fixture_await(&fixture, counts_are(&fixture, 2, 1));
    fixture_connect(&fixture);
    fixture_await(&fixture, counts_are(&fixture, 3, 1));
    fixture_end(&fixture);
}

Test(listener, more_than_an_address_may_have_are_refused) {
    struct fixture fixture;
    fixture_init(&fixture, 3);
    fixture.options->connections_per_address_max = 2;
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    fixture_connect(&fixture);
    fixture_connect(&fixture);
    fixture_await(&fixture, counts_are(&fixture, 2, 1));
    cr_assert(fixture_is_closed(&fixture, fixture_connect(&fixture)));
    cr_assert_eq(fixture_said(&fixture, "connections-max-per-address is reached"), 1);
    cr_assert(counts_are(&fixture, 2, 1));
    fixture_end(&fixture);
}

Test(listener, connections_of_one_address_are_one_party) {
    struct fixture fixture;
    fixture_init(&fixture, 4);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    fixture_connect(&fixture);
    fixture_connect(&fixture);
    fixture_await(&fixture, counts_are(&fixture, 2, 1));
    const struct list *node = fixture.server.cores[0].connections.next;
    const struct connection *first = list_entry(node, struct connection, link);
    const struct connection *second = list_entry(node->next, struct connection, link);
    cr_assert_neq(strcmp(first->ticket->peer, second->ticket->peer), 0);
    cr_assert_eq(first->ticket->party, second->ticket->party);
    fixture_end(&fixture);
}

Test(listener, several_listeners_with_names) {
    struct endpoint items[] = {{"inside", "127.0.0.1", 0}, {"outside", "127.0.0.1", 0}};
    struct fixture fixture;
    fixture_init(&fixture, 5);
    set_endpoints(&fixture.options->listen, items, 2);
    fixture_start(&fixture, 2, FIXTURE_MEMORY);
    const struct listeners *listeners = &fixture.server.listeners;
    cr_assert_eq(listeners->count, 2);
    cr_assert_str_eq(listeners->items[1].name, "outside");
    cr_assert_neq(strcmp(listeners->items[0].bound, listeners->items[1].bound), 0);
    cr_assert_geq(sim_connect(fixture.sim, listeners->items[1].bound), 0);
    fixture_await(&fixture, counts_are(&fixture, 1, 1));
    const struct connection *connection =
        list_entry(fixture.server.cores[0].connections.next, struct connection, link);
    cr_assert_eq(connection->ticket->listener, &listeners->items[1]);
    fixture_end(&fixture);
}

/* Some have been accepted and are on their way to another core, some have not. */
Test(listener, the_end_meets_connections_that_arrive) {
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct fixture fixture;
        fixture_init(&fixture, seed);
        fixture_start(&fixture, 3, FIXTURE_MEMORY);
        int clients[9];
        for (int i = 0; i < 9; i++) clients[i] = fixture_connect(&fixture);
        for (uint64_t i = 0; i < seed; i++) fixture_step(&fixture);
        server_drain(&fixture.server);
        fixture_await(&fixture, fixture_has_stopped(&fixture));
        cr_assert_eq(fixture.server.listeners.connections, 0);
        for (int i = 0; i < 9; i++) cr_assert(fixture_is_closed(&fixture, clients[i]));
        cr_assert_eq(sim_connect(fixture.sim, fixture.server.listeners.items[0].bound), -1);
        fixture_free(&fixture);
    }
}

Test(listener, an_address_in_use_is_an_error) {
    struct endpoint items[] = {{"one", "127.0.0.1", 9092}, {"two", "127.0.0.1", 9092}};
    struct fixture fixture;
    struct error error;
    fixture_init(&fixture, 6);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    struct server second = {.options = fixture.options};
    set_endpoints(&fixture.options->listen, items, 2);
    cr_assert_not(listeners_open(&second.listeners, &second, &fixture.server.cores[0], &error));
    cr_assert(strstr(error.text, "9092"), "%s", error.text);
    listeners_deinit(&second.listeners);
    fixture_end(&fixture);
}
