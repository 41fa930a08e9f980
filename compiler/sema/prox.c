// Penalties by their proximal operators: `penalize w in S : strength * l1(w) by prox`. A penalty's operator
// is the definition `prox l1(w, t, …)` beside it, whose further parameters are the penalty's others.
#include "library.h"
#include "scope.h"
#include <stdlib.h>
#include <string.h>

static Def *meant(Program *p, bool library, const char *name) {
  return library ? sema_library(p, name) : sema_find(p, name);
}

Def *sema_beside(Program *p, DefKind kind, const Def *of) {
  const char *name = arena_printf(p->session->arena, "%s %s", def_kind_name(kind), of->name);
  Def *own = map_get(&p->defs, name);
  return own || !of->from_library ? own : map_get(&p->library, name);
}

bool sema_call_of(Program *p, DefKind kind, bool library, const Ast *e, BesideCall *out) {
  if (e->kind == AST_BINARY && e->op == OPR_MUL && sema_call_of(p, kind, library, e->kids[1], out))
    return true;
  if (e->kind == AST_BINARY && (e->op == OPR_MUL || e->op == OPR_DIV))
    return sema_call_of(p, kind, library, e->kids[0], out);
  const Ast *stage = e->kind == AST_PIPE ? e->kids[1] : e;
  const Ast *callee = stage->kind == AST_CALL ? stage->kids[0] : stage;
  Def *d = callee->kind == AST_NAME && (stage->kind == AST_CALL || e->kind == AST_PIPE)
               ? meant(p, library, callee->name)
               : NULL;
  if (!d || d->kind != kind) return false;
  *out = (BesideCall){.def = d, .call = e, .stage = stage, .rest = 1};
  out->of = e->kind == AST_PIPE ? e->kids[0] : stage->nkids > 1 ? stage->kids[1]->kids[0] : NULL;
  if (e->kind != AST_PIPE) out->rest = 2;
  return true;
}

static int by_text(const void *x, const void *y) {
  return strcmp(*(const char *const *)x, *(const char *const *)y);
}

// The penalties that have an operator.
static const char *with_operator(Program *p) {
  Arena *a = p->session->arena;
  VEC(const char *) names = {0};
  StrBuf b = {.arena = a};
  for (const LibraryName *l = library_names; l->name; l++)
    if (l->kind == KIND_PENALTY) sema_library(p, l->name);
  const Map *maps[] = {&p->defs, &p->library};
  for (int m = 0; m < 2; m++)
    for (int i = 0; i < maps[m]->len; i++) {
      const Def *d = maps[m]->entries[i].value;
      const Def *of = d->kind == KIND_PROX ? meant(p, d->from_library, beside_what(d->name)) : NULL;
      if (of && of->kind == KIND_PENALTY && !(m && map_get(&p->defs, d->name)))
        vec_push(a, names, d->name + 5);
    }
  qsort(names.data, (size_t)names.len, sizeof *names.data, by_text);
  for (int i = 0; i < names.len; i++) strbuf_addf(&b, "%s%s", i ? ", " : "", names.data[i]);
  return b.data;
}

void tell_none_beside(Program *p, const char *name, Span at) {
  const char *penalty = beside_what(name);
  if (strncmp(name, "prox ", 5) != 0) {
    Diag *d = diag_emit(&p->session->diags, DIAG_unknown_name, at, name);
    diag_hint(d, "`conjugate %s(u, y) = ...` declares it beside the loss", penalty);
    return;
  }
  Diag *d = diag_emit(&p->session->diags, DIAG_no_prox, at, penalty);
  diag_hint(d, "these penalties have one: %s", with_operator(p));
  diag_hint(d, "`prox %s(w, t) = ...` declares one", penalty);
}

