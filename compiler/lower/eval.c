// Expressions. In: a tree node and the names in scope. Out: a Value; tensors become nodes of the graph under
// construction, whose origin is the expression.
#include "value.h"
#include <math.h>
#include <string.h>

Node *cx_input(Cx *cx, const char *name, DType t, Shape s) { return graph_input(cx->g, name, t, s); }

Node *cx_step(Cx *cx) { return graph_cast(cx->g, cx_input(cx, "step", DT_I32, (Shape){0}), DT_F32); }

Node *truth(Cx *cx, const Value *v) {
  Node *n = value_node(cx, v);
  if (!n || n->dtype == DT_BOOL) return n;
  Node *zero = graph_const_typed(cx->g, 0, n->dtype, (Shape){0});
  return graph_unary(cx->g, OP_NOT, graph_binary(cx->g, OP_EQ, n, zero));
}

static Value fail_unless(bool ok, Value v) { return ok ? v : v_fail(); }

// -- operators

static const char *opr_sentence(Cx *cx, int opr) { return arena_printf(cx->a, "`%s`", opr_text((Opr)opr)); }

// Both operands in one shape and one type. Where one has fewer axes, the result may not be larger than the
// larger operand: a column [n, 1] against a row [n] would make a table [n, n], which nobody who wrote it
// meant.
static bool unify(Cx *cx, int opr, Node **x, Node **y, Span at) {
  if ((*x)->dtype == DT_BOOL) *x = graph_cast(cx->g, *x, DT_F32);
  if ((*y)->dtype == DT_BOOL) *y = graph_cast(cx->g, *y, DT_F32);
  if ((*x)->dtype != (*y)->dtype) {
    *x = graph_cast(cx->g, *x, DT_F32);
    *y = graph_cast(cx->g, *y, DT_F32);
  }
  Shape s;
  Shape a = (*x)->shape, b = (*y)->shape;
  bool fits = shape_broadcast(a, b, &s);
  bool grows = fits && a.rank != b.rank && a.rank > 0 && b.rank > 0 && a.dim[0] == b.dim[0] &&
               !shape_equal(s, a) && !shape_equal(s, b);
  if (!fits || grows) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, opr_sentence(cx, opr), shape_text(cx->a, a),
                        shape_text(cx->a, b));
    diag_note(d, (*x)->origin, "%s comes from here", shape_text(cx->a, a));
    diag_note(d, (*y)->origin, "%s comes from here", shape_text(cx->a, b));
    if (grows) diag_hint(d, "this would make a tensor of shape %s; reshape one side", shape_text(cx->a, s));
    if (cx->at.source) diag_note(d, cx->at, "in this call");
    return false;
  }
  if (!shape_fits(cx, s, at)) return false;
  *x = graph_broadcast_to(cx->g, *x, s);
  *y = graph_broadcast_to(cx->g, *y, s);
  return true;
}

