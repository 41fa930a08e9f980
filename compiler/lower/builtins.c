// The builtins: each turns its bound arguments into nodes. Reductions, random draws and gradients are here;
// plain pointwise ones come from a table.
#include "value.h"
#include <math.h>
#include <string.h>

typedef struct Args {
  const Value *v[BUILTIN_MAX_PARAMS]; // by the signature's order; NULL where left out
  const Value **many;                 // of the `*` parameter
  int nmany;
  Span at;
} Args;

static bool bind_signature(Cx *cx, Builtin b, BoundArg *args, int nargs, Span at, Args *out) {
  Signature sig = builtin_signature(b);
  const char *name = builtin_info[b].name;
  *out = (Args){.at = at, .many = ARENA_ARRAY(cx->a, const Value *, nargs + 1)};
  int positional = 0;
  for (int i = 0; i < nargs; i++) {
    int k = positional;
    if (args[i].name) {
      for (k = 0; k < sig.n && strcmp(sig.param[k].name, args[i].name); k++) {
      }
    } else if (positional < sig.n && sig.param[positional].many) {
      out->many[out->nmany++] = args[i].value;
      continue;
    } else {
      positional++;
    }
    if (k >= sig.n) {
      if (args[i].name)
        diag_emit(&cx->s->diags, DIAG_unknown_argument, args[i].span, name, args[i].name);
      else
        diag_emit(&cx->s->diags, DIAG_too_many_arguments, at, name, sig.n, nargs);
      return false;
    }
    if (out->v[k]) {
      diag_emit(&cx->s->diags, DIAG_duplicate_argument, args[i].span, sig.param[k].name);
      return false;
    }
    out->v[k] = args[i].value;
  }
  for (int k = 0; k < sig.n; k++) {
    if (out->v[k] || sig.param[k].optional || (sig.param[k].many && out->nmany)) continue;
    diag_emit(&cx->s->diags, DIAG_missing_argument, at, name, sig.param[k].name);
    return false;
  }
  return true;
}

// -- pointwise

static const struct {
  Builtin b;
  Op op;
  double (*constant)(double);
} unary_table[] = {
    {B_ABS, OP_ABS, fabs},      {B_FLOOR, OP_FLOOR, floor},    {B_ROUND, OP_ROUND, rint},
    {B_EXP, OP_EXP, exp},       {B_EXPM1, OP_EXPM1, expm1},    {B_LOG, OP_LOG, log},
    {B_LOG1P, OP_LOG1P, log1p}, {B_SQRT, OP_SQRT, sqrt},       {B_TANH, OP_TANH, tanh},
    {B_ERF, OP_ERF, erf},       {B_SIN, OP_SIN, sin},          {B_COS, OP_COS, cos},
    {B_SIGN, OP_SIGN, NULL},    {B_SIGMOID, OP_SIGMOID, NULL}, {B_ERFINV, OP_ERFINV, NULL},
    {B_STOP, OP_STOP, NULL},
};

static Value pointwise(Cx *cx, int row, const Args *a) {
  const Value *x = a->v[0];
  const Op op = unary_table[row].op;
  if (value_is_const(x)) {
    const double d = plain_number(x);
    switch (op) {
    case OP_SIGN: return live_unary(cx, v_num((d > 0) - (d < 0), a->at), op, x);
    case OP_SIGMOID: return live_unary(cx, v_num(1 / (1 + exp(-d)), a->at), op, x);
    case OP_STOP: return *x;
    default:
      if (unary_table[row].constant) return live_unary(cx, v_num(unary_table[row].constant(d), a->at), op, x);
    }
  }
  if (op == OP_STOP && x->kind == V_TENSOR && x->node->dtype != DT_F32) return *x;
  return unary_op(cx, op, x, a->at);
}

