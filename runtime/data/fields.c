// Columns to fields. In: a table. Out: x without its values, own columns as numbers and, where they can be
// read so, as classes, and id, the row's number. What such a column is does not depend on the order of rows:
// text as soon as one cell of the first file is text, else numbers. Classes are those of the first file.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int table_make_x(const Table *t, reg_dataset *d, reg_status *st) {
  const size_t width = (size_t)t->width;
  reg_field *x = &d->fields[0];
  d->shift = reg_heap_take(t->heap, width * sizeof *d->shift);
  d->factor = reg_heap_take(t->heap, width * sizeof *d->factor);
  if (!d->shift || !d->factor) return reg_no_memory(st, width * sizeof *d->shift);
  for (size_t j = 0; j < width; j++) d->factor[j] = 1;
  d->columns = t->columns;
  *x = (reg_field){.name = "x", .dtype = t->dtype, .rank = 1, .dim = {t->width}, .width = t->width};
  if (t->rank) x->rank = t->rank;
  for (int k = 0; k < t->rank; k++) x->dim[k] = t->dim[k];
  return REG_OK;
}

// -- classes

// Rows that say what classes there are. Of a target those of the training data, which are what a model tells
// apart; what rows are called, and groups, differ from file to file.
static int64_t telling_rows(const Table *t, int own) {
  return t->own[own].role == REG_OWN_TARGET ? table_rows_of(t, 0, NULL) : t->nrows;
}

static int text_classes(const Table *t, int own, reg_field *f, reg_status *st) {
  const size_t rows = (size_t)t->nrows;
  const int64_t first = telling_rows(t, own);
  const char **cells = reg_large_resize(NULL, rows * sizeof *cells);
  int64_t stranger;
  if (!cells) return -1;
  for (int64_t i = 0; i < t->nrows; i++) cells[i] = table_text(t, own, i);
  int code = data_text_classes(t->heap, f, cells, first, t->nrows, &stranger);
  if (!code && stranger >= 0)
    code = table_mistake(t, own, stranger, st, "classes are those of the training data",
                         "`%.60s` has no class `%.60s` in `%s`", f->name, cells[stranger], t->files[0].path);
  reg_large_free(cells);
  return code;
}

// Numbers need not be classes: what prevents it is kept for whoever asks for them.
static int no_classes(const Table *t, int own, reg_field *f, int64_t row, const char *what) {
  const char *cell = table_cell(t, own, row);
  char *why = cell ? reg_heap_take(t->heap, strlen(cell) + strlen(what) + 1) : NULL;
  if (!why) return -1;
  strcat(strcpy(why, cell), what);
  f->why = why;
  f->nclasses = 0;
  f->classes = NULL;
  return REG_OK;
}

static NumberText parse_text(const Table *t, int own, int64_t row, double *value) {
  const char *text = table_text(t, own, row);
  return number_parse(text, strlen(text), t->dtype, value);
}

static int integer_classes(const Table *t, int own, reg_field *f) {
  int64_t *values = reg_large_resize(NULL, (size_t)t->nrows * sizeof *values), i = 0, stranger = -1;
  if (!values) return -1;
  while (i < t->nrows && number_integer(table_text(t, own, i), &values[i])) i++;
  int code = REG_OK;
  if (i < t->nrows) {
    double value = 0;
    parse_text(t, own, i, &value);
    code = no_classes(t, own, f, i, fabs(value) >= 0x1p63 ? " has more than 64 bits" : " is no integer");
  } else {
    code = data_integer_classes(t->heap, f, values, telling_rows(t, own), t->nrows, &stranger);
    if (!code && stranger >= 0)
      code = no_classes(t, own, f, stranger, " is not among those of the training data");
  }
  reg_large_free(values);
  return code;
}

// -- own columns

static int not_a_number(const Table *t, int own, const reg_field *f, int64_t row, NumberText kind,
                        reg_status *st) {
  const char *hint, *what = number_mistake(kind, t->dtype, &hint);
  if (kind == NUMBER_MISSING) hint = NO_VALUE_HINT;
  if (kind == NUMBER_NONE) hint = "the target of the training data is numbers";
  return table_mistake(t, own, row, st, hint, "`%.40s` in column `%.60s` %s", table_text(t, own, row),
                       f->name, what);
}

// The first cell of the first file that makes the target text, or -1: some text among numbers does, what
// stands for a missing number does not.
static int64_t first_text(const Table *t, int own) {
  bool numbers = false;
  double value;
  const int64_t rows = table_rows_of(t, 0, NULL);
  for (int64_t i = 0; i < rows; i++) {
    const NumberText kind = parse_text(t, own, i, &value);
    if (kind == NUMBER_NONE) return i;
    numbers |= kind != NUMBER_MISSING;
  }
  return numbers ? -1 : 0;
}

// -1: out of memory.
static int make_own(const Table *t, int own, reg_field *f, reg_status *st) {
  const char *name = t->own[own].field;
  const int64_t text = t->own[own].texts ? 0 : first_text(t, own);
  *f = (reg_field){.dtype = text < 0 ? t->dtype : REG_I32, .width = 1};
  if (!(f->name = reg_heap_copy(t->heap, name, strlen(name)))) return -1;
  if (text >= 0) return (f->why = table_cell(t, own, text)) ? text_classes(t, own, f, st) : -1;
  void *values = reg_heap_take_large(t->heap, (size_t)t->nrows * reg_dtype_bytes(t->dtype));
  if (!values) return -1;
  for (int64_t i = 0; i < t->nrows; i++) {
    double value;
    const NumberText kind = parse_text(t, own, i, &value);
    if (kind != NUMBER_OK) return not_a_number(t, own, f, i, kind, st);
    reg_float_put(values, t->dtype, i, value);
  }
  f->values = values;
  return integer_classes(t, own, f);
}

static int make_id(const Table *t, reg_field *f) {
  int32_t *rows = reg_heap_take_large(t->heap, (size_t)t->nrows * sizeof *rows);
  if (!rows) return -1;
  for (int64_t i = 0; i < t->nrows; i++) rows[i] = t->number ? t->number[i] : (int32_t)i;
  *f = (reg_field){.name = "id", .dtype = REG_I32, .width = 1, .values = rows};
  return 0;
}

int table_to_fields(Table *t, reg_dataset *d, reg_status *st) {
  if (t->nrows > INT32_MAX)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%lld rows are more than a data set can have (2147483647)",
                    (long long)t->nrows);
  d->nrows = t->nrows;
  memcpy(d->checksum, t->checksum, sizeof d->checksum);
  d->fields = reg_heap_take(t->heap, (size_t)(2 + 2 * t->nown) * sizeof *d->fields);
  int code = d->fields ? REG_OK : -1;
  if (!code) d->fields[d->nfields++] = (reg_field){.name = t->width ? "x" : NULL};
  d->target = d->named = -1;
  for (int k = 0; k < t->nown && !code; k++) {
    if (t->own[k].role == REG_OWN_TARGET && d->target < 0) d->target = d->nfields;
    if (t->own[k].role == REG_OWN_ID) d->named = d->nfields;
    code =
        t->own[k].role == REG_OWN_TEXT ? texts_place(t, d, k) : make_own(t, k, &d->fields[d->nfields++], st);
  }
  if (!code) code = make_id(t, &d->fields[d->nfields++]);
  return code < 0 ? reg_no_memory(st, (size_t)t->nrows * reg_dtype_bytes(t->dtype)) : code;
}
