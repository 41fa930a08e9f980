// The whole program once: its statements in their order. In: a checked Program. Out: a Lowered with all
// graphs that a run needs: building them here reports every mistake of shapes, ranges and selectors.
// Trainings of one model go on with its tensors, so these are the same in all of them; each training has a
// name of its own.
#include "train.h"
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

// Unnamed trainings have their model's name; repeats have a number.
static const char *name_of(Lowered *l, Map *names, const Ast *train) {
  const char *base = default_name(train), *name = base;
  if (train->name) return train->name;
  for (int number = 2; map_get(names, name) != NULL && map_get(names, name) != train; number++)
    name = arena_printf(l->session->arena, "%s%d", base, number);
  map_put(names, name, (void *)train);
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
  diag_hint(d, "a later training of a model goes on with its tensors; another model needs another name");
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

static int store_index(Lowered *l, LowerTensor t) {
  const intptr_t known = (intptr_t)map_get(&l->stored, t.name);
  if (known) return (int)known - 1;
  vec_push(l->session->arena, l->store, t);
  map_put(&l->stored, t.name, (void *)(intptr_t)l->store.len);
  return l->store.len - 1;
}

// Its model's tensors are those of the program.
static void store_tensors(Lowered *l, LowerTrain *t) {
  for (int i = 0; i < t->params.len; i++) {
    LowerParam *p = &t->params.data[i];
    p->stored = store_index(l, (LowerTensor){.name = p->path, .dtype = DT_F32, .shape = p->shape});
  }
  for (int i = 0; i < t->states.len; i++) {
    LowerState *s = &t->states.data[i];
    s->stored = s->layer ? store_index(l, (LowerTensor){s->name, DT_F32, s->shape, true}) : -1;
  }
}

// -- evaluations

// Whether a training has tensors of a model that it does not train itself: of one that this is derived from.
static bool has_of(const LowerTrain *t, const Lowered *l, const char *model) {
  for (int i = 0; i < t->params.len; i++)
    if (model_owns(l, model, t->params.data[i].path)) return true;
  return false;
}

// The last training that trains the model before the statement, else the first one behind it; -1: none.
static int last_training(const Lowered *l, const Ast *evaluate, const char *model, bool derived,
                         bool *untrained) {
  int before = -1, behind = -1;
  bool passed = false;
  for (int i = 0, k = 0; i < l->program->statements.len; i++) {
    const Ast *s = l->program->statements.data[i];
    passed |= s == evaluate;
    if (s->kind != AST_TRAIN) continue;
    const LowerTrain *t = l->trains.data[k];
    const bool same = trains_model(t, model) || (derived && has_of(t, l, model));
    if (same && !passed) before = k;
    if (same && passed && behind < 0) behind = k;
    k++;
  }
  *untrained = before < 0;
  return *untrained ? behind : before;
}

static int whose_weights(const Lowered *l, const Ast *evaluate, bool *untrained) {
  const char *model = ast_text(l->session->arena, evaluate->kids[0]);
  const int trained = last_training(l, evaluate, model, false, untrained);
  return trained >= 0 ? trained : last_training(l, evaluate, model, true, untrained);
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
  return data_agree(cx, l->trains.data[e->train], e->data, data->span);
}

static void warn_of_data(Lowered *l, const LowerEvaluate *e) {
  for (int i = 0; i <= e->train && !e->untrained; i++) {
    const LowerTrain *t = l->trains.data[i];
    if (e->data == t->data && trains_model(t, e->model) && !strcmp(e->part, t->train_part))
      diag_emit(&l->session->diags, DIAG_evaluates_training_data, e->ast->kids[1]->span,
                arena_printf(l->session->arena, "evaluate %s", e->model));
  }
  if (e->untrained) diag_emit(&l->session->diags, DIAG_evaluates_untrained, e->ast->kids[0]->span, e->model);
}

// Rows predicted at once: all where they are few, for then one function does.
enum { AT_ONCE = 1024, CHUNK = 256 };

static LowerEvaluate *lower_evaluate(Lowered *l, const Ast *ast) {
  LowerEvaluate *e = ARENA_NEW(l->session->arena, LowerEvaluate);
  e->ast = ast;
  e->train = whose_weights(l, ast, &e->untrained);
  if (e->train < 0) {
    diag_emit(&l->session->diags, DIAG_wrong_kind, ast->kids[0]->span, "a model that this program trains",
              arena_printf(l->session->arena, "`%s`", ast_text(l->session->arena, ast->kids[0])));
    return NULL;
  }
  e->model = ast_text(l->session->arena, ast->kids[0]);
  if (!evaluate_data(l, e)) return NULL;
  warn_of_data(l, e);
  const LowerTrain *t = l->trains.data[e->train];
  e->chunk = t->in_order ? (e->rows < t->batch ? e->rows : t->batch) : e->rows <= AT_ONCE ? e->rows : CHUNK;
  return evaluate_graphs(l, e) ? e : NULL;
}

// -- the program

static void lower_trains(Lowered *l) {
  const int errors = l->session->diags.errors;
  Program *p = l->program;
  Map names;
  map_init(&names, l->session->arena);
  spoken_names(l, &names);
  for (int i = 0; i < p->trains.len; i++) {
    const char *name = name_of(l, &names, p->trains.data[i]);
    LowerTrain *t = lower_train(l, p->trains.data[i], name);
    if (t && train_discover(l, t)) {
      for (int k = 0; k < l->trains.len; k++) same_tensors(l, t, l->trains.data[k]);
      store_tensors(l, t);
      vec_push(l->session->arena, l->trains, t);
    } else if (l->session->diags.errors == errors) { // dropped without a word it may not be
      diag_emit(&l->session->diags, DIAG_not_a_training_value, p->trains.data[i]->span,
                arena_printf(l->session->arena, "`%s` cannot be trained: a part of it has no value", name));
    }
  }
}

Lowered *lower_program(Program *p, const LowerHost *host, int *exit_code) {
  Arena *a = p->session->arena;
  Lowered *l = ARENA_NEW(a, Lowered);
  *l = (Lowered){.session = p->session, .program = p, .host = *host};
  map_init(&l->stored, a);
  live_settings(l);
  lower_trains(l);
  // Else what an evaluation needs may be missing only because of a mistake above.
  const bool whole = l->trains.len == p->trains.len;
  for (int i = 0, train = 0; whole && i < p->statements.len; i++) {
    const Ast *s = p->statements.data[i];
    const bool evaluates = s->kind == AST_EVALUATE;
    LowerEvaluate *e = evaluates ? lower_evaluate(l, s) : NULL;
    if (evaluates && !e) continue;
    vec_push(a, l->stages, ((LowerStage){evaluates, evaluates ? l->evaluates.len : train++}));
    if (e) vec_push(a, l->evaluates, e);
  }
  for (int i = 0; i < l->trains.len; i++) train_graphs(l, l->trains.data[i]);
  if (l->exit_code) *exit_code = l->exit_code;
  return l;
}