static Value extreme(Cx *cx, Op op, const Value *x, const Value *y, Span at) {
  if (value_is_const(x) && value_is_const(y))
    return live_binary(cx, v_num(op == OP_MAX ? fmax(x->num, y->num) : fmin(x->num, y->num), at), op, x, y);
  // The sum gives both operands one shape (and reports a misfit); the extreme is then taken of the stretched
  // operands.
  Value probe = binary(cx, OPR_ADD, x, y, at);
  if (probe.kind != V_TENSOR) return probe;
  Node *a = value_node(cx, x), *b = value_node(cx, y);
  if (!a || !b) return v_fail();
  if (a->dtype != DT_F32) a = graph_cast(cx->g, a, DT_F32);
  if (b->dtype != DT_F32) b = graph_cast(cx->g, b, DT_F32);
  Shape s = probe.node->shape;
  return v_tensor(graph_binary(cx->g, op, graph_broadcast_to(cx->g, a, s), graph_broadcast_to(cx->g, b, s)),
                  at);
}

// -- reductions

// `axis`: a number or a list of numbers; all axes where it is left out. Sorted, distinct.
static bool axes_of(Cx *cx, const Value *axis, Shape s, int *axes, int *n) {
  *n = 0;
  bool on[MAX_RANK] = {0};
  if (!axis) {
    for (int i = 0; i < s.rank; i++) on[i] = true;
  } else {
    int count = axis->kind == V_LIST ? axis->nitems : 1;
    for (int i = 0; i < count; i++) {
      const Value *v = axis->kind == V_LIST ? &axis->items[i] : axis;
      double d;
      if (!value_number(cx, v, "an axis", &d)) return false;
      int k = (int)d + (d < 0 ? s.rank : 0);
      if (k < 0 || k >= s.rank || d != floor(d)) {
        diag_emit(&cx->s->diags, DIAG_bad_axis, v->span, (int)d, shape_text(cx->a, s));
        return false;
      }
      on[k] = true;
    }
  }
  for (int i = 0; i < s.rank; i++)
    if (on[i]) axes[(*n)++] = i;
  return true;
}

static bool wants_keep(const Value *keep) { return keep && keep->num != 0; }

static Node *keep_axes(Cx *cx, Node *reduced, Shape s, const int *axes, int n) {
  for (int i = 0; i < n; i++) s.dim[axes[i]] = 1;
  return graph_reshape(cx->g, reduced, s);
}

static double axes_count(Shape s, const int *axes, int n) {
  double c = 1;
  for (int i = 0; i < n; i++) c *= (double)s.dim[axes[i]];
  return c;
}

static Node *number_node(Cx *cx, const Value *v) {
  Node *n = value_node(cx, v);
  return n && n->dtype != DT_F32 ? graph_cast(cx->g, n, DT_F32) : n;
}

static Node *sum_all(Cx *cx, Node *n) { return graph_reduce_all(cx->g, OP_SUM, n); }
static Node *squares(Cx *cx, Node *n) { return sum_all(cx, graph_binary(cx->g, OP_MUL, n, n)); }

static Value reduction(Cx *cx, Builtin b, const Value *x, const Value *axis, const Value *keep, Span at) {
  Tree *t = tree_of(cx, x);
  if (t) { // over all tensors of the tree
    if (b == B_SUM) return v_tensor(tree_total(cx, t, sum_all), at);
    if (b == B_NORM) return v_tensor(graph_unary(cx->g, OP_SQRT, tree_total(cx, t, squares)), at);
    diag_emit(&cx->s->diags, DIAG_wrong_kind, x->span, "a tensor", value_text(cx, x));
    return v_fail();
  }
  Node *n = number_node(cx, x);
  int axes[MAX_RANK], naxes;
  if (!n || !axes_of(cx, axis, n->shape, axes, &naxes)) return v_fail();
  Node *out;
  switch (b) {
  case B_MAX: out = graph_reduce(cx->g, OP_RMAX, n, axes, naxes); break;
  case B_MIN:
    out =
        graph_unary(cx->g, OP_NEG, graph_reduce(cx->g, OP_RMAX, graph_unary(cx->g, OP_NEG, n), axes, naxes));
    break;
  case B_NORM:
    out = graph_unary(cx->g, OP_SQRT,
                      graph_reduce(cx->g, OP_SUM, graph_binary(cx->g, OP_MUL, n, n), axes, naxes));
    break;
  default:
    out = graph_reduce(cx->g, OP_SUM, n, axes, naxes);
    if (b == B_MEAN)
      out = graph_binary(cx->g, OP_MUL, out,
                         graph_const(cx->g, 1 / axes_count(n->shape, axes, naxes), (Shape){0}));
  }
  if (wants_keep(keep)) out = keep_axes(cx, out, n->shape, axes, naxes);
  return v_tensor(out, at);
}

