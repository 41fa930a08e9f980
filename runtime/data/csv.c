// A CSV file with a header line, through libcsv. In: a path and the target's name. Out: a table of numbers
// and the target's cells as text. Errors read FILE:LINE:COLUMN, where COLUMN is the number of the field in
// its line, from 1. Lines are counted in the file, with those inside quotes; blank lines are skipped.
#include "data/table.h"
#include "reg/file.h"
#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
  Table *table;
  const char *path, *target;
  const char *const *wanted; // the only columns that count, or NULL: all
  int nwanted;
  bool *counts; // with `wanted`: for each column
  reg_status *st;
  int64_t line; // of the next cell
  int column;   // cells of this line so far
  int last_end; // the last line end seen with nothing after it, or 0
  bool header;  // has been read
  int header_room;
  bool failed; // st is filled; the rest of the file is ignored
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
  reg_fail(r->st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", r->path, (long long)r->line, column, what);
  if (hint) reg_hint(r->st, "%s", hint);
}

static void out_of_memory(Reader *r, size_t bytes) {
  if (!r->failed) reg_no_memory(r->st, bytes);
  r->failed = true;
}

static void header_cell(Reader *r, const char *text, size_t length) {
  Table *t = r->table;
  if (length == 0) {
    fail_at(r, r->column, "the first line names the columns", "column %d has no name", r->column);
    return;
  }
  for (int i = 0; i < t->ncolumns; i++)
    if (!strcmp(t->columns[i], text)) {
      fail_at(r, r->column, "give each column a name of its own",
              "column `%s` stands twice in the header, first as column %d", text, i + 1);
      return;
    }
  if (t->ncolumns == r->header_room) {
    int room = r->header_room ? 2 * r->header_room : 64;
    char **grown = realloc(t->columns, (size_t)room * sizeof *grown);
    if (!grown) {
      out_of_memory(r, (size_t)room * sizeof *grown);
      return;
    }
    t->columns = grown;
    r->header_room = room;
  }
  char *name = reg_heap_copy(t->heap, text, length);
  if (!name) {
    out_of_memory(r, length);
    return;
  }
  t->columns[t->ncolumns++] = name;
}

static bool grow_rows(Reader *r) {
  Table *t = r->table;
  if (t->nrows < t->room) return true;
  int64_t room = t->room ? 2 * t->room : 1024;
  size_t bytes = (size_t)room * (size_t)t->ncolumns * sizeof *t->numbers;
  float *numbers = realloc(t->numbers, bytes);
  if (numbers) t->numbers = numbers;
  size_t *text_at = numbers ? realloc(t->text_at, (size_t)room * sizeof *text_at) : NULL;
  if (!text_at) {
    out_of_memory(r, bytes);
    return false;
  }
  t->text_at = text_at;
  t->room = room;
  return true;
}

static bool keep_text(Reader *r, const char *text, size_t length) {
  Table *t = r->table;
  if (t->text_size + length + 1 > t->text_room) {
    size_t room = 2 * t->text_room + length + 4096;
    char *grown = realloc(t->text, room);
    if (!grown) {
      out_of_memory(r, room);
      return false;
    }
    t->text = grown;
    t->text_room = room;
  }
  t->text_at[t->nrows] = t->text_size;
  memcpy(t->text + t->text_size, text, length + 1);
  t->text_size += length + 1;
  return true;
}

static void bad_number(Reader *r, const char *text, NumberText kind, const char *column) {
  if (kind == NUMBER_NOT_FINITE)
    fail_at(r, r->column, "remove the row, or fill in a value",
            "`%.40s` in column `%s` is not a finite number", text, column);
  else if (kind == NUMBER_TOO_LARGE)
    fail_at(r, r->column, "rescale the column in the file",
            "`%.40s` in column `%s` is too large for a 32-bit float", text, column);
  else
    fail_at(r, r->column, "only the target may be text: remove the column, or write its values as numbers",
            "text `%.40s` in the number column `%s`", text, column);
}

// The target's first cell decides whether it is a column of numbers or of text.
static void body_cell(Reader *r, const char *text, size_t length) {
  Table *t = r->table;
  int at = r->column - 1;
  if (at >= t->ncolumns) {
    fail_at(r, r->column, "a comma inside a field needs quotes around the field",
            "more fields than the header's %d", t->ncolumns);
    return;
  }
  const char *column = t->columns[at];
  bool target = at == t->target;
  if (at == 0 && !grow_rows(r)) return;
  if (r->counts && !r->counts[at]) {
    t->numbers[t->nrows * t->ncolumns + at] = 0;
    return;
  }
  if (length == 0) {
    fail_at(r, r->column, "remove the row, or fill in a value", "empty field in column `%s`", column);
    return;
  }
  float value = 0;
  NumberText kind = number_parse(text, length, &value);
  if (target && t->nrows == 0) t->target_text = kind == NUMBER_NONE;
  bool text_column = target && t->target_text;
  if (!text_column && kind != NUMBER_OK) {
    bad_number(r, text, kind, column);
    return;
  }
  if (target && !keep_text(r, text, length)) return;
  t->numbers[t->nrows * t->ncolumns + at] = text_column ? 0 : value;
}

static void on_cell(void *cell, size_t length, void *user) {
  Reader *r = user;
  const char *text = cell ? cell : "";
  r->column++;
  r->last_end = 0;
  if (r->failed) return;
  if (strlen(text) != length)
    fail_at(r, r->column, "is it a text file?", "a zero byte in the field");
  else if (r->header)
    body_cell(r, text, length);
  else
    header_cell(r, text, length);
  if (r->failed) return;
  for (const char *c = text; (c = memchr(c, '\n', length - (size_t)(c - text))); c++) r->line++;
}

