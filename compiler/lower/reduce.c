// Built-in functions along axes: reductions, running sums, sorting. In: bound arguments. Out: values; a tree
// is reduced as a whole, and has no axes.
#include "builtins.h"
#include <math.h>

// -- reductions

// `axis`: a number or a list of numbers; all axes where it is left out. Sorted, distinct.
static bool axes_of(Cx *cx, const Value *axis, Shape s, int *axes, int *n) {
  *n = 0;
  bool on[MAX_RANK] = {0};
  if (!axis) {
    for (int i = 0; i < s.rank; i++) on[i] = true;
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
  return true;
}

static Node *keep_axes(Cx *cx, Node *reduced, Shape s, const int *axes, int n) {
  for (int i = 0; i < n; i++) s.dim[axes[i]] = 1;
  return graph_reshape(cx->g, reduced, s);
}

static Node *reduce(Cx *cx, Builtin b, Node *x, const int *axes, int n) {
  Graph *g = cx->g;
  double count = 1;
  for (int i = 0; i < n; i++) count *= (double)x->shape.dim[axes[i]];
  switch (b) {
  case B_MAX: return graph_reduce(g, OP_RMAX, x, axes, n);
  case B_MIN: return graph_unary(g, OP_NEG, graph_reduce(g, OP_RMAX, graph_unary(g, OP_NEG, x), axes, n));
  case B_NORM: return graph_norm(g, x, axes, n);
  case B_MEAN:
    return graph_binary(g, OP_DIV, graph_reduce(g, OP_SUM, x, axes, n), graph_const(g, count, (Shape){0}));
  default: return graph_reduce(g, OP_SUM, x, axes, n);
  }
}

static Node *flat(Cx *cx, Node *n) {
  if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  return graph_reshape(cx->g, n, shape_of(1, shape_count(n->shape)));
}

// All elements of a tree, in order, as one tensor.
Node *tree_flat(Cx *cx, const Tree *t) {
  Node **parts = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  for (int i = 0; i < t->n; i++) parts[i] = flat(cx, t->leaf[i].node);
  return graph_concat(cx->g, parts, t->n, 0);
}

static double tree_count(const Tree *t) {
  double total = 0;
  for (int i = 0; i < t->n; i++) total += (double)shape_count(t->leaf[i].node->shape);
  return total;
}

// Each tensor by itself, then over them: a mean is the sum's share, a norm is of all elements together.
static Value reduce_tree(Cx *cx, Builtin b, const Tree *t, Span at) {
  Node **each = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  const int first = 0;
  if (b == B_NORM) {
    for (int i = 0; i < t->n; i++) each[i] = flat(cx, t->leaf[i].node);
    return v_tensor(graph_norm_all(cx->g, each, t->n), at);
  }
  for (int i = 0; i < t->n; i++) {
    Node *all = reduce(cx, b == B_MEAN ? B_SUM : b, flat(cx, t->leaf[i].node), &first, 1);
    each[i] = graph_reshape(cx->g, all, shape_of(1, (int64_t)1));
  }
  Node *total = reduce(cx, b == B_MEAN ? B_SUM : b, graph_concat(cx->g, each, t->n, 0), &first, 1);
  if (b == B_MEAN) total = graph_binary(cx->g, OP_DIV, total, graph_const(cx->g, tree_count(t), (Shape){0}));
  return v_tensor(total, at);
}

static Value reduce_value(Cx *cx, const Args *a, const Value *axis, const Value *keep) {
  const Value *x = a->v[0];
  Tree *t = tree_of(cx, x);
  if (t) return axis_of_tree(cx, a, axis ? axis : keep) ? v_fail() : reduce_tree(cx, a->b, t, a->at);
  Node *n = value_floats(cx, x);
  int axes[MAX_RANK], naxes;
  if (!n || !axes_of(cx, axis, n->shape, axes, &naxes)) return v_fail();
  Node *out = reduce(cx, a->b, n, axes, naxes);
  if (keep && keep->num != 0) out = keep_axes(cx, out, n->shape, axes, naxes);
  return v_tensor(out, a->at);
}

Value call_reduction(Cx *cx, const Args *a) { return reduce_value(cx, a, a->v[1], a->v[2]); }

Value call_extreme(Cx *cx, const Args *a) {
  const char *name = builtin_info[a->b].name;
  const Value *by_axis = a->v[2] ? a->v[2] : a->v[3];
  if (!a->v[1] && a->v[0]->kind == V_NUM && a->v[0]->unit > UNIT_PERCENT) return *a->v[0];
  if (!a->v[1]) return reduce_value(cx, a, a->v[2], a->v[3]);
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
  Node *n = value_floats(cx, a->v[0]);
  int axis;
  if (!n || !one_axis(cx, a->v[1], n->shape, &axis)) return v_fail();
  Value v = v_tensor(graph_reduce(cx->g, OP_ARGMAX, n, &axis, 1), a->at);
  v.classes = n->shape.dim[axis];
  return v;
}

Value call_count(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  if (t) return v_num(tree_count(t), a->at);
  Node *n = value_node(cx, a->v[0]);
  return n ? v_num((double)shape_count(n->shape), a->at) : v_fail();
}

Value call_size(Cx *cx, const Args *a) {
  Node *n = value_node(cx, a->v[0]);
  int axis;
  return n && one_axis(cx, a->v[1], n->shape, &axis) ? v_num((double)n->shape.dim[axis], a->at) : v_fail();
}

// -- along an axis

static Node *along_axis(Cx *cx, Builtin b, Node *x, int axis) {
  if (b == B_CUMSUM) return graph_cumsum(cx->g, x, axis, false);
  Node *order = graph_argsort(cx->g, x);
  return b == B_SORT ? graph_take_along(cx->g, x, order) : order;
}

Value call_along(Cx *cx, const Args *a) {
  Tree *t = tree_of(cx, a->v[0]);
  if (t && axis_of_tree(cx, a, a->v[1])) return v_fail();
  Tree *out = tree_new(cx, t ? t->n : 1);
  for (int i = 0; i < out->n; i++) {
    Node *x = t ? t->leaf[i].node : value_floats(cx, a->v[0]);
    if (x && x->dtype != DT_F32) x = graph_cast(cx->g, x, DT_F32);
    int axis;
    if (!x || !one_axis(cx, a->v[1], x->shape, &axis)) return v_fail();
    out->leaf[i] = (Leaf){t ? t->leaf[i].path : "", along_axis(cx, a->b, x, axis)};
  }
  return t ? v_tree(out, a->at) : v_tensor(out->leaf[0].node, a->at);
}
