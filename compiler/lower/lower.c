// What elaborations share, and the clauses of a `train` that are numbers, data or early stopping.
#include "train.h"
#include <limits.h>
#include <math.h>
#include <string.h>

Cx *cx_new(Lowered *l, const char *graph_name, Mode mode) {
  Arena *a = l->session->arena;
  Cx *cx = ARENA_NEW(a, Cx);
  *cx = (Cx){.l = l,
             .s = l->session,
             .a = a,
             .mode = mode,
             .training = mode == MODE_TRAIN,
             .fewest = INT_MAX,
             .active_from = 0,
             .g = graph_new(a, graph_name)};
  cx->g->keeps = true;
  cx->g->doubles = l->program->doubles;
  Map *maps[] = {&cx->params, &cx->states, &cx->counters, &cx->models, &cx->schedules,
                 &cx->calls,  &cx->rows,   &cx->held,     &cx->sites,  &cx->passes};
  see_scope(cx, l->scope);
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) map_init(maps[i], a);
  return cx;
}

void cx_seed(Cx *cx, Node **seed, Node **counter) {
  *seed = cx_port(cx, REG_SLOT_SEED, 0, "seed", DT_I32, shape_of(1, (int64_t)2));
  *counter = cx->initial ? graph_const_typed(cx->g, 0, DT_I32, (Shape){0})
                         : cx_port(cx, REG_SLOT_STEP, 0, "step", DT_I32, (Shape){0});
}

Node *param_input(Cx *cx, const ParamRef *p) {
  return cx_port(cx, cx->stored ? REG_SLOT_STORE : REG_SLOT_PARAM, p->index,
                 arena_printf(cx->a, "param:%s", p->path), DT_F32, p->shape);
}

Node *state_input(Cx *cx, const StateRef *s) {
  Shape there = s->shape;
  if (s->rows) there.dim[0] = s->rows == 1 ? cx->batch : cx->t->further.data[s->rows - 2]->batch;
  return cx_port(cx,
                 cx->stored ? REG_SLOT_STORE
                 : s->rows  ? REG_SLOT_SAMPLE
                            : REG_SLOT_STATE,
                 s->index, arena_printf(cx->a, "state:%s", s->name), DT_F32, there);
}

int node_operands(const Node *n) { return n->op == OP_MADE ? 1 : n->nin; }

// Only rows that are trained on have such a state.
static void rows_are_trained(Cx *cx, const Graph *g, const bool *live) {
  for (int i = 0; i < cx->states.len && cx->mode != MODE_TRAIN; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (!ref->rows || !live[ref->input->id]) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, ref->origin,
                        arena_printf(cx->a, "a value made from the `[sample]` state `%s`", ref->name),
                        "where nothing is trained: the rows there have no such state");
    for (int k = 0; k < g->nodes.len; k++) {
      const Node *n = g->nodes.data[k];
      bool reads = false;
      for (int in = 0; in < n->nin && live[k]; in++) reads = reads || bare(n->in[in]) == ref->input;
      if (!reads || n->op == OP_POINT) continue;
      diag_note(d, n->origin, "it is read here");
      break;
    }
    diag_hint(d, "`if training then … else …` says what validation and evaluation take in its place");
  }
}

Graph *prune(Cx *cx, Graph *g) {
  bool *live = ARENA_ARRAY(cx->a, bool, g->nodes.len + 1);
  for (int i = 0; i < g->outputs.len; i++) {
    live[g->outputs.data[i].node->id] = true;
    if (g->outputs.data[i].alias >= 0) live[g->inputs.data[g->outputs.data[i].alias]->id] = true;
  }
  for (int i = g->nodes.len - 1; i >= 0; i--)
    for (int k = 0; live[i] && k < node_operands(g->nodes.data[i]); k++)
      live[g->nodes.data[i]->in[k]->id] = true;
  rows_are_trained(cx, g, live);
  Graph *out = graph_new(cx->a, g->name);
  Node **now = ARENA_ARRAY(cx->a, Node *, g->nodes.len + 1);
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    if (!live[i]) continue;
    if (n->op == OP_POINT || n->op == OP_MADE) {
      now[i] = now[n->in[0]->id];
      continue;
    }
    Node **in = ARENA_ARRAY(cx->a, Node *, n->nin + 1);
    for (int k = 0; k < n->nin; k++) in[k] = now[n->in[k]->id];
    out->origin = n->origin;
    now[i] = n->op == OP_INPUT ? graph_input_like(out, n, n->dtype) : graph_rebuild(out, n, in);
  }
  Map names;
  map_init(&names, cx->a);
  for (int i = 0; i < g->outputs.len; i++) {
    GraphOutput o = g->outputs.data[i];
    if (map_get(&names, o.name)) ice("lower", "two outputs of `%s` are called `%s`", g->name, o.name);
    map_put(&names, o.name, o.node);
    const Node *overwritten = o.alias < 0 ? NULL : now[g->inputs.data[o.alias]->id];
    graph_output_port(out, o.port, o.name, now[o.node->id], overwritten ? (int)overwritten->attr[0] : -1);
  }
  return cx->g->doubles ? graph_widen(cx->a, out, cx->l->program->doubles ? -1 : REG_SLOT_SOLVE) : out;
}

