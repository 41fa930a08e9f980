// The values of a run, by what came of those before: a tree-structured Parzen estimator (Bergstra, Bardenet,
// Bengio & Kégl 2011, Algorithms for hyper-parameter optimization). In: the values of earlier runs, the best
// first. Out: values where the density of good ones is largest, relative to that of the others. Each axis is
// estimated by itself, on [0, 1]: a range evenly, or by factors; a list that rises by its places. A seed is
// drawn, and so are all values while nothing is known. A combination that a run has had is drawn anew, and
// where that gives none, the next one that is left is taken.
#include "train/sweep.h"
#include <math.h>
#include <string.h>

static const double GOOD = 0.15; // of the runs that are over
enum { CANDIDATES = 24, TRIES = 64 };

typedef struct Draws {
  uint64_t key;
  int64_t made;
} Draws;

static double draw(Draws *d) { return (double)(turn_around(d->key, d->made++) >> 11) * 0x1p-53; }

// Box & Muller 1958.
static double draw_normal(Draws *d) {
  const double u = 1 - draw(d), v = draw(d);
  return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

// -- an axis as [0, 1]

int64_t axis_place(const reg_axis *x, double at) {
  int64_t low = 0, high = x->count - 1;
  if (!x->nnumbers) return (int64_t)at;
  for (int64_t i = 0; x->kind == REG_AXIS_LIST && i < x->count; i++)
    if (x->numbers[i] == at) return i;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (x->numbers[middle] < at)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static double to_unit(const reg_axis *x, double at) {
  if (x->kind == REG_AXIS_LOG) return log(at / x->numbers[0]) / log(x->numbers[1] / x->numbers[0]);
  if (x->kind == REG_AXIS_REAL) return (at - x->numbers[0]) / (x->numbers[1] - x->numbers[0]);
  return ((double)axis_place(x, at) + 0.5) / (double)x->count;
}

static double from_unit(const reg_axis *x, double u) {
  if (x->kind == REG_AXIS_LOG)
    return fmin(fmax(x->numbers[0] * pow(x->numbers[1] / x->numbers[0], u), x->numbers[0]), x->numbers[1]);
  if (x->kind == REG_AXIS_REAL) return x->numbers[0] + u * (x->numbers[1] - x->numbers[0]);
  const int64_t place = (int64_t)fmin(floor(u * (double)x->count), (double)x->count - 1);
  return x->nnumbers ? x->numbers[place] : (double)place;
}

// -- densities on [0, 1]

// Normal ones around the values, cut off at the ends, and one around the middle that is as wide as all of it.
// Each is as wide as the way to the farther of its neighbours.
typedef struct Parzen {
  int64_t n;
  double *middle, *width; // the n-th is the wide one
} Parzen;

static void widen(Parzen *p) {
  const double least = 1 / fmin(100, (double)p->n + 2);
  for (int64_t i = 0; i < p->n; i++) {
    double below = 0, above = 1;
    for (int64_t k = 0; k < p->n; k++) {
      if (k == i) continue;
      if (p->middle[k] <= p->middle[i]) below = fmax(below, p->middle[k]);
      if (p->middle[k] >= p->middle[i]) above = fmin(above, p->middle[k]);
    }
    p->width[i] = fmin(fmax(fmax(p->middle[i] - below, above - p->middle[i]), least), 1);
  }
  p->middle[p->n] = 0.5;
  p->width[p->n] = 1;
}

static double below(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

static double density(const Parzen *p, double u) {
  double sum = 0;
  for (int64_t i = 0; i <= p->n; i++) {
    const double z = (u - p->middle[i]) / p->width[i];
    const double inside = below((1 - p->middle[i]) / p->width[i]) - below(-p->middle[i] / p->width[i]);
    sum += exp(-0.5 * z * z) / (p->width[i] * inside);
  }
  return sum / (double)(p->n + 1);
}

static double draw_from(const Parzen *p, Draws *d) {
  const int64_t i = (int64_t)(draw(d) * (double)(p->n + 1));
  for (int k = 0; k < TRIES; k++) {
    const double u = p->middle[i] + p->width[i] * draw_normal(d);
    if (u >= 0 && u < 1) return u;
  }
  return p->middle[i];
}

static double best_of(const Parzen *good, const Parzen *rest, Draws *d) {
  double best = 0.5, most = -1;
  for (int k = 0; k < CANDIDATES; k++) {
    const double u = draw_from(good, d), ratio = density(good, u) / density(rest, u);
    if (ratio > most) most = ratio, best = u;
  }
  return best;
}

// -- things: how often each was good, with one more for all

static double weight(const double *places, int64_t n, int64_t thing, int64_t things) {
  double count = 1;
  for (int64_t i = 0; i < n; i++) count += (int64_t)places[i] == thing;
  return count / (double)(n + things);
}

static double best_thing(const double *places, int64_t ngood, int64_t n, int64_t things, Draws *d) {
  double best = 0, most = -1;
  for (int k = 0; k < CANDIDATES; k++) {
    double left = draw(d);
    int64_t thing = 0;
    while (thing < things - 1 && (left -= weight(places, ngood, thing, things)) > 0) thing++;
    const double ratio =
        weight(places, ngood, thing, things) / weight(places + ngood, n - ngood, thing, things);
    if (ratio > most) most = ratio, best = (double)thing;
  }
  return best;
}

// -- a run

// `values`: of n runs, the best first. `room`: of 2 (n + 2) numbers.
static double choose(const reg_axis *x, const double *values, int64_t n, Draws *d, double *room) {
  const int64_t ngood = (int64_t)ceil(GOOD * (double)n);
  if (!n || x->seed) return from_unit(x, draw(d));
  if (x->kind == REG_AXIS_LIST) {
    for (int64_t i = 0; i < n; i++) room[i] = (double)axis_place(x, values[i]);
    const double place = best_thing(room, ngood, n, x->count, d);
    return x->nnumbers ? x->numbers[(int64_t)place] : place;
  }
  Parzen good = {.n = ngood, .middle = room, .width = room + n + 2};
  Parzen rest = {.n = n - ngood, .middle = room + ngood + 1, .width = good.width + ngood + 1};
  for (int64_t i = 0; i < n; i++)
    *(i < ngood ? &good.middle[i] : &rest.middle[i - ngood]) = to_unit(x, values[i]);
  widen(&good);
  widen(&rest);
  return from_unit(x, best_of(&good, &rest, d));
}

static void propose_once(Run *r, const reg_sweep *s, uint64_t key, int64_t run, int64_t n,
                         const double *values, double *room) {
  for (int i = 0; i < s->naxes; i++) {
    Draws d = {.key = turn_around(key, i)};
    sweep_at(r, s, run)[i] = choose(&s->axes[i], values + i * n, n, &d, room);
  }
}

// -- no combination twice

static bool is_same(const reg_axis *x, double a, double b) {
  return a == b || (!x->nnumbers && !strcmp(x->labels[(int64_t)a], x->labels[(int64_t)b]));
}

// A run before has these values, the seed among them: its bits are known.
static bool is_made(const Run *r, const reg_sweep *s, int64_t run) {
  const double *own = sweep_at(r, s, run);
  for (int64_t k = 0; k < run; k++) {
    const double *other = sweep_at(r, s, k);
    int i = 0;
    while (i < s->naxes && is_same(&s->axes[i], own[i], other[i])) i++;
    if (i == s->naxes) return true;
  }
  return false;
}

static bool is_finite(const reg_sweep *s) {
  bool finite = true;
  for (int i = 0; i < s->naxes; i++)
    finite &= s->axes[i].kind == REG_AXIS_LIST || s->axes[i].kind == REG_AXIS_ORDERED;
  return finite;
}

// The next combination, the last axis fastest; behind the last one the first.
static void step_on(double *at, const reg_sweep *s) {
  for (int i = s->naxes - 1; i >= 0; i--) {
    const reg_axis *x = &s->axes[i];
    const int64_t place = (axis_place(x, at[i]) + 1) % x->count;
    at[i] = x->nnumbers ? x->numbers[place] : (double)place;
    if (place) return;
  }
}

// There is a combination that is left: the compiler gives a search no more runs than there are.
void propose(Run *r, int sweep, int64_t run, int64_t n, const double *values, double *room) {
  const reg_sweep *s = &r->program->sweeps[sweep];
  const uint64_t seed = seed_around(r, r->options->has_seed ? r->options->seed : 0),
                 key = turn_around(turn_around(seed, sweep), run);
  propose_once(r, s, key, run, n, values, room);
  for (int k = 1; k < TRIES && is_made(r, s, run); k++)
    propose_once(r, s, turn_around(key, s->naxes + k), run, n, values, room);
  while (is_finite(s) && is_made(r, s, run)) step_on(sweep_at(r, s, run), s);
  for (int i = 0; i < s->naxes; i++)
    if (s->axes[i].all >= 0) reg_number_put(r->store[s->axes[i].all], REG_F64, run, sweep_at(r, s, run)[i]);
}
