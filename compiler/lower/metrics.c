// Metrics: of an evaluation, and of the validation part after each epoch. They are known by their text,
// arguments included.
#include "train.h"
#include <string.h>

static Shape rows_of(Shape row, int64_t rows) {
  Shape s = {.rank = row.rank + 1, .dim = {rows}};
  memcpy(s.dim + 1, row.dim, sizeof(int64_t) * (size_t)row.rank);
  return s;
}

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

const char *metric_name(Arena *a, const Ast *e) { return ast_text(a, plain_metric(a, e)); }

const Ast *metric_callee(const Ast *e) { return e->kind == AST_CALL ? e->kids[0] : e; }

// One metric of `pred` against the target.
static Node *metric_node(Cx *cx, const Ast *e, Node *pred) {
  Env *env = env_new(cx, NULL, "", "");
  Value v = eval_expr(cx, env, plain_metric(cx->a, e));
  if (v.kind == V_FAIL) return NULL;
  if (v.kind != V_FN || v.fn->def->kind != KIND_METRIC) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a metric", value_text(cx, &v));
    return NULL;
  }
  int target = data_target(cx->data);
  Value *args = ARENA_ARRAY(cx->a, Value, 2);
  args[0] = v_tensor(pred, e->span);
  args[1] = (Value){.kind = V_FIELD, .field = target, .span = e->span};
  BoundArg bound[2] = {{NULL, &args[0], e->span}, {NULL, &args[1], e->span}};
  Value out = call_value(cx, env, &v, bound, target < 0 ? 1 : 2, e->span, NULL);
  Node *n = out.kind == V_FAIL ? NULL : value_node(cx, &out);
  return n && n->dtype != DT_F32 ? graph_cast(cx->g, n, DT_F32) : n;
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

bool evaluate_metrics(Lowered *l, LowerEvaluate *e) {
  LowerTrain *t = l->trains.data[e->train];
  int errors = l->session->diags.errors;
  Cx *cx = train_cx(l, t, "metrics", MODE_EVAL, e->rows);
  cx->data = l->datasets.data[e->data];
  Node *pred = train_predict(cx, t->build->model);
  if (!pred) return false;
  t->build->pred = (Shape){.rank = pred->shape.rank - 1};
  memcpy(t->build->pred.dim, pred->shape.dim + 1, sizeof(int64_t) * (size_t)t->build->pred.rank);
  e->pred_width = shape_count(t->build->pred);
  for (int i = 2; i < e->ast->nkids; i++) {
    const Ast *m = e->ast->kids[i];
    Node *n = metric_node(cx, m, pred);
    if (!n) continue;
    vec_push(cx->a, e->metrics, ((LowerMetric){row_name(cx, e, i), n->shape}));
    if (n->shape.rank == 0 && t->valid_part && t->data == e->data) train_add_metric(cx, t, m);
  }
  return l->session->diags.errors == errors;
}

void train_valid_metrics(Lowered *l, LowerTrain *t) {
  if (!t->valid_part) return;
  Cx *cx = train_cx(l, t, "valid", MODE_EVAL, t->valid_rows);
  Node *pred = train_predict(cx, t->build->model);
  if (!pred) return;
  t->build->pred = (Shape){.rank = pred->shape.rank - 1};
  memcpy(t->build->pred.dim, pred->shape.dim + 1, sizeof(int64_t) * (size_t)t->build->pred.rank);
  for (int i = 0; i < t->build->metrics.len; i++) metric_node(cx, t->build->metrics.data[i], pred);
}

// Metrics of all predictions of one part.
Graph *metrics_graph(Cx *cx, LowerTrain *t, const Ast *const *metrics, const char *const *names, int n) {
  Node *pred = cx_input(cx, "pred", DT_F32, rows_of(t->build->pred, cx->batch));
  for (int i = 0; i < n; i++) {
    Node *m = metric_node(cx, metrics[i], pred);
    if (!m) ice("lower", "metric `%s` failed after it was checked", names[i]);
    graph_output(cx->g, arena_printf(cx->a, "metric:%s", names[i]), m, -1);
  }
  return prune(cx, cx->g);
}
