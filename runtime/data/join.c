// A table beside another, by a key. In: a data set, and the step of a plan that names the other one and both
// key fields. Out: its rows with the other one's x behind their own, and its other fields.
#include "data/table.h"
#include "large.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Join {
  reg_dataset *d; // its rows are looked up
  Heap *heap;
  const reg_dataset *other;
  const reg_data_op *op;
  int key, others_key; // fields
  int64_t *place;      // for each row of d that of the other one's; -1: none
  int64_t *kept;       // the rows of d that stay
  int64_t nkept;
} Join;

// -- keys

static const char *key_text(Heap *heap, const reg_field *f, int64_t row) {
  if (f->classes) return f->class_names[f->classes[row]];
  const size_t room = 40;
  char *to = reg_heap_take(heap, room);
  if (to) snprintf(to, room, "%.9g", reg_number_at(f->values, f->dtype, row));
  return to ? to : "";
}

static int twice(const Join *j, int64_t a, int64_t b, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "key `%.60s` is in rows %lld and %lld of `%s`",
           key_text(j->heap, &j->other->fields[j->others_key], b), (long long)a, (long long)b, j->op->text);
  reg_hint(st, "each row finds one of the other table: keys there are different");
  return st->code;
}

// By the names of classes, which are exact.
static int look_up_classes(Join *j, reg_status *st) {
  const reg_field *a = &j->d->fields[j->key], *b = &j->other->fields[j->others_key];
  NameIndex names = {0};
  int64_t *row = malloc((size_t)(b->nclasses + 1) * sizeof *row);
  int code = row ? REG_OK : reg_no_memory(st, (size_t)b->nclasses * sizeof *row);
  for (int64_t c = 0; c < b->nclasses && !code; c++) {
    row[c] = -1;
    if (!names_add(&names, b->class_names[c])) code = reg_no_memory(st, (size_t)b->nclasses * sizeof *row);
  }
  for (int64_t i = 0; i < j->other->nrows && !code; i++) {
    int64_t *at = &row[b->classes[i]];
    if (*at >= 0) code = twice(j, *at, i, st);
    *at = i;
  }
  for (int64_t i = 0; i < j->d->nrows && !code; i++) {
    const int c = names_find(&names, a->class_names[a->classes[i]]);
    j->place[i] = c < 0 ? -1 : row[c];
  }
  names_free(&names);
  free(row);
  return code;
}

typedef struct Keyed {
  double key;
  int64_t row;
} Keyed;

static int by_key(const void *a, const void *b) {
  const double x = ((const Keyed *)a)->key, y = ((const Keyed *)b)->key;
  return (x > y) - (x < y);
}

static int look_up_numbers(Join *j, reg_status *st) {
  const reg_field *a = &j->d->fields[j->key], *b = &j->other->fields[j->others_key];
  const int64_t n = j->other->nrows;
  Keyed *list = reg_large_resize(NULL, (size_t)(n + 1) * sizeof *list);
  if (!list) return reg_no_memory(st, (size_t)n * sizeof *list);
  for (int64_t i = 0; i < n; i++) list[i] = (Keyed){reg_number_at(b->values, b->dtype, i), i};
  qsort(list, (size_t)n, sizeof *list, by_key);
  int code = REG_OK;
  for (int64_t i = 1; i < n && !code; i++)
    if (list[i].key == list[i - 1].key) code = twice(j, list[i - 1].row, list[i].row, st);
  for (int64_t i = 0; i < j->d->nrows && !code; i++) {
    const Keyed want = {.key = reg_number_at(a->values, a->dtype, i)};
    const Keyed *found = bsearch(&want, list, (size_t)n, sizeof *list, by_key);
    j->place[i] = found ? found->row : -1;
  }
  reg_large_free(list);
  return code;
}

static int look_up(Join *j, reg_status *st) {
  const reg_field *a = &j->d->fields[j->key], *b = &j->other->fields[j->others_key];
  if (a->rank || b->rank)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "`%.60s` is no key: it has several elements a row",
                    a->rank ? a->name : b->name);
  if (a->classes && b->classes) return look_up_classes(j, st);
  if (a->values && b->values) return look_up_numbers(j, st);
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "the key `%.60s` is text in one table and numbers in the other", a->name);
}

// -- rows