static bool one_axis(Cx *cx, const Value *axis, Shape s, int *out) {
  Value last = v_num(-1, axis ? axis->span : (Span){0});
  int axes[MAX_RANK], n;
  if (!axes_of(cx, axis ? axis : &last, s, axes, &n)) return false;
  *out = axes[0];
  return n == 1;
}

static Value count(Cx *cx, const Value *x, Span at) {
  Tree *t = tree_of(cx, x);
  if (!t) {
    Node *n = value_node(cx, x);
    return n ? v_num((double)shape_count(n->shape), at) : v_fail();
  }
  double total = 0;
  for (int i = 0; i < t->n; i++) total += (double)shape_count(t->leaf[i].node->shape);
  return v_num(total, at);
}

// -- shapes

static Value reshape(Cx *cx, const Args *a) {
  Node *n = number_node(cx, a->v[0]);
  Shape s;
  if (!n || !value_shape(cx, a->v[1], &s)) return v_fail();
  if (shape_count(s) != shape_count(n->shape)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`reshape`", shape_text(cx->a, n->shape),
                        shape_text(cx->a, s));
    diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
    return v_fail();
  }
  return v_tensor(graph_reshape(cx->g, n, s), a->at);
}

static Value transpose(Cx *cx, const Args *a) {
  Node *n = value_node(cx, a->v[0]);
  if (!n) return v_fail();
  int perm[MAX_RANK], rank = n->shape.rank;
  if (!a->v[1]) {
    if (rank < 2) {
      diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, -2, shape_text(cx->a, n->shape));
      return v_fail();
    }
    return v_tensor(graph_swap(cx->g, n), a->at);
  }
  bool seen[MAX_RANK] = {0}, ok = a->v[1]->kind == V_LIST && a->v[1]->nitems == rank;
  for (int i = 0; ok && i < rank; i++) {
    double d;
    if (!value_number(cx, &a->v[1]->items[i], "an axis", &d)) return v_fail();
    int k = (int)d + (d < 0 ? rank : 0);
    ok = k >= 0 && k < rank && !seen[k];
    if (ok) seen[k] = true, perm[i] = k;
  }
  if (!ok) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span,
              arena_printf(cx->a, "each axis of %s once", shape_text(cx->a, n->shape)),
              value_text(cx, a->v[1]));
    return v_fail();
  }
  return v_tensor(graph_transpose(cx->g, n, perm), a->at);
}

static Value concat(Cx *cx, const Args *a) {
  Node **xs = ARENA_ARRAY(cx->a, Node *, a->nmany + 1);
  int axis = 0;
  for (int i = 0; i < a->nmany; i++) {
    xs[i] = number_node(cx, a->many[i]);
    if (!xs[i] || (i == 0 && !one_axis(cx, a->v[1], xs[0]->shape, &axis))) return v_fail();
    Shape s = xs[i]->shape;
    if (s.rank == xs[0]->shape.rank) s.dim[axis] = xs[0]->shape.dim[axis];
    if (!shape_equal(s, xs[0]->shape)) {
      diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`concat`", shape_text(cx->a, xs[0]->shape),
                shape_text(cx->a, xs[i]->shape));
      return v_fail();
    }
  }
  Shape whole = xs[0]->shape;
  for (int i = 1; i < a->nmany; i++) whole.dim[axis] += xs[i]->shape.dim[axis];
  return shape_fits(cx, whole, a->at) ? v_tensor(graph_concat(cx->g, xs, a->nmany, axis), a->at) : v_fail();
}

