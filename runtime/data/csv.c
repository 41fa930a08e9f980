// A CSV file. In: what is wanted of it and how it is written. Out: its rows, behind those that the table has.
// Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in its line, from 1. Lines are
// counted in the file, with those inside quotes.
#include "data/csv.h"
#include "reg/file.h"
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_PIECE = 1 << 20 };

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
  case CSV_ZERO: csv_fail(r, line, at->column, "is it a text file?", "a zero byte in the field"); break;
  case CSV_BYTES: csv_fail(r, line, at->column, "save the file as UTF-8", "the field is no UTF-8"); break;
  case CSV_LONG:
    csv_fail(r, line, at->column, "is a quote missing, or is it no table?", "a field of more than %d bytes",
             CSV_LONGEST_FIELD);
    break;
  case CSV_EMPTY:
    csv_fail(r, line, at->column, "remove the row, or fill in a value", "empty field in column `%.60s`",
             name);
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

// -- rows

static int threads_of(size_t size) {
  cpu_set_t cpus;
  const int have = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus);
  const size_t worth = size / SMALLEST_PIECE + 1;
  const int most = have < CSV_MOST_PIECES ? have : CSV_MOST_PIECES;
  return worth < (size_t)most ? (int)worth : most;
}

// Behind the first line end, outside of quotes, that is at `wish` or later. `from`, outside of quotes, is
// before it.
static const char *cut(const char *from, const char *wish, const char *end, bool quotes) {
  bool inside = false;
  if (quotes)
    for (const char *c = from; c < wish; c++) inside ^= *c == '"';
  for (; wish < end; wish++) {
    if (*wish == '"') inside ^= quotes;
    if (inside || (*wish != '\n' && *wish != '\r')) continue;
    return wish + (wish[0] == '\r' && wish[1] == '\n' ? 2 : 1);
  }
  return end;
}

static void *scan_piece(void *piece) {
  const NumberLocale numbers = reg_numbers_enter();
  csv_scan(piece);
  reg_numbers_leave(numbers);
  return NULL;
}

static void scan_all(CsvReader *r, const char *at, const char *end) {
  const bool quotes = memchr(at, '"', (size_t)(end - at)) != NULL;
  const size_t size = (size_t)(end - at);
  pthread_t thread[CSV_MOST_PIECES];
  bool started[CSV_MOST_PIECES] = {false};
  r->npieces = r->layout.skips || (quotes && r->layout.comment) ? 1 : threads_of(size);
  for (int i = 0; i < r->npieces; i++) {
    CsvPiece *p = &r->pieces[i];
    const char *wish = end - size / (size_t)r->npieces * (size_t)(r->npieces - 1 - i);
    if (!csv_piece_open(p, &r->layout)) csv_no_memory(r, 0);
    p->at = at;
    p->end = at =
        i + 1 == r->npieces || wish <= at ? (i + 1 == r->npieces ? end : at) : cut(at, wish, end, quotes);
  }
  for (int i = 1; i < r->npieces && !r->failed; i++)
    started[i] = !pthread_create(&thread[i], NULL, scan_piece, &r->pieces[i]);
  for (int i = 0; i < r->npieces && !r->failed; i++)
    if (!started[i]) csv_scan(&r->pieces[i]);
  for (int i = 1; i < r->npieces; i++)
    if (started[i]) pthread_join(thread[i], NULL);
}

static bool join_own(Table *t, int k, int64_t rows, CsvReader *r) {
  Cells *to = &t->own[k].cells;
  size_t size = to->size;
  for (int i = 0; i < r->npieces; i++) size += r->pieces[i].own[k].size;
  char *text = realloc(to->text, size + 1);
  if (text) to->text = text;
  size_t *at = text ? realloc(to->at, (size_t)rows * sizeof *at + 1) : NULL;
  if (!at) return false;
  to->at = at;
  at += t->nrows;
  for (int i = 0; i < r->npieces; i++) {
    const Cells *from = &r->pieces[i].own[k];
    for (int64_t row = 0; row < r->pieces[i].nrows; row++) *at++ = to->size + from->at[row];
    if (from->size) memcpy(to->text + to->size, from->text, from->size);
    to->size += from->size;
  }
  to->room = size + 1;
  return true;
}

