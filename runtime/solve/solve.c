// The frame of both solvers: centered columns, the scale of the gap, the choice between coordinates and
// gradients, and a minimum that is not there.
#include "solve/solve.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

const SolveBlock *block_of(const Solve *s, int64_t column) {
  const SolveBlock *b = s->blocks;
  while (column >= b->first + b->columns) b++;
  return b;
}

static const SolveBlock *free_bias(const Solve *s) {
  for (int i = 0; i < s->nblocks; i++)
    if (s->blocks[i].ones && is_free(&s->blocks[i]) && !s->blocks[i].low) return &s->blocks[i];
  return NULL;
}

static bool is_centered(const Solve *s, int64_t column) { return !block_of(s, column)->ones && free_bias(s); }

bool solve_prepare(Solve *s) {
  if (!s->mean) s->mean = reg_heap_take(s->heap, (size_t)s->p * sizeof(double));
  if (!s->gradient) s->gradient = reg_heap_take(s->heap, (size_t)(s->p * s->c) * sizeof(double));
  if (!s->mean || !s->gradient) return false;
  for (int64_t j = 0; j < s->p; j++) {
    double *f = s->f + j * s->n, sum = 0;
    if (!is_centered(s, j)) continue;
    for (int64_t i = 0; i < s->n; i++) sum += f[i];
    s->mean[j] = sum / (double)s->n;
    bool constant = true;
    for (int64_t i = 0; i < s->n; i++) constant = constant && f[i] == f[0];
    for (int64_t i = 0; i < s->n; i++) f[i] = constant ? 0 : f[i] - s->mean[j];
    if (constant) s->mean[j] = 0; // nothing tells it from the bias, which has its part
  }
  return true;
}

// The bias of centered columns from that of these as they were, or back.
static void move_bias(Solve *s, double sign) {
  const SolveBlock *b = free_bias(s);
  for (int64_t j = 0; b && j < s->p; j++)
    for (int64_t k = 0; k < s->c && s->mean[j] != 0; k++)
      s->w[b->first * s->c + k] += sign * s->mean[j] * s->w[j * s->c + k];
}

bool solve_is_sparse(const Solve *s) {
  int64_t some = 0;
  for (int64_t j = 0; j < s->p; j++) some += s->w[j] != 0;
  return s->c == 1 && some <= s->p / 2;
}

void solve_sum_columns(const Solve *s, const double *columns, int64_t n, double *out) {
  memset(out, 0, (size_t)n * sizeof *out);
  for (int64_t j = 0; j < s->p; j++)
    if (s->w[j] != 0) cblas_daxpy((int)n, s->w[j], columns + j * n, 1, out, 1);
}

void solve_predict(Solve *s) {
  if (solve_is_sparse(s))
    solve_sum_columns(s, s->f, s->n, s->z);
  else
    reg_gemm(s->ctx, true, false, s->n, s->c, s->p, 1, s->f, 0, s->w, 0, s->z, 0, true);
  for (int64_t i = 0; s->offset && i < s->n * s->c; i++) s->z[i] += s->offset[i];
}

int solve_evaluate(Solve *s) {
  solve_predict(s);
  const int code = s->curve(s->user);
  if (code) return code;
  reg_gemm(s->ctx, false, false, s->p, s->c, s->n, 1, s->f, 0, s->slope, 0, s->gradient, 0, true);
  return 0;
}

bool solve_reached(Solve *s) {
  s->gap = s->scale > 0 ? fmax(solve_gap(s) / s->scale, 0) : 0; // below 0 is rounding
  if (!s->within && s->ngaps < SOLVE_GAPS) s->gaps[s->ngaps++] = s->gap;
  return s->gap <= s->tolerance;
}

// Every parameter inside of its box.
static void into_boxes(Solve *s) {
  for (int i = 0; i < s->nblocks; i++) {
    const SolveBlock *b = &s->blocks[i];
    for (int64_t k = 0; b->low && k < b->columns * s->c; k++)
      s->w[b->first * s->c + k] = boxed(b, k, s->w[b->first * s->c + k]);
  }
}

// Does the objective go on falling along a ray, so that it has no minimum? At one, twice as much is worse.
static bool falls_for_ever(Solve *s) {
  const int64_t count = s->p * s->c;
  bool free_weights = false;
  for (int i = 0; i < s->nblocks; i++) free_weights |= is_free(&s->blocks[i]) && !s->blocks[i].ones;
  if (s->quadratic || !free_weights || solve_evaluate(s)) return false;
  Heap own = {0};
  double *was = reg_heap_take(&own, (size_t)count * sizeof *was);
  double before = *s->value + solve_penalty(s, s->w);
  bool falls = was != NULL;
  if (was) memcpy(was, s->w, (size_t)count * sizeof *was);
  for (int i = 0; i < 2 && falls; i++) {
    for (int64_t k = 0; k < count; k++) s->w[k] *= 2;
    into_boxes(s);
    falls = !solve_evaluate(s) && *s->value + solve_penalty(s, s->w) < before;
    before = *s->value + solve_penalty(s, s->w);
  }
  if (was) memcpy(s->w, was, (size_t)count * sizeof *was);
  reg_heap_free(&own);
  (void)solve_evaluate(s); // its value is at w again
  return falls;            // `value` is at w again
}

static bool by_coordinates(const Solve *s) {
  for (int i = 0; i < s->nblocks; i++)
    if (s->blocks[i].part[PART_NORMS] > 0 || s->blocks[i].part[PART_SINGULAR] > 0) return false;
  return s->by_element;
}

// Norms of single elements are their absolute values.
static void plain_norms(Solve *s) {
  for (int i = 0; i < s->nblocks; i++) {
    SolveBlock *b = &s->blocks[i];
    if (b->axis != 0 ? s->c != 1 : b->columns != 1) continue;
    b->part[PART_ABSOLUTE] += b->part[PART_NORMS];
    b->part[PART_NORMS] = 0;
  }
}

static bool take_spectra(Solve *s) {
  for (int i = 0; i < s->nblocks; i++) {
    SolveBlock *b = &s->blocks[i];
    if (b->part[PART_SINGULAR] == 0 || b->spectrum) continue;
    if (!(b->spectrum = spectrum_new(b->columns, s->c, s->heap))) return false;
  }
  return true;
}

static int scale_of(Solve *s) {
  const size_t bytes = (size_t)(s->n * s->c) * sizeof(double);
  if (s->offset)
    memcpy(s->z, s->offset, bytes);
  else
    memset(s->z, 0, bytes);
  const int code = s->curve(s->user);
  s->scale = fabs(*s->value);
  return code;
}

SolveEnd solve_run(Solve *s) {
  s->passes = s->active = s->ngaps = 0;
  s->least = -INFINITY;
  plain_norms(s);
  if (!take_spectra(s) || scale_of(s)) return SOLVE_FAILED;
  into_boxes(s);
  move_bias(s, 1);
  const bool coordinates = by_coordinates(s);
  SolveEnd end = s->envelope   ? solve_by_splitting(s, coordinates)
                 : coordinates ? solve_by_coordinates(s)
                               : solve_by_gradients(s);
  if ((end == SOLVED || end == SOLVE_TOO_LONG) && falls_for_ever(s)) end = SOLVE_UNBOUNDED;
  move_bias(s, -1);
  for (int64_t k = 0; k < s->p * s->c; k++) s->active += s->w[k] != 0;
  return end;
}