static Value matmul(Cx *cx, const Value *vx, const Value *vy, Span at) {
  Node *x = value_node(cx, vx), *y = value_node(cx, vy);
  if (!x || !y) return v_fail();
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
  bool row = a.rank == 1, column = b.rank == 1;
  if (row) x = graph_reshape(cx->g, x, shape_of(2, (int64_t)1, a.dim[0]));
  if (column) y = graph_reshape(cx->g, y, shape_of(2, b.dim[0], (int64_t)1));
  Shape rx = x->shape, ry = y->shape;
  int64_t n = ry.dim[ry.rank - 1], k = rx.dim[rx.rank - 1];
  Shape whole = {
      .rank = 3,
      .dim = {shape_count(rx) / k, n, shape_count(lead) > 0 && ry.rank > 2 ? shape_count(lead) : 1}};
  if (!shape_fits(cx, whole, at)) return v_fail();
  Node *out;
  Shape result = rx;
  if (ry.rank == 2) { // all leading axes of x are rows of one matrix
    int64_t rows = shape_count(rx) / k;
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
  return v_tensor(graph_reshape(cx->g, out, final), at);
}

static Value constant_binary(int opr, double x, double y, Span at) {
  switch (opr) {
  case OPR_ADD: return v_num(x + y, at);
  case OPR_SUB: return v_num(x - y, at);
  case OPR_MUL: return v_num(x * y, at);
  case OPR_DIV: return v_num(x / y, at);
  case OPR_POW: return v_num(pow(x, y), at);
  case OPR_LT: return v_bool(x < y, at);
  case OPR_LE: return v_bool(x <= y, at);
  case OPR_GT: return v_bool(x > y, at);
  case OPR_GE: return v_bool(x >= y, at);
  case OPR_EQ: return v_bool(x == y, at);
  case OPR_NE: return v_bool(x != y, at);
  case OPR_AND: return v_bool(x != 0 && y != 0, at);
  case OPR_OR: return v_bool(x != 0 || y != 0, at);
  default: return v_fail();
  }
}

static Node *node_binary(Cx *cx, int opr, Node *x, Node *y) {
  Graph *g = cx->g;
  switch (opr) {
  case OPR_ADD: return graph_binary(g, OP_ADD, x, y);
  case OPR_SUB: return graph_binary(g, OP_SUB, x, y);
  case OPR_MUL: return graph_binary(g, OP_MUL, x, y);
  case OPR_DIV: return graph_binary(g, OP_DIV, x, y);
  case OPR_POW: return graph_binary(g, OP_POW, x, y);
  case OPR_LT: return graph_binary(g, OP_LT, x, y);
  case OPR_LE: return graph_binary(g, OP_LE, x, y);
  case OPR_GT: return graph_binary(g, OP_LT, y, x);
  case OPR_GE: return graph_binary(g, OP_LE, y, x);
  case OPR_EQ: return graph_binary(g, OP_EQ, x, y);
  case OPR_NE: return graph_unary(g, OP_NOT, graph_binary(g, OP_EQ, x, y));
  default: return NULL;
  }
}

static Value tree_binary(Cx *cx, int opr, const Value *x, const Value *y, Span at) {
  Tree *tx = tree_of(cx, x), *ty = tree_of(cx, y);
  if (tx && ty && tx->n != ty->n) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, at, arena_printf(cx->a, "a tree of %d tensors", tx->n),
              value_text(cx, y));
    return v_fail();
  }
  Tree *shape = tx ? tx : ty, *out = ARENA_NEW(cx->a, Tree);
  *out = (Tree){shape->n, ARENA_ARRAY(cx->a, Leaf, shape->n)};
  for (int i = 0; i < shape->n; i++) {
    Value l = tx ? v_tensor(tx->leaf[i].node, x->span) : *x,
          r = ty ? v_tensor(ty->leaf[i].node, y->span) : *y;
    Value v = binary(cx, opr, &l, &r, at);
    if (v.kind != V_TENSOR) return v_fail();
    out->leaf[i] = (Leaf){shape->leaf[i].path, v.node};
  }
  return v_tree(out, at);
}

// Of two numbers. A time plus, minus, times or over a number is a time.
static Value known_binary(Cx *cx, int opr, const Value *x, const Value *y, Span at) {
  static const Op ops[] = {
      [OPR_ADD] = OP_ADD, [OPR_SUB] = OP_SUB, [OPR_MUL] = OP_MUL, [OPR_DIV] = OP_DIV, [OPR_POW] = OP_POW};
  const bool times = opr == OPR_ADD || opr == OPR_SUB || opr == OPR_MUL || opr == OPR_DIV;
  const bool left = times && x->unit > UNIT_PERCENT, right = times && !left && y->unit > UNIT_PERCENT;
  Value v = constant_binary(opr, left ? x->num : plain_number(x), right ? y->num : plain_number(y), at);
  if (left || right) v.unit = left ? x->unit : y->unit;
  if (times || opr == OPR_POW) return live_binary(cx, v, ops[opr], x, y);
  live_fix(cx, x);
  live_fix(cx, y);
  return v;
}

