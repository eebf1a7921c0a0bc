/* millrace log inspect, verify, repair: a data directory that no broker uses. */
#include <errno.h>
#include <stdio.h>

#include "base/say.h"
#include "cli/command.h"
#include "offline/inspect.h"
#include "offline/repair.h"
#include "offline/verify.h"

/* What recovery says while it looks is in the findings, and better. */
static bool open_image(struct image *image, const struct settings *settings, struct error *error) {
    say_configure(SAY_NOTHING, SAY_PLAIN);
    return image_open(image, settings->positional[0], error);
}

static bool flush_output(struct error *error) {
    return fflush(stdout) == 0 ||
           error_set(error, errno, "cannot write the output: %s", strerror(errno));
}

#define FLAG_JSON \
    { "json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object in a line.", 0 }

/* --- inspect --- */

static const struct flag inspect_flags[] = {
    {"partition", 'p', FLAG_TEXT, SETTING(log_partition), "TOPIC-N",
     "Only this partition and its segments.", 0},
    {"records", 0, FLAG_SWITCH, SETTING(records), NULL,
     "With --partition: the header of each batch.", 0},
    {"blocks", 0, FLAG_SWITCH, SETTING(blocks), NULL, "Each block of the journals that is needed.",
     0},
    FLAG_JSON,
};

static enum cli_exit inspect_run(const struct settings *settings, struct error *error) {
    const struct inspect_options options = {.partition = settings->log_partition,
                                            .records = settings->records,
                                            .blocks = settings->blocks,
                                            .json = settings->json};
    struct image image;
    if (options.records && !options.partition) {
        error_set(error, EINVAL, "--records needs --partition TOPIC-N");
        return CLI_USAGE;
    }
    if (!open_image(&image, settings, error)) return CLI_FAILED;
    bool good = inspect_image(&image, &options, stdout, error);
    image_close(&image);
    return good && flush_output(error) ? CLI_DONE : CLI_FAILED;
}

const struct command command_log_inspect = {
    .name = "log inspect",
    .usage = "DIR [FLAGS]",
    .summary = "Show what a data directory holds.",
    .text =
        "Journals, shards, partitions and segments, as the next start would find them. The\n"
        "directory is not changed, and no broker may use it meanwhile.\n\n"
        "  millrace log inspect /var/lib/millrace\n"
        "  millrace log inspect /var/lib/millrace --partition orders-0 --records\n",
    .flags = FLAGS(inspect_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a data directory",
    .offline = true,
    .run = inspect_run,
};

/* --- verify --- */

static const struct flag verify_flags[] = {FLAG_JSON};

static enum cli_exit verify_run(const struct settings *settings, struct error *error) {
    struct image image;
    struct findings findings = {0};
    if (!open_image(&image, settings, error)) return CLI_FAILED;
    verify_image(&image, &findings);
    findings_print(&findings, settings->json, stdout);
    image_close(&image);
    size_t damage = findings.damage_count;
    findings_deinit(&findings);
    if (!flush_output(error)) return CLI_FAILED;
    if (damage == 0) return CLI_DONE;
    error_set(error, 0, "%s is damaged: %zu finding%s", settings->positional[0], damage,
              damage == 1 ? "" : "s");
    return CLI_FAILED;
}

const struct command command_log_verify = {
    .name = "log verify",
    .usage = "DIR [FLAGS]",
    .summary = "Check every byte of a data directory that counts.",
    .text =
        "Checksums of journals, snapshots, batches and indexes, offsets, and the table of\n"
        "segments against the files. One line for each finding: what a crash leaves and the\n"
        "next start takes care of is a note; damage ends with status 1. The directory is not\n"
        "changed, and no broker may use it meanwhile.\n\n"
        "  millrace log verify /var/lib/millrace\n",
    .flags = FLAGS(verify_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a data directory",
    .offline = true,
    .run = verify_run,
};

/* --- repair --- */

static const struct flag repair_flags[] = {
    {"yes", 'y', FLAG_SWITCH, SETTING(yes), NULL, "Do it; else only the plan is printed.", 0},
    FLAG_JSON,
};

static void repair_close(const struct settings *settings, size_t count, const char *folder) {
    if (settings->json) return;
    if (count == 0)
        printf("nothing is to be repaired\n");
    else if (!settings->yes)
        printf("nothing was changed; --yes does it\n");
    else if (folder[0])
        printf("what was taken out is kept in %s/%s\n", settings->positional[0], folder);
}

static enum cli_exit repair_run(const struct settings *settings, struct error *error) {
    char folder[LAYOUT_PATH_SIZE];
    size_t count;
    say_configure(SAY_NOTHING, SAY_PLAIN);
    if (!repair_directory(settings->positional[0], settings->yes, settings->json, stdout, &count,
                          folder, error))
        return CLI_FAILED;
    repair_close(settings, count, folder);
    return flush_output(error) ? CLI_DONE : CLI_FAILED;
}

const struct command command_log_repair = {
    .name = "log repair",
    .usage = "DIR [--yes] [FLAGS]",
    .summary = "Make a damaged data directory serve again.",
    .text =
        "Prints what it would do; with --yes does it. What can be read stays, at its offsets;\n"
        "what cannot be read is taken out and kept in DIR/damaged. Offline partitions come\n"
        "back; where offsets may be given a second time, their leader epoch rises, so that\n"
        "consumers learn of it. A damaged catalog begins anew with what can be read; what has\n"
        "no topic any more becomes the topic lost-ID. A backup of the directory is a good idea\n"
        "before.\n\n"
        "  millrace log verify /var/lib/millrace\n"
        "  millrace log repair /var/lib/millrace --yes\n",
    .flags = FLAGS(repair_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a data directory",
    .offline = true,
    .run = repair_run,
};
