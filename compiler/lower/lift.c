// Scalar operations on every kind of value. In: an operation and its operands: numbers known now (with their
// units), tensors, trees. Out: its value, of the kind that fits. Holds: operators, `if` and every function
// that works element by element come through `lift`, so that none of them can treat a kind of value in a way
// of its own.
#include "../graph/ops.h"
#include "value.h"
#include <string.h>

// -- times: numbers with a unit

static bool is_time(const Value *v) { return v->kind == V_NUM && v->unit > UNIT_PERCENT; }

static bool in_steps(Cx *cx, Value *v) {
  if (v->unit == UNIT_STEPS) return true;
  double steps;
  Node *live = NULL;
  if (!value_steps(cx, v, &steps, &live)) return false;
  v->num = steps, v->live = live, v->unit = UNIT_STEPS;
  return true;
}

// Makes operands that are times fit each other. `unit`: of a known result. False after a report. Steps alone
// count as a number; a tensor beside a time is a count of steps, such as `now`.
static bool fit_times(Cx *cx, const Lifted *f, Value *x, int n, Unit *unit) {
  int times = 0, epochs = 0, plain = 0, tensors = 0;
  const Value *time = NULL;
  for (int i = 0; i < n; i++) {
    if (is_time(&x[i])) times++, time = &x[i];
    epochs += x[i].unit == UNIT_EPOCHS;
    plain += value_is_const(&x[i]) && x[i].unit == UNIT_NONE;
    tensors += !value_is_const(&x[i]);
  }
  *unit = UNIT_NONE;
  if (!times) return true;
  const bool scales = f->op == OP_MUL || (f->op == OP_DIV && !is_time(&x[1]));
  const bool alike = f->times || (f->op == OP_DIV && is_time(&x[1]));
  if (scales && times == 1 && !tensors) {
    *unit = time->unit;
    return true;
  }
  if (epochs && (plain || !(alike || (scales && tensors)))) {
    Diag *d = diag_emit(
        &cx->s->diags, DIAG_wrong_unit, time->span,
        arena_printf(cx->a, alike ? "times alone as operands of %s" : "a number as operand of %s", f->text),
        alike ? "a time and a number" : value_text(cx, time));
    if (alike) diag_hint(d, "write `epochs` or `steps` behind the number");
    return false;
  }
  if (epochs == n) {
    if (f->times && f->takes == TAKES_NUMBERS) *unit = UNIT_EPOCHS;
    return true;
  }
  for (int i = 0; i < n; i++)
    if ((is_time(&x[i]) || (alike && x[i].unit == UNIT_PERCENT)) && !in_steps(cx, &x[i])) return false;
  if (f->times && f->takes == TAKES_NUMBERS && !tensors) *unit = UNIT_STEPS;
  return true;
}

// -- numbers known now

static Value fold(Cx *cx, const Lifted *f, const Value *x, int n, Unit unit, Span at) {
  double v[3] = {0};
  bool live = false;
  for (int i = 0; i < n; i++) v[i] = plain_number(&x[i]), live = live || x[i].live;
  if (f->takes != TAKES_NUMBERS) {
    for (int i = 0; i < n; i++) live_fix(cx, &x[i]);
    return v_bool(op_scalar(f->op, DT_F64, DT_BOOL, v[0], v[1], v[2]) != 0, at);
  }
  Value out = v_num(op_scalar(f->op, DT_F64, DT_F64, v[0], v[1], v[2]), at);
  out.unit = unit;
  if (live)
    out.live = n == 1 ? graph_unary(cx->g, f->op, live_node(cx, &x[0]))
                      : graph_binary(cx->g, f->op, live_node(cx, &x[0]), live_node(cx, &x[1]));
  return out;
}

// -- tensors

static Node *as_number(Cx *cx, Node *n, DType t) { return n->dtype == t ? n : graph_cast(cx->g, n, t); }

