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

typedef VEC(Ast *) Clauses;

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
  case AST_SAMPLE:
  case AST_SOLVE: return true;
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

// In `all` each clause stands in the place of what it replaces, else behind the others.
static void add_clauses(Arena *a, Clauses *all, int from, Ast *const *clauses, int n) {
  const int before = all->len;
  for (int i = 0; i < n; i++) {
    int k = from;
    while (k < before && !replaces(clauses[i], all->data[k])) k++;
    if (k < before)
      all->data[k] = clauses[i];
    else
      vec_push(a, *all, clauses[i]);
  }
}

// -- variants of a recipe

static const Ast *callee_of(const Ast *e) { return e->kind == AST_CALL ? e->kids[0] : e; }

static Def *recipe_named(Program *p, const Ast *e) {
  const Ast *callee = callee_of(e);
  Def *d = callee->kind == AST_NAME ? sema_find(p, callee->name) : NULL;
  if (d && d->kind == KIND_RECIPE && d->ast->kids[2]->kind == AST_CLAUSES) return d;
  not_a_recipe(p, callee);
  return NULL;
}

// `as NAME` at the end of an expression, or the penalty or loss that it calls.
static bool is_called(const Ast *e, const char *name) {
  if ((e->kind == AST_AS || e->kind == AST_NAME) && !strcmp(e->name, name)) return true;
  if (e->kind == AST_AS || e->kind == AST_CALL) return is_called(e->kids[0], name);
  if (e->kind == AST_BINARY) return is_called(e->kids[0], name) || is_called(e->kids[1], name);
  return e->kind == AST_PIPE && is_called(e->kids[1], name);
}

static bool clause_is(const Ast *c, const char *name) {
  switch (c->kind) {
  case AST_UPDATE:
  case AST_LOG: return c->name && !strcmp(c->name, name);
  case AST_PENALIZE:
  case AST_CONSTRAIN: return is_called(c->kids[2], name);
  case AST_CLAUSE: return !strcmp(c->name, name) || (!strcmp(c->name, "loss") && is_called(c->kids[0], name));
  default: return false;
  }
}

static bool without(Program *p, const Def *base, const Ast *name, Clauses *all) {
  const Ast *body = base->ast->kids[2];
  for (int i = 0; i < body->nkids; i++)
    if (!clause_is(body->kids[i], name->name)) vec_push(p->session->arena, *all, body->kids[i]);
  if (all->len < body->nkids) return true;
  Diag *d = diag_emit(&p->session->diags, DIAG_unknown_name, name->span, name->name);
  diag_note(d, base->ast->name_span, "no clause of this recipe is called so");
  diag_hint(d, "a clause has the name of its penalty, or what stands behind its `as`");
  return false;
}

static Ast *named(Program *p, const char *name, Span at) {
  Ast *e = ARENA_NEW(p->session->arena, Ast);
  *e = (Ast){.kind = AST_NAME, .name = name, .span = at, .name_span = at, .depth = 1, .links = 1};
  return e;
}

// What stands in the clauses of the added recipe in the place of its parameters.
static bool give_params(Program *p, SemaCopy *c, const Def *base, const Def *more, const Ast *call) {
  const Ast *params = more->ast->kids[0], *own = base->ast->kids[0];
  const int models = count_models(params);
  int position = models;
  if (models != count_models(own)) {
    diag_emit(&p->session->diags, DIAG_wrong_kind, call->span,
              arena_printf(p->session->arena, "a recipe for as many models as `%s`", base->name),
              arena_printf(p->session->arena, "`%s`", more->name));
    return false;
  }
  for (int i = 0; params && i < params->nkids; i++)
    if (i < models)
      map_put(&c->given, params->kids[i]->name, named(p, own->kids[i]->name, own->kids[i]->name_span));
    else if (params->kids[i]->kids[1])
      map_put(&c->given, params->kids[i]->name, params->kids[i]->kids[1]);
  for (int i = 1; call->kind == AST_CALL && i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    const char *name = arg->name                            ? arg->name
                       : params && position < params->nkids ? params->kids[position++]->name
                                                            : NULL;
    if (name) map_put(&c->given, name, arg->kids[0]);
  }
  return true;
}

