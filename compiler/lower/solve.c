// `solve to gap G`: a convex objective of a linear model, in the form that the runtime's solvers take. In:
// the clauses of a training. Out: the columns of its design with the parameter that multiplies each, the
// strengths of the parts of its penalties, the loss as a function of the model's result, and the loss's
// conjugate. What is convex, and what a penalty is made of, the definitions say themselves (`convex`,
// `absolute`, …), and what is of another form is refused by name.
#include "solving.h"
#include <math.h>
#include <string.h>

const Ast *solve_clause(const Ast *train) {
  for (int i = 2; i < train->nkids; i++)
    if (train->kids[i]->kind == AST_SOLVE) return train->kids[i];
  return NULL;
}

Diag *solve_refuse(Solving *s, Span at, const char *what, const char *hint) {
  Diag *d = diag_emit(&s->cx->s->diags, DIAG_not_solvable, at, what);
  if (hint) diag_hint(d, "%s", hint);
  diag_note(d, s->clause->span, "to be solved here");
  return d;
}

// What the prediction is made of at some place.
static bool refuse_at(Solving *s, const Node *n, const char *what) {
  Diag *d = solve_refuse(s, s->loss.of->span, what,
                         "a linear model is `model line(x: [10]) -> [1] = x |> dense(1)`");
  if (n->origin.source) diag_note(d, n->origin, "here");
  return false;
}

// -- the design

Node *solve_below(Node *n) {
  while (n->op == OP_POINT || n->op == OP_MADE) n = n->in[0];
  return n;
}

static const ParamRef *param_of(const Solving *s, const Node *n) {
  for (int i = 0; i < s->cx->params.len; i++) {
    const ParamRef *p = s->cx->params.entries[i].value;
    if (solve_below(p->node) == n) return trains_tensor(s->t, p->path) ? p : NULL;
  }
  return NULL;
}

bool solve_has_params(const Solving *s, Node *n) {
  Node **all = ARENA_ARRAY(s->cx->a, Node *, s->cx->params.len + 1);
  int count = 0;
  for (int i = 0; i < s->cx->params.len; i++) {
    const ParamRef *p = s->cx->params.entries[i].value;
    if (trains_tensor(s->t, p->path)) all[count++] = p->node;
  }
  return graph_made_from(s->cx->g, n, all, count);
}

static bool add_term(Solving *s, Node *features, const ParamRef *p, const Node *at) {
  for (int i = 0; i < s->terms.len; i++)
    if (s->terms.data[i].param == p)
      return refuse_at(s, at, arena_printf(s->cx->a, "`%s` stands in its prediction twice", p->path));
  vec_push(s->cx->a, s->terms, ((Term){features, p, at->origin}));
  return true;
}

// A parameter whose elements are those of [k, c], in order, under other shapes; NULL: n is something else.
static const ParamRef *param_under(const Solving *s, Node *n) {
  n = solve_below(n);
  while (n->op == OP_RESHAPE) n = solve_below(n->in[0]);
  return n->op == OP_INPUT ? param_of(s, n) : NULL;
}

// One number for each output, the same in all rows.
static const ParamRef *bias_under(const Solving *s, Node *n) {
  const int64_t c = s->outputs;
  int64_t last = n->shape.rank ? n->shape.dim[n->shape.rank - 1] : 1;
  if (n->op == OP_BROADCAST) {
    const Node *x = n->in[0];
    bool rows = true; // axes of more than one element are the last one
    for (int i = 0; i < x->shape.rank; i++)
      rows = rows && (x->shape.dim[i] == 1 || n->attr[i] == n->shape.rank - 1);
    if (!rows || (c > 1 && (last != c || shape_count(x->shape) != c))) return NULL;
    n = n->in[0];
  }
  const ParamRef *p = param_under(s, n);
  return p && shape_count(p->shape) == c ? p : NULL;
}

static bool not_linear(Solving *s, const Node *n) {
  return refuse_at(s, n,
                   arena_printf(s->cx->a,
                                "its prediction is no sum of terms `features @ parameter` and biases (%s)",
                                op_info[n->op].text));
}

