// What the rows of reg/calls.def are written in, for the two files that read them: sizes of a node's tensor.
#ifndef LOOPS_CALLS_H
#define LOOPS_CALLS_H
#include "loops.h"

static inline int64_t size(const Node *n, int64_t axis) { return n->shape.dim[axis]; }

static inline int64_t last(const Node *n, int k) { return n->shape.dim[n->shape.rank - k]; }

static inline int64_t count(const Node *n) { return shape_count(n->shape); }

static inline int64_t between(const Node *n, int from, int to) {
  int64_t p = 1;
  for (int i = from; i < to; i++) p *= n->shape.dim[i];
  return p;
}

static inline int64_t outer(const Node *n, int k) { return between(n, 0, k < 0 ? n->shape.rank + k : k); }

static inline int64_t inner(const Node *n, int k) {
  return between(n, k < 0 ? n->shape.rank + k : k, n->shape.rank);
}
#endif
