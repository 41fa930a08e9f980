// Which rows of the training part an epoch takes, in which order. In: a training at the beginning of an
// epoch, and in the store what its rows are drawn by. Out: t->order, as many rows as t->rows, and
// t->per_epoch batches of them. Holds: both follow from the seed, the epoch and what rows are drawn by.
#include "large.h"
#include "reg/rng.h"
#include "train/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t most_rows(const Training *t) {
  const int64_t batches = (t->part->nrows + t->plan->batch - 1) / t->plan->batch * t->plan->batch;
  return t->rows > batches ? t->rows : batches;
}

int rows_new(Training *t) {
  Heap *heap = &t->run->heap;
  const size_t rows = (size_t)t->part->nrows, drawn = t->plan->sample ? rows : 0;
  t->order = reg_heap_take_large(heap, (size_t)most_rows(t) * sizeof *t->order);
  t->kept = reg_heap_take_large(heap, 2 * drawn * sizeof *t->kept);
  t->weights = reg_heap_take_large(heap, drawn * sizeof *t->weights);
  return t->order && t->kept && t->weights ? REG_OK : reg_no_memory(t->run->st, rows);
}

int64_t step_rows(const Training *t, int64_t index) {
  const int64_t left = t->rows - index * t->plan->batch;
  return left < t->plan->batch ? left : t->plan->batch;
}

static double drawn_by(const Training *t, int64_t row) {
  const int at = t->plan->drawn;
  return reg_number_at(t->run->store[at], t->run->program->store[at].dtype, row);
}

static int refuse_weight(const Training *t, int64_t row, double weight) {
  const int32_t *ids = t->data->fields[reg_data_field(t->data, "id")].values;
  return reg_fail(
      t->run->st, REG_BAD_DATA, "bad_weight",
      t->plan->sample == REG_SAMPLE_NEAR
          ? "%s: in epoch %d `sample near` gives row %d the number %g"
          : "%s: in epoch %d `sample` gives row %d the weight %g; a weight is finite and at least 0",
      t->plan->sample_place, t->epoch + 1, ids[t->part->rows[row]], isnan(weight) ? NAN : weight);
}

// A number below 1, of 53 bits.
static double uniform(const Training *t, int64_t k) {
  uint32_t word[2];
  for (int i = 0; i < 2; i++)
    word[i] = reg_random_word(t->full_seed, REG_STREAM_DRAW, (uint32_t)t->epoch, (uint64_t)(2 * k + i));
  return ((double)(word[0] >> 5) * 67108864 + (double)(word[1] >> 6)) / 9007199254740992.0;
}

// The first row whose sum is above x, which is below the last one.
static int64_t row_above(const double *sums, int64_t n, double x) {
  int64_t low = 0, high = n - 1;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (sums[middle] > x)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static int draw(Training *t) {
  const int64_t n = t->part->nrows;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const double weight = drawn_by(t, i);
    if (!(weight >= 0) || isinf(weight)) return refuse_weight(t, i, weight);
    t->weights[i] = sum += weight;
  }
  if (!(sum > 0))
    return reg_fail(t->run->st, REG_BAD_DATA, "no_weight",
                    "%s: in epoch %d `sample` gives all %lld rows the weight 0", t->plan->sample_place,
                    t->epoch + 1, (long long)n);
  for (int64_t k = 0; k < t->rows; k++) t->order[k] = row_above(t->weights, n, uniform(t, k) * sum);
  return REG_OK;
}

static int keep(Training *t) {
  const int64_t n = t->part->nrows, batch = t->plan->batch;
  int64_t count = 0, *shuffled = t->kept + n;
  for (int64_t i = 0; i < n; i++)
    if (drawn_by(t, i) != 0) t->kept[count++] = i;
  if (!count)
    return reg_fail(t->run->st, REG_BAD_DATA, "no_rows_left",
                    "%s: in epoch %d `sample where` keeps none of %lld rows", t->plan->sample_place,
                    t->epoch + 1, (long long)n);
  t->per_epoch = (count + batch - 1) / batch;
  t->rows = t->per_epoch * batch;
  reg_permutation(t->full_seed, REG_STREAM_SHUFFLE, (uint32_t)t->epoch, count, shuffled);
  for (int64_t k = 0; k < t->rows; k++) t->order[k] = t->kept[shuffled[k % count]];
  return REG_OK;
}

typedef struct Near {
  double value;
  int64_t row, place; // as they were shuffled
} Near;

static int by_value(const void *a, const void *b) {
  const Near *x = a, *y = b;
  return x->value != y->value ? (x->value > y->value ? 1 : -1)
                              : (x->place > y->place) - (x->place < y->place);
}

// Rows are shuffled, stretches of them sorted, and the batches of all stretches shuffled; one that is smaller
// is the last.
static int near(Training *t) {
  enum { STRETCH = 50 }; // batches
  const int64_t n = t->part->nrows, batch = t->plan->batch, whole = n / batch, stretch = STRETCH * batch;
  int64_t *shuffled = t->kept, *batches = t->kept + n;
  Near *list = reg_large_resize(NULL, (size_t)n * sizeof *list + 1);
  if (!list) return reg_no_memory(t->run->st, (size_t)n * sizeof *list);
  reg_permutation(t->full_seed, REG_STREAM_SHUFFLE, (uint32_t)t->epoch, n, shuffled);
  int code = REG_OK;
  for (int64_t k = 0; k < n && !code; k++) {
    list[k] = (Near){drawn_by(t, shuffled[k]), shuffled[k], k};
    if (isnan(list[k].value)) code = refuse_weight(t, shuffled[k], NAN);
  }
  for (int64_t k = 0; k < n && !code; k += stretch)
    qsort(list + k, (size_t)(n - k < stretch ? n - k : stretch), sizeof *list, by_value);
  reg_permutation(t->full_seed, REG_STREAM_DRAW, (uint32_t)t->epoch, whole, batches);
  for (int64_t k = 0; k < n && !code; k++)
    t->order[k] = list[k < whole * batch ? batches[k / batch] * batch + k % batch : k].row;
  reg_large_free(list);
  return code;
}

// Of those that are trained together the first one arranges the rows of an epoch.
static bool are_arranged(Training *t) {
  Together *all = t->together;
  if (!all) return false;
  const bool there = all->order && all->epoch == t->epoch;
  if (there) memcpy(t->order, all->order, (size_t)t->rows * sizeof *t->order);
  all->order = t->order;
  all->epoch = t->epoch;
  return there;
}

int rows_arrange(Training *t) {
  const int64_t n = t->part->nrows;
  int code = REG_OK;
  reach_forget(t);
  if (are_arranged(t)) return REG_OK;
  if (t->plan->sample == REG_SAMPLE_WEIGHTS)
    code = draw(t);
  else if (t->plan->sample == REG_SAMPLE_KEPT)
    code = keep(t);
  else if (t->plan->sample == REG_SAMPLE_NEAR)
    code = near(t);
  else if (t->plan->nblocks)
    for (int64_t i = 0; i < n; i++) t->order[i] = i;
  else if (!t->plan->in_order)
    reg_permutation(t->full_seed, REG_STREAM_SHUFFLE, (uint32_t)t->epoch, n, t->order);
  for (int64_t i = 0; i < n && t->plan->in_order; i++) t->order[i] = lane_row(n, t->plan->batch, i);
  for (int64_t i = 0; i < t->rows && !code; i++) t->order[i] = t->part->rows[t->order[i]];
  return code;
}
