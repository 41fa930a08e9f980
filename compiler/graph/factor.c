// Factorizations. In: an operation on the matrices in the last two axes. Out: the shapes of its results, or
// the law that is broken; its node. Holds: leading axes are a batch, the same for both operands.
#include "ops.h"

static Shape matrices(Shape batch, int64_t rows, int64_t cols) {
  batch.dim[batch.rank - 2] = rows;
  batch.dim[batch.rank - 1] = cols;
  return batch;
}

static Shape vectors(Shape batch, int64_t n) {
  batch.dim[--batch.rank - 1] = n;
  return batch;
}

static const char *infer_solve(Arena *a, Node *n) {
  const Shape x = n->in[0]->shape, y = n->in[1]->shape;
  if (n->in[1]->dtype != n->in[0]->dtype) return "operand types differ";
  if (y.rank != x.rank) return "operand ranks differ";
  for (int i = 0; i < x.rank - 1; i++)
    if (x.dim[i] != y.dim[i])
      return arena_printf(a, "%s and %s do not fit", shape_text(a, x), shape_text(a, y));
  if (n->op == OP_TRISOLVE && (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] > 1)) return "lower is 0 or 1";
  n->shape = y;
  return NULL;
}

static void results(Arena *a, Node *n, int count, const Shape *shapes) {
  TensorType *out = ARENA_ARRAY(a, TensorType, count);
  for (int k = 0; k < count; k++) out[k] = (TensorType){n->in[0]->dtype, shapes[k]};
  n->nout = count;
  n->out = out;
  n->dtype = DT_TUPLE;
  n->shape = (Shape){0};
}

const char *infer_factor(Arena *a, Node *n) {
  const Shape x = n->in[0]->shape;
  if (!n->name) return "it needs a place";
  if (!dtype_is_float(n->in[0]->dtype)) return "matrices are of floats";
  if (x.rank < 2) return "a matrix has two axes";
  const int64_t rows = x.dim[x.rank - 2], cols = x.dim[x.rank - 1], least = rows < cols ? rows : cols;
  if (n->op == OP_QR ? rows < cols : n->op != OP_SVD && rows != cols)
    return arena_printf(a, "%s is not %s", shape_text(a, x), n->op == OP_QR ? "tall" : "square");
  n->dtype = n->in[0]->dtype;
  n->shape = x;
  switch (n->op) {
  case OP_QR: results(a, n, 2, (Shape[]){x, matrices(x, cols, cols)}); return NULL;
  case OP_EIGH: results(a, n, 2, (Shape[]){vectors(x, cols), x}); return NULL;
  case OP_SVD:
    results(a, n, 3, (Shape[]){matrices(x, rows, least), vectors(x, least), matrices(x, cols, least)});
    return NULL;
  case OP_CHOLESKY: return NULL;
  default: return infer_solve(a, n);
  }
}

Node *graph_factor(Graph *g, Op op, Node *x, const char *place) {
  Node proto = {.op = op, .name = place, .in = &x, .nin = 1};
  return node_build(g, &proto);
}

Node *graph_solve(Graph *g, Node *x, Node *y, const char *place) {
  Node proto = {.op = OP_SOLVE, .name = place, .in = (Node *[]){x, y}, .nin = 2};
  return node_build(g, &proto);
}

Node *graph_trisolve(Graph *g, Node *x, Node *y, bool lower, const char *place) {
  const int64_t attr = lower;
  Node proto = {
      .op = OP_TRISOLVE, .name = place, .in = (Node *[]){x, y}, .nin = 2, .attr = &attr, .nattr = 1};
  return node_build(g, &proto);
}
