// Accelerated proximal gradients, for penalties with norms of slices and losses that tie outputs together.
// The step is as long as the loss's curvature lets it be, found by trying; momentum starts anew where it
// points uphill. Beck & Teboulle 2009, A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse
// Problems; O'Donoghue & Candes 2015, Adaptive Restart for Accelerated Gradient Schemes.
#include "solve/solve.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 10 }; // passes between two looks at the gap

typedef struct Moving {
  double *ahead, *before, *slope; // [p, c]: where the gradient is taken; the last w; the gradient
  double curvature;               // of the bound on the loss
  double momentum;
} Moving;

static double soft(double x, double t) { return x > t ? x - t : x < -t ? x + t : 0; }

static void shorten(double *w, int64_t first, int64_t count, int64_t stride, double t) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) sum += w[first + k * stride] * w[first + k * stride];
  const double norm = sqrt(sum), by = norm > t ? 1 - t / norm : 0;
  for (int64_t k = 0; k < count; k++) w[first + k * stride] *= by;
}

// The proximal operator of the penalty, a step of size t. Yuan & Lin 2006; Friedman, Hastie & Tibshirani
// 2010.
static void proximal(const Solve *s, double *w, double t) {
  for (int i = 0; i < s->nblocks; i++) {
    const SolveBlock *b = &s->blocks[i];
    const int64_t first = b->first * s->c, count = b->columns * s->c;
    const double norms = t * b->part[PART_NORMS];
    for (int64_t k = first; k < first + count; k++) w[k] = soft(w[k], t * b->part[PART_ABSOLUTE]);
    for (int64_t k = 0; norms > 0 && b->axis == 0 && k < s->c; k++)
      shorten(w, first + k, b->columns, s->c, norms);
    for (int64_t k = 0; norms > 0 && b->axis != 0 && k < b->columns; k++)
      shorten(w, first + k * s->c, s->c, 1, norms);
    if (b->part[PART_SINGULAR] > 0) spectrum_shrink(b->spectrum, w + first, t * b->part[PART_SINGULAR]);
    for (int64_t k = 0; k < count; k++)
      w[first + k] = boxed(b, k, w[first + k] / (1 + t * b->part[PART_SQUARE]));
  }
}

static int evaluate_at(Solve *s, double *w) {
  double *own = s->w;
  s->w = w;
  const int code = solve_evaluate(s);
  s->w = own;
  return code;
}

// From `ahead`: s->w, and loss and gradient there.
static int descend(Solve *s, Moving *m) {
  const int64_t count = s->p * s->c;
  int code = evaluate_at(s, m->ahead);
  if (code) return code;
  const double at = smooth_loss(s);
  memcpy(m->slope, s->gradient, (size_t)count * sizeof(double));
  for (int tries = 0; tries < 60; tries++, m->curvature *= 2) {
    double bound = at, square = 0;
    for (int64_t k = 0; k < count; k++) s->w[k] = m->ahead[k] - m->slope[k] / m->curvature;
    proximal(s, s->w, 1 / m->curvature);
    for (int64_t k = 0; k < count; k++) {
      const double d = s->w[k] - m->ahead[k];
      bound += m->slope[k] * d;
      square += d * d;
    }
    code = solve_evaluate(s);
    const double room = m->curvature / 2 * square;
    if (code || smooth_loss(s) <= bound + room || room < 1e-13 * fabs(at)) return code;
  }
  return 0;
}

static void look_ahead(Solve *s, Moving *m) {
  const int64_t count = s->p * s->c;
  double uphill = 0;
  for (int64_t k = 0; k < count; k++) uphill += (m->ahead[k] - s->w[k]) * (s->w[k] - m->before[k]);
  const double was = m->momentum;
  m->momentum = uphill > 0 ? 1 : (1 + sqrt(1 + 4 * was * was)) / 2;
  const double by = uphill > 0 ? 0 : (was - 1) / m->momentum;
  for (int64_t k = 0; k < count; k++) m->ahead[k] = s->w[k] + by * (s->w[k] - m->before[k]);
  memcpy(m->before, s->w, (size_t)count * sizeof(double));
}

static bool take(Solve *s, Moving *m, Heap *heap) {
  const size_t bytes = (size_t)(s->p * s->c) * sizeof(double);
  double square = 0;
  m->ahead = reg_heap_take(heap, bytes);
  m->before = reg_heap_take(heap, bytes);
  m->slope = reg_heap_take(heap, bytes);
  if (!m->ahead || !m->before || !m->slope) return false;
  memcpy(m->ahead, s->w, bytes);
  memcpy(m->before, s->w, bytes);
  for (int64_t i = 0; i < s->p * s->n; i++) square += s->f[i] * s->f[i];
  m->curvature = square > 0 ? square / (double)(s->n * s->p) * 1e-2 : 1;
  m->momentum = 1;
  return true;
}