const Ast *sema_variant(Program *p, const Ast *first, const Ast *variant) {
  Arena *a = p->session->arena;
  const Def *base = recipe_named(p, first);
  Clauses all = {0};
  if (!base) return NULL;
  if (variant->op == OPR_SUB && !without(p, base, variant->kids[0], &all)) return NULL;
  if (variant->op == OPR_ADD) {
    const Ast *body = base->ast->kids[2];
    const Def *more = recipe_named(p, variant->kids[0]);
    SemaCopy c = sema_copying(p, (Span){0});
    if (!more || !give_params(p, &c, base, more, variant->kids[0])) return NULL;
    for (int i = 0; i < body->nkids; i++) vec_push(a, all, body->kids[i]);
    Ast *added = sema_copy(&c, more->ast->kids[2]);
    add_clauses(a, &all, 0, added->kids, added->nkids);
  }
  Ast *body = ARENA_NEW(a, Ast), *def = ARENA_NEW(a, Ast), *name = ARENA_NEW(a, Ast), *out = name;
  *body = *base->ast->kids[2];
  body->kids = all.data, body->nkids = all.len;
  *def = *base->ast;
  def->name = arena_printf(a, "%s %s", base->name, ast_text(a, variant));
  def->kids = ARENA_ARRAY(a, Ast *, base->ast->nkids);
  memcpy(def->kids, base->ast->kids, sizeof *def->kids * (size_t)base->ast->nkids);
  def->kids[2] = body;
  Def *d = sema_define(p, def, base->from_library, &p->defs);
  d->checked = d->used = d->own = true;
  d->scope = base->scope;
  *name = *callee_of(first);
  name->name = def->name, name->text = def->name, name->op = 1;
  if (first->kind == AST_CALL) {
    out = ARENA_NEW(a, Ast);
    *out = *first;
    out->kids = ARENA_ARRAY(a, Ast *, first->nkids);
    memcpy(out->kids, first->kids, sizeof *out->kids * (size_t)first->nkids);
    out->kids[0] = name;
  }
  return out;
}

void use_recipe(Program *p, const Ast *train, bool given) {
  const Ast *call = recipe_call(train), *heads = train->kids[0];
  Arena *a = p->session->arena;
  if (!call) return;
  const Ast *callee = call->kind == AST_CALL ? call->kids[0] : call;
  Scope s = scope_of(p);
  for (int i = 1; !given && call->kind == AST_CALL && i < call->nkids; i++)
    check_expr(&s, call->kids[i]->kids[0]);
  if (p->locals && callee->name && map_get(p->locals, callee->name)) return; // a procedure is given it
  const Ast *by = callee->name ? map_get(&p->stored, callee->name) : NULL;
  if (by && by->kind == AST_SWEEP) return; // each run has another one
  const Def *d = train_recipe(p, train);
  if (!d) {
    not_a_recipe(p, callee);
    return;
  }
  const Ast *params = d->ast->kids[0], *body = d->ast->kids[2];
  const int models = count_models(params);
  if (body->kind != AST_CLAUSES) return; // a mistake that the parser has told
  check_name(&s, callee, PLACE_CALL);
  if (models != heads->nkids) {
    Diag *diag = diag_emit(
        &p->session->diags, DIAG_wrong_kind, call->span,
        arena_printf(a, "%d model%s in the head, as `%s` takes", models, models == 1 ? "" : "s", d->name),
        arena_printf(a, "%d", heads->nkids));
    diag_note(diag, d->ast->name_span, "declared here");
    return;
  }
  Clauses all = {0};
  vec_push(a, all, train->kids[2]);
  for (int i = 0; i < body->nkids; i++) {
    Ast *clause = renamed(p, body->kids[i], params, heads);
    SemaCopy c = sema_copying(p, (Span){0});
    c.library = d->from_library;
    vec_push(a, all, sema_defines(clause) ? sema_copy(&c, clause) : clause);
  }
  add_clauses(a, &all, 1, train->kids + 3, train->nkids - 3);
  Ast *whole = (Ast *)train; // in place: statements refer to it
  Ast **kids = ARENA_ARRAY(a, Ast *, all.len + 2);
  memcpy(kids, train->kids, 2 * sizeof *kids);
  memcpy(kids + 2, all.data, sizeof *kids * (size_t)all.len);
  whole->kids = kids;
  whole->nkids = all.len + 2;
  kids[2]->num = 1;
}
