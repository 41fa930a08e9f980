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

typedef struct SweepBuild {
  StageScope *around;
  VEC(Variant) variants;
} SweepBuild;

// -- axes.c
bool sweep_axes(Stages *s, LowerSweep *sweep); // false after a mistake

// -- kept.c
void sweep_columns(Stages *s, LowerSweep *sweep); // the numbers that all runs have, for the table
#endif
