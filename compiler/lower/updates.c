// The updates of a training's step. In: its clauses. Out: the objective with its terms, and each parameter's
// new value. `optimize` clauses act together: gradients of one objective, loss and penalties, each for its
// own parameters, all at one point. Each `minimize` clause acts on objectives of its own. They act in the
// order of the text: an objective is a value of the parameters as those before left them, with the same
// draws. It is elaborated once, over the parameters as the step found them, and then made anew where it
// depends on what has changed.
#include "updates.h"
#include <string.h>

// -- objectives

// A loss is a number, or one number a sample, of which the mean counts.
static Node *scalar_loss(Cx *cx, const Value *v, const char *what, Span at) {
  Node *n = v->kind == V_FAIL ? NULL : counted_floats(cx, v);
  if (!n) return NULL;
  if (n->shape.rank == 1 && is_counted(cx, v)) return mean_there(cx, v); // of the samples that are there
  if (n->shape.rank == 1 && n->shape.dim[0] == cx->batch) {
    Node *sum = graph_reduce_all(cx->g, OP_SUM, n);
    return graph_binary(cx->g, OP_MUL, sum, graph_const(cx->g, 1 / (double)cx->batch, (Shape){0}));
  }
  if (n->shape.rank == 0) return n;
  diag_emit(&cx->s->diags, DIAG_not_scalar, at, what, shape_text(cx->a, n->shape));
  return NULL;
}

static Node *objective_of(Cx *cx, const Ast *e, const char *what) {
  Value v = eval_clause(cx, field_env(cx), e);
  return scalar_loss(cx, &v, what, e->span);
}

Node *train_loss(Cx *cx, const LowerTrain *t) {
  const Ast *loss = train_clause(t->ast, "loss");
  Node *sum = NULL;
  if (loss) return objective_of(cx, loss, "the loss");
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *u = t->ast->kids[i];
    for (int k = 3; u->kind == AST_UPDATE && k < u->nkids; k++) {
      Node *n = u->kids[k]->kids[0] ? objective_of(cx, u->kids[k]->kids[0], "what is minimized") : NULL;
      if (!n) return NULL;
      sum = sum ? graph_binary(cx->g, OP_ADD, sum, n) : n;
    }
  }
  return sum;
}

static void add_to(Cx *cx, Node **sum, Node *n) { *sum = *sum ? graph_binary(cx->g, OP_ADD, *sum, n) : n; }

// `plain`: at the point where the step found the parameters; `by`: those that it is minimized over.
static void add_term(Acts *a, const char *name, const Ast *e, const char *over, Node *n, Node *plain,
                     const bool *by) {
  Step *s = a->step;
  if (a->first)
    vec_push(a->cx->a, a->t->terms,
             ((LowerTerm){.name = name, .strength = ast_text(a->cx->a, e), .over = over, .origin = e->span}));
  s->plain[s->nterms] = plain;
  s->by[s->nterms] = by;
  s->terms[s->nterms++] = n;
}

Point point_now(const Acts *a) {
  Cx *cx = a->cx;
  const int room = cx->params.len + cx->states.len + 1;
  Point p = {ARENA_ARRAY(cx->a, Node *, room), ARENA_ARRAY(cx->a, Node *, room), 0};
  for (int i = 0; i < cx->params.len; i++)
    if (param_at(cx, i)->node != a->inputs[i])
      p.from[p.n] = a->inputs[i], p.to[p.n++] = param_at(cx, i)->node;
  for (int i = 0; i < cx->states.len && p.n; i++) {
    Node *n = ((StateRef *)cx->states.entries[i].value)->node;
    p.from[p.n] = p.to[p.n] = n;
    p.n++;
  }
  return p;
}

Node *moved(const Acts *a, const Point *p, Node *n) {
  return p->n ? graph_substitute(a->cx->g, n, p->from, p->to, p->n) : n;
}

void set_params(Acts *a, Node **nodes) {
  for (int i = 0; i < a->cx->params.len; i++) {
    Node *now = param_at(a->cx, i)->node;
    param_at(a->cx, i)->node = nodes[i];
    nodes[i] = now;
  }
}

void states_moved(Acts *a, const Point *p, const States *before) {
  Cx *cx = a->cx;
  for (int i = 0; i < cx->states.len && p->n; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (ref->node != state_of(cx, before, i)) ref->node = moved(a, p, ref->node);
  }
}

