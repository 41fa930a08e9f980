// Simplification at construction: pointwise operations and constants (shape operations: simplify_shape.c).
// In: a prototype that obeys the laws. Out: a simpler node of equal value, or NULL. Holds: every rewrite
// removes an operation or moves a constant outwards, so that construction ends.
// While a graph `keeps`, no rewrite drops an operand that is not constant, so that it can be seen what a
// value was made from.
//
// Equal value is in real numbers, with more digits rather than fewer: constants of sums and products are
// regrouped where that leaves the range of float neither in a constant nor on the way. Where a value may be
// infinite or NaN, so is what is made from it: x * 0, x - x and the like are 0 only of a finite x. A quotient
// is rounded once; only powers of two move through it.
#include "simplify.h"
#include <float.h>
#include <math.h>

enum { MAX_FOLDED = 4096 }; // elements: beyond this a constant stays an expression

bool node_splat(const Node *n, double *value) {
  if (n->op != OP_CONST || n->ndata != 1) return false;
  *value = n->data[0];
  return true;
}

bool node_is(const Node *n, double value) {
  double v;
  return node_splat(n, &v) && v == value;
}

static bool finite_value(const Node *n, int depth) {
  switch (n->op) {
  case OP_CONST:
    for (int64_t i = 0; i < n->ndata; i++)
      if (!(fabs(n->data[i]) <= FLT_MAX)) return false;
    return true;
  case OP_CAST: return !dtype_is_float(n->in[0]->dtype) || (depth > 0 && finite_value(n->in[0], depth - 1));
  case OP_IOTA:
  case OP_UNIFORM: return true;
  case OP_NEG:
  case OP_ABS:
  case OP_SIGN:
  case OP_POINT:
  case OP_STOP: break;
  default:
    if (op_info[n->op].class != CLASS_SHAPE) return !dtype_is_float(n->dtype);
  }
  for (int i = 0; i < n->nin; i++)
    if (depth == 0 || !finite_value(n->in[i], depth - 1)) return false;
  return true;
}

bool node_finite(const Node *n) { return finite_value(n, 8); }

static bool never_zero(const Node *n) {
  if (n->op != OP_CONST) return false;
  for (int64_t i = 0; i < n->ndata; i++)
    if (n->data[i] == 0) return false;
  return true;
}

bool moderate(double c) { return fabs(c) >= 0x1p-20 && fabs(c) <= 0x1p20; }

static bool normal(const Node *like, double c) {
  return like->dtype == DT_I32 || c == 0 || (fabs(c) >= FLT_MIN && fabs(c) <= FLT_MAX);
}

// The reciprocal is a float, too.
static bool power_of_two(double c) {
  int exponent;
  return fabs(frexp(c, &exponent)) == 0.5 && exponent > -126 && exponent < 126;
}

// All operands constant: the constant result.
static Node *fold(Graph *g, const Node *n) {
  int64_t count = 1;
  for (int i = 0; i < n->nin; i++) {
    if (n->in[i]->op != OP_CONST) return NULL;
    if (n->in[i]->ndata > count) count = n->in[i]->ndata;
  }
  if (count > MAX_FOLDED) return NULL;
  double *out = ARENA_ARRAY(g->arena, double, count);
  for (int64_t e = 0; e < count; e++) {
    double v[3] = {0};
    for (int i = 0; i < n->nin; i++) v[i] = n->in[i]->data[n->in[i]->ndata == 1 ? 0 : e];
    out[e] = op_scalar(n->op, n->in[0]->dtype, n->dtype, v[0], v[1], v[2]);
  }
  if (count == 1) return graph_const_typed(g, out[0], n->dtype, n->shape);
  return graph_tensor(g, out, n->dtype, n->shape);
}

static Node *constant_like(Graph *g, double value, const Node *like) {
  return graph_const_typed(g, value, like->dtype, like->shape);
}

