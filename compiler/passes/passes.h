// Graph-to-graph passes. passes.def is the pipeline: PASS(name, sentence, function), run in that order.
#ifndef PASSES_PASSES_H
#define PASSES_PASSES_H
#include "../graph/graph.h"

typedef Graph *(*PassFn)(Arena *a, const Graph *g); // a new graph; the old one stays valid
typedef struct Pass {
  const char *name, *sentence;
  PassFn run;
} Pass;
extern const Pass passes[];
extern const int npasses;

// Runs the pipeline; `level` 0 runs only what the later stages rely on. With `verify`, the verifier runs
// after every pass and a failure is an internal error that names the pass.
Graph *passes_run(Arena *a, const Graph *g, int level, bool verify);
#endif
