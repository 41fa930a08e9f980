// The graphs of a training: one step, initial values, validation; and of an evaluation: predictions and
// metrics.
#include "train.h"
#include <string.h>

int data_target(const reg_dataset *set) {
  for (int i = 0; i < set->nfields; i++)
    if (strcmp(set->fields[i].name, "x") && strcmp(set->fields[i].name, "id")) return i;
  return -1;
}

static bool data_has(const reg_dataset *set, const char *field) {
  for (int i = 0; i < set->nfields; i++)
    if (!strcmp(set->fields[i].name, field)) return true;
  return false;
}

Env *field_env(Cx *cx) {
  Env *env = env_new(cx, NULL, "", "train");
  for (int i = 0; i < cx->data->nfields; i++)
    env_set(cx, env, cx->data->fields[i].name, (Value){.kind = V_FIELD, .field = i});
  return env;
}

Cx *train_cx(Lowered *l, LowerTrain *t, const char *name, Mode mode, int64_t batch) {
  Cx *cx = cx_new(l, name, mode);
  cx->t = t;
  cx->batch = batch;
  cx->data = l->datasets.data[t->data];
  return cx;
}

// A loss is a number, or one number a sample, of which the mean counts.
static Node *scalar_loss(Cx *cx, const Value *v, Span at) {
  Node *n = v->kind == V_FAIL ? NULL : value_floats(cx, v);
  if (!n) return NULL;
  if (n->shape.rank == 1 && n->shape.dim[0] == cx->batch) {
    Node *sum = graph_reduce_all(cx->g, OP_SUM, n);
    return graph_binary(cx->g, OP_MUL, sum, graph_const(cx->g, 1 / (double)cx->batch, (Shape){0}));
  }
  if (n->shape.rank == 0) return n;
  diag_emit(&cx->s->diags, DIAG_not_scalar, at, "the loss", shape_text(cx->a, n->shape));
  return NULL;
}

// -- optimizer

static bool is_adaptive(const char *name) {
  static const char *const adaptive[] = {"adam", "adamw", "nadam", "rmsprop", "adagrad"};
  for (size_t i = 0; i < sizeof adaptive / sizeof *adaptive; i++)
    if (!strcmp(adaptive[i], name)) return true;
  return false;
}

// Is `l2` among the penalties of a term's name?
static bool names_l2(const char *term) {
  for (const char *at = term; (at = strstr(at, "l2")); at++)
    if ((at == term || at[-1] == '+') && (!at[2] || strchr("+ (", at[2]))) return true;
  return false;
}

static void warn_coupled(Cx *cx, LowerTrain *t, const char *optimizer) {
  for (int i = 0; i < t->terms.len; i++)
    if (names_l2(t->terms.data[i].name) && is_adaptive(optimizer)) {
      Diag *d = diag_emit(&cx->s->diags, DIAG_coupled_l2_adaptive, t->terms.data[i].origin, optimizer);
      diag_hint(d, "`weight_decay` of the optimizer, or allow(coupled_l2_adaptive) in this `train`");
    }
}

// The tree of parameters after the `optimize` clause's step, or NULL.
static Tree *optimize(Cx *cx, LowerTrain *t, ModelValue *model, bool first) {
  const Ast *e = train_clause(t->ast, "optimize");
  if (!e) return NULL;
  Value v = eval_expr(cx, field_env(cx), e);
  if (v.kind == V_FAIL) return NULL;
  if (v.kind != V_FN || v.fn->def->kind != KIND_OPTIMIZER) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "an optimizer", value_text(cx, &v));
    return NULL;
  }
  if (first) warn_coupled(cx, t, v.fn->def->name);
  return run_optimizer(cx, v.fn, model_tree(cx, model), e->span);
}

// -- the step

typedef struct Step {
  Node *loss, *objective;
  Node **terms;
  int nterms;
  Tree *after;
} Step;