static Node *binary_const(Graph *g, Op op, Node *x, double c) {
  return graph_binary(g, op, x, constant_like(g, c, x));
}

// Constants regrouped in the element's own arithmetic: i32 wraps around.
static double combine(Op op, const Node *like, double c, double d) {
  return op_scalar(op, like->dtype, like->dtype, c, d, 0);
}

// x is op(y, c) with a splat c.
static bool has_const(const Node *x, Op op, double *c) { return x->op == op && node_splat(x->in[1], c); }

static Node *simplify_add(Graph *g, Node *x, Node *y) {
  double c, d;
  if (node_is(y, 0)) return x;
  if (x == y) return binary_const(g, OP_MUL, x, 2);
  if (y->op == OP_NEG) return graph_binary(g, OP_SUB, x, y->in[0]);
  if (x->op == OP_NEG) return graph_binary(g, OP_SUB, y, x->in[0]);
  if (node_splat(y, &c) && has_const(x, OP_ADD, &d))
    return binary_const(g, OP_ADD, x->in[0], combine(OP_ADD, x, c, d));
  if (node_splat(y, &c) && x->op == OP_SUB && node_splat(x->in[0], &d))
    return graph_binary(g, OP_SUB, constant_like(g, combine(OP_ADD, y, c, d), y), x->in[1]);
  return NULL;
}

static Node *simplify_sub(Graph *g, Node *x, Node *y) {
  double c, d;
  if (x == y && !g->keeps && node_finite(x)) return constant_like(g, 0, x);
  if (node_is(x, 0)) return graph_unary(g, OP_NEG, y);
  if (y->op == OP_NEG) return graph_binary(g, OP_ADD, x, y->in[0]);
  if (node_splat(y, &c)) return binary_const(g, OP_ADD, x, combine(OP_NEG, x, c, 0));
  if (node_splat(x, &c) && has_const(y, OP_ADD, &d))
    return graph_binary(g, OP_SUB, constant_like(g, combine(OP_SUB, x, c, d), x), y->in[0]);
  return NULL;
}

static Node *simplify_mul_const(Graph *g, Node *x, double c) {
  double d;
  if (c == 1) return x;
  if (c == 0 && !g->keeps && node_finite(x)) return constant_like(g, 0, x);
  if (c == -1) return graph_unary(g, OP_NEG, x);
  if (x->op == OP_NEG) return binary_const(g, OP_MUL, x->in[0], combine(OP_NEG, x, c, 0));
  if (has_const(x, OP_MUL, &d) && normal(x, c * d))
    return binary_const(g, OP_MUL, x->in[0], combine(OP_MUL, x, c, d));
  if (dtype_is_float(x->dtype) && x->op == OP_DIV && node_splat(x->in[0], &d) && normal(x, c * d))
    return graph_binary(g, OP_DIV, constant_like(g, c * d, x), x->in[1]);
  return NULL;
}

static bool has_moderate(const Node *x, double *c) { return has_const(x, OP_MUL, c) && moderate(*c); }

// Signs and constants move outwards, where they meet.
static Node *product_outwards(Graph *g, Op op, Node *x, Node *y) {
  double c;
  if (x->op == OP_NEG) return graph_unary(g, OP_NEG, graph_binary(g, op, x->in[0], y));
  if (y->op == OP_NEG) return graph_unary(g, OP_NEG, graph_binary(g, op, x, y->in[0]));
  if (has_moderate(x, &c)) return binary_const(g, OP_MUL, graph_binary(g, op, x->in[0], y), c);
  if (has_moderate(y, &c)) return binary_const(g, OP_MUL, graph_binary(g, op, x, y->in[0]), c);
  return NULL;
}

static Node *simplify_mul(Graph *g, Node *x, Node *y) {
  double c;
  return node_splat(y, &c) ? simplify_mul_const(g, x, c) : product_outwards(g, OP_MUL, x, y);
}

