// Rows of a file that a model predicts. In: what its data set has learned. Out: rows as the model reads them,
// their places in the file, and what the file calls them. Rows that cannot be read end it, or are told and
// left out.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#pragma weak data_read_images

void table_skip(reg_skipping *skipping, reg_status *st) {
  skipping->tell(skipping->user, st->text);
  skipping->rows++;
  *st = (reg_status){0};
}

// What of a file a data set reads.
typedef struct Columns {
  const char **names;
  bool *is_text;
  int base, n; // the columns of x that are none of rows before, and with those that these are of
} Columns;

// What the training's file calls its rows by: a column of its own, which this file may have.
static int open_name(Table *t, const reg_dataset *d, const reg_series *series, const Columns *of,
                     reg_status *st) {
  const char *field = d->named >= 0 ? d->fields[d->named].name : NULL,
             *column = field ? data_own_column(d, field) : NULL;
  if (!(t->own = calloc((size_t)(d->ntexts + lag_most_groups(d)) + 2, sizeof *t->own)))
    return reg_no_memory(st, sizeof *t->own);
  texts_again(t, d);
  if (column) t->own[t->nown++] = (OwnColumn){.column = column, .field = field, .role = REG_OWN_ID};
  const bool same = column && series && series->group && !strcmp(series->group, column);
  if (series && series->group && !same)
    t->own[t->nown++] = (OwnColumn){.column = series->group, .field = series->group, .role = REG_OWN_FIELD};
  lag_groups(t, d, of->names, of->n);
  return REG_OK;
}

// The own column of this role; -1: the file lacks it.
static int own_of(const Table *t, reg_own_role role) {
  for (int k = 0; k < t->nown; k++)
    if (t->own[k].role == role) return k;
  return -1;
}

static bool same_text(const Table *t, int own, int64_t a, int64_t b) {
  return !strcmp(table_text(t, own, a), table_text(t, own, b));
}

// The row's first number that is missing, or that curves and factors make none of.
static bool cannot_be(const reg_dataset *d, const Table *t, const char *const *inputs, int64_t row,
                      double *room, reg_status *st) {
  for (int x = 0; x < t->width && !d->nsources; x++)
    if (isnan(t->numbers[row * t->width + x]))
      return table_hole(t, x, row, st, NULL, "column `%.60s` has no value here", inputs[x]);
  memcpy(room, t->numbers + row * t->width, (size_t)t->width * sizeof *room);
  const int64_t wrong = reg_data_transform(d, room, 1, room + d->fields[0].width);
  if (wrong < 0) return false;
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is no finite number, as it is or scaled", t->files[0].path,
                  (long long)t->line[row], d->columns[wrong]);
}

static bool mark_rows(const reg_dataset *d, const Table *t, reg_skipping *skipping, bool *wrong,
                      reg_status *st) {
  double *room = malloc(2 * (size_t)d->fields[0].width * sizeof *room + 1);
  const char **inputs = malloc((size_t)t->width * sizeof *inputs + 1);
  if (inputs) reg_data_input_names(d, inputs);
  for (int64_t row = 0; room && inputs && row < t->nrows; row++) {
    if (wrong[row] || !cannot_be(d, t, inputs, row, room, st)) continue;
    wrong[row] = true;
    table_skip(skipping, st);
  }
  free(inputs);
  free(room);
  return room != NULL && inputs != NULL;
}

// Series are numbered as they follow each other.
static int put_rows(const reg_dataset *d, const reg_series *series, Table *t, const bool *wrong,
                    reg_rows *out, reg_status *st) {
  const int name = own_of(t, REG_OWN_ID), field = own_of(t, REG_OWN_FIELD), group = field < 0 ? name : field;
  const bool named = name >= 0, divided = series && series->group && group >= 0;
  out->place = reg_large_resize(NULL, (size_t)t->nrows * sizeof *out->place + 1);
  out->names = named ? reg_large_resize(NULL, (size_t)t->nrows * sizeof *out->names + 1) : NULL;
  out->series = divided ? reg_large_resize(NULL, (size_t)t->nrows * sizeof *out->series + 1) : NULL;
  if (!out->place || (named && !out->names) || (divided && !out->series))
    return reg_no_memory(st, (size_t)t->nrows * sizeof *out->place);
  if (rows_tokenize(d, t, wrong, out, st)) return st->code;
  int64_t n = 0, before = 0;
  for (int64_t row = 0; row < t->nrows; row++) {
    if (wrong && wrong[row]) continue;
    if (divided) out->series[n] = n ? out->series[n - 1] + !same_text(t, group, before, row) : 0;
    before = row;
    if (n != row)
      memmove(t->numbers + n * t->width, t->numbers + row * t->width, (size_t)t->width * sizeof *t->numbers);
    if (named) out->names[n] = table_text(t, name, row);
    out->place[n++] = t->place ? t->place[row] : t->number ? t->number[row] : row;
  }
  if (!n)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s: no row of the file can be read", t->files[0].path);
  out->nrows = n;
  out->called = named ? t->own[name].field : NULL;
  out->values = t->numbers;
  out->text = named ? t->own[name].cells.text : NULL;
  t->numbers = NULL;
  if (named) t->own[name].cells.text = NULL;
  return REG_OK;
}

