// Index arithmetic: where in an operand lies what a node needs at one point of a loop nest.
//
// In: a node and the index at which it is wanted, each coordinate an affine expression of the nest's
// variables. Out: the index in each operand, and the conditions (of pad, unslide and concat) under which that
// operand is meant. Variables are the loops, and derived ones, floor(expression / divisor), which stand for
// what is not affine; they vanish again where addresses recombine.
#ifndef LOOPS_AFFINE_H
#define LOOPS_AFFINE_H
#include "../graph/graph.h"

enum { MAX_VARS = 20, MAX_GUARDS = 2 * MAX_RANK };

typedef struct Affine {
  int64_t base;
  int64_t coef[MAX_VARS];
} Affine;

typedef struct Index {
  int rank;
  Affine axis[MAX_RANK];
} Index;

typedef struct Var {
  int64_t size;    // values 0 .. size - 1
  int64_t divisor; // > 0: derived, floor(of / divisor)
  Affine of;
} Var;

typedef struct Vars {
  int n, nloops; // the first nloops are loops
  Var var[MAX_VARS];
} Vars;

// Holds where lo <= at < hi.
typedef struct Guard {
  Affine at;
  int64_t lo, hi;
} Guard;

Affine affine_const(int64_t c);
Affine affine_var(int v);
void affine_add(Affine *x, const Affine *y, int64_t factor);
bool affine_equal(const Affine *x, const Affine *y);
bool affine_is_const(const Affine *x);
// Least and greatest value over all values of the variables.
void affine_range(const Vars *v, const Affine *x, int64_t *lo, int64_t *hi);
Affine affine_divide(Vars *v, const Affine *x,
                     int64_t divisor); // floor(x / divisor), simplified or as a derived variable

bool index_equal(const Index *x, const Index *y);
// Row-major element number of an index in `s`.
Affine index_linear(Shape s, const Index *at);

// The index in operand k of the shape operation `n` (RESHAPE, TRANSPOSE, BROADCAST, SLICE, PAD, SLIDE,
// UNSLIDE, CONCAT). Conditions that can fail are put in `guards`; the result is their number, or -1 where no
// point of the nest lies in this operand.
int index_operand(Vars *v, const Node *n, int k, const Index *at, Index *out, Guard *guards);
#endif
