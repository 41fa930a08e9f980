// Built-in functions that put tensors together, take them apart or keep a part of them; and what is written
// into a tensor by index. In: bound arguments. Out: values.
#include "builtins.h"
#include <math.h>
#include <string.h>

static Node *zeros_for(Cx *cx, const Node *x) { return graph_const_typed(cx->g, 0, x->dtype, x->shape); }

// The axis that a new one becomes among rank others.
static bool new_axis(Cx *cx, const Value *v, Shape s, int *out) {
  s.rank++;
  s.dim[s.rank - 1] = 1;
  const Value first = v_num(0, cx->g->origin);
  return one_axis(cx, v ? v : &first, s, out);
}

bool axes_meet(Cx *cx, const char *text, const Value *x, const Value *y, Shape s, int except, Span at) {
  for (int i = 0; i < s.rank; i++) {
    const Dim *a = dim_of(value_dims(cx, x), i), *b = dim_of(value_dims(cx, y), i);
    if (i == except || dims_agree(a, b)) continue;
    report_dims(cx, text, a, b, at);
    return false;
  }
  return true;
}

Value call_stack(Cx *cx, const Args *a) {
  Node **xs = ARENA_ARRAY(cx->a, Node *, a->nmany + 1);
  int axis = 0;
  for (int i = 0; i < a->nmany; i++) {
    xs[i] = counted_node(cx, a->many[i]);
    if (!xs[i] || !rank_fits(cx, xs[i]->shape.rank + 1, a->at)) return v_fail();
    if (i == 0 && !new_axis(cx, a->v[1], xs[0]->shape, &axis)) return v_fail();
    if (shape_equal(xs[i]->shape, xs[0]->shape)) {
      if (!axes_meet(cx, "`stack`", a->many[0], a->many[i], xs[0]->shape, -1, a->at)) return v_fail();
      continue;
    }
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`stack`", shape_text(cx->a, xs[0]->shape),
              shape_text(cx->a, xs[i]->shape));
    return v_fail();
  }
  common_floats(cx, xs, a->nmany);
  Shape s = {.rank = xs[0]->shape.rank + 1};
  for (int k = 0; k < s.rank; k++) s.dim[k] = k == axis ? 1 : xs[0]->shape.dim[k - (k > axis)];
  for (int i = 0; i < a->nmany; i++) xs[i] = graph_reshape(cx->g, xs[i], s);
  s.dim[axis] = a->nmany;
  if (!shape_fits(cx, s, a->at)) return v_fail();
  Value v = v_tensor(graph_concat(cx->g, xs, a->nmany, axis), a->at);
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, s.rank + 1);
  for (int k = 0; k < s.rank; k++)
    if (k != axis) dims[k] = dim_of(value_dims(cx, a->many[0]), k - (k > axis));
  v.dims = dims;
  return v;
}

// false after a report: the axis has a count.
static bool is_whole(Cx *cx, const Args *a, Shape s, int axis) {
  const Dims dims = value_dims(cx, a->v[0]);
  const Dim *d = dim_of(dims, axis);
  if (d && d->count)
    refuse_counted(cx, arena_printf(cx->a, "`%s`", builtin_info[a->b].name), dims, s,
                   "it takes other axes of this tensor, and this one before rows are picked from it", a->at);
  return !(d && d->count);
}

// The axes of a result that differs from a tensor along one axis only.
static Dims without_axis(Cx *cx, const Value *v, int rank, int axis) {
  const Dim **dims = dims_copy(cx, value_dims(cx, v), rank);
  dims[axis] = NULL;
  return dims;
}

Value call_split(Cx *cx, const Args *a) {
  if (!a->v[0] || !a->v[1]) return call_data_builtin(cx, a->b, a->at);
  Node *x = counted_node(cx, a->v[0]);
  int axis;
  int64_t n;
  if (!x || !one_axis(cx, a->v[2], x->shape, &axis) || !is_whole(cx, a, x->shape, axis)) return v_fail();
  const int64_t size = x->shape.dim[axis];
  if (!known_int(cx, a->v[1], "a number of parts", 1, size ? size : INT16_MAX, &n)) return v_fail();
  if (size % n) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span,
              arena_printf(cx->a, "a divisor of the size, %lld", (long long)size), value_text(cx, a->v[1]));
    return v_fail();
  }
  Value v = {.kind = V_LIST, .span = a->at, .nitems = (int)n, .items = ARENA_ARRAY(cx->a, Value, n)};
  for (int64_t i = 0; i < n; i++) {
    v.items[i] = v_tensor(axis_slice(cx, x, axis, i * (size / n), (i + 1) * (size / n)), a->at);
    v.items[i].dims = without_axis(cx, a->v[0], x->shape.rank, axis);
  }
  return v;
}

