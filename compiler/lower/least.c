// `minimize z from z0 by OPTIMIZER for n steps : e`, a problem inside of a step. In: the expression, where it
// is elaborated. Out: z behind n updates: a loop whose turns carry z and the optimizer's states, which start
// anew each time. Holds: the loop is graph as others are, so z has a gradient through all of its updates, to
// any order.
#include "loop.h"
#include "train.h"
#include <string.h>

static const char turn_number[] = "minimize turn"; // no name of the language

static bool least_begin(Loop *l, Env *own) {
  Cx *cx = l->cx;
  const Ast *e = l->e;
  Value times = eval_expr(cx, l->env, e->kids[2]), from = eval_expr(cx, l->env, e->kids[0]);
  double n;
  if (from.kind == V_FAIL) return false;
  times.span = e->kids[2]->span;
  // `for n`; a number that is written there has its unit.
  const bool plain = times.kind == V_NUM && times.unit == UNIT_NONE && e->kids[2]->kind != AST_NUM;
  if (!plain && !value_steps(cx, &times, &n, NULL)) return false;
  Value steps = plain ? times : v_num(n, times.span);
  if (!known_int(cx, &steps, "a number of steps", 0, MOST_TURNS, &l->turns)) return false;
  if (tree_of(cx, &from)) {
    from = v_tree(tree_of(cx, &from), from.span);
  } else {
    Node *x = value_floats(cx, &from);
    if (!x) return false;
    from = v_tensor(x, from.span);
  }
  env_set(cx, own, e->name, named(cx, from));
  vec_push(cx->a, l->carried, e->name);
  l->index = turn_number;
  l->env = own;
  return true;
}

bool is_optimizer(Cx *cx, const Value *v) {
  if (v->kind == V_FN && v->fn->def->kind == KIND_OPTIMIZER) return true;
  if (v->kind != V_FAIL)
    diag_emit(&cx->s->diags, DIAG_wrong_kind, v->span, "an optimizer", value_text(cx, v));
  return false;
}

Node *minimized(Cx *cx, Env *env, const Ast *e, const Tree *z) {
  const Value v = eval_expr(cx, env, e);
  Node *y = v.kind == V_FAIL ? NULL : value_floats(cx, &v);
  if (!y) return NULL;
  if (y->shape.rank) {
    diag_emit(&cx->s->diags, DIAG_not_scalar, e->span, "what is minimized", shape_text(cx->a, y->shape));
    return NULL;
  }
  Node **leaves = ARENA_ARRAY(cx->a, Node *, z->n + 1);
  for (int i = 0; i < z->n; i++) leaves[i] = z->leaf[i].node;
  if (graph_made_from(cx->g, y, leaves, z->n)) return y;
  diag_emit(&cx->s->diags, DIAG_not_a_training_value, e->span,
            "what is minimized does not depend on the name that is found");
  return NULL;
}

// What an optimizer's run asks of its surroundings.
typedef struct Around {
  Node *objective, *made;
  const char *update;
  Tree *given, *least;
  LeafList moved;
} Around;

static Around exchange(Cx *cx, Around now) {
  const Around was = {cx->objective, cx->updates_made, cx->update, cx->given, cx->least, cx->moved};
  cx->objective = now.objective;
  cx->updates_made = now.made;
  cx->update = now.update;
  cx->given = now.given;
  cx->least = now.least;
  cx->moved = now.moved;
  return was;
}

Value least_turn(const Loop *l, Env *inner) {
  Cx *cx = l->cx;
  const Ast *e = l->e;
  const Value *z = env_get(inner, e->name), *turn = env_get(inner, turn_number);
  const bool single = z->kind == V_TENSOR;
  Tree *w = single ? tree_new(cx, 1) : z->tree;
  if (single) w->leaf[0] = (Leaf){e->name, z->node};
  const Value by = eval_expr(cx, inner, e->kids[1]);
  if (!is_optimizer(cx, &by)) return v_fail();
  Node *y = minimized(cx, inner, e->kids[3], w), *number = value_wide(cx, turn);
  if (!y) return v_fail();
  if (number->dtype != DT_F64) number = graph_cast(cx->g, number, DT_F64);
  const Around was = exchange(cx, (Around){y, number, arena_printf(cx->a, "%s.", e->name), NULL, w, {0}});
  const Tree *after = run_optimizer(cx, by.fn, w, e->kids[1]->span);
  exchange(cx, was);
  if (!after) return v_fail();
  Tree *now = tree_new(cx, w->n);
  for (int i = 0; i < w->n; i++) now->leaf[i] = (Leaf){w->leaf[i].path, after->leaf[i].node};
  env_set(cx, inner, e->name,
          named(cx, single ? v_tensor(now->leaf[0].node, e->span) : v_tree(now, e->span)));
  return (Value){.kind = V_NONE, .span = e->span};
}

Value eval_least(Cx *cx, Env *env, const Ast *e) {
  Loop l = {.cx = cx, .env = env, .e = e, .body = e->kids[3]};
  Env *own = env_new(cx, env, env->path, env->def);
  if (!least_begin(&l, own) || run_loop(&l).kind == V_FAIL) return v_fail();
  Value z = *env_get(own, e->name);
  z.text = NULL;
  z.span = e->span;
  return z;
}

// A state of the optimizer: in the first turn its initial value, then what the turn before has left.
static Value turn_state(Cx *cx, Env *env, const Ast *st, const char *name, Shape s, const Initial *from) {
  Node *first = initial_node(cx, env, from, s, st->name);
  if (!first) return v_fail();
  Value v = v_tensor(carry_of_turn(cx, name, first), st->span);
  v.text = name;
  return v;
}

Value declare_turn_state(Cx *cx, Env *env, const Ast *st) {
  const Ast *shape = st->kids[0];
  const bool like = shape && shape->kind == AST_LIKE;
  const Value of = like ? eval_expr(cx, env, shape->kids[0]) : v_fail();
  const Tree *t = like ? tree_of(cx, &of) : NULL;
  const char *name = state_name(cx, env, st);
  Node *one = like && !t && of.kind != V_FAIL ? value_node(cx, &of) : NULL;
  Shape s = one ? one->shape : (Shape){0};
  Initial from;
  if ((like && !t && !one) || (!like && !declared_shape(cx, env, shape, false, &s)) ||
      !initial_begin(cx, env, st->kids[1], &from))
    return v_fail();
  if (!t) return turn_state(cx, env, st, name, s, &from);
  Tree *out = tree_new(cx, t->n);
  for (int i = 0; i < t->n; i++) {
    const char *of_leaf = arena_printf(cx->a, "%s %s", name, t->leaf[i].path);
    from.leaf = t->leaf[i].path;
    const Value v = turn_state(cx, env, st, of_leaf, t->leaf[i].node->shape, &from);
    if (v.kind == V_FAIL) return v;
    out->leaf[i] = (Leaf){of_leaf, v.node};
  }
  return v_tree(out, st->span);
}
