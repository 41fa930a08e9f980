// Built-in functions that make tensors or arrange their elements: shapes, fillings and random draws, indices.
#include "builtins.h"
#include <math.h>

// -- shapes

// A size of -1 is what the others leave: *open.
static Value rest_filled(Cx *cx, const Value *shape, int64_t count, bool *open) {
  Value v = *shape;
  int64_t others = 1;
  int rests = 0, rest = 0, zeros = 0;
  for (int i = 0; v.kind == V_LIST && i < v.nitems; i++) {
    const Value *size = &v.items[i];
    const bool number = size->kind == V_NUM && size->unit == UNIT_NONE;
    const double known = size->size ? (double)size->size->size : number ? size->num : 0;
    if (number && size->num == -1)
      rests++, rest = i;
    else if (known >= 1 && (count == 0 || known <= (double)count))
      others *= count ? (int64_t)known : 1;
    else if (known == 0 && number)
      zeros++;
    else
      return v;
    if (count && others > count) return v;
  }
  if (rests != 1 || zeros || count % others) return v;
  v.items = ARENA_ARRAY(cx->a, Value, v.nitems);
  for (int i = 0; i < v.nitems; i++) v.items[i] = shape->items[i];
  v.items[rest] = v_num((double)(count / others), shape->items[rest].span);
  open[rest] = true;
  return v;
}

static int64_t before(Shape s, int axis) {
  int64_t product = 1;
  for (int i = 0; i < axis; i++) product *= s.dim[i];
  return product;
}

// The axis of the new shape that is axis i of x, or that x's leading axis i leads; -1: none. *times: how many
// elements of the new axis one of the old one is.
static int new_place(Shape x, int i, Shape s, Dims sizes, const Dim *d, int64_t *times) {
  int found = -1;
  *times = 1;
  for (int j = 0; j < s.rank; j++)
    if (before(s, j) == before(x, i) && s.dim[j] == x.dim[i] &&
        (found < 0 || dim_relation(dim_of(sizes, j), d) == DIM_SAME))
      found = j;
  for (int j = 0; j < s.rank && found < 0 && before(x, i) == 1; j++)
    for (int k = i + 1; k <= x.rank && before(s, j) == 1; k++)
      if (s.dim[j] == before(x, k)) found = j, *times = s.dim[j] / x.dim[i];
  return found;
}

// What the axes of x are in another shape; false after a report: an axis with a count is lost.
static bool reshaped_dims(Cx *cx, const Args *a, const Node *x, Shape s, const bool *open, Dims *out) {
  const Dims given = value_dims(cx, a->v[0]),
             sizes = a->v[1]->kind == V_LIST ? shape_dims(cx, a->v[1]) : NULL;
  const Dim **dims = dims_copy(cx, sizes, s.rank);
  bool met[MAX_RANK] = {0};
  int counts = 0;
  for (int i = 0; i < x->shape.rank; i++) {
    const Dim *d = dim_of(given, i);
    if (!d || !d->count) continue;
    int64_t times;
    const int at = new_place(x->shape, i, s, sizes, d, &times);
    if (at >= 0 && times > 1) {
      Node *each = graph_const_typed(cx->g, (double)times, DT_F64, (Shape){0});
      d = counted_dim(cx, graph_binary(cx->g, OP_MUL, d->count, each), s.dim[at], a->at);
    }
    const bool asked = at >= 0 && (open[at] || dim_relation(dims[at], d) == DIM_SAME);
    if (!asked || met[at] || (times > 1 && (counts || d->each))) {
      refuse_counted(
          cx, "`reshape`", given, x->shape,
          "its axis stays where it is, with `size(x, axis)` or -1 for its size; sizes of 1, and those "
          "of the other axes, may change",
          a->at);
      return false;
    }
    met[at] = true, dims[at] = d, counts++;
  }
  for (int j = 0; j < s.rank; j++)
    if (dims[j] && dims[j]->count && !met[j]) {
      report_dims(cx, "`reshape`", NULL, dims[j], a->at);
      return false;
    }
  *out = dims;
  return true;
}

