// `apply base with g when c`: the base optimizer's step on this one's parameters, with g in the place of the
// objective's gradient; where c is false they stay, and so do its states and the number of its updates.
#include "updates.h"
#include <string.h>

typedef struct Count {
  Node *acts;
  StateRef *updates;
} Count;

static bool count_updates(Cx *cx, Env *env, const Ast *e, const FnValue *base, Count *c) {
  Value v = eval_expr(cx, env, e->kids[2]);
  Node *acts = v.kind == V_FAIL ? NULL : truth(cx, &v);
  if (!acts) return false;
  if (acts->shape.rank) {
    diag_emit(&cx->s->diags, DIAG_not_scalar, e->kids[2]->span, "the condition of `apply`",
              shape_text(cx->a, acts->shape));
    return false;
  }
  const Initial zero = {0};
  const char *name =
      arena_printf(cx->a, "%s%s.%s.updates", cx->update ? cx->update : "", env->def, base->def->name);
  *c = (Count){acts, make_state(cx, env_new(cx, NULL, "", ""), e, name, (Shape){0}, &zero)};
  return c->updates != NULL;
}

static Tree *run_when(Cx *cx, const Count *c, const FnValue *base, Tree *w, Span at) {
  Node *made = cx->updates_made;
  const int since = cx->g->nodes.len;
  const States before = states_now(cx);
  cx->updates_made = graph_cast(cx->g, c->updates->node, DT_F64);
  const Tree *now = run_optimizer(cx, base, w, at);
  cx->updates_made = made;
  if (!now) return NULL;
  Tree *chosen = tree_new(cx, now->n);
  memcpy(chosen->leaf, now->leaf, sizeof(Leaf) * (size_t)now->n);
  act_only(cx, c->acts, since, &before, w, chosen);
  c->updates->node = graph_binary(cx->g, OP_ADD, c->updates->node, graph_cast(cx->g, c->acts, DT_F32));
  return chosen;
}

Value apply_optimizer(Cx *cx, Env *env, const Ast *e) {
  Value base = eval_expr(cx, env, e->kids[0]), given = eval_expr(cx, env, e->kids[1]);
  if (base.kind == V_FAIL || given.kind == V_FAIL) return v_fail();
  Def *outer = env->def ? find_def(cx, env->def) : NULL;
  bool inside = outer && outer->kind == KIND_OPTIMIZER;
  Value *w = inside ? env_get(env, optimizer_variable(outer)) : NULL;
  if (!w || w->kind != V_TREE) {
    diag_emit(&cx->s->diags, DIAG_not_allowed_here, e->span, "`apply`", "outside of an optimizer");
    return v_fail();
  }
  if (base.kind != V_FN || base.fn->def->kind != KIND_OPTIMIZER) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[0]->span, "an optimizer", value_text(cx, &base));
    return v_fail();
  }
  if (given.kind != V_TREE || given.tree->n != w->tree->n) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[1]->span, "a gradient with respect to all parameters",
              value_text(cx, &given));
    return v_fail();
  }
  Count count = {0};
  if (e->kids[2] && !count_updates(cx, env, e, base.fn, &count)) return v_fail();
  Tree *before = cx->given;
  cx->given = given.tree;
  Tree *after = e->kids[2] ? run_when(cx, &count, base.fn, w->tree, e->span)
                           : run_optimizer(cx, base.fn, w->tree, e->span);
  cx->given = before;
  if (!after) return v_fail();
  env_set(cx, env, optimizer_variable(outer), v_tree(after, e->span));
  return (Value){.kind = V_NONE, .span = e->span};
}