Value binary(Cx *cx, int opr, const Value *x, const Value *y, Span at) {
  if (x->kind == V_FAIL || y->kind == V_FAIL) return v_fail();
  if (opr == OPR_POW) live_fix(cx, y); // powers have derivatives and code of their own
  if (value_is_const(x) && value_is_const(y) && opr != OPR_MATMUL) return known_binary(cx, opr, x, y, at);
  if (tree_of(cx, x) || tree_of(cx, y)) return tree_binary(cx, opr, x, y, at);
  if (opr == OPR_MATMUL) return matmul(cx, x, y, at);
  if (opr == OPR_AND || opr == OPR_OR) {
    Node *a = truth(cx, x), *b = truth(cx, y);
    if (!a || !b) return v_fail();
    Shape s;
    if (!shape_broadcast(a->shape, b->shape, &s)) {
      diag_emit(&cx->s->diags, DIAG_shape_mismatch, at, opr_sentence(cx, opr), shape_text(cx->a, a->shape),
                shape_text(cx->a, b->shape));
      return v_fail();
    }
    return v_tensor(graph_binary(cx->g, opr == OPR_AND ? OP_AND : OP_OR, graph_broadcast_to(cx->g, a, s),
                                 graph_broadcast_to(cx->g, b, s)),
                    at);
  }
  int64_t classes = 0;
  bool compare = opr >= OPR_LT && opr <= OPR_NE;
  bool as_class = compare && ((x->kind == V_TENSOR && x->node->dtype == DT_I32 && y->kind == V_FIELD) ||
                              (y->kind == V_TENSOR && y->node->dtype == DT_I32 && x->kind == V_FIELD));
  Node *a = as_class ? value_classes(cx, x, &classes) : value_node(cx, x);
  Node *b = as_class ? value_classes(cx, y, &classes) : value_node(cx, y);
  if (!a || !b || !unify(cx, opr, &a, &b, at)) return v_fail();
  if (!compare && a->dtype == DT_I32) a = graph_cast(cx->g, a, DT_F32), b = graph_cast(cx->g, b, DT_F32);
  return v_tensor(node_binary(cx, opr, a, b), at);
}

