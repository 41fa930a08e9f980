// Running error bounds (Higham 2002, Accuracy and Stability of Numerical Algorithms, ch. 3 and 4): each
// operation's result is off by what its operands' errors do to it, plus its own rounding. A comparison or a
// rounding to integers whose operands' errors reach over the edge may go either way; its bound is then the
// distance of the two results.
#include "rounding.h"
#include <math.h>

// Half an ulp of 1 in n's type; of doubles twice that, for the interpreter rounds as well.
static double unit(const Node *n) { return n->dtype == DT_F64 ? 0x1p-52 : 0x1p-24; }
// Results below it are set to zero; a later division may make that visible.
static double flushed(const Node *n) { return n->dtype == DT_F64 ? 0x1p-1022 : 0x1p-126; }
// The depth of the longest chain of additions of f32 in a reduction: sums are made in blocks of 8192, their
// sums in double.
enum { LONGEST_CHAIN = 8192 };
static const double unbounded = 1e30;

static Node *constant(Graph *g, double v, Shape s) { return graph_const(g, v, s); }
static Node *scaled(Graph *g, Node *x, double c) {
  return graph_binary(g, OP_MUL, x, constant(g, c, x->shape));
}
static Node *add(Graph *g, Node *x, Node *y) { return !x ? y : !y ? x : graph_binary(g, OP_ADD, x, y); }
static Node *mul(Graph *g, Node *x, Node *y) { return !x || !y ? NULL : graph_binary(g, OP_MUL, x, y); }
static Node *xmul(Graph *g, Node *x, Node *y) { return !x || !y ? NULL : graph_binary(g, OP_XMUL, x, y); }
static Node *max(Graph *g, Node *x, Node *y) { return !x ? y : !y ? x : graph_binary(g, OP_MAX, x, y); }
static Node *number(Graph *g, Node *x) { return x->dtype == DT_F32 ? x : graph_cast(g, x, DT_F32); }
static Node *size(Graph *g, Node *x) { return graph_unary(g, OP_ABS, number(g, x)); }

// Also of what is no number: nothing is known of a value whose bound is none.
static Node *positive(Graph *g, Node *e) {
  return graph_unary(g, OP_NOT, graph_binary(g, OP_LE, e, constant(g, 0, e->shape)));
}

// `bound` where `safe`, else as good as no bound.
static Node *guarded(Graph *g, Node *safe, Node *bound) {
  return graph_select(g, safe, bound, constant(g, unbounded, bound->shape));
}

static Node *rebuilt(Graph *g, const Node *n, Node *x, Node *y) {
  Node *in[2] = {x, y};
  return graph_rebuild(g, n, in);
}

// numerator / (d - e), for a denominator of size d that is off by e.
static Node *quotient(Graph *g, Node *numerator, Node *d, Node *e) {
  if (!numerator) return NULL;
  if (!e) return graph_binary(g, OP_DIV, numerator, d);
  Node *rest = graph_binary(g, OP_SUB, d, e);
  return guarded(g, graph_binary(g, OP_LT, e, d), graph_binary(g, OP_DIV, numerator, rest));
}

// |f(x + e) - f(x - e)| for a function that rises.
static Node *spread(Graph *g, const Node *n, Node *e) {
  if (!e) return NULL;
  Node *x = n->in[0], *off = x->dtype == e->dtype ? e : graph_cast(g, e, x->dtype);
  Node *high = rebuilt(g, n, graph_binary(g, OP_ADD, x, off), NULL),
       *low = rebuilt(g, n, graph_binary(g, OP_SUB, x, off), NULL);
  return size(g, graph_binary(g, OP_SUB, number(g, high), number(g, low)));
}

static Node *sqrt_bound(Graph *g, Node *x, Node *e) {
  if (!e) return NULL;
  Node *near_zero = graph_unary(g, OP_SQRT, graph_binary(g, OP_ADD, size(g, x), e));
  Node *smooth = graph_binary(g, OP_DIV, e, graph_unary(g, OP_SQRT, size(g, x)));
  return graph_select(g, graph_binary(g, OP_LT, e, x), smooth, near_zero);
}

