// The graphs of a training: its step for each size of a batch, validation, predictions.
#include "stages.h"
#include <string.h>

static bool data_has(const reg_dataset *set, const char *field) {
  for (int i = 0; i < set->nfields; i++)
    if (!strcmp(set->fields[i].name, field)) return true;
  return false;
}

static bool stands_in(const Ast *e, const Def *d) {
  const Span at = e->span, whole = d->ast->span;
  return at.source == whole.source && at.start >= whole.start && at.end <= whole.end;
}

Value eval_clause(Cx *cx, Env *env, const Ast *e) {
  const Within outer = {cx->library, cx->sees};
  cx->library = source_is_library(source_get(&cx->s->sources, e->span.source));
  if (cx->recipe && stands_in(e, cx->recipe)) text_enter(cx, cx->recipe);
  Value v = eval_expr(cx, env, e);
  text_leave(cx, outer);
  return v;
}

// A schedule is known in the training, which is not there yet when its numbers of rows and epochs are asked
// for.
static Value clause_arg(Cx *cx, const Ast *e) {
  Diags *ds = &cx->s->diags;
  const int before = ds->list.len;
  const Value v = eval_expr(cx, env_new(cx, NULL, "", ""), e);
  bool later = v.kind == V_FAIL && !cx->t;
  for (int i = before; i < ds->list.len; i++) later = later && ds->list.data[i]->id == DIAG_not_allowed_here;
  if (later) diags_forget(ds, before);
  return v;
}

// The parameters of its recipe: the models of the head, then the values that are given.
Env *clause_env(Cx *cx, const Ast *train) {
  Def *recipe = train_recipe(cx->l->program, train);
  if (cx->clauses || !recipe) return cx->clauses ? cx->clauses : env_new(cx, NULL, "", "train");
  cx->clauses = env_new(cx, NULL, "", "train");
  cx->recipe = recipe;
  const Ast *heads = train->kids[0], *call = train->kids[2]->kids[0];
  const int given = call->kind == AST_CALL ? call->nkids - 1 : 0;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, heads->nkids + given + 1);
  for (int i = 0; i < heads->nkids + given; i++) {
    const Ast *arg = i < heads->nkids ? heads->kids[i] : call->kids[i - heads->nkids + 1];
    Value *v = ARENA_NEW(cx->a, Value);
    *v = clause_arg(cx, arg->kind == AST_ARG ? arg->kids[0] : arg);
    args[i] = (BoundArg){arg->kind == AST_ARG ? arg->name : NULL, v, arg->span};
  }
  const Ast *params = recipe->ast->kids[0];
  if (!bind_args(cx, recipe, args, heads->nkids + given, call->span, cx->clauses, false))
    for (int i = 0; params && i < params->nkids; i++)
      if (!env_get(cx->clauses, params->kids[i]->name))
        env_set(cx, cx->clauses, params->kids[i]->name, v_fail());
  return cx->clauses;
}

Env *data_env(Cx *cx, const Env *outer) {
  Env *env = env_new(cx, outer, "", "train");
  for (int i = 0; i < cx->data->nfields; i++)
    env_set(cx, env, cx->data->fields[i].name, (Value){.kind = V_FIELD, .field = i});
  return env;
}

// Lines among the clauses are made once for all of them.
Env *field_env(Cx *cx) {
  if (cx->fields) return env_new(cx, cx->fields, "", "train");
  const Ast *ast = cx->t ? cx->t->ast : NULL;
  Env *env = data_env(cx, ast ? states_env(cx, clause_env(cx, ast)) : NULL);
  if (!ast) return env;
  further_names(cx, env);
  cx->fields = env;
  for (int i = 2; i < ast->nkids; i++)
    if (ast_is_line(ast->kids[i])) eval_clause(cx, cx->fields, ast->kids[i]);
  return env_new(cx, cx->fields, "", "train");
}

