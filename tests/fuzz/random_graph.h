// Random tensor graphs over all operations of ops.def. In: a number. Out: a graph and values of its inputs;
// the same number gives the same graph.
#ifndef FUZZ_RANDOM_GRAPH_H
#define FUZZ_RANDOM_GRAPH_H
#include "compiler/graph/ops.h"

typedef struct RandomGraph {
  Graph *g;
  bool wild;       // inputs hold NaN, infinities and numbers near the ends of the range
  double **inputs; // by node id; values that float32 holds
} RandomGraph;

RandomGraph random_graph(Arena *a, uint64_t number);
// A factorization of x's matrices, one of seven by `which`; NULL: x has none, or large ones
// (random_factor.c).
Node *random_factor(Graph *g, Node *x, int which);
// x, floats, and what is made of none of its elements, one of several by `which` >= 0; an output besides
// where `output`. NULL: x has no axes, or none that fits (random_empty.c).
Node *random_empty(Graph *g, Node *x, int which, bool output);
#endif
