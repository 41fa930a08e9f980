// Expressions by themselves: of `regc eval`, of `check` statements, of `regc repl`. In: an expression, arrays
// that it may name, and one to be elaborated before it. Out: its graph, in which parameters, states and whole
// parts of the data are inputs, and the graph of their initial values. A model that the expression names is
// first called once on one row, so that all its parameters are known whether or not the expression calls it;
// what this call computes is pruned.
#include "train.h"
#include <string.h>

static LowerTrain *train_of_model(const Lowered *l, const char *model) {
  for (int i = l->trains.len - 1; i >= 0; i--)
    if (trains_model(l->trains.data[i], model)) return l->trains.data[i];
  return NULL;
}

// A walk through an expression and the definitions that it names, each of which is gone through once.
typedef struct Naming {
  Lowered *l;
  Map seen;
  Models *models, *averages; // NULL: not wanted
} Naming;

static bool is_parameter(const Def *d, const char *name) {
  const Ast *ps = d ? d->ast->kids[0] : NULL;
  for (int i = 0; ps && i < ps->nkids; i++)
    if (ps->kids[i]->name && !strcmp(ps->kids[i]->name, name)) return true;
  return false;
}

// Whose body is computed where its name stands. What the library defines names no model of a program.
static bool is_inlined(const Def *d) {
  return d->kind != KIND_DATA && d->kind != KIND_PROCEDURE && d->kind != KIND_RECIPE && !d->from_library &&
         !sema_is_still(d);
}

static void naming(Naming *w, const Def *by, const Ast *e) {
  if (!e) return;
  Def *d = e->kind == AST_NAME && !is_parameter(by, e->name) ? sema_find(w->l->program, e->name) : NULL;
  if (d && average_of(d) && w->averages) vec_push(w->l->session->arena, *w->averages, d);
  while (d && average_of(d))
    d = sema_find(w->l->program, average_of(d)); // its tensors are by those of another
  if (d && !map_get(&w->seen, d->name)) {
    map_put(&w->seen, d->name, d);
    const Ast *ps = d->ast->kids[0];
    if (d->kind == KIND_MODEL) {
      if (w->models) vec_push(w->l->session->arena, *w->models, d);
    } else if (is_inlined(d)) {
      for (int i = 0; ps && i < ps->nkids; i++) naming(w, d, ps->kids[i]->kids[1]);
      naming(w, d, d->ast->kids[2]);
    }
  }
  for (int i = 0; i < e->nkids; i++) naming(w, by, e->kids[i]);
}

// The models that an expression names, itself or through other definitions, each once.
void find_models(Lowered *l, const Ast *e, Models *out) {
  Naming w = {.l = l, .models = out};
  map_init(&w.seen, l->session->arena);
  for (int i = 0; i < out->len; i++) map_put(&w.seen, out->data[i]->name, out->data[i]);
  naming(&w, NULL, e);
}

void find_averages(Lowered *l, const Ast *e, Models *out) {
  Naming w = {.l = l, .averages = out};
  map_init(&w.seen, l->session->arena);
  naming(&w, NULL, e);
}

// Zeros of a declared shape, or classes of one, whose sizes are all known, with one row in front; NULL where
// they are not.
static Node *zero_row(Cx *cx, const Ast *shape) {
  Shape s = {.rank = 1, .dim = {1}};
  if (shape && shape->kind == AST_TYPE && shape->kids[1] && shape->kids[2] && shape->kids[2]->kind == AST_NUM)
    shape = shape->kids[1]; // `labels [t] of 9`
  if (!shape || shape->kind != AST_LIST) return NULL;
  for (int i = 0; i < shape->nkids; i++) {
    const Ast *size = is_most(shape->kids[i]) ? shape->kids[i]->kids[0] : shape->kids[i];
    if (s.rank == MAX_RANK) return NULL;
    if (size->kind == AST_NUM && size->num >= 1 && size->num <= INT32_MAX)
      s.dim[s.rank++] = (int64_t)size->num;
    else if (size->kind != AST_ELLIPSIS)
      return NULL;
  }
  return graph_const(cx->g, 0, s);
}

static void call_on_zeros(Cx *cx, ModelValue *m) {
  const Ast *ps = m->def->ast->kids[0];
  int n = 0;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, (ps ? ps->nkids : 0) + 1);
  for (int i = 0; i < m->nitems; i++) call_on_zeros(cx, m->items[i]);
  for (int i = 0; ps && i < ps->nkids; i++) {
    if (ps->kids[i]->kids[1] || model_made_with(m, ps->kids[i]->name)) continue;
    Node *zero = zero_row(cx, ps->kids[i]->kids[0]);
    if (!zero) return;
    Value *v = ARENA_NEW(cx->a, Value);
    *v = v_tensor(zero, ps->kids[i]->span);
    args[n++] = (BoundArg){ps->kids[i]->name, v, ps->kids[i]->span};
  }
  if (!m->nitems) call_model(cx, m, args, n, m->def->ast->name_span);
}

