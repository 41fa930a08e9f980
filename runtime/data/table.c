// A table by row: own columns, places for messages, rows that are left out; its end.
#include "data/table.h"
#include "data/stream.h"
#include "large.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cells_add(Cells *c, int64_t row, const char *text, size_t length) {
  if (c->size + length + 1 > c->room) {
    const size_t room = 2 * (c->size + length + 1) + 1024;
    char *grown = reg_large_resize(c->text, room);
    if (!grown) return false;
    c->text = grown;
    c->room = room;
  }
  c->at[row] = c->size;
  memcpy(c->text + c->size, text, length);
  c->text[c->size + length] = 0;
  c->size += length + 1;
  return true;
}

void cells_free(Cells *c) {
  reg_large_free(c->text);
  reg_large_free(c->at);
}

const TableFile *table_file(const Table *t, int64_t row) {
  int i = t->nfiles - 1;
  while (i > 0 && row < t->files[i].first) i--;
  return &t->files[i];
}

const char *table_text(const Table *t, int own, int64_t row) {
  const Cells *c = &t->own[own].cells;
  return c->text + c->at[row];
}

int64_t table_rows_of(const Table *t, int step, int64_t *first) {
  int64_t rows = 0;
  for (int i = t->nfiles - 1; i >= 0; i--) {
    if (t->files[i].step != step) continue;
    rows += t->files[i].nrows;
    if (first) *first = t->files[i].first;
  }
  return rows;
}

static int column_of(const TableFile *f, int own) { return f->column ? f->column[own] : 1; }

int table_mistake(const Table *t, int own, int64_t row, reg_status *st, const char *hint, const char *fmt,
                  ...) {
  char what[320];
  const TableFile *f = table_file(t, row);
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  reg_fail(st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", f->path, (long long)t->line[row],
           column_of(f, own), what);
  if (hint) reg_hint(st, "%s", hint);
  return st->code;
}

int table_hole(const Table *t, int x, int64_t row, reg_status *st, const char *hint, const char *fmt, ...) {
  char what[320];
  const TableFile *f = table_file(t, row);
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  reg_fail(st, REG_BAD_DATA, "data_bad", "%s:%lld:%d: %s", f->path, (long long)t->line[row], f->x_column[x],
           what);
  if (hint) reg_hint(st, "%s", hint);
  return st->code;
}

// What rows may not lack: columns of x and of their own.
typedef struct Whole {
  bool *x, *own;
} Whole;

// A step that names no column is for all that no step before it fills in.
static int ask_for(const Table *t, const reg_data_plan *plan, int step, const Whole *w, reg_status *st) {
  const reg_data_op *op = &plan->ops[step];
  for (int i = 0; i < op->nnamed; i++) {
    bool found = false;
    for (int x = 0; x < t->width; x++) found |= !strcmp(t->columns[x], op->named[i]);
    for (int k = 0; k < t->nown; k++) found |= !strcmp(t->own[k].column, op->named[i]);
    if (!found) return table_no_column(op->named[i], st);
  }
  for (int x = 0; x < t->width; x++)
    w->x[x] |= plan_names(op, t->columns[x]) &&
               !plan_fills_before(plan, step, t->columns[x], t->is_text && t->is_text[x]);
  for (int k = 0; k < t->nown; k++) w->own[k] |= plan_names(op, t->own[k].column);
  return REG_OK;
}

static bool lacks(const Table *t, const reg_csv_form *form, int own, int64_t row) {
  const char *text = table_text(t, own, row);
  if (!*text) return true;
  if (t->own[own].role == REG_OWN_TEXT) return false;
  bool listed = number_missing(text);
  for (int i = 0; form && i < form->nmissing; i++) listed |= !strcmp(form->missing[i], text);
  return listed;
}

static bool is_whole(const Table *t, const Whole *w, const reg_csv_form *form, int64_t row) {
  bool whole = true;
  for (int k = 0; k < t->nown && whole; k++) whole = !w->own[k] || !lacks(t, form, k, row);
  for (int x = 0; x < t->width && whole; x++) whole = !w->x[x] || !isnan(t->numbers[row * t->width + x]);
  return whole;
}

// What a row lacks that no step asks for.
static int check_others(const Table *t, const Whole *w, const reg_csv_form *form, int64_t row,
                        reg_status *st) {
  for (int k = 0; k < t->nown; k++)
    if (!w->own[k] && t->own[k].role != REG_OWN_TEXT && lacks(t, form, k, row))
      return table_mistake(t, k, row, st, NO_VALUE_HINT, "column `%.60s` has no value here",
                           t->own[k].column);
  return REG_OK;
}

