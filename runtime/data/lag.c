// Columns of rows before: lag(k, …) and difference(…), of columns of x and of targets. In: a table in the
// order of its files, and what is wanted. Out: the table with these columns behind its own, without the rows
// whose past their file does not hold. Rows keep their number.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where a lag's numbers are: a column of x, or OWN - k: of the own column k.
enum { OWN = -1 };

static int64_t depth(const reg_lag *l) { return l->back ? l->back : 1; }

static int too_short(const TableFile *f, int64_t most, reg_status *st) {
  return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: %lld rows are too few: a row needs %lld before it",
                  f->path, (long long)f->nrows, (long long)most);
}

static int text_of_number(const Table *t, int own, int64_t row, double *value, reg_status *st) {
  const char *text = table_text(t, own, row), *hint;
  const NumberText kind = *text ? number_parse(text, strlen(text), t->dtype, value) : NUMBER_MISSING;
  if (kind == NUMBER_OK) return REG_OK;
  *value = NAN;
  if (kind == NUMBER_MISSING) return REG_OK;
  const char *what = number_mistake(kind, t->dtype, &hint);
  return table_mistake(t, own, row, st, "lag and difference are of numbers", "`%.40s` in column `%.60s` %s",
                       text, t->own[own].column, what);
}

static int number_at(const Table *t, int from, int64_t row, double *value, reg_status *st) {
  if (from <= OWN) return text_of_number(t, OWN - from, row, value, st);
  *value = t->numbers[row * t->width + from];
  return REG_OK;
}

// The new columns of a row.
static int fill_row(const Table *t, const reg_lag *lags, int n, const int *from, int64_t row, double *to,
                    reg_status *st) {
  int code = REG_OK;
  for (int i = 0; i < n && !code; i++) {
    double before = 0, now = 0;
    code = number_at(t, from[i], row - depth(&lags[i]), &before, st);
    if (!code && !lags[i].back) code = number_at(t, from[i], row, &now, st);
    to[i] = lags[i].back ? before : now - before;
  }
  return code;
}

static void move_row(Table *t, int64_t to, int64_t row) {
  for (int k = 0; k < t->nown; k++) t->own[k].cells.at[to] = t->own[k].cells.at[row];
  t->line[to] = t->line[row];
  t->number[to] = (int32_t)row;
}

// Places in messages of the new columns: those of the columns that they are of.
static bool place(Table *t, TableFile *f, const int *from, int base, int n) {
  int *places = reg_heap_take(t->heap, (size_t)(base + n) * sizeof *places);
  if (!places) return false;
  for (int x = 0; x < base; x++) places[x] = f->x_column[x];
  for (int i = 0; i < n; i++)
    places[base + i] = from[i] <= OWN ? f->column[OWN - from[i]] : f->x_column[from[i]];
  f->x_column = places;
  return true;
}

// No new column is of texts.
static bool open_texts(Table *t, int base, int n) {
  bool *is_text = realloc(t->is_text, (size_t)(base + n + 1) * sizeof *is_text);
  if (is_text) t->is_text = is_text;
  const int texts = t->texts > base + n ? t->texts : base + n;
  NameIndex *levels = is_text ? realloc(t->levels, (size_t)(texts + 1) * sizeof *levels) : NULL;
  if (!levels) return false;
  t->levels = levels;
  for (int x = t->texts; x < texts; x++) levels[x] = (NameIndex){0};
  t->texts = texts;
  for (int x = base; x < base + n; x++) is_text[x] = false;
  return true;
}

static int fill(Table *t, const reg_lag *lags, int n, const int *from, int base, double *numbers,
                int64_t most, reg_status *st) {
  const int64_t width = base + n;
  int64_t kept = 0;
  int code = REG_OK;
  for (int k = 0; k < t->nfiles && !code; k++) {
    TableFile *f = &t->files[k];
    const int64_t first = kept, behind = f->first + f->nrows;
    if (f->nrows <= most) return too_short(f, most, st);
    for (int64_t row = f->first + most; row < behind && !code; row++, kept++) {
      double *to = numbers + kept * width;
      memcpy(to, t->numbers + row * t->width, (size_t)base * sizeof *to);
      code = fill_row(t, lags, n, from, row, to + base, st);
    }
    f->first = first;
    f->nrows = kept - first;
  }
  return code;
}

// Own texts are read while rows are filled: they move behind that.
static void move_rows(Table *t, const int64_t *skipped, int64_t most) {
  for (int k = 0; k < t->nfiles; k++)
    for (int64_t i = 0; i < t->files[k].nrows; i++) move_row(t, t->files[k].first + i, skipped[k] + most + i);
}

// The first `base` columns of x stay, `from` says where the lags' numbers are.
static int add(Table *t, const reg_lag *lags, int n, const int *from, int base, reg_status *st) {
  int64_t most = 0, first[MOST_FILES];
  size_t bytes;
  for (int i = 0; i < n; i++) most = depth(&lags[i]) > most ? depth(&lags[i]) : most;
  for (int k = 0; k < t->nfiles; k++) first[k] = t->files[k].first;
  double *numbers = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * sizeof *numbers, (size_t)(base + n), &bytes))
    numbers = reg_large_resize(NULL, bytes + 1);
  t->number = reg_heap_take_large(t->heap, (size_t)t->nrows * sizeof *t->number);
  bool good = numbers && t->number;
  for (int k = 0; k < t->nfiles && good; k++) good = place(t, &t->files[k], from, base, n);
  if (!good) {
    reg_large_free(numbers);
    return reg_no_memory(st, bytes);
  }
  const int code = fill(t, lags, n, from, base, numbers, most, st);
  if (code || !open_texts(t, base, n)) {
    reg_large_free(numbers);
    return code ? code : reg_no_memory(st, (size_t)(base + n));
  }
  move_rows(t, first, most);
  reg_large_free(t->numbers);
  t->numbers = numbers;
  t->width = base + n;
  t->nrows = t->files[t->nfiles - 1].first + t->files[t->nfiles - 1].nrows;
  return REG_OK;
}