// x^y = exp(y log x): the relative error is |y| dx/x + |log x| dy, and the rounding of the exponent.
static Node *pow_bound(Graph *g, const Node *n, Node *ex, Node *ey) {
  Node *x = size(g, n->in[0]), *y = size(g, n->in[1]), *zero = constant(g, 0, n->shape);
  Node *log_x =
      size(g, graph_unary(g, OP_LOG, graph_binary(g, OP_MAX, x, constant(g, flushed(n), n->shape))));
  Node *relative =
      scaled(g, graph_binary(g, OP_ADD, mul(g, y, log_x), constant(g, 1, n->shape)), 4 * unit(n));
  relative = add(g, relative, quotient(g, mul(g, y, ex), x, ex));
  relative = add(g, relative, mul(g, log_x, ey));
  Node *bound = mul(g, size(g, (Node *)n), graph_unary(g, OP_EXPM1, relative));
  return graph_select(g, graph_binary(g, OP_LT, zero, x), bound, ex ? ex : zero);
}

// e times the slope where it is steepest within e, for asin and acos, acosh, atanh: 1 / sqrt(rest), 1 / rest
// with the distance from the ends of the domain.
static Node *domain_bound(Graph *g, const Node *n, Node *e) {
  if (!e) return NULL;
  Node *x = size(g, n->in[0]), *one = constant(g, 1, n->shape);
  const bool beyond = n->op == OP_ACOSH; // 1 and more, else less than 1
  Node *end = beyond ? graph_binary(g, OP_SUB, x, e) : add(g, x, e);
  Node *rest = graph_binary(g, OP_SUB, mul(g, end, end), one);
  if (!beyond) rest = graph_unary(g, OP_NEG, rest);
  Node *slope = n->op == OP_ATANH ? rest : graph_unary(g, OP_SQRT, size(g, rest));
  return guarded(g, positive(g, rest), graph_binary(g, OP_DIV, e, slope));
}

// What the errors of the operands do; without the operation's own rounding.
static Node *inherited(Graph *g, const Node *n, Node *ex, Node *ey) {
  Node *out = number(g, (Node *)n), *x = n->nin > 0 ? number(g, n->in[0]) : NULL,
       *y = n->nin > 1 ? number(g, n->in[1]) : NULL;
  switch (n->op) {
  case OP_EXP: return ex ? mul(g, size(g, out), graph_unary(g, OP_EXPM1, ex)) : NULL;
  case OP_EXPM1:
    return ex ? mul(g, graph_binary(g, OP_ADD, size(g, out), constant(g, 1, n->shape)),
                    graph_unary(g, OP_EXPM1, ex))
              : NULL;
  case OP_LOG: return quotient(g, ex, size(g, x), ex);
  case OP_LOG1P: return quotient(g, ex, graph_binary(g, OP_ADD, x, constant(g, 1, n->shape)), ex);
  case OP_SQRT: return sqrt_bound(g, x, ex);
  case OP_ERF: return ex ? scaled(g, ex, 1.13) : NULL;
  case OP_SINH:
  case OP_COSH:
    return ex ? mul(g, ex, graph_unary(g, OP_COSH, graph_binary(g, OP_ADD, size(g, x), ex))) : NULL;
  case OP_LGAMMA:
  case OP_POLYGAMMA:
  case OP_ATAN2:
  case OP_MOD: return ex || ey ? constant(g, unbounded, n->shape) : NULL; // poles, jumps
  case OP_NDTR_RATIO: return ex;                                          // slopes from -1 to 1
  case OP_ERFC: return ex ? scaled(g, ex, 1.13) : NULL;
  case OP_LOG_NDTR: // the slope is below 1 + |x|
    return ex ? mul(g, ex, graph_binary(g, OP_ADD, add(g, size(g, x), ex), constant(g, 1, n->shape))) : NULL;
  case OP_ASIN:
  case OP_ACOS:
  case OP_ACOSH:
  case OP_ATANH: return domain_bound(g, n, ex);
  case OP_LOG2: return quotient(g, ex ? scaled(g, ex, 1.45) : NULL, size(g, x), ex);
  case OP_LOG10: return quotient(g, ex ? scaled(g, ex, 0.44) : NULL, size(g, x), ex);
  case OP_ERFINV: return ex ? mul(g, ex, graph_unary(g, OP_EXP, graph_binary(g, OP_MUL, out, out))) : NULL;
  case OP_SIGMOID: return ex ? scaled(g, ex, 0.25) : NULL;
  case OP_SIGN:
  case OP_FLOOR:
  case OP_ROUND: return spread(g, n, ex);
  case OP_ADD:
  case OP_SUB: return add(g, ex, ey);
  case OP_MUL:
  case OP_ZMUL:
    return add(g, add(g, mul(g, size(g, x), ey), ex ? mul(g, size(g, y), ex) : NULL), mul(g, ex, ey));
  case OP_XMUL: return add(g, add(g, xmul(g, size(g, x), ey), xmul(g, ex, size(g, y))), xmul(g, ex, ey));
  case OP_DIV: return quotient(g, add(g, ex, ey ? mul(g, size(g, out), ey) : NULL), size(g, y), ey);
  case OP_MIN:
  case OP_MAX: return max(g, ex, ey);
  default: return ex; // neg, abs, atan, asinh, tanh, softplus, sin, cos: slope at most 1
  }
}

