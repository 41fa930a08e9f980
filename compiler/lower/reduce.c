// Built-in functions over axes. In: bound arguments. Out: values; a tree is reduced as a whole, and has no
// axes.
#include "builtins.h"
#include <math.h>
#include <string.h>

// -- reductions

// Axes a..b without b, which counts from the end where it is negative; an end that is left out is the last.
static bool axis_range(Cx *cx, const Value *axis, Shape s, bool *on) {
  int64_t end[2] = {0, s.rank};
  for (int k = 0; k < 2; k++) {
    if (axis->items[k].kind == V_NONE) continue;
    if (!known_int(cx, &axis->items[k], "an axis", -s.rank, s.rank, &end[k])) return false;
    if (end[k] < 0) end[k] += s.rank;
  }
  for (int64_t i = end[0]; i < end[1]; i++) on[i] = true;
  if (end[0] < end[1]) return true;
  diag_emit(&cx->s->diags, DIAG_empty_range, axis->span, (long long)s.rank);
  return false;
}

// `axis`: a number, a list of numbers or a range; all axes where it is left out. Sorted, distinct.
static bool axes_of(Cx *cx, const Value *axis, Shape s, int *axes, int *n) {
  *n = 0;
  bool on[MAX_RANK] = {0};
  if (!axis) {
    for (int i = 0; i < s.rank; i++) on[i] = true;
  } else if (axis->kind == V_RANGE) {
    if (!axis_range(cx, axis, s, on)) return false;
  } else {
    int count = axis->kind == V_LIST ? axis->nitems : 1;
    if (!count) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, axis->span, "an axis or a list of axes", "an empty list");
      return false;
    }
    for (int i = 0; i < count; i++) {
      const Value *v = axis->kind == V_LIST ? &axis->items[i] : axis;
      double d;
      if (!value_number(cx, v, "an axis", &d)) return false;
      if (d != floor(d)) {
        diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "an axis", value_text(cx, v));
        return false;
      }
      if (!(d >= -s.rank && d < s.rank && d == floor(d))) {
        diag_emit(&cx->s->diags, DIAG_bad_axis, v->span, (int)fmax(-1e9, fmin(d, 1e9)), shape_text(cx->a, s));
        return false;
      }
      int k = (int)d + (d < 0 ? s.rank : 0);
      if (on[k]) {
        diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "each axis once",
                  arena_printf(cx->a, "axis %d again", (int)d));
        return false;
      }
      on[k] = true;
    }
  }
  for (int i = 0; i < s.rank; i++)
    if (on[i]) axes[(*n)++] = i;
  return true;
}

bool axis_of_tree(Cx *cx, const Args *a, const Value *axis) {
  if (!axis) return false;
  Diag *d = diag_emit(&cx->s->diags, DIAG_axis_of_tree, axis->span, builtin_info[a->b].name);
  diag_note(d, a->v[0]->span, "%s", value_text(cx, a->v[0]));
  const Signature sig = builtin_signature(a->b);
  int k = 0;
  while (a->v[k] != axis) k++;
  if (!strcmp(sig.param[k].name, "axis"))
    diag_hint(d, "`each w in %s : %s(w, axis: %s)` is a tree of one value for each tensor",
              source_text(cx, a->v[0]->span), builtin_info[a->b].name, source_text(cx, axis->span));
  return true;
}

static Node *keep_axes(Cx *cx, Node *reduced, Shape s, const int *axes, int n) {
  for (int i = 0; i < n; i++) s.dim[axes[i]] = 1;
  return graph_reshape(cx->g, reduced, s);
}

// What is reduced: x over axes, and of it only what `where` takes (a truth value for each element; NULL:
// all), which leaves out what a count does.
typedef struct Reduced {
  Builtin b;
  Node *x, *where, *count; // count: how many are there, where a count alone leaves some out; else NULL
  Dims dims;
  int axes[MAX_RANK], n;
  bool sample;
} Reduced;

static Reduced whole(Builtin b, Node *x, Dims dims) {
  Reduced r = {.b = b, .x = x, .dims = dims, .n = x->shape.rank};
  for (int i = 0; i < r.n; i++) r.axes[i] = i;
  return r;
}

