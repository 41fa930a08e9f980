// Data made of other data. In: a plan whose source is earlier data sets, or nothing but a number of rows.
// Out: a data set; columns that the plan leaves alone are shared with the data set that they come from.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// -- sources

static int share(reg_dataset *d, Heap *heap, const reg_dataset *from, reg_status *st) {
  *d = *from;
  d->memory = heap;
  d->fields = reg_heap_take(heap, (size_t)d->nfields * sizeof *d->fields);
  d->parts = NULL;
  d->nparts = 0;
  if (!d->fields) return reg_no_memory(st, (size_t)d->nfields * sizeof *d->fields);
  memcpy(d->fields, from->fields, (size_t)d->nfields * sizeof *d->fields);
  for (int i = 0; i < from->nparts; i++) {
    const reg_part *p = &from->parts[i];
    if (data_add_part(d, heap, p->name, 0, p->nrows, st)) return st->code;
    d->parts[i].rows = p->rows;
  }
  return REG_OK;
}

static int plain_table(reg_dataset *d, Heap *heap, int64_t rows, reg_status *st) {
  int32_t *ids = reg_heap_take_large(heap, (size_t)rows * sizeof *ids);
  d->fields = reg_heap_take(heap, sizeof *d->fields);
  if (!ids || !d->fields) return reg_no_memory(st, (size_t)rows * sizeof *ids);
  for (int64_t i = 0; i < rows; i++) ids[i] = (int32_t)i;
  d->fields[d->nfields++] = (reg_field){.name = "id", .dtype = REG_I32, .width = 1, .values = ids};
  d->nrows = rows;
  d->target = d->named = -1;
  return data_add_part(d, heap, "all", 0, rows, st);
}

// -- columns

static int64_t width_of(const reg_data_column *c) {
  int64_t width = 1;
  for (int k = 0; k < c->rank; k++) width *= c->dim[k];
  return width;
}

// A field that is replaced is no longer what a text was cut into.
static bool without_text(reg_dataset *d, Heap *heap, int field) {
  reg_tokenizer *left = reg_heap_take(heap, (size_t)d->ntexts * sizeof *left);
  int n = 0;
  for (int i = 0; i < d->ntexts && left; i++) {
    const reg_tokenizer *k = &d->texts[i];
    if (k->field != field && k->next != field && k->length != field) left[n++] = *k;
  }
  d->texts = left;
  d->ntexts = n;
  return left != NULL;
}

// A field of the column's kind that has room for all rows; rows of other parts keep what they have. `id`
// stays the last one.
static int open_column(reg_dataset *d, Heap *heap, reg_dtype floats, const reg_data_column *c,
                       reg_status *st) {
  int at = reg_data_field(d, c->name);
  const int from = c->classes_of ? reg_data_field(d, c->classes_of) : -1;
  const int64_t count = d->nrows * width_of(c);
  const reg_field old = at < 0 ? (reg_field){0} : d->fields[at],
                  kinds = from < 0 ? (reg_field){0} : d->fields[from];
  if (at < 0) {
    reg_field *more = reg_heap_take(heap, (size_t)(d->nfields + 1) * sizeof *more);
    if (!more) return reg_no_memory(st, sizeof *more);
    memcpy(more, d->fields, (size_t)(d->nfields - 1) * sizeof *more);
    more[d->nfields] = d->fields[d->nfields - 1];
    at = d->nfields++ - 1;
    d->fields = more;
  }
  reg_field *f = &d->fields[at];
  if (d->ntexts && !without_text(d, heap, at)) return reg_no_memory(st, (size_t)d->ntexts * sizeof *d->texts);
  *f = (reg_field){
      .name = reg_heap_copy(heap, c->name, strlen(c->name)), .rank = c->rank, .width = width_of(c)};
  memcpy(f->dim, c->dim, sizeof f->dim);
  f->dtype = from < 0 || kinds.values ? floats : REG_I32;
  bool good = f->name;
  if (f->dtype == floats)
    good = good && (f->values = reg_heap_take_large(heap, (size_t)count * reg_dtype_bytes(floats)));
  if (from >= 0) {
    f->classes = good ? reg_heap_take_large(heap, (size_t)count * sizeof *f->classes) : NULL;
    f->nclasses = kinds.nclasses;
    f->class_names = kinds.class_names;
    f->why = kinds.why;
    good = good && f->classes;
  }
  if (!good) return reg_no_memory(st, (size_t)count * sizeof(float));
  if (old.width != f->width) return REG_OK;
  if (old.values && f->values && old.dtype == floats)
    memcpy(f->values, old.values, (size_t)count * reg_dtype_bytes(floats));
  if (old.classes && f->classes) memcpy(f->classes, old.classes, (size_t)count * sizeof *f->classes);
  return REG_OK;
}

