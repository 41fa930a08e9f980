// A CSV file. In: what is wanted of it and how it is written. Out: its rows, behind those that the table has.
// Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in its line, from 1. Lines are
// counted in the file, with those inside quotes.
#include "data/csv.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

// A text that is a number by other marks: what says these; or NULL.
static const char *other_marks(const CsvReader *r, const char *cell) {
  static const struct {
    NumberMarks marks;
    const char *hint;
  } others[] = {
      {{.point = '.', .thousands = ','}, "`thousands: \",\"` reads commas between groups of three digits"},
      {{.point = ','}, "`decimal: \",\"` reads a comma as the decimal mark"},
      {{.point = ',', .thousands = '.'}, "`decimal: \",\", thousands: \".\"` reads such numbers"}};
  char plain[64];
  size_t size;
  double value;
  for (size_t i = 0; i < sizeof others / sizeof *others && !r->form->decimal && !r->form->thousands; i++)
    if (number_plain(&others[i].marks, cell, strlen(cell), plain, sizeof plain, &size) &&
        number_parse(plain, size, REG_F64, &value) == NUMBER_OK)
      return others[i].hint;
  return NULL;
}

static void report(CsvReader *r, const CsvPiece *p, int64_t line) {
  const CsvPlace *at = &p->place;
  const char *name = column_name(r, at->column), *hint;
  switch (p->wrong) {
  case CSV_TOO_FEW:
    csv_fail(r, line, at->column, "every line has as many fields as the header", "%d fields, the %s %d",
             at->column - 1, r->padded ? "rows before have" : "header has", r->header.count);
    break;
  case CSV_NAMELESS: csv_has_no_name(r, at->column, at->cell, line); break;
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
    csv_fail(
        r, line, at->column,
        "is it a text file? gzip and zstd are unpacked, other packers are not; UTF-16 needs its byte order "
        "mark, or `iconv -f UTF-16LE -t UTF-8` makes UTF-8 of it",
        "a zero byte in the field");
    break;
  case CSV_BYTES: csv_fail(r, line, at->column, CSV_TO_UTF8, "the field is no UTF-8"); break;
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
    if (p->number == NUMBER_NONE && *at->cell == '#')
      hint = "it seems to be an error of a spreadsheet: `missing: [...]` lists texts that stand for nothing";
    if (p->number == NUMBER_NONE && other_marks(r, at->cell)) hint = other_marks(r, at->cell);
    csv_fail(r, line, at->column, hint, "`%.40s` in column `%.60s` %s", at->cell, name, what);
    break;
  }
  case CSV_RIGHT:
  case CSV_MEMORY: csv_no_memory(r, 0); break;
  }
}

// What may be around the table: in front of the first row, behind many of them.
void csv_report(CsvReader *r, const CsvPiece *p, int64_t line) {
  enum { ENOUGH = 5 };
  const CsvWrong wrong = p->wrong;
  line += p->place.line;
  report(r, p, line);
  if (!r->named) csv_find_title(r);
  const bool first = !r->all.lines && !p->nrows;
  if (first && wrong == CSV_TOO_MANY && r->first_row == r->header.count + 1)
    reg_hint(r->st,
             "a name is missing in the header: `skip: %lld, header: false, names: [...]` says all of them",
             (long long)r->head);
  if (first && (wrong == CSV_TOO_MANY || wrong == CSV_QUOTE || wrong == CSV_NAMELESS)) csv_suggest_title(r);
  const bool row = wrong == CSV_TOO_FEW || wrong == CSV_TOO_MANY || wrong == CSV_QUOTE || wrong == CSV_OPEN ||
                   wrong == CSV_NUMBER || wrong == CSV_EMPTY;
  if (row && r->all.nrows + p->nrows >= ENOUGH) csv_suggest_footer(r, line);
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

// Spreadsheets say the separator in a first line: sep=; or "sep=;". Behind it; NULL: there is none.
static const char *separator_line(const char *at, const char *end, char *separator) {
  const bool quoted = at < end && *at == '"';
  at += quoted;
  if (end - at < 5 || strncasecmp(at, "sep=", 4) != 0) return NULL;
  const unsigned char c = (unsigned char)at[4];
  if (c == '"' || (!ispunct(c) && c != ' ' && c != '\t')) return NULL;
  at += 5;
  if (quoted && (at == end || *at++ != '"')) return NULL;
  if (at < end && *at != '\n' && *at != '\r') return NULL;
  *separator = (char)c;
  return at;
}

const char *csv_begin(CsvReader *r, const char *at, size_t size) {
  const char *end = at + size;
  if (size >= 3 && !memcmp(at, "\xEF\xBB\xBF", 3)) at += 3;
  const bool tells = separator_line(at, end, &r->layout.separator) != NULL;
  r->line = 1;
  for (int64_t i = r->form->skip || !tells ? 0 : -1; i < r->form->skip && at < end; i++) {
    while (at < end && *at != '\n' && *at != '\r') at++;
    if (at < end) at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
    r->line++;
  }
  return at;
}

// The line of names, and two rows, which tell how many columns there are, are whole in memory, or there are
// none.
static bool has_front(const CsvReader *r) {
  CsvPiece p = {.layout = &r->layout, .end = r->end};
  const char *at = r->at;
  bool empty;
  int lines = 0;
  while (lines < 3 && csv_row_fields(&p, &at, &empty)) lines++;
  free(p.scratch);
  return lines == 3 || (p.wrong && p.wrong != CSV_OPEN);
}

static void find_names(CsvReader *r) {
  csv_more(r, NULL);
  while (!r->failed && !r->last && !r->cut && !has_front(r)) csv_more(r, r->bytes);
}

// What is before the header may be taken for it.
static bool is_odd(const CsvReader *r) {
  bool odd = r->header.count == 1 || r->first_row > r->header.count;
  for (int i = 0; i < r->header.count && !odd; i++) odd = csv_is_nameless(r, i);
  return odd;
}

static void read_all(CsvReader *r) {
  Table *t = r->table;
  find_names(r);
  CsvPiece head = {.end = r->end};
  if (!r->failed && !csv_piece_open(&head, &r->layout)) csv_no_memory(r, 0);
  if (!r->failed) r->at = csv_names(r, &head, r->at);
  if (!r->failed && is_odd(r)) csv_find_title(r);
  t->separator = r->layout.separator;
  r->named = true;
  if (!r->failed && r->header.count == 0) {
    csv_fail(r, 1, 1, "a CSV file starts with a line of column names", "the file is empty");
    csv_suggest_no_skip(r);
  }
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
  t->title = t->footer = 0;
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
