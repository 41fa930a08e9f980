// In: a graph. Out: one in which transposes stand as close to their users as they can, so that a matrix
// product finds them directly on its operand and reads it transposed:  f(x^T) = f(x)^T;  (x y)^T = y^T x^T
// where the product has no other user. A product over a single element becomes pointwise.
#include "../graph/ops.h"
#include "all.h"

static bool same_perm(const Node *x, const Node *y) {
  for (int i = 0; i < x->nattr; i++)
    if (x->attr[i] != y->attr[i]) return false;
  return true;
}

// Operand x before the transpose `turned`: another transpose alike, or something that is turned for nothing.
static Node *unturn(Graph *g, Node *x, const Node *turned) {
  double c;
  int inverse[MAX_RANK];
  if (x->op == OP_TRANSPOSE) return same_perm(x, turned) ? x->in[0] : NULL;
  if (!node_splat(x, &c) && !(x->op == OP_BROADCAST && x->nattr <= 1)) return NULL;
  for (int i = 0; i < turned->nattr; i++) inverse[turned->attr[i]] = i;
  return graph_transpose(g, x, inverse);
}

static Node *turn_pointwise(const Rewrite *r) {
  const Node *turned = NULL;
  Node *in[3];
  int perm[MAX_RANK];
  for (int k = 0; k < r->old->nin && !turned; k++)
    if (r->in[k]->op == OP_TRANSPOSE) turned = r->in[k];
  if (!turned) return NULL;
  for (int k = 0; k < r->old->nin; k++)
    if (!(in[k] = unturn(r->g, r->in[k], turned))) return NULL;
  for (int i = 0; i < turned->nattr; i++) perm[i] = (int)turned->attr[i];
  Node before = *r->old;
  before.in = in;
  before.shape = turned->in[0]->shape;
  return graph_transpose(r->g, graph_rebuild(r->g, &before, in), perm);
}

static bool swaps_last(const Node *n) {
  const int rank = n->nattr;
  for (int i = 0; i < rank - 2; i++)
    if (n->attr[i] != i) return false;
  return n->attr[rank - 1] == rank - 2;
}

// A product over one element is pointwise: it joins its consumers, where a call would write it out.
static Node *outer_product(const Rewrite *r) {
  Node *x = r->in[0], *y = r->in[1];
  const int rank = x->shape.rank;
  if (x->shape.dim[rank - 1] != 1) return NULL;
  Shape rows = x->shape, columns = y->shape;
  int row_axes[MAX_RANK], column_axes[MAX_RANK];
  rows.rank = columns.rank = rank - 1;
  columns.dim[rank - 2] = y->shape.dim[rank - 1];
  for (int i = 0; i < rank - 1; i++) row_axes[i] = column_axes[i] = i;
  column_axes[rank - 2] = rank - 1;
  x = graph_broadcast(r->g, graph_reshape(r->g, x, rows), r->old->shape, row_axes);
  y = graph_broadcast(r->g, graph_reshape(r->g, y, columns), r->old->shape, column_axes);
  return graph_binary(r->g, OP_MUL, x, y);
}

static Node *turn(const Rewrite *r) {
  OpClass class = op_info[r->old->op].class;
  if (r->old->op == OP_MATMUL) return outer_product(r);
  if (class == CLASS_POINTWISE || class == CLASS_COMPARE) return turn_pointwise(r);
  if (r->old->op != OP_TRANSPOSE || r->in[0]->op != OP_MATMUL || !swaps_last(r->old)) return NULL;
  if (r->uses[r->old->in[0]->id] != 1) return NULL;
  const Node *product = r->in[0];
  Node *x = graph_swap(r->g, product->in[1]), *y = graph_swap(r->g, product->in[0]);
  return graph_matmul(r->g, x, y);
}

Graph *pass_turn(Arena *a, const Graph *g) { return rewrite_graph(a, g, turn); }