// The element type that operands from `from` on meet in. Scalars of time stay exact among themselves.
static DType common_type(const Lifted *f, Node *const *x, int n, int from) {
  bool same = true, exact = true;
  for (int i = 0; i < n; i++) {
    same = same && (i < from || x[i]->dtype == x[from]->dtype);
    exact = exact && x[i]->dtype != DT_F32 && x[i]->shape.rank == 0;
  }
  if (same && f->takes == TAKES_TRUTH) return DT_BOOL;
  if (same && f->takes == TAKES_CHOICE && x[from]->dtype != DT_F64) return x[from]->dtype;
  if (same && f->takes == TAKES_ORDERED && x[from]->dtype == DT_I32) return DT_I32;
  bool any = false;
  for (int i = from; i < n; i++) any = any || x[i]->dtype == DT_F64;
  return any && exact ? DT_F64 : DT_F32;
}

// What the axes of an operand are; `dims` as of a Value.
typedef struct Axes {
  Shape shape;
  Dims dims;
} Axes;

// An axis that `new` made is there to be stretched, over all but the dimension that it stands beside.
static bool is_meant(const Axes *x, const Axes *y) {
  for (int i = 0; i < x->shape.rank; i++) {
    const Dim *d = dim_of(x->dims, i);
    const int j = i - x->shape.rank + y->shape.rank;
    if (d && d->added && j >= 0 && y->shape.dim[j] > 1)
      return dim_relation(dim_of(x->dims, 0), dim_of(y->dims, j)) != DIM_SAME;
  }
  return false;
}

// Would x and y make a table that is larger than both, from a column [n, 1] and a row [n]? Nobody who wrote
// it meant that. A row [m] is another matter, also where m happens to be n. What is not known is judged by
// sizes.
static bool makes_table(const Axes *x, const Axes *y, Shape whole) {
  if (x->shape.rank == y->shape.rank || !x->shape.rank || !y->shape.rank) return false;
  const Dim *dx = dim_of(x->dims, 0), *dy = dim_of(y->dims, 0);
  if (is_meant(x, y) || is_meant(y, x)) return false;
  if (dim_relation(dx, dy) == DIM_OTHER || (dx && dx->count) != (dy && dy->count)) return false;
  return x->shape.dim[0] == y->shape.dim[0] && !shape_equal(whole, x->shape) && !shape_equal(whole, y->shape);
}

// The axes of both in one shape: each is what the operand that gives its size says. False where two that do
// not meet come together; these are then in *a and *b.
static bool joined(Cx *cx, const Axes *x, const Axes *y, Shape whole, Axes *out, const Dim **a,
                   const Dim **b) {
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, whole.rank + 1);
  for (int at = 0; at < whole.rank; at++) {
    const int i = at - whole.rank + x->shape.rank, j = at - whole.rank + y->shape.rank;
    *a = i < 0 ? NULL : dim_of(x->dims, i), *b = j < 0 ? NULL : dim_of(y->dims, j);
    if (i >= 0 && j >= 0 && !dims_meet(*a, x->shape.dim[i], *b, y->shape.dim[j])) return false;
    const bool from_y = j >= 0 && *b && y->shape.dim[j] == whole.dim[at], counted = from_y && (*b)->count;
    dims[at] = counted || !(*a && x->shape.dim[i] == whole.dim[at]) ? (from_y ? *b : NULL) : *a;
  }
  *out = (Axes){whole, dims};
  return true;
}

static void report_misfit(Cx *cx, const char *text, const Node *x, const Node *y, const Shape *table,
                          Span at) {
  const char *sx = shape_text(cx->a, x->shape), *sy = shape_text(cx->a, y->shape);
  Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, text, sx, sy);
  diag_note(d, x->origin, "%s comes from here", sx);
  diag_note(d, y->origin, "%s comes from here", sy);
  if (table)
    diag_hint(d, "this would make a tensor of shape %s; reshape one side", shape_text(cx->a, *table));
  if (cx->at.source) diag_note(d, cx->at, "in this call");
}

// All operands in one shape, whose axes are in *out; false after a report.
static bool unify(Cx *cx, const char *text, Node **x, const Value *values, int n, Span at, Axes *out) {
  *out = (Axes){x[0]->shape, value_dims(cx, &values[0])};
  for (int i = 1; i < n; i++) {
    Shape next;
    const Axes other = {x[i]->shape, value_dims(cx, &values[i])};
    const bool fits = shape_broadcast(out->shape, other.shape, &next);
    int against = 0;
    for (int k = 0; k < i; k++)
      if (shape_equal(x[k]->shape, out->shape)) against = k;
    if (!fits || makes_table(out, &other, next)) {
      report_misfit(cx, text, x[against], x[i], fits ? &next : NULL, at);
      return false;
    }
    const Dim *a, *b;
    if (!joined(cx, out, &other, next, out, &a, &b)) {
      report_dims(cx, text, a, b, at);
      return false;
    }
  }
  if (!shape_fits(cx, out->shape, at)) return false;
  for (int i = 0; i < n; i++) x[i] = graph_broadcast_to(cx->g, x[i], out->shape);
  return true;
}

