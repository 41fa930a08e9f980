// Factorizations of matrices with elements below 1, and of what these make with the identity added: well
// conditioned. Vectors of eigenvalues are left out: they jump; so are derivatives, which are large where
// values are near each other: the tests of ad have them.
#include "random_graph.h"

Node *random_factor(Graph *g, Node *x, int which) {
  const int r = x->shape.rank;
  if (r < 2 || x->shape.dim[r - 1] > 16 || x->shape.dim[r - 2] > 16) return NULL;
  x = graph_unary(g, OP_TANH, x);
  Shape s = x->shape;
  s.dim[r - 1] = s.dim[r - 2];
  Node *row = graph_iota(g, r - 2, DT_I32, s), *column = graph_iota(g, r - 1, DT_I32, s);
  Node *identity = graph_cast(g, graph_binary(g, OP_EQ, row, column), x->dtype);
  Node *square = graph_binary(g, OP_ADD, graph_matmul(g, x, graph_swap(g, x)), identity), *out;
  switch (which) {
  case 0: out = graph_factor(g, OP_CHOLESKY, square, "f"); break;
  case 1: out = graph_solve(g, square, x, "f"); break;
  case 2:
  case 3: out = graph_trisolve(g, square, x, which == 2, "f"); break;
  case 4: out = graph_part(g, graph_factor(g, OP_QR, square, "f"), 1); break;
  case 5: out = graph_part(g, graph_factor(g, OP_EIGH, square, "f"), 0); break;
  default: out = graph_part(g, graph_factor(g, OP_SVD, x, "f"), 1);
  }
  return graph_stop(g, out);
}
