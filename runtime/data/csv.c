// A CSV file with a header line, through libcsv. In: what is wanted of it. Out: its rows, behind those that
// the table has. Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in its line, from 1.
// Lines are counted in the file, with those inside quotes; blank lines are skipped.
#include "data/table.h"
#include "reg/file.h"
#include "text/text.h"
#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What becomes of a column: its place in x, or
enum { IGNORED = -1, TARGET = -2 };

typedef struct Reader {
  Table *table;
  const TableRequest *want;
  reg_status *st;
  NameIndex header;
  int *use;      // of each column of the header; NULL before its end
  int64_t line;  // of the next cell
  int64_t start; // the table's rows before this file
  int column;    // cells of this line so far
  int last_end;  // the last line end seen with nothing after it, or 0
  bool failed;   // st is filled; the rest of the file is ignored
} Reader;

static void fail_at(Reader *r, int column, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void fail_at(Reader *r, int column, const char *hint, const char *fmt, ...) {
  char what[320];
  va_list args;
  if (r->failed) return;
  r->failed = true;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  reg_fail(r->st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", r->want->path, (long long)r->line, column,
           what);
  if (hint) reg_hint(r->st, "%s", hint);
}

static void out_of_memory(Reader *r, size_t bytes) {
  if (!r->failed) reg_no_memory(r->st, bytes);
  r->failed = true;
}

// -- the header

static void header_cell(Reader *r, const char *text, size_t length) {
  if (length == 0) {
    fail_at(r, r->column, "the first line names the columns", "column %d has no name", r->column);
    return;
  }
  const int before = names_find(&r->header, text);
  if (before >= 0) {
    fail_at(r, r->column, "give each column a name of its own",
            "column `%.60s` stands twice in the header, first as column %d", text, before + 1);
    return;
  }
  char *name = reg_heap_copy(r->table->heap, text, length);
  if (!name || !names_add(&r->header, name)) out_of_memory(r, length);
}

static bool is_number(const char *text) {
  double value;
  return number_parse(text, strlen(text), REG_F64, &value) == NUMBER_OK;
}

// Rows of numbers and no header? True after a report.
static bool lacks_header(Reader *r) {
  for (int i = 0; i < r->header.count; i++)
    if (!is_number(r->header.names[i])) return false;
  fail_at(r, 1, "put the columns' names into the first line",
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

static void target_missing(Reader *r) {
  const NameIndex *h = &r->header;
  char names[200];
  Text list = reg_text_in(names, sizeof names);
  for (int i = 0; i < h->count; i++) list_column(&list, h->names[i]);
  r->failed = true;
  reg_fail(r->st, REG_BAD_DATA, "target_missing", "`%s` has no column `%.60s`", r->want->path,
           r->want->target);
  if (h->count == 1 && strpbrk(h->names[0], ";\t"))
    reg_hint(r->st, "fields are separated by commas; this file seems to use another separator");
  else
    reg_hint(r->st, "its columns are %s", names);
}

// The wanted columns, each at its place of x.
static void pick_wanted(Reader *r) {
  const TableRequest *want = r->want;
  char names[160];
  Text missing = reg_text_in(names, sizeof names);
  int nmissing = 0;
  for (int i = 0; i < want->ncolumns; i++) {
    const int at = names_find(&r->header, want->columns[i]);
    if (at >= 0 && r->use[at] == IGNORED) {
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
  for (int i = 0; i < r->header.count && want->no_others; i++)
    if (r->use[i] == IGNORED)
      fail_at(r, i + 1, "remove the column: all files of a data set have the same ones",
              "column `%.60s` is not in `%s`", r->header.names[i], r->table->files[0].path);
}

static void take_all(Reader *r) {
  Table *t = r->table;
  if (!r->want->target && lacks_header(r)) return;
  const char **columns = reg_heap_take(t->heap, (size_t)r->header.count * sizeof *columns);
  if (!columns) {
    out_of_memory(r, (size_t)r->header.count * sizeof *columns);
    return;
  }
  for (int i = 0; i < r->header.count; i++)
    if (r->use[i] != TARGET) columns[r->use[i] = t->width++] = r->header.names[i];
  t->columns = columns;
  if (t->width == 0)
    fail_at(r, 1, "inputs are the columns beside the target",
            "`%.60s` is the only column: nothing is left for x", r->want->target);
}

static void end_header(Reader *r) {
  const int target = r->want->target ? names_find(&r->header, r->want->target) : -1;
  r->use = malloc((size_t)r->header.count * sizeof *r->use);
  if (!r->use) {
    out_of_memory(r, (size_t)r->header.count * sizeof *r->use);
    return;
  }
  for (int i = 0; i < r->header.count; i++) r->use[i] = i == target ? TARGET : IGNORED;
  r->table->files[r->table->nfiles].target_column = target + 1;
  if (r->want->target && target < 0) {
    if (!lacks_header(r)) target_missing(r);
  } else if (r->want->columns) {
    pick_wanted(r);
  } else {
    take_all(r);
  }
}

// -- rows

static bool grow_rows(Reader *r) {
  Table *t = r->table;
  if (t->nrows < t->room) return true;
  const int64_t room = t->room ? 2 * t->room : 1024;
  size_t bytes;
  double *numbers = NULL;
  if (!__builtin_mul_overflow((size_t)room * sizeof *t->numbers, (size_t)t->width, &bytes))
    numbers = realloc(t->numbers, bytes);
  if (numbers) t->numbers = numbers;
  size_t *text_at = numbers ? realloc(t->text_at, (size_t)room * sizeof *text_at) : NULL;
  if (text_at) t->text_at = text_at;
  int64_t *line = text_at ? realloc(t->line, (size_t)room * sizeof *line) : NULL;
  if (!line) {
    out_of_memory(r, bytes);
    return false;
  }
  t->line = line;
  t->room = room;
  return true;
}

static void keep_text(Reader *r, const char *text, size_t length) {
  Table *t = r->table;
  if (t->text_size + length + 1 > t->text_room) {
    size_t room = 2 * t->text_room + length + 4096;
    char *grown = realloc(t->text, room);
    if (!grown) {
      out_of_memory(r, room);
      return;
    }
    t->text = grown;
    t->text_room = room;
  }
  t->text_at[t->nrows] = t->text_size;
  t->line[t->nrows] = r->line;
  memcpy(t->text + t->text_size, text, length + 1);
  t->text_size += length + 1;
}

static void keep_number(Reader *r, int place, const char *text, size_t length) {
  Table *t = r->table;
  const NumberText kind = number_parse(text, length, t->dtype, &t->numbers[t->nrows * t->width + place]);
  if (kind == NUMBER_OK) return;
  const char *hint, *what = number_mistake(kind, t->dtype, &hint);
  fail_at(r, r->column, hint, "`%.40s` in column `%.60s` %s", text, t->columns[place], what);
}

static void body_cell(Reader *r, const char *text, size_t length) {
  const int at = r->column - 1;
  if (at >= r->header.count) {
    fail_at(r, r->column, "a comma inside a field needs quotes around the field",
            "more fields than the header's %d", r->header.count);
    return;
  }
  if (at == 0) {
    if (!grow_rows(r)) return;
    r->table->line[r->table->nrows] = r->line;
  }
  if (r->use[at] == IGNORED) return;
  if (length == 0)
    fail_at(r, r->column, "remove the row, or fill in a value", "empty field in column `%.60s`",
            r->header.names[at]);
  else if (r->use[at] == TARGET)
    keep_text(r, text, length);
  else
    keep_number(r, r->use[at], text, length);
}

static void on_cell(void *cell, size_t length, void *user) {
  Reader *r = user;
  const char *text = cell ? cell : "";
  if (r->failed) return;
  r->column++;
  r->last_end = 0;
  if (strlen(text) != length)
    fail_at(r, r->column, "is it a text file?", "a zero byte in the field");
  else if (r->use)
    body_cell(r, text, length);
  else
    header_cell(r, text, length);
  if (r->failed) return;
  for (const char *c = text; (c = memchr(c, '\n', length - (size_t)(c - text))); c++) r->line++;
}

static void end_row(Reader *r) {
  if (!r->use)
    end_header(r);
  else if (r->column < r->header.count)
    fail_at(r, r->column + 1, "every line has as many fields as the header", "%d fields, the header has %d",
            r->column, r->header.count);
  else
    r->table->nrows++;
}

// Every line end arrives here, both characters of CR LF apart, and -1 for the end of a last line without one.
static void on_line_end(int character, void *user) {
  Reader *r = user;
  bool second_half = character == '\n' && r->last_end == '\r';
  if (r->failed) return;
  if (r->column > 0) end_row(r);
  if (r->failed) return;
  if (!second_half) r->line++;
  r->column = 0;
  r->last_end = character;
}

// libcsv stops at the character it cannot place: a quote inside a bare field, or text behind a closing quote.
static void malformed(Reader *r, struct csv_parser *parser) {
  if (csv_error(parser) == CSV_EPARSE)
    fail_at(r, r->column + 1, "a quote inside a field is written twice, and the field stands in quotes",
            "misplaced quote");
  else
    out_of_memory(r, 0);
}

static void parse(Reader *r, const char *bytes, size_t size) {
  struct csv_parser parser;
  if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) != 0) {
    out_of_memory(r, 0);
    return;
  }
  if (csv_parse(&parser, bytes, size, on_cell, on_line_end, r) != size)
    malformed(r, &parser);
  else if (csv_fini(&parser, on_cell, on_line_end, r) != 0)
    fail_at(r, r->column + 1, "add the closing quote",
            "a quoted field is not closed before the end of the file");
  csv_free(&parser);
}

static bool readable(Reader *r, const char **bytes, size_t *size) {
  const unsigned char *b = (const unsigned char *)*bytes;
  if (*size >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) {
    *bytes += 3;
    *size -= 3;
  } else if (*size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF))) {
    fail_at(r, 1, "save it as UTF-8", "the file is UTF-16");
  } else if (*size >= 2 && b[0] == 0x1F && b[1] == 0x8B) {
    fail_at(r, 1, "unpack it with gunzip", "the file is compressed");
  }
  return !r->failed;
}

static void read_all(Reader *r, const char *bytes, size_t size) {
  Table *t = r->table;
  if (readable(r, &bytes, &size)) parse(r, bytes, size);
  if (!r->failed && !r->use)
    fail_at(r, 1, "a CSV file starts with a line of column names", "the file is empty");
  if (!r->failed && t->nrows == r->start)
    fail_at(r, 1, "a data set needs at least one row", "the file has a header and no rows");
  TableFile *file = &t->files[t->nfiles];
  file->path = r->want->path;
  file->first = r->start;
  file->nrows = t->nrows - r->start;
  t->nfiles++;
}

int table_read_csv(Table *t, const TableRequest *want, reg_status *st) {
  size_t size = 0;
  Reader r = {.table = t, .want = want, .st = st, .line = 1, .start = t->nrows};
  char *file = reg_file_read(want->path, &size, "data_missing", st);
  if (!file) return st->code;
  table_checksum(t, file, size);
  read_all(&r, file, size);
  free(file);
  free(r.use);
  names_free(&r.header);
  return r.failed ? st->code : REG_OK;
}

int reg_csv_columns(const char *path, const char *const *columns, int n, reg_dtype type, double **values,
                    int64_t *rows, reg_status *st) {
  Heap heap = {0};
  Table t = {.heap = &heap, .dtype = type, .columns = columns, .width = n};
  NumberLocale numbers = reg_numbers_enter();
  int code = table_read_csv(&t, &(TableRequest){.path = path, .columns = columns, .ncolumns = n}, st);
  reg_numbers_leave(numbers);
  *rows = t.nrows;
  *values = code ? NULL : t.numbers;
  if (!code) t.numbers = NULL;
  table_free(&t);
  reg_heap_free(&heap);
  return code;
}
