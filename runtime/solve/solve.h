// Convex objectives of linear models: the least of
//
//   loss(z) + sum over blocks of (absolute |w|_1 + square |w|^2 / 2 + norms * sum of norms of w's slices
//                                 + singular * sum of w's singular values), with w between the ends of a box,
//
// z = offset + F w, to a duality gap. In: the columns of F, the strengths, functions for the loss, and where
// to start. Out: w. Holds: the result follows from these alone, on any number of threads.
#ifndef REG_SOLVE_H
#define REG_SOLVE_H
#include "ctx.h"
#include "solve/spectrum.h"
#include "support.h"

enum { PART_ABSOLUTE, PART_SQUARE, PART_NORMS, PART_SINGULAR, SOLVE_PARTS }; // as reg_block_slot

// Rows [first, first + columns) of w, which is [p, c].
typedef struct SolveBlock {
  int64_t first, columns;
  bool ones;                // its column is of ones
  int axis;                 // that the norms are along: 0 a slice for each output, 1 one for each column
  double part[SOLVE_PARTS]; // at least 0
  double *low, *high;       // [columns, c]: w is between these; NULL: anywhere
  Spectrum *spectrum;       // where singular values are restrained
} SolveBlock;

typedef enum SolveEnd { SOLVED, SOLVE_STOPPED, SOLVE_FAILED, SOLVE_TOO_LONG, SOLVE_UNBOUNDED } SolveEnd;
enum { SOLVE_GAPS = 64 }; // of the first blocks of passes these are kept

typedef struct Solve {
  reg_ctx *ctx;
  int64_t n, p, c; // rows, columns of F, outputs
  double *f;       // the columns of F one behind the other: [p, n]
  int nblocks;
  SolveBlock *blocks;
  const double *offset; // [n, c]; NULL: 0
  bool quadratic;       // the curvature is the same everywhere
  bool by_element;      // the loss is a sum over the elements of z
  // The loss where z is: *value, slope and curvature [n, c]; and its conjugate at `point`. 0, or what ended
  // it.
  int (*curve)(void *user);
  int (*dual)(void *user);
  bool (*stopped)(void *user); // asked between blocks of passes
  void *user;
  double *z, *slope, *curvature, *value;
  // Of a loss that is bent: its envelope at z, by a step and multipliers [n, c], of which slope and curvature
  // are; NULL: it is smooth.
  double *envelope, *step, *multipliers;
  double *point, *conjugate; // of `dual`: [n, c] in, and its number
  double *w;                 // [p, c]: where it starts, then the result
  double tolerance;          // the gap that is asked for, relative to the objective at w = 0
  int64_t most;              // passes
  // Kept from one solution to the next of the same F: its means, and F F'.
  double *mean, *gram, *base;              // base: [p, c] the gradient at w = 0
  double bend;                             // the curvature in `gram`
  double *from;                            // [n, c]: the slope that `base` is of
  double value_at_zero, conjugate_at_zero; // the loss at w = 0, and its conjugate at slope 0
  double *part;                            // for a factorization of as many of its products as are factored
  // What came of it: the gap, relative as above; passes made; elements of w that are not 0.
  double gap;
  int64_t passes, active;
  int64_t ngaps;
  double gaps[SOLVE_GAPS];
  // Working memory, from `heap`.
  Heap *heap;
  double *gradient; // [p, c] of the loss by w
  double least;     // the best lower bound so far
  double scale;     // the objective at w = 0
  bool ready;       // `gram` holds them
  double floor;     // the least curvature of a row in models of what is straight in parts
  bool within;      // the envelope is minimized, in the loss's place
} Solve;

// Columns are moved to mean 0 where a bias that nothing restrains makes up for it. False: no memory.
bool solve_prepare(Solve *s);
SolveEnd solve_run(Solve *s);

// -- private to this room

static inline bool is_free(const SolveBlock *b) {
  return b->part[PART_ABSOLUTE] == 0 && b->part[PART_SQUARE] == 0 && b->part[PART_NORMS] == 0 &&
         b->part[PART_SINGULAR] == 0;
}
// The block's i-th element inside of its box.
static inline double boxed(const SolveBlock *b, int64_t i, double w) {
  if (!b->low) return w;
  return w < b->low[i] ? b->low[i] : w > b->high[i] ? b->high[i] : w;
}
const SolveBlock *block_of(const Solve *s, int64_t column);
// There is one output, and few of w are not 0: their columns alone are summed, out = sum of w_j column j,
// each of n.
bool solve_is_sparse(const Solve *s);
void solve_sum_columns(const Solve *s, const double *columns, int64_t n, double *out);
void solve_predict(Solve *s); // z at w
// out [p, p]: the products with each other of p columns f, of n elements each.
void solve_squares(reg_ctx *ctx, int64_t p, int64_t n, const double *f, double *out);
// Loss and gradient at w; 0, or what ended it.
int solve_evaluate(Solve *s);
double solve_penalty(const Solve *s, const double *w);
// The gap at w, where solve_evaluate was; INFINITY where the dual has no value there.
double solve_gap(Solve *s);
// The same at a w of which only `gradient` is known, by products of columns: of a quadratic loss, one output,
// and no offset. Where columns are nearly dependent it is rounding: solve_gap has the last word.
double solve_gap_by_products(const Solve *s);
// Of each column, how near the slice of it that is nearest to leaving 0 is to that: from 1 on it does; of one
// that is not 0, or not drawn to it: infinite. At least LEAST_URGENCY, or 0.
void solve_urgencies(const Solve *s, double *out);
#define LEAST_URGENCY 0.5
SolveEnd solve_by_coordinates(Solve *s);
SolveEnd solve_by_gradients(Solve *s);
SolveEnd solve_by_splitting(Solve *s, bool by_coordinates);
static inline double smooth_loss(const Solve *s) { return s->within ? *s->envelope : *s->value; } // at z
// Notes the gap; true where it is small enough.
bool solve_reached(Solve *s);
#endif