// The element of n that stands at place p: the modes of `pad`.
static int64_t edge(int64_t p, int64_t n) { return p < 0 ? 0 : p < n ? p : n - 1; }

static int64_t wrap(int64_t p, int64_t n) { return (p % n + n) % n; }

static int64_t reflect(int64_t p, int64_t n) {
  const int64_t at = n == 1 ? 0 : wrap(p, 2 * (n - 1));
  return at < n ? at : 2 * (n - 1) - at;
}

static const struct {
  const char *name;
  int64_t (*place)(int64_t p, int64_t n);
} pad_modes[] = {{"edge", edge}, {"reflect", reflect}, {"wrap", wrap}};

static Value pad_with_own(Cx *cx, const Args *a, Node *x, int axis, const int64_t *side) {
  const int64_t n = x->shape.dim[axis];
  Shape s = x->shape;
  if (n == 0 && side[0] + side[1] > 0) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[5]->span, "elements to fill with along this axis",
              arena_printf(cx->a, "none in shape %s", shape_text(cx->a, s)));
    return v_fail();
  }
  s.dim[axis] = side[0] + n + side[1];
  if (!shape_fits(cx, s, a->at)) return v_fail();
  for (size_t i = 0; i < sizeof pad_modes / sizeof *pad_modes; i++) {
    if (strcmp(pad_modes[i].name, a->v[5]->text) != 0) continue;
    double *from = ARENA_ARRAY(cx->a, double, s.dim[axis]);
    for (int64_t p = 0; p < s.dim[axis]; p++) from[p] = (double)pad_modes[i].place(p - side[0], n);
    Node *places = graph_tensor(cx->g, from, DT_I32, shape_of(1, s.dim[axis]));
    Value v = v_tensor(gather_axis(cx, x, axis, places), a->at);
    v.dims = without_axis(cx, a->v[0], x->shape.rank, axis);
    return v;
  }
  diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[5]->span, "\"edge\", \"reflect\" or \"wrap\"",
            arena_printf(cx->a, "\"%s\"", a->v[5]->text));
  return v_fail();
}

Value call_pad(Cx *cx, const Args *a) {
  Node *x = counted_node(cx, a->v[0]);
  int axis;
  int64_t side[2];
  double value = 0;
  if (!x || !one_axis(cx, a->v[3], x->shape, &axis) || !is_whole(cx, a, x->shape, axis)) return v_fail();
  for (int k = 0; k < 2; k++)
    if (!known_int(cx, a->v[1 + k], "a number of elements", 0, 1000000000, &side[k])) return v_fail();
  if (a->v[4] && a->v[5]) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, a->v[4]->span, "`value`", "beside `mode`");
    return v_fail();
  }
  if (a->v[5]) return pad_with_own(cx, a, x, axis, side);
  if (a->v[4] && !value_number(cx, a->v[4], "a number", &value)) return v_fail();
  if (value != floor(value) || x->dtype == DT_BOOL) x = graph_cast(cx->g, x, DT_F32);
  Node *parts[3];
  int n = 0;
  for (int k = 0; k < 2; k++) {
    Shape s = x->shape;
    s.dim[axis] = side[k];
    if (side[k] && !shape_fits(cx, s, a->at)) return v_fail();
    if (side[k]) parts[n++] = graph_const_typed(cx->g, value, x->dtype, s);
    if (k == 0) parts[n++] = x;
  }
  Value v = v_tensor(graph_concat(cx->g, parts, n, axis), a->at);
  v.dims = without_axis(cx, a->v[0], x->shape.rank, axis);
  return v;
}

// -- windows

