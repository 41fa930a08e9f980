// The operations of a graph as nodes of ONNX. Most are one node; a loop's turns are written out, of a choice
// both sides are computed and one is taken. What cannot be written so is refused, and named.
#include "onnx.h"
#include <string.h>

enum { MOST_TURNS = 1024 };

static const char *const same[OP_COUNT] = {
    [OP_NEG] = "Neg",       [OP_ABS] = "Abs",         [OP_SIGN] = "Sign",      [OP_FLOOR] = "Floor",
    [OP_ROUND] = "Round",   [OP_EXP] = "Exp",         [OP_LOG] = "Log",        [OP_SQRT] = "Sqrt",
    [OP_TANH] = "Tanh",     [OP_SIGMOID] = "Sigmoid", [OP_ERF] = "Erf",        [OP_SOFTPLUS] = "Softplus",
    [OP_SIN] = "Sin",       [OP_COS] = "Cos",         [OP_SINH] = "Sinh",      [OP_COSH] = "Cosh",
    [OP_ASIN] = "Asin",     [OP_ACOS] = "Acos",       [OP_ATAN] = "Atan",      [OP_ASINH] = "Asinh",
    [OP_ACOSH] = "Acosh",   [OP_ATANH] = "Atanh",     [OP_ADD] = "Add",        [OP_SUB] = "Sub",
    [OP_MUL] = "Mul",       [OP_DIV] = "Div",         [OP_POW] = "Pow",        [OP_MIN] = "Min",
    [OP_MAX] = "Max",       [OP_SELECT] = "Where",    [OP_LT] = "Less",        [OP_LE] = "LessOrEqual",
    [OP_EQ] = "Equal",      [OP_AND] = "And",         [OP_OR] = "Or",          [OP_NOT] = "Not",
    [OP_MATMUL] = "MatMul", [OP_STOP] = "Identity",   [OP_POINT] = "Identity",
};

static const char *node1(Onnx *o, const char *op, const char *x, Text *attributes) {
  return onnx_node(o, op, 1, &x, attributes);
}

static const char *node2(Onnx *o, const char *op, const char *x, const char *y, Text *attributes) {
  return onnx_node(o, op, 2, (const char *const[]){x, y}, attributes);
}

static const char *number(Onnx *o, DType t, double v) { return onnx_tensor(o, t, (Shape){0}, &v, 1); }

static const char *reshape(Onnx *o, const char *x, Shape s) {
  Text attributes = {0};
  onnx_attribute(&attributes, "allowzero", 1);
  return node2(o, "Reshape", x, onnx_shape(o, s), &attributes);
}

static const char *expand(Onnx *o, const char *x, Shape s) {
  return s.rank ? node2(o, "Expand", x, onnx_shape(o, s), NULL) : x;
}

static const char *cast(Onnx *o, const char *x, int type) {
  Text attributes = {0};
  onnx_attribute(&attributes, "to", type);
  return node1(o, "Cast", x, &attributes);
}

static const char *transpose(Onnx *o, const char *x, const int64_t *perm, int n) {
  Text attributes = {0};
  onnx_attributes(&attributes, "perm", perm, n);
  return node1(o, "Transpose", x, &attributes);
}

static const char *along(Onnx *o, const char *op, int n, const char *const *in, int64_t axis) {
  Text attributes = {0};
  onnx_attribute(&attributes, "axis", axis);
  return onnx_node(o, op, n, in, &attributes);
}

static const char *zeros(Onnx *o, const Node *n) { return expand(o, number(o, n->dtype, 0), n->shape); }

// -- operations of several nodes

static const char *constant(Onnx *o, const Node *n) {
  const int64_t count = shape_count(n->shape);
  if (n->ndata == 1 && count != 1) return expand(o, number(o, n->dtype, n->data[0]), n->shape);
  return onnx_tensor(o, n->dtype, n->shape, n->data, count);
}

static const char *iota(Onnx *o, const Node *n) {
  const int axis = (int)n->attr[0];
  Shape line = {.rank = n->shape.rank};
  double *values = ARENA_ARRAY(o->a, double, n->shape.dim[axis] + 1);
  for (int i = 0; i < line.rank; i++) line.dim[i] = i == axis ? n->shape.dim[i] : 1;
  for (int64_t i = 0; i < n->shape.dim[axis]; i++) values[i] = (double)i;
  return expand(o, onnx_tensor(o, n->dtype, line, values, n->shape.dim[axis]), n->shape);
}

