/* What recovery has found out about partitions is told to every core's copy of the catalog, before
 * the cores run: which are damaged and therefore offline, and whose leader epoch a repair has
 * raised. To clients they have no leader, as Kafka shows those of a failed log directory. */
#pragma once

struct server;

void offline_apply(struct server *server);
