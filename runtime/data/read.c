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

// What the training's file calls its rows by: a column of its own, which this file may have.
static int open_name(Table *t, const reg_dataset *d, reg_status *st) {
  const char *field = d->named >= 0 ? d->fields[d->named].name : NULL;
  if (!(t->own = calloc((size_t)d->ntexts + 1, sizeof *t->own))) return reg_no_memory(st, sizeof *t->own);
  texts_again(t, d);
  for (int i = 0; field && d->form && i < d->form->nown; i++)
    if (!strcmp(d->form->own[i].field, field))
      t->own[t->nown++] = (OwnColumn){.column = d->form->own[i].column, .field = field, .role = REG_OWN_ID};
  return REG_OK;
}

// The row's first number that is missing, or that curves and factors make none of.
static bool cannot_be(const reg_dataset *d, const Table *t, const char *const *columns, int64_t row,
                      double *room, reg_status *st) {
  for (int x = 0; x < t->width && !d->nsources; x++)
    if (isnan(t->numbers[row * t->width + x]))
      return table_hole(t, x, row, st, NULL, "column `%.60s` has no value here", columns[x]);
  memcpy(room, t->numbers + row * t->width, (size_t)t->width * sizeof *room);
  const int64_t wrong = reg_data_transform(d, room, 1, room + t->width);
  if (wrong < 0) return false;
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is no finite number, as it is or scaled", t->files[0].path,
                  (long long)t->line[row], columns[wrong]);
}

static bool mark_rows(const reg_dataset *d, const Table *t, reg_skipping *skipping, bool *wrong,
                      reg_status *st) {
  double *room = malloc(2 * (size_t)t->width * sizeof *room + 1);
  for (int64_t row = 0; room && row < t->nrows; row++) {
    if (wrong[row] || !cannot_be(d, t, d->columns, row, room, st)) continue;
    wrong[row] = true;
    table_skip(skipping, st);
  }
  free(room);
  return room != NULL;
}

static int put_rows(const reg_dataset *d, Table *t, const bool *wrong, reg_rows *out, reg_status *st) {
  const int name = d->ntexts;
  const bool named = t->nown > name;
  out->place = malloc((size_t)t->nrows * sizeof *out->place + 1);
  out->names = named ? malloc((size_t)t->nrows * sizeof *out->names + 1) : NULL;
  if (!out->place || (named && !out->names)) return reg_no_memory(st, (size_t)t->nrows * sizeof *out->place);
  if (rows_tokenize(d, t, wrong, out, st)) return st->code;
  int64_t n = 0;
  for (int64_t row = 0; row < t->nrows; row++) {
    if (wrong && wrong[row]) continue;
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

static int read_table(const reg_dataset *d, Table *t, reg_skipping *skipping, reg_rows *out, reg_status *st) {
  bool *wrong = skipping ? calloc((size_t)t->nrows + 1, sizeof *wrong) : NULL;
  if (skipping && !wrong) return reg_no_memory(st, (size_t)t->nrows);
  int code = d->nsources ? table_apply(t, d->sources, d->fields[0].width, skipping, wrong, st) : REG_OK;
  if (!code && wrong && t->width && !mark_rows(d, t, skipping, wrong, st)) code = reg_no_memory(st, 0);
  if (!code) code = put_rows(d, t, wrong, out, st);
  free(wrong);
  return code;
}

int reg_data_read(const reg_dataset *d, const char *path, reg_dtype type, reg_skipping *skipping,
                  reg_rows *out, reg_status *st) {
  if (d->images) {
    *out = (reg_rows){0};
    const int read = data_read_images(d, path, type, skipping, out, st);
    if (read) reg_rows_free(out);
    return read;
  }
  const int base = (d->nsources ? d->nsources : (int)data_x_width(d)) - d->nlags;
  int n = base;
  Heap heap = {0};
  const char **columns = reg_heap_take(&heap, (size_t)(n + d->nlags) * sizeof *columns);
  bool *is_text = reg_heap_take(&heap, (size_t)(n + d->nlags));
  *out = (reg_rows){.ntokens = d->ntexts};
  if (d->nlags) skipping = NULL; // rows behind one that is left out would have another past
  if (!columns || !is_text) {
    reg_heap_free(&heap);
    return reg_no_memory(st, (size_t)n * sizeof *columns);
  }
  for (int x = 0; x < n; x++) {
    columns[x] = d->nsources ? d->sources[x].name : d->columns[x];
    is_text[x] = d->nsources && d->sources[x].kind != REG_SOURCE_NUMBER;
  }
  n = lag_columns(d, columns, base);
  Table t = {.heap = &heap, .dtype = type, .columns = columns, .width = n};
  const TableRequest want = {.path = path,
                             .form = d->form,
                             .columns = columns,
                             .ncolumns = n,
                             .is_text = is_text,
                             .holes = d->nsources > 0 || d->nlags > 0 || skipping,
                             .drops = true,
                             .optional = true,
                             .skipping = skipping};
  const NumberLocale numbers = reg_numbers_enter();
  int code = open_name(&t, d, st);
  if (!code) code = table_read_csv(&t, &want, st);
  if (!code && d->nlags) code = lag_again(&t, d, columns, base, st);
  if (!code) code = read_table(d, &t, skipping, out, st);
  reg_numbers_leave(numbers);
  table_free(&t);
  reg_heap_free(&heap);
  if (code) reg_rows_free(out);
  return code;
}

void reg_rows_free(reg_rows *r) {
  reg_large_free(r->values);
  free(r->place);
  free(r->names);
  reg_large_free(r->text);
  for (int i = 0; i < r->ntokens && r->tokens; i++) free(r->tokens[i]);
  free(r->tokens);
  *r = (reg_rows){0};
}