void check_by_prox(const Scope *s, const Ast *penalize) {
  Program *p = s->p;
  Arena *a = p->session->arena;
  Diags *ds = &p->session->diags;
  const Ast *names = penalize->kids[0], *e = penalize->kids[2];
  BesideCall x;
  if (strcmp(penalize->name, "prox") != 0) {
    diag_emit(ds, DIAG_wrong_kind, penalize->name_span, "`by prox`",
              arena_printf(a, "`by %s`", penalize->name));
    return;
  }
  const char *w = names->nkids == 1 ? names->kids[0]->name : NULL;
  if (!w || !sema_call_of(p, KIND_PENALTY, s->library, e, &x) || !x.of || x.of->kind != AST_NAME ||
      strcmp(x.of->name, w) != 0) {
    Diag *d = diag_emit(ds, DIAG_prox_form, e->span, w ? w : "w");
    diag_hint(d, "for example `penalize w in net.*.weight : 1e-3 * l1(w) by prox`");
    return;
  }
  Def *prox = sema_beside(p, KIND_PROX, x.def);
  if (prox) {
    Scope its = *s;
    its.library = prox->from_library;
    const Ast named = {.kind = AST_NAME,
                       .op = prox->own,
                       .name = prox->name,
                       .span = x.call->span,
                       .name_span = x.call->span};
    check_name(&its, &named, PLACE_CALL);
    return;
  }
  tell_none_beside(p, arena_printf(a, "prox %s", x.def->name), x.call->span);
}

static bool has_param(const Ast *params, int from, const char *name) {
  for (int i = from; params && i < params->nkids; i++)
    if (!strcmp(params->kids[i]->name, name)) return true;
  return false;
}

// `per_row` and its like, which every loss has without saying it.
static bool of_all_losses(const Ast *param) { return param->num != 0; }

// What may stand beside a definition, and with which parameters.
static const struct Beside {
  DefKind of;
  const char *form, *first; // `form` with the name in it
  int own;                  // parameters in front of those of the definition
  bool others;              // it has the definition's further parameters
  DiagId wrong;
} besides[KIND_COUNT] = {
    [KIND_PROX] = {KIND_PENALTY,
                   "`prox NAME(w, t)` is the proximal operator of `penalty NAME(w)`, or of a loss", "`w, t",
                   2, true, DIAG_prox_parameters},
    [KIND_CONJUGATE] = {KIND_LOSS, "`conjugate NAME(u, y)` is the convex conjugate of `loss NAME(pred, y)`",
                        "`u", 1, true, DIAG_conjugate_parameters},
    [KIND_RESPONSE] = {KIND_LOSS,
                       "`response NAME(pred)` is what is predicted where `loss NAME(pred, y)` was minimized",
                       "`pred", 1, false, DIAG_response_parameters},
};

void check_beside(Program *p, const Def *d) {
  Arena *a = p->session->arena;
  const char *name = beside_what(d->name);
  const struct Beside *b = &besides[d->kind];
  const Def *of = meant(p, d->from_library, name);
  if (!of || (of->kind != b->of && (d->kind != KIND_PROX || of->kind != KIND_LOSS))) {
    Diag *diag =
        diag_emit(&p->session->diags, DIAG_wrong_kind, d->ast->name_span,
                  arena_printf(a, "the name of a %s", def_kind_name(b->of)), arena_printf(a, "`%s`", name));
    diag_hint(diag, "%s", b->form);
    return;
  }
  const Ast *params = d->ast->kids[0], *whole = of->ast->kids[0];
  StrBuf list = {.arena = a};
  int own = b->own;
  strbuf_add(&list, b->first);
  bool fits = params && whole;
  for (int i = 1; b->others && whole && i < whole->nkids; i++) {
    if (of_all_losses(whole->kids[i])) continue;
    own++;
    strbuf_addf(&list, ", %s", whole->kids[i]->name);
    fits = fits && has_param(params, b->own, whole->kids[i]->name);
  }
  strbuf_add(&list, "`");
  if (fits && params->nkids == own) return;
  Diag *diag = diag_emit(&p->session->diags, b->wrong, d->ast->name_span, d->name, list.data);
  diag_note(diag, of->ast->name_span, "the %s", def_kind_name(b->of));
}
