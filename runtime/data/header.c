// The names of a CSV file's columns, and what becomes of each. In: a reader before the rows. Out: its header
// and the use of each column.
#include "data/csv.h"
#include "text/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 1 << 20 };

static void header_cell(CsvReader *r, int64_t line, const char *text, size_t length) {
  const int column = r->header.count + 1;
  char nameless[32];
  if (length == 0) {
    csv_nameless(column - 1, nameless);
    text = nameless;
    length = strlen(text);
  }
  if (column > MOST_COLUMNS)
    csv_fail(r, line, column, "is it a table, with a row a line?", "more than %d columns", MOST_COLUMNS);
  if (!csv_is_utf8(text, length))
    csv_fail(r, line, column, CSV_TO_UTF8, "the name of column %d is no UTF-8", column);
  char *name = r->failed ? NULL : reg_heap_copy(r->table->heap, text, length);
  if (!name) {
    csv_no_memory(r, length);
    return;
  }
  if (!names_add(&r->header, name)) csv_no_memory(r, length);
}

void csv_nameless(int column, char to[32]) { snprintf(to, 32, "unnamed %d", column); }

bool csv_is_nameless(const CsvReader *r, int column) {
  char nameless[32];
  csv_nameless(column, nameless);
  return !strcmp(r->header.names[column], nameless);
}

// Columns whose name stands twice may be passed over, and no more. A list of which they are.
static bool *find_twice(CsvReader *r) {
  const int n = r->header.count;
  bool *twice = calloc((size_t)n + 1, sizeof *twice);
  for (int i = 0; i < n && twice; i++) {
    const int at = names_find(&r->header, r->header.names[i]);
    if (at != i) twice[i] = twice[at] = true;
  }
  if (!twice) csv_no_memory(r, (size_t)n);
  return twice;
}

// False, and a report: what is taken has a name of its own.
static bool is_alone(CsvReader *r, const bool *twice, int at) {
  const char *name = r->header.names[at];
  int first = 0, second;
  if (!twice[at]) return true;
  while (strcmp(r->header.names[first], name) != 0) first++;
  for (second = first + 1; strcmp(r->header.names[second], name) != 0;) second++;
  csv_fail(r, r->head, second + 1,
           "give each column a name of its own; `names: [...]` says other names for all",
           "column `%.60s` stands twice in the header, first as column %d", name, first + 1);
  return false;
}

static bool is_number(const char *text) {
  double value;
  return number_parse(text, strlen(text), REG_F64, &value) == NUMBER_OK;
}

// Rows of numbers and no header? True after a report.
static bool lacks_header(CsvReader *r) {
  if (r->form->bare || r->form->nnames) return false;
  for (int i = 0; i < r->header.count; i++)
    if (!is_number(r->header.names[i])) return false;
  csv_fail(r, r->head, 1, "put the columns' names into the first line, or say `header: false`",
           "the file has no header: its first line is all numbers");
  csv_suggest_no_skip(r);
  csv_find_title(r);
  csv_suggest_title(r);
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

static void column_missing(CsvReader *r, const char *name) {
  const NameIndex *h = &r->header;
  char names[200];
  Text list = reg_text_in(names, sizeof names);
  if (r->failed || lacks_header(r)) return;
  for (int i = 0; i < h->count; i++) list_column(&list, h->names[i]);
  r->failed = true;
  reg_fail(r->st, REG_BAD_DATA, "target_missing", "`%s` has no column `%.60s`", r->want->path, name);
  csv_find_title(r);
  if (csv_suggest_title(r)) return;
  if (h->count == 1 && strpbrk(h->names[0], ",;\t|"))
    reg_hint(r->st, "this file seems to use another separator: `separator: \"%.*s\"`",
             *strpbrk(h->names[0], ",;\t|") == '\t' ? 2 : 1,
             *strpbrk(h->names[0], ",;\t|") == '\t' ? "\\t" : strpbrk(h->names[0], ",;\t|"));
  else
    reg_hint(r->st, "its columns are %s", names);
}

// Where lines end in a separator the header has one more than names, or none: as the first rows have them it
// is an empty column. `last`: of the header's last name, which ends at `at` and has n before it.
static void end_names(CsvReader *r, const char *at, int n, const CsvField *last) {
  CsvPiece p = {.layout = &r->layout, .end = r->end};
  bool empty = false, again = false;
  at = csv_line_end(&p, at);
  int fields = csv_row_fields(&p, &at, &empty);
  const int second = fields ? csv_row_fields(&p, &at, &again) : 0;
  if (second && (second != fields || again != empty)) fields = 0;
  free(p.scratch);
  r->first_row = fields;
  if (last->length || !n || fields != n) header_cell(r, r->head, last->text, last->length);
  if (fields != n + 2 || !empty) return;
  header_cell(r, r->head, "", 0);
  r->padded = true;
}

// Names from the first line, or from the form; 0, 1, ... where nothing names them. Where the rows begin.
const char *csv_names(CsvReader *r, CsvPiece *p, const char *at) {
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
    if (!(at = csv_field(p, at, &field))) csv_report(r, p, r->line);
    if (!at || r->failed) return NULL;
    const int n = snprintf(number, sizeof number, "%d", column);
    if (f->bare && !f->nnames)
      header_cell(r, r->line + line, number, (size_t)n);
    else if (!f->nnames && *at == p->layout->separator && at != p->end)
      header_cell(r, r->line + line, field.text, field.length);
    else if (!f->nnames)
      end_names(r, at, column, &field);
    if (r->failed) return NULL;
    if (*at == p->layout->separator && at != p->end) continue;
    if (f->nnames && column + 1 != f->nnames)
      csv_fail(r, r->line + line, f->nnames + 1, "`names` has a name for each column",
               "%d fields, and %d names", column + 1, f->nnames);
    break;
  }
  if (!f->bare) return csv_line_end(p, at);
  p->lines = lines;
  return begin;
}

