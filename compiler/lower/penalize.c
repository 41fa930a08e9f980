// The penalty terms of a training: their names and values.
#include "train.h"
#include <string.h>

// The arguments of a call but for the first, which is what is penalized; in a pipe that is not among them.
static const char *arguments(Cx *cx, const Ast *call, bool piped) {
  StrBuf b = {.arena = cx->a};
  strbuf_add(&b, "");
  for (int i = piped ? 1 : 2; i < call->nkids; i++)
    strbuf_addf(&b, "%s%s", b.len ? ", " : "(", ast_text(cx->a, call->kids[i]));
  if (b.len) strbuf_add(&b, ")");
  return b.data;
}

// The penalties that an expression calls, joined by `+`; "" where it calls none.
static void penalty_names(Cx *cx, const Ast *e, bool piped, bool with_arguments, StrBuf *out) {
  if (!e) return;
  const Ast *callee = e->kind == AST_CALL ? e->kids[0] : piped ? e : NULL;
  Def *d = callee && callee->kind == AST_NAME ? sema_find(cx->l->program, callee->name) : NULL;
  if (d && (d->kind == KIND_PENALTY || d->kind == KIND_LOSS)) {
    strbuf_addf(out, "%s%s%s", out->len ? "+" : "", d->name,
                with_arguments && e->kind == AST_CALL ? arguments(cx, e, piped) : "");
    return;
  }
  for (int i = 0; i < e->nkids; i++)
    penalty_names(cx, e->kids[i], e->kind == AST_PIPE && i == 1, with_arguments, out);
}

// A term's name in as many words as tell it from the others: its penalties, their arguments, its selector.
enum { BY_PENALTY, BY_ARGUMENTS, BY_SELECTOR, MOST_WORDS = BY_SELECTOR };
static const char *term_name(Cx *cx, const Ast *p, int words) {
  StrBuf b = {.arena = cx->a};
  strbuf_add(&b, "");
  penalty_names(cx, p->kids[2], false, words >= BY_ARGUMENTS, &b);
  if (!b.len) strbuf_add(&b, "term");
  if (words >= BY_SELECTOR && p->kids[1] && p->kids[1]->nkids)
    strbuf_addf(&b, " %s", ast_text(cx->a, p->kids[1]->kids[0]));
  return b.data;
}

static bool is_another(Cx *cx, const Ast *train, const Ast *p, int words) {
  const char *name = term_name(cx, p, words);
  for (int i = 2; i < train->nkids; i++)
    if (train->kids[i] != p && train->kids[i]->kind == AST_PENALIZE &&
        !strcmp(term_name(cx, train->kids[i], words), name))
      return true;
  return false;
}

const char *penalty_term(Cx *cx, const LowerTrain *t, const Ast *p) {
  int words = BY_PENALTY, again = 1;
  while (words < MOST_WORDS && is_another(cx, t->ast, p, words)) words++;
  const char *name = term_name(cx, p, words), *base = name;
  for (int i = 0; i < t->terms.len; i++)
    if (!strcmp(t->terms.data[i].name, name)) name = arena_printf(cx->a, "%s %d", base, ++again), i = -1;
  return name;
}

static Node *term_value(Cx *cx, Env *env, const Ast *e) {
  Value v = eval_clause(cx, env, e);
  Node *n = v.kind == V_FAIL ? NULL : value_node(cx, &v);
  if (n && n->shape.rank != 0) {
    diag_emit(&cx->s->diags, DIAG_not_scalar, e->span, "a penalty", shape_text(cx->a, n->shape));
    return NULL;
  }
  return n && n->dtype != DT_F32 ? graph_cast(cx->g, n, DT_F32) : n;
}

static void touch(Cx *cx, LowerTrain *t, const char *path, const char *term) {
  for (int i = 0; i < t->params.len; i++) {
    LowerParam *p = &t->params.data[i];
    if (strcmp(p->path, path)) continue;
    const char **more = ARENA_ARRAY(cx->a, const char *, p->ntouched + 1);
    if (p->ntouched) memcpy(more, p->touched_by, sizeof(char *) * (size_t)p->ntouched);
    more[p->ntouched++] = term;
    p->touched_by = more;
  }
}

// `penalize a, b in S, T : e`: e for each pair of corresponding parameters, summed.
Node *penalize(Cx *cx, LowerTrain *t, const Ast *p, const char *term) {
  Env *fields = field_env(cx);
  int n = p->kids[0] ? p->kids[0]->nkids : 0;
  if (p->name) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, p->span, arena_printf(cx->a, "`by %s`", p->name),
              "in this version");
    return NULL;
  }
  if (n == 0) return term_value(cx, fields, p->kids[2]);
  if (!p->kids[1] || p->kids[1]->nkids != n) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, p->span,
              n == 1 ? "one selector" : arena_printf(cx->a, "%d selectors, one for each name", n),
              arena_printf(cx->a, "%d", p->kids[1] ? p->kids[1]->nkids : 0));
    return NULL;
  }
  Tree **trees = ARENA_ARRAY(cx->a, Tree *, n);
  for (int i = 0; i < n; i++) {
    trees[i] = select_params(cx, p->kids[1]->kids[i]);
    if (!trees[i]) return NULL;
    if (trees[i]->n != trees[0]->n) {
      diag_emit(&cx->s->diags, DIAG_wrong_kind, p->kids[1]->kids[i]->span,
                arena_printf(cx->a, "%d parameters as in the first selector", trees[0]->n),
                arena_printf(cx->a, "%d", trees[i]->n));
      return NULL;
    }
  }
  Node *total = NULL;
  const Site *outer = cx->site;
  for (int k = 0; k < trees[0]->n; k++) {
    const Site own = {outer, p->span, trees[0]->leaf[k].path};
    Env *env = env_new(cx, fields, "", "penalize");
    for (int i = 0; i < n; i++)
      env_set(cx, env, p->kids[0]->kids[i]->name,
              v_tensor(trees[i]->leaf[k].node, p->kids[1]->kids[i]->span));
    cx->site = &own;
    Node *v = term_value(cx, env, p->kids[2]);
    cx->site = outer;
    if (!v) return NULL;
    total = total ? graph_binary(cx->g, OP_ADD, total, v) : v;
    if (term) touch(cx, t, trees[0]->leaf[k].path, term);
  }
  return total;
}
