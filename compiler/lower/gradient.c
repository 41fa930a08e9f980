// Values that names have, and gradients with respect to them. In: values of expressions. Out: the same as
// points of the graph, and derivatives. Holds: two names have two points, also where their values are equal,
// and no simplification looks through one before the graph is pruned; so d e / d x is right for every x that
// e was made from, and an x that e was not made from is told.
#include "../ad/ad.h"
#include "value.h"

static Node *point(Cx *cx, Node *n) {
  Span outer = cx->g->origin;
  cx->g->origin = n->origin;
  Node *p = graph_point(cx->g, n);
  cx->g->origin = outer;
  return p;
}

Value named(Cx *cx, Value v) {
  if (v.kind == V_TENSOR) v.node = point(cx, v.node);
  if (v.kind == V_LIST) {
    if (v.made) {
      Value *was = ARENA_NEW(cx->a, Value);
      *was = v;
      v.was = was;
    }
    v.made = ARENA_NEW(cx->a, Node *);
  }
  if (v.kind == V_TREE) {
    Tree *t = tree_new(cx, v.tree->n);
    for (int i = 0; i < t->n; i++) t->leaf[i] = (Leaf){v.tree->leaf[i].path, point(cx, v.tree->leaf[i].node)};
    v.tree = t;
  }
  return v;
}

Node *named_list(Cx *cx, const Value *v, Node *n) {
  if (v->made && n) *v->made = n = point(cx, n);
  return n;
}

Node *bare(Node *n) {
  while (n && n->op == OP_POINT) n = n->in[0];
  return n;
}

static bool is_value(const Node *n) { return n->op == OP_POINT || n->op == OP_INPUT; }

// What the values are differentiated by: their points, or what these were named after (`z = q`) where y was
// made from that. False where nothing connects.
static bool connect(Cx *cx, const Node *y, Node **xs, int n) {
  for (bool more = true; more;) {
    if (graph_made_from(cx->g, y, xs, n)) return true;
    more = false;
    for (int i = 0; i < n; i++)
      if (xs[i]->op == OP_POINT && is_value(xs[i]->in[0])) xs[i] = xs[i]->in[0], more = true;
  }
  return false;
}

bool gradients(Cx *cx, Node *y, Node **xs, int n, Span at, Node **out) {
  for (int i = 0; i < n; i++)
    if (!dtype_is_float(xs[i]->dtype) || !is_value(xs[i])) {
      Diag *d = diag_emit(&cx->s->diags, DIAG_grad_target, at,
                          "a value with a name, of numbers, to differentiate by");
      diag_hint(d, "bind it first, as in `q = ...`, and use that name in the expression");
      return false;
    }
  if (!connect(cx, y, xs, n)) {
    Diag *d = diag_emit(&cx->s->diags, DIAG_grad_unconnected, at);
    if (y->origin.source) diag_note(d, y->origin, "this is differentiated");
    return false;
  }
  ad_gradient(cx->g, y, xs, n, out);
  for (int i = 0; i < n; i++) out[i] = graph_made(cx->g, out[i], y);
  return true;
}

Value gradient(Cx *cx, const Value *e, const Value *by, Span at) {
  Node *y = value_wide(cx, e);
  if (!y) return v_fail();
  if (y->shape.rank != 0 || !dtype_is_float(y->dtype)) {
    diag_emit(&cx->s->diags, DIAG_grad_target, e->span,
              arena_printf(cx->a, "a single number to differentiate, found %s", value_text(cx, e)));
    return v_fail();
  }
  Tree *t = tree_of(cx, by);
  if (t && cx->given && bare(y) == cx->objective) return v_tree(cx->given, at);
  const int n = t ? t->n : 1;
  Node **xs = ARENA_ARRAY(cx->a, Node *, n + 1), **out = ARENA_ARRAY(cx->a, Node *, n + 1);
  if (!t && !(xs[0] = value_wide(cx, by))) return v_fail();
  for (int i = 0; t && i < n; i++) xs[i] = t->leaf[i].node;
  if (!gradients(cx, y, xs, n, by->span, out)) return v_fail();
  if (!t) return v_tensor(out[0], at);
  Tree *result = tree_new(cx, n);
  for (int i = 0; i < n; i++) result->leaf[i] = (Leaf){t->leaf[i].path, out[i]};
  return v_tree(result, at);
}

// The objective's value and gradient at the point T: T itself is constant (Foret et al. 2021, eq. 3), the
// difference of w and its copy is 0 and carries the derivative.
static Node *moved_to(Graph *g, Node *w, Node *t) {
  return graph_binary(g, OP_ADD, graph_stop(g, t), graph_binary(g, OP_SUB, w, graph_stop(g, w)));
}

// `e at T`: e with the parameters at T, the same random draws.
Value eval_at(Cx *cx, Env *env, const Ast *e) {
  Value y = eval_expr(cx, env, e->kids[0]), moved = eval_expr(cx, env, e->kids[1]);
  Node *n = value_node(cx, &y);
  Tree *t = tree_of(cx, &moved);
  if (!n || moved.kind == V_FAIL) return v_fail();
  if (!t) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[1]->span, "a tree of parameters",
              value_text(cx, &moved));
    return v_fail();
  }
  Node **from = ARENA_ARRAY(cx->a, Node *, t->n + 1), **to = ARENA_ARRAY(cx->a, Node *, t->n + 1);
  int count = 0;
  for (int i = 0; i < t->n; i++) {
    ParamRef *p = map_get(&cx->params, t->leaf[i].path);
    if (p) from[count] = p->node, to[count++] = moved_to(cx->g, p->node, t->leaf[i].node);
  }
  return v_tensor(graph_substitute(cx->g, n, from, to, count), e->span);
}