// Places in the pieces' lists of texts become places in the table's.
static bool join_levels(Table *t, int x, CsvReader *r) {
  NameIndex *to = &t->levels[x];
  for (int i = 0; i < r->npieces; i++) {
    const CsvPiece *p = &r->pieces[i];
    int *place = malloc(((size_t)p->levels[x].count + 1) * sizeof *place);
    bool good = place != NULL;
    for (int k = 0; k < p->levels[x].count && good; k++) {
      const char *name = p->levels[x].names[k];
      if ((place[k] = names_find(to, name)) >= 0) continue;
      char *copy = reg_heap_copy(t->heap, name, strlen(name));
      good = copy && names_add(to, copy);
      place[k] = to->count - 1;
    }
    for (int64_t row = 0; row < p->nrows && good; row++) {
      double *at = &p->numbers[row * t->width + x];
      if (!isnan(*at)) *at = place[(int)*at];
    }
    free(place);
    if (!good) return false;
  }
  return true;
}

// The pieces' rows behind those of the table.
static void join(CsvReader *r) {
  Table *t = r->table;
  int64_t rows = t->nrows, line = r->line;
  size_t bytes;
  for (int i = 0; i < r->npieces; i++) rows += r->pieces[i].nrows;
  double *numbers = NULL;
  for (int x = 0; x < t->width; x++)
    if (t->is_text[x] && !join_levels(t, x, r)) {
      csv_no_memory(r, 0);
      return;
    }
  const bool first = t->nrows == 0 && r->npieces == 1;
  if (first) {
    numbers = r->pieces[0].numbers;
    r->pieces[0].numbers = NULL;
  } else if (!__builtin_mul_overflow((size_t)rows * sizeof *numbers, (size_t)t->width, &bytes)) {
    numbers = realloc(t->numbers, bytes + 1);
  }
  if (numbers) t->numbers = numbers;
  int64_t *lines = realloc(t->line, (size_t)rows * sizeof *lines + 1);
  if (lines) t->line = lines;
  bool good = (numbers || !rows) && lines;
  for (int k = 0; k < t->nown && good; k++) good = join_own(t, k, rows, r);
  if (!good) {
    csv_no_memory(r, (size_t)rows * sizeof *numbers);
    return;
  }
  for (int i = 0; i < r->npieces; i++) {
    const CsvPiece *p = &r->pieces[i];
    for (int64_t row = 0; row < p->nrows; row++) lines[t->nrows + row] = line + p->line[row];
    if (!first && p->nrows)
      memcpy(numbers + t->nrows * t->width, p->numbers, (size_t)(p->nrows * t->width) * sizeof *numbers);
    line += p->lines;
    t->nrows += p->nrows;
  }
}