// What the `optimize` clauses update.
static const bool *optimized(const Acts *a) {
  bool *by = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
  for (const Update *u = a->list; u < a->list + a->n; u++)
    for (int i = 0; optimizes(u) && i < a->cx->params.len; i++) by[i] = by[i] || u->parts->updates[i];
  return by;
}

// Loss and penalties; NULL after a mistake. Terms `by prox` count in what is reported, and have no gradient.
static Node *main_objective(Acts *a, const Point *p, Node **reported) {
  Cx *cx = a->cx;
  const Ast *loss = train_clause(a->t->ast, "loss");
  Node *n = a->step->loss ? a->step->loss : objective_of(cx, loss, "the loss"), *all, *by_prox = NULL;
  if (!n) return NULL;
  const bool *by = a->step->loss_by = optimized(a);
  a->step->first_loss = n;
  a->step->loss = all = moved(a, p, n);
  for (int i = 2; i < a->t->ast->nkids; i++) {
    const Ast *c = a->t->ast->kids[i];
    if (c->kind != AST_PENALIZE) continue;
    const char *term = a->first ? penalty_term(cx, a->t, c) : NULL;
    const int first = a->step->proximal.len;
    Node *plain = penalize(cx, a->t, c, term, &a->step->proximal);
    if (!plain) continue;
    n = moved(a, p, plain);
    add_term(a, term, c->kids[2], NULL, n, plain, by);
    for (int k = first; k < a->step->proximal.len; k++) prox_moved(a, p, &a->step->proximal.data[k]);
    if (c->name)
      add_to(cx, &by_prox, n);
    else
      all = graph_binary(cx->g, OP_ADD, all, n);
  }
  *reported = by_prox ? graph_binary(cx->g, OP_ADD, all, by_prox) : all;
  return all;
}

// A minimized objective is called by the clause's name, or by what it is minimized over.
static const char *objective_name(Acts *a, const Update *u, const Part *p) {
  const char *name = u->ast->name, *base;
  if (!name || u->nparts > 1) {
    const char *over = ast_text(a->cx->a, p->ast->kids[1]);
    const size_t n = strlen(over);
    name = n > 2 && !strcmp(over + n - 2, ".*") ? arena_strndup(a->cx->a, over, n - 2) : over;
  }
  base = name;
  for (int i = 0, again = 1; i < a->t->terms.len; i++)
    if (!strcmp(a->t->terms.data[i].name, name))
      name = arena_printf(a->cx->a, "%s %d", base, ++again), i = -1;
  return name;
}

// Where only the optimizers' states are wanted, what has a gradient by each parameter.
static void stand_in(Acts *a, Update *u) {
  Node *sum = NULL;
  for (int i = 0; i < a->cx->params.len; i++)
    add_to(a->cx, &sum, graph_reduce_all(a->cx->g, OP_SUM, param_at(a->cx, i)->node));
  for (Update *v = u; v < a->list + a->n; v++)
    for (int k = 0; k < v->nparts; k++) v->parts[k].objective = sum;
}

// The objectives of the act that begins with u, at the present point. States that they assign are of that
// point too.
static bool objectives(Acts *a, Update *u) {
  Cx *cx = a->cx;
  const Point p = point_now(a);
  const States before = states_now(cx);
  Node *whole = NULL, *reported = NULL;
  bool ok = true;
  if (cx->t->build->dry) return stand_in(a, u), true;
  set_params(a, a->inputs);
  if (optimizes(u)) ok = (whole = main_objective(a, &p, &reported)) != NULL;
  for (int k = 0; k < u->nparts && ok; k++) {
    Part *part = &u->parts[k];
    Node *n = whole ? NULL : objective_of(cx, part->ast->kids[0], "what is minimized");
    part->objective = whole ? whole : n ? moved(a, &p, n) : NULL;
    ok = part->objective != NULL;
    if (!ok || whole) continue;
    const char *name = a->first ? objective_name(a, u, part) : NULL;
    add_term(a, name, part->ast->kids[0], ast_text(cx->a, part->ast->kids[1]), part->objective, n,
             part->updates);
    add_to(cx, &a->step->objective, part->objective);
  }
  set_params(a, a->inputs);
  if (ok) states_moved(a, &p, &before);
  if (whole) add_to(cx, &a->step->objective, reported);
  for (Update *v = u + 1; whole && v < a->list + a->n; v++)
    if (optimizes(v)) v->parts->objective = whole;
  return ok;
}