// The operation's own rounding in units of |result|; sin and cos in units of 1.
static double own_rounding(Op op) {
  switch (op) {
  case OP_NEG:
  case OP_ABS:
  case OP_SIGN:
  case OP_FLOOR:
  case OP_ROUND:
  case OP_MIN:
  case OP_MAX: return 0;
  case OP_ADD:
  case OP_SUB:
  case OP_MUL:
  case OP_XMUL:
  case OP_ZMUL: return 1;
  case OP_DIV:
  case OP_SQRT: return 2;
  case OP_ERFINV: return 8;
  default: return 4; // two units in the last place
  }
}

static Node *select_bound(Graph *g, const Node *n, Node *const *bound) {
  Node *zero = constant(g, 0, n->shape);
  Node *ey = bound[1] ? bound[1] : zero, *ez = bound[2] ? bound[2] : zero;
  Node *chosen = bound[1] || bound[2] ? graph_select(g, n->in[0], ey, ez) : NULL;
  if (!bound[0]) return chosen;
  Node *apart = size(g, graph_binary(g, OP_SUB, number(g, n->in[1]), number(g, n->in[2])));
  Node *either = add(g, apart, graph_binary(g, OP_MAX, ey, ez));
  return graph_select(g, positive(g, bound[0]), either, chosen ? chosen : zero);
}

static Node *cast_bound(Graph *g, const Node *n, Node *e, DType floats) {
  if (n->dtype == DT_F32 && n->in[0]->dtype == DT_I32) // integers beyond 2^24 are rounded
    return add(g, e,
               graph_select(g, graph_binary(g, OP_LT, constant(g, 0x1p24, n->shape), size(g, n->in[0])),
                            scaled(g, size(g, n->in[0]), unit(n)), constant(g, 0, n->shape)));
  if (n->in[0]->dtype == DT_F64 && floats == DT_F32) {
    if (e) return constant(g, unbounded, n->shape);
    if (n->dtype != DT_F32) return NULL;
    return graph_binary(g, OP_ADD, scaled(g, size(g, (Node *)n), unit(n)), constant(g, flushed(n), n->shape));
  }
  return dtype_is_float(n->in[0]->dtype) && !dtype_is_float(n->dtype) ? spread(g, n, e) : e;
}

// 1 where the answer may be the other one.
static Node *compare_bound(Graph *g, const Node *n, Node *ex, Node *ey) {
  Node *e = add(g, ex, ey);
  if (!e) return NULL;
  Node *open = positive(g, e);
  if (n->op == OP_LT || n->op == OP_LE || n->op == OP_EQ) {
    Node *apart = size(g, graph_binary(g, OP_SUB, number(g, n->in[0]), number(g, n->in[1])));
    open = graph_binary(g, OP_AND, open, graph_unary(g, OP_NOT, graph_binary(g, OP_LT, e, apart)));
  }
  return graph_cast(g, open, DT_F32);
}

// r, whose axes are x's without the reduced ones, repeated along those.
static Node *repeated(Graph *g, const Node *n, Node *r) {
  int kept[MAX_RANK], k = 0;
  for (int axis = 0; axis < n->in[0]->shape.rank; axis++) {
    bool reduced = false;
    for (int i = 0; i < n->nattr; i++) reduced |= n->attr[i] == axis;
    if (!reduced) kept[k++] = axis;
  }
  return graph_broadcast(g, r, n->in[0]->shape, kept);
}

static Node *reduced(Graph *g, Op op, const Node *like, Node *x) {
  int axes[MAX_RANK];
  for (int i = 0; i < like->nattr; i++) axes[i] = (int)like->attr[i];
  return graph_reduce(g, op, x, axes, like->nattr);
}

// Any index where a second element may be the largest.
static Node *argmax_bound(Graph *g, const Node *n, Node *e) {
  if (!e) return NULL;
  Node *x = number(g, n->in[0]);
  Node *least = reduced(g, OP_RMAX, n, graph_binary(g, OP_SUB, x, e));
  Node *candidate = graph_binary(g, OP_LE, repeated(g, n, least), graph_binary(g, OP_ADD, x, e));
  Node *candidates = reduced(g, OP_SUM, n, graph_cast(g, candidate, DT_F32));
  double length = (double)x->shape.dim[n->attr[0]];
  return graph_select(g, graph_binary(g, OP_LT, constant(g, 1, n->shape), candidates),
                      constant(g, length, n->shape), constant(g, 0, n->shape));
}