// The shape that `shape:` or `like:` asks for.
static bool wanted_shape(Cx *cx, const Value *shape, const Value *like, Span at, const char *name,
                         Shape *out) {
  if (like) {
    Node *n = value_node(cx, like);
    if (n) *out = n->shape;
    return n != NULL;
  }
  if (shape) return value_shape(cx, shape, out);
  diag_emit(&cx->s->diags, DIAG_missing_argument, at, name, "shape` or `like");
  return false;
}

// -- random

static Node *draw(Cx *cx, Shape s) {
  Node *seed, *counter;
  cx_seed(cx, &seed, &counter);
  return graph_uniform(cx->g, seed, counter, cx->stream++, s);
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

// low + u (high - low), u below 1. The sum may round to `high`, which is excluded: what is beyond the last
// number before it becomes that number.
static Value uniform_between(Cx *cx, const Value *u, const Value *low, const Value *high, Span at) {
  Value width = binary(cx, OPR_SUB, high, low, at), scaled = binary(cx, OPR_MUL, u, &width, at);
  Value sum = binary(cx, OPR_ADD, &scaled, low, at), last, zero = v_num(0, at);
  if (value_is_const(&width)) {
    last = v_num((double)nextafterf((float)plain_number(high), (float)plain_number(low)), at);
    return extreme(cx, width.num < 0 ? OP_MAX : OP_MIN, &sum, &last, at);
  }
  Value sizes[] = {unary_op(cx, OP_ABS, low, at), unary_op(cx, OP_ABS, high, at)}, ulp = v_num(0x1p-23, at);
  Value larger = extreme(cx, OP_MAX, &sizes[0], &sizes[1], at), side = unary_op(cx, OP_SIGN, &width, at);
  Value step = binary(cx, OPR_MUL, &larger, &ulp, at), signed_step = binary(cx, OPR_MUL, &step, &side, at);
  last = binary(cx, OPR_SUB, high, &signed_step, at);
  Value over = binary(cx, OPR_SUB, &sum, &last, at), beyond = binary(cx, OPR_MUL, &over, &side, at);
  Value excess = extreme(cx, OP_MAX, &beyond, &zero, at), back = binary(cx, OPR_MUL, &excess, &side, at);
  return binary(cx, OPR_SUB, &sum, &back, at);
}

static Value random_value(Cx *cx, Builtin b, const Args *a) {
  Shape s;
  const Value *shape = b == B_NORMAL ? a->v[0] : a->v[1], *like = b == B_NORMAL ? a->v[1] : a->v[2];
  if (!wanted_shape(cx, shape, like, a->at, builtin_info[b].name, &s)) return v_fail();
  if (b == B_NORMAL) return v_tensor(normal(cx, s), a->at);
  if (b == B_BERNOULLI) {
    Node *p = number_node(cx, a->v[0]);
    Shape whole;
    double known = value_is_const(a->v[0]) ? plain_number(a->v[0]) : 0;
    if (!p) return v_fail();
    if (!(known >= 0 && known <= 1)) {
      diag_emit(&cx->s->diags, DIAG_out_of_range, a->v[0]->span, "p", "bernoulli", "a number from 0 to 1",
                value_text(cx, a->v[0]));
      return v_fail();
    }
    if (!shape_broadcast(p->shape, s, &whole) || !shape_equal(whole, s)) {
      diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`bernoulli`", shape_text(cx->a, p->shape),
                shape_text(cx->a, s));
      return v_fail();
    }
    Node *hit = graph_binary(cx->g, OP_LT, draw(cx, s), graph_broadcast_to(cx->g, p, s));
    return v_tensor(graph_cast(cx->g, hit, DT_F32), a->at);
  }
  Value u = v_tensor(draw(cx, s), a->at);
  if (!a->v[0]) return u;
  if (a->v[0]->kind != V_RANGE || a->v[0]->items[0].kind == V_NONE || a->v[0]->items[1].kind == V_NONE) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[0]->span, "a range low .. high", value_text(cx, a->v[0]));
    return v_fail();
  }
  return uniform_between(cx, &u, &a->v[0]->items[0], &a->v[0]->items[1], a->at);
}