// x [.., n, ..] as [.., windows, k, ..], or with FOLD the sum of what lies at each place of n.
Value call_window(Cx *cx, const Args *a) {
  const bool fold = a->b == B_FOLD;
  const int64_t most = 1000000000;
  Node *x = fold ? counted_floats(cx, a->v[0]) : counted_node(cx, a->v[0]);
  const Value second_last = v_num(-2, a->at);
  int64_t size, apart[2] = {1, 1}; // stride, dilation
  int axis;
  if (!x || !one_axis(cx, fold && !a->v[2] ? &second_last : a->v[2], x->shape, &axis)) return v_fail();
  if (!known_int(cx, a->v[1], "a number of elements", 1, most, &size)) return v_fail();
  for (int k = 0; k < 2; k++)
    if (a->v[3 + k] && !known_int(cx, a->v[3 + k], "a number of elements", 1, most, &apart[k]))
      return v_fail();
  const int behind = axis + 1, rank = x->shape.rank;
  if (fold && behind == x->shape.rank) {
    diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, behind, shape_text(cx->a, x->shape));
    return v_fail();
  }
  const int64_t n = fold ? size : x->shape.dim[axis], k = fold ? x->shape.dim[behind] : size,
                span = (k - 1) * apart[1] + 1, windows = span > n ? 0 : (n - span) / apart[0] + 1;
  if (!is_whole(cx, a, x->shape, axis) || (fold && !is_whole(cx, a, x->shape, behind))) return v_fail();
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, rank + 2);
  for (int i = 0; i < rank; i++)
    if (i != axis && !(fold && i == behind))
      dims[fold ? i - (i > behind) : i + (i > axis)] = dim_of(value_dims(cx, a->v[0]), i);
  if (windows == 0 || k == 0 || (fold && windows != x->shape.dim[axis])) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_windows, a->at, (long long)n, (long long)windows, (long long)k,
                        (long long)span);
    if (fold) diag_note(d, a->v[0]->span, "%s comes from here", shape_text(cx->a, x->shape));
    if (!fold) diag_hint(d, "`pad(x, before, after, axis: %d)` makes the axis longer", axis);
    return v_fail();
  }
  if (fold) {
    x = graph_unslide(cx->g, x, axis, apart[0], apart[1], n);
    Value v = v_tensor(graph_reduce(cx->g, OP_SUM, x, &behind, 1), a->at);
    v.dims = dims;
    return v;
  }
  if (!rank_fits(cx, x->shape.rank + 1, a->at)) return v_fail();
  Shape wide = {.rank = x->shape.rank + 1}, result;
  int axes[MAX_RANK];
  for (int i = 0; i < x->shape.rank; i++) axes[i] = i + (i > axis), wide.dim[axes[i]] = x->shape.dim[i];
  wide.dim[behind] = k;
  result = wide;
  result.dim[axis] = windows;
  if (!shape_fits(cx, result, a->at) || !shape_fits(cx, wide, a->at)) return v_fail();
  Node *slid = graph_slide(cx->g, graph_broadcast(cx->g, x, wide, axes), axis, apart[0], apart[1]);
  Value v = v_tensor(slid, a->at);
  v.dims = dims;
  return v;
}

// -- matrices: the last two axes

Node *on_diagonal(Cx *cx, Shape s, int i, int k) {
  return graph_binary(cx->g, OP_EQ, graph_iota(cx->g, i, DT_I32, s), graph_iota(cx->g, k, DT_I32, s));
}

Node *axis_diagonal(Cx *cx, Node *x, int i, int k) {
  Node *kept = graph_select(cx->g, on_diagonal(cx, x->shape, i, k), x, zeros_for(cx, x));
  return graph_reduce(cx->g, OP_SUM, kept, &k, 1);
}

static Node *matrix_of(Cx *cx, const Args *a) {
  Node *x = counted_node(cx, a->v[0]);
  if (!x || x->shape.rank >= 2) return x;
  diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, -2, shape_text(cx->a, x->shape));
  return NULL;
}

