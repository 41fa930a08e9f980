// Losses that are bent at a point, by the method of multipliers: the loss's envelope, which is smooth, is
// minimized by the other two solvers, and the slopes there are the multipliers of the next one. Steps become
// smaller where the gap does not fall fast. Boyd, Parikh, Chu, Peleato & Eckstein 2011, Distributed
// Optimization and Statistical Learning via the Alternating Direction Method of Multipliers; Rockafellar
// 1976.
#include "solve/solve.h"
#include <math.h>
#include <string.h>

enum { ENVELOPES = 200 };
// Where the envelope is straight its model has no minimum: of all rows together it has so much curvature at
// least, beside the largest of one. What is more makes models safe and their minima slow.
static const double MOST_FLOOR = 1, LEAST_FLOOR = 1e-5;

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
  double last = 1, floor = MOST_FLOOR;
  memset(s->multipliers, 0, bytes);
  *s->step = s->scale > 0 ? s->scale * (double)(s->n * s->c) : 1; // as wide as the loss is large
  for (int made = 0; made < ENVELOPES; made++) {
    s->floor = floor / (double)s->n / *s->step;
    const SolveEnd end = minimize(s, by_coordinates, fmax(last, s->tolerance) / 20);
    if (end == SOLVE_STOPPED || end == SOLVE_FAILED) return end;
    if (solve_reached(s)) return SOLVED;
    if (s->passes >= s->most) break;
    memcpy(s->multipliers, s->slope, bytes);
    if (!(s->gap < last / 2)) *s->step /= 2;
    last = fmin(last, s->gap);
    floor = fmax(end == SOLVED ? floor / 4 : MOST_FLOOR, LEAST_FLOOR);
  }
  return SOLVE_TOO_LONG;
}
