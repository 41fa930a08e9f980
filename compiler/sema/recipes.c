// Recipes: clauses of trainings with a name. In: a training that says which one it uses, and with which
// arguments. Out: the same training with the recipe's clauses among its own. Parameters that stand for the
// models of the head are replaced by these; others have their values where clauses are elaborated.
#include "../base/words.h"
#include "collect.h"
#include "scope.h"
#include <string.h>

static const Ast *recipe_call(const Ast *train) {
  return train->nkids > 2 && train->kids[2]->kind == AST_RECIPE ? train->kids[2]->kids[0] : NULL;
}

Def *train_recipe(Program *p, const Ast *train) {
  const Ast *call = recipe_call(train), *callee = call && call->kind == AST_CALL ? call->kids[0] : call;
  Def *d = callee && callee->kind == AST_NAME ? sema_find(p, callee->name) : NULL;
  return d && d->kind == KIND_RECIPE ? d : NULL;
}

// Those in front that have neither a type nor a default.
static int count_models(const Ast *params) {
  int n = 0;
  while (params && n < params->nkids && !params->kids[n]->kids[0] && !params->kids[n]->kids[1]) n++;
  return n;
}

// `e` with other names for models.
static Ast *renamed(Program *p, const Ast *e, const Ast *params, const Ast *heads) {
  Arena *a = p->session->arena;
  const Ast *followed = e ? sema_followed(e) : NULL;
  if (!e) return NULL;
  Ast *out = ARENA_NEW(a, Ast);
  *out = *e;
  for (int i = 0; e->kind == AST_NAME && i < heads->nkids; i++)
    if (!strcmp(e->name, params->kids[i]->name))
      out->name = heads->kids[i]->name, out->op = heads->kids[i]->op;
  if (e->nkids) out->kids = ARENA_ARRAY(a, Ast *, e->nkids);
  for (int i = 0; i < e->nkids; i++) out->kids[i] = renamed(p, e->kids[i], params, heads);
  for (int i = 0; followed && followed->kind == AST_NAME && i < heads->nkids; i++)
    if (!strcmp(followed->name, params->kids[i]->name)) sema_name_average(p, out);
  return out;
}

static bool is_whole(const Ast *u) { return u->op == OPR_NONE && u->kids[3]->nkids == 1; }
static bool is_length(const Ast *c) { return !strcmp(c->name, "epochs") || !strcmp(c->name, "steps"); }

// Does the clause stand for the other one, where both are given?
static bool replaces(const Ast *c, const Ast *other) {
  if (c->kind != other->kind) return false;
  switch (c->kind) {
  case AST_CLAUSE:
    return strcmp(c->name, "allow") != 0 &&
           (!strcmp(c->name, other->name) || (is_length(c) && is_length(other)));
  case AST_UPDATE:
    return (c->name && other->name && !strcmp(c->name, other->name)) || (is_whole(c) && is_whole(other));
  case AST_STOP: return c->kids[1] && other->kids[1];
  case AST_LOG: return !strcmp(c->name, other->name);
  case AST_SAMPLE: return true;
  default: return false;
  }
}

static void not_a_recipe(Program *p, const Ast *callee) {
  const Def *d = callee->kind == AST_NAME ? sema_find(p, callee->name) : NULL;
  Arena *a = p->session->arena;
  if (!d && callee->kind == AST_NAME) {
    sema_suggest(p, diag_emit(&p->session->diags, DIAG_unknown_name, callee->span, callee->name),
                 callee->name, PLACE_ANY, NULL, 0);
    return;
  }
  diag_emit(&p->session->diags, DIAG_wrong_kind, callee->span, "a recipe",
            d ? arena_printf(a, "the %s `%s`", def_kind_name(d->kind), d->name)
              : arena_printf(a, "`%s`", ast_text(a, callee)));
}

bool has_clauses(const Ast *train) { return !recipe_call(train) || train->kids[2]->num != 0; }

void use_recipe(Program *p, const Ast *train) {
  const Ast *call = recipe_call(train), *heads = train->kids[0];
  Arena *a = p->session->arena;
  if (!call) return;
  const Ast *callee = call->kind == AST_CALL ? call->kids[0] : call;
  if (p->locals && callee->name && map_get(p->locals, callee->name)) return; // a procedure is given it
  const Def *d = train_recipe(p, train);
  if (!d) {
    not_a_recipe(p, callee);
    return;
  }
  const Ast *params = d->ast->kids[0], *body = d->ast->kids[2];
  const int models = count_models(params);
  Scope s = scope_of(p);
  if (body->kind != AST_CLAUSES) return; // a mistake that the parser has told
  check_name(&s, callee, PLACE_CALL);
  for (int i = 1; call->kind == AST_CALL && i < call->nkids; i++) check_expr(&s, call->kids[i]->kids[0]);
  if (models != heads->nkids) {
    Diag *diag = diag_emit(
        &p->session->diags, DIAG_wrong_kind, call->span,
        arena_printf(a, "%d model%s in the head, as `%s` takes", models, models == 1 ? "" : "s", d->name),
        arena_printf(a, "%d", heads->nkids));
    diag_note(diag, d->ast->name_span, "declared here");
    return;
  }
  VEC(Ast *) all = {0};
  vec_push(a, all, train->kids[2]);
  for (int i = 0; i < body->nkids; i++) {
    Ast *clause = renamed(p, body->kids[i], params, heads);
    SemaCopy c = sema_copying(p, (Span){0});
    c.library = d->from_library;
    vec_push(a, all, sema_defines(clause) ? sema_copy(&c, clause) : clause);
  }
  for (int i = 3; i < train->nkids; i++) {
    int k = 1;
    while (k <= body->nkids && !replaces(train->kids[i], all.data[k])) k++;
    if (k <= body->nkids)
      all.data[k] = train->kids[i];
    else
      vec_push(a, all, train->kids[i]);
  }
  Ast *whole = (Ast *)train; // in place: statements refer to it
  Ast **kids = ARENA_ARRAY(a, Ast *, all.len + 2);
  memcpy(kids, train->kids, 2 * sizeof *kids);
  memcpy(kids + 2, all.data, sizeof *kids * (size_t)all.len);
  whole->kids = kids;
  whole->nkids = all.len + 2;
  kids[2]->num = 1;
}