static const char *broadcast(Onnx *o, const Node *n, const char *x) {
  Shape s = {.rank = n->shape.rank};
  for (int i = 0; i < s.rank; i++) s.dim[i] = 1;
  for (int i = 0; i < n->in[0]->shape.rank; i++) s.dim[n->attr[i]] = n->in[0]->shape.dim[i];
  return expand(o, reshape(o, x, s), n->shape);
}

static const char *slice(Onnx *o, const Node *n, const char *x) {
  const int r = n->shape.rank;
  int64_t axes[MAX_RANK];
  for (int i = 0; i < r; i++) axes[i] = i;
  const char *const in[] = {x, onnx_integers(o, n->attr, r), onnx_integers(o, n->attr + r, r),
                            onnx_integers(o, axes, r), onnx_integers(o, n->attr + 2 * r, r)};
  return r ? onnx_node(o, "Slice", 5, in, NULL) : x;
}

static const char *pad(Onnx *o, const Node *n, const char *x) {
  const int r = n->shape.rank;
  for (int i = 0; i < r; i++)
    if (n->attr[2 * r + i]) return NULL; // zeros between elements
  return r ? node2(o, "Pad", x, onnx_integers(o, n->attr, 2 * r), NULL) : x;
}

// Element j of window w lies at w step + j spread.
static const char *slide(Onnx *o, const Node *n, const char *x) {
  const int axis = (int)n->attr[0];
  Shape s = {.rank = n->shape.rank};
  const int64_t windows = n->shape.dim[axis], size = n->shape.dim[axis + 1];
  double *at = ARENA_ARRAY(o->a, double, windows *size + 1);
  for (int i = 0; i < s.rank; i++) s.dim[i] = i == axis || i == axis + 1 ? n->shape.dim[i] : 1;
  for (int64_t w = 0; w < windows; w++)
    for (int64_t j = 0; j < size; j++) at[w * size + j] = (double)(w * n->attr[1] + j * n->attr[2]);
  const char *index = expand(o, onnx_tensor(o, DT_I32, s, at, windows * size), n->shape);
  return along(o, "GatherElements", 2, (const char *const[]){x, index}, axis);
}

static const char *reduce(Onnx *o, const Node *n, const char *x) {
  Text attributes = {0};
  onnx_attribute(&attributes, "keepdims", 0);
  if (n->op == OP_SUM) return node2(o, "ReduceSum", x, onnx_integers(o, n->attr, n->nattr), &attributes);
  if (n->op == OP_RMAX) {
    onnx_attributes(&attributes, "axes", n->attr, n->nattr);
    return node1(o, "ReduceMax", x, &attributes);
  }
  onnx_attribute(&attributes, "axis", n->attr[0]);
  return cast(o, node1(o, "ArgMax", x, &attributes), onnx_type(DT_I32));
}

static const char *cumsum(Onnx *o, const Node *n, const char *x) {
  Text attributes = {0};
  onnx_attribute(&attributes, "reverse", n->attr[1]);
  return node2(o, "CumSum", x, number(o, DT_I32, (double)n->attr[0]), &attributes);
}

static const char *argsort(Onnx *o, const Node *n, const char *x) {
  Text attributes = {0};
  onnx_attribute(&attributes, "largest", 0);
  const char *const in[] = {x, onnx_integers(o, &n->shape.dim[n->shape.rank - 1], 1)};
  return cast(o, onnx_second(o, "TopK", 2, in, &attributes), onnx_type(DT_I32));
}

// Indices out of range are clamped.
static const char *clamped(Onnx *o, const char *index, int64_t size) {
  return node2(o, "Min", node2(o, "Max", index, number(o, DT_I32, 0), NULL),
               number(o, DT_I32, (double)(size - 1)), NULL);
}

static const char *scatter(Onnx *o, const Node *n, const char *index, const char *x) {
  Text attributes = {0};
  const char *at = clamped(o, index, n->attr[0]), *none = zeros(o, n);
  onnx_word(&attributes, "reduction", "add");
  if (n->op == OP_PUT_ALONG) {
    onnx_attribute(&attributes, "axis", n->shape.rank - 1);
    return onnx_node(o, "ScatterElements", 3, (const char *const[]){none, at, x}, &attributes);
  }
  Shape s = n->in[0]->shape;
  s.dim[s.rank++] = 1;
  at = cast(o, reshape(o, at, s), 7);
  return onnx_node(o, "ScatterND", 3, (const char *const[]){none, at, x}, &attributes);
}

