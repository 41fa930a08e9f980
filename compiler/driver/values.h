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
double element_at(const void *data, DType t, int64_t i);              // of an array as it lies in memory
const Tensor *tensor_find(const Tensor *ts, int n, const char *name); // NULL where there is none

// `out`: one for each output of g, filled in. Inputs that g has must be among `in`. Like all that run here:
// REG_OK, or the fault that ended it, in `st`.
int run_interpreted(Arena *a, const Graph *g, const Tensor *in, int nin, Tensor *out, reg_status *st);
// Compiled, its inputs filled in: may run any number of times.
typedef struct Prepared {
  Arena *arena;
  const LoopFn *loops;
  CompiledFn fn;
  void **slots;
  struct reg_ctx *ctx;
} Prepared;
int prepared_new(Pipeline *p, const Graph *g, const Tensor *in, int nin, Prepared *r, reg_status *st);
void prepared_fill(const Prepared *r, const Tensor *in, int nin); // anew, before it runs again
int prepared_run(const Prepared *r, reg_status *st);
void prepared_read(const Prepared *r, Tensor *out); // one for each output of the graph
void prepared_free(Prepared *r);
// run_interpreted by the backend's code with `threads` threads.
int run_compiled(Pipeline *p, const Graph *g, const Tensor *in, int nin, Tensor *out, reg_status *st);
// cmd_gradcheck.c: one `check` statement; EXIT_OK where it holds.
int gradcheck_run(Pipeline *p, const Ast *check);
#endif