// From where s->w is.
static SolveEnd accelerated(Solve *s) {
  Heap own = {0};
  Moving m = {0};
  SolveEnd end = SOLVE_FAILED;
  if (take(s, &m, &own) && !solve_evaluate(s)) {
    for (;;) {
      if (s->passes % BLOCK == 0) {
        end = solve_reached(s)       ? SOLVED
              : s->stopped(s->user)  ? SOLVE_STOPPED
              : s->passes >= s->most ? SOLVE_TOO_LONG
                                     : SOLVE_FAILED;
        if (end != SOLVE_FAILED) break;
        m.curvature *= 0.8;
      }
      if (descend(s, &m)) break;
      look_ahead(s, &m);
      s->passes++;
    }
  }
  reg_heap_free(&own);
  return end;
}

// -- working sets

enum { WHOLE = 64 }; // so few columns are all taken

// The problem of the columns that the strong rule keeps, and of what violates the conditions of a minimum.
// Tibshirani et al. 2012, Strong Rules for Discarding Predictors in Lasso-Type Problems.
typedef struct Working {
  Solve s;         // of them
  int64_t *column; // each one's place in the whole
  double *urgency; // [p]
  bool *in;        // [p]
  double *ends;    // of boxes
} Working;

// True where it grew, or is the first one, from the solution of a neighbouring strength.
static bool grow(const Solve *s, Working *k, bool first) {
  double most = 1;
  solve_urgencies(s, k->urgency);
  for (int64_t j = 0; first && j < s->p; j++)
    if (isfinite(k->urgency[j])) most = fmax(most, k->urgency[j]);
  const double keep = first ? fmax(2 - most, 0) : 1 + 1e-12;
  const int64_t before = k->s.p;
  k->s.p = 0;
  for (int64_t j = 0; j < s->p; j++) {
    k->in[j] = k->in[j] || k->urgency[j] >= keep;
    if (k->in[j]) k->column[k->s.p++] = j;
  }
  return first || k->s.p > before;
}

// Columns, parameters and ends of boxes one behind the other.
static void pack(const Solve *s, Working *k) {
  double *ends = k->ends;
  int64_t at = 0;
  for (int i = 0; i < s->nblocks; i++) {
    const SolveBlock *from = &s->blocks[i];
    SolveBlock *b = &k->s.blocks[i];
    *b = *from;
    b->first = at;
    if (from->low) b->low = ends, b->high = ends + from->columns * s->c, ends += 2 * from->columns * s->c;
    for (; at < k->s.p && k->column[at] < from->first + from->columns; at++) {
      const int64_t j = k->column[at], row = (j - from->first) * s->c, to = (at - b->first) * s->c;
      memcpy(k->s.f + at * s->n, s->f + j * s->n, (size_t)s->n * sizeof(double));
      memcpy(k->s.w + at * s->c, s->w + j * s->c, (size_t)s->c * sizeof(double));
      for (int64_t o = 0; from->low && o < s->c; o++)
        b->low[to + o] = from->low[row + o], b->high[to + o] = from->high[row + o];
    }
    b->columns = at - b->first;
    if (!b->columns) memset(b->part, 0, sizeof b->part);
  }
}

static bool take_working(const Solve *s, Working *k, Heap *heap) {
  const size_t p = (size_t)s->p, c = (size_t)s->c;
  *k = (Working){.s = *s};
  k->column = reg_heap_take(heap, p * sizeof *k->column);
  k->urgency = reg_heap_take(heap, p * sizeof *k->urgency);
  k->in = reg_heap_take(heap, p * sizeof *k->in);
  k->ends = reg_heap_take(heap, 2 * p * c * sizeof *k->ends);
  k->s.blocks = reg_heap_take(heap, (size_t)s->nblocks * sizeof *k->s.blocks);
  k->s.w = reg_heap_take(heap, p * c * sizeof(double));
  k->s.gradient = reg_heap_take(heap, p * c * sizeof(double));
  return k->column && k->urgency && k->in && k->ends && k->s.blocks && k->s.w && k->s.gradient;
}

static SolveEnd by_working_sets(Solve *s, Working *k, Heap *heap) {
  for (bool first = true; grow(s, k, first); first = false) {
    if (2 * k->s.p > s->p) break;
    reg_heap_free(heap);
    *heap = (Heap){0};
    if (!(k->s.f = reg_heap_take(heap, (size_t)(k->s.p * s->n + 1) * sizeof(double)))) return SOLVE_FAILED;
    pack(s, k);
    k->s.tolerance = s->tolerance / 2;
    k->s.least = -INFINITY;
    k->s.passes = s->passes;
    const SolveEnd end = accelerated(&k->s);
    s->passes = k->s.passes;
    for (int64_t a = 0; a < k->s.p; a++)
      memcpy(s->w + k->column[a] * s->c, k->s.w + a * s->c, (size_t)s->c * sizeof(double));
    if (solve_evaluate(s)) return SOLVE_FAILED;
    const bool reached = solve_reached(s);
    if (end != SOLVED || reached) return reached ? SOLVED : end;
  }
  return accelerated(s);
}

SolveEnd solve_by_gradients(Solve *s) {
  if (s->p <= WHOLE) return accelerated(s);
  Heap own = {0}, columns = {0};
  Working k;
  const bool ready = take_working(s, &k, &own) && !solve_evaluate(s);
  const SolveEnd end = ready ? by_working_sets(s, &k, &columns) : SOLVE_FAILED;
  reg_heap_free(&own);
  reg_heap_free(&columns);
  return end;
}