int table_drop_missing(Table *t, const reg_data_plan *plan, const reg_csv_form *form, reg_status *st) {
  const Whole w = {reg_heap_take(t->heap, (size_t)t->width + 1), reg_heap_take(t->heap, (size_t)t->nown + 1)};
  const int32_t *before = t->number;
  int32_t *number = reg_heap_take_large(t->heap, (size_t)t->nrows * sizeof *number);
  if (!w.x || !w.own || !number) return reg_no_memory(st, (size_t)t->nrows * sizeof *number);
  for (int i = 1, code; i < plan->nops; i++)
    if (plan->ops[i].kind == REG_DATA_DROP_MISSING && (code = ask_for(t, plan, i, &w, st))) return code;
  int64_t kept = 0;
  for (int i = 0; i < t->nfiles; i++) {
    TableFile *f = &t->files[i];
    const int64_t first = kept, behind = f->first + f->nrows;
    for (int64_t row = f->first; row < behind; row++) {
      if (!is_whole(t, &w, form, row)) continue;
      const int code = check_others(t, &w, form, row, st);
      if (code) return code;
      memmove(t->numbers + kept * t->width, t->numbers + row * t->width,
              (size_t)t->width * sizeof *t->numbers);
      for (int k = 0; k < t->nown; k++) t->own[k].cells.at[kept] = t->own[k].cells.at[row];
      t->line[kept] = t->line[row];
      number[kept++] = before ? before[row] : (int32_t)row;
    }
    f->first = first;
    f->nrows = kept - first;
    if (!f->nrows)
      return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: no row is whole: `drop_missing` leaves none",
                      f->path);
  }
  t->number = number;
  t->nrows = kept;
  return REG_OK;
}

char *table_cell(const Table *t, int own, int64_t row) {
  char text[400];
  const TableFile *f = table_file(t, row);
  const int n = snprintf(text, sizeof text, "`%.40s` (%.300s:%lld:%d)", table_text(t, own, row), f->path,
                         (long long)t->line[row], column_of(f, own));
  return n < 0 ? NULL : reg_heap_copy(t->heap, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void table_add_sum(Table *t, const char hex[17]) {
  char both[33];
  if (!*t->checksum) {
    memcpy(t->checksum, hex, sizeof t->checksum);
    return;
  }
  memcpy(both, t->checksum, 16);
  memcpy(both + 16, hex, 17);
  reg_checksum(both, 32, t->checksum);
}

void table_checksum(Table *t, const char *bytes, size_t size) {
  char hex[17];
  Sum sum = {0};
  sum_add(&sum, bytes, size);
  sum_text(&sum, hex);
  table_add_sum(t, hex);
}

bool table_make_room(Table *t, int64_t rows) {
  if (rows <= t->room) return true;
  // A file grows where it is, and takes disk for what it will not need.
  const bool file = (size_t)t->room * (size_t)t->width * sizeof *t->numbers >= reg_large_least();
  const int64_t wish = t->room + t->room / (file ? 16 : 2), room = wish > rows ? wish : rows;
  size_t bytes;
  if (__builtin_mul_overflow((size_t)room * sizeof *t->numbers, (size_t)t->width, &bytes)) return false;
  double *numbers = t->supply ? NULL : reg_large_resize(t->numbers, bytes);
  if (numbers) t->numbers = numbers;
  int64_t *line = numbers || t->supply ? reg_large_resize(t->line, (size_t)room * sizeof *line) : NULL;
  if (line) t->line = line;
  bool good = line != NULL;
  for (int k = 0; k < t->nown && good; k++) {
    size_t *at = reg_large_resize(t->own[k].cells.at, (size_t)room * sizeof *at);
    if ((good = at != NULL)) t->own[k].cells.at = at;
  }
  if (good) t->room = room;
  return good;
}

void table_free(Table *t) {
  reg_large_free(t->numbers);
  if (t->supply) t->supply->end(t->supply);
  reg_large_free(t->line);
  reg_large_free(t->place);
  for (int i = 0; i < t->nown; i++) cells_free(&t->own[i].cells);
  free(t->own);
  for (int x = 0; t->levels && x < t->texts; x++) names_free(&t->levels[x]);
  free(t->levels);
  free(t->is_text);
}
