/* One client of a service (http/service.h). */
#pragma once

#include "http/service.h"

void http_connection_new(struct http_service *service, int fd);
/* Ends each as soon as its answer has left; at once when it has none. */
void http_connections_drain(struct http_service *service);