// z as a sum of terms. `minus`: it is subtracted.
static bool walk(Solving *s, Node *n, bool minus) {
  Cx *cx = s->cx;
  n = solve_below(n);
  if (!solve_has_params(s, n)) {
    const Shape z = {.rank = 2, .dim = {s->rows, s->outputs}};
    Node *all = graph_broadcast_to(cx->g, n, n->shape);
    if (shape_count(n->shape) != shape_count(z)) return not_linear(s, n);
    all = graph_reshape(cx->g, all, z);
    if (minus) all = graph_unary(cx->g, OP_NEG, all);
    s->offset = s->offset ? graph_binary(cx->g, OP_ADD, s->offset, all) : all;
    return true;
  }
  const ParamRef *bias = bias_under(s, n);
  if (bias && !minus) return add_term(s, NULL, bias, n);
  if (n->op == OP_ADD && !minus) return walk(s, n->in[0], false) && walk(s, n->in[1], false);
  if (n->op == OP_SUB && !minus) return walk(s, n->in[0], false) && walk(s, n->in[1], true);
  if (n->op == OP_RESHAPE && !minus) return walk(s, n->in[0], false);
  const bool product = n->op == OP_MATMUL && n->shape.rank == 2 && n->shape.dim[0] == s->rows &&
                       n->shape.dim[1] == s->outputs && !minus;
  const ParamRef *w = product && !solve_has_params(s, n->in[0]) ? param_under(s, n->in[1]) : NULL;
  if (w) return add_term(s, n->in[0], w, n);
  return product && solve_has_params(s, n->in[0])
             ? refuse_at(s, n, "its prediction is not linear: a product of what has parameters on both sides")
             : not_linear(s, n);
}

// The call of a loss that is declared convex, and that has a conjugate.
static bool find_loss(Solving *s) {
  Cx *cx = s->cx;
  const Ast *e = train_clause(s->t->ast, "loss");
  const bool library = source_is_library(source_get(&cx->s->sources, e->span.source));
  if (!sema_call_of(cx->l->program, KIND_LOSS, library, e, &s->loss) || s->loss.call != e || !s->loss.of) {
    solve_refuse(s, e->span, "a loss that is not one call of a definition `loss`",
                 "such as `loss squared_error(line(x), y)`");
    return false;
  }
  const Def *d = s->loss.def;
  const bool convex = sema_has(d, TRAIT_convex);
  if (convex && sema_beside(cx->l->program, KIND_CONJUGATE, d)) return true;
  solve_refuse(
      s, s->loss.call->span,
      arena_printf(cx->a,
                   convex ? "the loss `%s` has no conjugate" : "the loss `%s` is not said to be convex",
                   d->name),
      convex ? "`conjugate NAME(u, y)` beside it is the largest u z - loss over all predictions z"
             : "a loss that is convex in its first parameter says so: `loss NAME(pred, y) is convex = …`");
  return false;
}

// The arguments of the loss behind the first one, but for those that every loss has.
static int loss_args(Solving *s, BoundArg *args) {
  Cx *cx = s->cx;
  Env *env = field_env(cx);
  const BesideCall *c = &s->loss;
  int n = 0;
  for (int i = c->rest; c->stage->kind == AST_CALL && i < c->stage->nkids; i++) {
    const Ast *arg = c->stage->kids[i];
    const Ast *p = arg->name ? find_param(c->def, arg->name) : NULL;
    if (p && p->num != 0) continue;
    Value *v = ARENA_NEW(cx->a, Value);
    *v = eval_clause(cx, env, arg->kids[0]);
    args[n++] = (BoundArg){arg->name, v, arg->span};
  }
  return n;
}

static const Ast *common_arg(const Solving *s, const char *name) {
  const BesideCall *c = &s->loss;
  for (int i = c->rest; c->stage->kind == AST_CALL && i < c->stage->nkids; i++)
    if (c->stage->kids[i]->name && !strcmp(c->stage->kids[i]->name, name)) return c->stage->kids[i]->kids[0];
  return NULL;
}

static void put(Cx *cx, int slot, const char *name, Node *n) {
  graph_output_port(cx->g, (Port){REG_SLOT_SOLVE, slot}, arena_printf(cx->a, "solve:%s", name), n, -1);
}

