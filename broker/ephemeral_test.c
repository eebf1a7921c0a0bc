#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/ephemeral.h"

static char root[64];

static void begin(void) {
    snprintf(root, sizeof root, "/tmp/mr-ephemeral-test-XXXXXX");
    cr_assert(mkdtemp(root));
    setenv("TMPDIR", root, 1);
}

static void end(void) { cr_assert_eq(rmdir(root), 0, "something is left behind"); }

TestSuite(ephemeral, .init = begin, .fini = end);

static void touch(const char *folder, const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fclose(file);
}

Test(ephemeral, goes_with_what_is_in_it) {
    struct ephemeral one, two;
    struct error error;
    cr_assert(ephemeral_open(&one, &error), "%s", error.text);
    touch(one.path, "file");
    cr_assert(ephemeral_open(&two, &error), "%s", error.text);
    cr_assert_eq(access(one.path, F_OK), 0, "a live one was taken for a stale one");
    cr_assert_str_neq(one.path, two.path);
    ephemeral_close(&one);
    ephemeral_close(&two);
}

Test(ephemeral, removes_what_a_dead_one_left) {
    struct ephemeral dead, next;
    struct error error;
    cr_assert(ephemeral_open(&dead, &error));
    touch(dead.path, "file");
    close(dead.lock); /* as the kernel does for a process that was killed */
    cr_assert(ephemeral_open(&next, &error));
    cr_assert_neq(access(dead.path, F_OK), 0);
    ephemeral_close(&next);
}

Test(ephemeral, says_where_it_cannot_be) {
    struct ephemeral one;
    struct error error;
    setenv("TMPDIR", "/nowhere/at/all", 1);
    cr_assert_not(ephemeral_open(&one, &error));
    cr_assert(strstr(error.text, "/nowhere/at/all"));
}