static void reduced_axes(const Reduced *r, bool *on) {
  for (int i = 0; i < r->n; i++) on[r->axes[i]] = true;
}

// How many elements there are along the reduced axes, f64[]; NULL: all.
static Node *counted_elements(Cx *cx, const Reduced *r) {
  Node *count = NULL;
  double sizes = 1;
  for (int i = 0; i < r->n; i++) {
    const Dim *d = dim_of(r->dims, r->axes[i]);
    if (!d || !d->count)
      sizes *= (double)r->x->shape.dim[r->axes[i]];
    else
      count = count ? graph_binary(cx->g, OP_MUL, count, d->count) : d->count;
  }
  if (!count || sizes == 1) return count;
  return graph_binary(cx->g, OP_MUL, count, graph_const_typed(cx->g, sizes, DT_F64, (Shape){0}));
}

// Rows are not put together without their lengths.
static void refuse_rows(Cx *cx, const Reduced *r, const bool *on) {
  for (int i = 0; i < r->x->shape.rank; i++) {
    const Dim *d = dim_of(r->dims, i);
    bool rows = false;
    for (int k = 0; d && d->each && !on[i] && k < r->x->shape.rank; k++)
      rows = rows || (on[k] && dim_relation(dim_of(r->dims, k), d->each) == DIM_SAME);
    if (rows)
      refuse_counted(
          cx, arena_printf(cx->a, "`%s` over rows", builtin_info[r->b].name), r->dims, r->x->shape,
          "each place would be that of other rows: take the places together before, or along with them",
          cx->g->origin);
  }
}

// Takes what is there, along the axes that are reduced.
static void take_counted(Cx *cx, Reduced *r) {
  bool on[MAX_RANK] = {0};
  reduced_axes(r, on);
  refuse_rows(cx, r, on);
  Node *there = count_mask(cx, r->x->shape, r->dims, on);
  if (there && !r->where && !is_ragged(r->dims, r->x->shape.rank))
    r->count = graph_cast(cx->g, counted_elements(cx, r), DT_F32);
  if (there) r->where = r->where ? graph_binary(cx->g, OP_AND, r->where, there) : there;
}

// The result in the form that is asked for.
static Value reduced(Cx *cx, const Reduced *r, Node *out, Shape s, bool keep, Span at) {
  Value v = v_tensor(keep ? keep_axes(cx, out, s, r->axes, r->n) : out, at);
  const Dim **kept = dims_copy(cx, r->dims, s.rank);
  for (int i = 0; i < r->n; i++) kept[r->axes[i]] = NULL;
  v.dims = keep ? kept : dims_without(cx, kept, s.rank, r->axes, r->n);
  return v;
}

static Node *over(Cx *cx, const Reduced *r, Op op, Node *x) {
  return graph_reduce(cx->g, op, x, r->axes, r->n);
}

// x, and `other` where nothing is taken.
static Node *taken(Cx *cx, const Reduced *r, Node *x, double other) {
  return r->where ? graph_select(cx->g, r->where, x, graph_const(cx->g, other, (Shape){0})) : x;
}

static Shape left_over(const Reduced *r) {
  Shape left = {0};
  for (int i = 0, k = 0; i < r->x->shape.rank; i++) {
    if (k < r->n && r->axes[k] == i)
      k++;
    else
      left.dim[left.rank++] = r->x->shape.dim[i];
  }
  return left;
}

static Node *elements(Cx *cx, const Reduced *r) {
  double count = 1;
  if (r->count) return graph_broadcast_to(cx->g, r->count, left_over(r));
  for (int i = 0; i < r->n; i++) count *= (double)r->x->shape.dim[r->axes[i]];
  return r->where ? over(cx, r, OP_SUM, graph_cast(cx->g, r->where, DT_F32))
                  : graph_const(cx->g, count, (Shape){0});
}

static Node *mean_of(Cx *cx, const Reduced *r, Node *x) {
  return graph_binary(cx->g, OP_DIV, over(cx, r, OP_SUM, taken(cx, r, x, 0)), elements(cx, r));
}

// NaN where no element is taken.
static Node *largest(Cx *cx, const Reduced *r, Node *x) {
  Node *top = over(cx, r, OP_RMAX, taken(cx, r, x, count_identity(B_MAX)));
  if (!r->where) return top;
  Node *none = graph_binary(cx->g, OP_EQ, elements(cx, r), graph_const(cx->g, 0, (Shape){0}));
  return graph_select(cx->g, none, graph_const(cx->g, NAN, (Shape){0}), top);
}

