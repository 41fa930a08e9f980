// Values that names have, and gradients with respect to them. In: values of expressions. Out: the same as
// points of the graph, and derivatives. Holds: two names have two points, also where their values are equal,
// and no simplification looks through one before the graph is pruned; so d e / d x is right for every x that
// e was made from, and an x that e was not made from is told.
#include "../ad/ad.h"
#include "train.h"
#include <string.h>

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
  if (v->made && n) {
    *v->made = n = point(cx, n);
    vec_push(cx->a, cx->shared, ((NodeRange){n->id, n->id + 1}));
  }
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

static bool is_of_a_side(const Cx *cx, Node *x) {
  const int id = bare(x)->id;
  for (int i = 0; i < cx->sides.len; i++)
    if (id >= cx->sides.data[i].first && id < cx->sides.data[i].end) return true;
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
    for (int i = 0; i < n; i++)
      if (is_of_a_side(cx, xs[i]))
        diag_note(d, xs[i]->origin,
                  "made on one side of an `if` whose condition is known only when the program runs: take the "
                  "gradient "
                  "there");
    bool stopped = false;
    for (int i = 0; i < n; i++) stopped = stopped || graph_depends(cx->g, y, xs[i]);
    if (stopped) diag_note(d, (Span){0}, "all that leads from one to the other goes through `stop`");
    return false;
  }
  ad_gradient(cx->g, y, xs, n, out);
  for (int i = 0; i < n; i++) out[i] = graph_made(cx->g, out[i], y);
  return true;
}

// With respect to the tensors of the tree, and to the same parameters where y was made from them at another
// point.
static Value tree_gradient(Cx *cx, Node *y, const Tree *t, Span by, Span at) {
  const int room = t->n + cx->moved.len + 1;
  Node **xs = ARENA_ARRAY(cx->a, Node *, room), **out = ARENA_ARRAY(cx->a, Node *, room);
  int *of = ARENA_ARRAY(cx->a, int, room), n = t->n;
  for (int i = 0; i < t->n; i++) xs[i] = t->leaf[i].node;
  for (int i = 0; i < t->n; i++)
    for (int k = 0; k < cx->moved.len; k++)
      if (!strcmp(cx->moved.data[k].path, t->leaf[i].path)) xs[n] = cx->moved.data[k].node, of[n++] = i;
  if (!gradients(cx, y, xs, n, by, out)) return v_fail();
  Tree *result = tree_new(cx, t->n);
  for (int i = 0; i < t->n; i++) result->leaf[i] = (Leaf){t->leaf[i].path, out[i]};
  for (int i = t->n; i < n; i++)
    result->leaf[of[i]].node = graph_binary(cx->g, OP_ADD, result->leaf[of[i]].node, out[i]);
  return v_tree(result, at);
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
  if (t) return tree_gradient(cx, y, t, by->span, at);
  Node *x = counted_wide(cx, by), *out;
  if (!x || !gradients(cx, y, &x, 1, by->span, &out)) return v_fail();
  Value v = v_tensor(out, at);
  v.dims = value_dims(cx, by);
  return v;
}

// The parameter at the point T, which is constant (Foret et al. 2021, eq. 3): a value of its own, by which
// `grad(objective at T, w)` differentiates.
static Node *moved_to(Cx *cx, const Leaf *t) {
  Node *n = point(cx, graph_stop(cx->g, t->node));
  vec_push(cx->a, cx->moved, ((Leaf){t->path, n}));
  return n;
}

// What stands for the tensor of this path in what is minimized; NULL: nothing does.
static Node *updated_node(Cx *cx, const char *path) {
  for (int i = 0; cx->least && i < cx->least->n; i++)
    if (!strcmp(cx->least->leaf[i].path, path)) return cx->least->leaf[i].node;
  const ParamRef *p = cx->least ? NULL : map_get(&cx->params, path);
  return p ? p->node : NULL;
}

// `e at T`: e with the parameters at T, the same random draws.
Value eval_at(Cx *cx, Env *env, const Ast *e) {
  Value y = eval_expr(cx, env, e->kids[0]), moved = eval_expr(cx, env, e->kids[1]);
  if (y.kind == V_FAIL || moved.kind == V_FAIL) return v_fail();
  if (y.kind == V_MODEL) {
    ModelValue *m = model_at(cx, y.model, &moved);
    return m ? (Value){.kind = V_MODEL, .model = m, .span = e->span} : v_fail();
  }
  Node *n = value_node(cx, &y);
  Tree *t = tree_of(cx, &moved);
  if (!n || only_gradient(cx, n, e->span)) return v_fail();
  if (!t) {
    diag_emit(&cx->s->diags, DIAG_wrong_kind, e->kids[1]->span, "a tree of parameters",
              value_text(cx, &moved));
    return v_fail();
  }
  const int room = t->n + cx->left.len + 1;
  Node **from = ARENA_ARRAY(cx->a, Node *, room), **to = ARENA_ARRAY(cx->a, Node *, room);
  int count = 0;
  for (; count < cx->left.len; count++) from[count] = to[count] = cx->left.data[count];
  for (int i = 0; i < t->n; i++) {
    Node *own = updated_node(cx, t->leaf[i].path);
    if (own) from[count] = own, to[count++] = moved_to(cx, &t->leaf[i]);
  }
  if (bare(n) == cx->objective) passes_again(cx);
  return v_tensor(graph_substitute(cx->g, n, from, to, count), e->span);
}
