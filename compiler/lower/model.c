// Models as values. In: what stands in the place of a model: a definition, `new net`, `model g[7] = new net`.
// Out: a ModelValue, which says whose body it has, under which path its parameters lie, and which others it
// calls; and calls of it. Holds: a model has one value in each graph, so that all its calls share parameters.
#include "train.h"
#include <string.h>

// -- which parameters belong to a model

// A tensor's path, or a model's name: `g[0].w` is of `g[0]` and of `g`.
static bool is_of(const char *model, const char *path) {
  const size_t n = strlen(model);
  return !strncmp(path, model, n) && (path[n] == '.' || path[n] == '[' || !path[n]);
}

bool model_owns(const Lowered *l, const char *model, const char *path) {
  if (is_of(model, path)) return true;
  Def *d = sema_find(l->program, arena_strndup(l->session->arena, model, strcspn(model, "[")));
  if (!d || d->kind != KIND_MODEL) return false;
  const SharedModels *shared = sema_shared(l->program, d);
  for (int i = 0; i < shared->len; i++)
    if (is_of(shared->data[i], path)) return true;
  return false;
}

const char *model_text(Cx *cx, const ModelValue *m) {
  return m->nitems ? arena_printf(cx->a, "the %d models `%s`", m->nitems, m->name)
                   : arena_printf(cx->a, "the model `%s`", m->name);
}

static Value not_one(Cx *cx, const ModelValue *m, Span at) {
  Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, at, "one model", model_text(cx, m));
  diag_hint(d, "`%s[0]` is the first of them; `each m in %s : m(x)` calls all", m->name, m->name);
  return v_fail();
}

// -- making

static ModelValue *model_new(Cx *cx, const char *name, Def *def) {
  ModelValue *m = ARENA_NEW(cx->a, ModelValue);
  *m = (ModelValue){.name = name, .def = def, .path = name};
  map_put(&cx->models, name, m);
  return m;
}

ModelValue *model_over(Cx *cx, const char *name, ModelValue *of) {
  ModelValue *m = ARENA_NEW(cx->a, ModelValue);
  *m = (ModelValue){.name = name, .def = of->def, .path = of->path, .of = of};
  return m;
}

// Another model of the same structure, with parameters of its own: also those of its derivations.
static ModelValue *model_copy(Cx *cx, const ModelValue *of, const char *name) {
  ModelValue *m;
  if (of->of) {
    ModelValue *inner = model_copy(cx, of->of, name);
    if (!of->seen) return inner;
    m = model_over(cx, name, inner);
    m->seen = of->seen;
    m->text = of->text;
    m->level = of->level;
    map_put(&cx->models, name, m);
    return m;
  }
  m = model_new(cx, name, of->def);
  m->making = of->making;
  m->nmaking = of->nmaking;
  return m;
}

static ModelValue *leaf_of(ModelValue *m) {
  while (m->of) m = m->of;
  return m;
}

// The arguments of `new mlp(width: 8)` behind those that the model was made with; false after a report.
static bool making(Cx *cx, ModelValue *m, const Ast *call) {
  if (call->kind != AST_CALL) return true;
  BoundArg *all = ARENA_ARRAY(cx->a, BoundArg, call->nkids + m->nmaking);
  int n = 0;
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    Value *v = ARENA_NEW(cx->a, Value);
    *v = eval_expr(cx, env_new(cx, NULL, "", ""), arg->kids[0]);
    if (v->kind == V_FAIL || !arg->name) return false;
    all[n++] = (BoundArg){arg->name, v, arg->span};
  }
  const int given = n;
  for (int i = 0; i < m->nmaking; i++) {
    bool again = false;
    for (int k = 0; k < given; k++) again = again || !strcmp(all[k].name, m->making[i].name);
    if (!again) all[n++] = m->making[i];
  }
  m->making = all;
  m->nmaking = n;
  return true;
}

// `model g[7] = new net`: the number of them; -1 after a report.
static int number_of(Cx *cx, const Ast *count) {
  enum { MOST_MODELS = 10000 };
  Value v = eval_expr(cx, env_new(cx, NULL, "", ""), count);
  double n;
  if (v.kind == V_FAIL || !value_number(cx, &v, "the number of models", &n)) return -1;
  live_fix(cx, &v);
  if (n >= 1 && n <= MOST_MODELS && n == (int)n) return (int)n;
  diag_emit(&cx->s->diags, DIAG_wrong_kind, count->span,
            arena_printf(cx->a, "a number of models, from 1 to %d", MOST_MODELS), value_text(cx, &v));
  return -1;
}