// What the whole file tells of a column of x.
static void check_column(CsvReader *r, int x) {
  int64_t line = r->line, missing = 0, truths = 0, rows = 0, truth_line = 0, missing_line = 0;
  const CsvPlace *truth = NULL, *hole = NULL;
  for (int i = 0; i < r->npieces; i++) {
    const CsvPiece *p = &r->pieces[i];
    if (p->truths[x] && !truth) truth = &p->first_truth[x], truth_line = line + truth->line;
    if (p->missing[x] && !hole) hole = &p->first_missing[x], missing_line = line + hole->line;
    missing += p->missing[x];
    truths += p->truths[x];
    rows += p->nrows;
    line += p->lines;
  }
  const char *name = r->table->columns[x], *hint;
  if (truth && truths + missing < rows) {
    const char *what = number_mistake(NUMBER_NONE, r->table->dtype, &hint);
    csv_fail(r, truth_line, truth->column, hint, "`%.40s` in column `%.60s` %s", truth->cell, name, what);
  }
  if (!hole || r->want->holes) return;
  char more[64] = "";
  if (missing > 1)
    snprintf(more, sizeof more, "; %lld of %lld rows lack it", (long long)missing, (long long)rows);
  hint = "`impute(mean)` or `impute(median)` fills in what the training part tells, `drop_missing` leaves "
         "such rows out";
  if (*hole->cell)
    csv_fail(r, missing_line, hole->column, hint, "`%.40s` in column `%.60s` stands for a missing number%s",
             hole->cell, name, more);
  else
    csv_fail(r, missing_line, hole->column, hint, "empty field in column `%.60s`%s", name, more);
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

// Columns in which texts were found are read once more as texts.
static bool found_texts(CsvReader *r) {
  Table *t = r->table;
  bool any = false;
  for (int i = 0; i < r->npieces && r->layout.guess; i++)
    for (int x = 0; x < t->width && r->pieces[i].found; x++) {
      any |= r->pieces[i].found[x];
      t->is_text[x] |= r->pieces[i].found[x];
    }
  for (int i = 0; i < r->npieces && any; i++) {
    csv_piece_free(&r->pieces[i]);
    r->pieces[i] = (CsvPiece){0};
  }
  r->layout.guess = false;
  return any && !r->failed;
}

// Lines that were left out, of the only piece; and which places the others have among all.
static void tell_bad(CsvReader *r) {
  CsvPiece *p = &r->pieces[0];
  Table *t = r->table;
  if (!p->nbad) return;
  if (!(t->place = malloc((size_t)p->nrows * sizeof *t->place + 1))) {
    csv_no_memory(r, (size_t)p->nrows * sizeof *t->place);
    return;
  }
  for (int64_t row = 0, bad = 0; row < p->nrows; row++) {
    while (bad < p->nbad && p->bad[bad].row <= row) bad++;
    t->place[row] = row + bad;
  }
  for (int64_t i = 0; i < p->nbad; i++) {
    p->wrong = p->bad[i].wrong;
    p->place = p->bad[i].place;
    p->number = p->bad[i].number;
    csv_report(r, p, r->line);
    table_skip(r->want->skipping, r->st);
    r->failed = false;
  }
  p->wrong = CSV_RIGHT;
}

static void read_rows(CsvReader *r, const char *at, const char *end) {
  Table *t = r->table;
  if (!open_texts(r)) {
    csv_no_memory(r, (size_t)t->width);
    return;
  }
  r->layout.ncolumns = r->header.count;
  r->layout.use = r->use;
  r->layout.texts = t->is_text;
  r->layout.holes = r->want->drops;
  r->layout.guess = r->want->any_text && !t->nfiles;
  r->layout.skips = r->want->skipping != NULL;
  r->layout.width = t->width;
  r->layout.nown = t->nown;
  r->layout.own = t->own;
  scan_all(r, at, end);
  if (found_texts(r)) scan_all(r, at, end);
  int64_t line = r->line;
  if (r->want->skipping && !r->failed) tell_bad(r);
  for (int i = 0; i < r->npieces && !r->failed; i++) {
    if (r->pieces[i].wrong) csv_report(r, &r->pieces[i], line);
    line += r->pieces[i].lines;
  }
  for (int x = 0; x < t->width && !r->failed; x++) check_column(r, x);
  if (!r->failed) join(r);
  if (!r->failed && t->nrows == r->start)
    csv_fail(r, r->line, 1, "a data set needs at least one row", "the file has a header and no rows");
}

// Behind a byte order mark, and the lines that are passed over.
static const char *begin(CsvReader *r, const char *at, size_t size) {
  const unsigned char *b = (const unsigned char *)at;
  const char *end = at + size;
  if (size >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) at += 3;
  if (size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
    csv_fail(r, 1, 1, "save it as UTF-8", "the file is UTF-16");
  for (int64_t i = 0; i < r->form->skip && at < end; i++) {
    while (at < end && *at != '\n' && *at != '\r') at++;
    if (at < end) at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
    r->line++;
  }
  return at;
}

static void read_all(CsvReader *r, const char *bytes, size_t size) {
  Table *t = r->table;
  const char *at = begin(r, bytes, size), *end = bytes + size;
  CsvPiece head = {.end = end};
  if (!csv_piece_open(&head, &r->layout)) csv_no_memory(r, 0);
  if (!r->failed) at = csv_names(r, &head, at);
  if (!r->failed && r->header.count == 0)
    csv_fail(r, 1, 1, "a CSV file starts with a line of column names", "the file is empty");
  r->line += head.lines;
  csv_piece_free(&head);
  if (!r->failed) csv_use_columns(r);
  if (!r->failed) read_rows(r, at, end);
  TableFile *file = &t->files[t->nfiles];
  file->path = r->want->path;
  file->first = r->start;
  file->nrows = t->nrows - r->start;
  t->nfiles++;
}

static CsvLayout layout_of(const reg_csv_form *f, reg_dtype dtype) {
  return (CsvLayout){.separator = (char)(f->separator ? f->separator : ','),
                     .point = (char)(f->decimal ? f->decimal : '.'),
                     .comment = (char)f->comment,
                     .nmissing = f->nmissing,
                     .missing = f->missing,
                     .dtype = dtype};
}

int table_read_csv(Table *t, const TableRequest *want, reg_status *st) {
  size_t size = 0;
  const reg_csv_form *form = want->form ? want->form : &usual;
  CsvReader r = {.table = t, .want = want, .form = form, .st = st, .line = 1, .start = t->nrows};
  r.layout = layout_of(form, t->dtype);
  char *file = reg_file_read(want->path, &size, "data_missing", st);
  if (!file) return st->code;
  table_checksum(t, file, size);
  int code = table_unpack(want->path, &file, &size, st);
  if (!code) read_all(&r, file, size);
  free(file);
  for (int i = 0; i < r.npieces; i++) csv_piece_free(&r.pieces[i]);
  free(r.use);
  names_free(&r.header);
  return code ? code : r.failed ? st->code : REG_OK;
}
