// Simplification at construction: reductions, index maps, contraction, indexing. See simplify.c for what
// holds.
#include "simplify.h"

static Node *constant_of(Graph *g, double value, const Node *n) {
  return graph_const_typed(g, value, n->dtype, n->shape);
}

// -- reductions

static bool reduced(const Node *n, int axis) {
  for (int i = 0; i < n->nattr; i++)
    if (n->attr[i] == axis) return true;
  return false;
}

static bool has_unit_axis(Shape s) {
  for (int i = 0; i < s.rank; i++)
    if (s.dim[i] == 1) return true;
  return false;
}

// Axes of length 1 are reduced by reshaping.
static Node *reduce_unit_axes(Graph *g, const Node *n) {
  Node *x = n->in[0];
  int axes[MAX_RANK], naxes = 0, units = 0;
  Shape kept = {0};
  for (int i = 0; i < x->shape.rank; i++) {
    bool unit = reduced(n, i) && x->shape.dim[i] == 1;
    units += unit;
    if (unit) continue;
    if (reduced(n, i)) axes[naxes++] = kept.rank;
    kept.dim[kept.rank++] = x->shape.dim[i];
  }
  return units ? graph_reduce(g, n->op, graph_reshape(g, x, kept), axes, naxes) : NULL;
}

// A reduction of a broadcast: along the axes that only repeat, a sum is a product with their length and a
// maximum is the value itself; what remains is reduced on the small operand.
static Node *reduce_broadcast(Graph *g, const Node *n) {
  const Node *b = n->in[0];
  Node *x = b->in[0];
  int inner[MAX_RANK], ninner = 0, outer[MAX_RANK], nouter = 0;
  double repeats = 1;
  bool expanded[MAX_RANK];
  for (int i = 0; i < b->shape.rank; i++) expanded[i] = true;
  for (int k = 0; k < x->shape.rank; k++) expanded[b->attr[k]] = false;
  for (int i = 0; i < b->shape.rank; i++)
    if (expanded[i] && reduced(n, i)) repeats *= (double)b->shape.dim[i];
  if (repeats == 1 || (x->dtype == DT_I32 && repeats > INT32_MAX)) return NULL;
  int position[MAX_RANK], kept = 0; // of each axis in the result
  for (int i = 0; i < b->shape.rank; i++) position[i] = reduced(n, i) ? -1 : kept++;
  for (int k = 0; k < x->shape.rank; k++) {
    int axis = (int)b->attr[k];
    if (reduced(n, axis))
      inner[ninner++] = k;
    else
      outer[nouter++] = position[axis];
  }
  Node *small = graph_reduce(g, n->op, x, inner, ninner);
  if (n->op == OP_SUM)
    small = graph_binary(g, OP_MUL, small, graph_const_typed(g, repeats, x->dtype, small->shape));
  return graph_broadcast(g, small, n->shape, outer);
}

bool sum_by_rows(Shape x, const Node *n) {
  enum { LEAST_OF_A_ROW = 64, LEAST = 16384 };
  int64_t row = 1;
  if (n->nattr < 2 || n->attr[0] != 0 || n->attr[n->nattr - 1] == x.rank - 1) return false;
  for (int k = 1; k < n->nattr; k++) row *= x.dim[n->attr[k]];
  return row >= LEAST_OF_A_ROW && shape_count(x) >= LEAST;
}

// The sum of a sum, as one over the axes of both.
static Node *merge_reductions(Graph *g, const Node *n) {
  const Node *first = n->in[0];
  Node *x = first->in[0];
  int axes[MAX_RANK], naxes = 0, position = 0;
  for (int i = 0; i < x->shape.rank; i++) {
    bool gone = reduced(first, i);
    if (gone || reduced(n, position)) axes[naxes++] = i;
    position += !gone;
  }
  int64_t merged[MAX_RANK];
  for (int i = 0; i < naxes; i++) merged[i] = axes[i];
  const Node like = {.nattr = naxes, .attr = merged};
  if (n->op == OP_SUM && n->nattr == 1 && n->attr[0] == 0 && !reduced(first, 0) &&
      sum_by_rows(x->shape, &like))
    return NULL;
  return graph_reduce(g, n->op, x, axes, naxes);
}