// -- when

static bool every_steps(Acts *a, const Ast *e, int64_t *out) {
  Cx *cx = a->cx;
  Value v = eval_clause(cx, clause_env(cx, a->t->ast), e);
  double steps;
  if (v.kind == V_FAIL || !value_steps(cx, &v, &steps, NULL)) return false;
  live_fix(cx, &v);
  *out = steps >= 1 && steps <= 1e9 ? (int64_t)steps : 0;
  if (*out && (double)*out == steps) return true;
  diag_emit(&cx->s->diags, DIAG_out_of_range, e->span, "each", "train", "a whole number of steps, at least 1",
            value_text(cx, &v));
  return false;
}

static Node *condition(Acts *a, const Ast *e, const Point *p) {
  Cx *cx = a->cx;
  set_params(a, a->inputs);
  Value v = eval_clause(cx, field_env(cx), e);
  Node *n = v.kind == V_FAIL ? NULL : truth(cx, &v);
  set_params(a, a->inputs);
  if (!n) return NULL;
  if (n->shape.rank == 0) return moved(a, p, n);
  diag_emit(&cx->s->diags, DIAG_not_scalar, e->span, "the condition of a clause",
            shape_text(cx->a, n->shape));
  return NULL;
}

static Node *f64(Cx *cx, double x) { return graph_const_typed(cx->g, x, DT_F64, (Shape){0}); }

static bool when_acts(Acts *a, const Update *u, const Point *p, When *w) {
  Cx *cx = a->cx;
  Graph *g = cx->g;
  int64_t every = 1;
  *w = (When){0};
  if (u->ast->kids[1] && !every_steps(a, u->ast->kids[1], &every)) return false;
  if (every > 1) {
    Node *k = f64(cx, (double)every), *next = graph_binary(g, OP_ADD, cx_step(cx), f64(cx, 1));
    Node *whole = graph_binary(g, OP_MUL, graph_unary(g, OP_FLOOR, graph_binary(g, OP_DIV, next, k)), k);
    w->acts = graph_binary(g, OP_EQ, whole, next);
    w->count = graph_unary(g, OP_FLOOR, graph_binary(g, OP_DIV, cx_step(cx), k));
  }
  if (!u->ast->kids[2] || cx->t->build->dry) return true;
  Node *also = condition(a, u->ast->kids[2], p);
  const Initial zero = {0};
  w->counted =
      also ? make_state(cx, env_new(cx, NULL, "", ""), u->ast,
                        arena_printf(cx->a, "%supdates", u->prefix ? u->prefix : ""), (Shape){0}, &zero)
           : NULL;
  if (!w->counted) return false;
  w->acts = w->acts ? graph_binary(g, OP_AND, w->acts, also) : also;
  w->count = graph_cast(g, w->counted->node, DT_F64);
  return true;
}

// -- acting

static Value optimizer_of(Acts *a, const Update *u) {
  Cx *cx = a->cx;
  const Ast *e = u->ast->kids[0];
  const int errors = cx->s->diags.errors;
  Value v = eval_clause(cx, field_env(cx), e);
  if (v.kind == V_FAIL && cx->t->build->dry && cx->s->diags.errors == errors)
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "the state of an optimizer",
              "in what an optimizer is given");
  if (v.kind == V_FAIL) return v;
  if (v.kind != V_FN || v.fn->def->kind != KIND_OPTIMIZER) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "an optimizer", value_text(cx, &v));
    diag_hint(d, "such as `adam(lr: 1e-3)`; penalties are clauses of their own: penalize w in net.*.weight : "
                 "1e-4 * l2(w)");
    return v_fail();
  }
  if (a->first && optimizes(u)) warn_optimizer(cx, a->t, v.fn->def);
  return v;
}

static Tree *tree_at(Acts *a, const bool *hits) {
  Tree *t = tree_new(a->cx, a->cx->params.len);
  t->n = 0;
  for (int i = 0; i < a->cx->params.len; i++) {
    const ParamRef *p = param_at(a->cx, i);
    if (hits[i]) t->leaf[t->n++] = (Leaf){p->path, p->node};
  }
  return t;
}

static bool has_prox(const Acts *a, const char *path) {
  int i = 0;
  while (i < a->step->proximal.len && strcmp(a->step->proximal.data[i].path, path) != 0) i++;
  return i < a->step->proximal.len;
}

