// How far floats may be from exact arithmetic, as graph.
#ifndef DRIVER_ROUNDING_H
#define DRIVER_ROUNDING_H
#include "../graph/graph.h"

// floats: the type of the program's numbers; f64 beside f32 are its numbers of time.
// A node of g, f32 and of n's shape: a bound on |computed n - exact n|, where the operands are off by at most
// bound[i] (NULL: they are exact). NULL where n is exact then.
Node *rounding_bound(Graph *g, const Node *n, Node *const *bound, DType floats);
// g with another output bound:NAME, f32 and of its shape, for each output NAME. Inputs are exact.
Graph *rounding_graph(Arena *a, const Graph *g, DType floats);
#endif
