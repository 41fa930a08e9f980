// What passes share: copying a graph through the simplifying builder, with a rule that may put something else
// in a node's place.
#ifndef PASSES_REWRITE_H
#define PASSES_REWRITE_H
#include "passes.h"

typedef struct Rewrite {
  Graph *g;        // the new graph
  const Node *old; // a node of the old one
  Node *const *in; // its operands, already in the new graph
  const int *uses; // of each old node, by live nodes and outputs
  const Graph *from;
  Node ***parts; // by id of an old loop, where a rule made another of it: what stands for its results
} Rewrite;
// The node to stand for `old`, of its type and shape, or NULL to keep the operation.
typedef Node *(*RewriteRule)(const Rewrite *r);

Graph *rewrite_graph(Arena *a, const Graph *g, RewriteRule rule);

// A broadcast of one number, or a splat constant; the number is in *s.
bool scalar_everywhere(Graph *g, Node *x, Node **s);
#endif