// A zero of x wins, with ZMUL one of y too.
static Node *simplify_xmul(Graph *g, Op op, Node *x, Node *y) {
  const bool both = op == OP_ZMUL;
  if (!g->keeps && (node_is(x, 0) || (both && node_is(y, 0)))) return constant_like(g, 0, x);
  const bool x_plain = never_zero(x) || node_finite(y), y_plain = never_zero(y) || node_finite(x);
  if (x_plain && (!both || y_plain)) return graph_binary(g, OP_MUL, x, y);
  return product_outwards(g, op, x, y);
}

static Node *simplify_div(Graph *g, Node *x, Node *y) {
  double c;
  if (node_is(y, 1)) return x;
  if (!dtype_is_float(x->dtype)) return NULL;
  if (node_splat(y, &c) && power_of_two(c)) return binary_const(g, OP_MUL, x, 1 / c);
  if (x->op == OP_NEG) return graph_unary(g, OP_NEG, graph_binary(g, OP_DIV, x->in[0], y));
  if (y->op == OP_NEG) return graph_unary(g, OP_NEG, graph_binary(g, OP_DIV, x, y->in[0]));
  if (has_moderate(x, &c) && power_of_two(c))
    return binary_const(g, OP_MUL, graph_binary(g, OP_DIV, x->in[0], y), c);
  if (has_moderate(y, &c) && power_of_two(c))
    return binary_const(g, OP_MUL, graph_binary(g, OP_DIV, x, y->in[0]), 1 / c);
  return NULL;
}

static Node *simplify_pow(Graph *g, Node *x, Node *y) {
  double c;
  if (!node_splat(y, &c)) return NULL;
  Node *square = c == 2 || c == 3 || c == 4 || c == -2 ? graph_binary(g, OP_MUL, x, x) : NULL;
  if (c == 0) return g->keeps ? NULL : constant_like(g, 1, x);
  if (c == 1) return x;
  if (c == 2) return square;
  if (c == 3) return graph_binary(g, OP_MUL, square, x);
  if (c == 4) return graph_binary(g, OP_MUL, square, square);
  if (c == 0.5) return graph_unary(g, OP_SQRT, x);
  if (c == -1) return graph_binary(g, OP_DIV, constant_like(g, 1, x), x);
  if (c == -2) return graph_binary(g, OP_DIV, constant_like(g, 1, x), square);
  if (c == -0.5) return graph_binary(g, OP_DIV, constant_like(g, 1, x), graph_unary(g, OP_SQRT, x));
  return NULL;
}

static Node *simplify_neg(Graph *g, Node *x) {
  double c;
  if (x->op == OP_NEG) return x->in[0];
  if (x->op == OP_SUB) return graph_binary(g, OP_SUB, x->in[1], x->in[0]);
  if (has_const(x, OP_MUL, &c)) return binary_const(g, OP_MUL, x->in[0], combine(OP_NEG, x, c, 0));
  if (dtype_is_float(x->dtype) && x->op == OP_DIV && node_splat(x->in[0], &c))
    return graph_binary(g, OP_DIV, constant_like(g, -c, x), x->in[1]);
  return NULL;
}

static Node *simplify_select(Graph *g, Node *cond, Node *x, Node *y) {
  double c;
  if (x == y) return x;
  if (node_splat(cond, &c)) return c != 0 ? x : y;
  if (cond->op == OP_NOT) return graph_select(g, cond->in[0], y, x);
  if (x->op == OP_SELECT && x->in[0] == cond) return graph_select(g, cond, x->in[1], y);
  if (y->op == OP_SELECT && y->in[0] == cond) return graph_select(g, cond, x, y->in[2]);
  return NULL;
}

static Node *simplify_logic(const Node *n) {
  const double absorbing = n->op == OP_OR;
  for (int i = 0; i < 2; i++) {
    if (node_is(n->in[i], absorbing)) return n->in[i];
    if (node_is(n->in[i], !absorbing)) return n->in[1 - i];
  }
  return n->in[0] == n->in[1] ? n->in[0] : NULL;
}

