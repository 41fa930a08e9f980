// What the rules of factorizations say of the matrices in the last two axes. In: nodes. Out: nodes of one
// type with them. Holds: nothing here is infinite where values are equal or 0.
#include "rules.h"

static Node *number(const Rule *r, double v) { return graph_const_typed(r->g, v, r->type, (Shape){0}); }

static Node *zeros(const Rule *r, Shape s) { return graph_const_typed(r->g, 0, r->type, s); }

// Whether an element's row is `op` its column.
static Node *places(const Rule *r, Op op, Shape s) {
  Node *row = graph_iota(r->g, s.rank - 2, DT_I32, s), *col = graph_iota(r->g, s.rank - 1, DT_I32, s);
  return graph_binary(r->g, op, row, col);
}

Node *matrix_low(const Rule *r, Node *v) {
  Node *half = graph_binary(r->g, OP_MUL, v, number(r, 0.5));
  Node *below = graph_select(r->g, places(r, OP_LT, v->shape), zeros(r, v->shape), v);
  return graph_select(r->g, places(r, OP_EQ, v->shape), half, below);
}

Node *matrix_triangle(const Rule *r, Node *v) {
  Node *row = graph_iota(r->g, v->shape.rank - 2, DT_I32, v->shape),
       *col = graph_iota(r->g, v->shape.rank - 1, DT_I32, v->shape);
  Node *outside = r->n->attr[0] ? graph_binary(r->g, OP_LT, row, col) : graph_binary(r->g, OP_LT, col, row);
  return graph_select(r->g, outside, zeros(r, v->shape), v);
}

Node *matrix_both(const Rule *r, Node *v) { return graph_binary(r->g, OP_ADD, v, graph_swap(r->g, v)); }

Node *matrix_symmetric(const Rule *r, Node *v) {
  return graph_binary(r->g, OP_MUL, matrix_both(r, v), number(r, 0.5));
}

Node *matrix_skew(const Rule *r, Node *v) {
  return graph_binary(r->g, OP_MUL, graph_binary(r->g, OP_SUB, v, graph_swap(r->g, v)), number(r, 0.5));
}

// [.., n] as columns (w_j at [.., i, j]), or as rows, of matrices with m of them.
static Node *repeated(const Rule *r, Node *w, int64_t m, bool along_rows) {
  Shape s = w->shape;
  int axes[MAX_RANK];
  const int at = s.rank - 1;
  for (int i = 0; i < at; i++) axes[i] = i;
  axes[at] = along_rows ? at : at + 1;
  s.dim[s.rank++] = s.dim[at];
  s.dim[along_rows ? at + 1 : at] = m;
  return graph_broadcast(r->g, w, s, axes);
}

static int64_t last(const Node *n) { return n->shape.dim[n->shape.rank - 1]; }

Node *matrix_on_diagonal(const Rule *r, Node *v) {
  Node *all = repeated(r, v, last(v), false);
  return graph_select(r->g, places(r, OP_EQ, all->shape), all, zeros(r, all->shape));
}

// 1 / d; 0 where the size of d is rounding beside the largest of w.
static Node *inverse(const Rule *r, Node *d, Node *w) {
  const double rounding = r->type == DT_F64 || r->g->doubles ? 0x1p-46 : 0x1p-20;
  Node *size = graph_unary(r->g, OP_ABS, w);
  Node *most = graph_reduce(r->g, OP_RMAX, size, (int[]){w->shape.rank - 1}, 1);
  int axes[MAX_RANK];
  for (int i = 0; i < most->shape.rank; i++) axes[i] = i;
  Node *limit = graph_broadcast(r->g, graph_binary(r->g, OP_MUL, most, number(r, rounding)), d->shape, axes);
  Node *none = graph_binary(r->g, OP_LE, graph_unary(r->g, OP_ABS, d), limit);
  Node *some = graph_select(r->g, none, number(r, 1), d);
  return graph_select(r->g, none, number(r, 0), graph_binary(r->g, OP_DIV, number(r, 1), some));
}

static Node *pairs(const Rule *r, Op op, Node *w) {
  return graph_binary(r->g, op, repeated(r, w, last(w), false), repeated(r, w, last(w), true));
}

Node *matrix_gaps(const Rule *r, Node *w) { return inverse(r, pairs(r, OP_SUB, w), w); }

Node *matrix_sums(const Rule *r, Node *w) { return inverse(r, pairs(r, OP_ADD, w), w); }

Node *matrix_over(const Rule *r, Node *v, Node *w) {
  Node *factor = repeated(r, inverse(r, w, w), v->shape.dim[v->shape.rank - 2], false);
  return graph_binary(r->g, OP_MUL, v, factor);
}

Node *matrix_outside(const Rule *r, Node *u, Node *v) {
  if (last(u) == u->shape.dim[u->shape.rank - 2]) return &rule_absent;
  Node *inside = graph_matmul(r->g, u, graph_matmul(r->g, graph_swap(r->g, u), v));
  return graph_binary(r->g, OP_SUB, v, inside);
}

Node *matrix_solve_upper(const Rule *r, Node *u, Node *v) {
  return graph_trisolve(r->g, u, v, false, r->n->name);
}

Node *matrix_solve_back(const Rule *r, Node *v) {
  return graph_trisolve(r->g, graph_swap(r->g, r->n->in[0]), v, !r->n->attr[0], r->n->name);
}

Node *matrix_solve_across(const Rule *r, Node *v) {
  return graph_solve(r->g, graph_swap(r->g, r->n->in[0]), v, r->n->name);
}
