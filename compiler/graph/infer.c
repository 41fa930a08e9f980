// The structural laws. In: operation, operands, attributes (and the type where the text spells it). Out:
// element type and shape of the result, or the law that is broken. Holds: builder, verifier and text reader
// all ask here, so they cannot disagree.
#include "ops.h"

#define FAULT(...)                                                                                           \
  do {                                                                                                       \
    const char *fault_ = arena_printf(a, __VA_ARGS__);                                                       \
    return fault_;                                                                                           \
  } while (0)

static const char *infer_leaf(Arena *a, Node *n) {
  const char *fault = shape_fault(a, n->shape);
  if (fault) return fault;
  if (n->op == OP_INPUT) {
    if (!n->name || !*n->name) return "an input needs a name";
    if (n->nattr != 1 || n->attr[0] < 0) return "an input needs its position";
  } else if (n->op == OP_CONST) {
    if (n->ndata != 1 && n->ndata != shape_count(n->shape))
      FAULT("%lld values for %lld elements", (long long)n->ndata, (long long)shape_count(n->shape));
    for (int64_t i = 0; i < n->ndata && !dtype_is_float(n->dtype); i++) {
      double v = n->data[i];
      if (n->dtype == DT_BOOL ? (v != 0 && v != 1) : !(v >= INT32_MIN && v <= INT32_MAX && v == (int32_t)v))
        FAULT("%g is no %s", v, dtype_text(n->dtype));
    }
  } else if (n->op == OP_HOLE) {
    if (n->nattr != 1 || n->attr[0] < 0) return "a hole needs its key";
  } else {
    if (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] >= n->shape.rank) return "axis out of range";
    if (n->dtype == DT_BOOL) return "iota is of numbers";
  }
  return NULL;
}

static bool takes_i32(Op op) {
  return op == OP_NEG || op == OP_ABS || op == OP_SIGN || op == OP_ADD || op == OP_SUB || op == OP_MUL ||
         op == OP_DIV || op == OP_MIN || op == OP_MAX;
}

static const char *infer_pointwise(Arena *a, Node *n) {
  for (int i = 1; i < n->nin; i++)
    if (!shape_equal(n->in[0]->shape, n->in[i]->shape))
      FAULT("operand shapes %s and %s differ", shape_text(a, n->in[0]->shape),
            shape_text(a, n->in[i]->shape));
  DType t = n->in[0]->dtype;
  if (n->op == OP_CAST) {
    if (!shape_equal(n->shape, n->in[0]->shape)) return "a cast keeps the shape";
    return NULL;
  }
  n->shape = n->in[0]->shape;
  if (n->op == OP_SELECT) {
    if (t != DT_BOOL) return "the condition is not bool";
    t = n->in[1]->dtype;
    if (t != n->in[2]->dtype) return "operand types differ";
  } else {
    if (n->nin == 2 && t != n->in[1]->dtype) return "operand types differ";
    if (t == DT_BOOL || (t == DT_I32 && !takes_i32(n->op))) FAULT("no %s operands here", dtype_text(t));
  }
  n->dtype = t;
  return NULL;
}

static const char *infer_compare(Arena *a, Node *n) {
  bool logic = n->op == OP_AND || n->op == OP_OR || n->op == OP_NOT;
  for (int i = 0; i < n->nin; i++) {
    if (!shape_equal(n->in[0]->shape, n->in[i]->shape))
      FAULT("operand shapes %s and %s differ", shape_text(a, n->in[0]->shape),
            shape_text(a, n->in[i]->shape));
    DType t = n->in[i]->dtype;
    if (t != n->in[0]->dtype) return "operand types differ";
    if (logic ? t != DT_BOOL : (t == DT_BOOL && n->op != OP_EQ)) FAULT("no %s operands here", dtype_text(t));
  }
  n->dtype = DT_BOOL;
  n->shape = n->in[0]->shape;
  return NULL;
}

// Attribute axes: increasing, within the rank.
static const char *axes_fault(const Node *n, int rank) {
  for (int i = 0; i < n->nattr; i++) {
    if (n->attr[i] < 0 || n->attr[i] >= rank) return "axis out of range";
    if (i && n->attr[i] <= n->attr[i - 1]) return "axes are not increasing";
  }
  return NULL;
}