void note_recipe(Lowered *l, int first, const LowerTrain *t) {
  const Def *recipe = train_recipe(l->program, t->ast);
  for (int i = first; recipe && i < l->session->diags.list.len; i++) {
    Diag *d = l->session->diags.list.data[i];
    const Span at = d->span, whole = recipe->ast->span;
    if (at.source == whole.source && at.start >= whole.start && at.end <= whole.end)
      diag_note(d, t->ast->kids[2]->span, "this recipe is used here");
  }
}

static Cx *new_cx(Lowered *l, LowerTrain *t, const char *name, Mode mode, int64_t batch) {
  Cx *cx = cx_new(l, name, mode);
  cx->t = t;
  cx->batch = batch;
  if (t->scope) see_scope(cx, t->scope);
  cx->data = l->datasets.data[t->data];
  return cx;
}

void know_param(Cx *cx, const char *path, const char *role, Shape shape, Span origin) {
  ParamRef *p = ARENA_NEW(cx->a, ParamRef);
  *p = (ParamRef){
      .path = path, .role = role, .index = param_index(cx, path, shape), .shape = shape, .origin = origin};
  p->node = param_input(cx, p);
  map_put(&cx->params, path, p);
}

Cx *train_cx(Lowered *l, LowerTrain *t, const char *name, Mode mode, int64_t batch) {
  Cx *cx = new_cx(l, t, name, mode, batch);
  for (int i = 0; i < t->params.len; i++) {
    const LowerParam *p = &t->params.data[i];
    know_param(cx, p->path, p->role, p->shape, p->origin);
  }
  cx->known = true;
  return cx;
}

int param_index(Cx *cx, const char *path, Shape s) {
  return cx->stored ? stored_index(cx->l, (LowerTensor){path, DT_F32, s, .param = true}) : cx->params.len;
}

int state_index(Cx *cx, const char *name, Shape s) {
  if (cx->stored) return stored_index(cx->l, (LowerTensor){name, DT_F32, s, .layer = true});
  const StateRef *known = cx->known ? train_state(cx->t, name) : NULL;
  return known ? known->index : cx->states.len;
}

bool trains_model(const LowerTrain *t, const char *model) {
  for (int i = 0; i < t->models.len; i++)
    if (!strcmp(t->models.data[i], model)) return true;
  for (int i = 0; i < t->ast->kids[0]->nkids; i++)
    if (!strcmp(t->ast->kids[0]->kids[i]->name, model)) return true;
  return false;
}

bool trains_tensor(const LowerTrain *t, const char *path) {
  const size_t n = strcspn(path, ".");
  for (int i = 0; i < t->models.len; i++)
    if (!strncmp(t->models.data[i], path, n) && !t->models.data[i][n]) return true;
  return false;
}

const StateRef *train_state(const LowerTrain *t, const char *name) {
  return map_get(&t->build->states, name);
}

void note_graph(Lowered *l, int first, const char *what, int64_t rows) {
  const Diags *ds = &l->session->diags;
  for (int i = first; i < ds->list.len; i++)
    diag_note(ds->list.data[i], (Span){0}, "this is in %s, of %lld row%s", what, (long long)rows,
              rows == 1 ? "" : "s");
}

// -- the step

// n is what the input becomes.
static void output_over(Cx *cx, const Node *input, Node *n) {
  graph_output_port(cx->g, input->port, input->name, n, (int)input->attr[0]);
}

// What lanes carry to the next batch, in evaluation too.
static void carried_on(Cx *cx) {
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (ref->carry && ref->assigned) output_over(cx, ref->input, ref->node);
  }
}

static void output(Cx *cx, reg_slot_kind kind, int index, const char *name, Node *n) {
  graph_output_port(cx->g, (Port){(int)kind, index}, name, n, -1);
}