// Windows that lie side by side are a reshape: x [.., w, k, ..] as [.., w k, ..], and 0 behind it up to
// `size`.
static Node *join_windows(Graph *g, Node *x, int axis, int64_t size) {
  Shape s = {.rank = x->shape.rank - 1};
  for (int i = 0; i < s.rank; i++) s.dim[i] = x->shape.dim[i + (i > axis)];
  s.dim[axis] *= x->shape.dim[axis + 1];
  int64_t none[MAX_RANK] = {0}, more[MAX_RANK] = {0};
  more[axis] = size - s.dim[axis];
  return graph_pad(g, graph_reshape(g, x, s), none, more, none);
}

static bool side_by_side(const Node *n) { // a SLIDE or UNSLIDE
  return n->attr[1] == n->shape.dim[n->attr[0] + 1] && n->attr[2] == 1;
}

static Node *reduce_same(Graph *g, const Node *n, Node *x) {
  int axes[MAX_RANK];
  for (int i = 0; i < n->nattr; i++) axes[i] = (int)n->attr[i];
  return graph_reduce(g, n->op, x, axes, n->nattr);
}

Node *simplify_reduce(Graph *g, const Node *n) {
  Node *x = n->in[0];
  double c;
  if (n->op == OP_ARGMAX) {
    if (x->shape.dim[n->attr[0]] == 1 || node_splat(x, &c)) return constant_of(g, 0, n);
    return NULL;
  }
  if (node_splat(x, &c)) {
    if (n->op == OP_RMAX) return constant_of(g, c, n);
    int64_t times = shape_count(x->shape) / shape_count(n->shape);
    if (n->dtype == DT_I32 && times > INT32_MAX) return NULL;
    return constant_of(g, op_scalar(OP_MUL, n->dtype, n->dtype, c, (double)times, 0), n);
  }
  Node *units = reduce_unit_axes(g, n);
  if (units) return units;
  if (x->op == n->op) return merge_reductions(g, n);
  if (x->op == OP_BROADCAST) return reduce_broadcast(g, n);
  // Not where the source has axes of length 1: reshaping them away is what led here.
  if ((x->op == OP_RESHAPE || x->op == OP_TRANSPOSE) && n->shape.rank == 0 && !has_unit_axis(x->in[0]->shape))
    return graph_reduce_all(g, n->op, x->in[0]);
  if (n->op != OP_SUM) return NULL;
  if (x->op == OP_UNSLIDE && side_by_side(x) && n->nattr == 1 && n->attr[0] == x->attr[0] + 1)
    return join_windows(g, x->in[0], (int)x->attr[0], x->attr[3]);
  if (x->op == OP_NEG) return graph_unary(g, OP_NEG, reduce_same(g, n, x->in[0]));
  if (x->op == OP_MUL && node_splat(x->in[1], &c) && (moderate(c) || n->dtype == DT_I32))
    return graph_binary(g, OP_MUL, reduce_same(g, n, x->in[0]), constant_of(g, c, n));
  return NULL;
}

// -- index maps

static Node *simplify_reshape(Graph *g, const Node *n) {
  Node *x = n->in[0];
  if (shape_equal(x->shape, n->shape)) return x;
  if (x->op == OP_RESHAPE) return graph_reshape(g, x->in[0], n->shape);
  if (x->op == OP_CONST) return graph_tensor(g, x->data, x->dtype, n->shape);
  if (x->op == OP_BROADCAST && x->in[0]->shape.rank == 0) return graph_broadcast(g, x->in[0], n->shape, NULL);
  return NULL;
}