Value unary_op(Cx *cx, Op op, const Value *x, Span at) {
  Tree *t = tree_of(cx, x);
  if (t) {
    Tree *out = ARENA_NEW(cx->a, Tree);
    *out = (Tree){t->n, ARENA_ARRAY(cx->a, Leaf, t->n)};
    for (int i = 0; i < t->n; i++)
      out->leaf[i] = (Leaf){t->leaf[i].path, graph_unary(cx->g, op, t->leaf[i].node)};
    return v_tree(out, at);
  }
  Node *n = value_node(cx, x);
  if (n && n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  return n ? v_tensor(graph_unary(cx->g, op, n), at) : v_fail();
}

static Value eval_unary(Cx *cx, Env *env, const Ast *e) {
  Value x = eval_expr(cx, env, e->kids[0]);
  if (x.kind == V_FAIL) return x;
  if (e->op == OPR_NEG) {
    if (value_is_const(&x)) {
      Value v = {.kind = V_NUM, .num = -x.num, .unit = x.unit, .span = e->span};
      return live_unary(cx, v, OP_NEG, &x);
    }
    return unary_op(cx, OP_NEG, &x, e->span);
  }
  live_fix(cx, &x);
  if (value_is_const(&x)) return v_bool(x.num == 0, e->span);
  Node *b = truth(cx, &x);
  return b ? v_tensor(graph_unary(cx->g, OP_NOT, b), e->span) : v_fail();
}

// -- control

static Value eval_if(Cx *cx, Env *env, const Ast *e) {
  Value c = eval_expr(cx, env, e->kids[0]);
  if (c.kind == V_FAIL) return c;
  live_fix(cx, &c);
  if (value_is_const(&c)) return eval_expr(cx, env, e->kids[c.num != 0 ? 1 : 2]);
  Value a = eval_expr(cx, env, e->kids[1]), b = eval_expr(cx, env, e->kids[2]);
  Node *cond = truth(cx, &c), *x = value_node(cx, &a), *y = value_node(cx, &b);
  if (!cond || !x || !y || !unify(cx, OPR_EQ, &x, &y, e->span)) return v_fail();
  Shape s;
  if (!shape_broadcast(cond->shape, x->shape, &s)) {
    diag_emit(&cx->s->diags, DIAG_shape_mismatch, e->span, "`if`", shape_text(cx->a, cond->shape),
              shape_text(cx->a, x->shape));
    return v_fail();
  }
  return v_tensor(graph_select(cx->g, graph_broadcast_to(cx->g, cond, s), graph_broadcast_to(cx->g, x, s),
                               graph_broadcast_to(cx->g, y, s)),
                  e->span);
}

// `a until d then b`: a before step d, b from then on. Both must have their time.
static Value eval_until(Cx *cx, Env *env, const Ast *e) {
  Value t = eval_expr(cx, env, e->kids[1]);
  double at;
  Node *live = NULL;
  if (!cx->t && cx->no_times) return eval_expr(cx, env, e->kids[0]);
  if (!cx->t && t.kind != V_FAIL && t.unit != UNIT_STEPS) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "a schedule", "outside of training");
    return v_fail();
  }
  if (!value_steps(cx, &t, &at, &live)) return v_fail();
  if (cx->t && at >= (double)cx->t->total_steps) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_schedule_unreachable, e->kids[2]->span);
    diag_note(d, e->kids[1]->span,
              "the switch is at step %.10g, training ends after %lld steps (%lld epochs)", at,
              (long long)cx->t->total_steps, (long long)cx->t->epochs);
    return v_fail();
  }
  if (at <= cx->active_from) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_schedule_unreachable, e->kids[0]->span);
    diag_note(d, e->kids[1]->span, "the switch is at step %.10g, this part would start at step %.10g", at,
              cx->active_from);
    return v_fail();
  }
  Value a = eval_expr(cx, env, e->kids[0]);
  double outer = cx->active_from;
  cx->active_from = at;
  Value b = eval_expr(cx, env, e->kids[2]);
  cx->active_from = outer;
  Node *x = value_node(cx, &a), *y = value_node(cx, &b);
  if (!x || !y) return v_fail();
  Node *before = graph_binary(cx->g, OP_LT, cx_step(cx), live ? live : graph_const(cx->g, at, (Shape){0}));
  if (!unify(cx, OPR_EQ, &x, &y, e->span)) return v_fail();
  return v_tensor(graph_select(cx->g, graph_broadcast_to(cx->g, before, x->shape), x, y), e->span);
}

static Value eval_repeat(Cx *cx, Env *env, const Ast *e) {
  Value n = eval_expr(cx, env, e->kids[0]);
  double count;
  if (!value_number(cx, &n, "a number of repetitions", &count)) return v_fail();
  if (count < 0 || count > 1000 || count != floor(count)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[0]->span, "a whole number from 0 to 1000",
              value_text(cx, &n));
    return v_fail();
  }
  for (int i = 0; i < (int)count; i++) {
    Value v = eval_block(cx, env, e->kids[1]);
    if (v.kind == V_FAIL) return v;
  }
  return (Value){.kind = V_NONE, .span = e->span};
}

Value eval_block(Cx *cx, Env *env, const Ast *block) {
  Value last = {.kind = V_NONE, .span = block->span};
  bool failed = false;
  for (int i = 0; i < block->nkids; i++) {
    last = eval_expr(cx, env, block->kids[i]);
    failed |= last.kind == V_FAIL;
  }
  return fail_unless(!failed, last);
}

// -- names, calls, pipes

static Value zero_args(Cx *cx, Def *d, Span at) {
  Value v = live_setting(cx, d, call_def(cx, d, NULL, 0, at, NULL, NULL));
  v.span = at;
  if (d->kind == KIND_SCHEDULE && v.kind != V_FAIL && cx->t && !d->from_library) {
    Node *n = value_node(cx, &v);
    if (n) map_put(&cx->schedules, d->name, n);
  }
  return v;
}