static Node *sum_bound(Graph *g, const Node *n, Node *e) {
  if (!dtype_is_float(n->dtype)) return e ? reduced(g, OP_SUM, n, e) : NULL;
  double terms = (double)(shape_count(n->in[0]->shape) / (shape_count(n->shape) ? shape_count(n->shape) : 1));
  const double chain = n->dtype == DT_F32 ? fmin(terms, LONGEST_CHAIN) : terms;
  Node *own = scaled(g, reduced(g, OP_SUM, n, size(g, n->in[0])), unit(n) * chain);
  return e ? add(g, own, reduced(g, OP_SUM, n, e)) : own;
}

// (|x| + ex)(|y| + ey) - |x||y| + k u |x||y|, products of matrices.
static Node *matmul_bound(Graph *g, const Node *n, Node *ex, Node *ey) {
  Node *x = size(g, n->in[0]), *y = size(g, n->in[1]);
  double terms = (double)x->shape.dim[x->shape.rank - 1];
  Node *bound =
      add(g, scaled(g, graph_matmul(g, x, y), unit(n) * terms), constant(g, flushed(n) * terms, n->shape));
  if (ex) bound = add(g, bound, graph_matmul(g, ex, y));
  if (ey) bound = add(g, bound, graph_matmul(g, add(g, x, ex), ey));
  return bound;
}

static Node *index_bound(Graph *g, const Node *n, Node *const *bound) {
  Node *ex = bound[0], *ey = n->nin > 1 ? bound[1] : NULL;
  bool scatter = n->op == OP_SCATTER_ADD || n->op == OP_PUT_ALONG;
  bool makes_index = n->op == OP_ARGSORT || n->op == OP_INDEX;
  Node *index_error = n->op == OP_CUMSUM ? NULL : scatter || makes_index ? ex : ey;
  if (index_error) return constant(g, unbounded, n->shape); // calls read stored, hence exact, indices
  if (n->op == OP_CUMSUM) {
    Node *own = scaled(g, rebuilt(g, n, size(g, n->in[0]), NULL), 4 * unit(n));
    return ex ? add(g, own, rebuilt(g, n, ex, NULL)) : own;
  }
  if (makes_index) return NULL;
  if (!scatter) return ex ? rebuilt(g, n, ex, n->in[1]) : NULL;
  double terms = (double)shape_count(n->in[0]->shape);
  Node *own = scaled(g, rebuilt(g, n, n->in[0], size(g, n->in[1])), unit(n) * terms);
  return ey ? add(g, own, rebuilt(g, n, n->in[0], ey)) : own;
}

// Of several results: that of the operand, for part_bound.
static Node *factor_bound(Graph *g, const Node *n, Node *const *bound) {
  return n->nout ? bound[0] : constant(g, unbounded, n->shape);
}

// Eigenvalues and singular values move by no more than the norm of what their matrix is off by (Weyl's
// inequality); no bound is known of vectors, nor of what comes from a body.
static Node *part_bound(Graph *g, const Node *n, Node *e) {
  const Node *tuple = n->in[0];
  const bool values = (tuple->op == OP_EIGH && n->attr[0] == 0) || (tuple->op == OP_SVD && n->attr[0] == 1);
  if (!values) return constant(g, unbounded, n->shape);
  Node *x = tuple->in[0];
  const int r = x->shape.rank, last[] = {r - 2, r - 1};
  int axes[MAX_RANK];
  for (int i = 0; i < r - 2; i++) axes[i] = i;
  Node *off = add(g, scaled(g, size(g, x), 0x1p-40), e);
  Node *all = graph_broadcast(g, graph_norm(g, off, last, 2), n->shape, axes);
  return add(g, all, add(g, scaled(g, size(g, (Node *)n), unit(n)), constant(g, flushed(n), n->shape)));
}

static Node *shape_bound(Graph *g, const Node *n, Node *const *bound) {
  Node *in[n->nin ? n->nin : 1];
  bool exact = true;
  for (int i = 0; i < n->nin; i++) {
    in[i] = bound[i] ? bound[i] : constant(g, 0, n->in[i]->shape);
    exact &= !bound[i];
  }
  Node moved = *n; // a bound is a number, also of a truth value or an integer
  moved.dtype = DT_F32;
  return exact ? NULL : graph_rebuild(g, &moved, in);
}