static ModelValue *new_model(Cx *cx, const Def *d, const Ast *e) {
  const Ast *callee = e->kids[0]->kind == AST_CALL ? e->kids[0]->kids[0] : e->kids[0],
            *count = d->ast->kids[3];
  const Value of = eval_expr(cx, env_new(cx, NULL, "", ""), callee);
  if (of.kind == V_FAIL) return NULL;
  if (of.kind != V_MODEL || of.model->nitems) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, callee->span, "one model behind `new`", value_text(cx, &of));
    return NULL;
  }
  const int n = count ? number_of(cx, count) : 0;
  if (n < 0) return NULL;
  ModelValue *m = model_copy(cx, of.model, d->name);
  if (!making(cx, m, e->kids[0])) return NULL;
  m->items = ARENA_ARRAY(cx->a, ModelValue *, n + 1);
  for (m->nitems = 0; m->nitems < n; m->nitems++)
    m->items[m->nitems] = model_copy(cx, m, arena_printf(cx->a, "%s[%d]", d->name, m->nitems));
  return m;
}

static ModelValue *made(Cx *cx, const Def *d, const Ast *e);

static ModelValue *derived_model(Cx *cx, const Def *d, const Ast *e) {
  ModelValue *of = made(cx, d, e->kids[0]);
  if (!of) return NULL;
  ModelValue *m = model_over(cx, d->name, of);
  m->seen = e;
  m->text = d;
  m->level = of->seen && !strcmp(of->name, d->name) ? of->level + 1 : 0;
  map_put(&cx->models, d->name, m);
  return m;
}

// The model that an expression in the place of a model's body makes; NULL after a report.
static ModelValue *made(Cx *cx, const Def *d, const Ast *e) {
  if (e->kind == AST_NEW) return new_model(cx, d, e);
  if (e->kind == AST_DERIVE) return derived_model(cx, d, e);
  const Value v = eval_expr(cx, env_new(cx, NULL, "", ""), e);
  if (v.kind == V_MODEL && e->kind == AST_AT && e == d->ast->kids[2]) {
    v.model->name = d->name;
    map_put(&cx->models, d->name, v.model);
  }
  if (v.kind == V_MODEL && !v.model->nitems) return v.model;
  if (v.kind != V_FAIL)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "one model in front of `with`", value_text(cx, &v));
  return NULL;
}

ModelValue *model_value(Cx *cx, Def *d) {
  ModelValue *m = map_get(&cx->models, d->name);
  const Ast *body = d->ast->kids[2];
  if (m) return m;
  const bool follows = average_call(d) != NULL, loads = is_load(cx, d);
  if (!follows && !loads && body->kind != AST_NEW && body->kind != AST_DERIVE && body->kind != AST_AT)
    return model_new(cx, d->name, d);
  const Within outer = text_enter(cx, d);
  m = follows ? average_model(cx, d) : loads ? loaded_model(cx, d->name, body) : made(cx, d, body);
  text_leave(cx, outer);
  return m;
}

bool model_is_still(const ModelValue *m) {
  for (; m; m = m->of)
    if (m->load || m->at || m->average) return true;
  return false;
}

ModelValue *model_at(Cx *cx, ModelValue *m, const Value *tree) {
  const Tree *t = tree_of(cx, tree);
  if (m->nitems) {
    not_one(cx, m, tree->span);
    return NULL;
  }
  if (!t) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, tree->span, "a tree of parameters", value_text(cx, tree));
    return NULL;
  }
  ModelValue *moved = model_over(cx, m->name, m);
  moved->at = t;
  return moved;
}

Value model_named(Cx *cx, Def *d, Span at) {
  ModelValue *m = model_value(cx, d);
  return m ? (Value){.kind = V_MODEL, .model = m, .span = at} : v_fail();
}

const BoundArg *model_made_with(const ModelValue *m, const char *name) {
  while (m->of) m = m->of;
  for (int i = 0; i < m->nmaking; i++)
    if (!strcmp(m->making[i].name, name)) return &m->making[i];
  return NULL;
}

// -- calls

// The call's arguments, and what the model was made with where the call does not say it.
static BoundArg *all_arguments(Cx *cx, const ModelValue *m, const BoundArg *args, int *nargs) {
  BoundArg *all = ARENA_ARRAY(cx->a, BoundArg, *nargs + m->nmaking + 1);
  int n = *nargs;
  if (n) memcpy(all, args, sizeof *all * (size_t)n);
  for (int i = 0; i < m->nmaking; i++) {
    bool given = false;
    for (int k = 0; k < *nargs; k++) given |= args[k].name && !strcmp(args[k].name, m->making[i].name);
    if (!given) all[n++] = m->making[i];
  }
  *nargs = n;
  return all;
}

// Not trained by this training.
static bool is_frozen(const Cx *cx, const ModelValue *m) {
  return cx->t && !cx->view && !trains_model(cx->t, m->name);
}

