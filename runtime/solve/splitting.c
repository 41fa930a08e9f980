// Losses that are bent at a point, by the method of multipliers: the loss's envelope, which is smooth, is
// minimized by the other two solvers, and the slopes there are the multipliers of the next one. Steps become
// smaller where the gap does not fall fast. Boyd, Parikh, Chu, Peleato & Eckstein 2011, Distributed
// Optimization and Statistical Learning via the Alternating Direction Method of Multipliers; Rockafellar
// 1976.
#include "solve/solve.h"
#include <math.h>
#include <string.h>

enum { ENVELOPES = 200 };

// The envelope's minimum, to a gap.
static SolveEnd minimize(Solve *s, bool by_coordinates, double gap) {
  const double wanted = s->tolerance;
  s->tolerance = gap;
  s->within = true;
  s->least = -INFINITY;
  const SolveEnd end = by_coordinates ? solve_by_coordinates(s) : solve_by_gradients(s);
  s->within = false;
  s->least = -INFINITY;
  s->tolerance = wanted;
  return end;
}

SolveEnd solve_by_splitting(Solve *s, bool by_coordinates) {
  const size_t bytes = (size_t)(s->n * s->c) * sizeof(double);
  double last = 1;
  memset(s->multipliers, 0, bytes);
  *s->step = s->scale * (double)(s->n * s->c); // as wide as the loss is large
  for (int made = 0; made < ENVELOPES && *s->step > 0; made++) {
    const SolveEnd end = minimize(s, by_coordinates, fmax(last, s->tolerance) / 20);
    if (end == SOLVE_STOPPED || end == SOLVE_FAILED) return end;
    if (solve_reached(s)) return SOLVED;
    if (s->passes >= s->most) break;
    memcpy(s->multipliers, s->slope, bytes);
    if (!(s->gap < last / 4)) *s->step /= 4;
    last = fmin(last, s->gap);
  }
  return SOLVE_TOO_LONG;
}