static Graph *step_graph(Cx *cx, LowerTrain *t, const Step *s) {
  Node *objective = s->objective, *loss = s->loss;
  if (t->solve) { // the solver has found the loss already
    loss = solve_value(cx, s->loss);
    objective = graph_substitute(cx->g, objective, &s->loss, &loss, 1);
  }
  output(cx, REG_SLOT_OBJECTIVE, 0, "objective", objective);
  output(cx, REG_SLOT_LOSS, 0, "loss", loss);
  for (int i = 0; i < s->nterms; i++)
    output(cx, REG_SLOT_TERM, i,
           arena_printf(cx->a, t->terms.data[i].log ? "log:%s" : "term:%s", t->terms.data[i].name),
           s->terms[i]);
  for (int i = 0; i < t->schedules.len; i++) { // a partial batch may use fewer
    Node *n = map_get(&cx->schedules, t->schedules.data[i]);
    if (n) output(cx, REG_SLOT_SCHEDULE, i, arena_printf(cx->a, "schedule:%s", t->schedules.data[i]), n);
  }
  for (int i = 0; i < cx->params.len; i++)
    if (s->after[i]) output_over(cx, param_input(cx, cx->params.entries[i].value), s->after[i]);
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    if (!ref->loaded) output_over(cx, ref->input, ref->node);
  }
  return prune(cx, cx->g);
}

// What was reported since is that parameters were named before the first call of their model.
static bool only_selectors(const Diags *ds, int first) {
  for (int i = first; i < ds->list.len; i++)
    if (ds->list.data[i]->severity == SEV_ERROR && ds->list.data[i]->id != DIAG_selector_empty) return false;
  return true;
}

// Where the loss calls a model only at a tree made from its parameters, none of its calls has told them.
static bool heads_tell(Cx *cx, const LowerTrain *t) {
  const Ast *heads = t->ast->kids[0];
  const int params = cx->params.len;
  for (int i = 0; i < heads->nkids; i++) {
    Def *d = sema_find(cx->l->program, heads->kids[i]->name);
    const ModelValue *m = d && d->kind == KIND_MODEL ? model_value(cx, d) : NULL;
    if (m) model_meet(cx, m, heads->kids[i]->span);
  }
  return cx->params.len > params;
}

// For the same step, with all parameters known that `cx` has met.
static Cx *once_more(Cx *cx, bool initials) {
  Cx *again = new_cx(cx->l, cx->t, cx->g->name, MODE_TRAIN, cx->batch);
  again->initials = initials;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    know_param(again, p->path, p->role, p->shape, p->origin);
  }
  return again;
}

// The states of optimizers, by a step without a loss.
static bool find_states(Cx *cx, LowerTrain *t) {
  Diags *ds = &cx->s->diags;
  const int before = ds->list.len;
  Cx *dry = once_more(cx, false);
  Step s = {0};
  t->build->dry = true;
  const bool found = step_elaborate(dry, t, false, true, &s);
  t->build->dry = false;
  if (!found) return false;
  diags_forget(ds, before); // warnings, which come again
  t->build->states = dry->states;
  t->build->states_known = true;
  return true;
}

// The first elaboration. Where the loss names parameters before its call of the model, or a clause reads the
// states of an optimizer, it is begun again with all of them known.
static Cx *discover_step(Lowered *l, LowerTrain *t, Step *s) {
  const char *name = arena_printf(l->session->arena, "%s step", t->name);
  Diags *ds = &l->session->diags;
  const int before = ds->list.len;
  Cx *cx = new_cx(l, t, name, MODE_TRAIN, t->batch);
  cx->initials = true;
  const bool done = step_elaborate(cx, t, true, false, s);
  if (done && !t->build->asked) return cx;
  if (!only_selectors(ds, before) || (!done && !s->early && !heads_tell(cx, t) && !t->build->asked))
    return NULL;
  diags_forget(ds, before);
  if (t->build->asked && !find_states(cx, t)) return NULL;
  Cx *again = once_more(cx, true);
  *s = (Step){0};
  t->params.len = t->terms.len = 0;
  return step_elaborate(again, t, true, true, s) ? again : NULL;
}

