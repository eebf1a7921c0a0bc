/* `millrace serve`: the broker as a process. Options, data directory, one thread per core, signals:
 *   SIGTERM, SIGINT  drain and end with status 0; a second one ends at once
 *   SIGHUP           options that can be reloaded are
 * argv[0] is the command. */
#pragma once

int serve_main(int argc, char *argv[]);
