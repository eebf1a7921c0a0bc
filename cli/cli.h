/* The client commands of the one binary: everything but `serve`, which is the broker's. They need
 * nothing but a reachable Kafka broker, ours or another, and speak to it with our own codec.
 *
 * Output for people goes to standard output, one line for each thing; with --json it is JSON, one
 * object in a line. What went wrong goes to standard error: what, where, and what to do. */
#pragma once

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,     /* the broker refused, or something was not there */
    CLI_USAGE = 2,      /* the command line is wrong; nothing was done */
    CLI_UNREACHABLE = 3 /* no broker answered */
};

/* Runs `millrace ARGUMENTS`; argv[0] is the program. Returns an enum cli_exit. */
int cli_main(int argc, char *argv[]);
