/* millrace schema check, schema diff: .proto files without a broker. */
#include <errno.h>

#include "cli/command.h"
#include "cli/schema_source.h"
#include "registry/canonical.h"
#include "registry/compatibility.h"

#define FLAG_PROTO_PATH                                                                       \
    {                                                                                         \
        "proto-path", 'I', FLAG_LIST, SETTING(proto_paths), "FOLDER",                         \
            "Where imports are looked for, before the file's own folder. May be repeated.", 0 \
    }

static const struct flag check_flags[] = {
    FLAG_PROTO_PATH,
    {"canonical", 0, FLAG_SWITCH, SETTING(canonical), NULL,
     "Print the normalised text by which schemas are compared.", 0},
};

static void messages_print(const struct schema_source *source, struct text *out) {
    const struct file_descriptor *file = descriptor_root(&source->linked);
    for (size_t i = 0; i < file->message_count; i++)
        text_printf(out, "%.*s\n", BYTES_FORMAT(file->messages[i].full_name));
}

static enum cli_exit check_run(const struct settings *settings, struct error *error) {
    struct schema_source *source =
        schema_source_open(settings->positional[0], &settings->proto_paths, error);
    struct descriptor_set parsed;
    struct text out = {0};
    if (!source) return CLI_FAILED;
    if (!settings->canonical) {
        messages_print(source, &out);
    } else if (descriptor_file_read(byte_buffer_bytes(&source->compiled.parsed), &source->arena,
                                    &parsed, error)) {
        canonical_print(&parsed, &source->linked, true, &source->arena, &out);
    }
    schema_source_close(source);
    return command_print(&out, error) ? CLI_DONE : CLI_FAILED;
}

const struct command command_schema_check = {
    .name = "schema check",
    .usage = "FILE.proto [FLAGS]",
    .summary = "Compile a .proto file; print its messages.",
    .text =
        "Says where a schema is wrong, with line and column, and ends with status 1 then:\n\n"
        "  millrace schema check proto/order.proto -I proto\n",
    .flags = FLAGS(check_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a .proto file",
    .offline = true,
    .run = check_run,
};

static const struct flag diff_flags[] = {
    FLAG_PROTO_PATH,
    {"level", 'l', FLAG_TEXT, SETTING(level), "LEVEL",
     "BACKWARD (the default): readers with NEW read what was written with OLD; FORWARD: the other "
     "way; FULL: both.",
     0},
};

static enum cli_exit sources_compare(struct schema_source *old, struct schema_source *new,
                                     enum compatibility_level level, struct error *error) {
    const struct descriptor_set *versions[] = {&old->linked};
    struct differences differences;
    struct text out = {0};
    compatibility_check(level, &new->linked, versions, 1, &new->arena, &differences);
    for (size_t i = 0; i < differences.told; i++) {
        difference_print(&differences.at[i], &out);
        text_printf(&out, "\n");
    }
    if (!command_print(&out, error)) return CLI_FAILED;
    if (differences.count == 0) return CLI_DONE;
    error_set(error, 0, "not %s compatible: %zu difference%s", compatibility_level_name(level),
              differences.count, differences.count > 1 ? "s" : "");
    return CLI_FAILED;
}

static enum cli_exit diff_run(const struct settings *settings, struct error *error) {
    enum compatibility_level level = COMPATIBILITY_BACKWARD;
    if (settings->level && !compatibility_level_parse(bytes_of_text(settings->level), &level)) {
        error_set(error, EINVAL, "--level is BACKWARD, FORWARD or FULL, not \"%.100s\"",
                  settings->level);
        return CLI_USAGE;
    }
    struct schema_source *old =
        schema_source_open(settings->positional[0], &settings->proto_paths, error);
    struct schema_source *new =
        old ? schema_source_open(settings->positional[1], &settings->proto_paths, error) : NULL;
    enum cli_exit status = new ? sources_compare(old, new, level, error) : CLI_FAILED;
    if (old) schema_source_close(old);
    if (new) schema_source_close(new);
    return status;
}

const struct command command_schema_diff = {
    .name = "schema diff",
    .usage = "OLD.proto NEW.proto [FLAGS]",
    .summary = "Say what makes two versions of a schema incompatible.",
    .text =
        "By the rules of schema registries for Protobuf; status 1 when there is anything:\n\n"
        "  millrace schema diff order-1.proto order-2.proto --level FULL\n",
    .flags = FLAGS(diff_flags),
    .names_min = 2,
    .names_max = 2,
    .names = "the old or the new .proto file",
    .offline = true,
    .run = diff_run,
};
