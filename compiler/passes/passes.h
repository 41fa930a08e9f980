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

// draws: NULL: there are none, or more than `most` elements, and rest is the graph itself. Else its outputs,
// and the inputs of the rest that they are, are ports of `kind`. `is_time`: the same for all that make a
// step.
typedef struct Drawn {
  const Graph *draws, *rest;
} Drawn;
Drawn graph_drawn_apart(Arena *a, const Graph *g, bool (*is_time)(Port), int kind, int64_t most);
#endif
