// Factorizations and linear systems. In: calls of built-in functions on the matrices in the last two axes.
// Out: nodes; several results are a tuple. Holds: what symmetric matrices are asked for is given the
// symmetric part.
#include "builtins.h"

enum { MOST_SMALLER = 1 << 14, MOST_LARGER = 1 << 24 }; // sides; LAPACK counts its working memory in 32 bits

static int64_t last(const Node *x, int k) { return x->shape.dim[x->shape.rank - k]; }

static Node *matrix(Cx *cx, const Args *a, bool square) {
  Node *x = value_floats(cx, a->v[0]);
  if (!x) return NULL;
  const bool two = x->shape.rank >= 2;
  const int64_t rows = two ? last(x, 2) : 1, cols = two ? last(x, 1) : 1;
  const char *needs = NULL;
  if (!two || (square && rows != cols)) needs = square ? "a square matrix" : "a matrix";
  if ((rows < cols ? rows : cols) > MOST_SMALLER || rows > MOST_LARGER || cols > MOST_LARGER)
    needs = arena_printf(cx->a, "a matrix of at most %d rows or columns", MOST_SMALLER);
  if (!needs) return x;
  diag_emit(&cx->s->diags, DIAG_bad_matrix, a->v[0]->span, builtin_info[a->b].name, needs,
            shape_text(cx->a, x->shape));
  return NULL;
}

static Node *symmetric(Cx *cx, Node *x) {
  Node *both = graph_binary(cx->g, OP_ADD, x, graph_swap(cx->g, x));
  return graph_binary(cx->g, OP_MUL, both, graph_const_typed(cx->g, 0.5, x->dtype, (Shape){0}));
}

static Value tuple(Cx *cx, Node *const *parts, int n, Span at) {
  Value v = {.kind = V_TUPLE, .span = at, .nitems = n, .items = ARENA_ARRAY(cx->a, Value, n)};
  for (int k = 0; k < n; k++) v.items[k] = v_tensor(parts[k], at);
  return v;
}

// Of a wide x the first columns give Q; the others are what Q makes of them.
static Value qr(Cx *cx, Node *x, Span at) {
  const int axis = x->shape.rank - 1;
  const int64_t rows = last(x, 2), cols = last(x, 1), square = rows < cols ? rows : cols;
  Node *first = axis_slice(cx, x, axis, 0, square);
  Node *pair = graph_factor(cx->g, OP_QR, first, run_place(cx, at));
  Node *q = graph_part(cx->g, pair, 0), *r = graph_part(cx->g, pair, 1);
  if (rows < cols) {
    Node *rest = graph_matmul(cx->g, graph_swap(cx->g, q), axis_slice(cx, x, axis, square, cols));
    r = graph_concat(cx->g, (Node *[]){r, rest}, 2, axis);
  }
  return tuple(cx, (Node *[]){q, r}, 2, at);
}

Value call_factor(Cx *cx, const Args *a) {
  Node *x = matrix(cx, a, a->b == B_CHOLESKY || a->b == B_EIGH), *parts[3];
  if (!x) return v_fail();
  const char *at = run_place(cx, a->at);
  if (a->b == B_QR) return qr(cx, x, a->at);
  if (a->b == B_CHOLESKY) return v_tensor(graph_factor(cx->g, OP_CHOLESKY, symmetric(cx, x), at), a->at);
  Node *all =
      a->b == B_SVD ? graph_factor(cx->g, OP_SVD, x, at) : graph_factor(cx->g, OP_EIGH, symmetric(cx, x), at);
  for (int k = 0; k < all->nout; k++) parts[k] = graph_part(cx->g, all, k);
  return tuple(cx, parts, all->nout, a->at);
}

// The batch that both stretch to; false where there is none.
static bool common_batch(Shape x, Shape y, Shape *out) {
  x.rank -= 2;
  y.rank -= 2;
  return shape_broadcast(x, y, out);
}

static Node *in_batch(Cx *cx, Node *x, Shape batch) {
  batch.dim[batch.rank++] = last(x, 2);
  batch.dim[batch.rank++] = last(x, 1);
  return graph_broadcast_to(cx->g, x, batch);
}

// One axis of b is a vector for each matrix.
Value call_solve(Cx *cx, const Args *a) {
  Node *x = matrix(cx, a, true), *y = x ? value_floats(cx, a->v[1]) : NULL;
  if (!y) return v_fail();
  const Shape given = y->shape;
  const bool vector = given.rank == 1;
  if (vector) y = graph_reshape(cx->g, y, shape_of(2, given.dim[0], (int64_t)1));
  Shape batch;
  if (given.rank == 0 || last(x, 1) != last(y, 2) || !common_batch(x->shape, y->shape, &batch)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, arena_printf(cx->a, "`%s`", builtin_info[a->b].name),
              shape_text(cx->a, x->shape), shape_text(cx->a, given));
    return v_fail();
  }
  if (!rank_fits(cx, batch.rank + 2, a->at)) return v_fail();
  x = in_batch(cx, x, batch);
  y = in_batch(cx, y, batch);
  const char *at = run_place(cx, a->at);
  Node *out =
      a->b == B_SOLVE ? graph_solve(cx->g, x, y, at) : graph_trisolve(cx->g, x, y, !is_true(a->v[2]), at);
  if (vector) {
    batch.dim[batch.rank++] = given.dim[0];
    out = graph_reshape(cx->g, out, batch);
  }
  return v_tensor(out, a->at);
}