static const char *infer_reduce(Node *n) {
  const Node *x = n->in[0];
  const char *fault = axes_fault(n, x->shape.rank);
  if (fault) return fault;
  if (n->nattr == 0) return "no axis is reduced";
  if (x->dtype == DT_BOOL) return "no bool operands here";
  if (n->op == OP_ARGMAX && n->nattr != 1) return "argmax is over one axis";
  if (n->op == OP_ARGMAX && x->shape.dim[n->attr[0]] == 0) return "argmax of nothing";
  n->dtype = n->op == OP_ARGMAX ? DT_I32 : x->dtype;
  n->shape = (Shape){0};
  for (int i = 0, k = 0; i < x->shape.rank; i++) {
    if (k < n->nattr && n->attr[k] == i)
      k++;
    else
      n->shape.dim[n->shape.rank++] = x->shape.dim[i];
  }
  return NULL;
}

static const char *infer_transpose(Node *n) {
  const Shape s = n->in[0]->shape;
  if (n->nattr != s.rank) return "perm has another length than the rank";
  unsigned seen = 0;
  n->shape = (Shape){.rank = s.rank};
  for (int i = 0; i < s.rank; i++) {
    int64_t p = n->attr[i];
    if (p < 0 || p >= s.rank || (seen >> p & 1)) return "perm is no permutation";
    seen |= 1u << p;
    n->shape.dim[i] = s.dim[p];
  }
  return NULL;
}

static const char *infer_broadcast(Arena *a, Node *n) {
  const char *fault = shape_fault(a, n->shape);
  if (fault) return fault;
  const Shape s = n->in[0]->shape;
  if (n->nattr != s.rank) return "one axis for each of the operand's";
  if ((fault = axes_fault(n, n->shape.rank))) return fault;
  for (int i = 0; i < s.rank; i++)
    if (s.dim[i] != n->shape.dim[n->attr[i]])
      FAULT("%s does not broadcast to %s along its axes", shape_text(a, s), shape_text(a, n->shape));
  return NULL;
}

static const char *infer_slice(Node *n) {
  const Shape s = n->in[0]->shape;
  const int r = s.rank;
  if (n->nattr != 3 * r) return "start, stop and step for each axis";
  n->shape = (Shape){.rank = r};
  for (int i = 0; i < r; i++) {
    int64_t start = n->attr[i], stop = n->attr[r + i], step = n->attr[2 * r + i];
    if (step < 1 || start < 0 || start > stop || stop > s.dim[i]) return "slice out of range";
    n->shape.dim[i] = stop > start ? (stop - start - 1) / step + 1 : 0;
  }
  return NULL;
}

static const char *infer_pad(Arena *a, Node *n) {
  const Shape s = n->in[0]->shape;
  const int r = s.rank;
  const int64_t limit = (int64_t)1 << 40;
  if (n->nattr != 3 * r) return "lo, hi and inner for each axis";
  n->shape = (Shape){.rank = r};
  for (int i = 0; i < r; i++) {
    int64_t lo = n->attr[i], hi = n->attr[r + i], inner = n->attr[2 * r + i];
    if (lo < 0 || hi < 0 || inner < 0) return "padding is negative";
    const int64_t between = s.dim[i] ? s.dim[i] - 1 : 0;
    if (lo > limit || hi > limit || inner > limit / (between + 1)) return "padding is too wide";
    n->shape.dim[i] = lo + hi + s.dim[i] + between * inner;
  }
  return shape_fault(a, n->shape);
}

// Windows along an axis of which the next one tells the element.
static const char *infer_slide(Arena *a, Node *n) {
  const bool back = n->op == OP_UNSLIDE;
  const int64_t limit = (int64_t)1 << 40;
  const Shape s = n->in[0]->shape;
  if (n->nattr != (back ? 4 : 3)) return "axis, step and spread";
  const int64_t axis = n->attr[0], step = n->attr[1], spread = n->attr[2];
  if (axis < 0 || axis + 1 >= s.rank) return "axis out of range";
  const int64_t k = s.dim[axis + 1];
  if (k < 1) return "a window of nothing";
  if (step < 1 || spread < 0 || step > limit || spread > limit / k) return "step or spread out of range";
  const int64_t size = back ? n->attr[3] : s.dim[axis], room = size - 1 - (k - 1) * spread;
  if (size < 1 || size > limit || room < 0) return "no window fits";
  const int64_t windows = room / step + 1;
  if (back && s.dim[axis] != windows) return "another number of windows";
  n->shape = s;
  n->shape.dim[axis] = back ? size : windows;
  return shape_fault(a, n->shape);
}

