// `check` statements: what their expression is made of at its ends is an input of its graph.
#include "train.h"
#include <string.h>

static bool is_gradient(const Ast *check) {
  return check->kids[1]->kind == AST_NAME && !strcmp(check->kids[1]->name, "gradient");
}

// -- leaves

// What a check's expression is made of at its ends: each is a value of the graph that an input stands for, so
// that it can be moved, and that nothing is computed before the compiled code runs.
struct Leaves {
  VEC(LowerLeaf) list;
  VEC(Node *) value;
  VEC(Node *) input;
};

// Whose text is the program's: what the library draws or holds constant inside its definitions is no leaf.
static bool of_program(const Cx *cx, Span at) {
  const Source *s = source_get(&cx->s->sources, at.source);
  return s && !source_is_library(s);
}

static Node *leaf(Cx *cx, Node *n, const char *name, Span at) {
  struct Leaves *l = cx->leaves;
  if (cx->frame && graph_uses(cx->g, n, OP_HOLE)) return n; // another one in each turn
  for (int i = 0; i < l->value.len; i++)
    if (l->value.data[i] == n && !memcmp(&l->list.data[i].span, &at, sizeof at)) return l->input.data[i];
  const char *input = arena_printf(cx->a, "leaf:%d", l->list.len);
  Node *in = cx_input(cx, input, n->dtype, n->shape);
  vec_push(cx->a, l->list, ((LowerLeaf){input, name, at}));
  vec_push(cx->a, l->value, n);
  vec_push(cx->a, l->input, in);
  return in;
}

const char *source_text(Cx *cx, Span at) {
  return arena_strndup(cx->a, source_get(&cx->s->sources, at.source)->text + at.start,
                       (size_t)(at.end - at.start));
}

Node *check_draw(Cx *cx, Node *n, Span at) {
  return cx->leaves && of_program(cx, at) ? leaf(cx, n, source_text(cx, at), at) : n;
}

// The value's own span is where it is used; its elements know where they were written.
Node *check_literal(Cx *cx, Node *n, const Value *v) {
  const Value *first = v, *last = v;
  const char *open = "", *close = "";
  for (; first->kind == V_LIST && last->kind == V_LIST && first->nitems > 0 && last->nitems > 0;
       first = &first->items[0], last = &last->items[last->nitems - 1])
    open = arena_printf(cx->a, "%s[", open), close = arena_printf(cx->a, "%s]", close);
  Span at = span_join(first->span, last->span);
  if (!cx->leaves || n->dtype == DT_BOOL || !of_program(cx, at)) return n;
  return leaf(cx, n, arena_printf(cx->a, "%s%s%s", open, source_text(cx, at), close), at);
}

// -- conditions

// A fixed weighting that makes one number of a tensor without hiding what cancels in a plain sum.
static Node *weighted_sum(Cx *cx, Node *n) {
  if (n->dtype != DT_F32) n = graph_cast(cx->g, n, DT_F32);
  if (n->shape.rank == 0) return n;
  int64_t count = shape_count(n->shape);
  Node *flat = graph_reshape(cx->g, n, shape_of(1, count));
  Node *index = graph_cast(cx->g, graph_iota(cx->g, 0, DT_I32, flat->shape), DT_F32);
  Node *weight =
      graph_unary(cx->g, OP_SIN, graph_binary(cx->g, OP_ADD, index, graph_const(cx->g, 1, (Shape){0})));
  return graph_reduce_all(cx->g, OP_SUM, graph_binary(cx->g, OP_MUL, flat, weight));
}

