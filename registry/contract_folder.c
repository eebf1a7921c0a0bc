#include "registry/contract_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/check.h"
#include "registry/compile.h"
#include "registry/descriptor.h"
#include "registry/known.h"
#include "registry/subjects.h"
#include "registry/wire_field.h"

/* Fields of FileDescriptorSet and FileDescriptorProto; those of others are extensions. */
enum { SET_FILE = 1, FILE_NAME = 1, FILE_SOURCE_CODE_INFO = 9, FILE_EXTENSION_FIRST = 1000 };

enum { PROBLEMS_MAX = 100 }; /* then nothing further is read */

struct reading {
    struct contract_folder *folder;
    struct text *problems;
    size_t bytes;
    size_t problem_count;
};

__attribute__((format(printf, 3, 4))) static void problem(struct reading *reading,
                                                          const char *place, const char *format,
                                                          ...) {
    char words[512];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    reading->problem_count++;
    text_printf(reading->problems, "%s%s\n", place, words);
}

/* --- reading --- */

static bool is_known(struct bytes name) {
    for (size_t i = 0; i < known_file_count; i++)
        if (bytes_equal_text(name, known_files[i].name)) return true;
    return false;
}

static void file_add(struct reading *reading, const struct contract_file *file) {
    struct contract_folder *folder = reading->folder;
    if (is_known(file->name)) return;
    if (!subject_name_is_valid(file->name))
        problem(reading, file->place,
                ": the name can be no subject's: it is too long, not UTF-8, "
                "or has control characters");
    else if (folder->count == FOLDER_FILES_MAX)
        problem(reading, file->place, ": there are more than %d files", FOLDER_FILES_MAX);
    else
        folder->files[folder->count++] = *file;
}

/* At most `most` bytes, into the arena. */
static bool content_read(struct reading *reading, const char *path, size_t most,
                         struct bytes *content) {
    struct stat about;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &about) != 0) {
        problem(reading, path, ": cannot be read: %s", strerror(errno));
        if (file) fclose(file);
        return false;
    }
    bool fits = (uint64_t)about.st_size <= most &&
                reading->bytes + (uint64_t)about.st_size <= FOLDER_BYTES_MAX;
    size_t len = fits ? (size_t)about.st_size : 0;
    uint8_t *at = (uint8_t *)arena_zero(&reading->folder->arena, 1, len + 1);
    *content = bytes_make(at, fread(at, 1, len, file));
    fclose(file);
    reading->bytes += content->len;
    if (!fits) problem(reading, path, ": too large");
    return fits;
}

static void text_read(struct reading *reading, const char *path, const char *name) {
    struct contract_file file = {.name = bytes_of_text(name), .place = path};
    if (content_read(reading, path, SCHEMA_SIZE_MAX, &file.content)) file_add(reading, &file);
}

/* One file of an image: its name, and a copy without comments and positions, which may be most of
 * it, and without what buf notes about it. */
static bool descriptor_read(struct reading *reading, struct bytes from,
                            struct contract_file *file) {
    struct arena *arena = &reading->folder->arena;
    uint8_t *copy = (uint8_t *)arena_zero(arena, 1, from.len + 1);
    size_t len = 0;
    struct wire_field field;
    bool broken = false;
    for (struct bytes rest = from, before = from; wire_field_next(&rest, &field, &broken);
         before = rest) {
        if (field.number == FILE_NAME && field.type == WIRE_BYTES) file->name = field.bytes;
        if (field.number == FILE_SOURCE_CODE_INFO || field.number >= FILE_EXTENSION_FIRST) continue;
        memcpy(copy + len, before.at, before.len - rest.len);
        len += before.len - rest.len;
    }
    file->content = bytes_make(copy, len);
    return !broken && file->name.len > 0;
}