// `net(x, mode: evaluation)`: takes the mode out of the arguments; false after a report.
static bool said_mode(Cx *cx, const ModelValue *m, BoundArg *args, int *nargs, bool *training) {
  int n = 0;
  for (int i = 0; i < *nargs; i++) {
    if (!args[i].name || strcmp(args[i].name, "mode") != 0 || find_param(m->def, "mode")) {
      args[n++] = args[i];
      continue;
    }
    const Value *v = args[i].value;
    const bool train = v->kind == V_TEXT && !strcmp(v->text, "train");
    if (!train && (v->kind != V_TEXT || strcmp(v->text, "evaluation") != 0)) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, args[i].span, "`mode: evaluation` or `mode: train`",
                v->kind == V_TEXT ? arena_printf(cx->a, "`%s`", v->text) : value_text(cx, v));
      return false;
    }
    *training = train;
  }
  *nargs = n;
  return true;
}

static void count_pass(Cx *cx, const char *model) {
  Passes *n = map_get(&cx->passes, model);
  double turns = 1;
  if (!n) map_put(&cx->passes, model, n = ARENA_NEW(cx->a, Passes));
  for (const LoopFrame *f = cx->frame; f; f = f->outer) turns *= (double)f->turns;
  n->calls += turns;
}

void passes_of_objective(Cx *cx) {
  for (int i = 0; i < cx->passes.len; i++) {
    Passes *n = cx->passes.entries[i].value;
    n->objective = n->calls - n->behind;
  }
}

void passes_again(Cx *cx) {
  for (int i = 0; i < cx->passes.len; i++) {
    Passes *n = cx->passes.entries[i].value;
    n->calls += n->objective;
  }
}

void passes_behind(Cx *cx) {
  for (int i = 0; i < cx->passes.len; i++) {
    Passes *n = cx->passes.entries[i].value;
    n->behind = n->calls;
    n->objective = 0;
  }
}

// Of a model that is one itself. Its named values become those of `of`.
static Value call_leaf(Cx *cx, const ModelValue *m, ModelValue *of, BoundArg *args, int nargs, Span at) {
  cx->effects++;
  Env *env = env_new(cx, NULL, m->path, m->def->name);
  Map counters = cx->counters;
  map_init(&cx->counters, cx->a); // automatic names start anew: the same call sites have the same parameters
  const ModelValue *leaf = cx->leaf;
  const Within outer = text_enter(cx, m->def);
  args = all_arguments(cx, m, args, &nargs);
  const bool bound = bind_args(cx, m->def, args, nargs, at, env, false);
  cx->leaf = m;
  Inside *in = inside_begin(cx, m->path);
  count_pass(cx, of->name);
  Value v = bound ? call_body(cx, m->def, env, at) : v_fail();
  v = inside_end(cx, in, env, v);
  cx->leaf = leaf;
  text_leave(cx, outer);
  cx->counters = counters;
  if (!cx->frame) of->last = in; // of one turn: no value outside of it
  return v;
}

static Value call_through(Cx *cx, const ModelValue *m, ModelValue *of, BoundArg *args, int nargs, Span at);

static Value call_loaded(Cx *cx, const ModelValue *m, ModelValue *of, BoundArg *args, int nargs, Span at) {
  const ModelValue *outer = cx->loaded;
  for (bool again = true;;) {
    cx->loaded = m;
    const Value v = call_through(cx, m->of, of, args, nargs, at);
    cx->loaded = outer;
    if (v.kind == V_FAIL || !loaded_values(cx, m, &again)) return v_fail();
    if (!again) return v;
  }
}

static Value call_through(Cx *cx, const ModelValue *m, ModelValue *of, BoundArg *args, int nargs, Span at) {
  if (!m->of) return call_leaf(cx, m, of, args, nargs, at);
  if (m->load) return call_loaded(cx, m, of, args, nargs, at);
  Seeing s;
  seeing_begin(cx, &s, m);
  const Value v = call_through(cx, m->of, of, args, nargs, at);
  const bool found = seeing_end(cx, &s, v.kind == V_FAIL, at);
  return found ? v : v_fail();
}

// What was loaded, or follows another, evaluates.
static bool evaluates(const ModelValue *m) {
  for (; m; m = m->of)
    if (m->load || m->average) return true;
  return false;
}

Value call_model(Cx *cx, ModelValue *m, BoundArg *args, int nargs, Span at) {
  const bool outer = cx->training;
  const ModelValue *leaf = leaf_of(m);
  LowerTrain *clock = cx->clock, *made_by = cx->line && !cx->t ? clock_of(cx, m) : NULL;
  if (m->nitems) return not_one(cx, m, at);
  // What was trained before evaluates.
  bool training = outer && !evaluates(m) && !(is_frozen(cx, leaf) && is_frozen(cx, m));
  if (!said_mode(cx, m, args, &nargs, &training)) return v_fail();
  cx->training = training;
  if (made_by) cx->clock = made_by;
  const Value v = call_through(cx, m, m, args, nargs, at);
  cx->clock = clock;
  cx->training = outer;
  return v;
}