// Both sides of `==` or `!=`, stretched to one shape.
static bool sides(Cx *cx, Env *env, const Ast *e) {
  Value x = eval_expr(cx, env, e->kids[0]), y = eval_expr(cx, env, e->kids[1]);
  if (x.kind == V_FAIL || y.kind == V_FAIL) return false;
  const Value xn = v_tensor(value_node(cx, &x), x.span);
  if (xn.kind == V_FAIL) return false;
  Value same = binary(cx, OPR_EQ, &xn, &y, e->span); // reports what does not fit
  Node *b = same.kind == V_TENSOR ? value_floats(cx, &y) : NULL;
  if (!b) return false;
  graph_output(cx->g, "left", graph_broadcast_to(cx->g, value_floats(cx, &xn), same.node->shape), -1);
  graph_output(cx->g, "right", graph_broadcast_to(cx->g, b, same.node->shape), -1);
  return true;
}

static bool condition(Cx *cx, Env *env, const Ast *e, LowerCheck *c) {
  c->equal = e->kind == AST_BINARY && (e->op == OPR_EQ || e->op == OPR_NE);
  c->negated = c->equal && e->op == OPR_NE;
  if (c->equal) return sides(cx, env, e);
  Value v = eval_expr(cx, env, e);
  Node *n = v.kind == V_FAIL ? NULL : truth(cx, &v);
  if (n) graph_output(cx->g, "condition", n, -1);
  return n != NULL;
}

// Parameters that it reads are leaves too: they are inputs already.
static void parameter_leaves(Cx *cx, const Node *value) {
  for (int i = 0; i < cx->params.len; i++) {
    const ParamRef *p = cx->params.entries[i].value;
    if (!graph_depends(cx->g, value, p->node)) continue;
    vec_push(cx->a, cx->leaves->list, ((LowerLeaf){p->node->name, p->path, p->origin}));
    vec_push(cx->a, cx->leaves->input, p->node);
  }
}

static bool gradient_outputs(Cx *cx, Node *n, Span at, LowerCheck *c) {
  struct Leaves *l = cx->leaves;
  Node *scalar = weighted_sum(cx, n);
  parameter_leaves(cx, scalar);
  Node **grads = ARENA_ARRAY(cx->a, Node *, l->list.len + 1);
  if (!l->list.len) {
    diag_emit(&cx->s->diags, DIAG_nothing_to_move, at);
    return false;
  }
  if (!gradients(cx, scalar, l->input.data, l->list.len, at, grads)) return false;
  graph_output(cx->g, "value", scalar, -1);
  for (int i = 0; i < l->list.len; i++)
    graph_output(cx->g, arena_printf(cx->a, "grad:%s", l->list.data[i].input), grads[i], -1);
  c->leaf = l->list.data;
  c->nleaves = l->list.len;
  return true;
}

LowerCheck *lower_check(Lowered *l, const Ast *check) {
  Arena *a = l->session->arena;
  LowerCheck *c = ARENA_NEW(a, LowerCheck);
  struct Leaves *leaves = ARENA_NEW(a, struct Leaves);
  *c = (LowerCheck){.ast = check, .text = ast_text(a, check), .gradient = is_gradient(check)};
  // Once with everything known, so that mistakes of values are found that inputs would hide.
  Cx *known = expression_cx(l, "check", true), *cx = expression_cx(l, "check", true);
  expression_models(known, NULL, check);
  Value v = eval_expr(known, env_new(known, NULL, "", ""), check->kids[0]);
  if (v.kind == V_FAIL || !value_node(known, &v)) return NULL;
  expression_models(cx, NULL, check);
  cx->leaves = leaves;
  Env *env = env_new(cx, NULL, "", "");
  v = eval_expr(cx, env, check->kids[0]);
  Node *n = v.kind == V_FAIL ? NULL : value_node(cx, &v);
  if (!n) return NULL;
  if (c->gradient) {
    if (!gradient_outputs(cx, n, check->kids[0]->span, c)) return NULL;
  } else {
    env_set(cx, env, "value", v);
    if (!condition(cx, env, check->kids[1], c)) return NULL;
    graph_output(cx->g, "value", n, -1);
  }
  expression_finish(cx, &c->expression, false);
  for (int i = 0; i < leaves->value.len; i++)
    graph_output(cx->g, leaves->list.data[i].input, leaves->value.data[i], -1);
  c->leaves = prune(cx, cx->g);
  return c;
}
