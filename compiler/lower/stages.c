// The whole program once: its statements in their order. In: a checked Program. Out: a Lowered with all
// graphs that a run needs: building them here reports every mistake of shapes, ranges and selectors.
// Trainings of one model go on with its tensors, so these are the same in all of them; each training has a
// name of its own.
#include "stages.h"
#include <string.h>

// -- names

static const char *default_name(const Ast *train) { return train->kids[0]->kids[0]->name; }

// Names that trainings say, and those of the first models whose training says none.
static void spoken_names(Lowered *l, Map *names) {
  const Program *p = l->program;
  for (int i = 0; i < p->trains.len; i++) {
    const Ast *t = p->trains.data[i], *first = t->name ? map_get(names, t->name) : NULL;
    if (first) {
      Diag *d = diag_emit(&l->session->diags, DIAG_duplicate_definition, t->name_span, t->name);
      diag_note(d, first->name_span, "first defined here");
    } else if (t->name) {
      map_put(names, t->name, (void *)t);
    }
  }
  for (int i = 0; i < p->trains.len; i++) {
    const Ast *t = p->trains.data[i];
    if (!t->name && !map_get(names, default_name(t))) map_put(names, default_name(t), (void *)t);
  }
}

// Unnamed trainings have their model's name; repeats have a number. A copy of a training stands for it.
static const char *name_of(Lowered *l, Map *names, const Ast *train) {
  static const Ast taken;
  const char *base = train->name ? train->name : default_name(train), *name = base;
  const Ast *has;
  for (int number = 2; (has = map_get(names, name)) != NULL; number++) {
    if (has != &taken && has->span.source == train->span.source && has->span.start == train->span.start)
      break;
    name = arena_printf(l->session->arena, "%s%d", base, number);
  }
  map_put(names, name, (void *)&taken);
  return name;
}

// -- trainings of one model

static void same_tensor(Lowered *l, const LowerTrain *t, const LowerTrain *before, const char *what,
                        const char *name, Shape now, Shape then) {
  if (shape_equal(now, then)) return;
  Arena *a = l->session->arena;
  Diag *d =
      diag_emit(&l->session->diags, DIAG_shape_mismatch, t->ast->kids[0]->span,
                arena_printf(a, "%s `%s` in trainings `%s` and `%s`", what, name, before->name, t->name),
                shape_text(a, then), shape_text(a, now));
  diag_note(d, before->ast->kids[0]->span, "trained here before");
  const bool swept =
      t->ast->span.source == before->ast->span.source && t->ast->span.start == before->ast->span.start;
  diag_hint(d,
            swept ? "a model that the block defines, `model m = new net`, is another one in each run"
                  : "a later training of a model goes on with its tensors; another model needs another name");
}

static void same_tensors(Lowered *l, const LowerTrain *t, const LowerTrain *before) {
  Map params;
  map_init(&params, l->session->arena);
  for (int i = 0; i < before->params.len; i++)
    map_put(&params, before->params.data[i].path, &before->params.data[i]);
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i], *then = map_get(&params, p->path);
    if (then) same_tensor(l, t, before, "parameter", p->path, p->shape, then->shape);
  }
  for (int i = 0; i < t->states.len; i++) {
    const LowerState *s = &t->states.data[i];
    const StateRef *then = s->layer ? train_state(before, s->name) : NULL;
    if (then) same_tensor(l, t, before, "state", s->name, s->shape, then->shape);
  }
}

// Its model's tensors are those of the program.
static void store_tensors(Lowered *l, LowerTrain *t) {
  for (int i = 0; i < t->params.len; i++) {
    LowerParam *p = &t->params.data[i];
    p->stored =
        stored_index(l, (LowerTensor){.name = p->path, .dtype = DT_F32, .shape = p->shape, .param = true});
    if (!map_get(&l->known, p->path)) map_put(&l->known, p->path, p);
  }
  for (int i = 0; i < t->states.len; i++) {
    LowerState *s = &t->states.data[i];
    s->stored =
        s->layer ? stored_index(
                       l, (LowerTensor){.name = s->name, .dtype = DT_F32, .shape = s->shape, .layer = true})
                 : -1;
  }
}

