// Expressions between trainings, for `regc repl`. In: an expression, and one to be elaborated before it. Out:
// its graph, in which parameters, states and whole parts of the data are inputs, and the graph of their
// initial values. A model that the expression names is first called once on one row, so that all its
// parameters are known whether or not the expression calls it; what this call computes is pruned.
#include "train.h"
#include <string.h>

static LowerTrain *train_of_model(const Lowered *l, const char *model) {
  for (int i = l->trains.len - 1; i >= 0; i--)
    if (trains_model(l->trains.data[i], model)) return l->trains.data[i];
  return NULL;
}

// The models that an expression names, each once.
void find_models(Lowered *l, const Ast *e, Models *out) {
  if (!e) return;
  if (e->kind == AST_NAME) {
    Def *d = sema_find(l->program, e->name);
    while (d && average_of(d))
      d = sema_find(l->program, average_of(d)); // its tensors are by those of another
    bool known = false;
    for (int i = 0; i < out->len; i++) known |= out->data[i] == d;
    if (d && d->kind == KIND_MODEL && !known) vec_push(l->session->arena, *out, d);
  }
  for (int i = 0; i < e->nkids; i++) find_models(l, e->kids[i], out);
}

// Zeros of a declared shape whose sizes are all known, with one row in front; NULL where they are not.
static Node *zero_row(Cx *cx, const Ast *shape) {
  Shape s = {.rank = 1, .dim = {1}};
  if (!shape || shape->kind != AST_LIST) return NULL;
  for (int i = 0; i < shape->nkids; i++) {
    const Ast *size = shape->kids[i];
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
  while (m->of) m = m->of;
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
  map_init(&m->named, cx->a); // `net.hidden` is no value of this call
}

// What the expression is; mistakes in `before` and in the first calls are not this expression's and are
// dropped.
static Value elaborate(Cx *cx, const Ast *before, const Ast *e) {
  Models models = {0};
  find_models(cx->l, before, &models);
  find_models(cx->l, e, &models);
  for (int i = 0; i < models.len && !cx->t; i++) cx->t = train_of_model(cx->l, models.data[i]->name);
  if (!cx->t && cx->l->trains.len) cx->t = cx->l->trains.data[cx->l->trains.len - 1];
  const int kept = cx->s->diags.list.len;
  cx->training = true; // so that initial values have the draws of a training
  for (int i = 0; i < models.len; i++) meet_parameters(cx, models.data[i]);
  cx->training = false;
  cx->stream = 0;
  Env *env = env_new(cx, NULL, "", "");
  if (before) eval_expr(cx, env, before);
  diags_forget(&cx->s->diags, kept);
  cx->l->gave_up = false;
  return eval_expr(cx, env, e);
}

static void add_value(Cx *cx, LowerView *view, const char *path, Node *n, DType shown) {
  graph_output(cx->g, arena_printf(cx->a, "value:%d", view->values.len), n, -1);
  if (shown == DT_F32 && cx->l->program->doubles) shown = DT_F64;
  vec_push(cx->a, view->values, ((LowerViewValue){path, shown, n->shape}));
}

// false after a mistake
static bool add_values(Cx *cx, LowerView *view, const Value *v) {
  bool tree = v->kind == V_TREE;
  if (tree) {
    for (int i = 0; i < v->tree->n; i++)
      add_value(cx, view, v->tree->leaf[i].path, v->tree->leaf[i].node, DT_F32);
    return true;
  }
  bool number = v->kind == V_TENSOR || v->kind == V_FIELD || v->kind == V_BOOL || v->kind == V_LIST ||
                (v->kind == V_NUM && v->unit == UNIT_NONE);
  if (!number) return true;
  int64_t classes;
  bool text = v->kind == V_FIELD && !field_data(cx, v)->fields[v->field].values;
  Node *n = text ? value_classes(cx, v, &classes) : counted_node(cx, v);
  if (!n) return false;
  add_value(cx, view, "", n, v->kind == V_BOOL ? DT_BOOL : n->dtype);
  output_counts(cx, "value:0", v, n);
  return true;
}

static Cx *view_cx(Lowered *l, const char *name) {
  Cx *cx = cx_new(l, name, MODE_EVAL);
  cx->view = cx->initials = true;
  cx->scope = l->all;
  return cx;
}

LowerView *lower_view(Lowered *l, const Ast *before, const Ast *e) {
  Cx *cx = view_cx(l, "view");
  LowerView *view = ARENA_NEW(cx->a, LowerView);
  view->data = -1;
  Value v = elaborate(cx, before, e);
  if (v.kind == V_FAIL) return NULL;
  view->text = v.kind == V_NONE ? "nothing" : value_text(cx, &v);
  if (v.kind == V_DATA) view->data = v.data->dataset;
  if (!add_values(cx, view, &v)) return NULL;
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    vec_push(cx->a, view->params,
             ((LowerParam){.path = p->path, .role = p->role, .shape = p->shape, .origin = p->origin}));
  }
  for (int i = 0; i < cx->states.len; i++) {
    const StateRef *s = cx->states.entries[i].value;
    vec_push(cx->a, view->states, ((LowerState){.name = s->name, .shape = s->shape, .layer = s->layer}));
  }
  view->columns.data = cx->columns.data;
  view->columns.len = cx->columns.len;
  if (!view->values.len) return view;
  view->graph = prune(cx, cx->g);
  cx->g->outputs.len = 0;
  initial_graphs(cx, view->graph, &view->init, NULL);
  return view;
}

void lower_definition(Lowered *l, const char *name) {
  Def *d = sema_find(l->program, name);
  Diags *ds = &l->session->diags;
  const int before = ds->list.len;
  if (!d || (d->kind == KIND_MODEL && train_of_model(l, name))) return;
  Cx *cx = view_cx(l, "definition");
  cx->training = true;
  cx->no_times = d->kind == KIND_MODEL;
  ModelValue *m = d->kind == KIND_MODEL ? model_value(cx, d) : NULL;
  if (m)
    call_on_zeros(cx, m);
  else if (d->kind == KIND_DATA)
    data_definition(cx, d);
  else if (d->kind == KIND_LET)
    call_def(cx, d, NULL, 0, d->ast->name_span, NULL, NULL);
  bool outside = false; // a schedule, a time: known in a training only
  for (int i = before; i < ds->list.len && d->kind != KIND_DATA; i++)
    outside |= ds->list.data[i]->id == DIAG_not_allowed_here;
  if (outside) diags_forget(ds, before);
}