Value call_reshape(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  Node *n = t ? tree_flat(cx, t) : counted_node(cx, a->v[0]);
  Shape s;
  bool open[MAX_RANK] = {0};
  if (!n) return v_fail();
  const Value shape = rest_filled(cx, a->v[1], shape_count(n->shape), open);
  if (!value_shape(cx, &shape, &s)) return v_fail();
  if (shape_count(s) != shape_count(n->shape)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`reshape`",
                        dims_text(cx, n->shape, value_dims(cx, a->v[0])), shape_text(cx->a, s));
    diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
    return v_fail();
  }
  Value v = v_tensor(graph_reshape(cx->g, n, s), a->at);
  return reshaped_dims(cx, a, n, s, open, &v.dims) ? v : v_fail();
}

static Value transposed(Cx *cx, const Args *a, Node *n, const int *perm) {
  const Dim **dims = dims_copy(cx, NULL, n->shape.rank);
  for (int i = 0; i < n->shape.rank; i++) dims[i] = dim_of(value_dims(cx, a->v[0]), perm[i]);
  Value v = v_tensor(graph_transpose(cx->g, n, perm), a->at);
  v.dims = dims;
  return v;
}

Value call_transpose(Cx *cx, const Args *a) {
  Node *n = counted_node(cx, a->v[0]);
  if (!n) return v_fail();
  int perm[MAX_RANK], rank = n->shape.rank;
  if (!a->v[1]) {
    if (rank < 2) {
      diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, -2, shape_text(cx->a, n->shape));
      return v_fail();
    }
    for (int i = 0; i < rank; i++) perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return transposed(cx, a, n, perm);
  }
  bool seen[MAX_RANK] = {0}, ok = a->v[1]->kind == V_LIST && a->v[1]->nitems == rank;
  for (int i = 0; ok && i < rank; i++) {
    double d;
    if (!value_number(cx, &a->v[1]->items[i], "an axis", &d)) return v_fail();
    ok = d >= -rank && d < rank && d == floor(d);
    const int k = ok ? (int)d + (d < 0 ? rank : 0) : 0;
    ok = ok && !seen[k];
    if (ok) seen[k] = true, perm[i] = k;
  }
  if (!ok) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span,
              arena_printf(cx->a, "each axis of %s once", shape_text(cx->a, n->shape)),
              value_text(cx, a->v[1]));
    return v_fail();
  }
  return transposed(cx, a, n, perm);
}

Node *common_floats(Cx *cx, Node **xs, int n) {
  bool same = true;
  for (int i = 1; i < n; i++) same = same && xs[i]->dtype == xs[0]->dtype;
  for (int i = 0; i < n && !same; i++)
    if (xs[i]->dtype != DT_F32) xs[i] = graph_cast(cx->g, xs[i], DT_F32);
  return xs[0];
}

// Two tensors along an axis of which the first has a count: behind its elements come those of the second.
static Node *behind(Cx *cx, Node *x, const Dim *of, Node *y, int axis) {
  Graph *g = cx->g;
  Node *both = graph_concat(g, (Node *[]){x, y}, 2, axis);
  if (!of || !of->count) return both;
  const int64_t room = x->shape.dim[axis], all = both->shape.dim[axis];
  Node *i = graph_iota(g, 0, DT_I32, shape_of(1, all)), *count = count_index(cx, of);
  Node *shift = graph_binary(g, OP_SUB, graph_const_typed(g, (double)room, DT_I32, (Shape){0}), count);
  Node *last = graph_const_typed(g, (double)(all - 1), DT_I32, i->shape);
  Node *second = graph_binary(g, OP_MIN, graph_binary(g, OP_ADD, i, shift), last);
  return gather_axis(cx, both, axis, graph_select(g, graph_binary(g, OP_LT, i, count), i, second));
}