// -- evaluations

// Whether a training has tensors of a model that it does not train itself: of one that this is derived from.
static bool has_of(const LowerTrain *t, const Lowered *l, const char *model) {
  for (int i = 0; i < t->params.len; i++)
    if (model_owns(l, model, t->params.data[i].path)) return true;
  return false;
}

// What a derived model is derived from; e where it is no such model.
static const Ast *derived_from(const Lowered *l, const Ast *e) {
  const Def *d = e->kind == AST_NAME ? sema_find(l->program, e->name) : NULL;
  const Ast *body = d && d->kind == KIND_MODEL ? d->ast->kids[2] : e,
            *of = body->kind == AST_DERIVE || body->kind == AST_AT ? body : e;
  while (of->kind == AST_DERIVE || of->kind == AST_AT) of = of->kids[0];
  return of;
}

// Does the model come from a file? Then it needs no training's weights.
static bool comes_from_file(const Lowered *l, const Ast *model) {
  const Ast *of = derived_from(l, model);
  const Def *d = of->kind == AST_NAME ? sema_find(l->program, of->name) : NULL;
  return of != model ? comes_from_file(l, of)
                     : calls_load(l, of) || (d && sema_is_still(d) && !average_call(d));
}

// The model whose training makes the parameters, or those that they follow.
static const char *trained_model(const Lowered *l, const Ast *model) {
  const Ast *of = derived_from(l, model);
  const Def *d = of->kind == AST_NAME ? sema_find(l->program, of->name) : NULL;
  if (!d || !average_of(d)) return ast_text(l->session->arena, model);
  const Ast *followed = call_arg(average_call(d), "net", 0);
  return trained_model(l, followed);
}

// Of the trainings so far the last one that trains the model, else of a derived model the one that has what
// it is derived from; -1: none.
static int training_of(const Lowered *l, const Ast *evaluated) {
  const char *model = trained_model(l, evaluated);
  if (comes_from_file(l, evaluated)) return -1;
  for (int derived = 0; derived < 2; derived++)
    for (int i = l->trains.len - 1; i >= 0; i--) {
      const LowerTrain *t = l->trains.data[i];
      if (t->inside) continue;
      if (trains_model(t, model) || (derived && has_of(t, l, model))) return i;
    }
  return -1;
}

static bool evaluate_data(Lowered *l, LowerEvaluate *e) {
  Arena *a = l->session->arena;
  Cx *cx = cx_new(l, "evaluate", MODE_EVAL);
  const Ast *data = e->ast->kids[1];
  Value v = eval_data(cx, env_new(cx, NULL, "", ""), data);
  if (v.kind != V_DATA) return false;
  e->data = v.data->dataset;
  const reg_dataset *set = l->datasets.data[e->data];
  e->part = v.data->part;
  if (!e->part && part_named(set, "all")) e->part = "all";
  if (!e->part) {
    Diag *d = diag_emit(&l->session->diags, DIAG_wrong_kind, data->span, "one part of the data", "all of it");
    diag_hint(d, "write `%s.test`", v.data->name);
    return false;
  }
  e->data_name = v.data->part ? arena_printf(a, "%s.%s", v.data->name, v.data->part) : v.data->name;
  e->rows = part_named(set, e->part)->nrows;
  e->target = set->target;
  return e->train < 0 || data_agree(cx, l->trains.data[e->train], e->data, data->span);
}

// Beside a measure on other rows, one on those of the training tells how far the two are apart.
static bool measured_elsewhere(const Lowered *l, const LowerEvaluate *e) {
  for (int i = 0; i < l->evaluates.len; i++) {
    const LowerEvaluate *other = l->evaluates.data[i];
    if (!strcmp(other->model, e->model) && strcmp(other->data_name, e->data_name) != 0) return true;
  }
  return false;
}

