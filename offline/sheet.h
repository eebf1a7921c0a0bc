/* Rows of named cells, for people or programs: a table with aligned columns, or one JSON object in
 * a line for each row, beginning with {"kind": KIND. Rows of one sheet have the same columns.
 * Written out every thousand rows, so that memory is bounded. */
#pragma once

#include <stdio.h>

#include "base/text.h"

enum { SHEET_COLUMNS_MAX = 16 };

struct sheet_cell {
    size_t at, len; /* in `texts` */
    bool is_number;
};

struct sheet {
    const char *kind;
    bool json;
    FILE *out;
    const char *columns[SHEET_COLUMNS_MAX];
    size_t column_count, column; /* column: of the next cell */
    struct text texts;
    struct sheet_cell *cells; /* by row */
    size_t cell_count, cell_capacity;
    bool has_title;
};

/* `kind` and the columns' names are kept, not copied. */
void sheet_begin(struct sheet *sheet, const char *kind, bool json, FILE *out);
void sheet_number(struct sheet *sheet, const char *column, int64_t value);
void sheet_text(struct sheet *sheet, const char *column, const char *value);
void sheet_row(struct sheet *sheet);
/* Writes what is left. */
void sheet_end(struct sheet *sheet);
