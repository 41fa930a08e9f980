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

// -- by prox

static bool holds(const Ast *e, const Ast *part) {
  if (e == part) return true;
  for (int i = 0; e && i < e->nkids; i++)
    if (holds(e->kids[i], part)) return true;
  return false;
}

// The factors around the penalty's call.
static Value strength(Cx *cx, Env *env, const Ast *e, const Ast *call) {
  if (e == call) return v_num(1, e->span);
  if (!holds(e, call)) return eval_clause(cx, env, e);
  Value x = strength(cx, env, e->kids[0], call), y = strength(cx, env, e->kids[1], call);
  return x.kind == V_FAIL || y.kind == V_FAIL ? v_fail() : binary(cx, e->op, &x, &y, e->span);
}

// What the penalty's parameters stand for in its call, but for the first.
static bool prox_args(Cx *cx, Env *env, const BesideCall *c, ProxStep *x) {
  const Ast *ps = c->def->ast->kids[0];
  const int given = c->stage->kind == AST_CALL ? c->stage->nkids : 0;
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, given + 1);
  int n = 0;
  Value *of = ARENA_NEW(cx->a, Value);
  *of = eval_clause(cx, env, c->of);
  args[n++] = (BoundArg){NULL, of, c->of->span};
  for (int i = c->rest; i < given; i++) {
    const Ast *arg = c->stage->kids[i];
    Value *v = ARENA_NEW(cx->a, Value);
    *v = eval_clause(cx, env, arg->kids[0]);
    args[n++] = (BoundArg){arg->name, v, arg->span};
  }
  Env *inner = env_new(cx, NULL, "", c->def->name);
  if (!bind_args(cx, c->def, args, n, c->call->span, inner, false)) return false;
  x->args = ARENA_ARRAY(cx->a, BoundArg, ps->nkids);
  for (int i = 1; i < ps->nkids; i++)
    x->args[x->nargs++] = (BoundArg){ps->kids[i]->name, env_get(inner, ps->kids[i]->name), c->call->span};
  return true;
}

static bool add_prox(Cx *cx, Env *env, const Ast *p, const char *path, ProxSteps *steps) {
  BesideCall c;
  ProxStep x = {.ast = p, .path = path};
  const bool library = source_is_library(source_get(&cx->s->sources, p->span.source));
  if (!sema_call_of(cx->l->program, KIND_PENALTY, library, p->kids[2], &c)) return false;
  x.def = sema_beside(cx->l->program, KIND_PROX, c.def);
  for (int i = 0; i < steps->len; i++) {
    if (strcmp(steps->data[i].path, path) != 0) continue;
    Diag *d = diag_emit(&cx->s->diags, DIAG_prox_twice, p->span, path);
    diag_note(d, steps->data[i].ast->span, "and here");
    return false;
  }
  x.strength = strength(cx, env, p->kids[2], c.call);
  if (x.strength.kind == V_FAIL || !x.def || !prox_args(cx, env, &c, &x)) return false;
  vec_push(cx->a, *steps, x);
  return true;
}

// Not a selector of parameters, but other tensors.
static bool is_value(Cx *cx, const Env *env, const Ast *e) {
  const Ast *root = selector_root(e);
  Value held;
  return root->kind == AST_NAME && (env_get(env, root->name) || held_value(cx, root->name, &held));
}

// What the names of a penalty go through: parameters, and behind the first name values too (tree NULL).
typedef struct Through {
  const Tree *tree;
  Value value;
} Through;

static bool find_sources(Cx *cx, const Env *fields, const Ast *p, int n, Through *out) {
  if (!p->kids[1] || p->kids[1]->nkids != n) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, p->span,
              n == 1 ? "one selector" : arena_printf(cx->a, "%d selectors, one for each name", n),
              arena_printf(cx->a, "%d", p->kids[1] ? p->kids[1]->nkids : 0));
    return false;
  }
  for (int i = 0; i < n; i++) {
    const Ast *e = p->kids[1]->kids[i];
    out[i] = (Through){0};
    if (i && is_value(cx, fields, e)) {
      out[i].value = eval_clause(cx, env_new(cx, fields, "", "train"), e);
      if (out[i].value.kind == V_FAIL) return false;
      continue;
    }
    out[i].tree = select_params(cx, e);
    if (!out[i].tree) return false;
    if (out[i].tree->n == out->tree->n) continue;
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->span,
              arena_printf(cx->a, "%d parameters as in the first selector", out->tree->n),
              arena_printf(cx->a, "%d", out[i].tree->n));
    return false;
  }
  return true;
}

// With the names for the k-th parameter; NULL after a report.
static Env *names_of(Cx *cx, const Env *fields, const Ast *p, int n, const Through *sources, int k) {
  Env *env = env_new(cx, fields, "", "penalize");
  for (int i = 0; i < n; i++) {
    Value v;
    if (sources[i].tree)
      v = v_tensor(sources[i].tree->leaf[k].node, p->kids[1]->kids[i]->span);
    else if (!beside(cx, &sources[i].value, sources->tree->leaf[k].path, &v))
      return NULL;
    env_set(cx, env, p->kids[0]->kids[i]->name, v);
  }
  return env;
}

// `penalize a, b in S, T : e`: e for each parameter of S, with what is beside it in T, summed.
Node *penalize(Cx *cx, LowerTrain *t, const Ast *p, const char *term, ProxSteps *steps) {
  Env *fields = field_env(cx);
  const int n = p->kids[0] ? p->kids[0]->nkids : 0;
  if (n == 0) return term_value(cx, fields, p->kids[2]);
  Through *sources = ARENA_ARRAY(cx->a, Through, n);
  if (!find_sources(cx, fields, p, n, sources)) return NULL;
  Node *total = NULL;
  const Site *outer = cx->site;
  for (int k = 0; k < sources->tree->n; k++) {
    const char *path = sources->tree->leaf[k].path;
    const Site own = {outer, p->span, path};
    Env *env = names_of(cx, fields, p, n, sources, k);
    if (!env) return NULL;
    cx->site = &own;
    Node *v = term_value(cx, env, p->kids[2]);
    cx->site = outer;
    if (!v || (p->name && !add_prox(cx, env, p, path, steps))) return NULL;
    total = total ? graph_binary(cx->g, OP_ADD, total, v) : v;
    if (term) touch(cx, t, path, term);
  }
  return total;
}
