// What restrains the parameters of a training that is solved. In: its clauses `penalize` and `constrain`.
// Out: for a parameter, the strengths of the parts of its penalties, which say themselves what they are, and
// its box. A sum whose joint proximal operator is not known is refused.
#include "solving.h"
#include <math.h>
#include <string.h>

// -- penalties

typedef struct Penalizing {
  Solving *s;
  Parts *parts; // of one parameter
  const ParamRef *param;
} Penalizing;

// Are w's elements read? Its sizes are known numbers.
static bool names(const Ast *e, const char *w) {
  const int callee =
      e && e->kind == AST_CALL && e->kids[0]->kind == AST_NAME ? builtin_find(e->kids[0]->name) : -1;
  if (callee == B_SIZE || callee == B_COUNT) return false;
  if (e && e->kind == AST_NAME && !strcmp(e->name, w)) return true;
  for (int i = 0; e && i < e->nkids; i++)
    if (names(e->kids[i], w)) return true;
  return false;
}

static bool add_part(Penalizing *p, int slot, const Value *factor, Span at) {
  Value *v = &p->parts->strength[slot];
  *v = v->kind == V_NONE ? *factor : binary(p->s->cx, OPR_ADD, v, factor, at);
  return v->kind != V_FAIL;
}

static bool parts_of(Penalizing *p, Env *env, const Ast *e, const char *w, const Value *factor);

// The axis of the parameter as [columns, c] that the norms are along.
static bool norms_axis(Penalizing *p, const Env *inner, const Ast *call) {
  const Value *axis = env_get(inner, "axis");
  const int rank = p->param->shape.rank;
  const int k = axis && axis->kind == V_NUM ? (int)axis->num : 0, at = k < 0 ? k + rank : k;
  if (rank > 2 || at < 0 || at >= (rank ? rank : 1)) return false;
  if (p->parts->strength[REG_BLOCK_NORMS].kind != V_NONE && p->parts->axis != at) {
    solve_refuse(p->s, call->span,
                 arena_printf(p->s->cx->a, "`%s` has norms along both axes", p->param->path), NULL);
    return false;
  }
  p->parts->axis = at;
  return true;
}

// A call of a penalty of w itself: of one that says what it is, or of a sum of such.
static bool parts_of_call(Penalizing *p, Env *env, const BesideCall *c, const char *w, const Value *factor) {
  Cx *cx = p->s->cx;
  Def *d = c->def;
  if (!c->of || c->of->kind != AST_NAME || strcmp(c->of->name, w) != 0) {
    solve_refuse(p->s, c->call->span, "a penalty of something else than the parameter itself", NULL);
    return false;
  }
  BoundArg *args = ARENA_ARRAY(cx->a, BoundArg, c->stage->nkids + 1);
  int n = 0;
  Value *of = ARENA_NEW(cx->a, Value);
  *of = *env_get(env, w);
  args[n++] = (BoundArg){NULL, of, c->of->span};
  for (int i = c->rest; c->stage->kind == AST_CALL && i < c->stage->nkids; i++) {
    Value *v = ARENA_NEW(cx->a, Value);
    *v = eval_clause(cx, env, c->stage->kids[i]->kids[0]);
    args[n++] = (BoundArg){c->stage->kids[i]->name, v, c->stage->kids[i]->span};
  }
  Env *inner = env_new(cx, NULL, "", d->name);
  const Within outer = text_enter(cx, d);
  bool ok = bind_args(cx, d, args, n, c->call->span, inner, false);
  const int slot = sema_has(d, TRAIT_absolute)   ? REG_BLOCK_ABSOLUTE
                   : sema_has(d, TRAIT_decaying) ? REG_BLOCK_SQUARE
                   : sema_has(d, TRAIT_norms)    ? REG_BLOCK_NORMS
                   : sema_has(d, TRAIT_singular) ? REG_BLOCK_SINGULAR
                                                 : -1;
  const Ast *body = d->ast->kids[2];
  if (ok && slot == REG_BLOCK_NORMS) ok = norms_axis(p, inner, c->call);
  if (ok && slot == REG_BLOCK_SINGULAR && p->param->shape.rank != 2) {
    solve_refuse(p->s, c->call->span,
                 arena_printf(cx->a, "singular values of `%s`, which is no matrix", p->param->path), NULL);
    ok = false;
  }
  if (ok && slot >= 0)
    ok = add_part(p, slot, factor, c->call->span);
  else if (ok && body->kind == AST_BINARY)
    ok = parts_of(p, inner, body, d->ast->kids[0]->kids[0]->name, factor);
  else if (ok) {
    solve_refuse(
        p->s, c->call->span,
        arena_printf(
            cx->a,
            "the penalty `%s` is not said to be made of absolute values, squares, norms or singular values",
            d->name),
        "`l1`, `l2`, `elastic_net`, `group_lasso`, `sparse_group_lasso`, `nuclear_norm` and sums of them "
        "are");
    ok = false;
  }
  text_leave(cx, outer);
  return ok;
}