// A layer that assigns to a state what it has: a batch of this size does not tell it anything.
static void warn_kept(Cx *cx, const char *what) {
  const Ast *batch = train_clause(cx->t->ast, "batch");
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *ref = cx->states.entries[i].value;
    if (!ref->layer || !ref->assigned || bare(ref->node) != ref->input) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_state_kept, batch ? batch->span : cx->t->ast->span, ref->name,
                        what, (long long)cx->batch, cx->batch == 1 ? "" : "s");
    diag_note(d, ref->origin, "declared here");
    if (cx->batch != cx->t->batch)
      diag_hint(d, "%lld rows in batches of %lld leave %lld: another `batch` leaves more, or none",
                (long long)cx->t->train_rows, (long long)cx->t->batch, (long long)cx->batch);
    return;
  }
}

static void keep_graph(Lowered *l, LowerTrain *t, LowerKind kind, int64_t batch, Graph *g) {
  vec_push(l->session->arena, t->build->graphs, ((BuiltGraph){kind, batch, g}));
}

static Graph *built(const LowerTrain *t, LowerKind kind, int64_t batch) {
  const TrainBuild *b = t->build;
  for (int i = 0; i < b->graphs.len; i++)
    if (b->graphs.data[i].kind == kind && b->graphs.data[i].batch == batch) return b->graphs.data[i].graph;
  return NULL;
}

static bool keep_solve(Lowered *l, LowerTrain *t) {
  Graph *g[4];
  if (!solve_graphs(l, t, g)) return false;
  for (int i = 0; i < 4; i++) keep_graph(l, t, (LowerKind)(LOWER_DESIGN + i), t->batch, g[i]);
  return true;
}

bool train_discover(Lowered *l, LowerTrain *t) {
  Step s = {0};
  Cx *cx = discover_step(l, t, &s);
  Graph *init = NULL, *start = NULL;
  if (!cx || !initial_graphs(cx, NULL, &init, &start)) return false;
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    vec_push(cx->a, t->states,
             ((LowerState){ref->name, ref->shape, ref->layer, ref->rows, ref->initial, -1}));
  }
  for (int i = 0; i < cx->schedules.len; i++) vec_push(cx->a, t->schedules, cx->schedules.entries[i].key);
  for (int i = 0; i < cx->passes.len; i++)
    vec_push(cx->a, t->passes,
             ((LowerPass){cx->passes.entries[i].key, ((Passes *)cx->passes.entries[i].value)->calls}));
  warn_train(cx, t);
  harm_step(cx, t, &s);
  t->build->states = cx->states;
  t->build->sites = cx->sites;
  t->build->held = cx->held;
  t->starts_late = start != NULL;
  warn_kept(cx, "a batch");
  keep_graph(l, t, LOWER_INIT, 0, init);
  keep_graph(l, t, LOWER_START, 0, start);
  keep_graph(l, t, LOWER_STEP, t->batch, step_graph(cx, t, &s));
  warn_further(l, t, built(t, LOWER_STEP, t->batch));
  return !t->solve || keep_solve(l, t);
}

// -- predictions

// A prediction is a row of numbers for each row of the data.
static Node *rows_of_numbers(Cx *cx, const Def *model, Node *n) {
  if (n->shape.rank == 0 || n->shape.dim[0] != cx->batch) {
    Shape rows = {.rank = 1, .dim = {cx->batch}};
    const char *text = shape_text(cx->a, rows);
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_shape_expected, model->ast->name_span, model->name, "a result",
                  arena_printf(cx->a, "%.*s, ..]", (int)strlen(text) - 1, text), shape_text(cx->a, n->shape));
    diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
    diag_hint(
        d, "predictions are one row for each row of the data; a number that is trained belongs to the loss");
    return NULL;
  }
  return n->dtype == DT_F32 ? n : graph_cast(cx->g, n, DT_F32);
}

// The first parameter that has neither a default nor a field of its name, nor was given when the model was
// made; NULL: none.
static const Ast *not_given(const reg_dataset *data, const ModelValue *m) {
  const Ast *ps = m->def->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++)
    if (!data_has(data, ps->kids[i]->name) && !(ps->kids[i]->nkids > 1 && ps->kids[i]->kids[1]) &&
        !model_made_with(m, ps->kids[i]->name))
      return ps->kids[i];
  return NULL;
}

