#include "http/service.h"

#include "base/check.h"
#include "base/say.h"
#include "http/connection.h"
#include "http/guard.h"

static void service_check_stopped(struct http_service *service) {
    if (service->stopping && !service->accepting && service->connection_count == 0)
        service->stopped(service);
}

static void service_accepted(struct io_op *op) {
    struct http_service *service = container_of(op, struct http_service, accept);
    bool full = service->connection_count >= HTTP_CONNECTIONS_MAX;
    if (op->result >= 0 && (service->stopping || full))
        ring_close(service->ring, (int)op->result);
    else if (op->result >= 0)
        http_connection_new(service, (int)op->result);
    if (op->more) return;
    if (!service->stopping)
        say_error("accepting on %s ended: %s", service->bound, strerror((int)-op->result));
    ring_close(service->ring, service->fd);
    service->accepting = false;
    service_check_stopped(service);
}

bool http_service_open(struct http_service *service, const char *address, struct error *error) {
    check(service->budget.bytes_max >= service->body_max);
    list_init(&service->connections);
    service->connection_count = 0;
    service->stopping = service->accepting = false;
    service->fd = ring_listen(service->ring, address, service->bound, sizeof service->bound, error);
    if (service->fd < 0) return false;
    service->loopback_only = http_address_is_loopback(bytes_of_text(service->bound));
    service->accept = (struct io_op){.done = service_accepted};
    service->accepting = true;
    ring_accept(service->ring, &service->accept, service->fd);
    return true;
}

void http_service_stop(struct http_service *service,
                       void (*stopped)(struct http_service *service)) {
    check(!service->stopping);
    service->stopping = true;
    service->stopped = stopped;
    if (service->accepting) ring_cancel(service->ring, &service->accept);
    bool busy = service->accepting || service->connection_count > 0;
    http_connections_drain(service);
    if (!busy) service_check_stopped(service);
}