static Value eval_name(Cx *cx, Env *env, const Ast *e) {
  Value *bound = env_get(env, e->name);
  if (bound) {
    Value v = *bound;
    v.span = e->span;
    return v;
  }
  Def *d = sema_find(cx->l->program, e->name);
  if (d) {
    if (d->kind == KIND_MODEL) return (Value){.kind = V_MODEL, .model = model_value(cx, d), .span = e->span};
    if (d->kind == KIND_DATA) return data_definition(cx, d);
    if (is_load(cx, d)) return loaded_model(cx, d);
    if (!d->ast->kids[0] && d->kind != KIND_OPTIMIZER) return zero_args(cx, d, e->span);
    FnValue *fn = ARENA_NEW(cx->a, FnValue);
    fn->def = d;
    return (Value){.kind = V_FN, .fn = fn, .span = e->span};
  }
  int b = builtin_find(e->name);
  if (b >= 0 && !builtin_info[b].signature) return builtin_value(cx, (Builtin)b, e->span);
  if (b >= 0) return (Value){.kind = V_BUILTIN, .builtin = (Builtin)b, .span = e->span};
  Diag *diag = diag_emit(&cx->s->diags, DIAG_unknown_name, e->span, e->name);
  int n;
  const char **all = sema_names(cx->l->program, cx->a, &n);
  const char **fields = ARENA_ARRAY(cx->a, const char *, cx->data ? cx->data->nfields + 1 : 1);
  int nf = 0;
  for (; cx->data && nf < cx->data->nfields; nf++) fields[nf] = cx->data->fields[nf].name;
  const char *near = nearest_name(e->name, fields, nf);
  if (!near) near = nearest_name(e->name, all, n);
  if (near) diag_hint(diag, "did you mean `%s`?", near);
  return v_fail();
}

static int eval_args(Cx *cx, Env *env, const Ast *call, BoundArg *args, int n) {
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    Value *v = ARENA_NEW(cx->a, Value);
    *v = eval_expr(cx, env, arg->kids[0]);
    args[n++] = (BoundArg){arg->name, v, arg->span};
  }
  return n;
}

static Value eval_call(Cx *cx, Env *env, const Ast *e, const Value *piped, const char *as) {
  const Ast *callee_ast = e->kind == AST_CALL ? e->kids[0] : e;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, e->nkids + 2);
  int n = 0;
  if (piped) {
    Value *first = ARENA_NEW(cx->a, Value);
    *first = *piped;
    args[n++] = (BoundArg){NULL, first, piped->span};
  }
  Value callee = eval_expr(cx, env, callee_ast);
  if (callee.kind == V_BUILTIN && callee.builtin >= B_LOAD)
    return call_data_builtin(cx, callee.builtin, e->span);
  if (e->kind == AST_CALL) n = eval_args(cx, env, e, args, n);
  if (callee.kind == V_FAIL) return callee;
  for (int i = 0; i < n; i++)
    if (args[i].value->kind == V_FAIL) return v_fail();
  return call_value(cx, env, &callee, args, n, e->span, as);
}

static Value eval_stage(Cx *cx, Env *env, const Ast *e, const Value *piped) {
  const char *as = NULL;
  const Ast *stage = e;
  if (e->kind == AST_AS) as = e->name, stage = e->kids[0];
  Value v =
      stage->kind == AST_CALL || piped ? eval_call(cx, env, stage, piped, as) : eval_expr(cx, env, stage);
  if (as && v.kind != V_FAIL) v = named(cx, v), env_set(cx, env, arena_printf(cx->a, "as %s", as), v);
  return v;
}