// -- indexing

static Value one_hot(Cx *cx, const Args *a) {
  double n;
  if (!value_number(cx, a->v[1], "the number of classes", &n)) return v_fail();
  if (!(n >= 1 && n <= INT32_MAX && n == floor(n))) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[1]->span, "a number of classes of at least 1",
              value_text(cx, a->v[1]));
    return v_fail();
  }
  Node *y = value_index(cx, a->v[0], (int64_t)n);
  if (!y || !rank_fits(cx, y->shape.rank + 1, a->at)) return v_fail();
  Shape s = y->shape;
  int axes[MAX_RANK];
  for (int i = 0; i < s.rank; i++) axes[i] = i;
  s.dim[s.rank++] = (int64_t)n;
  if (!shape_fits(cx, s, a->at)) return v_fail();
  Node *hit = graph_binary(cx->g, OP_EQ, graph_iota(cx->g, s.rank - 1, DT_I32, s),
                           graph_broadcast(cx->g, y, s, axes));
  return v_tensor(graph_cast(cx->g, hit, DT_F32), a->at);
}

static Value indexing(Cx *cx, Builtin b, const Args *a) {
  Node *x =
      b == B_GATHER || b == B_TAKE_ALONG || b == B_SORT || b == B_ARGSORT || b == B_CUMSUM || b == B_ARGMAX
          ? number_node(cx, a->v[0])
          : NULL;
  int axis;
  if (!x) return v_fail();
  if (x->shape.rank == 0) {
    diag_emit(&cx->s->diags, DIAG_bad_axis, a->at, -1, "[]");
    return v_fail();
  }
  switch (b) {
  case B_SORT: return v_tensor(graph_take_along(cx->g, x, graph_argsort(cx->g, x)), a->at);
  case B_ARGSORT: return v_tensor(graph_argsort(cx->g, x), a->at);
  case B_CUMSUM:
    return one_axis(cx, a->v[1], x->shape, &axis) ? v_tensor(graph_cumsum(cx->g, x, axis, false), a->at)
                                                  : v_fail();
  case B_ARGMAX:
    return one_axis(cx, a->v[1], x->shape, &axis)
               ? v_tensor(graph_reduce(cx->g, OP_ARGMAX, x, &axis, 1), a->at)
               : v_fail();
  default: break;
  }
  if (b == B_GATHER) return rows_by_index(cx, x, a->v[1], a->at);
  Node *index = value_index(cx, a->v[1], x->shape.dim[x->shape.rank - 1]);
  if (!index) return v_fail();
  Shape lead = x->shape;
  bool fits = index->shape.rank == lead.rank;
  if (fits) lead.dim[lead.rank - 1] = index->shape.dim[lead.rank - 1];
  if (!fits || !shape_equal(lead, index->shape)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, a->at, "`take_along`", shape_text(cx->a, x->shape),
              shape_text(cx->a, index->shape));
    return v_fail();
  }
  return v_tensor(graph_take_along(cx->g, x, index), a->at);
}

