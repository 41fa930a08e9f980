// A CSV file. In: what is wanted of it and how it is written. Out: its rows, behind those that the table has.
// Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in its line, from 1. Lines are
// counted in the file, with those inside quotes.
#include "data/scan.h"
#include "reg/file.h"
#include "text/text.h"
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PIECES = 8, SMALLEST_PIECE = 1 << 20, MOST_COLUMNS = 1 << 20 };

static const reg_csv_form usual;

typedef struct Reader {
  Table *table;
  const TableRequest *want;
  const reg_csv_form *form;
  reg_status *st;
  NameIndex header;
  int *use, *own_column;
  bool *texts;
  CsvLayout layout;
  int64_t line;  // on which the rows' first piece begins, from 1
  int64_t head;  // on which the columns' names are
  int64_t start; // the table's rows before this file
  CsvPiece pieces[MOST_PIECES];
  int npieces;
  bool failed; // st is filled
} Reader;

static void fail_at(Reader *r, int64_t line, int column, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void fail_at(Reader *r, int64_t line, int column, const char *hint, const char *fmt, ...) {
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

static void out_of_memory(Reader *r, size_t bytes) {
  if (!r->failed) reg_no_memory(r->st, bytes);
  r->failed = true;
}

// -- mistakes of lines

static const char *column_name(const Reader *r, int column) {
  return column >= 1 && column <= r->header.count ? r->header.names[column - 1] : "";
}

static void report(Reader *r, const CsvPiece *p, int64_t line) {
  const CsvPlace *at = &p->place;
  const char *name = column_name(r, at->column), *hint;
  line += at->line;
  switch (p->wrong) {
  case CSV_TOO_FEW:
    fail_at(r, line, at->column, "every line has as many fields as the header",
            "%d fields, the header has %d", at->column - 1, r->header.count);
    break;
  case CSV_TOO_MANY:
    fail_at(r, line, at->column, "a separator inside a field needs quotes around the field",
            "more fields than the header's %d", r->header.count);
    break;
  case CSV_QUOTE:
    fail_at(r, line, at->column, "a quote inside a field is written twice, and the field stands in quotes",
            "misplaced quote");
    break;
  case CSV_OPEN:
    fail_at(r, line, at->column, "add the closing quote",
            "a quoted field is not closed before the end of the file");
    break;
  case CSV_ZERO: fail_at(r, line, at->column, "is it a text file?", "a zero byte in the field"); break;
  case CSV_BYTES: fail_at(r, line, at->column, "save the file as UTF-8", "the field is no UTF-8"); break;
  case CSV_LONG:
    fail_at(r, line, at->column, "is a quote missing, or is it no table?", "a field of more than %d bytes",
            CSV_LONGEST_FIELD);
    break;
  case CSV_EMPTY:
    fail_at(r, line, at->column, "remove the row, or fill in a value", "empty field in column `%.60s`", name);
    break;
  case CSV_NUMBER: {
    const char *what = number_mistake(p->number, p->layout->dtype, &hint);
    fail_at(r, line, at->column, hint, "`%.40s` in column `%.60s` %s", at->cell, name, what);
    break;
  }
  case CSV_RIGHT:
  case CSV_MEMORY: out_of_memory(r, 0); break;
  }
}

// -- the header

static void header_cell(Reader *r, int64_t line, const char *text, size_t length) {
  const int column = r->header.count + 1;
  if (length == 0) {
    fail_at(r, line, column, "the first line names the columns", "column %d has no name", column);
    return;
  }
  if (column > MOST_COLUMNS)
    fail_at(r, line, column, "is it a table, with a row a line?", "more than %d columns", MOST_COLUMNS);
  if (!csv_is_utf8(text, length))
    fail_at(r, line, column, "save the file as UTF-8", "the name of column %d is no UTF-8", column);
  char *name = r->failed ? NULL : reg_heap_copy(r->table->heap, text, length);
  if (!name) {
    out_of_memory(r, length);
    return;
  }
  const int before = names_find(&r->header, name);
  if (before >= 0)
    fail_at(r, line, column, "give each column a name of its own",
            "column `%.60s` stands twice in the header, first as column %d", name, before + 1);
  else if (!names_add(&r->header, name))
    out_of_memory(r, length);
}

static bool is_number(const char *text) {
  double value;
  return number_parse(text, strlen(text), REG_F64, &value) == NUMBER_OK;
}

// Rows of numbers and no header? True after a report.
static bool lacks_header(Reader *r) {
  if (r->form->bare || r->form->nnames) return false;
  for (int i = 0; i < r->header.count; i++)
    if (!is_number(r->header.names[i])) return false;
  fail_at(r, r->head, 1, "put the columns' names into the first line, or say `header: false`",
          "the file has no header: its first line is all numbers");
  return true;
}

// Adds the name of a column to a list, which ends with "..." where it is full.
static void list_column(Text *list, const char *name) {
  char item[48];
  if (list->failed) return;
  snprintf(item, sizeof item, "%s%.40s", list->used ? ", " : "", name);
  const bool full = list->room - list->used <= strlen(item) + sizeof ", ...";
  reg_text_add(list, full ? ", ..." : item);
  list->failed = full;
}

static void column_missing(Reader *r, const char *name) {
  const NameIndex *h = &r->header;
  char names[200];
  Text list = reg_text_in(names, sizeof names);
  if (r->failed || lacks_header(r)) return;
  for (int i = 0; i < h->count; i++) list_column(&list, h->names[i]);
  r->failed = true;
  reg_fail(r->st, REG_BAD_DATA, "target_missing", "`%s` has no column `%.60s`", r->want->path, name);
  if (h->count == 1 && strpbrk(h->names[0], ",;\t|"))
    reg_hint(r->st, "this file seems to use another separator: `separator: \"%.*s\"`",
             *strpbrk(h->names[0], ",;\t|") == '\t' ? 2 : 1,
             *strpbrk(h->names[0], ",;\t|") == '\t' ? "\\t" : strpbrk(h->names[0], ",;\t|"));
  else
    reg_hint(r->st, "its columns are %s", names);
}

// Names from the first line, or from the form; 0, 1, ... where nothing names them. Where the rows begin.
static const char *read_names(Reader *r, CsvPiece *p, const char *at) {
  const reg_csv_form *f = r->form;
  const char *begin = at = csv_pass(p, at);
  const int64_t lines = p->lines;
  r->head = r->line + lines;
  for (int i = 0; i < f->nnames && !r->failed; i++) header_cell(r, 0, f->names[i], strlen(f->names[i]));
  if (at == p->end) return at;
  for (int column = 0;; column++, at++) {
    CsvField field = {0};
    char number[24];
    const int64_t line = p->lines;
    p->place.column = column + 1;
    if (!(at = csv_field(p, at, &field))) report(r, p, r->line);
    if (!at || r->failed) return NULL;
    const int n = snprintf(number, sizeof number, "%d", column);
    if (f->bare && !f->nnames)
      header_cell(r, r->line + line, number, (size_t)n);
    else if (!f->nnames)
      header_cell(r, r->line + line, field.text, field.length);
    if (r->failed) return NULL;
    if (*at == p->layout->separator && at != p->end) continue;
    if (f->nnames && column + 1 != f->nnames)
      fail_at(r, r->line + line, f->nnames + 1, "`names` has a name for each column",
              "%d fields, and %d names", column + 1, f->nnames);
    break;
  }
  if (!f->bare) return csv_line_end(p, at);
  p->lines = lines;
  return begin;
}

// The wanted columns, each at its place of x.
static void pick_wanted(Reader *r) {
  const TableRequest *want = r->want;
  char names[160];
  Text missing = reg_text_in(names, sizeof names);
  int nmissing = 0;
  for (int i = 0; i < want->ncolumns; i++) {
    const int at = names_find(&r->header, want->columns[i]);
    if (at >= 0 && r->use[at] == CSV_IGNORED) {
      r->use[at] = i;
    } else {
      nmissing++;
      list_column(&missing, want->columns[i]);
    }
  }
  if (nmissing && (nmissing < want->ncolumns || !lacks_header(r))) {
    r->failed = true;
    reg_fail(r->st, REG_BAD_DATA, "columns_missing",
             "`%s` lacks %d of the %d columns that the model reads: %s", want->path, nmissing, want->ncolumns,
             names);
    reg_hint(r->st, "the first line of the file names its columns; their order does not matter");
  }
  for (int i = 0; i < r->header.count && want->no_others; i++) {
    bool dropped = r->use[i] != CSV_IGNORED || r->form->ncolumns;
    for (int k = 0; k < r->form->ndropped; k++) dropped |= !strcmp(r->form->dropped[k], r->header.names[i]);
    if (!dropped)
      fail_at(r, r->head, i + 1, "remove the column: all files of a data set have the same ones",
              "column `%.60s` is not in `%s`", r->header.names[i], r->table->files[0].path);
  }
}

// The columns of x that the form names, or all that are left.
static void choose(Reader *r) {
  Table *t = r->table;
  const reg_csv_form *f = r->form;
  const int named = t->nown + f->ncolumns;
  if (!named && lacks_header(r)) return;
  const char **columns = reg_heap_take(t->heap, (size_t)r->header.count * sizeof *columns);
  if (!columns) {
    out_of_memory(r, (size_t)r->header.count * sizeof *columns);
    return;
  }
  for (int i = 0; i < f->ncolumns; i++) {
    const int at = names_find(&r->header, f->columns[i]);
    if (at < 0) column_missing(r, f->columns[i]);
    if (at < 0) return;
    if (r->use[at] != CSV_IGNORED)
      fail_at(r, r->head, at + 1, "x has a column once, and what is a field of its own is none of it",
              "column `%.60s` is taken twice", f->columns[i]);
    columns[r->use[at] = t->width++] = r->header.names[at];
  }
  for (int i = 0; i < f->ndropped; i++) {
    const int at = names_find(&r->header, f->dropped[i]);
    if (at < 0) column_missing(r, f->dropped[i]);
    if (at < 0) return;
    if (r->use[at] == CSV_IGNORED) r->use[at] = CSV_OWN - t->nown; // of nothing
  }
  for (int i = 0; i < r->header.count && !f->ncolumns; i++)
    if (r->use[i] == CSV_IGNORED) columns[r->use[i] = t->width++] = r->header.names[i];
  for (int i = 0; i < r->header.count; i++)
    if (r->use[i] == CSV_OWN - t->nown) r->use[i] = CSV_IGNORED;
  t->columns = columns;
  if (t->width == 0)
    fail_at(r, r->head, 1, "inputs are the columns beside the target",
            t->nown == 1 ? "`%.60s` is the only column: nothing is left for x" : "no column is left for x",
            t->nown ? t->own[0].column : "");
}

static void use_columns(Reader *r) {
  Table *t = r->table;
  const int n = r->header.count;
  r->use = malloc((size_t)(n + 1) * sizeof *r->use);
  r->own_column = reg_heap_take(t->heap, (size_t)(t->nown + 1) * sizeof *r->own_column);
  if (!r->use || !r->own_column) {
    out_of_memory(r, (size_t)n * sizeof *r->use);
    return;
  }
  for (int i = 0; i < n; i++) r->use[i] = CSV_IGNORED;
  t->files[t->nfiles].column = r->own_column;
  for (int k = 0; k < t->nown && !r->failed; k++) {
    const char *name = k == 0 && r->want->target ? r->want->target : t->own[k].column;
    const int at = names_find(&r->header, name);
    if (at < 0) {
      column_missing(r, name);
    } else if (r->use[at] != CSV_IGNORED) {
      fail_at(r, r->head, at + 1, "each is named once", "column `%.60s` is two fields", name);
    } else {
      r->use[at] = CSV_OWN - k;
      r->own_column[k] = at + 1;
    }
  }
  if (r->failed) return;
  if (r->want->columns)
    pick_wanted(r);
  else
    choose(r);
}

// -- rows

static int threads_of(size_t size) {
  cpu_set_t cpus;
  const int have = sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus);
  const size_t worth = size / SMALLEST_PIECE + 1;
  const int most = have < MOST_PIECES ? have : MOST_PIECES;
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

static void scan_all(Reader *r, const char *at, const char *end) {
  const bool quotes = memchr(at, '"', (size_t)(end - at)) != NULL;
  const size_t size = (size_t)(end - at);
  pthread_t thread[MOST_PIECES];
  bool started[MOST_PIECES] = {false};
  r->npieces = quotes && r->layout.comment ? 1 : threads_of(size);
  for (int i = 0; i < r->npieces; i++) {
    CsvPiece *p = &r->pieces[i];
    const char *wish = end - size / (size_t)r->npieces * (size_t)(r->npieces - 1 - i);
    if (!csv_piece_open(p, &r->layout)) out_of_memory(r, 0);
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

static bool join_own(Table *t, int k, int64_t rows, Reader *r) {
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

// The pieces' rows behind those of the table.
static void join(Reader *r) {
  Table *t = r->table;
  int64_t rows = t->nrows, line = r->line;
  size_t bytes;
  for (int i = 0; i < r->npieces; i++) rows += r->pieces[i].nrows;
  double *numbers = NULL;
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
    out_of_memory(r, (size_t)rows * sizeof *numbers);
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
static void check_column(Reader *r, int x) {
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
    fail_at(r, truth_line, truth->column, hint, "`%.40s` in column `%.60s` %s", truth->cell, name, what);
  }
  if (!hole) return;
  char more[64] = "";
  if (missing > 1)
    snprintf(more, sizeof more, "; %lld of %lld rows lack it", (long long)missing, (long long)rows);
  number_mistake(NUMBER_MISSING, r->table->dtype, &hint);
  if (*hole->cell)
    fail_at(r, missing_line, hole->column, hint, "`%.40s` in column `%.60s` stands for a missing number%s",
            hole->cell, name, more);
  else
    fail_at(r, missing_line, hole->column, hint, "empty field in column `%.60s`%s", name, more);
}

static void read_rows(Reader *r, const char *at, const char *end) {
  Table *t = r->table;
  r->texts = calloc((size_t)t->width + 1, sizeof *r->texts);
  if (!r->texts) {
    out_of_memory(r, (size_t)t->width);
    return;
  }
  r->layout.ncolumns = r->header.count;
  r->layout.use = r->use;
  r->layout.texts = r->texts;
  r->layout.width = t->width;
  r->layout.nown = t->nown;
  scan_all(r, at, end);
  int64_t line = r->line;
  for (int i = 0; i < r->npieces && !r->failed; i++) {
    if (r->pieces[i].wrong) report(r, &r->pieces[i], line);
    line += r->pieces[i].lines;
  }
  for (int x = 0; x < t->width && !r->failed; x++) check_column(r, x);
  if (!r->failed) join(r);
  if (!r->failed && t->nrows == r->start)
    fail_at(r, r->line, 1, "a data set needs at least one row", "the file has a header and no rows");
}

// Behind a byte order mark, and the lines that are passed over.
static const char *begin(Reader *r, const char *at, size_t size) {
  const unsigned char *b = (const unsigned char *)at;
  const char *end = at + size;
  if (size >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) at += 3;
  if (size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
    fail_at(r, 1, 1, "save it as UTF-8", "the file is UTF-16");
  for (int64_t i = 0; i < r->form->skip && at < end; i++) {
    while (at < end && *at != '\n' && *at != '\r') at++;
    if (at < end) at += at[0] == '\r' && at[1] == '\n' ? 2 : 1;
    r->line++;
  }
  return at;
}

static void read_all(Reader *r, const char *bytes, size_t size) {
  Table *t = r->table;
  const char *at = begin(r, bytes, size), *end = bytes + size;
  CsvPiece head = {.end = end};
  if (!csv_piece_open(&head, &r->layout)) out_of_memory(r, 0);
  if (!r->failed) at = read_names(r, &head, at);
  if (!r->failed && r->header.count == 0)
    fail_at(r, 1, 1, "a CSV file starts with a line of column names", "the file is empty");
  r->line += head.lines;
  csv_piece_free(&head);
  if (!r->failed) use_columns(r);
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
  Reader r = {.table = t, .want = want, .form = form, .st = st, .line = 1, .start = t->nrows};
  r.layout = layout_of(form, t->dtype);
  char *file = reg_file_read(want->path, &size, "data_missing", st);
  if (!file) return st->code;
  table_checksum(t, file, size);
  int code = table_unpack(want->path, &file, &size, st);
  if (!code) read_all(&r, file, size);
  free(file);
  for (int i = 0; i < r.npieces; i++) csv_piece_free(&r.pieces[i]);
  free(r.use);
  free(r.texts);
  names_free(&r.header);
  return code ? code : r.failed ? st->code : REG_OK;
}

int reg_csv_columns(const char *path, const reg_csv_form *form, const char *const *columns, int n,
                    reg_dtype type, double **values, int64_t *rows, reg_status *st) {
  Heap heap = {0};
  Table t = {.heap = &heap, .dtype = type, .columns = columns, .width = n};
  const TableRequest want = {.path = path, .form = form, .columns = columns, .ncolumns = n};
  NumberLocale numbers = reg_numbers_enter();
  int code = table_read_csv(&t, &want, st);
  reg_numbers_leave(numbers);
  *rows = t.nrows;
  *values = code ? NULL : t.numbers;
  if (!code) t.numbers = NULL;
  table_free(&t);
  reg_heap_free(&heap);
  return code;
}