static Node *number(Cx *cx, const Value *v) {
  Node *n = v->kind == V_FAIL ? NULL : value_wide(cx, v);
  return n && n->dtype != DT_F64 ? graph_cast(cx->g, n, DT_F64) : n;
}

// -- the three functions

static Graph *finished(Solving *s) {
  Cx *cx = s->cx;
  Graph *g = prune(cx, cx->g);
  for (int i = 0; i < g->nodes.len; i++)
    if (g->nodes.data[i]->op == OP_UNIFORM) {
      refuse_at(s, g->nodes.data[i], "a random draw is in its objective");
      return NULL;
    }
  return g;
}

static Solving begin(Lowered *l, LowerTrain *t, const char *what) {
  Solving s = {
      .cx = train_cx(l, t, arena_printf(l->session->arena, "%s %s", t->name, what), MODE_TRAIN, t->batch),
      .t = t,
      .clause = solve_clause(t->ast),
      .rows = t->batch};
  s.cx->g->doubles = true;
  return s;
}

static void put_features(Solving *s, int k, const Term *term) {
  const int64_t columns = term->features ? term->features->shape.dim[1] : 1;
  vec_push(s->cx->a, s->t->solve->blocks,
           ((reg_block){term->param->index, columns, !term->features, -1, false}));
  if (term->features)
    put(s->cx, REG_SOLVE_BLOCKS + k * REG_BLOCK_SLOTS + REG_BLOCK_FEATURES,
        arena_printf(s->cx->a, "features %s", term->param->path), term->features);
}

static bool put_strengths(Solving *s, int k, const Term *term) {
  static const char *const part_names[SOLVE_STRENGTHS] = {"absolute", "square", "norms", "singular"};
  Cx *cx = s->cx;
  const int first = REG_SOLVE_BLOCKS + k * REG_BLOCK_SLOTS;
  reg_block *block = &s->t->solve->blocks.data[k];
  Parts parts;
  if (!solve_parts(s, term->param, &parts)) return false;
  for (int i = 0; i < SOLVE_STRENGTHS; i++) {
    const Value none = v_num(0, term->at);
    Node *n = number(cx, parts.strength[i].kind == V_NONE ? &none : &parts.strength[i]);
    if (!n) return false;
    put(cx, first + i, arena_printf(cx->a, "%s %s", part_names[i], term->param->path), n);
  }
  // A bias is [c]: its one axis is the other one of [columns, c].
  const bool over_outputs = term->param->shape.rank == 1 && !term->features;
  block->axis = over_outputs && parts.axis == 0 ? 1 : parts.axis;
  block->bounded = parts.low != NULL;
  if (!parts.low) return true;
  const Shape whole = shape_of(2, block->columns, s->outputs);
  put(cx, first + REG_BLOCK_LOW, arena_printf(cx->a, "low %s", term->param->path),
      graph_reshape(cx->g, parts.low, whole));
  put(cx, first + REG_BLOCK_HIGH, arena_printf(cx->a, "high %s", term->param->path),
      graph_reshape(cx->g, parts.high, whole));
  return true;
}

// Nothing in front of the design is anything but fields and constants.
static bool is_same(Solving *s) {
  bool same = true;
  for (int i = 0; i < s->terms.len; i++)
    for (int k = 0; s->terms.data[i].features && k < s->cx->g->inputs.len; k++) {
      const Node *in = s->cx->g->inputs.data[k];
      same = same &&
             (in->port.kind == REG_SLOT_FIELD || !graph_depends(s->cx->g, s->terms.data[i].features, in));
    }
  return same;
}