Node *train_predict(Cx *cx, ModelValue *m) {
  Def *model = m->def;
  const Ast *ps = model->ast->kids[0], *missing = not_given(cx->data, m);
  if (missing) {
    Diag *d =
        diag_emit(&cx->s->diags, DIAG_missing_argument, model->ast->name_span, model->name, missing->name);
    diag_note(d, missing->span, "the data has no field `%s`", missing->name);
    diag_hint(d,
              "for metrics, a model is called with the fields of the data that have its parameters' names");
    return NULL;
  }
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, ps ? ps->nkids + 1 : 1);
  int n = 0;
  for (int i = 0; ps && i < ps->nkids; i++)
    for (int k = 0; k < cx->data->nfields; k++) {
      if (strcmp(ps->kids[i]->name, cx->data->fields[k].name)) continue;
      Value *v = ARENA_NEW(cx->a, Value);
      *v = (Value){.kind = V_FIELD, .field = k, .span = ps->kids[i]->span};
      args[n++] = (BoundArg){ps->kids[i]->name, v, ps->kids[i]->span};
    }
  Value v = call_model(cx, m, args, n, model->ast->name_span);
  Node *out = v.kind == V_FAIL ? NULL : counted_floats(cx, &v);
  const Dims dims = value_dims(cx, &v);
  if (out && is_ragged(dims, out->shape.rank)) // what is not there is 0
    out = count_filled(cx, out, dims, NULL, 0);
  else if (out)
    out = value_floats(cx, &v);
  return out ? rows_of_numbers(cx, model, out) : NULL;
}

// The loss, and predictions where metrics are watched.
static Graph *valid_graph(Lowered *l, LowerTrain *t, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s valid %lld", t->name, (long long)batch),
                    MODE_EVAL, batch);
  Node *n = train_loss(cx, t),
       *pred = t->metrics.len ? train_predict(cx, model_value(cx, t->build->model)) : NULL;
  if (!n || (t->metrics.len && !pred)) return NULL;
  output(cx, REG_SLOT_LOSS, 0, "loss", n);
  if (pred) output(cx, REG_SLOT_PRED, 0, "pred", pred);
  carried_on(cx);
  Graph *g = prune(cx, cx->g);
  return further_validates(l, t, g) ? g : NULL;
}

Graph *predict_graph(Cx *cx, const Ast *model, LowerTrain *answers) {
  Value m = eval_expr(cx, env_new(cx, NULL, "", ""), model);
  if (m.kind != V_MODEL && m.kind != V_FAIL)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, model->span, "a model", value_text(cx, &m));
  Node *pred = m.kind == V_MODEL ? train_predict(cx, m.model) : NULL;
  if (pred && answers) pred = answer_node(cx, answers, pred);
  if (!pred) return NULL;
  output(cx, REG_SLOT_PRED, 0, "pred", pred);
  carried_on(cx);
  return prune(cx, cx->g);
}

static Graph *partial_step(Lowered *l, LowerTrain *t, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s step %lld", t->name, (long long)batch),
                    MODE_TRAIN, batch);
  Step s = {0};
  if (!step_elaborate(cx, t, false, true, &s)) return NULL;
  warn_kept(cx, "the last batch of an epoch");
  return step_graph(cx, t, &s);
}

// Whether a declared shape is that of the field's rows, as far as it says its sizes.
static bool is_of_rows(const Ast *shape, const reg_field *f) {
  if (!shape || shape->kind != AST_LIST) return true;
  for (int i = 0; i < shape->nkids; i++) {
    const bool most = is_most(shape->kids[i]);
    const Ast *size = most ? shape->kids[i]->kids[0] : shape->kids[i];
    if (size->kind == AST_ELLIPSIS) return true;
    if (i >= f->rank) return false;
    if (size->kind == AST_NUM && (most ? size->num < (double)f->dim[i] : size->num != (double)f->dim[i]))
      return false;
  }
  return shape->nkids == f->rank;
}

