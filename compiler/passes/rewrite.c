// In: a graph and a rule. Out: a new graph with what the outputs need. Holds: inputs (all, in order),
// outputs, names and aliases stay; equal nodes are merged and simplified again, because everything is
// rebuilt.
#include "rewrite.h"
#include "../graph/ops.h"
#include <string.h>

// Zero uses: dead.
static int *count_uses(Arena *scratch, const Graph *g) {
  int *uses = ARENA_ARRAY(scratch, int, g->nodes.len + 1);
  for (int i = 0; i < g->outputs.len; i++) uses[g->outputs.data[i].node->id]++;
  for (int i = g->nodes.len - 1; i >= 0; i--)
    for (int k = 0; uses[i] && k < g->nodes.data[i]->nin; k++) uses[g->nodes.data[i]->in[k]->id]++;
  return uses;
}

static Node *rewrite_node(Arena *scratch, Rewrite *r, Node **image, RewriteRule rule) {
  const Node *old = r->old;
  Node **in = ARENA_ARRAY(scratch, Node *, old->nin ? old->nin : 1);
  for (int k = 0; k < old->nin; k++) in[k] = image[old->in[k]->id];
  r->in = in;
  r->g->origin = old->origin;
  if (old->op == OP_PART && r->parts[old->in[0]->id]) return r->parts[old->in[0]->id][old->attr[0]];
  if (old->body) {
    Node *like = ARENA_NEW(scratch, Node);
    *like = *old;
    like->body = rewrite_graph(r->g->arena, old->body, rule);
    if (old->other) like->other = rewrite_graph(r->g->arena, old->other, rule);
    r->old = like;
  }
  Node *made = rule ? rule(r) : NULL;
  if (!made) made = graph_rebuild(r->g, r->old, in);
  if (old->dtype == DT_TUPLE) return made;
  if (made->dtype != old->dtype || !shape_equal(made->shape, old->shape))
    ice("passes", "%%%d = %s changed its type", old->id, op_info[old->op].text);
  return made;
}

Graph *rewrite_graph(Arena *a, const Graph *g, RewriteRule rule) {
  Arena *scratch = arena_new();
  Rewrite r = {.g = graph_new(a, g->name), .uses = count_uses(scratch, g), .from = g};
  r.parts = ARENA_ARRAY(scratch, Node **, g->nodes.len + 1);
  Node **image = ARENA_ARRAY(scratch, Node *, g->nodes.len + 1);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    r.g->origin = n->origin;
    image[n->id] = graph_input_like(r.g, n, n->dtype);
  }
  for (int i = 0; i < g->nodes.len; i++) {
    r.old = g->nodes.data[i];
    if (!image[i] && r.uses[i]) image[i] = rewrite_node(scratch, &r, image, rule);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    graph_output_port(r.g, o->port, o->name, image[o->node->id], o->alias);
  }
  r.g->origin = g->origin;
  arena_free(scratch);
  return r.g;
}

bool scalar_everywhere(Graph *g, Node *x, Node **s) {
  double c;
  if (x->op == OP_BROADCAST && x->in[0]->shape.rank == 0) {
    *s = x->in[0];
    return true;
  }
  if (!node_splat(x, &c)) return false;
  *s = graph_const_typed(g, c, x->dtype, (Shape){0});
  return true;
}
