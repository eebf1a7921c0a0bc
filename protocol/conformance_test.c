/* The definitions: against Kafka's, where those are at hand (conformance.py), and what the
 * generator says to mistakes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

enum { EXIT_SKIPPED = 77 };

/* The folder of this file: protocol/. */
static void find_folder(char *folder, size_t size) {
    snprintf(folder, size, "%s", __FILE__);
    char *slash = strrchr(folder, '/');
    cr_assert_not_null(slash);
    *slash = 0;
}

Test(messages, are_as_kafka_defines_them, .timeout = 300) {
    char folder[1024], definitions[1200], command[4096];
    find_folder(folder, sizeof folder);
    const char *given = getenv("MILLRACE_KAFKA_MESSAGES");
    snprintf(definitions, sizeof definitions, "%s/../../shared/kafka-messages/api", folder);
    int len = snprintf(command, sizeof command, "python3 '%s/conformance.py' '%s' >&2", folder,
                       given && *given ? given : definitions);
    cr_assert_lt(len, (int)sizeof command);
    int status = system(command);
    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIPPED) cr_skip_test("Kafka's definitions are not here");
    cr_assert_eq(WEXITSTATUS(status), 0, "a definition differs: see above");
}

static const struct {
    const char *definition, *complaint;
} mistakes[] = {
    {"request 0-1\n    A int32\n", "'api KEY NAME' must come before 'request'"},
    {"data X 0-1\n    A int31\n", ":2: unknown type 'int31'"},
    {"data X 0-1\n    A int32 2+\n", "A is in no version of what holds it"},
    {"data X 0+\n    A int32\n", "ends at a version that is known"},
    {"data X 0-1\n    A int32 tag 0\n", "tagged in a version that is not flexible"},
    {"data X 0-1, flexible 0+\n    A int32 tag 0\n    B int32 tag 0\n", "a tag is used twice"},
    {"data X 0-1\n    A []Y\n", "struct Y is not defined"},
    {"data X 0-1\n    A Y\n        B int8\n    C Y\n        B int8\n", "Y is defined twice"},
    {"data X 0-1\n    A Y?\n        B int8\n", "null by default"},
    {"data X 0-1\n    Default int8\n", "is a word of C"},
    {"data X 0-1\n    A int8 sometimes\n", "'sometimes' does not belong here"},
    {"    A int8\n", ":1: a field outside a message"},
};

/* What the generator says to a definition; it must refuse it. */
static void generate(const char *folder, const char *definition, char *answer, size_t size) {
    char path[1200], command[4096];
    snprintf(path, sizeof path, "%s/x.msg", folder);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(definition, file);
    fclose(file);
    char source[1024];
    find_folder(source, sizeof source);
    snprintf(command, sizeof command, "python3 '%s/generate.py' '%s' '%s' 2>&1", source, path,
             folder);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    answer[fread(answer, 1, size - 1, pipe)] = 0;
    cr_assert_neq(pclose(pipe), 0, "accepted: %s", definition);
    unlink(path);
}

Test(messages, mistakes_are_named, .timeout = 300) {
    char folder[] = "/tmp/messages_test_XXXXXX", answer[2000];
    cr_assert_not_null(mkdtemp(folder));
    for (size_t i = 0; i < array_count(mistakes); i++) {
        generate(folder, mistakes[i].definition, answer, sizeof answer);
        cr_expect(strstr(answer, mistakes[i].complaint), "%s", answer);
    }
    cr_assert_eq(rmdir(folder), 0);
}
