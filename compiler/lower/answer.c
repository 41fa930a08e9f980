// What a prediction means. In: the loss of a training, `loss squared_error(net(x), log1p(y))`. Out: the
// loss's `response` at the prediction, which are probabilities or expected numbers, and behind it the inverse
// of what the loss makes of the target, so that a number has the target's unit. Where the loss is of another
// form, predictions stay as they are.
#include "train.h"
#include <string.h>

typedef struct Answer {
  Cx *cx;
  const Ast *train;
  Def *response; // NULL: none
  int field;     // of the target, on its way through `behind`; -1: of nothing that can be told
  // From the target to what the loss is given: each `op` with a number on one side, or one function.
  struct {
    int op; // OPR_…; OPR_NONE: `function`
    Builtin function;
    bool swapped; // number op x
    Value by;
  } way[8];
  int nway;
} Answer;

// The line `name = …` among the clauses before the k-th; its place, or -1.
static int line_of(const Ast *train, const char *name, int before) {
  for (int i = before - 1; i >= 2; i--) {
    const Ast *c = train->kids[i];
    if (c->kind == AST_BIND && !strcmp(c->name, name)) return i;
  }
  return -1;
}

static bool calls_model(Cx *cx, Env *env, const Ast *train, const Ast *e, int before) {
  if (e->kind == AST_NAME) {
    const int at = line_of(train, e->name, before);
    return at >= 0 && calls_model(cx, env, train, train->kids[at]->kids[0], at);
  }
  const Ast *stage = e->kind == AST_PIPE ? e->kids[1] : e;
  const Ast *callee = stage->kind == AST_CALL ? stage->kids[0] : e->kind == AST_PIPE ? stage : NULL;
  if (!callee || callee->kind != AST_NAME) return false;
  const Value *own = env_get(env, callee->name);
  const Def *d = own ? NULL : sema_find(cx->l->program, callee->name);
  return own ? own->kind == V_MODEL : d && d->kind == KIND_MODEL;
}

// The first loss of a sum whose prediction is a call of a model.
static bool loss_in(Cx *cx, Env *env, const Ast *train, const Ast *e, BesideCall *out) {
  const bool library = source_is_library(source_get(&cx->s->sources, e->span.source));
  if (e->kind == AST_BINARY && e->op == OPR_ADD)
    return loss_in(cx, env, train, e->kids[0], out) || loss_in(cx, env, train, e->kids[1], out);
  return sema_call_of(cx->l->program, KIND_LOSS, library, e, out) && out->of &&
         calls_model(cx, env, train, out->of, train->nkids);
}

// The loss's second parameter, where it has one.
static const Ast *target_of(const BesideCall *c) {
  const Ast *ps = c->def->ast->kids[0];
  const char *name = ps && ps->nkids > 1 && ps->kids[1]->num == 0 ? ps->kids[1]->name : NULL;
  for (int i = c->rest, at = 1; name && c->stage->kind == AST_CALL && i < c->stage->nkids; i++) {
    const Ast *arg = c->stage->kids[i];
    if (arg->name ? !strcmp(arg->name, name) : at++ == 1) return arg->kids[0];
  }
  return NULL;
}

static bool reads_row(const Answer *a, const Ast *e) {
  if (e && e->kind == AST_NAME &&
      (reg_data_field(a->cx->data, e->name) >= 0 || line_of(a->train, e->name, a->train->nkids) >= 0))
    return true;
  for (int i = 0; e && i < e->nkids; i++)
    if (reads_row(a, e->kids[i])) return true;
  return false;
}

static bool known(Answer *a, Env *env, const Ast *e, Value *out) {
  if (reads_row(a, e)) return false;
  *out = eval_expr(a->cx, env, e);
  return out->kind == V_NUM;
}

static bool follow(Answer *a, Env *env, const Ast *e, int before);

static bool add_step(Answer *a, int op, Builtin function, bool swapped, Value by) {
  if (a->nway == 8) return false;
  a->way[a->nway].op = op;
  a->way[a->nway].function = function;
  a->way[a->nway].swapped = swapped;
  a->way[a->nway++].by = by;
  return true;
}

static bool follow_binary(Answer *a, Env *env, const Ast *e, int before) {
  const bool swapped = reads_row(a, e->kids[1]);
  Value by;
  if (e->op != OPR_ADD && e->op != OPR_SUB && e->op != OPR_MUL && e->op != OPR_DIV) return false;
  return known(a, env, e->kids[!swapped], &by) && add_step(a, e->op, B_LOG, swapped, by) &&
         follow(a, env, e->kids[swapped], before);
}