static Node *simplify_pointwise(Graph *g, const Node *n) {
  Node *x = n->in[0], *y = n->nin > 1 ? n->in[1] : NULL;
  switch (n->op) {
  case OP_ADD: return simplify_add(g, x, y);
  case OP_SUB: return simplify_sub(g, x, y);
  case OP_MUL: return simplify_mul(g, x, y);
  case OP_XMUL:
  case OP_ZMUL: return simplify_xmul(g, n->op, x, y);
  case OP_DIV: return simplify_div(g, x, y);
  case OP_POW: return simplify_pow(g, x, y);
  case OP_NEG: return simplify_neg(g, x);
  case OP_ABS: return x->op == OP_NEG ? graph_unary(g, OP_ABS, x->in[0]) : x->op == OP_ABS ? x : NULL;
  case OP_MIN:
  case OP_MAX: return x == y ? x : NULL;
  case OP_SELECT: return simplify_select(g, x, y, n->in[2]);
  case OP_CAST: return x->dtype == n->dtype ? x : NULL;
  case OP_AND:
  case OP_OR: return simplify_logic(n);
  case OP_NOT: return x->op == OP_NOT ? x->in[0] : NULL;
  default: return NULL;
  }
}

// The identity outside differentiation: nothing to stop where no gradient could pass.
static Node *simplify_stop(const Node *n) {
  Node *x = n->in[0];
  if (n->op != OP_STOP) return NULL;
  OpClass c = op_info[x->op].class;
  bool leaf = (c == CLASS_LEAF && x->op != OP_INPUT) || c == CLASS_RANDOM;
  return leaf || x->op == OP_STOP || !dtype_is_float(x->dtype) ? x : NULL;
}

// Where nothing is read there is nothing to compute: what has no elements is a constant, and what is made of
// none is what its operation leaves such places. No other rewrite sees a tensor without elements.
static Node *simplify_empty(Graph *g, const Node *n) {
  const OpClass class = op_info[n->op].class;
  bool known = !g->keeps && n->op != OP_INPUT && n->op != OP_HOLE && n->op != OP_CONST;
  for (int i = 0; i < n->nin && g->keeps; i++) known = n->in[i]->op == OP_CONST && (i == 0 || known);
  if (!known || n->dtype == DT_TUPLE) return NULL;
  if (class == CLASS_META && (g->keeps || shape_count(n->shape))) return NULL;
  if (n->op == OP_CONCAT && shape_count(n->shape)) {
    Node **in = ARENA_ARRAY(g->arena, Node *, n->nin);
    int nin = 0;
    for (int i = 0; i < n->nin; i++)
      if (shape_count(n->in[i]->shape)) in[nin++] = n->in[i];
    return graph_concat(g, in, nin, (int)n->attr[0]);
  }
  return graph_const_typed(g, n->op == OP_RMAX ? -INFINITY : 0, n->dtype, n->shape);
}

static bool has_empty(const Node *n) {
  bool empty = n->dtype != DT_TUPLE && shape_count(n->shape) == 0;
  for (int i = 0; i < n->nin; i++)
    empty = empty || (n->in[i]->dtype != DT_TUPLE && shape_count(n->in[i]->shape) == 0);
  return empty;
}

Node *node_simplify(Graph *g, const Node *n) {
  OpClass class = op_info[n->op].class;
  if (has_empty(n)) return simplify_empty(g, n);
  if (class == CLASS_POINTWISE || class == CLASS_COMPARE) {
    Node *folded = fold(g, n);
    return folded ? folded : simplify_pointwise(g, n);
  }
  if (class == CLASS_META) return simplify_stop(n);
  if (class == CLASS_REDUCE) return simplify_reduce(g, n);
  if (class == CLASS_LEAF || class == CLASS_RANDOM || class == CLASS_BODY || class == CLASS_FACTOR)
    return NULL;
  return simplify_shape(g, n);
}