// transpose(broadcast(x)) = broadcast(transpose(x)): result axis i comes from axis perm[i].
static Node *transpose_broadcast(Graph *g, const Node *n) {
  const Node *b = n->in[0];
  Node *x = b->in[0];
  int perm[MAX_RANK], axes[MAX_RANK], k = 0;
  for (int i = 0; i < n->nattr; i++)
    for (int j = 0; j < x->shape.rank; j++)
      if (b->attr[j] == n->attr[i]) {
        perm[k] = j;
        axes[k++] = i;
      }
  return graph_broadcast(g, graph_transpose(g, x, perm), n->shape, axes);
}

static Node *simplify_transpose(Graph *g, const Node *n) {
  Node *x = n->in[0];
  bool identity = true;
  int last = -1, perm[MAX_RANK];
  bool ordered = true; // the axes longer than 1 keep their order: no element moves
  for (int i = 0; i < n->nattr; i++) {
    identity = identity && n->attr[i] == i;
    if (n->shape.dim[i] == 1) continue;
    ordered = ordered && n->attr[i] > last;
    last = (int)n->attr[i];
  }
  if (identity) return x;
  if (ordered) return graph_reshape(g, x, n->shape);
  if (x->op == OP_TRANSPOSE) {
    for (int i = 0; i < n->nattr; i++) perm[i] = (int)x->attr[n->attr[i]];
    return graph_transpose(g, x->in[0], perm);
  }
  return x->op == OP_BROADCAST ? transpose_broadcast(g, n) : NULL;
}

static Node *simplify_broadcast(Graph *g, const Node *n) {
  Node *x = n->in[0];
  int axes[MAX_RANK];
  if (shape_count(x->shape) == shape_count(n->shape)) return graph_reshape(g, x, n->shape);
  if (x->shape.rank > 0 && shape_count(x->shape) == 1)
    return graph_broadcast(g, graph_reshape(g, x, (Shape){0}), n->shape, NULL);
  if (x->op != OP_BROADCAST) return NULL;
  for (int k = 0; k < x->nattr; k++) axes[k] = (int)n->attr[x->attr[k]];
  return graph_broadcast(g, x->in[0], n->shape, axes);
}

static Node *simplify_slice(Graph *g, const Node *n) {
  Node *x = n->in[0];
  if (shape_equal(x->shape, n->shape)) return x;
  if (x->op == OP_BROADCAST && x->in[0]->shape.rank == 0) return graph_broadcast(g, x->in[0], n->shape, NULL);
  if (x->op != OP_SLICE) return NULL;
  const int r = x->shape.rank;
  int64_t start[MAX_RANK], stop[MAX_RANK], step[MAX_RANK];
  for (int i = 0; i < r; i++) {
    step[i] = n->attr[2 * r + i] * x->attr[2 * r + i];
    start[i] = x->attr[i] + n->attr[i] * x->attr[2 * r + i];
    stop[i] = start[i] + (n->shape.dim[i] - 1) * step[i] + 1;
  }
  return graph_slice(g, x->in[0], start, stop, step);
}

// Elements step, 2 step, … of an axis, so many.
static Node *every(Graph *g, Node *x, int axis, int64_t step, int64_t count) {
  int64_t start[MAX_RANK] = {0}, stop[MAX_RANK], by[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) stop[i] = x->shape.dim[i], by[i] = 1;
  stop[axis] = (count - 1) * step + 1;
  by[axis] = step;
  return graph_slice(g, x, start, stop, by);
}

// Windows of one element are every step-th element; windows side by side divide the axis.
static Node *simplify_slide(Graph *g, const Node *n) {
  Node *x = n->in[0];
  const int axis = (int)n->attr[0];
  const int64_t k = n->shape.dim[axis + 1], windows = n->shape.dim[axis];
  if (k == 1) return every(g, x, axis, n->attr[1], windows);
  if (x->op != OP_BROADCAST || !side_by_side(n) || x->nattr != x->shape.rank - 1) return NULL;
  for (int i = 0; i < x->nattr; i++)
    if (x->attr[i] != i + (i > axis)) return NULL;
  return graph_reshape(g, every(g, x->in[0], axis, 1, windows * k), n->shape);
}

