#include "offline/sheet.h"

#include "base/check.h"
#include "base/memory.h"

enum { ROWS_MAX = 1000 };

void sheet_begin(struct sheet *sheet, const char *kind, bool json, FILE *out) {
    *sheet = (struct sheet){.kind = kind, .json = json, .out = out};
}

static void sheet_cell(struct sheet *sheet, const char *column, struct bytes value,
                       bool is_number) {
    check(sheet->column < SHEET_COLUMNS_MAX);
    if (sheet->column == sheet->column_count) sheet->columns[sheet->column_count++] = column;
    check(strcmp(sheet->columns[sheet->column], column) == 0);
    if (sheet->cell_count == sheet->cell_capacity) {
        sheet->cell_capacity = sheet->cell_capacity * 2 + 64;
        sheet->cells = memory_resize(sheet->cells, sheet->cell_capacity * sizeof *sheet->cells);
    }
    sheet->cells[sheet->cell_count++] = (struct sheet_cell){sheet->texts.len, value.len, is_number};
    text_append(&sheet->texts, value);
    sheet->column++;
}

void sheet_number(struct sheet *sheet, const char *column, int64_t value) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)value);
    sheet_cell(sheet, column, bytes_make(digits, (size_t)len), true);
}

void sheet_text(struct sheet *sheet, const char *column, const char *value) {
    sheet_cell(sheet, column, bytes_of_text(value), false);
}

static struct bytes cell_bytes(const struct sheet *sheet, const struct sheet_cell *cell) {
    return bytes_make(sheet->texts.at ? sheet->texts.at + cell->at : "", cell->len);
}

static void print_json_row(const struct sheet *sheet, const struct sheet_cell *cells) {
    struct text line = {0};
    text_printf(&line, "{\"kind\": \"%s\"", sheet->kind);
    for (size_t at = 0; at < sheet->column_count; at++) {
        text_printf(&line, ", \"");
        for (const char *c = sheet->columns[at]; *c; c++)
            text_printf(&line, "%c", *c == ' ' ? '_' : *c);
        text_printf(&line, "\": ");
        struct bytes value = cell_bytes(sheet, &cells[at]);
        if (cells[at].is_number)
            text_append(&line, value);
        else
            text_append_json(&line, value);
    }
    text_printf(&line, "}\n");
    fwrite(line.at, 1, line.len, sheet->out);
    text_deinit(&line);
}

static void print_cell(const struct sheet *sheet, size_t width, struct bytes value, bool is_number,
                       bool is_last) {
    if (is_number)
        fprintf(sheet->out, "  %*.*s", (int)width, BYTES_FORMAT(value));
    else
        fprintf(sheet->out, "  %-*.*s", is_last ? 0 : (int)width, BYTES_FORMAT(value));
    if (is_last) fputc('\n', sheet->out);
}

static void print_table(const struct sheet *sheet) {
    size_t widths[SHEET_COLUMNS_MAX] = {0}, count = sheet->column_count;
    for (size_t at = 0; at < count; at++) widths[at] = strlen(sheet->columns[at]);
    for (size_t at = 0; at < sheet->cell_count; at++)
        if (sheet->cells[at].len > widths[at % count]) widths[at % count] = sheet->cells[at].len;
    for (size_t at = 0; at < count; at++)
        print_cell(sheet, widths[at], bytes_of_text(sheet->columns[at]), sheet->cells[at].is_number,
                   at + 1 == count);
    for (size_t at = 0; at < sheet->cell_count; at++)
        print_cell(sheet, widths[at % count], cell_bytes(sheet, &sheet->cells[at]),
                   sheet->cells[at].is_number, (at + 1) % count == 0);
}

static void sheet_flush(struct sheet *sheet) {
    if (sheet->cell_count == 0) return;
    if (sheet->json) {
        for (size_t at = 0; at < sheet->cell_count; at += sheet->column_count)
            print_json_row(sheet, &sheet->cells[at]);
    } else {
        if (!sheet->has_title) fprintf(sheet->out, "%s\n", sheet->kind);
        print_table(sheet);
    }
    sheet->has_title = true;
    sheet->cell_count = 0;
    text_deinit(&sheet->texts);
}

void sheet_row(struct sheet *sheet) {
    check(sheet->column == sheet->column_count);
    sheet->column = 0;
    if (sheet->cell_count >= ROWS_MAX * sheet->column_count) sheet_flush(sheet);
}

void sheet_end(struct sheet *sheet) {
    sheet_flush(sheet);
    if (!sheet->json && sheet->has_title) fputc('\n', sheet->out);
    free(sheet->cells);
}
