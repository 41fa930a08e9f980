// Built-in functions along an axis: orders, running sums and products, pieces moved and turned around. In:
// bound arguments. Out: values; a tree is taken tensor by tensor.
#include "builtins.h"
#include <math.h>

Node *axis_slice(Cx *cx, Node *x, int axis, int64_t from, int64_t to) {
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK];
  Shape stop = x->shape;
  for (int i = 0; i < stop.rank; i++) step[i] = 1;
  start[axis] = from;
  stop.dim[axis] = to;
  return graph_slice(cx->g, x, start, stop.dim, step);
}

Node *axis_moved(Cx *cx, Node *x, int from, int to) {
  int perm[MAX_RANK];
  for (int i = 0, next = 0; i < x->shape.rank; i++) {
    next += next == from;
    perm[i] = i == to ? from : next++;
  }
  return from == to ? x : graph_transpose(cx->g, x, perm);
}

Node *axis_last(Cx *cx, Node *x, int axis) {
  int perm[MAX_RANK];
  const int rank = x->shape.rank;
  for (int i = 0; i < rank; i++) perm[i] = i == rank - 1 ? axis : i == axis ? rank - 1 : i;
  return axis == rank - 1 ? x : graph_transpose(cx->g, x, perm);
}

// -- orders

// The order of the elements along an axis, stable; a NaN is last in both directions.
static Node *order(Cx *cx, Node *x, bool descending) {
  return graph_argsort(cx->g, descending ? graph_unary(cx->g, OP_NEG, x) : x);
}

// The first `most` of them.
static Node *sorted(Cx *cx, Builtin b, Node *x, int axis, bool descending, int64_t most) {
  Node *last = axis_last(cx, x, axis), *at = order(cx, last, descending);
  if (most < x->shape.dim[axis]) at = axis_slice(cx, at, at->shape.rank - 1, 0, most);
  return axis_last(cx, b == B_ARGSORT ? at : graph_take_along(cx->g, last, at), axis);
}

// -- running products, by doubling: every element takes in what lies 1, 2, 4, … before it, so that
// derivatives need no division

typedef Node *(*Join)(Cx *cx, Node *before, Node *x);

static Node *join_product(Cx *cx, Node *before, Node *x) { return graph_binary(cx->g, OP_MUL, before, x); }

// log(exp(a) + exp(b)): the larger one, chosen rather than computed so that it is smooth at a tie too, and
// what the smaller adds; of two infinite ones the larger.
static Node *join_exponentials(Cx *cx, Node *a, Node *b) {
  Graph *g = cx->g;
  Node *less = graph_binary(g, OP_LT, a, b), *high = graph_select(g, less, b, a),
       *low = graph_select(g, less, a, b);
  Node *more = graph_unary(g, OP_SOFTPLUS, graph_binary(g, OP_SUB, low, high));
  Node *infinite = graph_binary(g, OP_EQ, graph_unary(g, OP_ABS, high), graph_const(g, INFINITY, (Shape){0}));
  return graph_select(g, infinite, high, graph_binary(g, OP_ADD, high, more));
}

static Node *scan(Cx *cx, Node *x, int axis, Join join, bool backwards) {
  const int64_t n = x->shape.dim[axis];
  for (int64_t d = 1; d < n; d *= 2) {
    Node *from = axis_slice(cx, x, axis, d, n), *to = axis_slice(cx, x, axis, 0, n - d);
    Node *alone = backwards ? axis_slice(cx, x, axis, n - d, n) : axis_slice(cx, x, axis, 0, d);
    Node *joined = backwards ? join(cx, from, to) : join(cx, to, from);
    x = graph_concat(cx->g, backwards ? (Node *[]){joined, alone} : (Node *[]){alone, joined}, 2, axis);
  }
  return x;
}

