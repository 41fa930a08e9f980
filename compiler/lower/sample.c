// Which rows a pass takes: `sample by weight, 5000 rows`, `sample where keep`, `sample near(length)`. In: the
// clause of a training. Out: statements before each epoch, which leave a weight, or a truth value, for each
// row of the training part in the store. Holds: names are the fields of all these rows, then what epochs
// before have reported, then what they mean to statements there.
#include "stages.h"
#include <string.h>

static Env *columns_env(Cx *cx, const LowerTrain *t) {
  Env *env = env_new(cx, clause_env(cx, t->ast), "", "sample");
  const reg_dataset *set = cx->l->datasets.data[t->data];
  DataValue *part = ARENA_NEW(cx->a, DataValue);
  *part = (DataValue){.name = t->data_name, .dataset = t->data, .part = t->train_part};
  for (int i = 0; i < set->nfields; i++)
    env_set(cx, env, set->fields[i].name, (Value){.kind = V_FIELD, .field = i, .data = part});
  return env;
}

// A number for each row; NULL after a report.
static Node *of_rows(Cx *cx, const LowerTrain *t, const Ast *c, const Value *v) {
  const bool kept = t->sample == REG_SAMPLE_KEPT;
  if (v->kind == V_FAIL) return NULL;
  if (kept && v->kind != V_BOOL && !(v->kind == V_TENSOR && v->node->dtype == DT_BOOL)) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, c->kids[0]->span, "a condition for each row",
              value_text(cx, v));
    return NULL;
  }
  Node *n = kept ? truth(cx, v) : value_floats(cx, v);
  if (!n || (n->shape.rank == 1 && n->shape.dim[0] == t->train_rows)) return n;
  Diag *d = diag_emit(&cx->s->diags, DIAG_shape_expected, c->kids[0]->span, "sample",
                      kept                           ? "a truth value for each row of the training part,"
                      : t->sample == REG_SAMPLE_NEAR ? "a number for each row of the training part,"
                                                     : "a weight for each row of the training part,",
                      shape_text(cx->a, shape_of(1, t->train_rows)), shape_text(cx->a, n->shape));
  if (n->origin.source) diag_note(d, n->origin, "%s comes from here", shape_text(cx->a, n->shape));
  return NULL;
}

// `sample near(length)`: what rows of a batch have nearly the same of; NULL: it is another clause.
const Ast *sample_near(Cx *cx, const Ast *clause) {
  const Ast *e = clause->kids[0];
  const bool near = !clause->name && e->kind == AST_CALL && e->kids[0]->kind == AST_NAME &&
                    builtin_find(e->kids[0]->name) == B_NEAR && !sema_find(cx->l->program, "near");
  return near ? call_arg(e, "x", 0) : NULL;
}

void sample_rows(Stages *s, LowerTrain *t) {
  const Ast *c = NULL;
  for (int i = 2; i < t->ast->nkids; i++)
    if (t->ast->kids[i]->kind == AST_SAMPLE && t->ast->kids[i]->nkids) c = t->ast->kids[i];
  if (!c) return;
  stages_flush(s);
  block_open(s);
  know_epoch(s, t);
  stages_meet(s, c->kids[0]);
  Cx *cx = stages_line(s);
  cx->clauses = NULL;
  cx->clock = t; // schedules are at the steps that are finished
  const Ast *near = sample_near(cx, c);
  const Value v = eval_clause(cx, columns_env(cx, t), near ? near : c->kids[0]);
  cx->clock = NULL;
  cx->clauses = NULL;
  Node *n = of_rows(cx, t, c, &v);
  if (n) t->drawn = held_hidden(s, "sample", n);
  const StageList *list = block_close(s);
  t->draw.data = list->data;
  t->draw.len = list->len;
  t->sample_place = stage_place(s->l, c->span);
}