static bool is_text(const reg_dataset *data, int field) {
  for (int i = 0; i < data->ntexts; i++)
    if (data->texts[i].column && (data->texts[i].field == field || data->texts[i].length == field))
      return true;
  return false;
}

// What rows of other files have: x and texts. A model may be called with parts of its data's fields, or with
// something else.
static bool reads_rows(const reg_dataset *data, const ModelValue *m) {
  const Ast *ps = m->def->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++)
    for (int k = 0; k < data->nfields; k++)
      if (!strcmp(ps->kids[i]->name, data->fields[k].name) &&
          (!is_of_rows(ps->kids[i]->kids[0], &data->fields[k]) ||
           (!is_text(data, k) && (k || data->fields[k].dtype == REG_I32))))
        return false;
  return ps && ps->nkids; // what reads nothing predicts nothing
}

// The model whose predictions it gives, as its statement sees it.
static const ModelValue *predicting(const Lowered *l, const LowerTrain *t) {
  Cx *cx = cx_new((Lowered *)l, "model", MODE_EVAL);
  see_scope(cx, t->scope);
  return model_value(cx, t->build->model);
}

bool lower_reads_texts(const Lowered *l, const LowerTrain *t) {
  const reg_dataset *data = l->datasets.data[t->data];
  const ModelValue *m = predicting(l, t);
  const Ast *ps = m->def->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++) {
    const int field = reg_data_field(data, ps->kids[i]->name);
    if (field >= 0 && is_text(data, field)) return true;
  }
  return false;
}

bool lower_predicts(const Lowered *l, const LowerTrain *t) {
  const reg_dataset *data = l->datasets.data[t->data];
  const ModelValue *m = predicting(l, t);
  return !m->nitems && !not_given(data, m) && reads_rows(data, m);
}

static void valid_graphs(Lowered *l, LowerTrain *t) {
  const int64_t sizes[] = {t->valid_rows >= t->batch ? t->batch : 0, t->valid_rows % t->batch};
  Graph *g = NULL;
  for (int i = 0; i < 2; i++) {
    const int before = l->session->diags.list.len;
    if (!sizes[i]) continue;
    g = valid_graph(l, t, sizes[i]);
    if (!g) note_graph(l, before, "a batch of validation", sizes[i]);
    keep_graph(l, t, LOWER_VALID, sizes[i], g);
  }
  if (!g || !t->metrics.len) return;
  const Shape pred = g->outputs.data[1].node->shape;
  const int before = l->session->diags.list.len;
  Graph *metrics = valid_metrics_graph(l, t, pred);
  if (!metrics) note_graph(l, before, "validation", t->valid_rows);
  keep_graph(l, t, LOWER_VALID_METRICS, t->valid_rows, metrics);
}

void train_graphs(Lowered *l, LowerTrain *t) {
  if (t->last_batch) {
    const int before = l->session->diags.list.len;
    Graph *last = partial_step(l, t, t->last_batch);
    if (!last) note_graph(l, before, "the last batch of an epoch", t->last_batch);
    keep_graph(l, t, LOWER_STEP, t->last_batch, last);
  }
  if (t->valid_part) valid_graphs(l, t);
}

static Graph *prediction(Lowered *l, LowerTrain *t, bool answers, int64_t batch) {
  Cx *cx = train_cx(l, t, arena_printf(l->session->arena, "%s predict %lld", t->name, (long long)batch),
                    MODE_EVAL, batch);
  return predict_graph(cx, t->ast->kids[0]->kids[0], answers ? t : NULL);
}

Graph *lower_train_graph(Lowered *l, LowerTrain *t, LowerKind kind, int64_t batch) {
  if (kind < LOWER_PREDICT) return built(t, kind, batch);
  t->build->late = true;
  Graph *g = kind == LOWER_NORMS ? norms_graph(l, t, batch) : prediction(l, t, kind == LOWER_ANSWER, batch);
  t->build->late = false;
  return g;
}
