// Which parameters the clauses of a training update, constrain and keep. In: their selectors. Holds: each
// parameter of the models in the head is frozen or updated; clauses that act together update no parameter
// twice; what is constrained is updated.
#include "updates.h"
#include <string.h>

static bool select_into(Cx *cx, const Ast *selector, bool *hits) {
  const Tree *t = select_params(cx, selector);
  for (int i = 0; t && i < t->n; i++) hits[((ParamRef *)map_get(&cx->params, t->leaf[i].path))->index] = true;
  return t != NULL;
}

static bool find_frozen(Acts *a) {
  bool ok = true;
  a->frozen = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
  for (int i = 2; i < a->t->ast->nkids; i++) {
    const Ast *c = a->t->ast->kids[i];
    for (int k = 0; c->kind == AST_FREEZE && k < c->nkids; k++)
      ok = select_into(a->cx, c->kids[k], a->frozen) && ok;
  }
  return ok;
}

// A parameter of another model is not updated.
static bool in_head(Acts *a, const bool *hits, const Ast *at) {
  Cx *cx = a->cx;
  int i = 0;
  while (i < cx->params.len && !(hits[i] && !trains_tensor(a->t, param_at(cx, i)->path))) i++;
  if (i == cx->params.len) return true;
  const char *path = param_at(cx, i)->path, *model = arena_strndup(cx->a, path, strcspn(path, "."));
  Diag *d = diag_emit(&cx->s->diags, DIAG_not_in_head, at->span, model);
  diag_hint(d, "`train %s, %s on …` trains both", ast_text(cx->a, a->t->ast->kids[0]->kids[0]), model);
  return false;
}

// What the part's selectors name, without what is frozen.
static bool select_part(Acts *a, Part *p) {
  Cx *cx = a->cx;
  bool any = false;
  for (int i = 1; i < p->ast->nkids; i++)
    if (!select_into(cx, p->ast->kids[i], p->updates) || !in_head(a, p->updates, p->ast->kids[i]))
      return false;
  for (int i = 0; i < cx->params.len; i++) {
    p->updates[i] = p->updates[i] && !a->frozen[i];
    any |= p->updates[i];
  }
  if (!any)
    diag_emit(&cx->s->diags, DIAG_not_a_training_value, p->ast->span,
              "all that this clause updates is frozen");
  return any;
}

// Another part, of a clause that acts at the same time, which updates parameter i.
static const Ast *rival(const Acts *a, const Update *u, const Part *p, int i) {
  for (const Update *v = a->list; v <= u; v++)
    for (int k = 0; k < v->nparts; k++) {
      if (&v->parts[k] == p) return NULL;
      if ((v == u || (optimizes(v) && optimizes(u))) && v->parts[k].updates[i]) return v->parts[k].ast;
    }
  return NULL;
}

static bool is_alone(Acts *a, const Update *u, const Part *p) {
  for (int i = 0; i < a->cx->params.len; i++) {
    const Ast *other = p->updates[i] ? rival(a, u, p, i) : NULL;
    if (!other) continue;
    Diag *d = diag_emit(&a->cx->s->diags, DIAG_updated_twice, p->ast->span, param_at(a->cx, i)->path);
    diag_note(d, other->span, "and here");
    return false;
  }
  return true;
}

static bool is_updated(const Acts *a, int i) {
  for (int k = 0; k < a->n; k++)
    for (int j = 0; j < a->list[k].nparts; j++)
      if (a->list[k].parts[j].updates[i]) return true;
  return false;
}

static bool none_left_over(Acts *a) {
  Cx *cx = a->cx;
  for (int i = 0; i < cx->params.len; i++) {
    const char *path = param_at(cx, i)->path;
    if (!trains_tensor(a->t, path) || a->frozen[i] || is_updated(a, i)) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_not_updated, a->t->ast->kids[0]->span, path);
    diag_note(d, param_at(cx, i)->origin, "declared here");
    diag_hint(d, "`freeze %s` keeps it as it is", path);
    return false;
  }
  return true;
}

// A clause `constrain` acts on parameters of the head that are not all kept.
static bool constrains(Acts *a, const Ast *c) {
  Cx *cx = a->cx;
  const Ast *selector = c->kids[1]->kids[0];
  bool *hits = ARENA_ARRAY(cx->a, bool, cx->params.len + 1);
  if (!select_into(cx, selector, hits) || !in_head(a, hits, selector)) return false;
  for (int i = 0; i < cx->params.len; i++)
    if (hits[i] && is_updated(a, i)) return true;
  diag_emit(&cx->s->diags, DIAG_not_a_training_value, selector->span,
            "nothing updates what this clause constrains");
  return false;
}

bool constraints_act(Acts *a) {
  const Ast *ast = a->t->ast;
  for (int i = 2; i < ast->nkids; i++)
    if (ast->kids[i]->kind == AST_CONSTRAIN && !constrains(a, ast->kids[i])) return false;
  return true;
}

bool select_all(Acts *a) {
  if (!find_frozen(a)) return false;
  bool *rest = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
  Part *open = NULL; // `optimize` without `for`: what no other clause updates
  for (int i = 0; i < a->n; i++)
    for (int k = 0; k < a->list[i].nparts; k++) {
      Part *p = &a->list[i].parts[k];
      p->updates = ARENA_ARRAY(a->cx->a, bool, a->cx->params.len + 1);
      if (p->ast->nkids == 1)
        open = p;
      else if (!select_part(a, p) || !is_alone(a, &a->list[i], p))
        return false;
    }
  for (int i = 0; i < a->cx->params.len; i++)
    rest[i] = trains_tensor(a->t, param_at(a->cx, i)->path) && !a->frozen[i] && !is_updated(a, i);
  if (open) open->updates = rest;
  return none_left_over(a) && constraints_act(a);
}

void note_updates(Acts *a) {
  Cx *cx = a->cx;
  for (int i = 0; i < a->t->params.len; i++) {
    StrBuf b = {.arena = cx->a};
    for (int k = 0; k < a->n; k++)
      for (int j = 0; j < a->list[k].nparts; j++)
        if (a->list[k].parts[j].updates[i])
          strbuf_addf(&b, "%s%s", b.len ? ", " : "", ast_text(cx->a, a->list[k].ast->kids[0]));
    a->t->params.data[i].updated_by = b.len ? b.data : "-";
  }
}
