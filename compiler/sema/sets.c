// `--set name=value`. In: a program whose names are collected. Out: another body of a definition, or another
// number where a statement would find one.
#include "builtins.h"
#include "collect.h"
#include <string.h>

static Ast *with_kid(Program *p, const Ast *e, int i, Ast *kid) {
  Ast *copy = ARENA_NEW(p->session->arena, Ast);
  *copy = *e;
  copy->kids = ARENA_ARRAY(p->session->arena, Ast *, copy->nkids);
  memcpy(copy->kids, e->kids, sizeof(Ast *) * (size_t)copy->nkids);
  copy->kids[i] = kid;
  return copy;
}

// Of `known(e, most: N)` the place of e; 0: it is no such call.
static int known_number(Program *p, const Ast *e) {
  const bool named = e->kind == AST_CALL && e->kids[0]->kind == AST_NAME;
  if (!named || builtin_find(e->kids[0]->name) != B_KNOWN || map_get(&p->defs, "known")) return 0;
  int at = 0;
  for (int i = e->nkids - 1; i > 0; i--)
    if (!e->kids[i]->name || !strcmp(e->kids[i]->name, "e")) at = i;
  return at;
}

// `k = known(e, most: N)` outside of blocks: k is the number that is given, and nothing is to be found.
// False: there is no such statement.
static bool set_known(Program *p, const char *name, int source) {
  for (int i = 0; i < p->statements.len; i++) {
    const Ast *bind = p->statements.data[i], *call = bind->kind == AST_BIND ? bind->kids[0] : NULL;
    const int at = call && !strcmp(bind->name, name) ? known_number(p, call) : 0;
    if (!at) continue;
    Ast *value = parse_expression(p->session, source);
    if (value)
      p->statements.data[i] =
          with_kid(p, bind, 0, with_kid(p, call, at, with_kid(p, call->kids[at], 0, value)));
    return true;
  }
  return false;
}

// `--set name=value`: a definition without parameters gets another body.
void sema_set(Program *p, const SemaSet *set) {
  Session *s = p->session;
  int source = source_add(&s->sources, arena_printf(s->arena, "--set %s", set->name), set->value,
                          (int)strlen(set->value));
  Span here = {source, 0, (int)strlen(set->value)};
  Def *d = map_get(&p->defs, set->name);
  if (!d && set_known(p, set->name, source)) return;
  if (!d || d->own) {
    Diag *diag = diag_emit(&s->diags, DIAG_unknown_name, here, set->name);
    diag_hint(diag, "--set changes a definition of the program: `let %s = …` or `schedule %s = …`", set->name,
              set->name);
    return;
  }
  if (d->ast->kids[0] || (d->kind != KIND_LET && d->kind != KIND_SCHEDULE)) {
    diag_emit(&s->diags, DIAG_wrong_kind, here, "a `let` or a `schedule` without parameters",
              def_kind_name(d->kind));
    return;
  }
  Ast *value = parse_expression(s, source);
  if (!value) return;
  d->ast = with_kid(p, d->ast, 2, value);
  d->set_by = here;
}