static bool elaborate(Cx *cx, LowerTrain *t, bool first, Step *s) {
  const Ast *loss = train_clause(t->ast, "loss");
  if (!loss) return false;
  int errors = cx->s->diags.errors;
  Value v = eval_expr(cx, field_env(cx), loss);
  s->loss = scalar_loss(cx, &v, loss->span);
  if (!s->loss) return false;
  ModelValue *model = model_value(cx, t->build->model);
  if (first)
    for (int i = 0; i < cx->params.len; i++) {
      const ParamRef *p = cx->params.entries[i].value;
      vec_push(cx->a, t->params,
               ((LowerParam){.path = p->path, .role = p->role, .shape = p->shape, .origin = p->origin}));
    }
  if (!model_tree(cx, model)->n || model_tree(cx, model)->n != cx->params.len) {
    bool none = !model_tree(cx, model)->n;
    diag_emit(&cx->s->diags, DIAG_not_a_training_value, loss->span,
              none ? arena_printf(cx->a, "the loss does not depend on a parameter of `%s`", t->model)
                   : arena_printf(cx->a, "the loss uses a model besides `%s` that is not trained", t->model));
    return false;
  }
  s->terms = ARENA_ARRAY(cx->a, Node *, t->ast->nkids + 1);
  s->objective = s->loss;
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *p = t->ast->kids[i];
    if (p->kind != AST_PENALIZE) continue;
    const char *term = first ? penalty_term(cx, t, p) : NULL;
    Node *n = penalize(cx, t, p, term);
    if (!n) continue;
    if (first)
      vec_push(
          cx->a, t->terms,
          ((LowerTerm){.name = term, .strength = ast_text(cx->a, p->kids[2]), .origin = p->kids[2]->span}));
    s->terms[s->nterms++] = n;
    s->objective = graph_binary(cx->g, OP_ADD, s->objective, n);
  }
  cx->objective = s->objective;
  s->after = optimize(cx, t, model, first);
  return s->after && cx->s->diags.errors == errors;
}

static int input_position(const Graph *g, const char *name) {
  for (int i = 0; i < g->inputs.len; i++)
    if (!strcmp(g->inputs.data[i]->name, name)) return i;
  return -1;
}

static void output_alias(Cx *cx, const char *kind, const char *name, Node *n) {
  const char *full = arena_printf(cx->a, "%s:%s", kind, name);
  graph_output(cx->g, full, n, input_position(cx->g, full));
}

static Graph *step_graph(Cx *cx, LowerTrain *t, const Step *s) {
  graph_output(cx->g, "objective", s->objective, -1);
  graph_output(cx->g, "loss", s->loss, -1);
  for (int i = 0; i < s->nterms; i++)
    graph_output(cx->g, arena_printf(cx->a, "term:%s", t->terms.data[i].name), s->terms[i], -1);
  for (int i = 0; i < cx->schedules.len; i++)
    graph_output(cx->g, arena_printf(cx->a, "schedule:%s", cx->schedules.entries[i].key),
                 cx->schedules.entries[i].value, -1);
  for (int i = 0; i < s->after->n; i++)
    output_alias(cx, "param", s->after->leaf[i].path, s->after->leaf[i].node);
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (!ref->loaded) output_alias(cx, "state", ref->name, ref->node);
  }
  return prune(cx, cx->g);
}

bool train_discover(Lowered *l, LowerTrain *t) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s step", t->name), MODE_TRAIN, t->batch);
  Step s = {0};
  if (!elaborate(cx, t, true, &s)) return false;
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    vec_push(cx->a, t->states, ((LowerState){ref->name, ref->shape, ref->layer, ref->initial}));
  }
  for (int i = 0; i < cx->schedules.len; i++) vec_push(cx->a, t->schedules, cx->schedules.entries[i].key);
  t->build->step = step_graph(cx, t, &s);
  return true;
}

static Graph *init_graph(Lowered *l, LowerTrain *t) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s init", t->name), MODE_INIT, t->batch);
  Step s = {0};
  if (!elaborate(cx, t, false, &s))
    ice("lower", "initial values of `%s` failed after its step was built", t->name);
  for (int i = 0; i < cx->params.len; i++) {
    ParamRef *p = cx->params.entries[i].value;
    graph_output(cx->g, arena_printf(cx->a, "param:%s", p->path), p->init, -1);
  }
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (!ref->loaded) graph_output(cx->g, arena_printf(cx->a, "state:%s", ref->name), ref->init, -1);
  }
  return prune(cx, cx->g);
}

