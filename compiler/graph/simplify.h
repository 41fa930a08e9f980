// The halves of simplification at construction; see simplify.c for what holds.
#ifndef GRAPH_SIMPLIFY_H
#define GRAPH_SIMPLIFY_H
#include "ops.h"

bool node_finite(const Node *n); // no element can be infinite or NaN, whatever the inputs
bool moderate(double c);         // a constant that may move through products and sums of unknown size
Node *simplify_reduce(Graph *g, const Node *n); // simplify_shape.c
Node *simplify_shape(Graph *g, const Node *n);  // SHAPE, CONTRACT, INDEX
#endif