static int keep(Join *j, reg_status *st) {
  for (int64_t i = 0; i < j->d->nrows; i++) {
    if (j->place[i] < 0 && j->op->missing == REG_JOIN_REFUSE) {
      reg_fail(st, REG_BAD_DATA, "data_bad", "key `%.60s` of row %lld is not in `%s`",
               key_text(j->heap, &j->d->fields[j->key], i), (long long)i, j->op->text);
      reg_hint(st, "`missing: drop` leaves such rows out, `missing: 0` has 0 stand for what is not there");
      return st->code;
    }
    if (j->place[i] >= 0 || j->op->missing == REG_JOIN_FILL) j->kept[j->nkept++] = i;
  }
  for (int k = 0; k < j->d->ntexts && j->nkept < j->d->nrows; k++)
    if (j->d->texts[k].recut)
      return reg_fail(st, REG_BAD_DATA, "data_bad",
                      "rows of texts that are cut anew in each step cannot be left out here");
  return REG_OK;
}

// The parts' rows among those that are kept.
static int keep_parts(Join *j, reg_status *st) {
  int64_t *now = reg_large_resize(NULL, (size_t)(j->d->nrows + 1) * sizeof *now);
  int code = now ? REG_OK : reg_no_memory(st, (size_t)j->d->nrows * sizeof *now);
  for (int64_t i = 0; i < j->d->nrows && now; i++) now[i] = -1;
  for (int64_t i = 0; i < j->nkept && now; i++) now[j->kept[i]] = i;
  for (int k = 0; k < j->d->nparts && !code; k++) {
    reg_part *p = &j->d->parts[k];
    int64_t *rows = reg_heap_take_large(j->heap, (size_t)p->nrows * sizeof *rows), n = 0;
    if (!rows) code = reg_no_memory(st, (size_t)p->nrows * sizeof *rows);
    for (int64_t i = 0; i < p->nrows && rows; i++)
      if (now[p->rows[i]] >= 0) rows[n++] = now[p->rows[i]];
    p->rows = rows;
    p->nrows = n;
    if (!code && !n)
      code = reg_fail(st, REG_BAD_DATA, "no_rows_left", "no row of the part `%s` is left", p->name);
  }
  reg_large_free(now);
  return code;
}

// -- fields

static int keep_field(const Join *j, reg_field *f, reg_status *st) {
  const size_t row = (size_t)f->width * reg_dtype_bytes(f->dtype),
               classes = (size_t)f->width * sizeof(int32_t);
  char *values = f->values ? reg_heap_take_large(j->heap, (size_t)j->nkept * row) : NULL,
       *numbers = f->classes ? reg_heap_take_large(j->heap, (size_t)j->nkept * classes) : NULL;
  if ((f->values && !values) || (f->classes && !numbers)) return reg_no_memory(st, (size_t)j->nkept * row);
  for (int64_t i = 0; i < j->nkept; i++) {
    const size_t from = (size_t)j->kept[i], to = (size_t)i;
    if (values) memcpy(values + to * row, (const char *)f->values + from * row, row);
    if (numbers) memcpy(numbers + to * classes, (const char *)f->classes + from * classes, classes);
  }
  f->values = values;
  f->classes = (int32_t *)numbers;
  return REG_OK;
}

static double number_of(const Join *j, const reg_field *f, int64_t row, int64_t k) {
  const int64_t from = j->place[j->kept[row]];
  return from < 0 ? j->op->low : reg_float_at(f->values, f->dtype, from * f->width + k);
}