// Images have channels last here, first there. What goes back to an image has more of it there, which is cut
// off, or less, which is zero.
static const char *conv(Onnx *o, const Node *n, const char *x, const char *w) {
  const bool back = n->op == OP_CONV_IMAGE;
  const Shape filter = n->in[1]->shape;
  int64_t spread[2], cut[4], less[2];
  Text attributes = {0};
  for (int i = 0; i < 2; i++) {
    if (n->attr[2 + i] == 0 && filter.dim[i] > 1) return NULL;
    spread[i] = n->attr[2 + i] ? n->attr[2 + i] : 1;
    if (!back) continue;
    const int64_t step = n->attr[i], reach = (filter.dim[i] - 1) * spread[i];
    cut[i] = reach / step * step + n->attr[4 + i];
    cut[2 + i] = (n->in[0]->shape.dim[1 + i] - 1) * step + reach + 1 - cut[i] - n->shape.dim[1 + i];
    less[i] = cut[2 + i] < 0 ? -cut[2 + i] : 0;
    cut[2 + i] += less[i];
  }
  onnx_attributes(&attributes, "strides", n->attr, 2);
  onnx_attributes(&attributes, "dilations", spread, 2);
  onnx_attributes(&attributes, "kernel_shape", filter.dim, 2);
  if (back) onnx_attributes(&attributes, "pads", cut, 4);
  if (back) onnx_attributes(&attributes, "output_padding", less, 2);
  x = transpose(o, x, (const int64_t[]){0, 3, 1, 2}, 4);
  w = transpose(o, w, (const int64_t[]){3, 2, 0, 1}, 4);
  return transpose(o, node2(o, back ? "ConvTranspose" : "Conv", x, w, &attributes),
                   (const int64_t[]){0, 2, 3, 1}, 4);
}

static const char *pointwise(Onnx *o, const Node *n, const char *const *in) {
  const DType t = n->dtype;
  const char *zero;
  switch (n->op) {
  case OP_EXPM1: return node2(o, "Sub", node1(o, "Exp", in[0], NULL), number(o, t, 1), NULL);
  case OP_LOG1P: return node1(o, "Log", node2(o, "Add", in[0], number(o, t, 1), NULL), NULL);
  case OP_LOG2: return node2(o, "Mul", node1(o, "Log", in[0], NULL), number(o, t, 1.4426950408889634), NULL);
  case OP_LOG10:
    return node2(o, "Mul", node1(o, "Log", in[0], NULL), number(o, t, 0.43429448190325183), NULL);
  case OP_ERFC: return node2(o, "Sub", number(o, t, 1), node1(o, "Erf", in[0], NULL), NULL);
  case OP_MOD:
    if (!dtype_is_float(t)) return node2(o, "Mod", in[0], in[1], NULL);
    return node2(o, "Sub", in[0],
                 node2(o, "Mul", in[1], node1(o, "Floor", node2(o, "Div", in[0], in[1], NULL), NULL), NULL),
                 NULL);
  case OP_XMUL:
  case OP_ZMUL:
    zero = node2(o, "Equal", in[0], number(o, t, 0), NULL);
    if (n->op == OP_ZMUL) zero = node2(o, "Or", zero, node2(o, "Equal", in[1], number(o, t, 0), NULL), NULL);
    return onnx_node(o, "Where", 3,
                     (const char *const[]){zero, number(o, t, 0), node2(o, "Mul", in[0], in[1], NULL)}, NULL);
  case OP_CAST: return cast(o, in[0], onnx_type(t));
  default: return NULL;
  }
}

// -- bodies

static const char **body_names(Onnx *o, const Graph *g, const char *const *in, int n) {
  const char **names = ARENA_ARRAY(o->a, const char *, g->nodes.len + 1);
  for (int i = 0; i < n; i++) names[g->inputs.data[i]->id] = in[i];
  return names;
}

static const char *turn_of(Onnx *o, const char *x, int64_t turn) {
  const char *const in[] = {x, number(o, DT_I32, (double)turn)};
  return along(o, "Gather", 2, in, 0);
}

