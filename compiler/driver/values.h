// Running one graph on given arrays, compiled or interpreted: for `regc eval` and `regc gradcheck`.
#ifndef DRIVER_VALUES_H
#define DRIVER_VALUES_H
#include "pipeline.h"

// Elements as doubles whatever the type; a graph's input or output by its name.
typedef struct Tensor {
  const char *name;
  DType dtype;
  Shape shape;
  double *data;
} Tensor;

Tensor tensor_scalar(Arena *a, const char *name, DType t, double value);
Tensor tensor_seed(Arena *a, uint64_t seed);                          // "seed": i32[2]
void tensor_round(Tensor *t);                                         // to what float32 holds
const Tensor *tensor_find(const Tensor *ts, int n, const char *name); // NULL where there is none

// `out`: one for each output of g, filled in. Inputs that g has must be among `in`.
void run_interpreted(Arena *a, const Graph *g, const Tensor *in, int nin, Tensor *out);
// The same by the backend's code with `threads` threads; false and a message where it fails.
bool run_compiled(Pipeline *p, const Graph *g, const Tensor *in, int nin, Tensor *out, const char **error);
#endif