static void warn_of_data(Lowered *l, const LowerEvaluate *e) {
  for (int i = 0; i <= e->train; i++) {
    const LowerTrain *t = l->trains.data[i];
    if (e->data == t->data && !t->inside && trains_model(t, e->model) && !strcmp(e->part, t->train_part) &&
        !measured_elsewhere(l, e))
      diag_emit(&l->session->diags, DIAG_evaluates_training_data, e->ast->kids[1]->span,
                arena_printf(l->session->arena, "evaluate %s", e->model));
  }
}

// Rows predicted at once: all where they are few, for then one function does.
enum { AT_ONCE = 1024, CHUNK = 256 };

// Have statements given values to all parameters of the model?
static bool is_given(const Lowered *l, const char *model) {
  bool any = false, all = true;
  for (int i = 0; i < l->store.len; i++) {
    const LowerTensor *t = &l->store.data[i];
    if (!t->param || !model_owns(l, model, t->name)) continue;
    any = true;
    all = all && t->given;
  }
  return any && all;
}

static LowerEvaluate *lower_evaluate(Lowered *l, const Ast *ast) {
  LowerEvaluate *e = ARENA_NEW(l->session->arena, LowerEvaluate);
  *e = (LowerEvaluate){
      .ast = ast, .model = ast_text(l->session->arena, ast->kids[0]), .train = training_of(l, ast->kids[0])};
  if (!evaluate_data(l, e)) return NULL;
  const LowerTrain *t = e->train < 0 ? NULL : l->trains.data[e->train];
  e->chunk = t && t->in_order     ? (e->rows < t->batch ? e->rows : t->batch)
             : e->rows <= AT_ONCE ? e->rows
                                  : CHUNK;
  if (!evaluate_graphs(l, e)) return NULL;
  if (e->train < 0 && !comes_from_file(l, e->ast->kids[0]) && !l->host.apart &&
      !is_given(l, trained_model(l, e->ast->kids[0])))
    diag_emit(&l->session->diags, DIAG_evaluates_untrained, e->ast->kids[0]->span, e->model);
  return e;
}

// -- straight lines

Cx *stored_cx(Lowered *l, const char *name) {
  Cx *cx = cx_new(l, name, MODE_EVAL);
  cx->stored = true;
  for (int i = 0; i < l->known.len; i++) {
    const LowerParam *p = l->known.entries[i].value;
    know_param(cx, p->path, p->role, p->shape, p->origin);
  }
  return cx;
}

Cx *stages_line(Stages *s) {
  if (s->line) return s->line;
  Cx *cx = stored_cx(s->l, arena_printf(s->l->session->arena, "line %d", ++s->lines));
  cx->line = true;
  cx->stream = s->stream;
  s->line = cx;
  s->env = env_new(cx, NULL, "", "");
  return cx;
}

static int line_function(Stages *s) {
  Cx *cx = s->line;
  for (int i = 0; i < s->given.len; i++) {
    const Given *g = &s->given.data[i];
    const LowerTensor *t = &s->l->store.data[g->stored];
    const char *name = arena_printf(cx->a, "%s:%s",
                                    t->param   ? "param"
                                    : t->layer ? "state"
                                               : "store",
                                    t->name);
    const Node *in = graph_find_input(cx->g, name);
    if (bare(g->node) == in) continue; // what it was
    graph_output_port(cx->g, (Port){REG_SLOT_STORE, g->stored}, name, g->node, in ? (int)in->attr[0] : -1);
  }
  s->line = NULL;
  s->stream = cx->stream;
  s->given.len = 0;
  if (!cx->g->outputs.len) return -1;
  vec_push(cx->a, s->l->applies,
           ((LowerApply){cx->g->name, prune(cx, cx->g), columns_read(cx), cx->columns.len}));
  return s->l->applies.len - 1;
}

void push_stage(Stages *s, reg_stage stage) {
  if (s->list) vec_push(s->l->session->arena, *s->list, stage);
}