bool model_meet(Cx *cx, const ModelValue *m, Span at) {
  bool met = true;
  while (m->of && !m->seen) m = m->of;
  for (int pass = 0; pass < 2; pass++) {
    const Tree *t = model_tree(cx, m);
    met = t->n > 0;
    for (int i = 0; i < t->n; i++) met = met && ((ParamRef *)map_get(&cx->params, t->leaf[i].path))->scope;
    if (met || pass) break;
    const bool training = cx->training, no_times = cx->no_times;
    cx->training = false; // its states stay what they are
    cx->no_times = !cx->t;
    const int errors = cx->s->diags.errors;
    call_on_zeros(cx, (ModelValue *)m);
    cx->training = training;
    cx->no_times = no_times;
    if (cx->s->diags.errors != errors) return false;
  }
  if (met) return true;
  Diag *d = diag_emit(&cx->s->diags, DIAG_selector_empty, at, m->name);
  diag_hint(
      d, "a model whose declaration says all sizes of its input has its parameters also before it is called");
  return false;
}

// The data that the model is, or will be, trained on; NULL: none.
static const reg_dataset *data_of_model(Cx *cx, const char *model) {
  const LowerTrain *t = train_of_model(cx->l, model);
  if (t) return cx->l->datasets.data[t->data];
  const Program *p = cx->l->program;
  for (int i = 0; i < p->trains.len && !cx->view; i++)
    for (int k = 0; k < p->trains.data[i]->kids[0]->nkids; k++) {
      if (strcmp(p->trains.data[i]->kids[0]->kids[k]->name, model) != 0) continue;
      if (!p->trains.data[i]->kids[1]) return NULL; // a training without data
      Value v = eval_data(cx, env_new(cx, NULL, "", ""), p->trains.data[i]->kids[1]);
      return v.kind == V_DATA ? cx->l->datasets.data[v.data->dataset] : NULL;
    }
  return NULL;
}

void meet_parameters(Cx *cx, Def *model) {
  ModelValue *m = model_value(cx, model);
  const reg_dataset *data = m && !m->nitems ? data_of_model(cx, model->name) : NULL;
  if (!m) return;
  if (data) {
    cx->no_times = !cx->t;
    cx->data = data;
    cx->batch = 1;
    train_predict(cx, m);
    cx->data = NULL;
    cx->batch = 0;
    cx->no_times = false;
  }
  if (!data || !model_tree(cx, m)->n) { // or it reads something else than rows of the data
    cx->no_times = true;
    call_on_zeros(cx, m);
    cx->no_times = false;
  }
  m->last = NULL; // `net.hidden` is no value of this call
}

Cx *expression_cx(Lowered *l, const char *name, bool training) {
  Cx *cx = cx_new(l, name, MODE_EVAL);
  cx->view = cx->initials = true;
  cx->training = training;
  return cx;
}

// Mistakes in the first calls are not the expression's and are dropped.
void expression_models(Cx *cx, const Ast *before, const Ast *e) {
  Models models = {0};
  find_models(cx->l, before, &models);
  find_models(cx->l, e, &models);
  for (int i = 0; i < models.len && !cx->t; i++) cx->t = train_of_model(cx->l, models.data[i]->name);
  if (!cx->t && cx->l->trains.len) cx->t = cx->l->trains.data[cx->l->trains.len - 1];
  const int kept = cx->s->diags.list.len;
  const bool training = cx->training;
  struct Leaves *leaves = cx->leaves;
  cx->training = true; // so that initial values have the draws of a training
  cx->leaves = NULL;
  for (int i = 0; i < models.len; i++) meet_parameters(cx, models.data[i]);
  cx->training = training;
  cx->leaves = leaves;
  cx->stream = 0;
  diags_forget(&cx->s->diags, kept);
  cx->l->gave_up = false;
}

void expression_value(Cx *cx, LowerExpression *x, const char *path, Node *n, DType shown) {
  graph_output(cx->g, *path ? arena_printf(cx->a, "value:%s", path) : "value", n, -1);
  if (shown == DT_F32 && cx->l->program->doubles) shown = DT_F64;
  vec_push(cx->a, x->values, ((LowerValue){path, shown, n->shape}));
}

static bool has_number(const Value *v) {
  return v->kind == V_TENSOR || v->kind == V_FIELD || v->kind == V_BOOL || v->kind == V_LIST ||
         (v->kind == V_NUM && v->unit == UNIT_NONE);
}

// false after a mistake
static bool add_values(Cx *cx, LowerExpression *x, const Value *v, bool told) {
  if (v->kind == V_TREE) {
    for (int i = 0; i < v->tree->n; i++)
      expression_value(cx, x, v->tree->leaf[i].path, v->tree->leaf[i].node, DT_F32);
    return true;
  }
  if (told && !has_number(v)) return true;
  int64_t classes;
  const bool text = is_text_field(cx, v);
  Node *n = text ? value_classes(cx, v, &classes) : counted_node(cx, v);
  if (!n) return false;
  if (is_ragged(value_dims(cx, v), n->shape.rank)) n = count_filled(cx, n, value_dims(cx, v), NULL, 0);
  expression_value(cx, x, "", n, v->kind == V_BOOL ? DT_BOOL : n->dtype);
  output_counts(cx, "value", v, n);
  return true;
}