Node *axis_product(Cx *cx, Node *x, int axis) {
  if (x->shape.dim[axis] == 0) { // a sum, so that it can be seen what it was made from
    Shape one = x->shape;
    one.dim[axis] = 1;
    Node *zero = graph_reshape(cx->g, graph_reduce(cx->g, OP_SUM, x, &axis, 1), one);
    return graph_binary(cx->g, OP_ADD, zero, graph_const(cx->g, 1, (Shape){0}));
  }
  for (int64_t n; (n = x->shape.dim[axis]) > 1;) {
    Node *half = graph_binary(cx->g, OP_MUL, axis_slice(cx, x, axis, 0, n / 2),
                              axis_slice(cx, x, axis, n / 2, n / 2 * 2));
    Node *parts[] = {half, n % 2 ? axis_slice(cx, x, axis, n - 1, n) : NULL};
    x = graph_concat(cx->g, parts, n % 2 ? 2 : 1, axis);
  }
  return x;
}

// Where each place of an axis with a count finds its element: `from` of its own number, what lies behind the
// count stays where it is.
static Node *placed(Cx *cx, Node *x, int axis, const Dim *d,
                    Node *(*from)(Cx *cx, Node *i, Node *count, int64_t by), int64_t by) {
  Graph *g = cx->g;
  Node *i = graph_iota(g, 0, DT_I32, shape_of(1, x->shape.dim[axis])), *count = count_index(cx, d);
  Node *there = graph_binary(g, OP_LT, i, count);
  return gather_axis(cx, x, axis,
                     graph_select(g, there, from(cx, i, graph_broadcast_to(g, count, i->shape), by), i));
}

static Node *from_end(Cx *cx, Node *i, Node *count, int64_t by) {
  Node *one = graph_const_typed(cx->g, (double)by, DT_I32, i->shape);
  return graph_binary(cx->g, OP_SUB, graph_binary(cx->g, OP_SUB, count, one), i);
}

// i - by, around in a circle of `count`.
static Node *around(Cx *cx, Node *i, Node *count, int64_t by) {
  Graph *g = cx->g;
  Node *n = graph_cast(g, graph_binary(g, OP_MAX, count, graph_const_typed(g, 1, DT_I32, i->shape)), DT_F32);
  Node *at = graph_binary(g, OP_SUB, graph_cast(g, i, DT_F32), graph_const(g, (double)by, i->shape));
  return graph_cast(g, graph_binary(g, OP_MOD, at, n), DT_I32);
}

// Each row within its own length.
static Node *each_turned(Cx *cx, Node *x, int axis, const Dim *d, Dims dims) {
  Graph *g = cx->g;
  bool on[MAX_RANK] = {0};
  on[axis] = true;
  const int rows = each_axis(cx, d, x->shape, dims);
  if (rows < 0) return x;
  Node *there = count_mask(cx, x->shape, dims, on), *i = graph_iota(g, axis, DT_I32, x->shape),
       *count = graph_broadcast(g, graph_cast(g, d->count, DT_I32), x->shape, &rows);
  Node *at = graph_select(g, there, from_end(cx, i, count, 1), i);
  return axis_last(cx, graph_take_along(g, axis_last(cx, x, axis), axis_last(cx, at, axis)), axis);
}

static Node *turned(Cx *cx, Node *x, int axis) {
  const int64_t n = x->shape.dim[axis];
  double *back = ARENA_ARRAY(cx->a, double, n);
  for (int64_t i = 0; i < n; i++) back[i] = (double)(n - 1 - i);
  return gather_axis(cx, x, axis, graph_tensor(cx->g, back, DT_I32, shape_of(1, n)));
}

// -- calls: x, axis; then by name descending, or reverse

static Node *along_axis(Cx *cx, Builtin b, Node *x, int axis, Dims dims, bool backwards) {
  const Dim *d = dim_of(dims, axis);
  bool on[MAX_RANK] = {0};
  on[axis] = true;
  if (b == B_FLIP && d && d->each) return each_turned(cx, x, axis, d, dims);
  if (b == B_FLIP && d && d->count) return placed(cx, x, axis, d, from_end, 1);
  x = count_filled(cx, x, dims, on, count_identity(b));
  switch (b) {
  case B_CUMPROD: return scan(cx, x, axis, join_product, backwards);
  case B_LOGCUMSUMEXP: return scan(cx, x, axis, join_exponentials, backwards);
  case B_FLIP: return turned(cx, x, axis);
  case B_SORT:
  case B_ARGSORT: return sorted(cx, b, x, axis, backwards, x->shape.dim[axis]);
  default: return graph_running(cx->g, builtin_operation(b), x, axis, backwards);
  }
}