static bool design(Lowered *l, LowerTrain *t, Solving *found, Graph **out) {
  Solving s = begin(l, t, "design");
  Cx *cx = s.cx;
  if (!find_loss(&s)) return false;
  const Value v = eval_clause(cx, field_env(cx), s.loss.of);
  Node *z = v.kind == V_FAIL ? NULL : value_floats(cx, &v);
  if (!z) return false;
  if (z->shape.rank < 1 || z->shape.rank > 2 || z->shape.dim[0] != s.rows) {
    solve_refuse(&s, s.loss.of->span,
                 arena_printf(cx->a, "a prediction of shape %s, which is not a row for each row of the data",
                              shape_text(cx->a, z->shape)),
                 NULL);
    return false;
  }
  s.outputs = z->shape.rank == 2 ? z->shape.dim[1] : 1;
  if (!walk(&s, z, false)) return false;
  t->solve->outputs = s.outputs;
  t->solve->same_design = is_same(&s);
  for (int i = 0; i < s.terms.len; i++) put_features(&s, i, &s.terms.data[i]);
  if (s.offset) put(cx, REG_SOLVE_OFFSET, "offset", s.offset);
  if (!(out[0] = finished(&s))) return false;
  cx->g->outputs.len = 0;
  for (int i = 0; i < s.terms.len; i++)
    if (!put_strengths(&s, i, &s.terms.data[i])) return false;
  const Value gap = eval_clause(cx, field_env(cx), s.clause->kids[0]);
  Node *n = number(cx, &gap);
  if (!n) return false;
  put(cx, REG_SOLVE_GAP, "gap", n);
  found->loss = s.loss;
  found->outputs = s.outputs;
  return (out[1] = finished(&s)) != NULL;
}

// The share of each of the loss's numbers in the loss: 1 / n, or by `weight` and `where`.
static Node *shares(Solving *s, Shape of) {
  Cx *cx = s->cx;
  const Ast *weight = common_arg(s, "weight"), *where = common_arg(s, "where");
  Value w = v_tensor(graph_const(cx->g, 1, of), s->clause->span);
  if (weight) {
    const Value given = eval_clause(cx, field_env(cx), weight);
    if (given.kind == V_FAIL) return NULL;
    w = binary(cx, OPR_MUL, &given, &w, weight->span);
  }
  if (where) {
    const Value given = eval_clause(cx, field_env(cx), where), none = v_num(0, where->span);
    if (given.kind == V_FAIL || w.kind == V_FAIL) return NULL;
    w = choose(cx, &given, &w, &none, where->span);
  }
  Node *n = w.kind == V_FAIL ? NULL : value_floats(cx, &w);
  if (!n || !shape_equal(n->shape, of)) return NULL;
  return graph_binary(cx->g, OP_DIV, n, graph_reduce_all(cx->g, OP_SUM, n));
}

// A number of each element of z, for which there is one of each row.
static Node *over_outputs(Cx *cx, Node *n, Shape z) {
  if (shape_count(n->shape) == shape_count(z)) return graph_reshape(cx->g, n, z);
  const int rows[] = {0};
  return graph_broadcast(cx->g, graph_reshape(cx->g, n, shape_of(1, z.dim[0])), z, rows);
}

static Shape point_shape(const Solving *s) { return shape_of(2, s->rows, s->outputs); }

// The loss's numbers at z; NULL after a report.
static Node *loss_rows(Solving *s, Node *z) {
  Cx *cx = s->cx;
  const BesideCall *c = &s->loss;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, c->stage->nkids + 2);
  Value *point = ARENA_NEW(cx->a, Value), *rows = ARENA_NEW(cx->a, Value);
  *point = v_tensor(z, c->of->span);
  *rows = v_bool(true, c->call->span);
  args[0] = (BoundArg){NULL, point, c->of->span};
  int n = 1 + loss_args(s, args + 1);
  args[n++] = (BoundArg){"per_row", rows, c->call->span};
  const Value v = call_def(cx, c->def, args, n, c->call->span, NULL, NULL);
  Node *out = v.kind == V_FAIL ? NULL : value_floats(cx, &v);
  if (!out) return NULL;
  const int64_t count = shape_count(out->shape);
  if (count == s->rows || count == s->rows * s->outputs) return out;
  solve_refuse(s, c->call->span, "a loss without a number for each row or each element", NULL);
  return NULL;
}

static Node *slope(Solving *s, Node *y, Node *z) {
  Node *out = NULL;
  return gradients(s->cx, y, &z, 1, s->loss.call->span, &out) ? out : NULL;
}

// Nothing of the point is left in the curvature.
static bool is_quadratic(const Graph *g) {
  const Node *z = graph_find_input(g, "solve:point"), *h = NULL;
  for (int i = 0; i < g->outputs.len; i++)
    if (g->outputs.data[i].port.index == REG_SOLVE_CURVATURE) h = g->outputs.data[i].node;
  return !z || !graph_depends(g, h, z);
}