static bool is_index(const Value *v) { return v->kind == V_TENSOR && v->node->dtype == DT_I32; }

// Classes of the data are compared with indices as what they are.
static bool compares_classes(const Lifted *f, const Value *x) {
  return f->takes == TAKES_ORDERED &&
         ((is_index(&x[0]) && x[1].kind == V_FIELD) || (is_index(&x[1]) && x[0].kind == V_FIELD));
}

static Value lift_nodes(Cx *cx, const Lifted *f, const Value *x, int n, Span at) {
  Node *in[3];
  int64_t classes;
  const bool as_classes = n == 2 && compares_classes(f, x);
  for (int i = 0; i < n; i++) {
    const bool logic = f->takes == TAKES_TRUTH || (f->takes == TAKES_CHOICE && i == 0);
    in[i] = as_classes ? value_classes(cx, &x[i], &classes)
            : logic    ? truth_of(cx, counted_wide(cx, &x[i]))
                       : counted_wide(cx, &x[i]);
    if (!in[i]) return v_fail();
  }
  const int from = f->takes == TAKES_CHOICE;
  const DType t = common_type(f, in, n, from);
  for (int i = from; i < n; i++) in[i] = as_number(cx, in[i], t);
  Axes axes = {in[0]->shape, value_dims(cx, &x[0])};
  if (n > 1 && !unify(cx, f->text, in, x, n, at, &axes)) return v_fail();
  Value v = v_tensor(n == 1   ? graph_unary(cx->g, f->op, in[0])
                     : n == 2 ? graph_binary(cx->g, f->op, in[0], in[1])
                              : graph_select(cx->g, in[0], in[1], in[2]),
                     at);
  v.dims = axes.dims;
  return v;
}

// -- trees: tensor by tensor

static Value lift_trees(Cx *cx, const Lifted *f, const Value *x, int n, Span at) {
  Tree *trees[3], *first = NULL;
  for (int i = 0; i < n; i++) {
    trees[i] = tree_of(cx, &x[i]);
    if (!first) first = trees[i];
    if (trees[i] && trees[i]->n != first->n) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, x[i].span,
                arena_printf(cx->a, "a tree of %d tensors", first->n), value_text(cx, &x[i]));
      return v_fail();
    }
  }
  Tree *out = tree_new(cx, first->n);
  for (int k = 0; k < first->n; k++) {
    Value leaf[3];
    for (int i = 0; i < n; i++) leaf[i] = trees[i] ? v_tensor(trees[i]->leaf[k].node, x[i].span) : x[i];
    Value v = lift(cx, f, leaf, n, at);
    Node *node = v.kind == V_FAIL ? NULL : value_node(cx, &v);
    if (!node) return v_fail();
    out->leaf[k] = (Leaf){first->leaf[k].path, node};
  }
  return v_tree(out, at);
}

Value lift(Cx *cx, const Lifted *f, const Value *given, int n, Span at) {
  Value x[3];
  bool known = true, tree = false;
  Unit unit;
  for (int i = 0; i < n; i++) {
    if (given[i].kind == V_FAIL) return v_fail();
    x[i] = given[i];
    known = known && value_is_const(&x[i]);
    tree = tree || x[i].kind == V_TREE || x[i].kind == V_MODEL;
  }
  if (!fit_times(cx, f, x, n, &unit)) return v_fail();
  if (tree) return lift_trees(cx, f, x, n, at);
  if (known && f->takes != TAKES_CHOICE) return fold(cx, f, x, n, unit, at);
  return lift_nodes(cx, f, x, n, at);
}

// -- operators

