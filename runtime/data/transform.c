// The transformations of x in the plan's order. What `standardize` learns comes from the training part alone,
// wherever the split stands in the plan. x' = (x - shift) * factor is composed in double from the numbers as
// they stand in the file, and rounded once.
#include "data/table.h"
#include "large.h"
#include <math.h>
#include <stdlib.h>
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

// Of each column of the training part.
typedef struct Moments {
  double *sum, *reach; // of what differs from the first row: a large offset costs no digits
  double *squares;     // in units of reach, so that none is 0 or infinite
} Moments;

bool table_means(const Table *t, int n, const char *const *names, int64_t x) {
  for (int i = 0; i < n; i++)
    if (!strcmp(names[i], t->columns[x]) || (t->of && t->of[x] && !strcmp(names[i], t->of[x]))) return true;
  return n == 0;
}

int table_check_named(const Table *t, int n, const char *const *names, reg_status *st) {
  for (int i = 0; i < n; i++) {
    int x = 0;
    while (x < t->width && !table_means(t, 1, &names[i], x)) x++;
    if (x == t->width) return table_no_column(names[i], st);
  }
  return REG_OK;
}

static bool is_meant(const Table *t, const reg_data_op *op, int64_t x) {
  return table_means(t, op->nnamed, op->named, x);
}

static int check_meant(const Table *t, const reg_data_op *op, reg_status *st) {
  return table_check_named(t, op->nnamed, op->named, st);
}

// Mean and deviation to shift and factor, row by row as the numbers lie in memory. `was`: the shift before,
// which the columns keep that are not meant.
static void measure(reg_dataset *d, const Table *t, const reg_part *part, const reg_data_op *op,
                    const double *was, const Moments *m) {
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
    if (!is_meant(t, op, j)) {
      d->shift[j] = was[j];
      continue;
    }
    const double deviation = m->reach[j] * sqrt(m->squares[j] / (double)part->nrows);
    d->factor[j] = m->reach[j] > 0 ? copysign(1 / deviation, d->factor[j]) : 1;
  }
}

