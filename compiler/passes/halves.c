// In: a graph that is run for many sets of some of its inputs, all others the same. Out: two graphs. `common`
// draws the random numbers that depend on no input of a set's own; `own` is the graph itself, which reads
// them. Holds: own after common has the values of the graph.
#include "../graph/ops.h"
#include "passes.h"

typedef struct Cut {
  const Graph *from;
  Halves *out;
  int kind;
  bool sums;
  bool *own, *read; // by id: depends on a set's inputs; is an operand or output of own
  Node **in_own, **in_common;
} Cut;

// A kernel that reads a draw instead of making it may run another way, and so its sums in another order:
// where there are sums, each set makes its draws itself.
static bool sums(const Graph *g) {
  bool any = false;
  for (int i = 0; i < g->nodes.len && !any; i++) {
    const Node *n = g->nodes.data[i];
    any = op_info[n->op].class == CLASS_REDUCE || op_is_step(n->op);
  }
  return any;
}

static bool is_shared(const Cut *c, const Node *n) { return n->op == OP_UNIFORM && !c->sums; }

static void mark(Cut *c, bool (*is_own)(Port)) {
  const Graph *g = c->from;
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    c->own[i] = n->op == OP_INPUT && is_own(n->port);
    for (int k = 0; k < n->nin; k++) c->own[i] |= c->own[n->in[k]->id];
  }
  for (int i = 0; i < g->outputs.len; i++) c->read[g->outputs.data[i].node->id] = true;
  for (int i = g->nodes.len - 1; i >= 0; i--) {
    const Node *n = g->nodes.data[i];
    for (int k = 0; k < n->nin && c->read[i] && (c->own[i] || !is_shared(c, n)); k++)
      c->read[n->in[k]->id] = true;
  }
}

static Node *rebuilt(Graph *g, const Node *n, Node **image) {
  Node **in = ARENA_ARRAY(g->arena, Node *, n->nin + 1);
  for (int k = 0; k < n->nin; k++) in[k] = image[n->in[k]->id];
  g->origin = n->origin;
  return n->op == OP_INPUT ? graph_input_like(g, n, n->dtype) : graph_rebuild(g, n, in);
}

// What own reads of common: an output there, an input here.
static Node *handed_over(Cut *c, const Node *n) {
  Graph *common = c->out->common, *own = c->out->own;
  const Port port = {c->kind, common->outputs.len};
  const char *name = arena_printf(own->arena, "common:%d", port.index);
  graph_output_port(common, port, name, c->in_common[n->id], -1);
  return graph_port(own, port, name, n->dtype, n->shape);
}

Halves graph_halves(Arena *a, const Graph *g, bool (*is_own)(Port), int kind) {
  Halves out = {graph_new(a, g->name), graph_new(a, g->name)};
  const int n = g->nodes.len;
  Cut c = {.from = g,
           .out = &out,
           .kind = kind,
           .sums = sums(g),
           .own = ARENA_ARRAY(a, bool, n),
           .read = ARENA_ARRAY(a, bool, n),
           .in_own = ARENA_ARRAY(a, Node *, n),
           .in_common = ARENA_ARRAY(a, Node *, n)};
  mark(&c, is_own);
  for (int i = 0; i < g->inputs.len; i++) { // places of aliases stay
    const Node *x = g->inputs.data[i];
    c.in_own[x->id] = rebuilt(out.own, x, c.in_own);
  }
  for (int i = 0; i < n; i++) {
    const Node *x = g->nodes.data[i];
    if (!c.own[i]) c.in_common[i] = rebuilt(out.common, x, c.in_common);
    if (!c.read[i] || c.in_own[i]) continue;
    c.in_own[i] = c.own[i] || !is_shared(&c, x) ? rebuilt(out.own, x, c.in_own) : handed_over(&c, x);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    graph_output_port(out.own, o->port, o->name, c.in_own[o->node->id], o->alias);
  }
  out.own->origin = out.common->origin = g->origin;
  return out;
}
