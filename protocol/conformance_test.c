/* Runs conformance.py: our definitions against Kafka's, where those are at hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { EXIT_SKIPPED = 77 };

Test(messages, are_as_kafka_defines_them, .timeout = 60) {
    char folder[1024] = __FILE__; /* of this file: protocol/ */
    char *slash = strrchr(folder, '/');
    cr_assert_not_null(slash);
    *slash = 0;
    const char *given = getenv("MILLRACE_KAFKA_MESSAGES");
    char definitions[1200];
    snprintf(definitions, sizeof definitions, "%s/../../shared/kafka-messages/api", folder);
    char command[4096];
    int len = snprintf(command, sizeof command, "python3 '%s/conformance.py' '%s' >&2", folder,
                       given && *given ? given : definitions);
    cr_assert_lt(len, (int)sizeof command);
    int status = system(command);
    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIPPED) cr_skip_test("Kafka's definitions are not here");
    cr_assert_eq(WEXITSTATUS(status), 0, "a definition differs: see above");
}