// A column of x: one that is nothing else, or a field of its own that is no target, which is then both.
static bool put_in_x(CsvReader *r, int at, int place) {
  const int own = CSV_OWN - r->use[at];
  const bool field = r->use[at] <= CSV_OWN && own < r->table->nown &&
                     (r->table->own[own].role == REG_OWN_FIELD || r->table->own[own].role == REG_OWN_ID);
  if (!field && r->use[at] != CSV_IGNORED) return false;
  if (field) r->also[at] = own;
  r->use[at] = place;
  return true;
}

// The wanted columns, each at its place of x.
static void pick_wanted(CsvReader *r, const bool *twice) {
  const TableRequest *want = r->want;
  char names[160];
  Text missing = reg_text_in(names, sizeof names);
  int nmissing = 0;
  for (int i = 0; i < want->ncolumns; i++) {
    const int at = names_find(&r->header, want->columns[i]);
    if (at >= 0 && !is_alone(r, twice, at)) return;
    if (at >= 0 && put_in_x(r, at, i)) continue;
    nmissing++;
    list_column(&missing, want->columns[i]);
  }
  if (nmissing && (nmissing < want->ncolumns || !lacks_header(r))) {
    r->failed = true;
    reg_fail(r->st, REG_BAD_DATA, "columns_missing",
             "`%s` lacks %d of the %d columns that the model reads: %s", want->path, nmissing, want->ncolumns,
             names);
    reg_hint(r->st, "the first line of the file names its columns; their order does not matter");
    csv_suggest_no_skip(r);
  }
  for (int i = 0; i < r->header.count && want->no_others; i++) {
    bool dropped = r->use[i] != CSV_IGNORED || r->form->ncolumns;
    for (int k = 0; k < r->form->ndropped; k++) dropped |= !strcmp(r->form->dropped[k], r->header.names[i]);
    if (!dropped && csv_is_nameless(r, i))
      r->use[i] = CSV_BLANK;
    else if (!dropped)
      csv_fail(r, r->head, i + 1, "remove the column: all files of a data set have the same ones",
               "column `%.60s` is not in `%s`", r->header.names[i], r->table->files[0].path);
  }
}

// One that is in x for no other reason than that it is there. Without a name it has to be empty.
static bool may_be_left(CsvReader *r, const bool *twice, int at) {
  if (!is_alone(r, twice, at)) return false;
  if (r->want->any_names || !csv_is_nameless(r, at)) return true;
  r->use[at] = CSV_BLANK;
  return false;
}

void csv_has_no_name(CsvReader *r, int column, const char *cell, int64_t line) {
  char nameless[32];
  csv_nameless(column - 1, nameless);
  csv_fail(r, r->head, column, NULL, "column %d has no name, and `%.40s` in line %lld", column, cell,
           (long long)line);
  reg_hint(r->st, "it is called `%s`: `drop: [\"%s\"]` leaves it out, `id: \"%s\" as row` calls rows by it",
           nameless, nameless, nameless);
}

