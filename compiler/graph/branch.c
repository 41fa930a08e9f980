// Choices. In: a condition and two bodies; or nodes of one graph. Out: an IF, which computes one of them.
// Holds: both bodies have the same inputs and results, and neither reads a node of another graph.
#include "ops.h"

static bool same_type(const Node *x, const Node *y) {
  return x->dtype == y->dtype && shape_equal(x->shape, y->shape);
}

static const char *body_fault(Arena *a, const Node *n, const Graph *b) {
  if (!b) return "it has no second body";
  if (b->inputs.len != n->nin - 1) return "a body has other inputs than there are captures";
  for (int k = 1; k < n->nin; k++)
    if (!same_type(b->inputs.data[k - 1], n->in[k]))
      return arena_printf(a, "input %d of a body has another type than its operand", k - 1);
  return NULL;
}

const char *infer_if(Arena *a, Node *n) {
  const Graph *const bodies[] = {n->body, n->other};
  if (n->nin < 1 || n->in[0]->dtype != DT_BOOL || n->in[0]->shape.rank)
    return "its condition is no truth value";
  for (int i = 0; i < 2; i++) {
    const char *fault = body_fault(a, n, bodies[i]);
    if (fault) return fault;
  }
  n->nout = n->body->outputs.len;
  if (n->nout == 0 || n->other->outputs.len != n->nout) return "the bodies have different results, or none";
  TensorType *out = ARENA_ARRAY(a, TensorType, n->nout);
  for (int k = 0; k < n->nout; k++) {
    const Node *x = n->body->outputs.data[k].node;
    if (x->dtype == DT_TUPLE || !same_type(x, n->other->outputs.data[k].node))
      return "the bodies have results of different types";
    out[k] = (TensorType){x->dtype, x->shape};
  }
  n->out = out;
  n->dtype = DT_TUPLE;
  n->shape = (Shape){0};
  return NULL;
}

Node *graph_if(Graph *g, Node *const *in, int nin, const Graph *body, const Graph *other) {
  Node proto = {.op = OP_IF, .in = (Node **)in, .nin = nin, .body = body, .other = other};
  return node_build(g, &proto);
}

// -- from nodes of one graph

typedef struct Sides {
  Graph *g;
  Arena *scratch;
  const bool *inside;
  VEC(Node *) captures;
  int *capture; // by id: its position + 1
} Sides;

// A part belongs to where its loop is: several results are no operand of an IF.
static bool is_inside(const Sides *s, const Node *n) {
  if (n->op == OP_PART) n = n->in[0];
  return s->inside[n->id] && n->op != OP_INPUT && n->op != OP_HOLE;
}

// needed[id]: one of the results, or below one and inside.
static bool *mark_needed(Sides *s, Node *const *results, int n) {
  bool *needed = ARENA_ARRAY(s->scratch, bool, s->g->nodes.len + 1);
  for (int k = 0; k < n; k++) needed[results[k]->id] = true;
  for (int i = s->g->nodes.len - 1; i >= 0; i--) {
    const Node *x = s->g->nodes.data[i];
    for (int k = 0; needed[i] && is_inside(s, x) && k < x->nin; k++) needed[x->in[k]->id] = true;
  }
  return needed;
}

static void collect_captures(Sides *s, const bool *needed) {
  for (int i = 0; i < s->g->nodes.len; i++) {
    Node *n = s->g->nodes.data[i];
    double c;
    if (!needed[i] || is_inside(s, n) || node_splat(n, &c) || s->capture[i]) continue;
    vec_push(s->g->arena, s->captures, n);
    s->capture[i] = s->captures.len;
  }
}

static Graph *make_body(Sides *s, const char *name, const bool *needed, Node *const *results, int n) {
  Graph *b = graph_new(s->g->arena, name);
  b->doubles = s->g->doubles;
  Node **image = ARENA_ARRAY(s->scratch, Node *, s->g->nodes.len + 1);
  for (int k = 0; k < s->captures.len; k++) {
    const Node *x = s->captures.data[k];
    b->origin = x->origin;
    image[x->id] = graph_input(b, arena_printf(s->g->arena, "%d", k), x->dtype, x->shape);
  }
  for (int i = 0; i < s->g->nodes.len; i++) {
    const Node *x = s->g->nodes.data[i];
    double c;
    if (!needed[i] || image[i]) continue;
    b->origin = x->origin;
    if (!is_inside(s, x) && node_splat(x, &c)) {
      image[i] = graph_const_typed(b, c, x->dtype, x->shape);
      continue;
    }
    Node **in = ARENA_ARRAY(s->scratch, Node *, x->nin + 1);
    for (int k = 0; k < x->nin; k++) in[k] = image[x->in[k]->id];
    image[i] = op_info[x->op].class == CLASS_META ? in[0] : graph_rebuild(b, x, in);
  }
  for (int k = 0; k < n; k++) graph_output(b, arena_printf(s->g->arena, "%d", k), image[results[k]->id], -1);
  return b;
}

void graph_build_if(Graph *g, Node *condition, const bool *inside, Node *const *x, Node *const *y, int n,
                    Node **parts) {
  Arena *scratch = arena_new();
  Sides s = {
      .g = g, .scratch = scratch, .inside = inside, .capture = ARENA_ARRAY(scratch, int, g->nodes.len + 1)};
  const bool *of_x = mark_needed(&s, x, n), *of_y = mark_needed(&s, y, n);
  collect_captures(&s, of_x);
  collect_captures(&s, of_y);
  const Graph *body = make_body(&s, "then", of_x, x, n), *other = make_body(&s, "else", of_y, y, n);
  Node **in = ARENA_ARRAY(scratch, Node *, s.captures.len + 1);
  in[0] = condition;
  for (int k = 0; k < s.captures.len; k++) in[k + 1] = s.captures.data[k];
  Node *node = graph_if(g, in, s.captures.len + 1, body, other);
  for (int k = 0; k < n; k++) parts[k] = graph_part(g, node, k);
  arena_free(scratch);
}