// The reduced axes as one behind the others.
static Node *joined_last(Cx *cx, const Reduced *r, Node *x) {
  int perm[MAX_RANK], k = 0;
  Shape s = {0};
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < x->shape.rank; i++) {
      bool gone = false;
      for (int j = 0; j < r->n; j++) gone = gone || r->axes[j] == i;
      if (gone == (pass == 1)) perm[k++] = i;
      if (!gone && pass == 0) s.dim[s.rank++] = x->shape.dim[i];
    }
  s.dim[s.rank] = 1;
  for (int i = 0; i < r->n; i++) s.dim[s.rank] *= x->shape.dim[r->axes[i]];
  s.rank++;
  return graph_reshape(cx->g, graph_transpose(cx->g, x, perm), s);
}

static Node *without_last(Cx *cx, Node *x) {
  Shape s = x->shape;
  s.rank--;
  return graph_reshape(cx->g, x, s);
}

// The root of a sum of squares has a derivative of 0 at 0, and no overflow.
static Node *spread_of(Cx *cx, const Reduced *r) {
  Graph *g = cx->g;
  Node *centre = keep_axes(cx, mean_of(cx, r, r->x), r->x->shape, r->axes, r->n);
  Node *off = taken(cx, r, graph_binary(g, OP_SUB, r->x, graph_broadcast_to(g, centre, r->x->shape)), 0);
  Node *count = elements(cx, r);
  if (r->sample) count = graph_binary(g, OP_SUB, count, graph_const(g, 1, (Shape){0}));
  if (r->b == B_STD)
    return graph_binary(g, OP_DIV, graph_norm(g, off, r->axes, r->n), graph_unary(g, OP_SQRT, count));
  return graph_binary(g, OP_DIV, over(cx, r, OP_SUM, graph_binary(g, OP_MUL, off, off)), count);
}

static Node *reduce(Cx *cx, const Reduced *r) {
  Graph *g = cx->g;
  Node *x = r->x;
  switch (r->b) {
  case B_MAX: return largest(cx, r, x);
  case B_MIN: return graph_unary(g, OP_NEG, largest(cx, r, graph_unary(g, OP_NEG, x)));
  case B_NORM: return graph_norm(g, taken(cx, r, x, count_identity(r->b)), r->axes, r->n);
  case B_MEAN: return mean_of(cx, r, x);
  case B_VAR:
  case B_STD: return spread_of(cx, r);
  case B_PROD: {
    Node *last = joined_last(cx, r, taken(cx, r, x, count_identity(r->b)));
    return without_last(cx, axis_product(cx, last, last->shape.rank - 1));
  }
  default: return over(cx, r, OP_SUM, taken(cx, r, x, count_identity(r->b)));
  }
}

static Node *as_float(Cx *cx, Node *n) { return n->dtype == DT_F32 ? n : graph_cast(cx->g, n, DT_F32); }

static Node *flat(Cx *cx, Node *n) {
  n = as_float(cx, n);
  return graph_reshape(cx->g, n, shape_of(1, shape_count(n->shape)));
}

// All elements of a tree, in order, as one tensor.
Node *tree_flat(Cx *cx, const Tree *t) {
  Node **parts = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  for (int i = 0; i < t->n; i++) parts[i] = flat(cx, t->leaf[i].node);
  return t->n ? graph_concat(cx->g, parts, t->n, 0) : graph_const(cx->g, 0, shape_of(1, (int64_t)0));
}

static double tree_count(const Tree *t) {
  double total = 0;
  for (int i = 0; i < t->n; i++) total += (double)shape_count(t->leaf[i].node->shape);
  return total;
}