// -- predictions

Node *train_predict(Cx *cx, Def *model) {
  const Ast *ps = model->ast->kids[0];
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, ps ? ps->nkids + 1 : 1);
  int n = 0;
  for (int i = 0; ps && i < ps->nkids; i++)
    for (int k = 0; k < cx->data->nfields; k++) {
      if (strcmp(ps->kids[i]->name, cx->data->fields[k].name)) continue;
      Value *v = ARENA_NEW(cx->a, Value);
      *v = (Value){.kind = V_FIELD, .field = k, .span = ps->kids[i]->span};
      args[n++] = (BoundArg){ps->kids[i]->name, v, ps->kids[i]->span};
    }
  Value callee = {.kind = V_MODEL, .model = model_value(cx, model)};
  Value v = call_value(cx, env_new(cx, NULL, "", ""), &callee, args, n, model->ast->name_span, NULL);
  return v.kind == V_FAIL ? NULL : value_floats(cx, &v);
}

static Graph *valid_graph(Lowered *l, LowerTrain *t, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s valid %lld", t->name, (long long)batch),
                    MODE_EVAL, batch);
  const Ast *loss = train_clause(t->ast, "loss");
  Value v = eval_expr(cx, field_env(cx), loss);
  Node *n = scalar_loss(cx, &v, loss->span), *pred = train_predict(cx, t->build->model);
  if (!n || !pred) ice("lower", "validation of `%s` failed after its step was built", t->name);
  graph_output(cx->g, "loss", n, -1);
  graph_output(cx->g, "pred", pred, -1);
  return prune(cx, cx->g);
}

static Graph *predict_graph(Lowered *l, LowerTrain *t, int data, const char *name, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s predict %lld", name, (long long)batch),
                    MODE_EVAL, batch);
  cx->data = l->datasets.data[data];
  Node *pred = train_predict(cx, t->build->model);
  if (!pred) return NULL;
  graph_output(cx->g, "pred", pred, -1);
  return prune(cx, cx->g);
}

bool lower_predicts(const Lowered *l, const LowerTrain *t) {
  const Ast *ps = t->build->model->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++) {
    bool given = data_has(l->datasets.data[t->data], ps->kids[i]->name);
    if (!given && !(ps->kids[i]->nkids > 1 && ps->kids[i]->kids[1])) return false;
  }
  return true;
}

Graph *lower_train_graph(Lowered *l, LowerTrain *t, LowerKind kind, int64_t batch) {
  switch (kind) {
  case LOWER_INIT: return init_graph(l, t);
  case LOWER_VALID: return valid_graph(l, t, batch);
  case LOWER_VALID_METRICS: {
    Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s valid metrics", t->name), MODE_EVAL,
                      t->valid_rows);
    return metrics_graph(cx, t, t->build->metrics.data, t->metrics.data, t->metrics.len);
  }
  case LOWER_PREDICT: return predict_graph(l, t, t->data, t->name, batch);
  case LOWER_STEP: break;
  }
  if (batch == t->batch) return t->build->step;
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s step %lld", t->name, (long long)batch),
                    MODE_TRAIN, batch);
  Step s = {0};
  if (!elaborate(cx, t, false, &s))
    ice("lower", "the last partial batch of `%s` failed after its step was built", t->name);
  return step_graph(cx, t, &s);
}

Graph *lower_predict_graph(Lowered *l, LowerEvaluate *e, int64_t batch) {
  return predict_graph(l, l->trains.data[e->train], e->data, e->model, batch);
}

Graph *lower_metrics_graph(Lowered *l, LowerEvaluate *e) {
  LowerTrain *t = l->trains.data[e->train];
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "metrics of %s", e->data_name), MODE_EVAL, e->rows);
  cx->data = l->datasets.data[e->data];
  int n = e->metrics.len;
  const char **names = ARENA_ARRAY(cx->a, const char *, n + 1);
  for (int i = 0; i < n; i++) names[i] = e->metrics.data[i].name;
  return metrics_graph(cx, t, (const Ast *const *)(e->ast->kids + 2), names, n);
}
