// The updates of a training's step. In: its clauses. Out: the objective with its terms, and each parameter's
// new value. `optimize` clauses act together: gradients of one objective, loss and penalties, each for its
// own parameters, all at one point. Each `minimize` clause acts on objectives of its own. They act in the
// order of the text: an objective is a value of the parameters as those before left them, with the same
// draws. It is elaborated once, over the parameters as the step found them, and then made anew where it
// depends on what has changed.
#include "train.h"
#include <math.h>
#include <string.h>

typedef struct Part {
  const Ast *ast;  // AST_OBJECTIVE
  Node *objective; // of `optimize`: the training's
  bool *updates;   // by parameter
} Part;

typedef struct Update {
  const Ast *ast;
  const char *prefix; // of its optimizer's states
  int nparts;
  Part *parts;
} Update;

typedef struct Acts {
  Cx *cx;
  LowerTrain *t;
  bool first; // the training is elaborated for the first time
  int n;
  Update *list;
  bool *frozen;
  Node **inputs; // by parameter: as the step found it
  Step *step;
} Acts;

static ParamRef *param_at(const Cx *cx, int i) { return cx->params.entries[i].value; }
static bool optimizes(const Update *u) { return u->ast->op == OPR_NONE; }

// -- which parameters

static bool select_into(Cx *cx, const Ast *selector, bool *hits) {
  const Tree *t = select_params(cx, selector);
  for (int i = 0; t && i < t->n; i++) hits[((ParamRef *)map_get(&cx->params, t->leaf[i].path))->index] = true;
  return t != NULL;
}

static bool find_frozen(Acts *a) {
  bool ok = true;
  a->frozen = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
  for (int i = 2; i < a->t->ast->nkids; i++) {
    const Ast *c = a->t->ast->kids[i];
    for (int k = 0; c->kind == AST_FREEZE && k < c->nkids; k++)
      ok = select_into(a->cx, c->kids[k], a->frozen) && ok;
  }
  return ok;
}

// A parameter of another model is not updated.
static bool in_head(Acts *a, const bool *hits, const Ast *at) {
  Cx *cx = a->cx;
  int i = 0;
  while (i < cx->params.len && !(hits[i] && !trains_tensor(a->t, param_at(cx, i)->path))) i++;
  if (i == cx->params.len) return true;
  const char *path = param_at(cx, i)->path, *model = arena_strndup(cx->a, path, strcspn(path, "."));
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_in_head, at->span, model);
  diag_hint(d, "`train %s, %s on …` trains both", ast_text(cx->a, a->t->ast->kids[0]->kids[0]), model);
  return false;
}

// What the part's selectors name, without what is frozen.
static bool select_part(Acts *a, Part *p) {
  Cx *cx = a->cx;
  bool any = false;
  for (int i = 1; i < p->ast->nkids; i++)
    if (!select_into(cx, p->ast->kids[i], p->updates) || !in_head(a, p->updates, p->ast->kids[i]))
      return false;
  for (int i = 0; i < cx->params.len; i++) {
    p->updates[i] = p->updates[i] && !a->frozen[i];
    any |= p->updates[i];
  }
  if (!any)
    diag_emit(&cx->s->diags, DIAG_not_a_training_value, p->ast->span,
              "all that this clause updates is frozen");
  return any;
}

// Another part, of a clause that acts at the same time, which updates parameter i.
static const Ast *rival(const Acts *a, const Update *u, const Part *p, int i) {
  for (const Update *v = a->list; v <= u; v++)
    for (int k = 0; k < v->nparts; k++) {
      if (&v->parts[k] == p) return NULL;
      if ((v == u || (optimizes(v) && optimizes(u))) && v->parts[k].updates[i]) return v->parts[k].ast;
    }
  return NULL;
}