// e, times a factor, as a sum of strengths times penalties of w.
static bool parts_of(Penalizing *p, Env *env, const Ast *e, const char *w, const Value *factor) {
  Cx *cx = p->s->cx;
  BesideCall c;
  if (e->kind == AST_BINARY && e->op == OPR_ADD)
    return parts_of(p, env, e->kids[0], w, factor) && parts_of(p, env, e->kids[1], w, factor);
  const bool first = e->kind == AST_BINARY && names(e->kids[0], w);
  if (e->kind == AST_BINARY && (e->op == OPR_MUL || (e->op == OPR_DIV && first)) &&
      !names(e->kids[first], w)) {
    const Value x = eval_clause(cx, env, e->kids[first]);
    const Value product = x.kind == V_FAIL ? x : binary(cx, e->op, factor, &x, e->span);
    return product.kind != V_FAIL && parts_of(p, env, e->kids[!first], w, &product);
  }
  if (sema_call_of(cx->l->program, KIND_PENALTY, cx->library, e, &c) && c.call == e)
    return parts_of_call(p, env, &c, w, factor);
  solve_refuse(p->s, e->span, "a penalty that is not a sum of strengths times penalties of the parameter",
               "for example `penalize w in line.*.weight : 0.1 * l1(w) + 0.01 * l2(w)`");
  return false;
}

// The penalties of one parameter.
static bool penalties(Solving *s, const ParamRef *param, Parts *out) {
  Cx *cx = s->cx;
  Penalizing p = {s, out, param};
  const Value one = v_num(1, s->clause->span);
  for (int i = 2; i < s->t->ast->nkids; i++) {
    const Ast *c = s->t->ast->kids[i];
    if (c->kind != AST_PENALIZE) continue;
    if (c->kids[0]->nkids != 1) {
      solve_refuse(s, c->span, "a penalty that is not of one selected parameter",
                   "for example `penalize w in line.*.weight : 0.1 * l1(w)`");
      return false;
    }
    if (!selects_param(cx, c->kids[1]->kids[0], NULL, param->path)) continue;
    Env *env = env_new(cx, field_env(cx), "", "penalize");
    const char *w = c->kids[0]->kids[0]->name;
    env_set(cx, env, w, v_tensor(param->node, c->kids[1]->kids[0]->span));
    const bool outer = cx->library;
    cx->library = source_is_library(source_get(&cx->s->sources, c->span.source));
    const bool ok = parts_of(&p, env, c->kids[2], w, &one);
    cx->library = outer;
    if (!ok) return false;
  }
  return true;
}

// -- boxes

// Under what stretches it, too.
static const Node *unstretched(Node *n) {
  n = solve_below(n);
  while (n->op == OP_BROADCAST) n = solve_below(n->in[0]);
  return n;
}

static bool same(Node *x, Node *y) {
  const Node *a = unstretched(x), *b = unstretched(y);
  return a == b || (a->op == OP_CONST && b->op == OP_CONST && a->ndata == 1 && b->ndata == 1 &&
                    a->data[0] == b->data[0]);
}

