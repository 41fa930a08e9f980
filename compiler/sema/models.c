// What a model is made of, by names: whose body it has, whose parameters it shares. In: definitions. Holds: a
// model shares the parameters of those that its body calls, itself or through other definitions; `new net`
// has parameters of its own.
#include "builtins.h"
#include "collect.h"
#include <string.h>

static Def *meant(Program *p, const Def *by, const Ast *name) {
  return by->from_library && !name->op ? sema_library(p, name->name) : sema_find(p, name->name);
}

// Calls of these are models that share no parameters.
static bool makes_still(const Ast *call) {
  const bool named = call->kind == AST_CALL && call->kids[0]->kind == AST_NAME;
  const int b = named ? builtin_find(call->kids[0]->name) : -1;
  return b >= B_LOAD && b < B_CSV;
}

bool sema_is_still(const Def *d) {
  return (d->kind == KIND_LET || d->kind == KIND_MODEL) && !d->ast->kids[0] && makes_still(d->ast->kids[2]);
}

// The model that it loads or follows; NULL: it does not say.
static const Ast *still_of(const Ast *call) {
  const bool loads = builtin_find(call->kids[0]->name) == B_LOAD;
  int at = 0;
  for (int i = 1; i < call->nkids; i++) {
    const Ast *arg = call->kids[i];
    if (arg->name ? !strcmp(arg->name, loads ? "as" : "net") : at == loads) return arg->kids[0];
    at += !arg->name;
  }
  return NULL;
}

// Without a name, what follows a model is called as it is written: the same call is one model wherever it
// stands.
void sema_name_average(Program *p, const Ast *call) {
  const Ast *of = makes_still(call) && !sema_find(p, call->kids[0]->name) ? still_of(call) : NULL;
  const Def *model = of && of->kind == AST_NAME ? sema_find(p, of->name) : NULL;
  if (!model || model->kind != KIND_MODEL || builtin_find(call->kids[0]->name) == B_LOAD) return;
  Arena *a = p->session->arena;
  const char *name = ast_text(a, call);
  if (!map_get(&p->defs, name)) {
    Ast *def = ARENA_NEW(a, Ast), *body = ARENA_NEW(a, Ast);
    *body = *call;
    *def = (Ast){.kind = AST_DEF, .op = KIND_LET, .name = name, .span = call->span, .name_span = call->span};
    def->kids = ARENA_ARRAY(a, Ast *, 4);
    def->kids[2] = body;
    def->nkids = 4;
    Def *d = sema_define(p, def, model->from_library, &p->defs);
    d->checked = d->used = true;
  }
  *(Ast *)call = (Ast){.kind = AST_NAME, // in place: statements refer to it
                       .op = 1,
                       .name = name,
                       .span = call->span,
                       .name_span = call->span,
                       .depth = 1,
                       .links = 1};
}

const Ast *sema_followed(const Ast *call) { return makes_still(call) ? still_of(call) : NULL; }

static bool is_made(const Def *d) {
  const Ast *body = d->ast->kids[2];
  return d->kind == KIND_MODEL &&
         (body->kind == AST_NEW || body->kind == AST_DERIVE || body->kind == AST_AT || sema_is_still(d));
}

// What stands for a model in the body of one that is made of another; NULL where d has a body of its own.
static const Ast *made_of(const Def *d) {
  const Ast *body = d->ast->kids[2];
  if (sema_is_still(d)) return still_of(body);
  if (!is_made(d)) return NULL;
  while (body->kind == AST_DERIVE || body->kind == AST_AT) body = body->kids[0];
  if (body->kind == AST_NEW) body = body->kids[0];
  return body->kind == AST_CALL ? body->kids[0] : body;
}

static Def *made_of_model(Program *p, const Def *d) {
  const Ast *of = made_of(d);
  Def *model = of && of->kind == AST_NAME ? meant(p, d, of) : NULL;
  return model && model->kind == KIND_MODEL ? model : NULL;
}

Def *sema_structure(Program *p, Def *d) {
  const Def *slow = d; // goes half as fast: where both meet, models are made of each other
  for (bool half = false; made_of(d); half = !half) {
    d = made_of_model(p, d);
    if (!d || d == slow) return NULL;
    if (half) slow = made_of_model(p, slow);
  }
  return d;
}

bool sema_is_making(const Ast *p) {
  const Ast *type = p->kids[0];
  if (!type) return p->kids[1] != NULL;
  return type->kind != AST_LIST && (!type->name || strcmp(type->name, "labels") != 0);
}

// -- shared parameters

typedef struct Search {
  Program *p;
  VEC(const Def *) seen;
  SharedModels out;
} Search;

static void search_def(Search *s, const Def *d);

static bool is_parameter(const Def *d, const char *name) {
  const Ast *ps = d->ast->kids[0];
  for (int i = 0; ps && i < ps->nkids; i++)
    if (ps->kids[i]->name && !strcmp(ps->kids[i]->name, name)) return true;
  return false;
}

static void search(Search *s, const Def *d, const Ast *e) {
  if (!e || makes_still(e)) return;
  const Def *named = e->kind == AST_NAME && !is_parameter(d, e->name) ? meant(s->p, d, e) : NULL;
  if (named && named->kind == KIND_MODEL) vec_push(s->p->session->arena, s->out, named->name);
  if (named) search_def(s, named);
  for (int i = 0; i < e->nkids; i++) search(s, d, e->kids[i]);
}

static void search_def(Search *s, const Def *d) {
  for (int i = 0; i < s->seen.len; i++)
    if (s->seen.data[i] == d) return;
  vec_push(s->p->session->arena, s->seen, d);
  if (!is_made(d)) {
    search(s, d, d->ast->kids[2]);
    return;
  }
  const Ast *of = d->ast->kids[2];
  while (of->kind == AST_DERIVE || of->kind == AST_AT) of = of->kids[0];
  if (makes_still(of)) return;
  const Def *body = of->kind == AST_NEW ? sema_structure(s->p, (Def *)d) : NULL;
  if (body)
    search(s, body, body->ast->kids[2]);
  else
    search(s, d, of);
}

const SharedModels *sema_shared(Program *p, Def *model) {
  if (model->shared) return model->shared;
  Search s = {.p = p};
  search_def(&s, model);
  SharedModels *out = ARENA_NEW(p->session->arena, SharedModels);
  *out = s.out;
  return model->shared = out;
}