static void list_columns(const Table *t, char *out, size_t size) {
  size_t used = 0;
  for (int i = 0; i < t->ncolumns && used + 1 < size; i++) {
    int n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", t->columns[i]);
    if (n < 0) return;
    used += (size_t)n;
  }
}

static int column_index(const Table *t, const char *name) {
  for (int i = 0; i < t->ncolumns; i++)
    if (!strcmp(t->columns[i], name)) return i;
  return -1;
}

static void pick_wanted(Reader *r) {
  Table *t = r->table;
  r->counts = reg_heap_take(t->heap, (size_t)t->ncolumns * sizeof *r->counts);
  if (!r->counts) {
    out_of_memory(r, (size_t)t->ncolumns);
    return;
  }
  char missing[160] = "";
  int nmissing = 0;
  for (int i = 0; i < r->nwanted; i++) {
    int at = column_index(t, r->wanted[i]);
    if (at >= 0)
      r->counts[at] = true;
    else if (nmissing++ < 4)
      snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s`%.30s`", *missing ? ", " : "",
               r->wanted[i]);
  }
  if (!nmissing) return;
  r->failed = true;
  reg_fail(r->st, REG_BAD_DATA, "columns_missing",
           "`%s` lacks %d of the %d columns that the model reads: %s%s", r->path, nmissing, r->nwanted,
           missing, nmissing > 4 ? ", ..." : "");
  reg_hint(r->st, "the first line of the file names its columns; their order does not matter");
}

static void end_header(Reader *r) {
  Table *t = r->table;
  int numeric = 0;
  float value;
  r->header = true;
  for (int i = 0; i < t->ncolumns; i++) {
    numeric += number_parse(t->columns[i], strlen(t->columns[i]), &value) == NUMBER_OK;
  }
  if (r->target) t->target = column_index(t, r->target);
  if (numeric == t->ncolumns) {
    fail_at(r, 1, "put the columns' names into the first line",
            "the file has no header: its first line is all numbers");
  } else if (r->wanted) {
    pick_wanted(r);
  } else if (r->target && t->target < 0) {
    char names[160];
    list_columns(t, names, sizeof names);
    r->failed = true;
    reg_fail(r->st, REG_BAD_DATA, "target_missing", "`%s` has no column `%s`", r->path, r->target);
    if (t->ncolumns == 1 && strpbrk(t->columns[0], ";\t"))
      reg_hint(r->st, "fields are separated by commas; this file seems to use another separator");
    else
      reg_hint(r->st, "its columns are %s", names);
  } else if (t->ncolumns == (t->target >= 0)) {
    fail_at(r, 1, "inputs are the columns beside the target",
            "`%s` is the only column: nothing is left for x", r->target);
  }
}

static void end_row(Reader *r) {
  Table *t = r->table;
  if (!r->header)
    end_header(r);
  else if (r->column < t->ncolumns)
    fail_at(r, r->column + 1, "every line has as many fields as the header", "%d fields, the header has %d",
            r->column, t->ncolumns);
  else
    t->nrows++;
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

static int check_encoding(Reader *r, const char **bytes, size_t *size) {
  const unsigned char *b = (const unsigned char *)*bytes;
  if (*size >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) {
    *bytes += 3;
    *size -= 3;
  } else if (*size >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF))) {
    fail_at(r, 1, "save it as UTF-8", "the file is UTF-16");
  } else if (*size >= 2 && b[0] == 0x1F && b[1] == 0x8B) {
    fail_at(r, 1, "unpack it with gunzip", "the file is compressed");
  }
  return r->failed;
}

static int read_file(Reader r) {
  Table *t = r.table;
  reg_status *st = r.st;
  size_t size = 0;
  char *file = reg_file_read(r.path, &size, "data_missing", st);
  if (!file) return st->code;
  const char *bytes = file;
  t->target = -1;
  reg_checksum(file, size, t->checksum);
  if (!check_encoding(&r, &bytes, &size)) parse(&r, bytes, size);
  free(file);
  if (!r.failed && !r.header)
    fail_at(&r, 1, "a CSV file starts with a line of column names", "the file is empty");
  if (!r.failed && t->nrows == 0)
    fail_at(&r, 1, "a data set needs at least one row", "the file has a header and no rows");
  return r.failed ? st->code : REG_OK;
}

int table_read_csv(Table *t, const char *path, const char *target, reg_status *st) {
  return read_file((Reader){.table = t, .path = path, .target = target, .st = st, .line = 1});
}

int reg_csv_columns(const char *path, const char *const *columns, int n, float **values, int64_t *rows,
                    reg_status *st) {
  Heap heap = {0};
  Table t = {.heap = &heap};
  NumberLocale numbers = reg_numbers_enter();
  int code =
      read_file((Reader){.table = &t, .path = path, .wanted = columns, .nwanted = n, .st = st, .line = 1});
  reg_numbers_leave(numbers);
  const size_t bytes = (size_t)t.nrows * (size_t)n * sizeof **values;
  if (!code && !(*values = malloc(bytes ? bytes : 1))) code = reg_no_memory(st, bytes);
  for (int j = 0; j < n && !code; j++) {
    const int from = column_index(&t, columns[j]);
    for (int64_t i = 0; i < t.nrows; i++) (*values)[i * n + j] = t.numbers[i * t.ncolumns + from];
  }
  *rows = t.nrows;
  table_free(&t);
  reg_heap_free(&heap);
  return code;
}

void table_free(Table *t) {
  free(t->columns);
  free(t->numbers);
  free(t->text);
  free(t->text_at);
}
