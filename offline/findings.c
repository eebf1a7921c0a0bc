#include "offline/findings.h"

#include <stdarg.h>

#include "base/memory.h"
#include "base/text.h"

void findings_deinit(struct findings *findings) {
    for (size_t at = 0; at < findings->count; at++) {
        free(findings->items[at].file);
        free(findings->items[at].what);
    }
    free(findings->items);
    *findings = (struct findings){0};
}

void finding_add(struct findings *findings, enum finding_kind kind, const char *file,
                 int64_t position, const char *advice, const char *format, ...) {
    char what[512];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    if (findings->count == findings->capacity) {
        findings->capacity = findings->capacity * 2 + 16;
        findings->items =
            memory_resize(findings->items, findings->capacity * sizeof *findings->items);
    }
    findings->items[findings->count++] = (struct finding){.kind = kind,
                                                          .file = memory_copy_text(file),
                                                          .position = position,
                                                          .what = memory_copy_text(what),
                                                          .advice = advice};
    if (kind == FINDING_DAMAGE) findings->damage_count++;
}

static const char *kind_word(const struct finding *finding) {
    return finding->kind == FINDING_DAMAGE ? "damage" : "note";
}

static void print_json(const struct finding *finding, FILE *out) {
    struct text line = {0};
    text_printf(&line, "{\"kind\": \"%s\", \"file\": ", kind_word(finding));
    text_append_json(&line, bytes_of_text(finding->file));
    text_printf(&line, ", \"position\": %lld, \"what\": ", (long long)finding->position);
    text_append_json(&line, bytes_of_text(finding->what));
    text_printf(&line, ", \"advice\": ");
    text_append_json(&line, bytes_of_text(finding->advice));
    text_printf(&line, "}\n");
    fwrite(line.at, 1, line.len, out);
    text_deinit(&line);
}

static void print_line(const struct finding *finding, FILE *out) {
    fprintf(out, "%s: ", kind_word(finding));
    if (finding->file[0]) fprintf(out, "%s", finding->file);
    if (finding->position >= 0) fprintf(out, ", byte %lld", (long long)finding->position);
    fprintf(out, "%s%s; %s\n", finding->file[0] ? ": " : "", finding->what, finding->advice);
}

void findings_print(const struct findings *findings, bool json, FILE *out) {
    for (size_t at = 0; at < findings->count; at++) {
        if (json)
            print_json(&findings->items[at], out);
        else
            print_line(&findings->items[at], out);
    }
}