// Mean 0 and (population) standard deviation 1 over the training rows; a constant column becomes 0, with
// factor 1. With x' = (x - s) f the standardized x' is that of x itself, but for the sign of f.
static int standardize(reg_dataset *d, const Table *t, const reg_part *part, const reg_data_op *op,
                       reg_status *st) {
  if (check_meant(t, op, st)) return st->code;
  if (part->nrows < 2) {
    reg_fail(st, REG_BAD_DATA, "data_bad",
             "`standardize` learns from the training part, which has one row: nothing varies in it");
    return st->code;
  }
  const size_t width = (size_t)t->width;
  double *room = calloc(4 * width, sizeof *room);
  if (!room) return reg_no_memory(st, 4 * width * sizeof *room);
  memcpy(room + 3 * width, d->shift, width * sizeof *room);
  measure(d, t, part, op, room + 3 * width, &(Moments){room, room + width, room + 2 * width});
  free(room);
  for (size_t j = 0; j < width; j++)
    if (!isfinite(d->factor[j]))
      return reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s` varies too little to be standardized",
                      t->columns[j]);
  return REG_OK;
}

// The smallest of the training rows becomes 0, the largest 1; a constant column 0. With x' = (x - s) f, f
// positive or not, the new x' is that of x itself, from the other end where f is negative.
static int min_max(reg_dataset *d, const Table *t, const reg_part *part, const reg_data_op *op,
                   reg_status *st) {
  if (check_meant(t, op, st)) return st->code;
  const int64_t width = t->width;
  double *low = malloc(2 * (size_t)width * sizeof *low + 1), *high = low + width;
  if (!low) return reg_no_memory(st, 2 * (size_t)width * sizeof *low);
  for (int64_t j = 0; j < width; j++) {
    low[j] = INFINITY;
    high[j] = -INFINITY;
  }
  for (int64_t i = 0; i < part->nrows; i++) {
    const double *row = t->numbers + part->rows[i] * width;
    for (int64_t j = 0; j < width; j++) {
      low[j] = fmin(low[j], row[j]);
      high[j] = fmax(high[j], row[j]);
    }
  }
  for (int64_t j = 0; j < width && !st->code; j++) {
    if (!is_meant(t, op, j)) continue;
    const bool turned = d->factor[j] < 0;
    d->shift[j] = turned ? high[j] : low[j];
    d->factor[j] = high[j] > low[j] ? (turned ? -1 : 1) / (high[j] - low[j]) : 1;
    if (!isfinite(d->factor[j]))
      reg_fail(st, REG_BAD_DATA, "data_bad", "column `%.60s` varies too little or too much for `min_max`",
               t->columns[j]);
  }
  free(low);
  return st->code;
}

// -- curves: of several columns in one pass, for the table may be larger than memory

enum { GROUP = 16 };

// The quantiles between the bins of sorted values, on straight lines between two of them; equal ones once.
static int put_edges(const Table *t, const double *values, int64_t n, int64_t bins, reg_curve *c,
                     reg_status *st) {
  double *edges = reg_heap_take(t->heap, (size_t)bins * sizeof *edges);
  if (!edges) return reg_no_memory(st, (size_t)bins * sizeof *edges);
  for (int64_t k = 1; k < bins; k++) {
    const double place = (double)k / (double)bins * (double)(n - 1);
    const int64_t at = (int64_t)place, next = at + 1 < n ? at + 1 : at;
    const double edge = values[at] + (place - (double)at) * (values[next] - values[at]);
    if (!c->nedges || edge > edges[c->nedges - 1]) edges[c->nedges++] = edge;
  }
  c->edges = edges;
  return REG_OK;
}

// Of the training part.
static int learn_edges(const Table *t, const reg_part *part, int64_t bins, reg_curve *curves, int n,
                       reg_status *st) {
  double *values[GROUP] = {NULL};
  int code = REG_OK;
  for (int k = 0; k < n && !code; k++)
    if (!(values[k] = reg_large_resize(NULL, (size_t)part->nrows * sizeof **values)))
      code = reg_no_memory(st, (size_t)part->nrows * sizeof **values);
  for (int64_t i = 0; i < part->nrows && !code; i++) {
    const double *row = t->numbers + part->rows[i] * t->width;
    for (int k = 0; k < n; k++) values[k][i] = row[curves[k].column];
  }
  for (int k = 0; k < n; k++) {
    if (!code) data_sort(values[k], part->nrows);
    if (!code) code = put_edges(t, values[k], part->nrows, bins, &curves[k], st);
    reg_large_free(values[k]);
  }
  return code;
}

static int cannot_draw(const Table *t, const reg_curve *c, int64_t row, reg_status *st) {
  const TableFile *f = table_file(t, row);
  const long long line = (long long)t->line[row];
  if (c->kind == REG_CURVE_PRODUCT)
    return reg_fail(st, REG_BAD_DATA, "data_bad", "%s:%lld: column `%.60s` is too large for a number",
                    f->path, line, t->columns[c->column]);
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is %.9g: log1p takes numbers above -1", f->path, line,
                  t->columns[c->column], t->numbers[row * t->width + c->column]);
}

// A number that the curve has no value for is told where it stands.
static int draw(const Table *t, const reg_curve *curves, int n, reg_status *st) {
  for (int64_t i = 0; i < t->nrows; i++)
    for (int k = 0; k < n; k++) {
      double *row = &t->numbers[i * t->width];
      const double y = data_curve_at(&curves[k], row);
      if (!isfinite(y)) return cannot_draw(t, &curves[k], i, st);
      row[curves[k].column] = y;
    }
  return REG_OK;
}

static int interact(reg_dataset *d, Table *t, const reg_data_op *op, reg_status *st) {
  const int first = d->ncurves, code = table_interact(t, d, op, st);
  return code ? code : draw(t, d->curves + first, d->ncurves - first, st);
}

// Which columns of x are numbers of the files, or products of these, and not made of texts, dates or of what
// is missing.
static void find_plain(const reg_dataset *d, const Table *t, bool *plain) {
  for (int x = 0; x < t->width; x++) plain[x] = true;
  for (int k = 0, x = 0; k < d->nsources; k++) {
    const reg_source *s = &d->sources[k];
    const int n = source_width(s), numbers = s->kind == REG_SOURCE_NUMBER;
    for (int i = 0; i < n; i++) plain[x++] = i < numbers;
  }
  for (int k = 0; k < d->ncurves; k++) {
    const reg_curve *c = &d->curves[k];
    if (c->kind == REG_CURVE_PRODUCT) plain[c->column] = plain[c->first] && plain[c->second];
  }
}

// A curve for each column that is meant; without names for those of numbers.
static int choose_curves(reg_dataset *d, const Table *t, const reg_data_op *op, reg_curve *all,
                         reg_status *st) {
  const int before = d->ncurves;
  bool *plain = malloc((size_t)t->width * sizeof *plain + 1);
  if (!plain) return reg_no_memory(st, (size_t)t->width);
  find_plain(d, t, plain);
  for (int x = 0; x < t->width; x++)
    if (is_meant(t, op, x) && (op->nnamed || plain[x]))
      all[d->ncurves++] = (reg_curve){.kind = op->curve, .column = x, .low = op->low, .high = op->high};
  free(plain);
  if (d->ncurves > before) return REG_OK;
  reg_fail(st, REG_BAD_DATA, "data_bad",
           "`log1p`, `clamp` and `quantile_bins` without names are for columns of numbers: x has none");
  return reg_hint(st, "they may be named: `clamp(size, 0, 5)`"), st->code;
}

static int curves(reg_dataset *d, const Table *t, const reg_part *part, const reg_data_op *op,
                  reg_status *st) {
  reg_curve *all = reg_heap_take(t->heap, (size_t)(d->ncurves + t->width) * sizeof *all);
  int code = all ? check_meant(t, op, st) : reg_no_memory(st, (size_t)t->width * sizeof *all);
  if (code) return code;
  if (d->ncurves) memcpy(all, d->curves, (size_t)d->ncurves * sizeof *all);
  d->curves = all;
  const int first = d->ncurves;
  code = choose_curves(d, t, op, all, st);
  for (int k = first; k < d->ncurves && !code; k += GROUP) {
    const int n = d->ncurves - k < GROUP ? d->ncurves - k : GROUP;
    if (op->curve == REG_CURVE_BINS) code = learn_edges(t, part, op->bins, all + k, n, st);
    if (!code) code = draw(t, all + k, n, st);
  }
  return code;
}

static int no_training_part(reg_status *st) {
  reg_fail(st, REG_BAD_DATA, "data_bad",
           "what is done to x is learned from the training part, and there is none");
  reg_hint(st, "data in a file of their own belong to the training data: csv(\"train.csv\", ...) with test = "
               "csv(\"test.csv\")");
  return st->code;
}

// The table's supply is the data set's from now on.
static int supply_x(reg_dataset *d, Table *t, reg_status *st) {
  d->supply = t->supply;
  t->supply = NULL;
  d->fields[0].supply = d->supply;
  return d->supply->begin(d->supply, d, st);
}

static int fill_x(reg_dataset *d, Table *t, reg_status *st) {
  reg_field *x = &d->fields[0];
  if (t->supply) return supply_x(d, t, st);
  size_t count;
  void *values = NULL;
  if (!__builtin_mul_overflow((size_t)t->nrows * reg_dtype_bytes(x->dtype), (size_t)t->width, &count))
    values = reg_heap_take_large(t->heap, count);
  if (!values) return reg_no_memory(st, count);
  const int64_t wrong = data_scale(d, t->numbers, t->nrows, values);
  x->values = values;
  if (wrong < 0) return REG_OK;
  const int64_t row = wrong / t->width;
  return reg_fail(st, REG_BAD_DATA, "data_bad",
                  "%s:%lld: column `%.60s` is too large for a %d-bit float when it is scaled",
                  table_file(t, row)->path, (long long)t->line[row], t->columns[wrong % t->width],
                  x->dtype == REG_F64 ? 64 : 32);
}

int data_transform(reg_dataset *d, Table *t, const reg_data_plan *plan, reg_status *st) {
  const reg_part *part = reg_data_part(d, "train");
  if (!part) part = reg_data_part(d, "all");
  int code = REG_OK;
  for (int i = 1; i < plan->nops && !code; i++) {
    if (plan->ops[i].kind == REG_DATA_SCALE) code = scale(d, plan->ops[i].factor, st);
    if (plan->ops[i].kind == REG_DATA_STANDARDIZE)
      code = part ? standardize(d, t, part, &plan->ops[i], st) : no_training_part(st);
    if (plan->ops[i].kind == REG_DATA_MIN_MAX)
      code = part ? min_max(d, t, part, &plan->ops[i], st) : no_training_part(st);
    if (plan->ops[i].kind == REG_DATA_INTERACT) code = interact(d, t, &plan->ops[i], st);
    if (plan->ops[i].kind == REG_DATA_CURVE)
      code = part ? curves(d, t, part, &plan->ops[i], st) : no_training_part(st);
  }
  return code ? code : fill_x(d, t, st);
}