Value call_unflat(Cx *cx, const Args *a) {
  const Tree *like = tree_of(cx, a->v[1]);
  const bool one = !like;
  Node *v = value_node(cx, a->v[0]);
  if (!v) return v_fail();
  if (one) {
    Tree *t = tree_new(cx, 1);
    t->leaf[0] = (Leaf){"", value_node(cx, a->v[1])};
    if (!t->leaf[0].node) return v_fail();
    like = t;
  }
  Tree *t = tree_new(cx, like->n);
  const Shape all = shape_of(1, (int64_t)tree_count(like));
  if (!shape_equal(v->shape, all)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->v[0]->span, "`unflat`", shape_text(cx->a, all),
              shape_text(cx->a, v->shape));
    return v_fail();
  }
  int64_t from = 0;
  for (int i = 0; i < like->n; i++) {
    const Shape s = like->leaf[i].node->shape;
    Node *part = axis_slice(cx, v, 0, from, from + shape_count(s));
    t->leaf[i] = (Leaf){like->leaf[i].path, graph_reshape(cx->g, part, s)};
    from += shape_count(s);
  }
  return one ? v_tensor(t->leaf[0].node, a->at) : v_tree(t, a->at);
}

// A reduction of one whole tensor.
static Node *reduce_all(Cx *cx, Builtin b, Node *x) {
  const Reduced r = whole(b, x, NULL);
  return reduce(cx, &r);
}

// Each tensor by itself, then over them: a mean is the sum's share, a norm is of all elements together, and
// so is what has no simple sum.
static Value reduce_tree(Cx *cx, Builtin b, const Tree *t, Span at) {
  Node **each = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  if (b == B_NORM) {
    for (int i = 0; i < t->n; i++) each[i] = as_float(cx, t->leaf[i].node);
    return v_tensor(graph_norm_all(cx->g, each, t->n), at);
  }
  if (b == B_VAR || b == B_STD) return v_tensor(reduce_all(cx, b, tree_flat(cx, t)), at);
  const Builtin part = b == B_MEAN ? B_SUM : b;
  for (int i = 0; i < t->n; i++) {
    Node *all = reduce_all(cx, part, flat(cx, t->leaf[i].node));
    each[i] = graph_reshape(cx->g, all, shape_of(1, (int64_t)1));
  }
  Node *total = reduce_all(cx, part, graph_concat(cx->g, each, t->n, 0));
  if (b == B_MEAN) total = graph_binary(cx->g, OP_DIV, total, graph_const(cx->g, tree_count(t), (Shape){0}));
  return v_tensor(total, at);
}

static bool known_false(Cx *cx, const Node *n) {
  Arena *scratch = arena_new();
  const double *known = known_elements(cx, scratch, n);
  bool none = known != NULL;
  for (int64_t i = 0; none && i < shape_count(n->shape); i++) none = known[i] == 0;
  arena_free(scratch);
  return none;
}

static bool where_meets(Cx *cx, const Value *v, const Node *n, const Value *of, const Node *x) {
  for (int i = 1; i <= n->shape.rank && i <= x->shape.rank; i++) {
    const Dim *a = dim_of(value_dims(cx, v), n->shape.rank - i),
              *b = dim_of(value_dims(cx, of), x->shape.rank - i);
    if (dims_meet(a, n->shape.dim[n->shape.rank - i], b, x->shape.dim[x->shape.rank - i])) continue;
    report_dims(cx, "`where`", a, b, v->span);
    return false;
  }
  return true;
}

static bool has_value_of_none(Builtin b) {
  return b == B_SUM || b == B_PROD || b == B_NORM || b == B_ANY || b == B_ALL;
}

// false after a report: there is nothing to reduce, of which `name` has no value.
static bool has_elements(Cx *cx, const char *name, const Reduced *r, Span at) {
  bool none = false;
  for (int i = 0; i < r->n; i++) none = none || r->x->shape.dim[r->axes[i]] == 0;
  if (!none || has_value_of_none(r->b)) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_nothing_to_reduce, at, name, dims_text(cx, r->x->shape, r->dims));
  diag_hint(
      d,
      "`sum`, `prod`, `norm`, `any`, `all` and `count` have a value of nothing; for another, choose one: "
      "`if count(x) == 0 then ... else %s(x)`",
      name);
  if (cx->at.source && cx->at.start != at.start) diag_note(d, cx->at, "in this call");
  return false;
}

