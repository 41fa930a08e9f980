// `if`. In: conditions and branches. Out: the branch whose condition holds, where that is known; else each
// element's; or, where one condition decides over all and a side is worth a branch, a choice of the graph
// that computes the side that is taken. Holds: with a single condition each side finds the states as they
// were before, and leaves what it assigned only where it is taken.
#include "../graph/ops.h"
#include "value.h"

// Of tuples: each value by itself.
static Value choose_values(Cx *cx, const Value *c, const Value *a, const Value *b, Span at) {
  if (a->kind != V_TUPLE || b->kind != V_TUPLE || a->nitems != b->nitems) return choose(cx, c, a, b, at);
  Value v = {
      .kind = V_TUPLE, .span = at, .nitems = a->nitems, .items = ARENA_ARRAY(cx->a, Value, a->nitems + 1)};
  for (int i = 0; i < v.nitems; i++) {
    v.items[i] = choose_values(cx, c, &a->items[i], &b->items[i], at);
    if (v.items[i].kind == V_FAIL) return v_fail();
  }
  return v;
}

// -- one side or the other

typedef struct Choice {
  Node *condition;      // of one element; NULL: elementwise
  int since;            // nodes of the graph before the sides
  States before, after; // before the first side and behind it
} Choice;

// x and y behind a select by the condition.
static bool sides_of(const Node *n, const Node *condition, Node **x, Node **y) {
  if (n->op != OP_SELECT) return false;
  const Node *c = n->in[0];
  if (c->op == OP_BROADCAST) c = c->in[0];
  if (c != condition) return false;
  *x = n->in[1], *y = n->in[2];
  return true;
}

// By id: nodes that the sides made for themselves.
static bool *made_inside(Cx *cx, int since) {
  bool *inside = ARENA_ARRAY(cx->a, bool, cx->g->nodes.len + 1);
  for (int i = since; i < cx->g->nodes.len; i++) inside[i] = true;
  for (int k = 0; k < cx->shared.len; k++)
    for (int i = cx->shared.data[k].first; i < cx->shared.data[k].end; i++) inside[i] = false;
  return inside;
}

// Whatever is a step of its own. The rest is cheaper inside of its users.
static bool worth_a_branch(const Cx *cx, const bool *inside, Node *const *results, int n) {
  Arena *scratch = arena_new();
  bool *needed = ARENA_ARRAY(scratch, bool, cx->g->nodes.len + 1), worth = false;
  for (int k = 0; k < n; k++) needed[results[k]->id] = true;
  for (int i = cx->g->nodes.len - 1; i >= 0 && !worth; i--) {
    const Node *x = cx->g->nodes.data[i];
    if (!needed[i] || !inside[i]) continue;
    worth = op_is_step(x->op);
    for (int k = 0; k < x->nin; k++) needed[x->in[k]->id] = true;
  }
  arena_free(scratch);
  return worth;
}

// The nodes of tensors within v, in order: gathered where `to` is NULL, else replaced.
static void visit(Cx *cx, Value *v, Nodes *all, Node *const *to) {
  if (v->kind == V_TENSOR) {
    if (to) v->node = to[all->len];
    vec_push(cx->a, *all, v->node);
  }
  if (v->kind == V_TREE) {
    Tree *t = tree_new(cx, v->tree->n);
    for (int i = 0; i < t->n; i++) {
      t->leaf[i] = (Leaf){v->tree->leaf[i].path, to ? to[all->len] : v->tree->leaf[i].node};
      vec_push(cx->a, *all, t->leaf[i].node);
    }
    v->tree = t;
  }
  for (int i = 0; v->kind == V_TUPLE && i < v->nitems; i++) visit(cx, &v->items[i], all, to);
}

// A state that either side assigned.
static void choose_states(Cx *cx, const Choice *c, Nodes *all) {
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    Node *taken = state_of(cx, &c->after, i);
    if (taken == ref->node) continue;
    ref->node = graph_select(cx->g, graph_broadcast_to(cx->g, c->condition, taken->shape), taken, ref->node);
    vec_push(cx->a, *all, ref->node);
  }
}

static void set_chosen_states(Cx *cx, Node *const *from, Node *const *to, int n) {
  for (int i = 0; i < cx->states.len; i++) {
    StateRef *ref = cx->states.entries[i].value;
    for (int k = 0; k < n; k++)
      if (ref->node == from[k]) {
        ref->node = to[k];
        break;
      }
  }
}

