// A data plan to a data set: source, split, then the transformations of x in the plan's order. What
// `standardize` learns comes from the training part alone, wherever the split stands in the plan. x' = (x -
// shift) * factor is composed in double and rounded once.
#include "data/table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Affine {
  double *shift, *factor; // the data set's
  int64_t width;
} Affine;

static int scale(Affine *a, double factor, reg_status *st) {
  if (!isfinite(factor) || factor == 0)
    return reg_fail(st, REG_BAD_DATA, "data_bad",
                    "scale(%g): the factor must be a finite number other than 0", factor);
  for (int64_t j = 0; j < a->width; j++) a->factor[j] *= factor;
  return REG_OK;
}

// Mean 0 and (population) standard deviation 1 over the training rows; a constant column becomes 0, with
// factor 1. With x' = (x - s) f the standardized x' is that of x itself, but for the sign of f.
static void standardize(Affine *a, const float *x, const reg_part *part) {
  for (int64_t j = 0; j < a->width; j++) {
    double sum = 0, squares = 0;
    float first = x[part->rows[0] * a->width + j];
    bool constant = true;
    for (int64_t i = 0; i < part->nrows; i++) {
      float value = x[part->rows[i] * a->width + j];
      sum += (double)value;
      constant = constant && value == first;
    }
    double mean = constant ? (double)first : sum / (double)part->nrows;
    for (int64_t i = 0; i < part->nrows; i++) {
      double off = (double)x[part->rows[i] * a->width + j] - mean;
      squares += off * off;
    }
    a->shift[j] = mean;
    double deviation = sqrt(squares / (double)part->nrows);
    a->factor[j] = constant ? 1 : copysign(1 / deviation, a->factor[j]);
  }
}

static int transform(reg_dataset *d, const reg_data_plan *plan, reg_status *st) {
  const reg_field *x = &d->fields[0];
  const reg_part *part = reg_data_part(d, "train");
  if (!part) part = &d->parts[0];
  Affine a = {d->shift, d->factor, x->width};
  int code = REG_OK;
  for (int i = 1; i < plan->nops && !code; i++) {
    if (plan->ops[i].kind == REG_DATA_SCALE) code = scale(&a, plan->ops[i].factor, st);
    if (plan->ops[i].kind == REG_DATA_STANDARDIZE) standardize(&a, x->values, part);
  }
  if (!code) reg_data_transform(d, x->values, d->nrows, x->values);
  return code;
}

static int load(reg_dataset *d, Heap *heap, const reg_data_plan *plan, reg_status *st) {
  Table t = {.heap = heap};
  const reg_data_op *split = NULL;
  if (plan->nops < 1 || plan->ops[0].kind != REG_DATA_CSV)
    return reg_fail(st, REG_INTERNAL, "internal", "a data plan does not start with its source");
  int code = table_read_csv(&t, plan->ops[0].path, plan->ops[0].target, st);
  if (!code) code = table_to_fields(&t, d, st);
  table_free(&t);
  for (int i = 1; i < plan->nops && !code; i++) {
    if (plan->ops[i].kind != REG_DATA_SPLIT) continue;
    if (split) code = reg_fail(st, REG_BAD_DATA, "split_bad", "the data are split twice");
    split = &plan->ops[i];
  }
  if (!code) code = split ? data_split(d, heap, split, st) : data_unsplit(d, heap, st);
  return code ? code : transform(d, plan, st);
}

reg_dataset *reg_data_load(const reg_data_plan *plan, reg_status *st) {
  reg_status ignored;
  Heap *heap = calloc(1, sizeof *heap);
  reg_dataset *d = calloc(1, sizeof *d);
  if (!st) st = &ignored;
  *st = (reg_status){0};
  if (!heap || !d) {
    reg_no_memory(st, sizeof *d);
    free(heap);
    free(d);
    return NULL;
  }
  d->memory = heap;
  NumberLocale numbers = reg_numbers_enter();
  int code = load(d, heap, plan, st);
  reg_numbers_leave(numbers);
  if (!code) return d;
  reg_data_free(d);
  return NULL;
}

void reg_data_free(reg_dataset *d) {
  if (!d) return;
  reg_heap_free(d->memory);
  free(d->memory);
  free(d);
}