// The steps from the loss's argument back to the field, the last one first.
static bool follow(Answer *a, Env *env, const Ast *e, int before) {
  const Value none = {.kind = V_NONE};
  if (e->kind == AST_NAME) {
    const int at = line_of(a->train, e->name, before);
    if (at >= 0) return follow(a, env, a->train->kids[at]->kids[0], at);
    if (env_get(env, e->name)) return false;
    a->field = reg_data_field(a->cx->data, e->name);
    return a->field > 0;
  }
  if (e->kind == AST_BINARY) return follow_binary(a, env, e, before);
  const bool call = e->kind == AST_CALL && e->nkids == 2 && !e->kids[1]->name, pipe = e->kind == AST_PIPE;
  const Ast *callee = call ? e->kids[0] : pipe ? e->kids[1] : NULL;
  if (!callee || callee->kind != AST_NAME) return false;
  const int f = builtin_find(callee->name);
  if (f != B_LOG && f != B_LOG1P && f != B_EXP && f != B_EXPM1) return false;
  return add_step(a, OPR_NONE, (Builtin)f, false, none) &&
         follow(a, env, call ? e->kids[1]->kids[0] : e->kids[0], before);
}

static Answer find(Cx *cx, LowerTrain *t) {
  Answer a = {.cx = cx, .train = t->ast, .field = -1};
  const Ast *loss = train_clause(t->ast, "loss");
  Env *env = clause_env(cx, t->ast);
  BesideCall c;
  if (!loss || !loss_in(cx, env, t->ast, loss, &c)) return a;
  a.response = sema_beside(cx->l->program, KIND_RESPONSE, c.def);
  const Ast *target = target_of(&c);
  if (!target || !follow(&a, env, target, t->ast->nkids)) a.field = -1;
  return a;
}

// z op by, or by op z, taken back.
static Value undone(Cx *cx, const Answer *a, int k, Value z, Span at) {
  static const Builtin inverse[][2] = {
      {B_LOG, B_EXP}, {B_LOG1P, B_EXPM1}, {B_EXP, B_LOG}, {B_EXPM1, B_LOG1P}};
  const Value by = a->way[k].by;
  const int op = a->way[k].op;
  if (op == OPR_ADD) return binary(cx, OPR_SUB, &z, &by, at);
  if (op == OPR_SUB)
    return a->way[k].swapped ? binary(cx, OPR_SUB, &by, &z, at) : binary(cx, OPR_ADD, &z, &by, at);
  if (op == OPR_MUL) return binary(cx, OPR_DIV, &z, &by, at);
  if (op == OPR_DIV)
    return a->way[k].swapped ? binary(cx, OPR_DIV, &by, &z, at) : binary(cx, OPR_MUL, &z, &by, at);
  for (int i = 0; i < 4; i++)
    if (inverse[i][0] == a->way[k].function)
      return call_builtin(cx, inverse[i][1], &(BoundArg){NULL, &z, at}, 1, at);
  return z;
}

static bool is_probable(const Answer *a) { return a->response && sema_has(a->response, TRAIT_probable); }

reg_answer lower_answers(Lowered *l, LowerTrain *t, int *field) {
  Cx *cx = train_cx(l, t, "answers", MODE_EVAL, 1);
  const Answer a = find(cx, t);
  *field = a.field;
  if (is_probable(&a)) return a.field >= 0 && !a.nway ? REG_ANSWER_CLASSES : REG_ANSWER_PROBABLE;
  return a.field >= 0 ? REG_ANSWER_NUMBER : REG_ANSWER_OUTPUTS;
}

Node *answer_node(Cx *cx, LowerTrain *t, Node *pred) {
  const Answer a = find(cx, t);
  const Span at = t->ast->span;
  Value z = v_tensor(pred, at);
  if (a.response) z = call_def(cx, a.response, &(BoundArg){NULL, &z, at}, 1, at, NULL, NULL);
  for (int k = 0; k < a.nway && a.field >= 0 && !is_probable(&a) && z.kind != V_FAIL; k++)
    z = undone(cx, &a, k, z, at);
  return z.kind == V_FAIL ? NULL : value_floats(cx, &z);
}