Node *dim_elements(Cx *cx, const Dim *d, int64_t size) {
  return d && d->count ? d->count : graph_const_typed(cx->g, (double)size, DT_F64, (Shape){0});
}

Value call_concat(Cx *cx, const Args *a) {
  Node **xs = ARENA_ARRAY(cx->a, Node *, a->nmany + 1);
  int axis = 0;
  for (int i = 0; i < a->nmany; i++) {
    xs[i] = counted_node(cx, a->many[i]);
    if (!xs[i] || (i == 0 && !one_axis(cx, a->v[1], xs[0]->shape, &axis))) return v_fail();
    Shape s = xs[i]->shape;
    if (s.rank == xs[0]->shape.rank) s.dim[axis] = xs[0]->shape.dim[axis];
    if (!shape_equal(s, xs[0]->shape)) {
      diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`concat`", shape_text(cx->a, xs[0]->shape),
                shape_text(cx->a, xs[i]->shape));
      return v_fail();
    }
    if (!axes_meet(cx, "`concat`", a->many[0], a->many[i], xs[0]->shape, axis, a->at)) return v_fail();
  }
  Shape whole = common_floats(cx, xs, a->nmany)->shape;
  bool counted = false;
  for (int i = 0; i < a->nmany; i++) {
    const Dim *d = dim_of(value_dims(cx, a->many[i]), axis);
    if (d && d->each && a->nmany > 1) {
      refuse_counted(cx, "`concat` along lengths of rows", value_dims(cx, a->many[i]), xs[i]->shape,
                     "join rows before they have lengths", a->at);
      return v_fail();
    }
    counted = counted || (d && d->count);
    if (i) whole.dim[axis] += xs[i]->shape.dim[axis];
  }
  if (!shape_fits(cx, whole, a->at)) return v_fail();
  const Dim **dims = dims_copy(cx, value_dims(cx, a->many[0]), whole.rank);
  dims[axis] = NULL;
  Node *out = counted ? xs[0] : graph_concat(cx->g, xs, a->nmany, axis);
  const Dim *so_far = dim_of(value_dims(cx, a->many[0]), axis);
  for (int i = 1; i < a->nmany && counted; i++) {
    const Dim *next = dim_of(value_dims(cx, a->many[i]), axis);
    Node *count = graph_binary(cx->g, OP_ADD, dim_elements(cx, so_far, out->shape.dim[axis]),
                               dim_elements(cx, next, xs[i]->shape.dim[axis]));
    out = behind(cx, out, so_far, xs[i], axis);
    so_far = dims[axis] = counted_dim(cx, count, out->shape.dim[axis], a->at);
  }
  Value v = v_tensor(out, a->at);
  v.dims = counted && a->nmany == 1 ? value_dims(cx, a->many[0]) : dims;
  return v;
}

Value call_counted(Cx *cx, const Args *a) {
  const Dim *of = a->v[0]->size;
  double n = of ? (double)of->size : 0;
  if (!(of && of->count) && !value_number(cx, a->v[0], "a size", &n)) return v_fail();
  if (!(n >= 0 && n == floor(n) && n <= 1e9)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[0]->span, "a whole number from 0 on",
              value_text(cx, a->v[0]));
    return v_fail();
  }
  Shape s = shape_of(a->b == B_EYE ? 2 : 1, (int64_t)n, (int64_t)n);
  if (!shape_fits(cx, s, a->at)) return v_fail();
  Node *out = a->b == B_EYE ? on_diagonal(cx, s, 0, 1) : graph_iota(cx->g, 0, DT_I32, s);
  Value v = v_tensor(graph_cast(cx->g, out, DT_F32), a->at);
  const Dim *both[] = {of, of};
  v.dims = dims_copy(cx, both, s.rank);
  return v;
}