static bool is_alone(Acts *a, const Update *u, const Part *p) {
  for (int i = 0; i < a->cx->params.len; i++) {
    const Ast *other = p->updates[i] ? rival(a, u, p, i) : NULL;
    if (!other) continue;
    Diag *d = diag_emit(&a->cx->s->diags, DIAG_updated_twice, p->ast->span, param_at(a->cx, i)->path);
    diag_note(d, other->span, "and here");
    return false;
  }
  return true;
}

static bool is_updated(const Acts *a, int i) {
  for (int k = 0; k < a->n; k++)
    for (int j = 0; j < a->list[k].nparts; j++)
      if (a->list[k].parts[j].updates[i]) return true;
  return false;
}

static bool none_left_over(Acts *a) {
  Cx *cx = a->cx;
  for (int i = 0; i < cx->params.len; i++) {
    const char *path = param_at(cx, i)->path;
    if (!trains_tensor(a->t, path) || a->frozen[i] || is_updated(a, i)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_updated, a->t->ast->kids[0]->span, path);
    diag_note(d, param_at(cx, i)->origin, "declared here");
    diag_hint(d, "`freeze %s` keeps it as it is", path);
    return false;
  }
  return true;
}

static bool select_all(Acts *a) {
  if (!find_frozen(a)) return false;
  bool *rest = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
  Part *open = NULL; // `optimize` without `for`: what no other clause updates
  for (int i = 0; i < a->n; i++)
    for (int k = 0; k < a->list[i].nparts; k++) {
      Part *p = &a->list[i].parts[k];
      p->updates = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
      if (p->ast->nkids == 1)
        open = p;
      else if (!select_part(a, p) || !is_alone(a, &a->list[i], p))
        return false;
    }
  for (int i = 0; i < a->cx->params.len; i++)
    rest[i] = trains_tensor(a->t, param_at(a->cx, i)->path) && !a->frozen[i] && !is_updated(a, i);
  if (open) open->updates = rest;
  return none_left_over(a);
}

static void note_updates(Acts *a) {
  const bool plain = a->n == 1 && optimizes(a->list) && a->list->parts->ast->nkids == 1;
  Cx *cx = a->cx;
  for (int i = 0; i < a->t->params.len; i++) {
    LowerParam *p = &a->t->params.data[i];
    StrBuf b = {.arena = cx->a};
    strbuf_add(&b, "");
    for (int k = 0; k < a->n; k++)
      for (int j = 0; j < a->list[k].nparts; j++)
        if (a->list[k].parts[j].updates[i])
          strbuf_addf(&b, "%s%s", b.len ? ", " : "", ast_text(cx->a, a->list[k].ast->kids[0]));
    if (!b.len) p->updated_by = "-";
    if (b.len && !plain) p->updated_by = b.data;
  }
}

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

static void add_term(Acts *a, const char *name, const Ast *e, const char *over, Node *n) {
  Step *s = a->step;
  if (a->first)
    vec_push(a->cx->a, a->t->terms,
             ((LowerTerm){.name = name, .strength = ast_text(a->cx->a, e), .over = over, .origin = e->span}));
  s->terms[s->nterms++] = n;
}

// The parameters as the acts so far left them, in the place of those that the step found, which all that is
// elaborated for an act is made from. What earlier acts left in states stays as it is.
typedef struct Point {
  Node **from, **to;
  int n;
} Point;