static int store_numbers(reg_field *f, const reg_part *part, const void *from, reg_status *st) {
  for (int64_t i = 0; i < part->nrows; i++)
    for (int64_t k = 0; k < f->width; k++) {
      const double x = reg_float_at(from, f->dtype, i * f->width + k);
      if (!isfinite(x))
        return reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s`, row %lld of the part `%s`: it is %s",
                        f->name, (long long)i, part->name, isnan(x) ? "NaN" : "infinite");
      reg_float_put(f->values, f->dtype, part->rows[i] * f->width + k, x);
    }
  return REG_OK;
}

// The number of a class is what its name says.
static void store_classes(reg_field *f, const reg_part *part, const int32_t *from) {
  for (int64_t i = 0; i < part->nrows; i++)
    for (int64_t k = 0; k < f->width; k++) {
      const int64_t at = part->rows[i] * f->width + k;
      f->classes[at] = from[i * f->width + k];
      if (f->values) reg_float_put(f->values, f->dtype, at, strtod(f->class_names[f->classes[at]], NULL));
    }
}

static int store_part(reg_dataset *d, const reg_data_plan *plan, const reg_data_op *op,
                      const reg_dataset *from, reg_status *st) {
  const reg_part *part = reg_data_part(from, op->part_names[0]);
  Heap made = {0};
  void **columns = reg_heap_take(&made, (size_t)op->ncolumns * sizeof *columns);
  bool good = part && columns;
  for (int c = 0; c < op->ncolumns && good; c++)
    good = (columns[c] = reg_heap_take_large(&made, (size_t)(part->nrows * width_of(&op->columns[c])) *
                                                        sizeof(double))) != NULL;
  int code =
      good ? data_call(plan, op, from, part, &(ColumnResults){.columns = columns}, st) : reg_no_memory(st, 0);
  for (int c = 0; c < op->ncolumns && !code; c++) {
    reg_field *f = &d->fields[reg_data_field(d, op->columns[c].name)];
    if (f->classes)
      store_classes(f, part, columns[c]);
    else
      code = store_numbers(f, part, columns[c], st);
  }
  reg_heap_free(&made);
  return code;
}

int data_number_integers(Heap *heap, const reg_dataset *d, reg_field *f, reg_status *st) {
  int64_t *whole = reg_large_resize(NULL, (size_t)d->nrows * sizeof *whole), i = 0, stranger;
  double x = 0;
  if (!whole) return reg_no_memory(st, (size_t)d->nrows * sizeof *whole);
  for (; i < d->nrows; whole[i++] = (int64_t)x) {
    x = reg_float_at(f->values, f->dtype, i);
    if (x != rint(x) || fabs(x) >= 0x1p62) break;
  }
  int code = REG_OK;
  if (i < d->nrows) {
    char why[64];
    const int n = snprintf(why, sizeof why, "`%.9g` is no integer", x);
    f->nclasses = 0;
    f->why = reg_heap_copy(heap, why, (size_t)n);
  } else if (data_integer_classes(heap, f, whole, d->nrows, d->nrows, &stranger)) {
    code = reg_no_memory(st, (size_t)d->nrows * sizeof *whole);
  }
  reg_large_free(whole);
  return code;
}

// x is another one in all parts: its columns have no names in a file, and nothing was learned from them.
static bool is_new_x(const reg_dataset *d, const reg_data_plan *plan) {
  int parts = 0;
  for (int i = 1; i < plan->nops; i++)
    for (int c = 0; plan->ops[i].kind == REG_DATA_COLUMNS && c < plan->ops[i].ncolumns; c++)
      parts += !strcmp(plan->ops[i].columns[c].name, d->fields[0].name);
  return parts == d->nparts;
}

// Where it is a column of the files as it stands there, its name; NULL.
static const char *read_as(const reg_dataset *d, const reg_data_plan *plan) {
  const char *name = NULL;
  for (int i = 1; i < plan->nops; i++)
    for (int c = 0; plan->ops[i].kind == REG_DATA_COLUMNS && c < plan->ops[i].ncolumns; c++) {
      const reg_data_column *x = &plan->ops[i].columns[c];
      if (strcmp(x->name, d->fields[0].name) != 0) continue;
      if (!x->read || (name && strcmp(name, x->read) != 0)) return NULL;
      name = x->read;
    }
  return d->fields[0].width == 1 ? name : NULL;
}

static int name_columns(reg_dataset *d, Heap *heap, const reg_data_plan *plan) {
  const char *name = read_as(d, plan), **columns = reg_heap_take(heap, sizeof *columns);
  if (!columns || data_number_columns(heap, d, d->fields[0].width)) return -1;
  if (!name) return 0;
  if (!(columns[0] = reg_heap_copy(heap, name, strlen(name)))) return -1;
  d->columns = columns;
  return 0;
}

static int make_columns(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  const reg_dataset table = *d,
                    *from = plan->ops[0].kind == REG_DATA_FROM ? plan->earlier[plan->ops[0].from] : &table;
  const reg_data_op *first = NULL;
  int code = REG_OK;
  for (int i = 1; i < plan->nops && !code; i++) {
    const reg_data_op *op = &plan->ops[i];
    if (op->kind != REG_DATA_COLUMNS) continue;
    for (int c = 0; c < op->ncolumns && !first && !code; c++)
      code = open_column(d, heap, plan->dtype, &op->columns[c], st);
    if (!first) first = op;
    if (!code) code = store_part(d, plan, op, from, st);
  }
  for (int c = 0; first && c < first->ncolumns && !code; c++) {
    reg_field *f = &d->fields[reg_data_field(d, first->columns[c].name)];
    if (!f->classes && f->width == 1 && f->rank == 0) code = data_number_integers(heap, d, f, st);
  }
  if (first && !code && is_new_x(d, plan) && name_columns(d, heap, plan))
    code = reg_no_memory(st, (size_t)d->fields[0].width);
  return code;
}

// -- what is done to all rows

static int split_again(reg_dataset *d, Heap *heap, const reg_data_op *op, reg_status *st) {
  if (d->nparts != 1 || strcmp(d->parts[0].name, "all") != 0)
    return reg_fail(st, REG_BAD_DATA, "split_bad", "the data are split twice");
  d->nparts = 0;
  return data_split(d, heap, d->nrows, d->fields[0].dtype == REG_I32, op, st);
}

// x' = (x - s) f of x = (r - s0) f0 is (r - (s0 + s / f0)) f0 f of the numbers r of the file.
static int transform(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  const reg_field *x = &d->fields[0];
  const double *shift = d->shift, *factor = d->factor;
  const int64_t count = d->nrows * x->width;
  Table t = {.heap = heap, .width = (int)x->width, .columns = d->columns, .nrows = d->nrows};
  t.numbers = reg_large_resize(NULL, (size_t)count * sizeof *t.numbers);
  d->shift = reg_heap_take(heap, (size_t)x->width * sizeof *d->shift);
  d->factor = reg_heap_take(heap, (size_t)x->width * sizeof *d->factor);
  int code =
      t.numbers && d->shift && d->factor ? REG_OK : reg_no_memory(st, (size_t)count * sizeof *t.numbers);
  for (int64_t i = 0; i < count && !code; i++) t.numbers[i] = reg_float_at(x->values, x->dtype, i);
  for (int64_t j = 0; j < x->width && !code; j++) d->factor[j] = 1;
  if (!code) code = data_transform(d, &t, plan, st);
  for (int64_t j = 0; j < x->width && !code; j++) {
    d->shift[j] = shift[j] + d->shift[j] / factor[j];
    d->factor[j] *= factor[j];
  }
  reg_large_free(t.numbers);
  return code;
}

static bool has(const reg_data_plan *plan, reg_data_kind kind) {
  for (int i = 1; i < plan->nops; i++)
    if (plan->ops[i].kind == kind) return true;
  return false;
}

// Of all that the data set holds.
static int sum_up(reg_dataset *d, reg_status *st) {
  uint64_t sum = 0;
  for (int i = 0; i < d->nfields; i++) {
    const reg_field *f = &d->fields[i];
    const size_t count = (size_t)(d->nrows * f->width);
    const uint64_t of[] = {sum, f->values ? reg_fnv1a(f->values, count * reg_dtype_bytes(f->dtype)) : 0,
                           f->classes ? reg_fnv1a(f->classes, count * sizeof *f->classes) : 0,
                           reg_fnv1a(f->name, strlen(f->name))};
    sum = reg_fnv1a(of, sizeof of);
  }
  for (int i = 0; i < d->nparts; i++) {
    const uint64_t of[] = {sum, reg_fnv1a(d->parts[i].rows, (size_t)d->parts[i].nrows * sizeof(int64_t))};
    sum = reg_fnv1a(of, sizeof of);
  }
  reg_checksum(&sum, sizeof sum, d->checksum);
  return st->code;
}

// In a table x, else the first line, is what models read; the last of the others is the target.
static void order_table(reg_dataset *d) {
  const int x = reg_data_field(d, "x");
  for (int i = x; i > 0; i--) {
    const reg_field f = d->fields[i];
    d->fields[i] = d->fields[i - 1];
    d->fields[i - 1] = f;
  }
  d->target = d->nfields > 2 ? d->nfields - 2 : -1;
}

int data_compute(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  const reg_data_op *source = &plan->ops[0];
  if (source->kind == REG_DATA_ROWS) return data_gather(d, heap, plan, st) ? st->code : sum_up(d, st);
  int code = source->kind == REG_DATA_TABLE ? plain_table(d, heap, source->rows, st)
                                            : share(d, heap, plan->earlier[source->from], st);
  for (int i = 1; i < plan->nops && !code; i++)
    if (plan->ops[i].kind == REG_DATA_JOIN) code = data_join(d, heap, plan, &plan->ops[i], st);
  if (!code && has(plan, REG_DATA_COLUMNS)) code = make_columns(d, heap, plan, st);
  if (!code && source->kind == REG_DATA_TABLE) order_table(d);
  for (int i = 1; i < plan->nops && !code; i++)
    if (plan->ops[i].kind == REG_DATA_SPLIT || plan->ops[i].kind == REG_DATA_FOLD)
      code = split_again(d, heap, &plan->ops[i], st);
  if (!code && (has(plan, REG_DATA_SCALE) || has(plan, REG_DATA_STANDARDIZE) || has(plan, REG_DATA_MIN_MAX)))
    code = transform(d, heap, plan, st);
  return code ? code : sum_up(d, st);
}