// -- filled with zeros, ones or random draws

// A row's draw, wherever the row lies.
static Node *draw_by_id(Cx *cx, Node *seed, Node *counter, Shape s) {
  Shape all = s;
  all.dim[0] = cx->room;
  return graph_gather(cx->g, graph_uniform(cx->g, seed, counter, cx->stream++, all), cx->ids);
}

static Node *draw(Cx *cx, Shape s) {
  cx->effects++;
  Node *seed, *counter;
  cx_seed(cx, &seed, &counter);
  if (cx->ids && !cx->frame && s.rank && cx->drawn_rows &&
      dim_relation(cx->drawn_rows, own_rows(cx)) == DIM_SAME)
    return draw_by_id(cx, seed, counter, s);
  // Each turn of the loops around draws for itself.
  return frame_slices(cx, cx->frame,
                      graph_uniform(cx->g, seed, counter, cx->stream++, frame_shape(cx->frame, s)));
}

// By the inverse of the distribution function: sqrt(2) erfinv(2 u - 1), with u moved to the middle of its
// cell of width 2^-24.
static Node *normal(Cx *cx, Shape s) {
  Graph *g = cx->g;
  Node *u = graph_binary(g, OP_MUL, draw(cx, s), graph_const(g, 2, (Shape){0}));
  Node *centred = graph_binary(g, OP_ADD, graph_binary(g, OP_SUB, u, graph_const(g, 1, (Shape){0})),
                               graph_const(g, ldexp(1, -24), (Shape){0}));
  return graph_binary(g, OP_MUL, graph_unary(g, OP_ERFINV, centred), graph_const(g, sqrt(2), (Shape){0}));
}

static Value bernoulli(Cx *cx, const Args *a, Shape s) {
  const Value *p = a->v[0];
  if (value_is_const(p) && !(plain_number(p) >= 0 && plain_number(p) <= 1)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, p->span, "p", "bernoulli", "a number from 0 to 1",
              value_text(cx, p));
    return v_fail();
  }
  live_range(cx, p, 0, 1);
  Node *rate = counted_floats(cx, p);
  Shape whole;
  if (!rate) return v_fail();
  if (!shape_broadcast(rate->shape, s, &whole) || !shape_equal(whole, s)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`bernoulli`", shape_text(cx->a, rate->shape),
              shape_text(cx->a, s));
    return v_fail();
  }
  Node *hit = graph_binary(cx->g, OP_LT, draw(cx, s), graph_broadcast_to(cx->g, rate, s));
  return v_tensor(graph_cast(cx->g, hit, DT_F32), a->at);
}

// low + u (high - low), u below 1. The sum may round to `high`, which is excluded: what is beyond the last
// number before it becomes that number.
static Value uniform_between(Cx *cx, const Value *u, const Value *low, const Value *high, Span at) {
  Value width = binary(cx, OPR_SUB, high, low, at), scaled = binary(cx, OPR_MUL, u, &width, at);
  Value sum = binary(cx, OPR_ADD, &scaled, low, at), last, zero = v_num(0, at);
  if (value_is_const(&width)) {
    last = v_num((double)nextafterf((float)plain_number(high), (float)plain_number(low)), at);
    return larger(cx, width.num < 0 ? OP_MAX : OP_MIN, "`uniform`", &sum, &last, at);
  }
  Value sizes[] = {unary_op(cx, OP_ABS, low, at), unary_op(cx, OP_ABS, high, at)}, ulp = v_num(0x1p-23, at);
  Value size = larger(cx, OP_MAX, "`uniform`", &sizes[0], &sizes[1], at),
        side = unary_op(cx, OP_SIGN, &width, at);
  Value step = binary(cx, OPR_MUL, &size, &ulp, at), signed_step = binary(cx, OPR_MUL, &step, &side, at);
  last = binary(cx, OPR_SUB, high, &signed_step, at);
  Value over = binary(cx, OPR_SUB, &sum, &last, at), beyond = binary(cx, OPR_MUL, &over, &side, at);
  Value excess = larger(cx, OP_MAX, "`uniform`", &beyond, &zero, at),
        back = binary(cx, OPR_MUL, &excess, &side, at);
  return binary(cx, OPR_SUB, &sum, &back, at);
}