// A field of the other one, at the rows that are kept.
static int take_field(const Join *j, const reg_field *from, reg_field *f, reg_status *st) {
  *f = *from;
  const int64_t count = j->nkept * from->width;
  if (from->classes && !from->values && j->op->missing == REG_JOIN_FILL)
    for (int64_t i = 0; i < j->nkept; i++)
      if (j->place[j->kept[i]] < 0)
        return reg_fail(st, REG_BAD_DATA, "data_bad",
                        "no text of `%.60s` stands for a row that is not in `%s`", from->name, j->op->text);
  if (from->values) f->values = reg_heap_take_large(j->heap, (size_t)count * reg_dtype_bytes(from->dtype));
  f->classes = from->classes ? reg_heap_take_large(j->heap, (size_t)count * sizeof *f->classes) : NULL;
  if ((from->values && !f->values) || (from->classes && !f->classes))
    return reg_no_memory(st, (size_t)count * sizeof(double));
  bool filled = false;
  for (int64_t i = 0; i < j->nkept; i++)
    for (int64_t k = 0; k < from->width; k++) {
      const int64_t at = j->place[j->kept[i]];
      filled |= at < 0;
      if (f->values) reg_float_put(f->values, f->dtype, i * f->width + k, number_of(j, from, i, k));
      if (f->classes) f->classes[i * f->width + k] = at < 0 ? 0 : from->classes[at * from->width + k];
    }
  if (!filled || !f->values) return REG_OK;
  f->classes = NULL; // of numbers: with those that were put in
  return f->width == 1 && !f->rank ? data_number_integers(j->heap, j->d, f, st) : REG_OK;
}

static int in_both(const char *what, const char *name, reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "the %s `%.60s` is in both tables", what, name);
  reg_hint(st, "`drop:` leaves a column out, `names:` and `as` give another name");
  return st->code;
}

// The other one's fields, but for x, its key and id, in front of id.
static int take_fields(Join *j, reg_status *st) {
  reg_dataset *d = j->d;
  reg_field *list = reg_heap_take(j->heap, (size_t)(d->nfields + j->other->nfields) * sizeof *list);
  if (!list) return reg_no_memory(st, sizeof *list);
  memcpy(list, d->fields, (size_t)d->nfields * sizeof *list);
  const reg_field id = list[d->nfields - 1];
  int n = d->nfields - 1, code = REG_OK;
  for (int i = 1; i < j->other->nfields - 1 && !code; i++) {
    const reg_field *f = &j->other->fields[i];
    if (i == j->others_key) continue;
    code = reg_data_field(d, f->name) >= 0 ? in_both("field", f->name, st) : take_field(j, f, &list[n++], st);
  }
  list[n++] = id;
  d->fields = list;
  d->nfields = n;
  return code;
}

// -- x

static int are_columns(const Join *j, reg_status *st) {
  const reg_field *a = &j->d->fields[0], *b = &j->other->fields[0];
  if (a->rank == 1 && b->rank == 1 && a->values && b->values) return REG_OK;
  return reg_fail(st, REG_BAD_DATA, "data_bad", "tables are joined whose x are columns of numbers");
}

// Names of the columns of both; one that both have is the other's name and its own.
static int name_columns(const Join *j, const char **columns, reg_status *st) {
  const reg_dataset *a = j->d, *b = j->other;
  const int64_t own = a->fields[0].width;
  NameIndex names = {0};
  int code = REG_OK;
  for (int64_t i = 0; i < own && !code; i++) {
    columns[i] = a->columns[i];
    if (names_find(&names, columns[i]) < 0 && !names_add(&names, (char *)columns[i]))
      code = reg_no_memory(st, 8);
  }
  for (int64_t i = 0; i < b->fields[0].width && !code; i++) {
    columns[own + i] = b->columns[i];
    if (names_find(&names, b->columns[i]) < 0) continue;
    if (a->nsources || b->nsources) code = in_both("column", b->columns[i], st); // it is one of a file
    const size_t room = strlen(j->op->text) + strlen(b->columns[i]) + 2;
    char *to = reg_heap_take(j->heap, room);
    if (to) snprintf(to, room, "%s %s", j->op->text, b->columns[i]);
    columns[own + i] = to;
    if (!to && !code) code = reg_no_memory(st, room);
  }
  names_free(&names);
  return code;
}

// Columns of files that x is made of: those of both, where one has any.
static const reg_source *join_sources(const Join *j, int *n) {
  const reg_dataset *of[] = {j->d, j->other};
  int most = 0;
  for (int k = 0; k < 2; k++) most += of[k]->nsources ? of[k]->nsources : (int)of[k]->fields[0].width;
  reg_source *list = reg_heap_take(j->heap, (size_t)most * sizeof *list);
  *n = 0;
  for (int k = 0; k < 2 && list; k++) {
    if (of[k]->nsources) memcpy(list + *n, of[k]->sources, (size_t)of[k]->nsources * sizeof *list);
    *n += of[k]->nsources;
    const int inputs = of[k]->nsources ? 0 : (int)reg_data_inputs(of[k]);
    const char **names = reg_heap_take(j->heap, (size_t)inputs * sizeof *names);
    if (!names) return NULL;
    if (inputs) reg_data_input_names(of[k], names);
    for (int c = 0; c < inputs; c++) list[(*n)++] = (reg_source){.name = names[c], .kind = REG_SOURCE_NUMBER};
  }
  return list;
}