Value unary_op(Cx *cx, Op op, const Value *x, Span at) {
  const Lifted f = {op, op == OP_NOT ? TAKES_TRUTH : TAKES_NUMBERS, op == OP_NEG,
                    arena_printf(cx->a, "`%s`", op == OP_NEG ? "-" : op_info[op].text)};
  return lift(cx, &f, x, 1, at);
}

// The graph's operation of each operator; `>` and `>=` with their operands exchanged, `!=` negated.
static const struct {
  Op op;
  Takes takes;
  bool times, swap, negate;
} operators[] = {
    [OPR_ADD] = {OP_ADD, TAKES_NUMBERS, true, 0, 0},  [OPR_SUB] = {OP_SUB, TAKES_NUMBERS, true, 0, 0},
    [OPR_MUL] = {OP_MUL, TAKES_NUMBERS, false, 0, 0}, [OPR_DIV] = {OP_DIV, TAKES_NUMBERS, false, 0, 0},
    [OPR_POW] = {OP_POW, TAKES_NUMBERS, false, 0, 0}, [OPR_LT] = {OP_LT, TAKES_ORDERED, true, 0, 0},
    [OPR_LE] = {OP_LE, TAKES_ORDERED, true, 0, 0},    [OPR_GT] = {OP_LT, TAKES_ORDERED, true, 1, 0},
    [OPR_GE] = {OP_LE, TAKES_ORDERED, true, 1, 0},    [OPR_EQ] = {OP_EQ, TAKES_ORDERED, true, 0, 0},
    [OPR_NE] = {OP_EQ, TAKES_ORDERED, true, 0, 1},    [OPR_AND] = {OP_AND, TAKES_TRUTH, false, 0, 0},
    [OPR_OR] = {OP_OR, TAKES_TRUTH, false, 0, 0},
};

Value binary(Cx *cx, int opr, const Value *x, const Value *y, Span at) {
  if (x->kind == V_FAIL || y->kind == V_FAIL) return v_fail();
  if (opr == OPR_MATMUL) return matmul(cx, x, y, at);
  if (x->kind == V_TEXT && y->kind == V_TEXT && (opr == OPR_EQ || opr == OPR_NE))
    return v_bool(!strcmp(x->text, y->text) == (opr == OPR_EQ), at);
  if (opr == OPR_POW) live_fix(cx, y); // powers have derivatives and code of their own
  const bool swap = operators[opr].swap;
  const Lifted f = {operators[opr].op, operators[opr].takes, operators[opr].times,
                    arena_printf(cx->a, "`%s`", opr_text((Opr)opr))};
  Value v = lift(cx, &f, (Value[]){swap ? *y : *x, swap ? *x : *y}, 2, at);
  return operators[opr].negate ? unary_op(cx, OP_NOT, &v, at) : v;
}

Value choose(Cx *cx, const Value *cond, const Value *x, const Value *y, Span at) {
  const Lifted f = {OP_SELECT, TAKES_CHOICE, false, "`if`"};
  return lift(cx, &f, (Value[]){*cond, *x, *y}, 3, at);
}

// -- products

// A product sums over an axis of both sides, and its gradients over all others: what is not there is 0.
static Node *factor(Cx *cx, const Value *v) {
  Node *n = counted_floats(cx, v);
  return n ? count_filled(cx, n, value_dims(cx, v), NULL, 0) : NULL;
}

// The axes of x @ y: leading ones of the side that has them, rows of x, columns of y.
static bool product_dims(Cx *cx, const Axes *x, const Axes *y, Shape lead, Span at, Dims *out) {
  const int rx = x->shape.rank, ry = y->shape.rank, inner = ry >= 2 ? ry - 2 : 0;
  const Dim **dims = ARENA_ARRAY(cx->a, const Dim *, MAX_RANK + 1), *a = dim_of(x->dims, rx - 1),
            *b = dim_of(y->dims, inner);
  int n = 0;
  Axes led = {0};
  if (!dims_meet(a, x->shape.dim[rx - 1], b, y->shape.dim[inner]) || (!(a && a->count) != !(b && b->count))) {
    report_dims(cx, "`@`", a, b, at);
    return false;
  }
  Axes lx = {.shape = {.rank = rx > 2 ? rx - 2 : 0}, .dims = x->dims},
       ly = {.shape = {.rank = ry > 2 ? ry - 2 : 0}, .dims = y->dims};
  for (int i = 0; i < lx.shape.rank; i++) lx.shape.dim[i] = x->shape.dim[i];
  for (int i = 0; i < ly.shape.rank; i++) ly.shape.dim[i] = y->shape.dim[i];
  if (ry <= 2) lead = lx.shape;
  if (!joined(cx, &lx, &ly, lead, &led, &a, &b)) {
    report_dims(cx, "`@`", a, b, at);
    return false;
  }
  for (int i = 0; i < lead.rank; i++) dims[n++] = dim_of(led.dims, i);
  if (rx >= 2) dims[n++] = dim_of(x->dims, rx - 2);
  if (ry >= 2) dims[n++] = dim_of(y->dims, ry - 1);
  *out = dims;
  return true;
}

