#ifndef REG_SOLVE_AHEAD_H
#define REG_SOLVE_AHEAD_H
#include "support.h"

enum { AHEAD_STEPS = 5 }; // that are looked at

typedef struct Ahead {
  double *points; // [2, AHEAD_STEPS + 1, most]
  int64_t most;   // numbers of a point, and of what depends on it
  int noted;
} Ahead;

bool ahead_take(Ahead *a, int64_t most, Heap *heap); // false: no memory
// The point behind a pass. True where there are enough.
bool ahead_note(Ahead *a, int64_t size, const double *w, int64_t line, const double *g);
// Where they lead to; false: nowhere. Begins anew.
bool ahead_reach(Ahead *a, int64_t size, double *w, int64_t line, double *g);
#endif