static Value *value_new(Cx *cx, Node *n, Span at) {
  Value *v = ARENA_NEW(cx->a, Value);
  *v = v_tensor(n, at);
  return v;
}

// What stands beside the loss, of its first parameters: the further ones have the values that those of the
// loss have in its call.
static Node *beside_loss(Solving *s, Def *of, Node **own, int n) {
  Cx *cx = s->cx;
  const BesideCall *c = &s->loss;
  const Ast *ps = c->def->ast->kids[0];
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, c->stage->nkids + ps->nkids + n);
  args[0] = (BoundArg){NULL, value_new(cx, own[0], c->of->span), c->of->span};
  const int given = 1 + loss_args(s, args + 1);
  Env *inner = env_new(cx, NULL, "", c->def->name);
  const Within outer = text_enter(cx, c->def);
  const bool bound = bind_args(cx, c->def, args, given, c->call->span, inner, false);
  text_leave(cx, outer);
  if (!bound) return NULL;
  for (int i = 1; i < n; i++) args[i] = (BoundArg){NULL, value_new(cx, own[i], c->of->span), c->of->span};
  for (int i = 1; i < ps->nkids; i++)
    if (ps->kids[i]->num == 0)
      args[n++] = (BoundArg){ps->kids[i]->name, env_get(inner, ps->kids[i]->name), c->call->span};
  const Value v = call_def(cx, of, args, n, c->call->span, NULL, NULL);
  return v.kind == V_FAIL ? NULL : value_floats(cx, &v);
}

static bool gives_as_many(Solving *s, const Def *of, const Node *out, Shape wanted) {
  if (shape_count(out->shape) == shape_count(wanted)) return true;
  Cx *cx = s->cx;
  Diag *d = diag_emit(&cx->s->diags, DIAG_shape_expected, s->loss.call->span, of->name, "a result",
                      shape_text(cx->a, wanted), shape_text(cx->a, out->shape));
  diag_note(d, of->ast->name_span, "%s gives as many numbers as the loss",
            of->kind == KIND_PROX ? "the proximal operator" : "the conjugate");
  return false;
}

static Node *total(Cx *cx, Node *x, Node *y) {
  return graph_reduce_all(cx->g, OP_SUM, graph_binary(cx->g, OP_XMUL, x, y));
}

// Of a loss that is bent at a point, with its proximal operator beside it: its envelope, by multipliers u and
// a step t,
//
//   min over y of loss(y) + |z + t u - y|^2 / 2t - t |u|^2 / 2,
//
// of which z's slope is (z + t u - y) / t. Its least value over z is the loss's, where u is the slope there.
// Rockafellar 1976, Augmented Lagrangians and Applications of the Proximal Point Algorithm in Convex
// Programming.
static Node *envelope(Solving *s, Def *prox, Node *z, Node *share, Node *t, Node **u) {
  Cx *cx = s->cx;
  Graph *g = cx->g;
  Node *from = cx_port(cx, REG_SLOT_SOLVE, REG_SOLVE_MULTIPLIERS, "solve:multipliers", DT_F32, z->shape);
  Node *at = graph_binary(g, OP_ADD, z, graph_binary(g, OP_MUL, t, from));
  Node *own[] = {at, graph_binary(g, OP_MUL, t, share)};
  Node *near = beside_loss(s, prox, own, 2);
  if (!near || !gives_as_many(s, prox, near, z->shape)) return NULL;
  near = graph_reshape(g, near, z->shape);
  Node *rows = loss_rows(s, near), *away = graph_binary(g, OP_SUB, at, near),
       *half = graph_const(g, 0.5, shape_of(0));
  if (!rows) return NULL;
  *u = graph_binary(g, OP_DIV, away, t);
  Node *square = graph_binary(g, OP_SUB, graph_binary(g, OP_DIV, total(cx, away, away), t),
                              graph_binary(g, OP_MUL, t, total(cx, from, from)));
  return graph_binary(g, OP_ADD, total(cx, share, rows), graph_binary(g, OP_MUL, half, square));
}

