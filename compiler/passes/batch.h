// A body done for many sets of inputs at once, along a first axis more.
#ifndef PASSES_BATCH_H
#define PASSES_BATCH_H
#include "../graph/ops.h"

typedef struct Batch {
  Graph *g;
  int64_t n; // sets
  const Graph *body;
  Node **image; // by id of the body's nodes: in g
  bool *many;   // by id: the image has the axis
} Batch;

// Fills in the images of all nodes but the inputs, which are given. False where an operation has no rule.
bool batch_body(Batch *b);
// Whether batch_body would succeed, from `many` of the inputs; fills in `many` of the other nodes.
bool batch_can(const Graph *body, bool *many);
// The image with the axis: repeated where it has none.
Node *batch_whole(Batch *b, const Node *n);
#endif