// The elements that count, in x's shape; false after a report: none is left, as far as that is known.
static bool where_of(Cx *cx, const Args *a, const Value *v, const Node *x, Node **out) {
  *out = NULL;
  if (!v) return true;
  struct Leaves *leaves = cx->leaves; // a literal condition is no leaf of a check
  cx->leaves = NULL;
  Node *n = truth_of(cx, counted_wide(cx, v));
  cx->leaves = leaves;
  Shape whole;
  if (!n || !where_meets(cx, v, n, a->v[0], x)) return false;
  if (!shape_broadcast(n->shape, x->shape, &whole) || !shape_equal(whole, x->shape)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, v->span, "`where`", shape_text(cx->a, n->shape),
              shape_text(cx->a, x->shape));
    return false;
  }
  *out = graph_broadcast_to(cx->g, n, x->shape);
  const bool none = !has_value_of_none(a->b) && shape_count(n->shape) && known_false(cx, n);
  if (none)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span,
              arena_printf(cx->a, "something to take the `%s` of", builtin_info[a->b].name),
              "a condition that is false everywhere");
  return !none;
}

typedef struct ReduceArgs {
  const Value *axis, *keep, *where, *sample;
} ReduceArgs;

bool is_true(const Value *v) { return v && v->num != 0; }

static Value reduce_value(Cx *cx, const Args *a, const ReduceArgs *by) {
  const Value *x = a->v[0], *of_tensors = by->axis ? by->axis : by->keep ? by->keep : by->where;
  Tree *t = tree_of(cx, x);
  if (t && axis_of_tree(cx, a, of_tensors)) return v_fail();
  if (t && !is_true(by->sample) && tree_count(t) > 0) return reduce_tree(cx, a->b, t, a->at);
  Reduced r = {.b = a->b, .x = t ? tree_flat(cx, t) : counted_floats(cx, x), .sample = is_true(by->sample)};
  if (!r.x || !axes_of(cx, by->axis, r.x->shape, r.axes, &r.n)) return v_fail();
  r.dims = value_dims(cx, x);
  if (!has_elements(cx, builtin_info[a->b].name, &r, a->at)) return v_fail();
  if (!where_of(cx, a, by->where, r.x, &r.where)) return v_fail();
  take_counted(cx, &r);
  return reduced(cx, &r, reduce(cx, &r), r.x->shape, is_true(by->keep), a->at);
}

Node *mean_there(Cx *cx, const Value *v) {
  Node *x = counted_floats(cx, v);
  if (!x) return NULL;
  Reduced r = whole(B_MEAN, x, value_dims(cx, v));
  if (!has_elements(cx, "mean", &r, v->span)) return NULL;
  take_counted(cx, &r);
  return mean_of(cx, &r, r.x);
}

Value call_reduction(Cx *cx, const Args *a) {
  return reduce_value(cx, a, &(ReduceArgs){a->v[1], a->v[2], a->v[3], a->v[4]});
}

// Whether some, or all, are true.
Value call_truths(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  if (t && axis_of_tree(cx, a, a->v[1] ? a->v[1] : a->v[2] ? a->v[2] : a->v[3])) return v_fail();
  const Value flat_tree = t ? v_tensor(tree_flat(cx, t), a->at) : *a->v[0];
  Node *x = truth_of(cx, counted_wide(cx, &flat_tree));
  Reduced r = {.b = B_MAX, .dims = value_dims(cx, &flat_tree)};
  if (!x || !axes_of(cx, a->v[1], x->shape, r.axes, &r.n)) return v_fail();
  if (!where_of(cx, a, a->v[3], x, &r.where)) return v_fail();
  if (a->b == B_ALL) x = graph_unary(cx->g, OP_NOT, x);
  r.x = x;
  take_counted(cx, &r);
  if (r.where) x = graph_binary(cx->g, OP_AND, x, r.where);
  Node *most = over(cx, &r, OP_RMAX, graph_cast(cx->g, x, DT_F32));
  Node *out = graph_binary(cx->g, OP_LT, graph_const(cx->g, 0, (Shape){0}), most); // -inf of nothing
  if (a->b == B_ALL) out = graph_unary(cx->g, OP_NOT, out);
  return reduced(cx, &r, out, x->shape, is_true(a->v[2]), a->at);
}

