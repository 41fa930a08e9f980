// The transformations of x in the plan's order. What `standardize` learns comes from the training part alone,
// wherever the split stands in the plan. x' = (x - shift) * factor is composed in double from the numbers as
// they stand in the file, and rounded once.
#include "data/table.h"
#include <math.h>
#include <string.h>

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

typedef struct Column { // of the training part
  const double *first;
  const int64_t *rows;
  int64_t nrows, stride;
} Column;

static double at(const Column *c, int64_t i) { return c->first[c->rows[i] * c->stride]; }

// Sums of what differs from the first value: a large offset costs no digits.
static double mean_of(const Column *c) {
  double sum = 0;
  for (int64_t i = 0; i < c->nrows; i++) sum += at(c, i) - at(c, 0);
  return at(c, 0) + sum / (double)c->nrows;
}

// In units of the largest, so that no square is 0 or infinite.
static double deviation_of(const Column *c, double mean) {
  double largest = 0, squares = 0;
  for (int64_t i = 0; i < c->nrows; i++) largest = fmax(largest, fabs(at(c, i) - mean));
  for (int64_t i = 0; i < c->nrows && largest > 0; i++) {
    const double off = (at(c, i) - mean) / largest;
    squares += off * off;
  }
  return largest * sqrt(squares / (double)c->nrows);
}

static bool constant(const Column *c) {
  for (int64_t i = 1; i < c->nrows; i++)
    if (at(c, i) != at(c, 0)) return false;
  return true;
}

// Mean 0 and (population) standard deviation 1 over the training rows; a constant column becomes 0, with
// factor 1. With x' = (x - s) f the standardized x' is that of x itself, but for the sign of f.
static int standardize(reg_dataset *d, const Table *t, const reg_part *part, reg_status *st) {
  if (part->nrows < 2) {
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "`standardize` learns from the training part, which has one row: nothing varies in it");
    return st->code;
  }
  for (int j = 0; j < t->width; j++) {
    const Column c = {t->numbers + j, part->rows, part->nrows, t->width};
    const bool flat = constant(&c);
    d->shift[j] = flat ? at(&c, 0) : mean_of(&c);
    d->factor[j] = flat ? 1 : copysign(1 / deviation_of(&c, d->shift[j]), d->factor[j]);
    if (!isfinite(d->factor[j]))
      return reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s` varies too little to be standardized",
                      t->columns[j]);
  }
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
  float *values = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * sizeof *values, (size_t)t->width, &count))
    values = reg_heap_take(t->heap, count);
  if (!values) return reg_no_memory(st, count);
  const int64_t wrong = reg_data_transform(d, t->numbers, t->nrows, values);
  x->values = values;
  if (wrong < 0) return REG_OK;
  const int64_t row = wrong / t->width;
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is too large for a 32-bit float when it is scaled",
                  table_file(t, row)->path, (long long)t->line[row],
                  t->columns[wrong % t->width]);
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
