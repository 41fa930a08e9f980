// A training's model with trained weights, for commands that make something of it.
#ifndef DRIVER_TRAINED_H
#define DRIVER_TRAINED_H
#include "program_table.h"

typedef struct Trained {
  const reg_train *train;
  void **params, **states; // in its order; NULL: a state that no prediction reads
} Trained;

// The training called --model, or the only one, with the weights of --weights. Told where there is none such,
// or where it cannot predict from the columns of its data alone.
int trained_load(ProgramTable *t, Trained *out);
#endif