static Value eval_number(Cx *cx, const Ast *e) {
  Value v = v_num(e->num, e->span);
  if (!e->name) return v;
  static const struct {
    const char *name;
    Unit unit;
  } units[] = {{"%", UNIT_PERCENT},
               {"epochs", UNIT_EPOCHS},
               {"epoch", UNIT_EPOCHS},
               {"steps", UNIT_STEPS},
               {"step", UNIT_STEPS}};
  for (int i = 0; i < 5; i++)
    if (!strcmp(units[i].name, e->name)) {
      v.unit = units[i].unit;
      return v;
    }
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_unit, e->span, e->name);
  diag_hint(d, "times are counted in `epochs` or `steps`, as in `20 epochs`");
  return v_fail();
}

static Value eval_list(Cx *cx, Env *env, const Ast *e, ValueKind kind) {
  Value v = {
      .kind = kind, .span = e->span, .nitems = e->nkids, .items = ARENA_ARRAY(cx->a, Value, e->nkids + 1)};
  bool ok = true;
  for (int i = 0; i < e->nkids; i++) {
    if (!e->kids[i]) {
      v.items[i] = (Value){.kind = V_NONE};
      continue;
    }
    v.items[i] = eval_expr(cx, env, e->kids[i]);
    ok &= v.items[i].kind != V_FAIL;
  }
  return fail_unless(ok, v);
}

static Value eval_assign(Cx *cx, Env *env, const Ast *e) {
  Value v = eval_expr(cx, env, e->kids[0]);
  if (v.kind == V_FAIL) return v;
  assign_state(cx, env, e, &v);
  return (Value){.kind = V_NONE, .span = e->span};
}

static Value eval_inner(Cx *cx, Env *env, const Ast *e) {
  switch (e->kind) {
  case AST_NUM: return eval_number(cx, e);
  case AST_STR: return (Value){.kind = V_TEXT, .text = e->name, .span = e->span};
  case AST_BOOL: return v_bool(e->num != 0, e->span);
  case AST_NAME: return eval_name(cx, env, e);
  case AST_FIELD: return model_field(cx, env, e);
  case AST_INDEX: return eval_index(cx, env, e);
  case AST_CALL: return eval_call(cx, env, e, NULL, NULL);
  case AST_UNARY: return eval_unary(cx, env, e);
  case AST_BINARY: {
    Value x = eval_expr(cx, env, e->kids[0]), y = eval_expr(cx, env, e->kids[1]);
    return binary(cx, e->op, &x, &y, e->span);
  }
  case AST_ARROW:
  case AST_RANGE: return eval_list(cx, env, e, V_RANGE);
  case AST_LIST: return eval_list(cx, env, e, V_LIST);
  case AST_UNTIL: return eval_until(cx, env, e);
  case AST_IF: return eval_if(cx, env, e);
  case AST_PIPE: {
    Value x = eval_expr(cx, env, e->kids[0]);
    return x.kind == V_FAIL ? x : eval_stage(cx, env, e->kids[1], &x);
  }
  case AST_AS: return eval_stage(cx, env, e, NULL);
  case AST_AT: return eval_at(cx, env, e);
  case AST_BLOCK: return eval_block(cx, env, e);
  case AST_BIND: {
    Value v = eval_expr(cx, env, e->kids[0]);
    env_set(cx, env, e->name, named(cx, v));
    return v.kind == V_FAIL ? v : (Value){.kind = V_NONE, .span = e->span};
  }
  case AST_ASSIGN: return eval_assign(cx, env, e);
  case AST_PARAM: return declare_param(cx, env, e);
  case AST_STATE: return declare_state(cx, env, e);
  case AST_REPEAT: return eval_repeat(cx, env, e);
  case AST_APPLY: return apply_optimizer(cx, env, e);
  case AST_EXCEPT: return v_tree(select_params(cx, e), e->span);
  case AST_ERROR: return v_fail();
  default:
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, ast_kind_name(e->kind), "here");
    return v_fail();
  }
}

Value eval_expr(Cx *cx, Env *env, const Ast *e) {
  Span outer = cx->g->origin;
  cx->g->origin = e->span;
  Value v = eval_inner(cx, env, e);
  cx->g->origin = outer;
  return v;
}