static void image_read(struct reading *reading, const char *path) {
    struct bytes rest;
    struct wire_field field;
    size_t count = 0;
    bool broken = false;
    if (!content_read(reading, path, FOLDER_BYTES_MAX, &rest)) return;
    while (reading->problem_count < PROBLEMS_MAX && wire_field_next(&rest, &field, &broken)) {
        struct contract_file file = {.is_descriptor = true};
        if (field.number != SET_FILE || field.type != WIRE_BYTES) continue;
        broken = !descriptor_read(reading, field.bytes, &file);
        if (broken) break;
        file.place =
            arena_format(&reading->folder->arena, "%s: %.*s", path, BYTES_FORMAT(file.name));
        file_add(reading, &file);
        count++;
    }
    if (broken || count == 0)
        problem(reading, path, ": not an image (a FileDescriptorSet, as `buf build -o` writes it)");
}

static bool ends_with(const char *name, const char *end) {
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

static void folder_read(struct reading *reading, const char *path, const char *below, int depth);

static void entry_read(struct reading *reading, const char *path, const char *name, int depth) {
    struct stat about, link;
    const char *last = strrchr(name, '/');
    last = last ? last + 1 : name;
    if (stat(path, &about) != 0 || lstat(path, &link) != 0) {
        problem(reading, path, ": cannot be read: %s", strerror(errno));
    } else if (S_ISDIR(link.st_mode)) {
        folder_read(reading, path, name, depth + 1);
    } else if (S_ISREG(about.st_mode)) {
        if (depth == 0 && strcmp(last, MANIFEST_NAME) == 0) reading->folder->manifest = path;
        if (ends_with(last, ".proto")) text_read(reading, path, name);
        if (ends_with(last, ".binpb")) image_read(reading, path);
    }
}

/* In order of name, so that the same files get the same ids in any place. `below`: of the path, as
 * imports have it. */
static void folder_read(struct reading *reading, const char *path, const char *below, int depth) {
    struct arena *arena = &reading->folder->arena;
    struct dirent **entries = NULL;
    int count = depth < FOLDER_DEPTH_MAX ? scandir(path, &entries, NULL, alphasort) : -1;
    if (count < 0)
        problem(reading, path, ": %s",
                depth < FOLDER_DEPTH_MAX ? strerror(errno) : "folders nest too deep");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && reading->problem_count < PROBLEMS_MAX)
            entry_read(reading, arena_format(arena, "%s/%s", path, name),
                       arena_format(arena, "%s%s%s", below, *below ? "/" : "", name), depth);
        free(entries[i]);
    }
    free(entries);
}

/* --- compiling --- */

static int compare_files(const void *a, const void *b) {
    return bytes_compare(((const struct contract_file *)a)->name,
                         ((const struct contract_file *)b)->name);
}

static void names_check(struct reading *reading) {
    struct contract_folder *folder = reading->folder;
    qsort(folder->files, folder->count, sizeof *folder->files, compare_files);
    for (size_t i = 1; i < folder->count; i++)
        if (bytes_equal(folder->files[i - 1].name, folder->files[i].name))
            problem(reading, folder->files[i].place, ": the file is also in %s",
                    folder->files[i - 1].place);
}

static size_t find_sorted(const struct contract_folder *folder, struct bytes name) {
    const struct contract_file wanted = {.name = name};
    const struct contract_file *found = (const struct contract_file *)bsearch(
        &wanted, folder->files, folder->count, sizeof wanted, compare_files);
    return found ? (size_t)(found - folder->files) : folder->count;
}

static bool imports_take(struct reading *reading, struct contract_file *file,
                         const struct schema_compiled *compiled, struct error *error) {
    struct contract_folder *folder = reading->folder;
    struct descriptor_set parsed;
    struct arena arena;
    arena_init(&arena, FOLDER_BYTES_MAX);
    bool good = descriptor_file_read(byte_buffer_bytes(&compiled->parsed), &arena, &parsed, error);
    const struct file_descriptor *root = good ? descriptor_root(&parsed) : NULL;
    if (root) file->imports = arena_array(&folder->arena, size_t, root->import_count + 1);
    for (size_t i = 0; root && i < root->import_count; i++) {
        size_t import = find_sorted(folder, root->imports[i].name);
        if (import == folder->count) continue;
        file->imports[file->import_count++] = import;
        folder->files[import].is_imported = true;
    }
    arena_deinit(&arena);
    return good;
}