static Node *pointwise_bound(Graph *g, const Node *n, Node *const *bound, DType floats) {
  if (n->op == OP_SELECT) return select_bound(g, n, bound);
  if (n->op == OP_CAST) return cast_bound(g, n, bound[0], floats);
  Node *ex = bound[0], *ey = n->nin > 1 ? bound[1] : NULL;
  if (!dtype_is_float(n->dtype))
    return add(g, ex, ey) ? constant(g, unbounded, n->shape) : NULL; // integers are exact
  if (n->op == OP_POW) return pow_bound(g, n, ex, ey);
  double own = own_rounding(n->op);
  Node *e = inherited(g, n, ex, ey);
  if (own == 0) return e;
  bool absolute = n->op == OP_SIN || n->op == OP_COS;
  e = add(g, e, constant(g, flushed(n), n->shape));
  return add(g, e,
             absolute ? constant(g, own * unit(n), n->shape) : scaled(g, size(g, (Node *)n), own * unit(n)));
}

static Node *const_bound(Graph *g, const Node *n) {
  if (n->dtype != DT_F32) return NULL;
  bool exact = true, tiny = false;
  for (int64_t i = 0; i < n->ndata; i++) {
    exact &= (double)(float)n->data[i] == n->data[i];
    tiny |= n->data[i] != 0 && fabs(n->data[i]) < flushed(n);
  }
  Node *own = exact ? NULL : scaled(g, size(g, (Node *)n), unit(n));
  return tiny ? add(g, own, constant(g, flushed(n), n->shape)) : own;
}

// Doubles beside f32 are computed as the interpreter computes them: what is made of exact values has the same
// bits, but for the order of sums.
static Node *double_bound(Graph *g, const Node *n, Node *const *bound) {
  for (int i = 0; i < n->nin; i++)
    if (bound[i]) return constant(g, unbounded, n->shape);
  if (n->op != OP_SUM) return NULL;
  const int64_t results = shape_count(n->shape);
  const double terms = results ? (double)(shape_count(n->in[0]->shape) / results) : 0;
  return scaled(g, reduced(g, OP_SUM, n, size(g, n->in[0])), 0x1p-52 * terms);
}

Node *rounding_bound(Graph *g, const Node *n, Node *const *bound, DType floats) {
  if (n->dtype == DT_F64 && floats == DT_F32) return double_bound(g, n, bound);
  switch (op_info[n->op].class) {
  case CLASS_LEAF: return n->op == OP_CONST ? const_bound(g, n) : NULL;
  case CLASS_POINTWISE: return pointwise_bound(g, n, bound, floats);
  case CLASS_COMPARE: return compare_bound(g, n, bound[0], n->nin > 1 ? bound[1] : NULL);
  case CLASS_REDUCE:
    if (n->op == OP_SUM) return sum_bound(g, n, bound[0]);
    if (n->op == OP_ARGMAX) return argmax_bound(g, n, bound[0]);
    return bound[0] ? reduced(g, OP_RMAX, n, bound[0]) : NULL;
  case CLASS_SHAPE: return shape_bound(g, n, bound);
  case CLASS_CONTRACT: return matmul_bound(g, n, bound[0], bound[1]);
  case CLASS_WINDOW: return constant(g, unbounded, n->shape); // passes make them, of products
  case CLASS_INDEX: return index_bound(g, n, bound);
  case CLASS_FACTOR: return factor_bound(g, n, bound);
  case CLASS_RANDOM: return NULL;
  case CLASS_META: return bound[0];
  case CLASS_BODY: return n->op == OP_PART ? part_bound(g, n, bound[0]) : NULL;
  }
  return NULL;
}

Graph *rounding_graph(Arena *a, const Graph *g, DType floats) {
  Graph *out = graph_new(a, g->name);
  Node **value = ARENA_ARRAY(a, Node *, g->nodes.len + 1), **bound = ARENA_ARRAY(a, Node *, g->nodes.len + 1);
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    Node **in = ARENA_ARRAY(a, Node *, n->nin + 1), **in_bound = ARENA_ARRAY(a, Node *, n->nin + 1);
    for (int k = 0; k < n->nin; k++) in[k] = value[n->in[k]->id], in_bound[k] = bound[n->in[k]->id];
    value[i] = graph_rebuild(out, n, in);
    bound[i] = rounding_bound(out, value[i], in_bound, floats);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    Node *b = bound[o->node->id];
    graph_output_port(out, o->port, o->name, value[o->node->id], -1);
    graph_output(out, arena_printf(a, "bound:%s", o->name), b ? b : constant(out, 0, o->node->shape), -1);
  }
  return out;
}