void choose_nodes(Cx *cx, Node *condition, int since, Node *const *x, Node *const *y, int n, Node **out) {
  const bool *inside = made_inside(cx, since);
  if (worth_a_branch(cx, inside, x, n) || worth_a_branch(cx, inside, y, n)) {
    graph_build_if(cx->g, condition, inside, x, y, n, out);
    return;
  }
  for (int i = 0; i < n; i++)
    out[i] = x[i] == y[i]
                 ? x[i]
                 : graph_select(cx->g, graph_broadcast_to(cx->g, condition, x[i]->shape), x[i], y[i]);
}

// v and the states, behind selects by the condition, as results of a choice where a side is worth it.
static Value branched(Cx *cx, const Choice *c, Value v) {
  if (v.kind == V_FAIL || !c->condition) return v;
  Nodes all = {0}, x = {0}, y = {0}, again = {0};
  visit(cx, &v, &all, NULL);
  const int values = all.len;
  choose_states(cx, c, &all);
  int *at = ARENA_ARRAY(cx->a, int, all.len + 1);
  for (int i = 0; i < all.len; i++) {
    Node *one, *other;
    if (!sides_of(all.data[i], c->condition, &one, &other)) continue;
    at[i] = x.len + 1;
    vec_push(cx->a, x, one);
    vec_push(cx->a, y, other);
  }
  const bool *inside = made_inside(cx, c->since);
  if (!worth_a_branch(cx, inside, x.data, x.len) && !worth_a_branch(cx, inside, y.data, y.len)) return v;
  vec_push(cx->a, cx->sides, ((NodeRange){c->since, cx->g->nodes.len}));
  Node **parts = ARENA_ARRAY(cx->a, Node *, x.len + 1), **to = ARENA_ARRAY(cx->a, Node *, all.len + 1);
  graph_build_if(cx->g, c->condition, inside, x.data, y.data, x.len, parts);
  for (int i = 0; i < all.len; i++) to[i] = at[i] ? parts[at[i] - 1] : all.data[i];
  visit(cx, &v, &again, to);
  set_chosen_states(cx, all.data + values, to + values, all.len - values);
  return v;
}

static Choice choice_of(Cx *cx, const Value *condition) {
  Choice c = {.since = cx->g->nodes.len};
  const Node *n = condition->kind == V_TENSOR ? condition->node : NULL;
  if (!n || n->dtype != DT_BOOL || n->shape.rank) return c;
  c.condition = condition->node;
  c.before = states_now(cx);
  return c;
}

static Value first_side(Cx *cx, Env *env, const Ast *e, Choice *c) {
  Value v = eval_expr(cx, env, e);
  if (!c->condition) return v;
  c->after = states_now(cx);
  set_states(cx, &c->before);
  return v;
}

// The first branch whose condition holds, where that is known.
Value eval_if(Cx *cx, Env *env, const Ast *e) {
  Value *conditions = ARENA_ARRAY(cx->a, Value, e->links), *branches = ARENA_ARRAY(cx->a, Value, e->links);
  Choice *choices = ARENA_ARRAY(cx->a, Choice, e->links);
  const Ast **links = ast_links(cx->a, e), *otherwise = links[e->links - 1]->kids[2];
  int n = 0; // those that are chosen between as the program runs
  for (int i = 0; i < e->links; i++) {
    Value c = eval_expr(cx, env, links[i]->kids[0]);
    if (c.kind == V_FAIL) return c;
    if (value_is_const(&c)) {
      const Lifted no = {OP_NOT, TAKES_TRUTH, false, "`if`"};
      const Value fails = lift(cx, &no, &c, 1, links[i]->kids[0]->span);
      if (fails.kind == V_FAIL) return fails;
      if (fails.num != 0) continue;
      otherwise = links[i]->kids[1];
      break;
    }
    conditions[n] = c;
    links[n] = links[i];
    choices[n] = choice_of(cx, &c);
    branches[n] = first_side(cx, env, links[i]->kids[1], &choices[n]);
    n++;
  }
  Value v = eval_expr(cx, env, otherwise);
  while (n-- > 0) {
    cx->g->origin = links[n]->span;
    v = choose_values(cx, &conditions[n], &branches[n], &v, links[n]->span);
    v = branched(cx, &choices[n], v);
  }
  return v;
}