/* Whether the error is in another file, which tells it itself. */
static bool is_elsewhere(const struct reading *reading, const struct contract_file *file,
                         const char *text) {
    const struct contract_folder *folder = reading->folder;
    for (size_t i = 0; i < folder->count; i++) {
        struct bytes name = folder->files[i].name;
        if (&folder->files[i] != file && strncmp(text, (const char *)name.at, name.len) == 0 &&
            text[name.len] == ':')
            return true;
    }
    return false;
}

/* "3:14: words" follows the place at once. */
static void problem_tell(struct reading *reading, const struct contract_file *file,
                         const char *text) {
    bool has_line = text[0] >= '0' && text[0] <= '9';
    problem(reading, file->place, "%s%s", has_line ? ":" : ": ", text);
}

static void files_compile(struct reading *reading) {
    struct contract_folder *folder = reading->folder;
    struct schema_file *all =
        (struct schema_file *)memory_zero(folder->count + 1, sizeof(struct schema_file));
    const struct contract_file *quiet = NULL;
    struct error untold;
    for (size_t i = 0; i < folder->count; i++)
        all[i] = (struct schema_file){folder->files[i].name, folder->files[i].content,
                                      folder->files[i].is_descriptor};
    for (size_t i = 0; i < folder->count; i++) {
        struct contract_file *file = &folder->files[i];
        struct schema_compiled compiled;
        struct error error;
        bool good = schema_compile(&all[i], all, folder->count, &compiled, &error) &&
                    imports_take(reading, file, &compiled, &error);
        schema_compiled_deinit(&compiled);
        if (good) continue;
        if (!is_elsewhere(reading, file, error.text)) {
            problem_tell(reading, file, error.text);
        } else if (!quiet) {
            quiet = file;
            untold = error;
        }
    }
    if (quiet && reading->problem_count == 0) problem_tell(reading, quiet, untold.text);
    free(all);
}

/* --- the order --- */

static bool imports_are_placed(const struct contract_file *file, const size_t *places) {
    for (size_t i = 0; i < file->import_count; i++)
        if (places[file->imports[i]] == SIZE_MAX) return false;
    return true;
}

/* As often as imports nest, which the compiler has bounded; by name otherwise. */
static void files_order(struct contract_folder *folder) {
    size_t count = folder->count, placed = 0;
    struct contract_file *ordered = arena_array(&folder->arena, struct contract_file, count + 1);
    size_t *places = (size_t *)memory_zero(count + 1, sizeof *places);
    for (size_t i = 0; i < count; i++) places[i] = SIZE_MAX;
    for (size_t before = SIZE_MAX; placed < count && placed != before;) {
        before = placed;
        for (size_t i = 0; i < count; i++) {
            if (places[i] != SIZE_MAX || !imports_are_placed(&folder->files[i], places)) continue;
            ordered[placed] = folder->files[i];
            places[i] = placed++;
        }
    }
    check(placed == count); /* circles do not compile */
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < ordered[i].import_count; j++)
            ordered[i].imports[j] = places[ordered[i].imports[j]];
    folder->files = ordered;
    free(places);
}

bool contract_folder_open(const char *path, struct contract_folder *folder, struct text *problems) {
    struct reading reading = {.folder = folder, .problems = problems};
    struct stat about;
    *folder = (struct contract_folder){0};
    arena_init(&folder->arena, SIZE_MAX);
    folder->files = arena_array(&folder->arena, struct contract_file, FOLDER_FILES_MAX);
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        image_read(&reading, path);
    else
        folder_read(&reading, path, "", 0);
    if (reading.problem_count == 0 && folder->count == 0 && !folder->manifest)
        problem(&reading, path, ": has no .proto file, no image and no " MANIFEST_NAME);
    if (reading.problem_count == 0) names_check(&reading);
    if (reading.problem_count == 0) files_compile(&reading);
    if (reading.problem_count == 0) files_order(folder);
    return reading.problem_count == 0;
}

void contract_folder_close(struct contract_folder *folder) { arena_deinit(&folder->arena); }

size_t contract_folder_find(const struct contract_folder *folder, struct bytes name) {
    size_t i = 0;
    while (i < folder->count && !bytes_equal(folder->files[i].name, name)) i++;
    return i;
}