Value call_triangle(Cx *cx, const Args *a) {
  Node *x = matrix_of(cx, a);
  int64_t k = 0;
  if (!x || (a->v[1] && !known_int(cx, a->v[1], "a diagonal", -1000000000, 1000000000, &k))) return v_fail();
  const int rank = x->shape.rank;
  Node *row = graph_iota(cx->g, rank - 2, DT_I32, x->shape),
       *column = graph_iota(cx->g, rank - 1, DT_I32, x->shape);
  Node *edge = graph_binary(cx->g, OP_ADD, row, graph_const_typed(cx->g, (double)k, DT_I32, (Shape){0}));
  Node *kept =
      a->b == B_TRIL ? graph_binary(cx->g, OP_LE, column, edge) : graph_binary(cx->g, OP_LE, edge, column);
  Value v = v_tensor(graph_select(cx->g, kept, x, zeros_for(cx, x)), a->at);
  v.dims = value_dims(cx, a->v[0]);
  return v;
}

// What two axes have in common, from the start: as many places as the shorter one, of the size `least`.
static const Dim *shorter(Cx *cx, const Dim *d, int64_t m, const Dim *e, int64_t n, int64_t least, Span at) {
  if (!(d && d->count) && !(e && e->count)) return NULL;
  if (d && e && dim_relation(d, e) == DIM_SAME && m == n) return d;
  if ((d && d->each) || (e && e->each)) return count_index(cx, d && d->each ? d : e), NULL; // refused
  Node *most = graph_binary(cx->g, OP_MIN, dim_elements(cx, d, m), dim_elements(cx, e, n));
  return counted_dim(cx, most, least, at);
}

// Of a row the matrix with it on its diagonal; else the diagonal of each matrix.
Value call_diag(Cx *cx, const Args *a) {
  Node *x = counted_floats(cx, a->v[0]);
  if (!x) return v_fail();
  Graph *g = cx->g;
  const Dims given = value_dims(cx, a->v[0]);
  if (x->shape.rank == 1) {
    const Shape s = shape_of(2, x->shape.dim[0], x->shape.dim[0]);
    if (!shape_fits(cx, s, a->at)) return v_fail();
    const Dim *both[] = {dim_of(given, 0), dim_of(given, 0)};
    Value v = v_tensor(
        graph_select(g, on_diagonal(cx, s, 0, 1), graph_broadcast_to(g, x, s), graph_const(g, 0, (Shape){0})),
        a->at);
    v.dims = dims_copy(cx, both, 2);
    return v;
  }
  if (!matrix_of(cx, a)) return v_fail();
  const int rank = x->shape.rank, last = rank - 1;
  const int64_t m = x->shape.dim[rank - 2], n = x->shape.dim[last], least = m < n ? m : n;
  x = axis_slice(cx, axis_slice(cx, x, last, 0, least), rank - 2, 0, least);
  Value v = v_tensor(axis_diagonal(cx, x, rank - 2, last), a->at);
  const Dim **dims = dims_copy(cx, given, rank - 1);
  dims[rank - 2] = shorter(cx, dim_of(given, rank - 2), m, dim_of(given, last), n, least, a->at);
  v.dims = dims;
  return v;
}

// -- written by index

// x [i.., r..] added up in rows of a tensor of n of them, which may be as many as an axis has.
Value call_scatter_add(Cx *cx, const Args *a) {
  Node *x = counted_floats(cx, a->v[0]);
  const Dim *rows = a->v[2]->size && a->v[2]->size->count ? a->v[2]->size : NULL;
  int64_t n = rows ? rows->size : 0;
  if (!x || (!rows && !known_int(cx, a->v[2], "a number of rows", 0, INT32_MAX, &n))) return v_fail();
  Node *index = counted_value_index(cx, a->v[1], n, rows);
  if (!index) return v_fail();
  const Dims dims = value_dims(cx, a->v[0]);
  bool on[MAX_RANK] = {0};
  for (int i = 0; i < index->shape.rank && i < MAX_RANK; i++) on[i] = true;
  x = count_filled(cx, x, dims, on, count_identity(a->b));
  Shape lead = x->shape, whole = {.rank = 1, .dim = {n}};
  lead.rank = index->shape.rank < lead.rank ? index->shape.rank : lead.rank;
  if (index->shape.rank > x->shape.rank || !shape_equal(lead, index->shape)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`scatter_add`", shape_text(cx->a, x->shape),
              shape_text(cx->a, index->shape));
    return v_fail();
  }
  if (!axes_meet(cx, "`scatter_add`", a->v[0], a->v[1], lead, -1, a->at)) return v_fail();
  const Dim **kept = ARENA_ARRAY(cx->a, const Dim *, MAX_RANK + 1);
  kept[0] = rows;
  for (int k = lead.rank; k < x->shape.rank; k++)
    kept[whole.rank] = dim_of(dims, k), whole.dim[whole.rank++] = x->shape.dim[k];
  if (!shape_fits(cx, whole, a->at) || !rank_fits(cx, whole.rank, a->at)) return v_fail();
  Value v = v_tensor(graph_scatter_add(cx->g, index, x, n), a->at);
  v.dims = kept;
  return v;
}

