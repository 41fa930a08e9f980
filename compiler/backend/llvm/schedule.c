// How the loops of a nest run: vectors in a turn, pieces for the threads. Both depend on the nest alone,
// never on the number of threads: the order of every sum follows from them.
#include "emit.h"

// Several vectors in one turn hide latency where a nest is long; a short one is compiled faster than it would
// gain. Draws come in runs of four vectors.
static int copies_for(const NestLoops *n, int64_t points) {
  if (n->random) return 4;
  if (points < 16384) return 1;
  if (n->point_cost <= 5) return 4;
  return n->point_cost <= 16 ? 2 : 1;
}

// Pieces of at least 2^16 loads, about 5 microseconds; their number depends on nothing but the nest.
static void split(const NestLoops *n, double cost, Schedule *s) {
  const Var *outer = &n->vars.var[n->order[0]];
  int64_t granule = n->vector == 0 ? LANES * 4 : 1;
  double wanted = cost / 65536;
  int64_t pieces = wanted < 2 ? 1 : wanted > MOST_PIECES ? MOST_PIECES : (int64_t)wanted;
  s->chunk = (outer->size + pieces - 1) / pieces;
  s->chunk = (s->chunk + granule - 1) / granule * granule;
  s->pieces = (outer->size + s->chunk - 1) / s->chunk;
}

Schedule schedule_for(const Nest *nest, const NestLoops *loops) {
  const int64_t points = shape_count(nest->space);
  Schedule s = {.copies = copies_for(loops, points)};
  split(loops, (loops->point_cost + nest->nouts) * (double)points, &s);
  return s;
}