static reg_stage act(reg_stage_kind kind, int index) {
  return (reg_stage){.kind = kind, .index = index, .value = -1, .turn = -1};
}

void push_act(Stages *s, reg_stage_kind kind, int index, Span at) {
  reg_stage stage = act(kind, index);
  stage.place = stage_place(s->l, at);
  push_stage(s, stage);
}

int stages_close(Stages *s) { return s->line ? line_function(s) : -1; }

void stages_flush(Stages *s) {
  const int apply = stages_close(s);
  if (apply >= 0) push_stage(s, act(REG_STAGE_APPLY, apply));
}

const char *stage_place(Lowered *l, Span at) {
  const Source *source = source_get(&l->session->sources, at.source);
  return source ? source_place(l->session->arena, source, at) : "";
}

// -- trainings and evaluations among the statements

static int know_result(Lowered *l, StageScope *scope, const char *name, Span at, DType t, Shape shape) {
  Cx *cx = cx_new(l, "result", MODE_EVAL);
  Value v = v_tensor(graph_const_typed(cx->g, 0, t, shape), at);
  return held_new(l, scope, name, at, &v)->stored[0];
}

// `e`, of which `e.accuracy` is a part.
static void know_record(Stages *s, const char *name, Span at, LowerTrain *t) {
  const Value none = {.kind = V_NONE, .span = at};
  held_new(s->l, s->scope, name, at, &none)->train = t;
}

// What uses it stays silent.
static void know_failed(Stages *s, const Ast *e) {
  const Value failed = {.kind = V_FAIL, .span = e->span};
  if (e->name) held_new(s->l, s->scope, e->name, e->name_span, &failed);
}

void training_result(Lowered *l, StageScope *scope, LowerTrain *t, const char *name, reg_result_kind kind,
                     int index, bool history) {
  const bool count = kind >= REG_RESULT_EPOCHS;
  const Shape shape = kind == REG_RESULT_STATE ? t->states.data[index].shape
                      : history                ? shape_of(1, t->epochs)
                                               : (Shape){0};
  reg_result r = {.kind = kind, .index = index, .history = history};
  r.value = know_result(l, scope, name, t->ast->name_span, count ? DT_F64 : DT_F32, shape);
  vec_push(l->session->arena, t->results, r);
}

static void add_result(Lowered *l, StageScope *scope, LowerTrain *t, const char *part, reg_result_kind kind,
                       int index, bool history) {
  const char *name =
      arena_printf(l->session->arena, "%s.%s%s", t->ast->name, history ? "history." : "", part);
  training_result(l, scope, t, name, kind, index, history);
}

LowerTrain *clock_of(const Cx *cx, const ModelValue *m) {
  for (; m && !m->load; m = m->of)
    for (int i = cx->l->trains.len - 1; i >= 0 && !m->average; i--) {
      LowerTrain *t = cx->l->trains.data[i];
      if (!t->inside && trains_model(t, m->name)) return t;
    }
  return NULL;
}

Node *clock_result(Cx *cx, int kind) {
  LowerTrain *t = cx->clock;
  for (int i = 0; i < t->results.len; i++) {
    const reg_result *r = &t->results.data[i];
    if ((int)r->kind == kind && !r->history) return stored_input(cx, r->value);
  }
  const char *name =
      arena_printf(cx->a, "%s at its end: %s", t->name, kind == REG_RESULT_STEPS ? "steps" : "epochs");
  training_result(cx->l, cx->l->all, t, name, (reg_result_kind)kind, 0, false);
  return stored_input(cx, t->results.data[t->results.len - 1].value);
}

// What the training's state is called behind it, `seen` or `early.t`; NULL: it belongs to its model, or is
// one of several tensors.
static const char *state_result_name(const LowerState *s) {
  const size_t own = strlen("train.");
  if (s->layer || s->initial || strchr(s->name, ' ')) return NULL;
  return strncmp(s->name, "train.", own) ? s->name : s->name + own;
}