static bool has_ends(Cx *cx, const Value *range) {
  if (range->items[0].kind != V_NONE && range->items[1].kind != V_NONE) return true;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, range->span, "a range low .. high", "a range with one end");
  return false;
}

static Value uniform(Cx *cx, const Args *a, Shape s) {
  Value u = v_tensor(check_draw(cx, draw(cx, s), a->at), a->at);
  const Value *range = a->v[0];
  if (!range) return u;
  if (!has_ends(cx, range)) return v_fail();
  const Value *low = &range->items[0], *high = &range->items[1];
  const bool known = value_is_const(low) && value_is_const(high);
  if (known && !(-INFINITY < plain_number(low) && plain_number(low) <= plain_number(high) &&
                 plain_number(high) < INFINITY)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, range->span, "range", "uniform",
              "low .. high, finite and in this order",
              arena_printf(cx->a, "%s .. %s", value_text(cx, low), value_text(cx, high)));
    return v_fail();
  }
  return uniform_between(cx, &u, low, high, a->at);
}

// Whole numbers: the part below of u times their number, u below 1.
static Value integers(Cx *cx, const Args *a, Shape s) {
  const Value *range = a->v[0];
  int64_t low, high;
  if (!has_ends(cx, range)) return v_fail();
  const int64_t most = 1 << 24; // numbers that a draw can tell apart
  if (!known_int(cx, &range->items[0], "a whole number", -INT32_MAX, INT32_MAX - most, &low)) return v_fail();
  if (!known_int(cx, &range->items[1], "a whole number", low + 1, low + most, &high)) return v_fail();
  Graph *g = cx->g;
  Node *u = graph_binary(g, OP_MUL, draw(cx, s), graph_const(g, (double)(high - low), (Shape){0}));
  Node *whole = graph_cast(g, graph_unary(g, OP_FLOOR, u), DT_I32);
  return v_tensor(graph_binary(g, OP_ADD, whole, graph_const_typed(g, (double)low, DT_I32, (Shape){0})),
                  a->at);
}

static Value filled_shape(Cx *cx, const Args *a, Shape s) {
  switch (a->b) {
  case B_NORMAL: return v_tensor(check_draw(cx, normal(cx, s), a->at), a->at);
  case B_BERNOULLI: return bernoulli(cx, a, s);
  case B_UNIFORM: return uniform(cx, a, s);
  case B_INTEGERS: return integers(cx, a, s);
  default: return v_tensor(check_draw(cx, graph_const(cx->g, a->b == B_ONES, s), a->at), a->at);
  }
}

Value call_filled(Cx *cx, const Args *a) {
  const int at = a->b == B_UNIFORM || a->b == B_BERNOULLI || a->b == B_INTEGERS;
  const Value *shape = a->v[at], *like = a->v[at + 1];
  Shape s;
  if (!shape == !like) {
    diag_emit(&cx->s->diags, shape ? DIAG_duplicate_argument : DIAG_missing_argument, a->at,
              shape ? "shape` and `like" : builtin_info[a->b].name, "shape` or `like");
    return v_fail();
  }
  if (shape) {
    if (!value_shape(cx, shape, &s)) return v_fail();
    const Dims dims = shape_dims(cx, shape);
    cx->drawn_rows = s.rank ? dim_of(dims, 0) : NULL;
    Value v = filled_shape(cx, a, s);
    v.dims = dims;
    return v;
  }
  Tree *t = tree_of(cx, like);
  if (!t) {
    Node *n = counted_node(cx, like);
    cx->drawn_rows = n && n->shape.rank ? dim_of(value_dims(cx, like), 0) : NULL;
    Value v = n ? filled_shape(cx, a, n->shape) : v_fail();
    v.dims = value_dims(cx, like);
    return v;
  }
  Tree *out = tree_new(cx, t->n);
  for (int i = 0; i < t->n; i++) {
    Value v = filled_shape(cx, a, t->leaf[i].node->shape);
    if (v.kind == V_FAIL) return v;
    out->leaf[i] = (Leaf){t->leaf[i].path, v.node};
  }
  return v_tree(out, a->at);
}