Value call_along(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  if (t && axis_of_tree(cx, a, a->v[1])) return v_fail();
  Tree *out = tree_new(cx, t ? t->n : 1);
  const Dims dims = value_dims(cx, a->v[0]);
  for (int i = 0; i < out->n; i++) {
    Node *x = t ? t->leaf[i].node : counted_floats(cx, a->v[0]);
    if (x && x->dtype != DT_F32) x = graph_cast(cx->g, x, DT_F32);
    int axis;
    if (!x || !one_axis(cx, a->v[1], x->shape, &axis)) return v_fail();
    out->leaf[i] = (Leaf){t ? t->leaf[i].path : "", along_axis(cx, a->b, x, axis, dims, is_true(a->v[2]))};
  }
  Value v = t ? v_tree(out, a->at) : v_tensor(out->leaf[0].node, a->at);
  v.dims = dims;
  return v;
}

// A known whole number from low to high.
bool known_int(Cx *cx, const Value *v, const char *what, int64_t low, int64_t high, int64_t *out) {
  double d;
  if (!value_number(cx, v, what, &d)) return false;
  if (d >= (double)low && d <= (double)high && d == floor(d)) {
    *out = (int64_t)d;
    return true;
  }
  diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span,
            arena_printf(cx->a, "a whole number from %lld to %lld", (long long)low, (long long)high),
            value_text(cx, v));
  return false;
}

// k of the elements that are there, or all of them where there are fewer.
Value call_topk(Cx *cx, const Args *a) {
  Node *x = counted_floats(cx, a->v[0]);
  int axis;
  int64_t k;
  if (!x || !one_axis(cx, a->v[2], x->shape, &axis)) return v_fail();
  if (!known_int(cx, a->v[1], "a number of elements", 0, x->shape.dim[axis], &k)) return v_fail();
  const Dims given = value_dims(cx, a->v[0]);
  const Dim **dims = dims_copy(cx, given, x->shape.rank), *d = dim_of(given, axis);
  bool on[MAX_RANK] = {0};
  on[axis] = true;
  x = count_filled(cx, x, given, on, count_identity(B_SORT));
  dims[axis] = NULL;
  if (d && d->count) {
    Node *most = graph_const_typed(cx->g, (double)k, d->count->dtype, d->count->shape);
    dims[axis] = counted_like(cx, d, graph_binary(cx->g, OP_MIN, d->count, most), k, a->at);
  }
  Value v = v_tensor(sorted(cx, B_SORT, x, axis, true, k), a->at);
  v.dims = dims;
  return v;
}

Value call_roll(Cx *cx, const Args *a) {
  Node *x = counted_node(cx, a->v[0]);
  int axis;
  int64_t by;
  if (!x || !one_axis(cx, a->v[2], x->shape, &axis)) return v_fail();
  if (!known_int(cx, a->v[1], "a number of places", -INT32_MAX, INT32_MAX, &by)) return v_fail();
  const int64_t n = x->shape.dim[axis], at = n ? ((n - by % n) % n + n) % n : 0;
  const Dims dims = value_dims(cx, a->v[0]);
  const Dim *d = dim_of(dims, axis);
  Node *out = x;
  if (d && d->count)
    out = placed(cx, x, axis, d, around, by);
  else if (at)
    out = graph_concat(cx->g, (Node *[]){axis_slice(cx, x, axis, at, n), axis_slice(cx, x, axis, 0, at)}, 2,
                       axis);
  Value v = v_tensor(out, a->at);
  v.dims = dims;
  return v;
}
