/* A command: its page of help, its flags, and the function that does it. The table is in cli.c. */
#pragma once

#include "cli/cli.h"
#include "cli/flags.h"
#include "cli/session.h"

struct command {
    const char *name;    /* "topic create" */
    const char *usage;   /* what follows the name: "NAME... [FLAGS]" */
    const char *summary; /* one line for the list of commands, and the page's first */
    const char *text;    /* paragraphs and examples */
    struct flags flags;  /* its own, besides flags_common */
    size_t names_min, names_max;
    const char *names; /* what is missing when there are too few: "a topic's name" */
    bool offline;      /* no broker is asked */
    /* One of the two. In a session: whether all was done, else the session's error is filled. */
    bool (*work)(struct session *session);
    /* Returns CLI_DONE, or another after filling the error. */
    enum cli_exit (*run)(const struct settings *settings, struct error *error);
};

extern const struct command command_topic_create, command_topic_list, command_topic_describe,
    command_topic_alter, command_topic_delete, command_produce, command_consume, command_wait,
    command_group_list, command_group_describe, command_group_lag, command_group_reset,
    command_group_delete, command_schema_check, command_schema_diff, command_schema_register,
    command_schema_list, command_schema_show, command_schema_import, command_contract_test,
    command_contract_set, command_contract_show, command_reject_list, command_reject_show,
    command_reject_tail, command_log_inspect, command_log_verify, command_log_repair;

/* For the two that need no broker; they read the broker's options, not these flags. */
int config_main(int argc, char *argv[]);
/* The page of `millrace config --help`. */
extern const char config_help[];

/* Prints the collected text to standard output; false when that fails. */
bool command_print(struct text *text, struct error *error);