// -- clauses that are numbers

const Ast *train_clause(const Ast *train, const char *name) {
  for (int i = 2; i < train->nkids; i++)
    if (train->kids[i]->kind == AST_CLAUSE && train->kids[i]->name && !strcmp(train->kids[i]->name, name))
      return train->kids[i]->kids[0];
  return NULL;
}

bool whole_number(Cx *cx, const Ast *train, const Ast *e, const char *name, const char *of, int64_t low,
                  int64_t *out) {
  Value v = eval_clause(cx, clause_env(cx, train), e);
  double d;
  const Unit own = strcmp(name, "steps") ? UNIT_EPOCHS : UNIT_STEPS;
  if (v.kind == V_NUM && v.unit == own) v.unit = UNIT_NONE; // `epochs 60 epochs`
  if (!value_number(cx, &v, arena_printf(cx->a, "`%s`", name), &d)) return false;
  if (d < (double)low || d > 1e12 || d != floor(d)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, e->span, name, of,
              arena_printf(cx->a, "a whole number of at least %lld", (long long)low), value_text(cx, &v));
    return false;
  }
  *out = (int64_t)d;
  return true;
}

static bool clause_count(Cx *cx, const Ast *train, const char *name, int64_t fallback, int64_t low,
                         int64_t *out) {
  const Ast *e = train_clause(train, name);
  *out = fallback;
  if (e && e->kind == AST_NAME && !strcmp(e->name, "all") && !strcmp(name, "batch")) {
    *out = INT64_MAX; // all rows, of which there are fewer
    return true;
  }
  return !e || whole_number(cx, train, e, name, "train", low, out);
}

// -- early stopping

static bool stop_clause(Cx *cx, LowerTrain *t, const Ast *stop) {
  const Ast *whole = stop->kids[0], *what = metric_callee(whole);
  if (what->kind != AST_FIELD || what->kids[0]->kind != AST_NAME) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, what->span,
                        "a measure of a part of the data such as valid.loss", ast_text(cx->a, whole));
    if (what->kind == AST_NAME) diag_hint(d, "write `valid.%s`", ast_text(cx->a, whole));
    return false;
  }
  const char *part = what->kids[0]->name;
  if (!strcmp(part, "test") && part_named(cx->l->datasets.data[t->data], "test")) {
    diag_emit(&cx->s->diags, DIAG_selects_on_test, what->span);
    t->valid_part = "test";
  } else if (strcmp(part, "valid")) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, what->span,
              "a measure of the validation part such as valid.loss", ast_text(cx->a, what));
    return false;
  }
  if (!t->valid_part) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_allowed_here, stop->span, "early stopping",
                        "without a validation part");
    diag_hint(d, "add one: split(train: 70%%, valid: 15%%, test: 15%%)");
    return false;
  }
  Value patience = eval_clause(cx, clause_env(cx, t->ast), stop->kids[1]);
  double steps;
  if (!value_steps(cx, &patience, &steps, NULL)) return false;
  t->watch = metric_name(cx->a, whole);
  const double epochs = ceil(steps / (double)t->steps_per_epoch);
  if (!(epochs >= 1)) {
    diag_emit(&cx->s->diags, DIAG_out_of_range, stop->kids[1]->span, "stalls for", "stop", "a time above 0",
              value_text(cx, &patience));
    return false;
  }
  t->patience = epochs < INT32_MAX ? (int64_t)epochs : INT32_MAX;
  t->keep_best = stop->num != 0;
  return true;
}

