// The duality gap. In: a point w with the slope u of the loss there. Out: how far its objective may be above
// the least one. By Fenchel's inequality -loss*(t u) + t <u, offset> - penalty*(-t F'u) is a lower bound for
// each t; t is the largest in 0..1 for which it is finite. A parameter that nothing restrains counts as one
// in an interval around its value: the gap is that to all points there. Boyd & Vandenberghe 2004,
// sections 3.3 and 5.1; for l1 Kim, Koh, Lustig, Boyd & Gorinevsky 2007.
#include "solve/solve.h"
#include <math.h>
#include <string.h>

// A set of elements of w: all of a block whose singular values are restrained, the whole slice of a norm,
// else one.
typedef struct Slice {
  int64_t first, count, stride;
} Slice;

static int64_t slices(const Solve *s, const SolveBlock *b) {
  if (b->part[PART_SINGULAR] > 0) return 1;
  return b->part[PART_NORMS] == 0 ? b->columns * s->c : b->axis == 0 ? s->c : b->columns;
}

static Slice slice(const Solve *s, const SolveBlock *b, int64_t i) {
  const int64_t at = b->first * s->c;
  if (b->part[PART_SINGULAR] > 0) return (Slice){at, b->columns * s->c, 1};
  if (b->part[PART_NORMS] == 0) return (Slice){at + i, 1, 1};
  return b->axis == 0 ? (Slice){at + i, b->columns, s->c} : (Slice){at + i * s->c, s->c, 1};
}

static double norm_of(const double *x, Slice l) {
  double sum = 0;
  for (int64_t k = 0; k < l.count; k++) sum += x[l.first + k * l.stride] * x[l.first + k * l.stride];
  return sqrt(sum);
}

double solve_penalty(const Solve *s, const double *w) {
  double sum = 0;
  for (int i = 0; i < s->nblocks; i++) {
    const SolveBlock *b = &s->blocks[i];
    double absolute = 0, square = 0, norms = 0;
    for (int64_t k = b->first * s->c; k < (b->first + b->columns) * s->c; k++)
      absolute += fabs(w[k]), square += w[k] * w[k];
    for (int64_t k = 0; b->part[PART_NORMS] > 0 && k < slices(s, b); k++) norms += norm_of(w, slice(s, b, k));
    const double *values;
    const int count =
        b->part[PART_SINGULAR] > 0 ? spectrum_values(b->spectrum, w + b->first * s->c, &values) : 0;
    for (int k = 0; k < count; k++) sum += b->part[PART_SINGULAR] * values[k];
    sum +=
        b->part[PART_ABSOLUTE] * absolute + b->part[PART_SQUARE] * square / 2 + b->part[PART_NORMS] * norms;
  }
  return sum;
}

// The norm of what is left of t g behind a soft threshold.
static double beyond(const Solve *s, const SolveBlock *b, Slice l, double t) {
  double sum = 0;
  for (int64_t k = 0; k < l.count; k++) {
    const double x = t * fabs(s->gradient[l.first + k * l.stride]) - b->part[PART_ABSOLUTE];
    if (x > 0) sum += x * x;
  }
  return sqrt(sum);
}

// In which direction w goes on for ever where the gradient draws it, and nothing but a penalty holds it.
static bool is_open(const Solve *s, const SolveBlock *b, Slice l) {
  if (!b->low) return true;
  const int64_t i = l.first - b->first * s->c;
  return s->gradient[l.first] > 0 ? isinf(b->low[i]) : isinf(b->high[i]);
}

// The largest t in 0..most for which t g, of a slice that is drawn to 0, does not draw it away from there; it
// grows with t.
static double held(const Solve *s, const SolveBlock *b, Slice l, double most) {
  const double *values;
  if (!is_open(s, b, l)) return most;
  if (b->part[PART_SINGULAR] > 0) {
    spectrum_values(b->spectrum, s->gradient + l.first, &values);
    return most * values[0] > b->part[PART_SINGULAR] ? b->part[PART_SINGULAR] / values[0] : most;
  }
  if (beyond(s, b, l, most) <= b->part[PART_NORMS]) return most;
  if (l.count == 1) return (b->part[PART_ABSOLUTE] + b->part[PART_NORMS]) / fabs(s->gradient[l.first]);
  double low = 0, high = most;
  if (b->part[PART_ABSOLUTE] == 0) return b->part[PART_NORMS] / norm_of(s->gradient, l);
  for (int k = 0; k < 60 && high - low > 1e-15 * high; k++) {
    const double middle = (low + high) / 2;
    if (beyond(s, b, l, middle) <= b->part[PART_NORMS])
      low = middle;
    else
      high = middle;
  }
  return low;
}

// The largest t in 0..most for which the slice's penalty has a conjugate.
static double largest(const Solve *s, const SolveBlock *b, Slice l, double most) {
  return b->part[PART_SQUARE] > 0 || is_free(b) ? most : held(s, b, l, most);
}