// The parameters of the tree that the objective is made from, and those with a proximal step; what it sees
// through `stop` alone is held, as if frozen. NULL: there is none.
static Tree *moving(Acts *a, Part *p, const Tree *t) {
  Node **leaves = ARENA_ARRAY(a->cx->a, Node *, t->n + 1);
  bool *reached = ARENA_ARRAY(a->cx->a, bool, t->n + 1);
  Tree *out = tree_new(a->cx, t->n);
  for (int i = 0; i < t->n; i++) leaves[i] = t->leaf[i].node;
  if (!graph_reaches(a->cx->g, p->objective, leaves, t->n, reached)) {
    diag_emit(&a->cx->s->diags, DIAG_not_a_training_value, p->ast->span,
              "the objective does not depend on the parameters that this clause updates");
    return NULL;
  }
  out->n = 0;
  for (int i = 0; i < t->n; i++)
    if (reached[i] || has_prox(a, t->leaf[i].path))
      out->leaf[out->n++] = t->leaf[i];
    else
      p->updates[((ParamRef *)map_get(&a->cx->params, t->leaf[i].path))->index] = false;
  return out;
}

void act_only(Cx *cx, Node *acts, int since, const States *before, const Tree *was, Tree *now) {
  Nodes x = {0}, y = {0};
  for (int i = 0; i < now->n; i++) {
    vec_push(cx->a, x, now->leaf[i].node);
    vec_push(cx->a, y, was->leaf[i].node);
  }
  for (int i = 0; i < cx->states.len; i++) {
    vec_push(cx->a, x, ((StateRef *)cx->states.entries[i].value)->node);
    vec_push(cx->a, y, state_of(cx, before, i));
  }
  Node **out = ARENA_ARRAY(cx->a, Node *, x.len + 1);
  choose_nodes(cx, acts, since, x.data, y.data, x.len, out);
  for (int i = 0; i < now->n; i++) now->leaf[i].node = out[i];
  for (int i = 0; i < cx->states.len; i++) ((StateRef *)cx->states.entries[i].value)->node = out[now->n + i];
}

// The part's parameters after its update; NULL after a mistake.
static Tree *act(Acts *a, const Update *u, int k, const When *w) {
  Cx *cx = a->cx;
  Part *p = &u->parts[k];
  const Value v = optimizer_of(a, u);
  Tree *was = v.kind == V_FAIL ? NULL : moving(a, p, tree_at(a, p->updates));
  if (!was) return NULL;
  cx->objective = p->objective;
  cx->moved.len = 0;
  cx->update = k ? arena_printf(cx->a, "%s%d.", u->prefix ? u->prefix : "", k + 1) : u->prefix;
  cx->updates_made = w->count;
  const int since = cx->g->nodes.len;
  const States before = states_now(cx);
  Tree *now = run_optimizer(cx, v.fn, was, u->ast->kids[0]->span);
  if (now && optimizes(u)) now = proximal_steps(a, v.fn, now, u->ast->kids[0]->span);
  cx->update = NULL;
  cx->updates_made = NULL;
  if (now && w->acts) {
    Tree *chosen = tree_new(cx, now->n);
    memcpy(chosen->leaf, now->leaf, sizeof(Leaf) * (size_t)now->n);
    act_only(cx, w->acts, since, &before, was, now = chosen);
  }
  return now;
}

void leave(Acts *a, const Tree *now) {
  Cx *cx = a->cx;
  for (int i = 0; i < now->n; i++) {
    ParamRef *p = map_get(&cx->params, now->leaf[i].path);
    a->step->after[p->index] = now->leaf[i].node;
    p->node = graph_point(cx->g, graph_stop(cx->g, now->leaf[i].node));
  }
}

// u, and where it optimizes all others that do.
static bool act_together(Acts *a, Update *u) {
  Cx *cx = a->cx;
  const Point p = point_now(a);
  VEC(Acted) after = {0};
  bool ok = true;
  cx->left.len = 0;
  passes_of_objective(cx);
  for (int i = 0; i < p.n; i++) vec_push(cx->a, cx->left, p.to[i]);
  for (Update *v = u; v < a->list + a->n; v++) {
    if (v != u && !(optimizes(u) && optimizes(v))) continue;
    When w;
    if (!when_acts(a, v, &p, &w)) return false;
    for (int k = 0; k < v->nparts; k++) {
      Tree *now = act(a, v, k, &w);
      ok = ok && now;
      if (now) vec_push(cx->a, after, ((Acted){now, w.acts}));
    }
    if (w.counted)
      w.counted->node = graph_binary(cx->g, OP_ADD, w.counted->node, graph_cast(cx->g, w.acts, DT_F32));
  }
  passes_behind(cx);
  for (int i = 0; i < after.len; i++) leave(a, after.data[i].after);
  return ok && constrain_all(a, after.data, after.len);
}

