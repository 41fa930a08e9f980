// Metrics: of an evaluation, and of the validation part after each epoch. They are known by their text,
// arguments included.
#include "../base/words.h"
#include "train.h"
#include <string.h>

// `valid.top_k(k: 3)` of a stop clause is the metric `top_k(k: 3)` of that part.
static const Ast *plain_metric(Arena *a, const Ast *e) {
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : e;
  if (callee->kind != AST_FIELD) return e;
  Ast *name = ARENA_NEW(a, Ast);
  *name = (Ast){.kind = AST_NAME, .name = callee->name, .span = callee->span};
  if (e->kind != AST_CALL) return name;
  Ast *call = ARENA_NEW(a, Ast);
  *call = *e;
  call->kids = ARENA_ARRAY(a, Ast *, e->nkids);
  memcpy(call->kids, e->kids, sizeof(Ast *) * (size_t)e->nkids);
  call->kids[0] = name;
  return call;
}

const char *metric_name(Arena *a, const Ast *e) {
  return e->kind == AST_BIND ? e->name : ast_written(a, plain_metric(a, e));
}

const Ast *metric_callee(const Ast *e) { return e->kind == AST_CALL ? e->kids[0] : e; }

// `NAME = e`: of all rows of the evaluation's data.
static Node *named_node(Cx *cx, const Ast *e) {
  Value v = eval_expr(cx, data_env(cx, NULL), e->kids[0]);
  Node *n = v.kind == V_FAIL ? NULL : value_node(cx, &v);
  return n && n->dtype != DT_F32 ? graph_cast(cx->g, n, DT_F32) : n;
}

// The model's predictions, the target, then what is written, where fields have their names; false after a
// mistake.
static bool metric_arguments(Cx *cx, const Ast *metric, Node *pred, BoundArg *out, int *n) {
  Env *env = data_env(cx, NULL);
  Value *values = ARENA_ARRAY(cx->a, Value, metric->nkids + 2);
  values[0] = v_tensor(pred, metric->span);
  values[1] = (Value){.kind = V_FIELD, .field = cx->data->target, .span = metric->span};
  *n = cx->data->target < 0 ? 1 : 2;
  for (int i = 0; i < *n; i++) out[i] = (BoundArg){NULL, &values[i], metric->span};
  for (int i = 1; metric->kind == AST_CALL && i < metric->nkids; i++, ++*n) {
    const Ast *arg = metric->kids[i];
    values[*n] = eval_expr(cx, env, arg->kids[0]);
    out[*n] = (BoundArg){arg->name, &values[*n], arg->span};
    if (values[*n].kind == V_FAIL) return false;
  }
  return true;
}

// One metric of the model's predictions against the target.
static Node *metric_node(Cx *cx, const Def *model, const Ast *e, Node *pred) {
  const Ast *metric = plain_metric(cx->a, e);
  Env *env = env_new(cx, NULL, "", "");
  Value v = eval_expr(cx, env, metric_callee(metric));
  if (v.kind == V_FAIL) return NULL;
  if (v.kind != V_FN || v.fn->def->kind != KIND_METRIC) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a metric", value_text(cx, &v));
    if (v.kind == V_FN) word_hint(d, v.fn->def->name, WORD_METRIC, NULL, 0);
    return NULL;
  }
  warn_metric(cx, model, v.fn->def, e->span);
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, metric->nkids + 2);
  int n;
  if (!metric_arguments(cx, metric, pred, args, &n)) return NULL;
  Value out = call_value(cx, env, &v, args, n, e->span, NULL);
  Node *y = out.kind == V_FAIL ? NULL : value_node(cx, &out);
  return y && y->dtype != DT_F32 ? graph_cast(cx->g, y, DT_F32) : y;
}

void train_add_metric(Cx *cx, LowerTrain *t, const Ast *metric) {
  const char *name = metric_name(cx->a, metric);
  if (!strcmp(name, "loss")) return; // what an epoch reports under this name is the validation loss
  for (int i = 0; i < t->metrics.len; i++)
    if (!strcmp(t->metrics.data[i], name)) return;
  vec_push(cx->a, t->metrics, name);
  vec_push(cx->a, t->build->metrics, metric);
}

// A metric that stands twice in an evaluation has a number there.
static const char *row_name(Cx *cx, const LowerEvaluate *e, int at) {
  const char *name = metric_name(cx->a, e->ast->kids[at]);
  int before = 0;
  for (int i = 2; i < at; i++) before += !strcmp(metric_name(cx->a, e->ast->kids[i]), name);
  return before ? arena_printf(cx->a, "%s %d", name, before + 1) : name;
}

