// The transformations of x in the plan's order. What `standardize` learns comes from the training part alone,
// wherever the split stands in the plan. x' = (x - shift) * factor is composed in double from the numbers as
// they stand in the file, and rounded once.
#include "data/table.h"
#include <math.h>
#include <stdlib.h>

static int scale(reg_dataset *d, double factor, reg_status *st) {
  bool good = isfinite(factor) && factor != 0;
  for (int64_t j = 0; j < d->fields[0].width && good; j++) {
    d->factor[j] *= factor;
    good = isfinite(d->factor[j]) && d->factor[j] != 0;
  }
  if (good) return REG_OK;
  return reg_fail(st, REG_BAD_DATA, "data_bad", "scale(%g): the factor must be a finite number other than 0",
                  factor);
}

// Of each column of the training part.
typedef struct Moments {
  double *sum, *reach; // of what differs from the first row: a large offset costs no digits
  double *squares;     // in units of reach, so that none is 0 or infinite
} Moments;

// Mean and deviation to shift and factor, row by row as the numbers lie in memory.
static void measure(reg_dataset *d, const Table *t, const reg_part *part, const Moments *m) {
  const int64_t width = t->width;
  const double *first = t->numbers + part->rows[0] * width;
  for (int64_t i = 0; i < part->nrows; i++) {
    const double *row = t->numbers + part->rows[i] * width;
    for (int64_t j = 0; j < width; j++) {
      const double off = row[j] - first[j];
      m->sum[j] += off;
      m->reach[j] = fmax(m->reach[j], fabs(off));
    }
  }
  for (int64_t j = 0; j < width; j++) d->shift[j] = first[j] + m->sum[j] / (double)part->nrows;
  for (int64_t i = 0; i < part->nrows; i++) {
    const double *row = t->numbers + part->rows[i] * width;
    for (int64_t j = 0; j < width; j++) {
      const double off = m->reach[j] > 0 ? (row[j] - d->shift[j]) / m->reach[j] : 0;
      m->squares[j] += off * off;
    }
  }
  for (int64_t j = 0; j < width; j++) {
    const double deviation = m->reach[j] * sqrt(m->squares[j] / (double)part->nrows);
    d->factor[j] = m->reach[j] > 0 ? copysign(1 / deviation, d->factor[j]) : 1;
  }
}

// Mean 0 and (population) standard deviation 1 over the training rows; a constant column becomes 0, with
// factor 1. With x' = (x - s) f the standardized x' is that of x itself, but for the sign of f.
static int standardize(reg_dataset *d, const Table *t, const reg_part *part, reg_status *st) {
  if (part->nrows < 2) {
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "`standardize` learns from the training part, which has one row: nothing varies in it");
    return st->code;
  }
  const size_t width = (size_t)t->width;
  double *room = calloc(3 * width, sizeof *room);
  if (!room) return reg_no_memory(st, 3 * width * sizeof *room);
  measure(d, t, part, &(Moments){room, room + width, room + 2 * width});
  free(room);
  for (size_t j = 0; j < width; j++)
    if (!isfinite(d->factor[j]))
      return reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s` varies too little to be standardized",
                      t->columns[j]);
  return REG_OK;
}

static int no_training_part(reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad", "`standardize` learns from the training part, and there is none");
  reg_hint(st, "data in a file of their own belong to the training data: csv(\"train.csv\", ...) with test = "
               "csv(\"test.csv\")");
  return st->code;
}

static int fill_x(reg_dataset *d, const Table *t, reg_status *st) {
  reg_field *x = &d->fields[0];
  size_t count;
  void *values = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * reg_dtype_bytes(x->dtype), (size_t)t->width, &count))
    values = reg_heap_take(t->heap, count);
  if (!values) return reg_no_memory(st, count);
  const int64_t wrong = reg_data_transform(d, t->numbers, t->nrows, values);
  x->values = values;
  if (wrong < 0) return REG_OK;
  const int64_t row = wrong / t->width;
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is too large for a %d-bit float when it is scaled",
                  table_file(t, row)->path, (long long)t->line[row], t->columns[wrong % t->width],
                  x->dtype == REG_F64 ? 64 : 32);
}

int data_transform(reg_dataset *d, const Table *t, const reg_data_plan *plan, reg_status *st) {
  const reg_part *part = reg_data_part(d, "train");
  if (!part) part = reg_data_part(d, "all");
  int code = REG_OK;
  for (int i = 1; i < plan->nops && !code; i++) {
    if (plan->ops[i].kind == REG_DATA_SCALE) code = scale(d, plan->ops[i].factor, st);
    if (plan->ops[i].kind == REG_DATA_STANDARDIZE)
      code = part ? standardize(d, t, part, st) : no_training_part(st);
  }
  return code ? code : fill_x(d, t, st);
}