static int read_table(const reg_dataset *d, const reg_series *series, Table *t, reg_skipping *skipping,
                      reg_rows *out, reg_status *st) {
  bool *wrong = skipping ? calloc((size_t)t->nrows + 1, sizeof *wrong) : NULL;
  if (skipping && !wrong) return reg_no_memory(st, (size_t)t->nrows);
  int code = d->nsources ? table_apply(t, d->sources, reg_data_inputs(d), skipping, wrong, st) : REG_OK;
  if (!code && wrong && t->width && !mark_rows(d, t, skipping, wrong, st)) code = reg_no_memory(st, 0);
  if (!code) code = put_rows(d, series, t, wrong, out, st);
  free(wrong);
  return code;
}

static bool columns_of(const reg_dataset *d, Heap *heap, Columns *c) {
  c->base = c->n = (d->nsources ? d->nsources : (int)reg_data_inputs(d)) - d->nlags;
  c->names = reg_heap_take(heap, (size_t)(c->n + 2 * d->nlags) * sizeof *c->names);
  c->is_text = reg_heap_take(heap, (size_t)(c->n + 2 * d->nlags));
  if (!c->names || !c->is_text) return false;
  if (!d->nsources) reg_data_input_names(d, c->names);
  for (int x = 0; x < c->n; x++) {
    if (d->nsources) c->names[x] = d->sources[x].name;
    c->is_text[x] = d->nsources && d->sources[x].kind != REG_SOURCE_NUMBER;
  }
  c->n = lag_columns(d, c->names, c->base);
  return true;
}

static TableRequest request(const reg_dataset *d, const Columns *c, const char *path,
                            reg_skipping *skipping) {
  return (TableRequest){.path = path,
                        .form = d->form,
                        .columns = c->names,
                        .ncolumns = c->n,
                        .is_text = c->is_text,
                        .holes = d->nsources > 0 || d->nlags > 0 || skipping,
                        .drops = true,
                        .optional = true,
                        .skipping = skipping};
}

// `each` has the rows of which those of d are windows; NULL: d's own rows are read.
static int read_csv(const reg_dataset *d, const reg_dataset *each, const char *path, reg_dtype type,
                    reg_skipping *skipping, Heap *heap, reg_rows *out, reg_status *st) {
  Columns of = {0}, whole = {0};
  const reg_dataset *read = each ? each : d;
  const reg_series *series = each ? d->series : NULL;
  if (!columns_of(read, heap, &of) || (each && !columns_of(d, heap, &whole))) return reg_no_memory(st, 0);
  if (read->nlags) skipping = NULL; // rows behind one that is left out would have another past
  const TableRequest windows = request(d, &whole, path, skipping);
  TableRequest want = request(read, &of, path, skipping);
  if (each && reg_data_inputs(d) > reg_data_inputs(each))
    want.instead = &windows; // else columns do not tell them apart
  Table t = {.heap = heap, .dtype = type, .columns = of.names, .width = of.n};
  int code = open_name(&t, read, series, &of, st);
  if (!code) code = table_read_csv(&t, &want, st);
  if (!code && t.columns == whole.names) read = d, series = NULL;
  if (!code && read->nlags) code = lag_again(&t, read, of.names, of.base, st);
  if (!code) code = read_table(read, series, &t, skipping, out, st);
  table_free(&t);
  return code || !series ? code : reg_series_windows(series, reg_data_inputs(each), path, out, st);
}

int reg_data_read(const reg_dataset *d, const reg_dataset *each, const char *path, reg_dtype type,
                  reg_skipping *skipping, reg_rows *out, reg_status *st) {
  *out = (reg_rows){.ntokens = d->images ? 0 : d->ntexts};
  Heap heap = {0};
  reg_dataset one = each ? *each : (reg_dataset){0};
  one.ntexts = 0; // a window has none
  const NumberLocale numbers = reg_numbers_enter();
  const int code = d->images ? data_read_images(d, path, type, skipping, out, st)
                             : read_csv(d, each ? &one : NULL, path, type, skipping, &heap, out, st);
  reg_numbers_leave(numbers);
  reg_heap_free(&heap);
  if (code) reg_rows_free(out);
  return code;
}

void reg_rows_free(reg_rows *r) {
  reg_large_free(r->values);
  reg_large_free(r->place);
  reg_large_free(r->names);
  reg_large_free(r->text);
  for (int64_t i = 0; i < r->nmore; i++) free(r->more[i]);
  free(r->more);
  reg_large_free(r->series);
  for (int i = 0; i < r->ntokens && r->tokens; i++) free(r->tokens[i]);
  free(r->tokens);
  *r = (reg_rows){0};
}