static void train_results(Stages *s, LowerTrain *t) {
  if (!t->ast->name || map_get(&s->l->program->defs, t->ast->name)) return; // it is called as its model is
  know_record(s, t->ast->name, t->ast->name_span, t);
  for (int history = 0; history < 2; history++) {
    add_result(s->l, s->scope, t, "loss", REG_RESULT_LOSS, 0, history);
    add_result(s->l, s->scope, t, "objective", REG_RESULT_OBJECTIVE, 0, history);
    if (t->valid_part) add_result(s->l, s->scope, t, "valid.loss", REG_RESULT_VALID_LOSS, 0, history);
    for (int i = 0; i < t->terms.len; i++)
      if (t->terms.data[i].log)
        add_result(s->l, s->scope, t, t->terms.data[i].name, REG_RESULT_LOG, i, history);
  }
  add_result(s->l, s->scope, t, "epochs", REG_RESULT_EPOCHS, 0, false);
  add_result(s->l, s->scope, t, "steps", REG_RESULT_STEPS, 0, false);
  if (t->watch) add_result(s->l, s->scope, t, "best_epoch", REG_RESULT_BEST_EPOCH, 0, false);
  if (!s->l->host.apart) return;
  keep_states(s->l, s->scope, t); // for what is asked when it is over
  for (int i = 0; i < t->states.len; i++) {
    const char *name = state_result_name(&t->states.data[i]);
    const char *text = name ? arena_printf(s->l->session->arena, "%s.%s", t->ast->name, name) : NULL;
    if (text && !map_get(&s->scope->names, text))
      add_result(s->l, s->scope, t, name, REG_RESULT_STATE, i, false);
  }
}

// Statements behind every epoch.
static void each_epoch(Stages *s, LowerTrain *t) {
  block_open(s);
  know_clauses(s->l, s->scope, t);
  for (int i = 2; i < t->ast->nkids; i++)
    if (t->ast->kids[i]->kind == AST_EACH_EPOCH) lower_statements(s, t->ast->kids[i]->kids[0]);
  stop_conditions(s, t);
  const StageList *list = block_close(s);
  t->each_epoch.data = list->data;
  t->each_epoch.len = list->len;
}

// NULL where nothing, or no training, has this name.
static const Held *training_named(Cx *cx, const char *name, StageScope **scope) {
  *scope = cx->sees;
  while (*scope && !map_get(&(*scope)->names, name)) *scope = (*scope)->outer;
  const Held *h = *scope ? map_get(&(*scope)->names, name) : NULL;
  return h && h->train && !h->clause ? h : NULL;
}

// `dense.seen`, `dense.early.t`: a state of the training, one of its lines or of a definition that it calls.
static bool state_result(Cx *cx, const Ast *e) {
  const char *text = ast_text(cx->a, e), *part = strchr(text, '.');
  StageScope *scope;
  const Held *h = part ? training_named(cx, arena_strndup(cx->a, text, (size_t)(part - text)), &scope) : NULL;
  for (int i = 0; h && i < h->train->states.len; i++) {
    const char *name = state_result_name(&h->train->states.data[i]);
    if (!name || strcmp(name, part + 1) != 0) continue;
    add_result(cx->l, scope, h->train, part + 1, REG_RESULT_STATE, i, false);
    return true;
  }
  return false;
}

