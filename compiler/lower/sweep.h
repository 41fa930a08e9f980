// Private to lower/: a sweep while it is elaborated, and afterwards, for what is asked of its runs.
#ifndef LOWER_SWEEP_H
#define LOWER_SWEEP_H
#include "stages.h"

// The statements of the runs with certain values on the axes that are compiled in; on the others these have
// the first one.
typedef struct Variant {
  const int *at;     // of each axis the index of its value
  StageScope *scope; // what its statements have bound
  const Ast *body;   // with definitions of its own
  int first, end;    // trainings
} Variant;

// Values that were drawn, with which the statements are wrong.
typedef struct Refused {
  const int *at;
  const char *why;
} Refused;

typedef struct SweepBuild {
  StageScope *around;
  VEC(Variant) variants;
  VEC(Refused) refused;
} SweepBuild;

// The ends of an axis of numbers.
typedef struct Spaced {
  double low, high;
  bool log_scale, whole;
  const Ast *count; // as many numbers; NULL: not given
} Spaced;

// -- axes.c
bool sweep_axes(Stages *s, LowerSweep *sweep); // false after a mistake
bool axis_numbers(Stages *s, LowerAxis *x, const Ast *source, const double *numbers, int n);
double spaced_number(const Spaced *x, double share); // evenly, or by even factors

// -- drawn.c
void sweep_ends(Stages *s, LowerSweep *sweep); // no more runs than there are combinations
bool sweep_draw(Stages *s, LowerSweep *sweep); // the values of each run; false after a mistake

enum { MOST_VALUES = 1000000 };

// -- searched.c
bool sweep_number(Stages *s, const char *of, const Ast *e, double *out); // known while compiling
bool sweep_trials(Stages *s, LowerSweep *sweep);                         // `by …`; false after a mistake
bool sweep_judged(Stages *s, LowerSweep *sweep);     // what it is judged by, when it is known what is kept
int sweep_values(const LowerSweep *s);               // combinations of values on the axes
bool sweep_searchable(Stages *s, LowerSweep *sweep); // no axis of a range is compiled in; else false

// -- views.c
// Which number of the runs `by` is, and in which sense it is better.
bool sweep_column(Stages *s, const LowerSweep *sweep, const Ast *by, const Ast *higher, int *index,
                  bool *is_higher);

// -- kept.c
void sweep_columns(Stages *s, LowerSweep *sweep); // the numbers that all runs have, for the table
#endif
