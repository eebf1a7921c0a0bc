/* SIGHUP: each core takes over the options that may change while it runs. */
#pragma once

#include "broker/server.h"

/* From the main thread; every core gets a copy by mail. */
void reload_send(struct server *server, const struct options *fresh);