// `dense.valid.accuracy`, `dense.history.valid.accuracy`: metrics of the validation part are results when
// they are asked for.
bool late_result(Cx *cx, const Ast *e) {
  if (state_result(cx, e) || clause_result(cx, e) || sweep_result(cx, e)) return true;
  const Ast *valid = e->kids[0], *root = valid;
  while (root->kind == AST_FIELD) root = root->kids[0];
  const bool whole = valid->kind == AST_FIELD && !strcmp(valid->name, "valid") && root->kind == AST_NAME;
  const bool history = whole && valid->kids[0]->kind == AST_FIELD && !strcmp(valid->kids[0]->name, "history");
  if (!whole || (history ? valid->kids[0]->kids[0] : valid->kids[0]) != root) return false;
  StageScope *scope;
  const Held *h = training_named(cx, root->name, &scope);
  const Def *metric = sema_find(cx->l->program, e->name);
  if (!h || !h->train->valid_part || !metric || metric->kind != KIND_METRIC) return false;
  Ast *name = ARENA_NEW(cx->a, Ast);
  *name = (Ast){.kind = AST_NAME, .name = e->name, .span = e->span, .name_span = e->span};
  train_add_metric(cx, h->train, name);
  int index = 0;
  while (strcmp(h->train->metrics.data[index], e->name) != 0) index++;
  add_result(cx->l, scope, h->train, arena_printf(cx->a, "valid.%s", e->name), REG_RESULT_METRIC, index,
             history);
  return true;
}

void lower_training(Stages *s, const Ast *ast) {
  Lowered *l = s->l;
  stages_flush(s);
  sema_use_recipe(l->program, ast);
  const char *name = name_of(l, &s->names, ast);
  LowerTrain *t = lower_train(l, ast, name);
  const int before = l->session->diags.list.len;
  const bool found = t && train_discover(l, t);
  if (t) note_recipe(l, before, t);
  if (found) {
    for (int k = 0; k < l->trains.len; k++) same_tensors(l, t, l->trains.data[k]);
    store_tensors(l, t);
    train_results(s, t);
    sample_rows(s, t);
    const int index = l->trains.len;
    vec_push(l->session->arena, l->trains, t);
    each_epoch(s, t);
    push_stage(s, act(REG_STAGE_TRAIN, index));
    return;
  }
  s->failed = true;
  know_failed(s, ast);
  if (!l->session->diags.errors) // dropped without a word it may not be
    diag_emit(&l->session->diags, DIAG_not_a_training_value, ast->span,
              arena_printf(l->session->arena, "`%s` cannot be trained: a part of it has no value", name));
}

static void evaluate_results(Stages *s, LowerEvaluate *e) {
  Arena *a = s->l->session->arena;
  if (!e->ast->name) return;
  know_record(s, e->ast->name, e->ast->name_span, NULL);
  for (int i = 0; i < e->metrics.len; i++) {
    LowerMetric *m = &e->metrics.data[i];
    m->stored = know_result(s->l, s->scope, arena_printf(a, "%s.%s", e->ast->name, m->name),
                            e->ast->name_span, DT_F32, m->shape);
  }
}

// Where nothing trains its model before it, it sees what the store has: initial values, or what statements
// gave.
void lower_evaluation(Stages *s, const Ast *ast) {
  Lowered *l = s->l;
  stages_flush(s);
  const bool trained = training_of(l, ast->kids[0]) >= 0;
  for (int i = trained; i < ast->nkids; i++) stages_meet(s, ast->kids[i]); // metrics may name other models
  LowerEvaluate *e =
      trained || !s->failed ? lower_evaluate(l, ast) : NULL; // its training may have had a mistake
  if (!e) {
    know_failed(s, ast);
    return;
  }
  evaluate_results(s, e);
  push_stage(s, act(REG_STAGE_EVALUATE, l->evaluates.len));
  vec_push(l->session->arena, l->evaluates, e);
}

// -- models that a statement names before a training or another statement has

static bool is_known(const Lowered *l, const char *model) {
  const size_t n = strlen(model);
  for (int i = 0; i < l->known.len; i++)
    if (!strncmp(l->known.entries[i].key, model, n) && l->known.entries[i].key[n] == '.') return true;
  return false;
}

static void know_models(Stages *s, Cx *cx) {
  Lowered *l = s->l;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (map_get(&l->known, p->path)) continue;
    LowerParam *param = ARENA_NEW(cx->a, LowerParam);
    *param = (LowerParam){
        .path = p->path, .role = p->role, .stored = p->index, .shape = p->shape, .origin = p->origin};
    map_put(&l->known, p->path, param);
    if (s->line) know_param(s->line, p->path, p->role, p->shape, p->origin);
  }
}

