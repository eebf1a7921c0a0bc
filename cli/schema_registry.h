/* What the commands that talk to a registry share. */
#pragma once

#include "cli/command.h"
#include "cli/registry_client.h"

#define FLAG_REGISTRY                                                                   \
    {                                                                                   \
        "registry", 'r', FLAG_TEXT, SETTING(registry), "URL",                           \
            "The registry. Default: $SCHEMA_REGISTRY_URL, or http://127.0.0.1:8081.", 0 \
    }

/* The status to end with after an error: nobody answered, or somebody refused. */
enum cli_exit registry_exit(const struct error *error);
