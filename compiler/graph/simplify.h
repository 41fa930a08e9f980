// The halves of simplification at construction; see simplify.c for what holds.
#ifndef GRAPH_SIMPLIFY_H
#define GRAPH_SIMPLIFY_H
#include "ops.h"

Node *simplify_reduce(Graph *g, const Node *n); // simplify_shape.c
Node *simplify_shape(Graph *g, const Node *n);  // SHAPE, CONTRACT, INDEX
#endif