static bool is_met(const Stages *s, const char *model) {
  return s->l->host.apart ? map_get(&s->met, model) != NULL : is_known(s->l, model);
}

static bool has_tensors(const Lowered *l, const char *model) {
  const size_t n = strlen(model);
  for (int i = 0; i < l->store.len; i++)
    if (!strncmp(l->store.data[i].name, model, n) && l->store.data[i].name[n] == '.') return true;
  return false;
}

static void meet(Stages *s, Def *model, const Def *average) {
  Lowered *l = s->l;
  Cx *cx =
      cx_new(l, arena_printf(l->session->arena, "%s init", average ? average->name : model->name), MODE_EVAL);
  Graph *init = NULL;
  cx->line = cx->stored = true;
  cx->initials = cx->training = true; // so that initial values have the draws of a training
  const int before = l->session->diags.list.len;
  meet_parameters(cx, model);
  const ModelValue *m = average ? average_model(cx, average) : NULL;
  if (m) average_meet(cx, m); // starts from its model's initial values, until a training of this begins
  diags_forget(&l->session->diags, before); // what is wrong with the call is told where it stands
  if (!cx->params.len || !initial_graphs(cx, NULL, &init, NULL) || !init) return;
  know_models(s, cx);
  vec_push(cx->a, l->applies, ((LowerApply){.name = cx->g->name, .graph = init}));
  vec_push(cx->a, *s->whole, act(REG_STAGE_INIT, l->applies.len - 1));
}

// Where nothing has trained a model so far, its initial values come before the statement of the top level
// that names it: what stands in one branch alone may not act.
void stages_meet(Stages *s, const Ast *e) {
  Lowered *l = s->l;
  Models models = {0}, averages = {0};
  find_models(l, e, &models);
  find_averages(l, e, &averages);
  for (int i = 0; i < averages.len; i++) {
    const Def *d = averages.data[i];
    if (!has_tensors(l, d->name)) meet(s, sema_find(l->program, average_of(d)), d);
  }
  for (int i = 0; i < models.len; i++) {
    Def *d = models.data[i];
    if (is_met(s, d->name)) continue;
    map_put(&s->met, d->name, d);
    meet(s, d, NULL);
  }
}

// -- the program

Lowered *lower_program(Program *p, const LowerHost *host, int *exit_code) {
  Arena *a = p->session->arena;
  Lowered *l = ARENA_NEW(a, Lowered);
  *l = (Lowered){.session = p->session, .program = p, .host = *host};
  map_init(&l->stored, a);
  map_init(&l->known, a);
  map_init(&l->rows, a);
  map_init(&l->instances, a);
  map_init(&l->roles, a);
  live_settings(l);
  Stages s = {.l = l, .root = scope_new(l, NULL)};
  s.scope = l->all = s.root;
  StageList list = {0};
  s.list = s.whole = &list;
  l->scope = s.scope;
  map_init(&s.names, a);
  spoken_names(l, &s.names);
  for (int i = 0; i < p->statements.len; i++) {
    if (host->apart) stages_flush(&s);
    map_init(&s.met, a);
    vec_push(a, l->begins, list.len);
    lower_statement(&s, p->statements.data[i]);
  }
  stages_flush(&s);
  for (int i = 0; i < l->evaluates.len; i++) watch_everywhere(l, l->evaluates.data[i]);
  l->stages.data = list.data;
  l->stages.len = list.len;
  l->scope = NULL;
  held_names(l, s.scope);
  for (int i = 0; i < l->trains.len; i++) {
    const int before = l->session->diags.list.len;
    train_graphs(l, l->trains.data[i]);
    note_recipe(l, before, l->trains.data[i]);
  }
  for (int i = 0; i < l->evaluates.len; i++) warn_of_data(l, l->evaluates.data[i]);
  if (!host->apart) harm_averages(l);
  if (l->exit_code) *exit_code = l->exit_code;
  return l;
}