Value matmul(Cx *cx, const Value *vx, const Value *vy, Span at) {
  Node *x = factor(cx, vx), *y = factor(cx, vy);
  if (!x || !y) return v_fail();
  const Axes ax = {x->shape, value_dims(cx, vx)}, ay = {y->shape, value_dims(cx, vy)};
  Dims dims;
  Shape a = x->shape, b = y->shape;
  bool ok = a.rank >= 1 && b.rank >= 1 && a.dim[a.rank - 1] == b.dim[b.rank >= 2 ? b.rank - 2 : 0];
  Shape lead = {0}, la = {.rank = a.rank > 2 ? a.rank - 2 : 0}, lb = {.rank = b.rank > 2 ? b.rank - 2 : 0};
  memcpy(la.dim, a.dim, sizeof(int64_t) * (size_t)la.rank);
  memcpy(lb.dim, b.dim, sizeof(int64_t) * (size_t)lb.rank);
  if (ok && b.rank > 2) ok = shape_broadcast(la, lb, &lead);
  if (!ok) {
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, "`@`", shape_text(cx->a, a), shape_text(cx->a, b));
    diag_note(d, x->origin, "%s comes from here", shape_text(cx->a, a));
    diag_note(d, y->origin, "%s comes from here", shape_text(cx->a, b));
    diag_hint(d, "the last axis of the left side must be as long as the last but one of the right side");
    if (cx->at.source) diag_note(d, cx->at, "in this call");
    return v_fail();
  }
  if (!product_dims(cx, &ax, &ay, lead, at, &dims)) return v_fail();
  bool row = a.rank == 1, column = b.rank == 1;
  if (row) x = graph_reshape(cx->g, x, shape_of(2, (int64_t)1, a.dim[0]));
  if (column) y = graph_reshape(cx->g, y, shape_of(2, b.dim[0], (int64_t)1));
  Shape rx = x->shape, ry = y->shape;
  int64_t n = ry.dim[ry.rank - 1], k = rx.dim[rx.rank - 1], rows = 1;
  for (int i = 0; i < rx.rank - 1; i++) rows *= rx.dim[i];
  const Shape whole =
      ry.rank == 2 ? shape_of(2, rows, n) : shape_of(3, shape_count(lead), rx.dim[rx.rank - 2], n);
  if (!shape_fits(cx, whole, at)) return v_fail();
  Node *out;
  Shape result = rx;
  if (ry.rank == 2) { // all leading axes of x are rows of one matrix
    out = graph_matmul(cx->g, graph_reshape(cx->g, x, shape_of(2, rows, k)), y);
    result.dim[rx.rank - 1] = n;
  } else {
    Shape sx = lead, sy = lead;
    sx.dim[sx.rank++] = rx.dim[rx.rank - 2], sx.dim[sx.rank++] = k;
    sy.dim[sy.rank++] = k, sy.dim[sy.rank++] = n;
    out = graph_matmul(cx->g, graph_broadcast_to(cx->g, x, sx), graph_broadcast_to(cx->g, y, sy));
    result = out->shape;
  }
  Shape final = {0};
  for (int i = 0; i < result.rank; i++) {
    if ((row && i == result.rank - 2) || (column && i == result.rank - 1)) continue;
    final.dim[final.rank++] = result.dim[i];
  }
  Value v = v_tensor(graph_reshape(cx->g, out, final), at);
  v.dims = dims;
  return v;
}