static double urgency(const Solve *s, const SolveBlock *b, Slice l) {
  const bool drawn = b->part[PART_ABSOLUTE] > 0 || b->part[PART_NORMS] > 0 || b->part[PART_SINGULAR] > 0;
  for (int64_t k = 0; k < l.count; k++)
    if (s->w[l.first + k * l.stride] != 0) return INFINITY;
  return drawn ? 1 / held(s, b, l, 1 / LEAST_URGENCY) : INFINITY;
}

void solve_urgencies(const Solve *s, double *out) {
  memset(out, 0, (size_t)s->p * sizeof *out);
  for (int i = 0; i < s->nblocks; i++) {
    const SolveBlock *b = &s->blocks[i];
    for (int64_t k = 0; k < slices(s, b); k++) {
      const Slice l = slice(s, b, k);
      const double u = urgency(s, b, l);
      for (int64_t j = 0; j < l.count; j++) {
        double *of = &out[(l.first + j * l.stride) / s->c];
        *of = fmax(*of, u);
      }
    }
  }
}

static double soft(double x, double t) { return x > t ? x - t : x < -t ? x + t : 0; }

// The largest x w - absolute |w| - square w^2 / 2 of the w in the box; of one that nothing restrains, in an
// interval around where it is.
static double within(const Solve *s, const SolveBlock *b, Slice l, double x) {
  const int64_t i = l.first - b->first * s->c;
  const double w = s->w[l.first], a = b->part[PART_ABSOLUTE], square = b->part[PART_SQUARE], v = soft(x, a);
  double low = b->low ? b->low[i] : -INFINITY, high = b->low ? b->high[i] : INFINITY;
  if (is_free(b)) {
    low = fmax(low, w - (1 + fabs(w)));
    high = fmin(high, w + (1 + fabs(w)));
  }
  double best = square > 0 ? v / square : v > 0 ? high : v < 0 ? low : 0;
  if (isinf(best)) best = 0; // x is beyond `absolute` by rounding
  best = fmin(fmax(best, low), high);
  return x * best - a * fabs(best) - square * best * best / 2;
}

// The conjugate of the slice's penalty at -t g.
static double conjugate(const Solve *s, const SolveBlock *b, Slice l, double t) {
  if (is_free(b) || b->low) return within(s, b, l, -t * s->gradient[l.first]);
  if (b->part[PART_SQUARE] == 0) return 0;
  if (b->part[PART_SINGULAR] > 0) {
    const double *values;
    const int count = spectrum_values(b->spectrum, s->gradient + l.first, &values);
    double sum = 0;
    for (int k = 0; k < count; k++) sum += pow(fmax(t * values[k] - b->part[PART_SINGULAR], 0), 2);
    return sum / (2 * b->part[PART_SQUARE]);
  }
  const double x = beyond(s, b, l, t) - b->part[PART_NORMS];
  return x > 0 ? x * x / (2 * b->part[PART_SQUARE]) : 0;
}

// The largest t in 0..1 for which the bound is finite.
static double largest_of_all(const Solve *s) {
  double t = 1;
  for (int i = 0; i < s->nblocks; i++)
    for (int64_t k = 0; k < slices(s, &s->blocks[i]); k++)
      t = largest(s, &s->blocks[i], slice(s, &s->blocks[i], k), t);
  return t;
}

static double conjugate_of_all(const Solve *s, double t) {
  double sum = 0;
  for (int i = 0; i < s->nblocks; i++)
    for (int64_t k = 0; k < slices(s, &s->blocks[i]); k++)
      sum += conjugate(s, &s->blocks[i], slice(s, &s->blocks[i], k), t);
  return sum;
}

double solve_gap(Solve *s) {
  const double objective = smooth_loss(s) + solve_penalty(s, s->w), t = largest_of_all(s);
  double bound = -conjugate_of_all(s, t);
  for (int64_t i = 0; i < s->n * s->c; i++) {
    s->point[i] = t * s->slope[i];
    if (s->offset) bound += s->point[i] * s->offset[i];
  }
  if (s->dual(s->user)) return INFINITY;
  bound -= *s->conjugate;
  for (int64_t i = 0; s->within && i < s->n * s->c; i++) {
    const double d = s->point[i] - s->multipliers[i];
    bound -= *s->step / 2 * d * d;
  }
  bool interval = false; // the bound is for an interval around w, and for no other
  for (int i = 0; i < s->nblocks; i++) interval |= is_free(&s->blocks[i]);
  if (interval || bound > s->least) s->least = bound;
  return objective - s->least;
}

// loss(z) = loss(0) + <F'u(0) + F'u, w> / 2, as its slope u is linear. loss*(t u) is quadratic in t: at 1 it
// is <u, z> - loss(z) and grows by <u, z>, and <u, z> = <F'u, w>.
double solve_gap_by_products(const Solve *s) {
  double along = 0, before = 0;
  for (int64_t j = 0; j < s->p; j++) {
    along += s->gradient[j] * s->w[j];
    before += s->base[j] * s->w[j];
  }
  const double loss = s->value_at_zero + (before + along) / 2, t = largest_of_all(s);
  const double bend = loss + s->conjugate_at_zero,
               dual = (bend * t + along - 2 * bend) * t + s->conjugate_at_zero;
  return loss + solve_penalty(s, s->w) + dual + conjugate_of_all(s, t);
}
