#include <stdio.h>
#include <string.h>

#include "broker/serve.h"
#if __has_include("cli/cli.h")
#include "cli/cli.h"
#else
static int cli_main(int argc, char *argv[]) {
    fprintf(stderr, "%s %s: only \"serve\" is there so far\n", argv[0], argc > 1 ? argv[1] : "");
    return 2;
}
#endif

int main(int argc, char *argv[]) {
    if (argc > 1 && strcmp(argv[1], "serve") == 0) return serve_main(argc - 1, argv + 1);
    return cli_main(argc, argv);
}