// Of n sorted numbers the one at q (n - 1), by a straight line between two; NaN where one is NaN.
static Node *quantile_of(Cx *cx, Node *sorted, double q) {
  Graph *g = cx->g;
  const int axis = sorted->shape.rank - 1;
  const int64_t n = sorted->shape.dim[axis];
  const double at = q * (double)(n - 1);
  const int64_t low = (int64_t)floor(at), high = low + (at > (double)low);
  Node *value = axis_slice(cx, sorted, axis, low, low + 1), *last = axis_slice(cx, sorted, axis, n - 1, n);
  if (high > low) {
    Node *above = axis_slice(cx, sorted, axis, high, high + 1);
    Node *share = graph_const(g, at - (double)low, (Shape){0}),
         *rest = graph_const(g, (double)high - at, (Shape){0});
    value =
        graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, value, rest), graph_binary(g, OP_MUL, above, share));
  }
  return without_last(cx, graph_select(g, graph_binary(g, OP_EQ, last, last), value, last));
}

// The same of the elements that are taken, whose number is known when the program runs: they are sorted to
// the front. NaN where there are none.
static Node *quantile_where(Cx *cx, Node *x, Node *where, double q) {
  Graph *g = cx->g;
  const int axis = x->shape.rank - 1;
  Reduced r = {.x = x, .where = where, .axes = {axis}, .n = 1};
  Node *zero = graph_const(g, 0, (Shape){0}), *one = graph_const(g, 1, (Shape){0});
  Node *count = keep_axes(cx, elements(cx, &r), x->shape, r.axes, 1);
  Node *bad = graph_unary(g, OP_NOT, graph_binary(g, OP_EQ, x, x));
  bad = over(cx, &r, OP_SUM, taken(cx, &r, graph_cast(g, bad, DT_F32), 0));
  bad = keep_axes(cx, bad, x->shape, r.axes, 1);
  Node *front = taken(cx, &r, x, INFINITY), *sorted = graph_take_along(g, front, graph_argsort(g, front));
  Node *most = graph_binary(g, OP_MAX, graph_binary(g, OP_SUB, count, one), zero);
  Node *at = graph_binary(g, OP_MUL, most, graph_const(g, q, (Shape){0}));
  Node *low = graph_unary(g, OP_FLOOR, at), *share = graph_binary(g, OP_SUB, at, low),
       *high = graph_binary(g, OP_MIN, graph_binary(g, OP_ADD, low, one), most);
  Node *below = graph_take_along(g, sorted, graph_cast(g, low, DT_I32)),
       *above = graph_take_along(g, sorted, graph_cast(g, high, DT_I32));
  Node *between = graph_binary(g, OP_ADD, graph_binary(g, OP_MUL, below, graph_binary(g, OP_SUB, one, share)),
                               graph_binary(g, OP_MUL, above, share));
  Node *value = graph_select(g, graph_binary(g, OP_EQ, share, zero), below, between);
  Node *none = graph_binary(g, OP_OR, graph_binary(g, OP_EQ, count, zero), graph_binary(g, OP_LT, zero, bad));
  return without_last(cx, graph_select(g, none, graph_const(g, NAN, (Shape){0}), value));
}

Value call_quantile(Cx *cx, const Args *a) {
  const bool median = a->b == B_MEDIAN;
  const Value *axis = a->v[median ? 1 : 2], *keep = a->v[median ? 2 : 3], *where = a->v[median ? 3 : 4];
  Tree *t = tree_of(cx, a->v[0]);
  if (t && axis_of_tree(cx, a, axis ? axis : keep ? keep : where)) return v_fail();
  double q = 0.5;
  if (!median && !value_number(cx, a->v[1], "a share", &q)) return v_fail();
  if (!(q >= 0 && q <= 1)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, a->v[1]->span, "q", "quantile", "a number from 0 to 1",
              value_text(cx, a->v[1]));
    return v_fail();
  }
  Reduced r = {.x = t ? tree_flat(cx, t) : counted_floats(cx, a->v[0]), .dims = value_dims(cx, a->v[0])};
  if (!r.x || !axes_of(cx, axis, r.x->shape, r.axes, &r.n)) return v_fail();
  if (!has_elements(cx, builtin_info[a->b].name, &r, a->at)) return v_fail();
  if (!where_of(cx, a, where, r.x, &r.where)) return v_fail();
  take_counted(cx, &r);
  if (r.n == 0 && !r.where) return *a->v[0];
  Node *last = joined_last(cx, &r, r.x);
  Node *out = r.where ? quantile_where(cx, last, joined_last(cx, &r, r.where), q)
                      : quantile_of(cx, graph_take_along(cx->g, last, graph_argsort(cx->g, last)), q);
  return reduced(cx, &r, out, r.x->shape, is_true(keep), a->at);
}