static Point point_now(const Acts *a) {
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

static Node *moved(const Acts *a, const Point *p, Node *n) {
  return p->n ? graph_substitute(a->cx->g, n, p->from, p->to, p->n) : n;
}

// Exchanges the parameters as they are with those that the step found.
static void set_params(Acts *a, Node **nodes) {
  for (int i = 0; i < a->cx->params.len; i++) {
    Node *now = param_at(a->cx, i)->node;
    param_at(a->cx, i)->node = nodes[i];
    nodes[i] = now;
  }
}

// Loss and penalties; NULL after a mistake.
static Node *main_objective(Acts *a, const Point *p) {
  Cx *cx = a->cx;
  const Ast *loss = train_clause(a->t->ast, "loss");
  Node *n = a->step->loss ? a->step->loss : objective_of(cx, loss, "the loss"), *all;
  if (!n) return NULL;
  a->step->loss = all = moved(a, p, n);
  for (int i = 2; i < a->t->ast->nkids; i++) {
    const Ast *c = a->t->ast->kids[i];
    if (c->kind != AST_PENALIZE) continue;
    const char *term = a->first ? penalty_term(cx, a->t, c) : NULL;
    n = penalize(cx, a->t, c, term);
    if (!n) continue;
    n = moved(a, p, n);
    add_term(a, term, c->kids[2], NULL, n);
    all = graph_binary(cx->g, OP_ADD, all, n);
  }
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

// The objectives of the act that begins with u, at the present point. States that they assign are of that
// point too.
static bool objectives(Acts *a, Update *u) {
  Cx *cx = a->cx;
  const Point p = point_now(a);
  const States before = states_now(cx);
  Node *whole = NULL;
  bool ok = true;
  set_params(a, a->inputs);
  if (optimizes(u)) ok = (whole = main_objective(a, &p)) != NULL;
  for (int k = 0; k < u->nparts && ok; k++) {
    Part *part = &u->parts[k];
    Node *n = whole ? NULL : objective_of(cx, part->ast->kids[0], "what is minimized");
    part->objective = whole ? whole : n ? moved(a, &p, n) : NULL;
    ok = part->objective != NULL;
    if (!ok || whole) continue;
    const char *name = a->first ? objective_name(a, u, part) : NULL;
    add_term(a, name, part->ast->kids[0], ast_text(cx->a, part->ast->kids[1]), part->objective);
    add_to(cx, &a->step->objective, part->objective);
  }
  set_params(a, a->inputs);
  for (int i = 0; i < cx->states.len && ok && p.n; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (ref->node != state_of(cx, &before, i)) ref->node = moved(a, &p, ref->node);
  }
  if (whole) add_to(cx, &a->step->objective, whole);
  for (Update *v = u + 1; whole && v < a->list + a->n; v++)
    if (optimizes(v)) v->parts->objective = whole;
  return ok;
}

// -- when

// `each k steps`: a clause acts in every k-th step, the first time when k are complete.
typedef struct When {
  Node *acts;  // a truth value; NULL: in every step
  Node *count; // its updates so far, f64; NULL: as many as steps
  StateRef *counted;
} When;

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
  if (!u->ast->kids[2]) return true;
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
  Value v = eval_clause(cx, field_env(cx), e);
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

static bool depends(Acts *a, const Part *p, const Tree *t) {
  Node **leaves = ARENA_ARRAY(a->cx->a, Node *, t->n + 1);
  for (int i = 0; i < t->n; i++) leaves[i] = t->leaf[i].node;
  if (graph_made_from(a->cx->g, p->objective, leaves, t->n)) return true;
  diag_emit(&a->cx->s->diags, DIAG_not_a_training_value, p->ast->span,
            "the objective does not depend on the parameters that this clause updates");
  return false;
}

// The tree after an update that acts on a condition, and the optimizer's states: else they stay.
static void act_only(Acts *a, const When *w, int since, const States *before, const Tree *was, Tree *now) {
  Cx *cx = a->cx;
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
  choose_nodes(cx, w->acts, since, x.data, y.data, x.len, out);
  for (int i = 0; i < now->n; i++) now->leaf[i].node = out[i];
  for (int i = 0; i < cx->states.len; i++) ((StateRef *)cx->states.entries[i].value)->node = out[now->n + i];
}

// The part's parameters after its update; NULL after a mistake.
static Tree *act(Acts *a, const Update *u, int k, const When *w) {
  Cx *cx = a->cx;
  const Part *p = &u->parts[k];
  const Value v = optimizer_of(a, u);
  Tree *was = tree_at(a, p->updates);
  if (v.kind == V_FAIL || !depends(a, p, was)) return NULL;
  cx->objective = p->objective;
  cx->moved.len = 0;
  cx->update = k ? arena_printf(cx->a, "%s%d.", u->prefix ? u->prefix : "", k + 1) : u->prefix;
  cx->updates_made = w->count;
  const int since = cx->g->nodes.len;
  const States before = states_now(cx);
  Tree *now = run_optimizer(cx, v.fn, was, u->ast->kids[0]->span);
  cx->update = NULL;
  cx->updates_made = NULL;
  if (now && w->acts) {
    Tree *chosen = tree_new(cx, now->n);
    memcpy(chosen->leaf, now->leaf, sizeof(Leaf) * (size_t)now->n);
    act_only(a, w, since, &before, was, now = chosen);
  }
  return now;
}

// What an update leaves is where the next one starts; no gradient goes back through it.
static void leave(Acts *a, const Tree *now) {
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
  VEC(Tree *) after = {0};
  bool ok = true;
  cx->left.len = 0;
  for (int i = 0; i < p.n; i++) vec_push(cx->a, cx->left, p.to[i]);
  for (Update *v = u; v < a->list + a->n; v++) {
    if (v != u && !(optimizes(u) && optimizes(v))) continue;
    When w;
    if (!when_acts(a, v, &p, &w)) return false;
    for (int k = 0; k < v->nparts; k++) {
      Tree *now = act(a, v, k, &w);
      ok = ok && now;
      if (now) vec_push(cx->a, after, now);
    }
    if (w.counted)
      w.counted->node = graph_binary(cx->g, OP_ADD, w.counted->node, graph_cast(cx->g, w.acts, DT_F32));
  }
  for (int i = 0; i < after.len; i++) leave(a, after.data[i]);
  return ok;
}

// -- the step

static void find_updates(Acts *a) {
  const Ast *ast = a->t->ast;
  a->list = ARENA_ARRAY(a->cx->a, Update, ast->nkids + 1);
  for (int i = 2; i < ast->nkids; i++) {
    const Ast *c = ast->kids[i];
    if (c->kind != AST_UPDATE) continue;
    Update *u = &a->list[a->n++];
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

// All parameters are those of the first calls of loss and minimized objectives.
static bool all_met(Acts *a) {
  Cx *cx = a->cx;
  const Ast *at = train_clause(a->t->ast, "loss");
  if (!at) at = a->t->ast->kids[0];
  const Ast *heads = a->t->ast->kids[0];
  for (int i = 0; i < heads->nkids; i++)
    if (!is_met(cx, heads->kids[i]->name)) {
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

static int count_terms(const Ast *train) {
  int n = 0;
  for (int i = 2; i < train->nkids; i++) n += 1 + train->kids[i]->nkids;
  return n;
}

// Meets the parameters; the loss of a training that minimizes nothing else is not elaborated again.
static bool meet(Acts *a, bool met) {
  bool alone = true;
  for (int i = 0; i < a->n; i++) alone = alone && optimizes(&a->list[i]);
  if (!alone && met) return true;
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
  s->terms = ARENA_ARRAY(cx->a, Node *, count_terms(t->ast) + 1);
  s->after = ARENA_ARRAY(cx->a, Node *, params + 1);
  if (!select_all(&a)) return false;
  if (first) note_updates(&a);
  bool optimized = false;
  for (int i = 0; i < a.n; i++) {
    Update *u = &a.list[i];
    if (optimizes(u) && optimized) continue;
    optimized |= optimizes(u);
    if (!objectives(&a, u) || cx->params.len > params || !act_together(&a, u)) break;
  }
  s->early = !met && cx->params.len > params; // a penalty called another model
  t->sums_terms = !s->loss;
  if (!s->loss) s->loss = s->objective;
  if (!s->objective || s->early || cx->s->diags.errors != errors) return false;
  return averages_follow(cx, t, s->after);
}