// -- the step

// What `solve` acts on.
static const Ast all_of_them = {.kind = AST_OBJECTIVE, .nkids = 1};

static void find_updates(Acts *a) {
  const Ast *ast = a->t->ast;
  a->list = ARENA_ARRAY(a->cx->a, Update, ast->nkids + 1);
  for (int i = 2; i < ast->nkids; i++) {
    const Ast *c = ast->kids[i];
    if (c->kind != AST_UPDATE && c->kind != AST_SOLVE) continue;
    Update *u = &a->list[a->n++];
    if (c->kind == AST_SOLVE) {
      *u = (Update){.ast = c, .nparts = 1, .parts = ARENA_NEW(a->cx->a, Part)};
      u->parts->ast = &all_of_them;
      continue;
    }
    *u = (Update){.ast = c, .nparts = c->nkids - 3, .parts = ARENA_ARRAY(a->cx->a, Part, c->nkids)};
    for (int k = 0; k < u->nparts; k++) u->parts[k].ast = c->kids[k + 3];
    u->prefix = c->name    ? arena_printf(a->cx->a, "%s.", c->name)
                : a->n > 1 ? arena_printf(a->cx->a, "%d.", a->n)
                           : NULL;
  }
}

static bool is_met(Cx *cx, const char *model) {
  for (int i = 0; i < cx->params.len; i++)
    if (model_owns(cx->l, model, cx->params.entries[i].key)) return true;
  return false;
}

// A parameter of its own, `param c: [2] = 0`, needs no call; a penalty alone may read it.
static const ParamRef *own_param(Cx *cx, const Ast *head) {
  Def *d = sema_find(cx->l->program, head->name);
  if (!d || d->kind != KIND_MODEL || d->ast->num == 0) return NULL;
  if (!is_met(cx, head->name)) model_meet(cx, model_value(cx, d), head->span);
  int i = 0;
  while (i < cx->params.len && !model_owns(cx->l, head->name, cx->params.entries[i].key)) i++;
  return i < cx->params.len ? cx->params.entries[i].value : NULL;
}

// Is what is minimized made from each of them?
static bool own_used(Acts *a) {
  const Ast *heads = a->t->ast->kids[0];
  for (int i = 0; i < heads->nkids; i++) {
    const ParamRef *p = own_param(a->cx, heads->kids[i]);
    Node *found = p ? a->inputs[p->index] : NULL;
    if (!found || graph_made_from(a->cx->g, a->step->objective, &found, 1)) continue;
    diag_emit(&a->cx->s->diags, DIAG_not_a_training_value, heads->kids[i]->span,
              arena_printf(a->cx->a, "nothing that is minimized depends on `%s`", heads->kids[i]->name));
    return false;
  }
  return true;
}

// All parameters are those of the first calls of loss and minimized objectives, and those that are no
// model's.
static bool all_met(Acts *a) {
  Cx *cx = a->cx;
  const Ast *at = train_clause(a->t->ast, "loss");
  if (!at) at = a->t->ast->kids[0];
  const Ast *heads = a->t->ast->kids[0];
  for (int i = 0; i < heads->nkids; i++)
    if (!own_param(cx, heads->kids[i]) && !is_met(cx, heads->kids[i]->name)) {
      diag_emit(&cx->s->diags, DIAG_not_a_training_value, at->span,
                arena_printf(cx->a, "the loss does not depend on a parameter of `%s`", heads->kids[i]->name));
      return false;
    }
  a->inputs = ARENA_ARRAY(cx->a, Node *, cx->params.len + 1);
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = param_at(cx, i);
    a->inputs[i] = p->node;
    if (a->first)
      vec_push(cx->a, a->t->params,
               ((LowerParam){.path = p->path, .role = p->role, .shape = p->shape, .origin = p->origin}));
  }
  return true;
}

