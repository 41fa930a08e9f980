// A CSV file. In: what is wanted of it and how it is written. Out: its rows, behind those that the table has.
// Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in its line, from 1. Lines are
// counted in the file, with those inside quotes.
#include "data/csv.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const reg_csv_form usual;

void csv_fail(CsvReader *r, int64_t line, int column, const char *hint, const char *fmt, ...) {
  char what[320];
  va_list args;
  if (r->failed) return;
  r->failed = true;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  reg_fail(r->st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", r->want->path, (long long)line, column, what);
  if (hint) reg_hint(r->st, "%s", hint);
}

void csv_no_memory(CsvReader *r, size_t bytes) {
  if (!r->failed) reg_no_memory(r->st, bytes);
  r->failed = true;
}

// -- mistakes of lines

static const char *column_name(const CsvReader *r, int column) {
  return column >= 1 && column <= r->header.count ? r->header.names[column - 1] : "";
}

void csv_report(CsvReader *r, const CsvPiece *p, int64_t line) {
  const CsvPlace *at = &p->place;
  const char *name = column_name(r, at->column), *hint;
  line += at->line;
  switch (p->wrong) {
  case CSV_TOO_FEW:
    csv_fail(r, line, at->column, "every line has as many fields as the header",
             "%d fields, the header has %d", at->column - 1, r->header.count);
    break;
  case CSV_TOO_MANY:
    csv_fail(r, line, at->column, "a separator inside a field needs quotes around the field",
             "more fields than the header's %d", r->header.count);
    break;
  case CSV_QUOTE:
    csv_fail(r, line, at->column, "a quote inside a field is written twice, and the field stands in quotes",
             "misplaced quote");
    break;
  case CSV_OPEN:
    csv_fail(r, line, at->column, "add the closing quote",
             "a quoted field is not closed before the end of the file");
    break;
  case CSV_ZERO:
    csv_fail(r, line, at->column, "is it a text file? gzip and zstd are unpacked, other packers are not",
             "a zero byte in the field");
    break;
  case CSV_BYTES: csv_fail(r, line, at->column, "save the file as UTF-8", "the field is no UTF-8"); break;
  case CSV_LONG:
    csv_fail(r, line, at->column, "is a quote missing, or is it no table?", "a field of more than %d bytes",
             CSV_LONGEST_FIELD);
    break;
  case CSV_LINE:
    csv_fail(r, line, at->column, "is a quote missing, or is it no table?", "a line of more than %d bytes",
             CSV_LONGEST_LINE);
    break;
  case CSV_EMPTY:
    if (*at->cell)
      csv_fail(r, line, at->column, NO_VALUE_HINT, "`%.40s` in column `%.60s` stands for a missing value",
               at->cell, name);
    else
      csv_fail(r, line, at->column, NO_VALUE_HINT, "empty field in column `%.60s`", name);
    break;
  case CSV_NUMBER: {
    const char *what = number_mistake(p->number, p->layout->dtype, &hint);
    if (p->number == NUMBER_NONE && *at->cell == '=')
      hint = "it seems to be a formula of a spreadsheet: export the table with values";
    csv_fail(r, line, at->column, hint, "`%.40s` in column `%.60s` %s", at->cell, name, what);
    break;
  }
  case CSV_RIGHT:
  case CSV_MEMORY: csv_no_memory(r, 0); break;
  }
}

// -- columns

// What the whole file tells of a column of x.
static void check_column(CsvReader *r, int x) {
  const CsvPiece *all = &r->all;
  const int64_t missing = all->missing[x], truths = all->truths[x], rows = all->nrows;
  const CsvPlace *truth = truths ? &all->first_truth[x] : NULL,
                 *hole = missing ? &all->first_missing[x] : NULL;
  const char *name = r->table->columns[x], *hint;
  if (truth && truths + missing < rows) {
    const char *what = number_mistake(NUMBER_NONE, r->table->dtype, &hint);
    csv_fail(r, r->line + truth->line, truth->column, hint, "`%.40s` in column `%.60s` %s", truth->cell, name,
             what);
  }
  if (!hole || r->want->holes) return;
  char more[64] = "";
  if (missing > 1)
    snprintf(more, sizeof more, "; %lld of %lld rows lack it", (long long)missing, (long long)rows);
  hint = "`impute(mean)` or `impute(median)` fills in what the training part tells, `drop_missing` leaves "
         "such rows out";
  if (*hole->cell)
    csv_fail(r, r->line + hole->line, hole->column, hint,
             "`%.40s` in column `%.60s` stands for a missing number%s", hole->cell, name, more);
  else
    csv_fail(r, r->line + hole->line, hole->column, hint, "empty field in column `%.60s`%s", name, more);
  if (missing == rows && rows > 1)
    reg_hint(r->st, "`drop: [\"%.60s\"]` leaves a column without values out", name);
}

// A column that a step names and x lacks is told before what is wrong with the rows of others.
static void check_texts(CsvReader *r) {
  const TableRequest *want = r->want;
  const Table *t = r->table;
  for (int k = 0; k < want->ntexts && !want->columns; k++) {
    int x = 0;
    while (x < t->width && strcmp(want->texts[k], t->columns[x]) != 0) x++;
    if (x == t->width) {
      r->failed = true;
      table_no_column(want->texts[k], r->st);
      return;
    }
  }
}

// Which columns of x are texts: as in the first file, as the request says, or those that it names.
static bool open_texts(CsvReader *r) {
  Table *t = r->table;
  const TableRequest *want = r->want;
  if (t->is_text) return true;
  t->is_text = calloc((size_t)t->width + 1, sizeof *t->is_text);
  t->levels = calloc((size_t)t->width + 1, sizeof *t->levels);
  if (!t->is_text || !t->levels) return false;
  t->texts = t->width;
  for (int x = 0; x < t->width; x++) {
    t->is_text[x] = want->is_text && want->is_text[x];
    for (int k = 0; k < want->ntexts; k++) t->is_text[x] |= !strcmp(want->texts[k], t->columns[x]);
  }
  return true;
}

static void read_rows(CsvReader *r) {
  Table *t = r->table;
  if (!t->is_text) check_texts(r);
  if (r->failed) return;
  if (!open_texts(r)) {
    csv_no_memory(r, (size_t)t->width);
    return;
  }
  r->layout.ncolumns = r->header.count;
  r->layout.use = r->use;
  r->layout.also = r->also;
  r->layout.texts = t->is_text;
  r->layout.holes = r->want->drops;
  r->layout.guess = r->want->any_text && !t->nfiles;
  r->layout.skips = r->want->skipping != NULL;
  r->layout.width = t->width;
  r->layout.nown = t->nown;
  r->layout.own = t->own;
  csv_read_rows(r);
  for (int x = 0; x < t->width && !r->failed; x++) check_column(r, x);
  const bool skipped = r->want->skipping && r->want->skipping->rows;
  if (!r->failed && t->nrows == r->start && skipped)
    csv_fail(r, r->line, 1, "what is wrong is told above", "no row of the file can be read");
  else if (!r->failed && t->nrows == r->start)
    csv_fail(r, r->line, 1, "a data set needs at least one row", "the file has a header and no rows");
}

const char *csv_begin(CsvReader *r, const char *at, size_t size) {
  const unsigned char *b = (const unsigned char *)at;
  const char *end = at + size;
  if (size >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) at += 3;
  if (size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
    csv_fail(r, 1, 1, "save it as UTF-8", "the file is UTF-16");
  r->line = 1;
  for (int64_t i = 0; i < r->form->skip && at < end; i++) {
    while (at < end && *at != '\n' && *at != '\r') at++;
    if (at < end) at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
    r->line++;
  }
  return at;
}

// The line of names is whole in memory, or there is none.
static void find_names(CsvReader *r) {
  csv_more(r, NULL);
  while (!r->failed && !r->last && !r->cut) {
    CsvPiece front = {.layout = &r->layout, .end = r->end};
    if (csv_pass(&front, r->at) < r->end) return;
    csv_more(r, r->bytes);
  }
}

static void read_all(CsvReader *r) {
  Table *t = r->table;
  find_names(r);
  CsvPiece head = {.end = r->end};
  if (!r->failed && !csv_piece_open(&head, &r->layout)) csv_no_memory(r, 0);
  if (!r->failed) r->at = csv_names(r, &head, r->at);
  r->named = true;
  if (!r->failed && r->header.count == 0)
    csv_fail(r, 1, 1, "a CSV file starts with a line of column names", "the file is empty");
  r->line += head.lines;
  if (head.layout) csv_piece_free(&head);
  if (!r->failed) csv_use_columns(r);
  if (!r->failed) read_rows(r);
  TableFile *file = &t->files[t->nfiles];
  file->path = r->want->path;
  file->first = r->start;
  file->nrows = t->nrows - r->start;
  t->nfiles++;
}

static CsvLayout layout_of(const reg_csv_form *f, reg_dtype dtype) {
  return (CsvLayout){.separator = (char)(f->separator ? f->separator : ','),
                     .marks = {.point = (char)(f->decimal ? f->decimal : '.'),
                               .thousands = (char)f->thousands,
                               .nunits = f->nunits,
                               .units = f->units},
                     .comment = (char)f->comment,
                     .nmissing = f->nmissing,
                     .missing = f->missing,
                     .dtype = dtype};
}

int table_read_csv(Table *t, const TableRequest *want, reg_status *st) {
  char sum[17];
  const reg_csv_form *form = want->form ? want->form : &usual;
  CsvReader r = {.table = t, .want = want, .form = form, .st = st, .start = t->nrows};
  r.layout = layout_of(form, t->dtype);
  r.failed = stream_open(&r.stream, want->path, st) != REG_OK;
  if (!r.failed) read_all(&r);
  if (!r.failed) r.failed = stream_sum(&r.stream, sum, st) != REG_OK;
  if (!r.failed) table_add_sum(t, sum);
  stream_close(&r.stream);
  free(r.bytes);
  free(r.use);
  free(r.also);
  names_free(&r.header);
  if (r.all.layout) csv_piece_free(&r.all);
  return r.failed ? st->code : REG_OK;
}