static Node *simplify_unslide(Graph *g, const Node *n) {
  Node *x = n->in[0];
  if (node_is(x, 0)) return constant_of(g, 0, n);
  const int axis = (int)n->attr[0];
  if (n->shape.dim[axis + 1] > 1) return NULL;
  int64_t none[MAX_RANK] = {0}, behind[MAX_RANK] = {0}, between[MAX_RANK] = {0};
  between[axis] = n->attr[1] - 1;
  behind[axis] = n->attr[3] - 1 - (x->shape.dim[axis] - 1) * n->attr[1];
  return graph_pad(g, x, none, behind, between);
}

// -- contraction

static Shape rows(Shape s) { // the leading axes as one
  return shape_of(2, shape_count(s) / s.dim[s.rank - 1], s.dim[s.rank - 1]);
}

// One matrix for all leading indices: a single product over all rows, and one for its gradient.
static Node *simplify_matmul(Graph *g, const Node *n) {
  Node *x = n->in[0], *y = n->in[1];
  const int r = n->shape.rank;
  if (!g->keeps && ((node_is(x, 0) && node_finite(y)) || (node_is(y, 0) && node_finite(x))))
    return constant_of(g, 0, n);
  if (r == 2) return NULL;
  int64_t batch = shape_count(n->shape) / (n->shape.dim[r - 1] * n->shape.dim[r - 2]);
  if (batch == 1) {
    Node *a = graph_reshape(g, x, shape_of(2, x->shape.dim[r - 2], x->shape.dim[r - 1]));
    Node *b = graph_reshape(g, y, shape_of(2, y->shape.dim[r - 2], y->shape.dim[r - 1]));
    return graph_reshape(g, graph_matmul(g, a, b), n->shape);
  }
  if (y->op != OP_BROADCAST || y->in[0]->shape.rank != 2 || y->attr[0] != r - 2 || y->attr[1] != r - 1)
    return NULL;
  return graph_reshape(g, graph_matmul(g, graph_reshape(g, x, rows(x->shape)), y->in[0]), n->shape);
}

// What indexing a constant gives. The scattering operations and the prefix sum keep only zero.
static Node *simplify_index(Graph *g, const Node *n) {
  double c;
  bool takes = n->op == OP_GATHER || n->op == OP_TAKE_ALONG,
       scatters = n->op == OP_SCATTER_ADD || n->op == OP_PUT_ALONG;
  const Node *x = n->in[scatters ? 1 : 0];
  if (n->op == OP_ARGSORT || n->op == OP_INDEX || !node_splat(x, &c)) return NULL;
  return takes || c == 0 ? constant_of(g, c, n) : NULL;
}

Node *simplify_shape(Graph *g, const Node *n) {
  double c;
  OpClass class = op_info[n->op].class;
  if (class == CLASS_CONTRACT) return simplify_matmul(g, n);
  if (class == CLASS_INDEX) return simplify_index(g, n);
  bool moves = n->op != OP_PAD && n->op != OP_CONCAT && n->op != OP_UNSLIDE;
  if (moves && node_splat(n->in[0], &c)) return constant_of(g, c, n);
  switch (n->op) {
  case OP_RESHAPE: return simplify_reshape(g, n);
  case OP_TRANSPOSE: return simplify_transpose(g, n);
  case OP_BROADCAST: return simplify_broadcast(g, n);
  case OP_SLICE: return simplify_slice(g, n);
  case OP_PAD:
    if (node_is(n->in[0], 0)) return constant_of(g, 0, n);
    return shape_equal(n->in[0]->shape, n->shape) ? n->in[0] : NULL;
  case OP_SLIDE: return simplify_slide(g, n);
  case OP_UNSLIDE: return simplify_unslide(g, n);
  case OP_CONCAT: return n->nin == 1 ? n->in[0] : NULL;
  default: return NULL;
  }
}