static const char *infer_concat(Arena *a, Node *n) {
  if (n->nin < 1) return "nothing to concatenate";
  const Shape s = n->in[0]->shape;
  if (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] >= s.rank) return "axis out of range";
  const int axis = (int)n->attr[0];
  n->shape = s;
  n->dtype = n->in[0]->dtype;
  for (int k = 1; k < n->nin; k++) {
    const Node *x = n->in[k];
    if (x->dtype != n->dtype) return "operand types differ";
    if (x->shape.rank != s.rank) return "operand ranks differ";
    for (int i = 0; i < s.rank; i++)
      if (i != axis && x->shape.dim[i] != s.dim[i])
        FAULT("operand shapes %s and %s differ off the axis", shape_text(a, s), shape_text(a, x->shape));
    n->shape.dim[axis] += x->shape.dim[axis];
  }
  return shape_fault(a, n->shape);
}

static const char *infer_shape_op(Arena *a, Node *n) {
  if (n->op == OP_CONCAT) return infer_concat(a, n);
  if (op_has_type(n->op) && n->dtype != n->in[0]->dtype) return "the element type stays";
  n->dtype = n->in[0]->dtype;
  switch (n->op) {
  case OP_RESHAPE: {
    const char *fault = shape_fault(a, n->shape);
    if (!fault && shape_count(n->shape) != shape_count(n->in[0]->shape))
      fault = "a reshape keeps the number of elements";
    return fault;
  }
  case OP_TRANSPOSE: return infer_transpose(n);
  case OP_BROADCAST: return infer_broadcast(a, n);
  case OP_SLICE: return infer_slice(n);
  case OP_SLIDE:
  case OP_UNSLIDE: return infer_slide(a, n);
  default: return infer_pad(a, n);
  }
}

static const char *infer_matmul(Arena *a, Node *n) {
  const Node *x = n->in[0], *y = n->in[1];
  const int r = x->shape.rank;
  if (!dtype_is_float(x->dtype) || y->dtype != x->dtype) return "matmul is of floats of one type";
  if (r < 2 || y->shape.rank != r) return "matmul needs two operands of one rank, at least 2";
  for (int i = 0; i < r - 2; i++)
    if (x->shape.dim[i] != y->shape.dim[i]) return "leading dimensions differ";
  if (x->shape.dim[r - 1] != y->shape.dim[r - 2])
    FAULT("%s and %s have different inner dimensions", shape_text(a, x->shape), shape_text(a, y->shape));
  n->dtype = x->dtype;
  n->shape = x->shape;
  n->shape.dim[r - 1] = y->shape.dim[r - 1];
  return shape_fault(a, n->shape);
}

// gather, scatter_add: `index` [i..] stands for the leading axes of the longer shape.
static const char *infer_index_rows(Arena *a, Node *n) {
  const bool gather = n->op == OP_GATHER;
  const Shape index = n->in[gather ? 1 : 0]->shape, x = n->in[gather ? 0 : 1]->shape;
  n->dtype = n->in[gather ? 0 : 1]->dtype;
  if (n->in[gather ? 1 : 0]->dtype != DT_I32) return "the index is not i32";
  if (gather) {
    if (x.rank < 1) return "gather from a number";
    if (x.dim[0] == 0 && shape_count(index) > 0) return "gather from nothing";
    if (index.rank + x.rank - 1 > MAX_RANK) return "rank too high";
    n->shape = index;
    for (int i = 1; i < x.rank; i++) n->shape.dim[n->shape.rank++] = x.dim[i];
    return shape_fault(a, n->shape);
  }
  if (!dtype_is_float(n->dtype)) return "sums by index are of floats";
  if (n->nattr != 1 || n->attr[0] < (shape_count(index) > 0)) return "size out of range";
  if (x.rank < index.rank) return "the index has more axes than what it places";
  if (1 + x.rank - index.rank > MAX_RANK) return "rank too high";
  for (int i = 0; i < index.rank; i++)
    if (index.dim[i] != x.dim[i]) return "index and operand differ in the leading axes";
  n->shape = (Shape){.rank = 1, .dim = {n->attr[0]}};
  for (int i = index.rank; i < x.rank; i++) n->shape.dim[n->shape.rank++] = x.dim[i];
  return shape_fault(a, n->shape);
}