void watch_everywhere(Lowered *l, const LowerEvaluate *e) {
  Cx *cx = cx_new(l, "watched", MODE_EVAL);
  for (int k = 0; k < e->metrics.len; k++)
    for (int i = 0; i < l->trains.len && e->metrics.data[k].shape.rank == 0; i++) {
      LowerTrain *t = l->trains.data[i];
      const bool same = t->valid_part && t->data == e->data && !strcmp(t->model, e->model);
      if (same && e->ast->kids[k + 2]->kind != AST_BIND) train_add_metric(cx, t, e->ast->kids[k + 2]);
    }
}

// With the weights of the training before it, at its end; where there is none with those of the store.
static Cx *evaluate_cx(Lowered *l, const LowerEvaluate *e, const char *name, int64_t rows) {
  const bool trained = e->train >= 0;
  Cx *cx = trained ? train_cx(l, l->trains.data[e->train], name, MODE_EVAL, rows) : stored_cx(l, name);
  cx->batch = rows;
  cx->no_times = !trained;
  cx->beside = trained && !l->trains.data[e->train]->in_order;
  cx->data = l->datasets.data[e->data];
  see_scope(cx, l->scope);
  return cx;
}

// Metrics of all predictions; their names are outputs.
static Graph *evaluate_metrics(Lowered *l, LowerEvaluate *e, Shape pred) {
  Cx *cx = evaluate_cx(l, e, arena_printf(l->session->arena, "metrics of %s", e->data_name), e->rows);
  pred.dim[0] = e->rows;
  Node *all = cx_port(cx, REG_SLOT_PRED, 0, "pred", DT_F32, pred);
  const Value model = eval_expr(cx, env_new(cx, NULL, "", ""), e->ast->kids[0]);
  for (int i = 2; i < e->ast->nkids; i++) {
    const Ast *m = e->ast->kids[i];
    const char *name = row_name(cx, e, i);
    Node *n = m->kind == AST_BIND ? named_node(cx, m) : metric_node(cx, model.model->def, m, all);
    if (!n) continue;
    graph_output_port(cx->g, (Port){REG_SLOT_METRIC, e->metrics.len}, arena_printf(cx->a, "metric:%s", name),
                      n, -1);
    vec_push(cx->a, e->metrics, ((LowerMetric){name, n->shape, -1}));
  }
  return prune(cx, cx->g);
}

static Graph *evaluate_predict(Lowered *l, LowerEvaluate *e, int64_t rows) {
  const int before = l->session->diags.list.len;
  if (!rows) return NULL;
  const char *name = arena_printf(l->session->arena, "%s predict %lld", e->model, (long long)rows);
  Graph *g = predict_graph(evaluate_cx(l, e, name, rows), e->ast->kids[0], NULL);
  if (!g)
    note_graph(l, before, arena_printf(l->session->arena, "a prediction from `%s`", e->data_name), rows);
  return g;
}

bool evaluate_graphs(Lowered *l, LowerEvaluate *e) {
  const int errors = l->session->diags.errors;
  EvaluateBuild *b = e->build = ARENA_NEW(l->session->arena, EvaluateBuild);
  b->predict = evaluate_predict(l, e, e->chunk);
  if (!b->predict) return false;
  b->predict_last = evaluate_predict(l, e, e->rows % e->chunk);
  const Shape pred = b->predict->outputs.data[0].node->shape;
  e->pred_width = shape_count(pred) / pred.dim[0];
  if (e->ast->nkids > 2) b->metrics = evaluate_metrics(l, e, pred);
  return l->session->diags.errors == errors;
}

Graph *valid_metrics_graph(Lowered *l, LowerTrain *t, Shape pred) {
  Cx *cx =
      train_cx(l, t, arena_printf(l->session->arena, "%s valid metrics", t->name), MODE_EVAL, t->valid_rows);
  const int errors = cx->s->diags.errors;
  pred.dim[0] = t->valid_rows;
  Node *all = cx_port(cx, REG_SLOT_PRED, 0, "pred", DT_F32, pred);
  for (int i = 0; i < t->metrics.len; i++) {
    const Ast *metric = t->build->metrics.data[i];
    Node *n = metric_node(cx, model_value(cx, t->build->model)->def, metric, all);
    if (n && n->shape.rank)
      diag_emit(&cx->s->diags, DIAG_not_scalar, metric->span, "what early stopping watches",
                shape_text(cx->a, n->shape));
    else if (n)
      graph_output_port(cx->g, (Port){REG_SLOT_METRIC, i},
                        arena_printf(cx->a, "metric:%s", t->metrics.data[i]), n, -1);
  }
  return cx->s->diags.errors == errors ? prune(cx, cx->g) : NULL;
}

Graph *lower_predict_graph(Lowered *l, LowerEvaluate *e, int64_t batch) {
  (void)l;
  return batch == e->chunk ? e->build->predict : e->build->predict_last;
}

Graph *lower_metrics_graph(Lowered *l, LowerEvaluate *e) {
  (void)l;
  return e->build->metrics;
}
