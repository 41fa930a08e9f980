// Conditions that end a training: `stop when valid.loss < 0.1 or step > 500`. In: its clauses `stop` that
// name no measure that stalls. Out: statements behind each epoch that compute them. Holds: names mean what
// the epoch reports, then what they mean to statements there.
#include "stages.h"
#include <string.h>

static bool is_measure(const Ast *e) {
  const Ast *callee = metric_callee(e);
  return callee->kind == AST_FIELD && callee->kids[0]->kind == AST_NAME &&
         !strcmp(callee->kids[0]->name, "valid");
}

// Metrics of the validation part that the condition names; false after a report.
static bool know_measures(Stages *s, LowerTrain *t, const Ast *e) {
  Lowered *l = s->l;
  if (!e) return true;
  if (is_measure(e)) {
    if (!t->valid_part) {
      Diag *d = diag_emit(&l->session->diags, DIAG_not_allowed_here, e->span, ast_text(l->session->arena, e),
                          "without a validation part");
      diag_hint(d, "add one: split(train: 70%%, valid: 15%%, test: 15%%)");
      return false;
    }
    const char *name = metric_name(l->session->arena, e);
    train_add_metric(stages_line(s), t, e);
    for (int i = 0; i < t->metrics.len; i++)
      if (!strcmp(t->metrics.data[i], name))
        training_result(l, s->scope, t, ast_text(l->session->arena, e), REG_RESULT_METRIC, i, false);
    return true;
  }
  for (int i = 0; i < e->nkids; i++)
    if (!know_measures(s, t, e->kids[i])) return false;
  return true;
}

void know_epoch(Stages *s, LowerTrain *t) {
  training_result(s->l, s->scope, t, "loss", REG_RESULT_LOSS, 0, false);
  training_result(s->l, s->scope, t, "objective", REG_RESULT_OBJECTIVE, 0, false);
  training_result(s->l, s->scope, t, "epoch", REG_RESULT_EPOCHS, 0, false);
  training_result(s->l, s->scope, t, "step", REG_RESULT_STEPS, 0, false);
  if (t->valid_part) training_result(s->l, s->scope, t, "valid.loss", REG_RESULT_VALID_LOSS, 0, false);
  for (int i = 0; i < t->terms.len; i++)
    if (t->terms.data[i].log)
      training_result(s->l, s->scope, t, t->terms.data[i].name, REG_RESULT_LOG, i, false);
}

static void stop_condition(Stages *s, LowerTrain *t, const Ast *e) {
  stages_meet(s, e);
  if (!know_measures(s, t, e)) return;
  Cx *cx = stages_line(s);
  cx->clauses = NULL; // of another training's recipe
  cx->clock = t;
  Value v = eval_clause(cx, clause_env(cx, t->ast), e);
  cx->clock = NULL;
  cx->clauses = NULL;
  if (v.kind == V_FAIL) return;
  if (v.kind != V_BOOL && !(v.kind == V_TENSOR && v.node->dtype == DT_BOOL)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span, "a condition",
                        v.kind == V_TENSOR && !v.node->shape.rank ? "a number" : value_text(cx, &v));
    diag_hint(d, "`stop when valid.loss < 0.1` is one; without progress ends `stop when valid.loss stalls "
                 "for 8 epochs`");
    return;
  }
  Node *n = truth(cx, &v);
  const int stored = n ? single_of(s, n, e->span, "the condition of `stop`") : -1;
  if (stored >= 0) vec_push(s->l->session->arena, t->stops, stored);
}

void stop_conditions(Stages *s, LowerTrain *t) {
  bool any = false;
  for (int i = 2; i < t->ast->nkids; i++) {
    const Ast *c = t->ast->kids[i];
    if (c->kind != AST_STOP || c->kids[1]) continue;
    if (!any) stages_flush(s), know_epoch(s, t);
    any = true;
    stop_condition(s, t, c->kids[0]);
  }
}