// -- where data are made

static int find(const Table *t, const reg_data_op *op, const char *column, int *from, reg_status *st) {
  for (int x = 0; x < t->width; x++)
    if (!strcmp(t->columns[x], column)) {
      *from = x;
      if (!t->is_text[x]) return REG_OK;
      return reg_fail(st, REG_BAD_DATA, "data_bad",
                      "column `%.60s` is text: lag and difference are of numbers", column);
    }
  for (int k = 0; k < t->nown && op->lags; k++)
    if (!strcmp(t->own[k].column, column)) {
      *from = OWN - k;
      return REG_OK;
    }
  reg_fail(st, REG_BAD_DATA, "data_bad",
           op->lags ? "no column `%.60s` is read from the file" : "x is made of no column `%.60s`", column);
  reg_hint(st, op->lags ? "`regc data` lists the columns"
                        : "the difference to a target's last value would tell it");
  return st->code;
}

static int count_lags(const reg_data_plan *plan) {
  int64_t n = 0;
  for (int i = 1; i < plan->nops; i++) {
    const reg_data_op *op = &plan->ops[i];
    if (op->kind == REG_DATA_LAG) n += (op->lags ? op->lags : 1) * op->nnamed;
  }
  return n > MOST_LAGS ? MOST_LAGS + 1 : (int)n;
}

static const char *lag_name(Heap *heap, const reg_lag *l) {
  const size_t room = strlen(l->column) + 32;
  char *to = reg_heap_take(heap, room);
  if (to && l->back) snprintf(to, room, "%s lag %lld", l->column, (long long)l->back);
  if (to && !l->back) snprintf(to, room, "%s difference", l->column);
  return to;
}

static int list_lags(const Table *t, const reg_data_plan *plan, reg_lag *lags, int *from, reg_status *st) {
  int code = REG_OK, n = 0;
  for (int i = 1; i < plan->nops; i++) {
    const reg_data_op *op = &plan->ops[i];
    for (int c = 0; op->kind == REG_DATA_LAG && c < op->nnamed && !code; c++) {
      int at = 0;
      code = find(t, op, op->named[c], &at, st);
      for (int64_t back = op->lags ? 1 : 0; back <= op->lags && !code; back++) {
        from[n] = at;
        lags[n++] = (reg_lag){.column = op->named[c], .back = back};
      }
    }
  }
  return code;
}

int table_lag(Table *t, reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  const int n = count_lags(plan), base = t->width;
  if (!n) return REG_OK;
  if (n > MOST_LAGS) return reg_fail(st, REG_BAD_DATA, "data_bad", "more than %d lags of columns", MOST_LAGS);
  reg_lag *lags = reg_heap_take(t->heap, (size_t)n * sizeof *lags);
  int *from = reg_heap_take(t->heap, (size_t)n * sizeof *from);
  const char **names = reg_heap_take(t->heap, (size_t)(base + n) * sizeof *names);
  if (!lags || !from || !names) return reg_no_memory(st, (size_t)n * sizeof *lags);
  int code = list_lags(t, plan, lags, from, st);
  for (int x = 0; x < base && !code; x++) names[x] = t->columns[x];
  for (int i = 0; i < n && !code; i++)
    if (!(names[base + i] = lag_name(t->heap, &lags[i]))) code = reg_no_memory(st, (size_t)n);
  if (!code) code = add(t, lags, n, from, base, st);
  if (code) return code;
  t->columns = names;
  d->nlags = n;
  d->lags = lags;
  return REG_OK;
}

// -- rows of other files

int lag_columns(const reg_dataset *d, const char **columns, int base) {
  int n = base;
  for (int i = 0; i < d->nlags; i++) {
    bool there = false;
    for (int x = 0; x < n && !there; x++) there = !strcmp(columns[x], d->lags[i].column);
    if (!there) columns[n++] = d->lags[i].column;
  }
  return n;
}

int lag_again(Table *t, const reg_dataset *d, const char *const *columns, int base, reg_status *st) {
  int *from = reg_heap_take(t->heap, (size_t)d->nlags * sizeof *from);
  if (!from) return reg_no_memory(st, (size_t)d->nlags * sizeof *from);
  for (int i = 0; i < d->nlags; i++)
    while (strcmp(columns[from[i]], d->lags[i].column) != 0) from[i]++;
  int code = add(t, d->lags, d->nlags, from, base, st);
  for (int64_t i = 0; i < t->nrows * t->width && !code && !d->nsources; i++)
    if (isnan(t->numbers[i]))
      code = table_hole(t, (int)(i % t->width), i / t->width, st, NULL,
                        "the row, or one before it, has no number here");
  return code;
}
