// Calls of data definitions, `shuffle(d, seed: 1)` or `d |> shuffle(seed: 1)`. In: the call. Out: the
// definition's body, in which what is given stands in the place of the parameters: data, columns, numbers.
#include "made.h"
#include "source.h"

static const Ast *stage_of(const Ast *e) { return e->kind == AST_PIPE ? e->kids[1] : e; }

Def *data_callee(Cx *cx, const Ast *e) {
  const Ast *stage = stage_of(e), *callee = stage->kind == AST_CALL ? stage->kids[0] : stage;
  if (callee->kind != AST_NAME) return NULL;
  Def *d = callee->op ? sema_find(cx->l->program, callee->name) : find_def(cx, callee->name);
  return d && d->kind == KIND_DATA && d->ast->kids[0] ? d : NULL;
}

// What is given, in the order of the call; `first` comes from a pipe.
static int given_args(const Ast *e, const Ast **args, const char **names) {
  const Ast *stage = stage_of(e);
  int n = 0;
  if (stage != e) names[n] = NULL, args[n++] = e->kids[0];
  for (int i = 1; stage->kind == AST_CALL && i < stage->nkids; i++)
    names[n] = stage->kids[i]->name, args[n++] = stage->kids[i]->kids[0];
  return n;
}

// What is given for parameter k; NULL: nothing.
static const Ast *given_for(const Ast *params, int k, const Ast *const *args, const char *const *names,
                            int n) {
  int position = 0;
  for (int i = 0; i < n; i++)
    if (names[i] ? !strcmp(names[i], params->kids[k]->name) : position++ == k) return args[i];
  return NULL;
}

Ast **data_argument(Cx *cx, const Ast *e) {
  const Ast *params = data_callee(cx, e)->ast->kids[0];
  if (e->kind == AST_PIPE) return &e->kids[0];
  for (int i = 1, position = 0; e->kind == AST_CALL && i < e->nkids; i++) {
    const char *name = e->kids[i]->name;
    if (params->nkids && (name ? !strcmp(name, params->kids[0]->name) : !position++))
      return &e->kids[i]->kids[0];
  }
  return NULL;
}

// What is given by names is what they stand for: a seed that is another one draws otherwise.
static const char *given_text(Cx *cx, Env *env, const Ast *param, const Ast *given, const Ast *stands) {
  if (!given || !param->kids[0] || given->kind == AST_NUM) return ast_text(cx->a, stands);
  const Value v = eval_expr(cx, env, given);
  if (v.kind != V_NUM || v.unit > UNIT_PERCENT) return ast_text(cx->a, stands);
  return arena_printf(cx->a, "%.17g", plain_number(&v));
}

// Numbers, texts and truth values are judged by their type; data and columns where they stand.
static bool accepted(Cx *cx, Env *env, Def *d, const Ast *e, const Ast *const *args, const char *const *names,
                     int n) {
  const Ast *params = d->ast->kids[0];
  BoundArg *bound = ARENA_ARRAY(cx->a, BoundArg, n + params->nkids + 1);
  for (int i = 0; i < n; i++) {
    const Ast *p = NULL;
    for (int k = 0; k < params->nkids && !p; k++)
      if (given_for(params, k, args, names, n) == args[i]) p = params->kids[k];
    Value *v = ARENA_NEW(cx->a, Value);
    *v = p && p->kids[0] ? eval_expr(cx, env, args[i]) : (Value){.kind = V_NONE, .span = args[i]->span};
    bound[i] = (BoundArg){names[i], v, args[i]->span};
  }
  for (int k = 0; k < params->nkids; k++) { // columns that stand for themselves
    const Ast *p = params->kids[k];
    if (p->kids[0] || !p->kids[1] || given_for(params, k, args, names, n)) continue;
    Value *v = ARENA_NEW(cx->a, Value);
    *v = (Value){.kind = V_NONE, .span = p->span};
    bound[n++] = (BoundArg){p->name, v, p->span};
  }
  return bind_args(cx, d, bound, n, e->span, env_new(cx, NULL, "", d->name), false);
}

const DataCall *data_called(Cx *cx, Env *env, const Ast *e) {
  Lowered *l = cx->l;
  for (int i = 0; i < l->data_calls.len; i++)
    if (l->data_calls.data[i]->at == e && made_still(l, &l->data_calls.data[i]->reads))
      return l->data_calls.data[i];
  DataCall *call = ARENA_NEW(l->session->arena, DataCall);
  *call = (DataCall){.at = e, .def = data_callee(cx, e)};
  vec_push(l->session->arena, l->data_calls, call);
  const Ast *params = call->def->ast->kids[0], *stage = stage_of(e);
  const Ast **args = ARENA_ARRAY(cx->a, const Ast *, stage->nkids + 2);
  const char **names = ARENA_ARRAY(cx->a, const char *, stage->nkids + 2);
  const int n = given_args(e, args, names);
  const Making making = made_begin(l);
  const bool good = accepted(cx, env, call->def, e, args, names, n);
  SemaCopy copy = sema_copying(l->program, e->span);
  copy.columns = true;
  copy.library = call->def->from_library;
  call->text = call->def->name;
  for (int k = 0; k < params->nkids && good; k++) {
    const Ast *given = given_for(params, k, args, names, n);
    Ast *stands = !given        ? sema_copy(&copy, params->kids[k]->kids[1])
                  : cx->library ? (Ast *)given
                                : sema_of_program(l->program, given);
    map_put(&copy.given, params->kids[k]->name, stands);
    if (k)
      call->text = arena_printf(l->session->arena, "%s, %s", call->text,
                                given_text(cx, env, params->kids[k], given, stands));
  }
  call->reads = made_since(l, making);
  made_end(l, making);
  if (good) call->body = sema_copy(&copy, call->def->ast->kids[2]);
  return call;
}
