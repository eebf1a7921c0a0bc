#include "storage/write_errors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/layout.h"

enum { MINUTE_MS = 60000 };
#define NOW_MS 1700000000000

static struct disk *new_disk(char path[]) {
    struct error error;
    cr_assert(mkdtemp(path));
    struct disk *disk = disk_open(path, false, &error);
    cr_assert(disk);
    return disk;
}

static bool allows(struct disk *disk, const char *content, struct error *error) {
    *error = (struct error){0};
    cr_assert_eq(disk_replace_file(disk, ".", LAYOUT_WRITE_ERRORS, bytes_of_text(content)), 0);
    return write_errors_allow(disk, NOW_MS, error);
}

static void line(char *text, int64_t minutes_ago) {
    sprintf(text + strlen(text), "%lld writing to journal: Input/output error\n",
            (long long)(NOW_MS - minutes_ago * MINUTE_MS));
}

Test(write_errors, three_young_ones_refuse) {
    char path[] = "/tmp/millrace-write-errors-XXXXXX", text[1024] = "";
    struct disk *disk = new_disk(path);
    struct error error;
    cr_assert(write_errors_allow(disk, NOW_MS, &error), "no file");
    cr_assert(allows(disk, "", &error));
    line(text, 9);
    line(text, 2);
    cr_assert(allows(disk, text, &error));
    line(text, 1);
    cr_assert_not(allows(disk, text, &error));
    cr_assert(strstr(error.text, "stopped 3 processes"), "%s", error.text);
    cr_assert(strstr(error.text, "60 s ago (writing to journal: Input/output error)"), "%s",
              error.text);
    cr_assert(strstr(error.text, "/write-errors to start"), "%s", error.text);
    disk_unlink(disk, LAYOUT_WRITE_ERRORS);
    disk_close(disk);
    rmdir(path);
}

Test(write_errors, old_ones_and_nonsense_do_not_count) {
    char path[] = "/tmp/millrace-write-errors-XXXXXX", text[1024] = "";
    struct disk *disk = new_disk(path);
    struct error error;
    for (int64_t ago = 10; ago < 15; ago++) line(text, ago);
    line(text, -20); /* the clock was set back since */
    strcat(text, "\n \nabc\n1700000000000\n1700000000000 \n\xff 99999999999999999999999 x\n");
    line(text, 0);
    line(text, 0);
    cr_assert(allows(disk, text, &error), "%s", error.text);
    text[strlen(text) - 1] = '\0'; /* torn */
    cr_assert(allows(disk, text, &error), "%s", error.text);
    disk_unlink(disk, LAYOUT_WRITE_ERRORS);
    disk_close(disk);
    rmdir(path);
}

Test(write_errors, a_long_file_begins_anew) {
    char path[] = "/tmp/millrace-write-errors-XXXXXX";
    struct disk *disk = new_disk(path);
    struct error error;
    char *text = malloc(WRITE_ERRORS_BYTES + 100);
    text[0] = '\0';
    while (strlen(text) < WRITE_ERRORS_BYTES) line(text, 0);
    cr_assert(allows(disk, text, &error));
    struct file *file = write_errors_open(disk);
    cr_assert(file);
    cr_assert_eq(file_size(file), 0);
    write_errors_close(file);
    free(text);
    disk_unlink(disk, LAYOUT_WRITE_ERRORS);
    disk_close(disk);
    rmdir(path);
}