static Value made(Cx *cx, Builtin b, const Args *a) {
  if (b == B_ZEROS || b == B_ONES) {
    Shape s;
    return wanted_shape(cx, a->v[0], a->v[1], a->at, builtin_info[b].name, &s)
               ? v_tensor(graph_const(cx->g, b == B_ONES, s), a->at)
               : v_fail();
  }
  double n;
  if (!value_number(cx, a->v[0], "a size", &n)) return v_fail();
  if (n < 1 || n != floor(n) || n > 1e9) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, a->v[0]->span, "a whole number of at least 1",
              value_text(cx, a->v[0]));
    return v_fail();
  }
  Shape s = shape_of(b == B_EYE ? 2 : 1, (int64_t)n, (int64_t)n);
  if (!shape_fits(cx, s, a->at)) return v_fail();
  Node *last = graph_iota(cx->g, s.rank - 1, DT_I32, s);
  if (b == B_EYE) last = graph_binary(cx->g, OP_EQ, graph_iota(cx->g, 0, DT_I32, s), last);
  return v_tensor(graph_cast(cx->g, last, DT_F32), a->at);
}

Value builtin_value(Cx *cx, Builtin b, Span at) {
  bool timed = b == B_STEP || b == B_NOW || b == B_EPOCH;
  switch (b) {
  case B_PI: return v_num(3.14159265358979323846, at);
  case B_TRAINING: return v_bool(cx->training, at);
  case B_OBJECTIVE:
    if (cx->objective) return v_tensor(cx->objective, at);
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, "`objective`", "outside of an optimizer");
    return v_fail();
  case B_EPOCH: return v_tensor(graph_cast(cx->g, cx_input(cx, "epoch", DT_I32, (Shape){0}), DT_F32), at);
  default: break;
  }
  if (timed) return v_tensor(cx_step(cx), at);
  if (!cx->t) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, at, arena_printf(cx->a, "`%s`", builtin_info[b].name),
              "outside of training");
    return v_fail();
  }
  if (b == B_TOTAL)
    return (Value){.kind = V_NUM,
                   .num = (double)cx->t->total_steps,
                   .live = cx_total(cx),
                   .unit = UNIT_STEPS,
                   .span = at};
  return v_tensor(graph_binary(cx->g, OP_DIV, cx_step(cx), cx_total(cx)), at);
}

Value call_builtin(Cx *cx, Builtin b, BoundArg *args, int nargs, Span at) {
  Args a;
  if (!bind_signature(cx, b, args, nargs, at, &a)) return v_fail();
  for (size_t i = 0; i < sizeof unary_table / sizeof *unary_table; i++)
    if (unary_table[i].b == b) return pointwise(cx, (int)i, &a);
  switch (b) {
  case B_MAX:
  case B_MIN:
    if (a.v[1]) return extreme(cx, b == B_MAX ? OP_MAX : OP_MIN, a.v[0], a.v[1], at);
    return reduction(cx, b, a.v[0], a.v[2], a.v[3], at);
  case B_CLAMP: {
    Value low = extreme(cx, OP_MAX, a.v[0], a.v[1], at);
    return low.kind == V_FAIL ? low : extreme(cx, OP_MIN, &low, a.v[2], at);
  }
  case B_SUM:
  case B_MEAN:
  case B_NORM: return reduction(cx, b, a.v[0], a.v[1], a.v[2], at);
  case B_COUNT: return count(cx, a.v[0], at);
  case B_SIZE: {
    Node *n = value_node(cx, a.v[0]);
    int axis;
    return n && one_axis(cx, a.v[1], n->shape, &axis) ? v_num((double)n->shape.dim[axis], at) : v_fail();
  }
  case B_RESHAPE: return reshape(cx, &a);
  case B_TRANSPOSE: return transpose(cx, &a);
  case B_CONCAT: return concat(cx, &a);
  case B_ONE_HOT: return one_hot(cx, &a);
  case B_ZEROS:
  case B_ONES:
  case B_EYE:
  case B_RANGE: return made(cx, b, &a);
  case B_NORMAL:
  case B_UNIFORM:
  case B_BERNOULLI: return random_value(cx, b, &a);
  case B_GRAD: return gradient(cx, a.v[0], a.v[1], a.at);
  default: return indexing(cx, b, &a);
  }
}