static const char *infer_index_along(Arena *a, Node *n) {
  const bool take = n->op == OP_TAKE_ALONG;
  const Shape index = n->in[take ? 1 : 0]->shape, x = n->in[take ? 0 : 1]->shape;
  n->dtype = n->in[take ? 0 : 1]->dtype;
  if (n->in[take ? 1 : 0]->dtype != DT_I32) return "the index is not i32";
  if (x.rank < 1 || index.rank != x.rank) return "index and operand differ in rank";
  for (int i = 0; i + (take ? 1 : 0) < x.rank; i++)
    if (index.dim[i] != x.dim[i]) return "index and operand differ in shape";
  n->shape = index;
  const int64_t size = take ? x.dim[x.rank - 1] : n->nattr == 1 ? n->attr[0] : -1;
  if (size < (shape_count(index) > 0)) return "size out of range";
  if (take) return NULL;
  if (!dtype_is_float(n->dtype)) return "sums by index are of floats";
  n->shape.dim[x.rank - 1] = n->attr[0];
  return shape_fault(a, n->shape);
}

static const char *infer_index(Arena *a, Node *n) {
  const Node *x = n->in[0];
  if (n->op == OP_INDEX) {
    if (n->nin < 1 || n->nin > 2) return "an index has one operand, and may have its count";
    if (n->nattr != 1 || n->attr[0] < (shape_count(x->shape) > 0) || n->attr[0] > (int64_t)INT32_MAX + 1)
      return "size out of range";
    n->shape = x->shape;
    n->dtype = DT_I32;
    if (n->nin == 2 && (n->in[1]->dtype != DT_I32 || n->in[1]->shape.rank)) return "the count is i32[]";
    return x->dtype == DT_BOOL ? "no bool operands here" : NULL;
  }
  switch (n->op) {
  case OP_GATHER:
  case OP_SCATTER_ADD: return infer_index_rows(a, n);
  case OP_TAKE_ALONG:
  case OP_PUT_ALONG: return infer_index_along(a, n);
  default: break;
  }
  if (!dtype_is_float(x->dtype)) return "order and sums along an axis are of floats";
  if (x->shape.rank < 1) return "a number has no axes";
  n->shape = x->shape;
  n->dtype = n->op == OP_ARGSORT ? DT_I32 : x->dtype;
  if (n->op == OP_CUMSUM) {
    if (n->nattr != 2 || n->attr[0] < 0 || n->attr[0] >= x->shape.rank) return "axis out of range";
    if (n->attr[1] != 0 && n->attr[1] != 1) return "reverse is 0 or 1";
  }
  return NULL;
}

static const char *infer_uniform(Arena *a, Node *n) {
  const Node *seed = n->in[0], *counter = n->in[1];
  if (seed->dtype != DT_I32 || seed->shape.rank != 1 || seed->shape.dim[0] != 2) return "the seed is i32[2]";
  if (counter->dtype != DT_I32 || counter->shape.rank != 0) return "the counter is i32[]";
  if (n->dtype != DT_F32) return "uniform is f32";
  if (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] > UINT32_MAX) return "stream out of range";
  return shape_fault(a, n->shape);
}

static const char *infer_part(Node *n) {
  const Node *x = n->in[0];
  if (n->nattr != 1 || n->attr[0] < 0 || n->attr[0] >= x->nout) return "there is no such part";
  n->dtype = x->out[n->attr[0]].dtype;
  n->shape = x->out[n->attr[0]].shape;
  return NULL;
}

const char *node_infer(Arena *a, Node *n) {
  const OpInfo *info = &op_info[n->op];
  if (info->arity >= 0 && n->nin != info->arity) FAULT("%d operands instead of %d", n->nin, info->arity);
  if (n->op != OP_INPUT && op_attr_keys(n->op).n == 0 && n->nattr != 0)
    return "attributes where there are none";
  switch (info->class) {
  case CLASS_LEAF: return infer_leaf(a, n);
  case CLASS_POINTWISE: return infer_pointwise(a, n);
  case CLASS_COMPARE: return infer_compare(a, n);
  case CLASS_REDUCE: return infer_reduce(n);
  case CLASS_SHAPE: return infer_shape_op(a, n);
  case CLASS_CONTRACT: return infer_matmul(a, n);
  case CLASS_WINDOW: return infer_window(a, n);
  case CLASS_INDEX: return infer_index(a, n);
  case CLASS_FACTOR: return infer_factor(a, n);
  case CLASS_RANDOM: return infer_uniform(a, n);
  case CLASS_BODY:
    return n->op == OP_LOOP ? infer_loop(a, n) : n->op == OP_IF ? infer_if(a, n) : infer_part(n);
  case CLASS_META:
    if (n->op == OP_POINT && (n->nattr != 1 || n->attr[0] < 0)) return "a point needs its key";
    n->dtype = n->in[0]->dtype;
    n->shape = n->in[0]->shape;
    return NULL;
  }
  return "unknown class";
}