// The axes of v and those that are written, of which `axis` is one for `places` = 1 and gone for 0.
static bool put_meets(Cx *cx, const Args *a, Shape v, Shape given, int axis, int places) {
  for (int i = 1; i <= v.rank; i++) {
    const int at = given.rank - i;
    const Dim *d = dim_of(value_dims(cx, a->v[2]), v.rank - i),
              *e =
                  at == axis && places ? NULL : dim_of(value_dims(cx, a->v[0]), at + (at >= axis && !places));
    if (dims_meet(d, v.dim[v.rank - i], e, given.dim[at])) continue;
    report_dims(cx, "`put`", d, e, a->v[2]->span);
    return false;
  }
  return true;
}

static Value put_into(Node *n, Dims dims, Span at) {
  Value v = v_tensor(n, at);
  v.dims = dims;
  return v;
}

// x, but v at the places i of an axis. Of several values for one place the last one stays: which that is, is
// told by the largest position among them.
Value call_put(Cx *cx, const Args *a) {
  Graph *g = cx->g;
  Node *x = counted_floats(cx, a->v[0]), *v = counted_floats(cx, a->v[2]);
  const Dims dims = value_dims(cx, a->v[0]);
  int axis;
  if (!x || !v || !one_axis(cx, a->v[3], x->shape, &axis)) return v_fail();
  const int64_t n = x->shape.dim[axis];
  if (is_counted(cx, a->v[1]) && !value_wide(cx, a->v[1])) return v_fail();
  Node *i = counted_value_index(cx, a->v[1], n, dim_of(dims, axis));
  if (!i) return v_fail();
  if (i->shape.rank > 1) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span, "one index or a row of them",
              value_text(cx, a->v[1]));
    return v_fail();
  }
  const int64_t k = shape_count(i->shape);
  Shape part = x->shape, given = x->shape, whole;
  part.dim[axis] = given.dim[axis] = k;
  if (i->shape.rank == 0) {
    given.rank--;
    for (int d = axis; d < given.rank; d++) given.dim[d] = x->shape.dim[d + 1];
  }
  if (!shape_broadcast(v->shape, given, &whole) || !shape_equal(whole, given)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`put`", shape_text(cx->a, given),
              shape_text(cx->a, v->shape));
    return v_fail();
  }
  if (!put_meets(cx, a, v->shape, given, axis, i->shape.rank)) return v_fail();
  v = graph_reshape(g, graph_broadcast_to(g, v, given), part);
  if (k == 0 || n == 0) return put_into(graph_made(g, x, v), dims, a->at);
  const Shape table = shape_of(2, n, k), row = shape_of(1, k);
  if (!shape_fits(cx, table, a->at)) return v_fail();
  Node *hit = graph_binary(g, OP_EQ, graph_iota(g, 0, DT_I32, table),
                           graph_broadcast(g, graph_reshape(g, i, row), table, (int[]){1}));
  Node *position = graph_cast(g, graph_iota(g, 1, DT_I32, table), DT_F32);
  const int second = 1;
  Node *last =
      graph_reduce(g, OP_RMAX, graph_select(g, hit, position, graph_const(g, -1, (Shape){0})), &second, 1);
  Node *zero = graph_const(g, 0, (Shape){0});
  Node *from = graph_cast(g, graph_binary(g, OP_MAX, last, zero), DT_I32);
  Node *written =
      graph_broadcast(g, graph_unary(g, OP_NOT, graph_binary(g, OP_LT, last, zero)), x->shape, &axis);
  return put_into(graph_select(g, written, gather_axis(cx, v, axis, from), x), dims, a->at);
}