static bool watch_metric(Cx *cx, LowerTrain *t, const Ast *stop) {
  if (!t->watch || !strcmp(t->watch, "loss")) return true;
  const char *name = metric_callee(stop->kids[0])->name;
  Def *d = sema_find(cx->l->program, name);
  if (!d || d->kind != KIND_METRIC) {
    Diag *diag = diag_emit(&cx->s->diags, DIAG_wrong_kind, stop->kids[0]->span, "loss or a metric",
                           arena_printf(cx->a, "`%s`", name));
    diag_hint(diag, "metrics are definitions such as `accuracy`; `regc doc` lists them");
    return false;
  }
  t->watch_max = d->ast->num > 0;
  warn_sense(cx, d, stop->kids[0]->span);
  train_add_metric(cx, t, stop->kids[0]);
  return true;
}

// -- trainings

// Without data a training goes over a table whose rows have nothing: a row a step, a tenth of them a pass.
enum { PASSES = 10 };

static Ast *made(Cx *cx, AstKind kind, Span at, Ast *one, Ast *other) {
  Ast *e = ARENA_NEW(cx->a, Ast);
  *e = (Ast){.kind = kind, .span = at, .name_span = at, .depth = 1, .links = 1, .text = ""};
  e->kids = ARENA_ARRAY(cx->a, Ast *, 2);
  e->kids[0] = one, e->kids[1] = other;
  e->nkids = (one != NULL) + (other != NULL);
  return e;
}

// table(rows) { no_data = zeros([rows]) }
static const Ast *no_data(Cx *cx, const LowerTrain *t) {
  const Span at = t->ast->kids[0]->span;
  Ast *rows = made(cx, AST_NUM, at, NULL, NULL), *zeros = made(cx, AST_NAME, at, NULL, NULL);
  rows->num = t->steps ? (double)((t->steps - 1) / PASSES + 1) : 1;
  rows->text = arena_printf(cx->a, "%.0f", rows->num); // by which it is known
  zeros->name = builtin_info[B_ZEROS].name;
  Ast *shape = made(cx, AST_ARG, at, made(cx, AST_LIST, at, rows, NULL), NULL);
  Ast *column = made(cx, AST_BIND, at, made(cx, AST_CALL, at, zeros, shape), NULL);
  column->name = "no_data";
  return made(cx, AST_TABLE, at, made(cx, AST_BLOCK, at, column, NULL), made(cx, AST_ARG, at, rows, NULL));
}

bool training_parts(Cx *cx, const Value *data, Span at, const reg_part **train, const reg_part **valid) {
  const reg_dataset *set = cx->l->datasets.data[data->data->dataset];
  *train = part_named(set, data->data->part ? data->data->part : "train");
  *valid = data->data->part ? NULL : part_named(set, "valid");
  if (!*train) *train = part_named(set, "all");
  if (*train) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_unknown_field, at, arena_printf(cx->a, "`%s`", data->data->name),
                      "train");
  diag_hint(d, "split(train: …) makes it");
  return false;
}

static bool train_data(Cx *cx, LowerTrain *t) {
  const Ast *data = t->ast->kids[1] ? t->ast->kids[1] : no_data(cx, t);
  Value v = eval_data(cx, env_new(cx, NULL, "", ""), data);
  const reg_part *train, *valid;
  if (v.kind != V_DATA || !training_parts(cx, &v, data->span, &train, &valid)) return false;
  t->data = v.data->dataset;
  t->data_name = t->ast->kids[1] ? v.data->name : "no data";
  t->train_part = train->name;
  t->train_rows = train->nrows;
  t->valid_part = valid ? valid->name : NULL;
  t->valid_rows = valid ? valid->nrows : 0;
  return true;
}

static void add_model(Cx *cx, LowerTrain *t, const char *name) {
  for (int i = 0; i < t->models.len; i++)
    if (!strcmp(t->models.data[i], name)) return;
  vec_push(cx->a, t->models, name);
}

// One of the head, with those whose parameters it shares; false after a mistake.
static bool trained_models(Cx *cx, LowerTrain *t, const ModelValue *m) {
  if (!m) return false;
  for (int i = 0; i < m->nitems; i++) add_model(cx, t, m->items[i]->name);
  if (!m->nitems) add_model(cx, t, m->name);
  Program *p = cx->l->program;
  const SharedModels *shared = sema_shared(p, sema_find(p, m->name));
  bool ok = true;
  for (int i = 0; i < shared->len && ok; i++) {
    m = model_value(cx, sema_find(p, shared->data[i]));
    ok = m != NULL;
    for (int k = 0; ok && k < m->nitems; k++) add_model(cx, t, m->items[k]->name);
    if (ok && !m->nitems) add_model(cx, t, m->name);
  }
  return ok;
}