// The loss's own number, and what is minimized of it: itself or its envelope, with slope and curvature.
static Graph *curve(Lowered *l, LowerTrain *t, const Solving *found, Shape *numbers) {
  Solving s = begin(l, t, "curve");
  s.loss = found->loss;
  s.outputs = found->outputs;
  Cx *cx = s.cx;
  Node *z = graph_point(cx->g,
                        cx_port(cx, REG_SLOT_SOLVE, REG_SOLVE_POINT, "solve:point", DT_F32, point_shape(&s)));
  Node *rows = loss_rows(&s, z), *share = rows ? shares(&s, rows->shape) : NULL;
  if (!share) return NULL;
  *numbers = rows->shape;
  Def *prox = sema_beside(l->program, KIND_PROX, s.loss.def);
  t->solve->by_element = shape_count(rows->shape) == s.rows * s.outputs;
  Node *step = cx_port(cx, REG_SLOT_SOLVE, REG_SOLVE_STEP, "solve:step", DT_F32, shape_of(0));
  Node *value = total(cx, share, rows), *u = NULL,
       *smooth = prox ? envelope(&s, prox, z, share, step, &u) : NULL;
  if (prox ? !smooth : !(u = slope(&s, value, z))) return NULL;
  Node *whole = graph_reduce_all(cx->g, OP_SUM, u), *h = graph_const(cx->g, 0, z->shape);
  if (graph_made_from(cx->g, whole, &z, 1) && !(h = slope(&s, whole, z))) return NULL;
  put(cx, REG_SOLVE_VALUE, "value", value);
  if (smooth) put(cx, REG_SOLVE_ENVELOPE, "envelope", smooth);
  put(cx, REG_SOLVE_SLOPE, "slope", u);
  put(cx, REG_SOLVE_CURVATURE, "curvature", h);
  Graph *g = finished(&s);
  t->solve->quadratic = g && is_quadratic(g);
  return g;
}

static Graph *dual(Lowered *l, LowerTrain *t, const Solving *found, Shape numbers) {
  Solving s = begin(l, t, "dual");
  s.loss = found->loss;
  s.outputs = found->outputs;
  Cx *cx = s.cx;
  Def *conjugate = sema_beside(l->program, KIND_CONJUGATE, s.loss.def);
  Node *u = cx_port(cx, REG_SLOT_SOLVE, REG_SOLVE_DUAL, "solve:dual", DT_F32, point_shape(&s));
  Node *share = shares(&s, numbers);
  if (!share) return NULL;
  Node *of = over_outputs(cx, share, u->shape), *none = graph_const(cx->g, 0, u->shape);
  Node *each =
      graph_select(cx->g, graph_binary(cx->g, OP_EQ, of, none), none, graph_binary(cx->g, OP_DIV, u, of));
  Node *rows = beside_loss(&s, conjugate, &each, 1);
  if (!rows || !gives_as_many(&s, conjugate, rows, numbers)) return NULL;
  put(cx, REG_SOLVE_CONJUGATE, "conjugate", total(cx, share, graph_reshape(cx->g, rows, numbers)));
  return finished(&s);
}

Node *solve_value(Cx *cx, const Node *loss) {
  Node *n = cx_port(cx, REG_SLOT_SOLVE, REG_SOLVE_VALUE, "solve:value", DT_F64, (Shape){0});
  return n->dtype == loss->dtype ? n : graph_cast(cx->g, n, loss->dtype);
}

enum { PASSES = 10000 }; // that a solution takes at most, where the program does not say it

bool solve_begin(Cx *cx, LowerTrain *t) {
  const Ast *clause = solve_clause(t->ast);
  if (!clause) return true;
  t->solve = ARENA_NEW(cx->a, LowerSolve);
  t->solve->passes = PASSES;
  t->solve->place = stage_place(cx->l, clause->span);
  t->batch = t->train_rows;
  t->epochs = 1;
  t->steps = 0;
  return !clause->kids[1] ||
         whole_number(cx, t->ast, clause->kids[1], "at most", "solve", 1, &t->solve->passes);
}

bool solve_graphs(Lowered *l, LowerTrain *t, Graph **out) {
  Solving found = {0};
  Shape numbers;
  return design(l, t, &found, out) && (out[2] = curve(l, t, &found, &numbers)) &&
         (out[3] = dual(l, t, &found, numbers));
}
