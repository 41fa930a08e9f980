// Where passes lead to. In: the points behind some passes, each with what depends on it linearly. Out: the
// combination of them, of weights that sum to 1, at which the steps of the passes cancel best: for passes
// that are linear, where they end. Anderson 1965, Iterative Procedures for Nonlinear Integral Equations; for
// coordinate descent Bertrand & Massias 2021, Anderson Acceleration of Coordinate Descent.
#include "solve/ahead.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

bool ahead_take(Ahead *a, int64_t most, Heap *heap) {
  const size_t bytes = (size_t)(2 * (AHEAD_STEPS + 1) * most + 1) * sizeof(double);
  *a = (Ahead){.points = reg_heap_take(heap, bytes), .most = most};
  return a->points != NULL;
}

static double *point(const Ahead *a, int i) { return a->points + i * a->most; }
static double *linear(const Ahead *a, int i) { return point(a, AHEAD_STEPS + 1 + i); }

bool ahead_note(Ahead *a, int64_t size, const double *w, int64_t line, const double *g) {
  if (a->noted > AHEAD_STEPS) a->noted = 0;
  memcpy(point(a, a->noted), w, (size_t)size * sizeof *w);
  memcpy(linear(a, a->noted), g, (size_t)line * sizeof *g);
  return ++a->noted > AHEAD_STEPS;
}

// Products of the steps with each other.
static void products(const Ahead *a, int64_t size, double m[][AHEAD_STEPS]) {
  for (int i = 0; i < AHEAD_STEPS; i++)
    for (int j = 0; j <= i; j++) {
      const double *x = point(a, i), *y = point(a, j), *x1 = point(a, i + 1), *y1 = point(a, j + 1);
      double sum = 0;
      for (int64_t e = 0; e < size; e++) sum += (x1[e] - x[e]) * (y1[e] - y[e]);
      m[i][j] = m[j][i] = sum;
    }
}

// m c = 1, by elimination; false where m is singular. Weights of what cancels best are c over its sum.
static bool weigh(double m[][AHEAD_STEPS], double *c) {
  double largest = 0, sum = 0;
  for (int i = 0; i < AHEAD_STEPS; i++) largest = fmax(largest, m[i][i]), c[i] = 1;
  for (int i = 0; i < AHEAD_STEPS; i++) m[i][i] += 1e-14 * largest;
  for (int i = 0; i < AHEAD_STEPS; i++) {
    if (!(m[i][i] > 0)) return false;
    for (int j = i + 1; j < AHEAD_STEPS; j++) {
      const double by = m[j][i] / m[i][i];
      for (int k = i; k < AHEAD_STEPS; k++) m[j][k] -= by * m[i][k];
      c[j] -= by * c[i];
    }
  }
  for (int i = AHEAD_STEPS - 1; i >= 0; i--) {
    for (int k = i + 1; k < AHEAD_STEPS; k++) c[i] -= m[i][k] * c[k];
    sum += c[i] /= m[i][i];
  }
  for (int i = 0; i < AHEAD_STEPS; i++) c[i] /= sum;
  return isfinite(sum) && sum != 0;
}

bool ahead_reach(Ahead *a, int64_t size, double *w, int64_t line, double *g) {
  double m[AHEAD_STEPS][AHEAD_STEPS], c[AHEAD_STEPS];
  a->noted = 0;
  products(a, size, m);
  if (!weigh(m, c)) return false;
  memset(w, 0, (size_t)size * sizeof *w);
  memset(g, 0, (size_t)line * sizeof *g);
  for (int i = 0; i < AHEAD_STEPS; i++) {
    cblas_daxpy((int)size, c[i], point(a, i + 1), 1, w, 1);
    cblas_daxpy((int)line, c[i], linear(a, i + 1), 1, g, 1);
  }
  return true;
}