// The results of a loop, turn by turn.
static const char **loop(Onnx *o, const Node *n, const char *const *in) {
  const LoopParts p = loop_parts(n);
  const char **out = ARENA_ARRAY(o->a, const char *, n->nout + 1),
             **own = ARENA_ARRAY(o->a, const char *, n->nin + 1),
             **stacked = ARENA_ARRAY(o->a, const char *, p.turns *p.stacks + 1);
  if (p.end != LOOP_ALL || p.turns > MOST_TURNS) return NULL;
  for (int i = 0; i < p.carries; i++) out[i] = in[i];
  for (int64_t k = 0; k < p.turns; k++) {
    const int64_t turn = p.reverse ? p.turns - 1 - k : k;
    own[0] = number(o, DT_I32, (double)turn);
    for (int i = 0; i < n->nin; i++)
      own[i + 1] = i < p.carries ? out[i] : i < p.carries + p.slices ? turn_of(o, in[i], turn) : in[i];
    const char **names = body_names(o, n->body, own, n->nin + 1);
    if (!onnx_graph(o, n->body, names)) return NULL;
    for (int i = 0; i < n->nout; i++) {
      const Node *result = n->body->outputs.data[i].node;
      if (i < p.carries)
        out[i] = names[result->id];
      else
        stacked[(i - p.carries) * p.turns + turn] =
            reshape(o, names[result->id], shape_with_first(1, result->shape));
    }
  }
  for (int i = 0; i < p.stacks; i++)
    out[p.carries + i] = along(o, "Concat", (int)p.turns, &stacked[i * p.turns], 0);
  return out;
}

static const char **choice(Onnx *o, const Node *n, const char *const *in) {
  const char **out = ARENA_ARRAY(o->a, const char *, n->nout + 1),
             **one = body_names(o, n->body, in + 1, n->nin - 1),
             **other = body_names(o, n->other, in + 1, n->nin - 1);
  if (!onnx_graph(o, n->body, one) || !onnx_graph(o, n->other, other)) return NULL;
  for (int i = 0; i < n->nout; i++)
    out[i] = onnx_node(o, "Where", 3,
                       (const char *const[]){in[0], one[n->body->outputs.data[i].node->id],
                                             other[n->other->outputs.data[i].node->id]},
                       NULL);
  return out;
}

// -- all of them

static const char *operation(Onnx *o, const Node *n, const char *const *in) {
  if (same[n->op]) return onnx_node(o, same[n->op], n->nin, in, NULL);
  switch (n->op) {
  case OP_CONST: return constant(o, n);
  case OP_IOTA: return iota(o, n);
  case OP_SUM:
  case OP_RMAX:
  case OP_ARGMAX: return reduce(o, n, in[0]);
  case OP_CUMSUM: return cumsum(o, n, in[0]);
  case OP_RESHAPE: return reshape(o, in[0], n->shape);
  case OP_TRANSPOSE: return transpose(o, in[0], n->attr, n->nattr);
  case OP_BROADCAST: return broadcast(o, n, in[0]);
  case OP_SLICE: return slice(o, n, in[0]);
  case OP_PAD: return pad(o, n, in[0]);
  case OP_SLIDE: return slide(o, n, in[0]);
  case OP_CONCAT: return along(o, "Concat", n->nin, in, n->attr[0]);
  case OP_CONV:
  case OP_CONV_IMAGE: return conv(o, n, in[0], in[1]);
  case OP_INDEX: return cast(o, in[0], onnx_type(DT_I32));
  case OP_GATHER:
    return along(o, "Gather", 2, (const char *const[]){in[0], clamped(o, in[1], n->in[0]->shape.dim[0])}, 0);
  case OP_TAKE_ALONG:
    return along(o, "GatherElements", 2,
                 (const char *const[]){in[0], clamped(o, in[1], n->in[0]->shape.dim[n->shape.rank - 1])},
                 n->shape.rank - 1);
  case OP_SCATTER_ADD:
  case OP_PUT_ALONG: return scatter(o, n, in[0], in[1]);
  case OP_ARGSORT: return argsort(o, n, in[0]);
  case OP_MADE: return in[0];
  default: return pointwise(o, n, in);
  }
}

bool onnx_graph(Onnx *o, const Graph *g, const char **names) {
  const char ***parts = ARENA_ARRAY(o->a, const char **, g->nodes.len + 1);
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    const char **in = ARENA_ARRAY(o->a, const char *, n->nin + 1);
    if (names[i]) continue;
    for (int k = 0; k < n->nin; k++) in[k] = names[n->in[k]->id];
    if (n->op == OP_PART)
      names[i] = parts[n->in[0]->id][n->attr[0]];
    else if (n->op == OP_LOOP || n->op == OP_IF)
      parts[i] = n->op == OP_LOOP ? loop(o, n, in) : choice(o, n, in);
    else
      names[i] = operation(o, n, in);
    if (!names[i] && !parts[i]) {
      if (!o->refused) o->refused = n;
      return false;
    }
  }
  return true;
}