// -- indices

Value call_decode(Cx *cx, const Args *a) {
  const Value *of = a->v[1];
  const reg_field *f = of->kind == V_FIELD ? &field_data(cx, of)->fields[of->field] : NULL;
  if (!f || f->nclasses <= 0) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, of->span, "a column of classes", value_text(cx, of));
    return v_fail();
  }
  Value v = v_tensor(counted_value_index(cx, a->v[0], f->nclasses, NULL), a->at);
  v.dims = value_dims(cx, a->v[0]);
  v.classes = f->nclasses;
  v.words = f;
  return v;
}

Value call_one_hot(Cx *cx, const Args *a) {
  double n;
  if (a->v[2]) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, a->at, "`unseen`",
              "of a tensor: it is for columns of files");
    return v_fail();
  }
  if (!value_number(cx, a->v[1], "the number of classes", &n)) return v_fail();
  if (!(n >= 1 && n <= INT32_MAX && n == floor(n))) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span,
              "a whole number of classes, from 1 to 2147483647", value_text(cx, a->v[1]));
    return v_fail();
  }
  Node *y = counted_value_index(cx, a->v[0], (int64_t)n, NULL);
  if (!y || !rank_fits(cx, y->shape.rank + 1, a->at)) return v_fail();
  Shape s = y->shape;
  int axes[MAX_RANK];
  for (int i = 0; i < s.rank; i++) axes[i] = i;
  s.dim[s.rank++] = (int64_t)n;
  if (!shape_fits(cx, s, a->at)) return v_fail();
  Node *hit = graph_binary(cx->g, OP_EQ, graph_iota(cx->g, s.rank - 1, DT_I32, s),
                           graph_broadcast(cx->g, y, s, axes));
  Value v = v_tensor(graph_cast(cx->g, hit, DT_F32), a->at);
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, s.rank + 1);
  for (int i = 0; i + 1 < s.rank; i++) dims[i] = dim_of(value_dims(cx, a->v[0]), i);
  dims[s.rank - 1] = a->v[1]->size;
  v.dims = dims;
  return v;
}

Value call_indexed(Cx *cx, const Args *a) {
  Node *x = counted_node(cx, a->v[0]);
  if (!x) return v_fail();
  if (x->shape.rank == 0) {
    diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, -1, "[]");
    return v_fail();
  }
  if (a->b == B_GATHER) return rows_by_index(cx, a->v[0], a->v[1], a->at);
  const int last = x->shape.rank - 1;
  Node *index = counted_value_index(cx, a->v[1], x->shape.dim[last], dim_of(value_dims(cx, a->v[0]), last));
  if (!index) return v_fail();
  Shape lead = x->shape;
  bool fits = index->shape.rank == lead.rank;
  if (fits) lead.dim[lead.rank - 1] = index->shape.dim[lead.rank - 1];
  if (!fits || !shape_equal(lead, index->shape)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`take_along`", shape_text(cx->a, x->shape),
              shape_text(cx->a, index->shape));
    return v_fail();
  }
  if (!axes_meet(cx, "`take_along`", a->v[0], a->v[1], x->shape, last, a->at)) return v_fail();
  Value v = v_tensor(graph_take_along(cx->g, x, index), a->at);
  v.dims = value_dims(cx, a->v[1]);
  return v;
}