static bool not_scalar(Cx *cx, const Node *n, Span at) {
  diag_emit(&cx->s->diags, DIAG_not_scalar, at, "an expression with a gradient", shape_text(cx->a, n->shape));
  return false;
}

// Of the value with respect to arrays that were given; false after a mistake.
static bool add_gradients(Cx *cx, const LowerAsked *asked, const Value *v, Node **given) {
  const Span at = asked->expression->span;
  Node *n = asked->ngrads ? value_node(cx, v) : NULL;
  if (!asked->ngrads) return true;
  if (!n) return false;
  if (n->shape.rank != 0) return not_scalar(cx, n, at);
  for (int i = 0; i < asked->ngrads; i++) {
    int k = 0;
    Node *out;
    while (k < asked->ninputs && strcmp(asked->inputs[k].name, asked->grads[i])) k++;
    if (k == asked->ninputs || asked->inputs[k].dtype != DT_F32) {
      diag_emit(&cx->s->diags, DIAG_grad_target, at,
                arena_printf(cx->a, "a floating-point input: `%s` is none", asked->grads[i]));
      return false;
    }
    if (!gradients(cx, n, &given[k], 1, at, &out)) return false;
    graph_output(cx->g, arena_printf(cx->a, "grad:%s", asked->grads[i]), out, -1);
  }
  return true;
}

void expression_finish(Cx *cx, LowerExpression *x, bool late) {
  x->train = cx->l->trains.len - 1;
  while (x->train >= 0 && cx->l->trains.data[x->train] != cx->t) x->train--;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    vec_push(cx->a, x->params,
             ((LowerParam){.path = p->path, .role = p->role, .shape = p->shape, .origin = p->origin}));
  }
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *s = cx->states.entries[i].value;
    vec_push(cx->a, x->states, ((LowerState){.name = s->name, .shape = s->shape, .layer = s->layer}));
  }
  x->columns.data = cx->columns.data;
  x->columns.len = cx->columns.len;
  if (!cx->g->outputs.len) return;
  x->graph = prune(cx, cx->g);
  cx->g->outputs.len = 0;
  initial_graphs(cx, x->graph, &x->init, late ? &x->start : NULL);
}

LowerExpression *lower_expression(Lowered *l, const LowerAsked *asked) {
  Cx *cx = expression_cx(l, "expression", false);
  LowerExpression *x = ARENA_NEW(cx->a, LowerExpression);
  const Ast *e = asked->expression;
  x->data = -1;
  if (asked->between) see_scope(cx, l->all);
  expression_models(cx, asked->before, e);
  Env *env = env_new(cx, NULL, "", "");
  const int kept = cx->s->diags.list.len;
  if (asked->before) eval_expr(cx, env, asked->before);
  diags_forget(&cx->s->diags, kept); // its mistakes were told when it was asked for
  l->gave_up = false;
  Node **given = ARENA_ARRAY(cx->a, Node *, asked->ninputs + 1);
  for (int i = 0; i < asked->ninputs; i++) {
    const LowerInput *in = &asked->inputs[i];
    given[i] = cx_input(cx, arena_printf(cx->a, "in:%s", in->name), in->dtype, in->shape);
    env_set(cx, env, in->name, v_tensor(given[i], e->span));
  }
  Value v = eval_expr(cx, env, e);
  if (v.kind == V_FAIL) return NULL;
  if (v.kind == V_NONE && !asked->between) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "an expression with a value", "a definition");
    return NULL;
  }
  x->text = v.kind == V_NONE ? "nothing" : value_text(cx, &v);
  if (v.kind == V_DATA) x->data = v.data->dataset;
  if (!add_values(cx, x, &v, asked->between) || !add_gradients(cx, asked, &v, given)) return NULL;
  expression_finish(cx, x, false);
  return x;
}

void lower_definition(Lowered *l, const char *name) {
  Def *d = sema_find(l->program, name);
  Diags *ds = &l->session->diags;
  const int before = ds->list.len;
  if (!d || (d->kind == KIND_MODEL && train_of_model(l, name))) return;
  if (d->kind == KIND_DATA && d->ast->kids[0]) return; // it has no rows before it is called
  Cx *cx = expression_cx(l, "definition", true);
  see_scope(cx, l->all);
  cx->no_times = d->kind == KIND_MODEL;
  ModelValue *m = d->kind == KIND_MODEL ? model_value(cx, d) : NULL;
  if (m)
    call_on_zeros(cx, m);
  else if (d->kind == KIND_DATA && data_several(cx, d->ast->kids[2]))
    eval_data(cx, env_new(cx, NULL, "", ""), data_index(cx, d->ast->kids[2], 0));
  else if (d->kind == KIND_DATA)
    data_definition(cx, d);
  else if (d->kind == KIND_LET)
    call_def(cx, d, NULL, 0, d->ast->name_span, NULL, NULL);
  bool outside = false; // a schedule, a time: known in a training only
  for (int i = before; i < ds->list.len && d->kind != KIND_DATA; i++)
    outside |= ds->list.data[i]->id == DIAG_not_allowed_here;
  if (outside) diags_forget(ds, before);
}