// The columns of x that the form names, or all that are left.
static void choose(CsvReader *r, const bool *twice) {
  Table *t = r->table;
  const reg_csv_form *f = r->form;
  const int named = t->nown + f->ncolumns;
  if (!named && lacks_header(r)) return;
  const char **columns = reg_heap_take(t->heap, (size_t)r->header.count * sizeof *columns);
  if (!columns) {
    csv_no_memory(r, (size_t)r->header.count * sizeof *columns);
    return;
  }
  for (int i = 0; i < f->ncolumns; i++) {
    const int at = names_find(&r->header, f->columns[i]);
    if (at < 0) column_missing(r, f->columns[i]);
    if (at < 0 || !is_alone(r, twice, at)) return;
    if (put_in_x(r, at, t->width))
      columns[t->width++] = r->header.names[at];
    else
      csv_fail(r, r->head, at + 1, "x has a column once, and no target", "column `%.60s` is taken twice",
               f->columns[i]);
  }
  for (int i = 0; i < f->ndropped; i++) {
    const int at = names_find(&r->header, f->dropped[i]);
    if (at < 0) column_missing(r, f->dropped[i]);
    if (at < 0) return;
    for (int k = twice[at] ? 0 : at; k <= at; k++) // of nothing
      if (r->use[k] == CSV_IGNORED && !strcmp(r->header.names[k], f->dropped[i]))
        r->use[k] = CSV_OWN - t->nown;
  }
  for (int i = 0; i < r->header.count && !f->ncolumns; i++) {
    if (r->use[i] != CSV_IGNORED) continue;
    if (!may_be_left(r, twice, i)) {
      if (r->failed) return;
      continue;
    }
    columns[r->use[i] = t->width++] = r->header.names[i];
  }
  for (int i = 0; i < r->header.count; i++)
    if (r->use[i] == CSV_OWN - t->nown) r->use[i] = CSV_IGNORED;
  t->columns = columns;
  bool texts = false;
  for (int k = 0; k < t->nown; k++) texts |= t->own[k].role == REG_OWN_TEXT;
  if (t->width == 0 && !texts && !r->want->grows)
    csv_fail(r, r->head, 1, "inputs are the columns beside the target",
             t->nown == 1 ? "`%.60s` is the only column: nothing is left for x" : "no column is left for x",
             t->nown ? t->own[0].column : "");
}

static bool has_instead(const CsvReader *r) {
  const TableRequest *other = r->want->instead;
  for (int i = 0; other && i < other->ncolumns; i++)
    if (names_find(&r->header, other->columns[i]) < 0) return false;
  return other != NULL;
}

static void use_columns(CsvReader *r, const bool *twice) {
  Table *t = r->table;
  const int n = r->header.count;
  if (has_instead(r)) {
    r->want = r->want->instead;
    t->columns = r->want->columns;
    t->width = r->want->ncolumns;
  }
  r->use = malloc((size_t)(n + 1) * sizeof *r->use);
  r->own_column = reg_heap_take(t->heap, (size_t)(t->nown + 1) * sizeof *r->own_column);
  r->also = malloc((size_t)(n + 1) * sizeof *r->also);
  if (!r->use || !r->also || !r->own_column) {
    csv_no_memory(r, (size_t)n * sizeof *r->use);
    return;
  }
  for (int i = 0; i < n; i++) r->use[i] = r->also[i] = CSV_IGNORED;
  t->files[t->nfiles].column = r->own_column;
  for (int k = 0; k < t->nown && !r->failed; k++) {
    const char *name = k == 0 && r->want->target ? r->want->target : t->own[k].column;
    const int at = names_find(&r->header, name);
    if (at < 0 && r->want->optional && t->own[k].role != REG_OWN_TEXT) {
      t->nown--;
      memmove(&t->own[k], &t->own[k + 1], (size_t)(t->nown - k) * sizeof *t->own);
      k--;
    } else if (at < 0) {
      column_missing(r, name);
    } else if (!is_alone(r, twice, at)) {
      return;
    } else if (r->use[at] != CSV_IGNORED) {
      csv_fail(r, r->head, at + 1, "each is named once", "column `%.60s` is two fields", name);
    } else {
      r->use[at] = CSV_OWN - k;
      r->own_column[k] = at + 1;
    }
  }
  if (r->failed) return;
  if (r->want->columns)
    pick_wanted(r, twice);
  else
    choose(r, twice);
  int *places = r->failed ? NULL : reg_heap_take(t->heap, (size_t)t->width * sizeof *places);
  if (!places) {
    csv_no_memory(r, (size_t)t->width * sizeof *places);
    return;
  }
  for (int i = 0; i < n; i++)
    if (r->use[i] >= 0) places[r->use[i]] = i + 1;
  t->files[t->nfiles].x_column = places;
}

void csv_use_columns(CsvReader *r) {
  bool *twice = find_twice(r);
  if (twice) use_columns(r, twice);
  free(twice);
}
