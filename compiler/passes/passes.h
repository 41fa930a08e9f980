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

// The graph in two, for many sets of the inputs that are a set's own: `common`, the draws, is computed once
// for all, `own` for each. What own reads of common is an output there and an input here, its port (kind, 0),
// (kind, 1), ...
typedef struct Halves {
  Graph *common, *own;
} Halves;
Halves graph_halves(Arena *a, const Graph *g, bool (*is_own)(Port), int kind);
#endif