static bool sample_clause(Cx *cx, LowerTrain *t) {
  t->epoch_rows = t->train_rows;
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i];
    if (c->kind != AST_SAMPLE) continue;
    t->in_order = !c->nkids;
    if (!c->nkids) continue;
    t->sample = c->name && !strcmp(c->name, "where") ? REG_SAMPLE_KEPT
                : sample_near(cx, c)                 ? REG_SAMPLE_NEAR
                                                     : REG_SAMPLE_WEIGHTS;
    if (t->sample == REG_SAMPLE_NEAR && c->kids[1]) {
      diag_emit(&cx->s->diags, DIAG_not_allowed_here, c->kids[1]->span, "a number of rows",
                "beside `near`, which takes all rows");
      return false;
    }
    if (c->kids[1] && !whole_number(cx, t->ast, c->kids[1], "rows", "sample", 1, &t->epoch_rows))
      return false;
  }
  return true;
}

LowerTrain *lower_train(Lowered *l, const Ast *ast, const char *name) {
  Arena *a = l->session->arena;
  LowerTrain *t = ARENA_NEW(a, LowerTrain);
  t->ast = ast;
  t->scope = l->scope;
  Cx *cx = cx_new(l, "clauses", MODE_TRAIN);
  for (int i = 0; i < ast->kids[0]->nkids; i++) {
    const Ast *head = ast->kids[0]->kids[i];
    Def *model = sema_find(l->program, head->name);
    if (!model || model->kind != KIND_MODEL) {
      diag_emit(&l->session->diags, DIAG_wrong_kind, head->span, "a model",
                model ? arena_printf(a, "the %s `%s`", def_kind_name(model->kind), model->name)
                      : arena_printf(a, "`%s`", ast_text(a, head)));
      return NULL;
    }
    if (!trained_models(cx, t, model_value(cx, model))) return NULL;
  }
  for (int i = 0; i < l->program->defs.len; i++) { // what follows them is left with them
    const Def *d = l->program->defs.entries[i].value;
    if (average_follows(d, t)) add_model(cx, t, d->name);
  }
  const Ast *heads = ast->kids[0];
  int first = 0; // a parameter of its own predicts nothing
  while (first + 1 < heads->nkids && sema_find(l->program, heads->kids[first]->name)->ast->num != 0) first++;
  t->model = heads->kids[first]->name;
  t->name = name;
  int64_t seed = 0;
  if (!clause_count(cx, ast, "steps", 0, 1, &t->steps) || !train_data(cx, t) ||
      !clause_count(cx, ast, "batch", 32, 1, &t->batch) ||
      !clause_count(cx, ast, "epochs", 10, 1, &t->epochs) || !clause_count(cx, ast, "seed", 0, 0, &seed))
    return NULL;
  if (l->host.epochs) t->epochs = l->host.epochs, t->steps = 0;
  if (l->host.batch) t->batch = l->host.batch;
  if (!ast->kids[1]) t->batch = 1;
  t->seed = l->host.has_seed ? l->host.seed : (uint64_t)seed;
  if (!sample_clause(cx, t) || !solve_begin(cx, t)) return NULL;
  if (t->batch > t->epoch_rows) t->batch = t->epoch_rows;
  t->last_batch = t->epoch_rows % t->batch;
  t->steps_per_epoch = t->epoch_rows / t->batch + (t->last_batch > 0);
  if (t->sample == REG_SAMPLE_KEPT) t->last_batch = 0;
  const int64_t fewest = t->sample == REG_SAMPLE_KEPT ? 1 : t->steps_per_epoch; // steps of a pass
  if (t->steps) t->epochs = (t->steps - 1) / fewest + 1;
  if (t->epochs > INT32_MAX / (t->steps ? fewest : t->steps_per_epoch)) {
    const Ast *clause = train_clause(ast, t->steps ? "steps" : "epochs");
    diag_emit(&l->session->diags, DIAG_too_many_steps, clause ? clause->span : ast->span,
              (long long)t->epochs, (long long)t->steps_per_epoch, INT32_MAX);
    return NULL;
  }
  t->total_steps = t->steps ? t->steps : t->steps_per_epoch * t->epochs;
  if (!further_find(cx, t)) return NULL;
  t->build = ARENA_NEW(a, TrainBuild);
  t->build->model = sema_find(l->program, t->model);
  cx->t = t;
  for (int i = 2; i < ast->nkids; i++)
    if (ast->kids[i]->kind == AST_STOP && ast->kids[i]->kids[1] &&
        (!stop_clause(cx, t, ast->kids[i]) || !watch_metric(cx, t, ast->kids[i])))
      return NULL;
  if (t->valid_part) t->valid_rows = part_named(l->datasets.data[t->data], t->valid_part)->nrows;
  return t;
}