// n as the larger or smaller of two; `clamp` is spelled with choices.
static bool is_extreme(Node *n, Op *op, Node *pair[2]) {
  const bool chosen = n->op == OP_SELECT && solve_below(n->in[0])->op == OP_LT;
  if (n->op != OP_MAX && n->op != OP_MIN && !chosen) return false;
  const Node *of = chosen ? solve_below(n->in[0]) : n;
  pair[0] = of->in[0];
  pair[1] = of->in[1];
  *op = n->op;
  if (!chosen) return true;
  const bool larger = same(n->in[1], pair[1]) && same(n->in[2], pair[0]);
  *op = larger ? OP_MAX : OP_MIN;
  return larger || (same(n->in[1], pair[0]) && same(n->in[2], pair[1]));
}

// n as w between two ends, which low and high become.
static bool is_box(Solving *s, Node *n, const Node *w, Parts *out) {
  Graph *g = s->cx->g;
  Node *pair[2];
  Op op;
  n = solve_below(n);
  if (n == w) return true;
  if (!is_extreme(n, &op, pair)) return false;
  const int inner = solve_has_params(s, pair[1]);
  if (solve_has_params(s, pair[!inner]) || !is_box(s, pair[inner], w, out)) return false;
  Node *end = graph_broadcast_to(g, pair[!inner], w->shape);
  out->low = graph_binary(g, op, out->low, end);
  out->high = graph_binary(g, op, out->high, end);
  return true;
}

static bool constraint(Solving *s, const Ast *c, const ParamRef *param, Parts *out) {
  Cx *cx = s->cx;
  const Ast *names = c->kids[0];
  if (names->nkids == 1) {
    Env *env = env_new(cx, field_env(cx), "", "constrain");
    env_set(cx, env, names->kids[0]->name, v_tensor(param->node, c->kids[1]->kids[0]->span));
    const Value v = eval_clause(cx, env, c->kids[2]);
    Node *n = v.kind == V_FAIL ? NULL : value_floats(cx, &v);
    if (!n) return false;
    if (!out->low) out->low = graph_const(cx->g, -INFINITY, param->shape);
    if (!out->high) out->high = graph_const(cx->g, INFINITY, param->shape);
    if (is_box(s, n, solve_below(param->node), out)) return true;
  }
  solve_refuse(s, c->span, arena_printf(cx->a, "a constraint of `%s` that is no box", param->path),
               "`clamp(w, low, high)`, `max(w, low)`, `min(w, high)` and `nonnegative(w)` are boxes");
  return false;
}

static bool constraints(Solving *s, const ParamRef *param, Parts *out) {
  for (int i = 2; i < s->t->ast->nkids; i++) {
    const Ast *c = s->t->ast->kids[i];
    if (c->kind == AST_CONSTRAIN && selects_param(s->cx, c->kids[1]->kids[0], NULL, param->path) &&
        !constraint(s, c, param, out))
      return false;
  }
  return true;
}

// -- sums of both

// What no operator is known for together.
static const char *without_operator(const Parts *p) {
  const bool norms = p->strength[REG_BLOCK_NORMS].kind != V_NONE,
             absolute = p->strength[REG_BLOCK_ABSOLUTE].kind != V_NONE;
  if (p->strength[REG_BLOCK_SINGULAR].kind != V_NONE) {
    if (norms || absolute) return norms ? "singular values and norms" : "singular values and absolute values";
    return p->low ? "singular values and a box" : NULL;
  }
  return norms && p->low ? "norms and a box" : NULL;
}

bool solve_parts(Solving *s, const ParamRef *param, Parts *out) {
  *out = (Parts){.axis = -1};
  for (int i = 0; i < SOLVE_STRENGTHS; i++) out->strength[i] = (Value){.kind = V_NONE};
  if (!penalties(s, param, out) || !constraints(s, param, out)) return false;
  const char *what = without_operator(out);
  if (!what) return true;
  solve_refuse(s, s->clause->span,
               arena_printf(s->cx->a, "%s of `%s`, for which together there is no proximal operator", what,
                            param->path),
               "absolute values and squares go with norms and with a box; squares go with everything");
  return false;
}