Value call_extreme(Cx *cx, const Args *a) {
  const char *name = builtin_info[a->b].name;
  const Value *by_axis = a->v[2] ? a->v[2] : a->v[3] ? a->v[3] : a->v[4];
  if (!a->v[1] && a->v[0]->kind == V_NUM && a->v[0]->unit > UNIT_PERCENT) return *a->v[0];
  if (!a->v[1]) return reduce_value(cx, a, &(ReduceArgs){a->v[2], a->v[3], a->v[4], NULL});
  if (by_axis) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, by_axis->span,
              arena_printf(cx->a, "`%s` along an axis", name),
              "of two values: it takes the larger or smaller of each pair");
    return v_fail();
  }
  return larger(cx, a->b == B_MAX ? OP_MAX : OP_MIN, arena_printf(cx->a, "`%s`", name), a->v[0], a->v[1],
                a->at);
}

bool one_axis(Cx *cx, const Value *axis, Shape s, int *out) {
  Value last = v_num(-1, cx->g->origin);
  int axes[MAX_RANK], n;
  if (!axes_of(cx, axis ? axis : &last, s, axes, &n)) return false;
  *out = axes[0];
  return n == 1;
}

Value call_argmax(Cx *cx, const Args *a) {
  Node *n = counted_floats(cx, a->v[0]);
  int axis;
  if (!n || !one_axis(cx, a->v[1], n->shape, &axis)) return v_fail();
  if (a->b == B_ARGMIN) n = graph_unary(cx->g, OP_NEG, n);
  Reduced r = {.b = B_MAX, .x = n, .dims = value_dims(cx, a->v[0]), .axes = {axis}, .n = 1};
  if (!has_elements(cx, builtin_info[a->b].name, &r, a->at)) return v_fail();
  if (!where_of(cx, a, a->v[2], n, &r.where)) return v_fail();
  take_counted(cx, &r);
  if (r.where) { // the first one taken that is the largest of these, or NaN where this is
    Node *top = keep_axes(cx, largest(cx, &r, n), n->shape, r.axes, 1);
    Node *hit = graph_binary(cx->g, OP_EQ, n, graph_broadcast_to(cx->g, top, n->shape));
    hit = graph_binary(cx->g, OP_OR, hit, graph_unary(cx->g, OP_NOT, graph_binary(cx->g, OP_EQ, n, n)));
    n = graph_cast(cx->g, graph_binary(cx->g, OP_AND, hit, r.where), DT_F32);
  }
  Value v = reduced(cx, &r, graph_reduce(cx->g, OP_ARGMAX, n, &axis, 1), n->shape, false, a->at);
  v.classes = n->shape.dim[axis];
  return v;
}

Value call_count(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  if (t) return v_num(tree_count(t), a->at);
  Node *n = counted_node(cx, a->v[0]);
  if (!n) return v_fail();
  const Reduced r = whole(a->b, n, value_dims(cx, a->v[0]));
  if (is_ragged(r.dims, n->shape.rank)) {
    Node *there = count_mask(cx, n->shape, r.dims, NULL);
    return there ? v_tensor(graph_reduce_all(cx->g, OP_SUM, graph_cast(cx->g, there, DT_F32)), a->at)
                 : v_fail();
  }
  Node *count = counted_elements(cx, &r);
  const int64_t all = shape_count(n->shape);
  const Dim *row = r.n == 1 ? dim_of(r.dims, 0) : NULL;
  return size_value(count && !row ? counted_dim(cx, count, all, a->at) : row, all, a->at);
}

Value call_size(Cx *cx, const Args *a) {
  Node *n = counted_node(cx, a->v[0]);
  int axis;
  if (!n || !one_axis(cx, a->v[1], n->shape, &axis)) return v_fail();
  return size_value(dim_of(value_dims(cx, a->v[0]), axis), n->shape.dim[axis], a->at);
}