// One objective of the step, of the parameters as it found them; NULL: it has several.
static Node *only_objective(const Acts *a) {
  for (int i = 0; i < a->n; i++)
    if (a->list[i].nparts > 1 || (i && !optimizes(&a->list[i]))) return NULL;
  return a->n == 1 || optimizes(a->list) ? a->list->parts->objective : NULL;
}

static Node *log_value(Cx *cx, const Ast *c) {
  Value v = eval_clause(cx, field_env(cx), c->kids[0]);
  Node *n = v.kind == V_FAIL ? NULL : v.kind == V_BOOL ? truth(cx, &v) : value_node(cx, &v);
  if (!n || n->shape.rank == 0) return !n || n->dtype == DT_F32 ? n : graph_cast(cx->g, n, DT_F32);
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_scalar, c->kids[0]->span, "a log", shape_text(cx->a, n->shape));
  diag_hint(d, "`mean(…)` or `norm(…)` makes one number of many");
  return NULL;
}

// What is reported besides, of parameters and states as the step found them. It changes neither.
static void add_logs(Acts *a) {
  Cx *cx = a->cx;
  const States before = states_now(cx);
  set_params(a, a->inputs);
  cx->objective = only_objective(a);
  for (int i = 2; i < a->t->ast->nkids; i++) {
    const Ast *c = a->t->ast->kids[i];
    Node *n = c->kind == AST_LOG ? log_value(cx, c) : NULL;
    if (!n) continue;
    add_term(a, c->name, c->kids[0], NULL, n, NULL, NULL);
    a->t->terms.data[a->step->nterms - 1].log = true;
  }
  cx->objective = NULL;
  set_params(a, a->inputs);
  set_states(cx, &before);
}

static int count_terms(const Ast *train) {
  int n = 0;
  for (int i = 2; i < train->nkids; i++) n += 1 + train->kids[i]->nkids;
  return n;
}

// Meets the parameters; the loss of a training that minimizes nothing else is not elaborated again.
static bool meet(Acts *a, bool met) {
  bool alone = true;
  for (int i = 0; i < a->n; i++) alone = alone && optimizes(&a->list[i]);
  if ((!alone && met) || a->t->build->dry) return true;
  Node *n = train_loss(a->cx, a->t);
  if (!alone)
    for (int i = 2; train_clause(a->t->ast, "loss") && i < a->t->ast->nkids; i++) {
      const Ast *u = a->t->ast->kids[i];
      for (int k = 3; u->kind == AST_UPDATE && u->op != OPR_NONE && k < u->nkids; k++)
        objective_of(a->cx, u->kids[k]->kids[0], "what is minimized");
    }
  a->step->early = !met && (!alone || a->cx->fewest < a->cx->params.len);
  if (alone) a->step->loss = n;
  return n && !a->step->early;
}

bool step_elaborate(Cx *cx, LowerTrain *t, bool first, bool met, Step *s) {
  Acts a = {.cx = cx, .t = t, .first = first, .step = s};
  const int errors = cx->s->diags.errors;
  find_updates(&a);
  if (!meet(&a, met) || !all_met(&a)) return false;
  const int params = cx->params.len;
  const int most = count_terms(t->ast) + 1;
  s->inputs = a.inputs;
  s->terms = ARENA_ARRAY(cx->a, Node *, most);
  s->plain = ARENA_ARRAY(cx->a, Node *, most);
  s->by = ARENA_ARRAY(cx->a, const bool *, most);
  s->after = ARENA_ARRAY(cx->a, Node *, params + 1);
  if (!select_all(&a)) return false;
  bool optimized = false;
  for (int i = 0; i < a.n; i++) {
    Update *u = &a.list[i];
    if (optimizes(u) && optimized) continue;
    optimized |= optimizes(u);
    if (!objectives(&a, u) || cx->params.len > params) break;
    if (u->ast->kind != AST_SOLVE && !act_together(&a, u)) break;
  }
  if (cx->t->build->dry) return cx->s->diags.errors == errors;
  if (cx->s->diags.errors == errors && cx->params.len == params && constraints_act(&a)) add_logs(&a);
  if (first) note_updates(&a);
  s->early = !met && cx->params.len > params; // a penalty called another model
  t->sums_terms = !s->loss;
  if (!s->loss) s->loss = s->objective;
  if (!s->objective || s->early || cx->s->diags.errors != errors || !own_used(&a)) return false;
  return averages_follow(cx, t, s->after);
}