static bool join_what_was_learned(const Join *j, const char **columns, int64_t own, int64_t width) {
  reg_dataset *d = j->d;
  const reg_dataset *b = j->other;
  double *shift = reg_heap_take(j->heap, (size_t)width * sizeof *shift),
         *factor = reg_heap_take(j->heap, (size_t)width * sizeof *factor);
  reg_curve *curves = reg_heap_take(j->heap, (size_t)(d->ncurves + b->ncurves) * sizeof *curves);
  if (!shift || !factor || !curves) return false;
  for (int64_t i = 0; i < width; i++) {
    const reg_dataset *of = i < own ? d : b;
    const int64_t at = i < own ? i : i - own;
    shift[i] = of->shift[at];
    factor[i] = of->factor[at];
  }
  for (int i = 0; i < d->ncurves + b->ncurves; i++) {
    curves[i] = i < d->ncurves ? d->curves[i] : b->curves[i - d->ncurves];
    if (i >= d->ncurves) curve_moved(&curves[i], (int)own);
  }
  const bool lags = d->nlags || b->nlags; // columns of rows before are read as they are called
  int n = 0;
  const reg_source *sources = !lags && (d->nsources || b->nsources) ? join_sources(j, &n) : d->sources;
  if (!sources && !lags && (d->nsources || b->nsources)) return false;
  d->sources = sources;
  d->nsources = n;
  d->nlags = 0;
  d->columns = columns;
  d->shift = shift;
  d->factor = factor;
  d->curves = curves;
  d->ncurves += b->ncurves;
  return true;
}

static int join_x(Join *j, reg_status *st) {
  reg_field *x = &j->d->fields[0];
  const reg_field *more = &j->other->fields[0];
  const int64_t own = x->width, width = own + more->width;
  if (are_columns(j, st)) return st->code;
  void *values = reg_heap_take_large(j->heap, (size_t)(j->nkept * width) * reg_dtype_bytes(x->dtype));
  const char **columns = reg_heap_take(j->heap, (size_t)width * sizeof *columns);
  if (!values || !columns) return reg_no_memory(st, (size_t)(j->nkept * width) * 8);
  if (name_columns(j, columns, st)) return st->code;
  if (!join_what_was_learned(j, columns, own, width)) return reg_no_memory(st, (size_t)width * 8);
  for (int64_t i = 0; i < j->nkept; i++)
    for (int64_t k = 0; k < width; k++)
      reg_float_put(values, x->dtype, i * width + k,
                    k < own ? reg_float_at(x->values, x->dtype, i * own + k)
                            : number_of(j, more, i, k - own));
  x->values = values;
  x->width = x->dim[0] = width;
  return REG_OK;
}

int data_join(reg_dataset *d, Heap *heap, const reg_data_plan *plan, const reg_data_op *op, reg_status *st) {
  Join j = {.d = d, .heap = heap, .other = plan->earlier[op->from], .op = op};
  j.key = reg_data_field(d, op->target);
  j.others_key = reg_data_field(j.other, op->field);
  if (j.key < 0 || j.others_key < 0)
    return reg_fail(st, REG_INTERNAL, "internal", "a table is joined by a key that it has not");
  j.place = reg_large_resize(NULL, (size_t)(d->nrows + 1) * sizeof *j.place);
  j.kept = reg_large_resize(NULL, (size_t)(d->nrows + 1) * sizeof *j.kept);
  int code = j.place && j.kept ? look_up(&j, st) : reg_no_memory(st, (size_t)d->nrows * sizeof *j.place);
  if (!code) code = keep(&j, st);
  if (!code) code = keep_parts(&j, st);
  for (int i = 0; i < d->nfields && !code; i++) code = keep_field(&j, &d->fields[i], st);
  if (!code) {
    d->nrows = j.nkept;
    code = join_x(&j, st);
  }
  if (!code) code = take_fields(&j, st);
  reg_large_free(j.place);
  reg_large_free(j.kept);
  return code;
}
