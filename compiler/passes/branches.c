// In: a graph. Out: one whose choices have a condition that is not known, and compute and capture only what
// is read.
#include "../graph/ops.h"
#include "all.h"

// The nodes of a body in the graph around it.
static void inline_side(const Rewrite *r, const Graph *side, Node **parts) {
  Node **image = ARENA_ARRAY(r->g->arena, Node *, side->nodes.len + 1);
  for (int k = 0; k < side->inputs.len; k++) image[side->inputs.data[k]->id] = r->in[k + 1];
  graph_fill(r->g, side, image);
  for (int k = 0; k < side->outputs.len; k++) parts[k] = image[side->outputs.data[k].node->id];
}

static void mark_read(const Graph *side, const bool *used, bool *captured) {
  Arena *scratch = arena_new();
  bool *needed = ARENA_ARRAY(scratch, bool, side->nodes.len + 1);
  for (int k = 0; k < side->outputs.len; k++)
    if (used[k]) needed[side->outputs.data[k].node->id] = true;
  for (int i = side->nodes.len - 1; i >= 0; i--)
    for (int k = 0; needed[i] && k < side->nodes.data[i]->nin; k++)
      needed[side->nodes.data[i]->in[k]->id] = true;
  for (int k = 0; k < side->inputs.len; k++) captured[k] = captured[k] || needed[side->inputs.data[k]->id];
  arena_free(scratch);
}

static Graph *narrowed(Arena *a, const Graph *side, const bool *used, const bool *captured) {
  Graph *g = graph_new(a, side->name);
  Node **image = ARENA_ARRAY(a, Node *, side->nodes.len + 1);
  for (int k = 0; k < side->inputs.len; k++) {
    const Node *x = side->inputs.data[k];
    if (captured[k]) image[x->id] = graph_input(g, arena_printf(a, "%d", g->inputs.len), x->dtype, x->shape);
  }
  graph_fill(g, side, image);
  for (int k = 0; k < side->outputs.len; k++)
    if (used[k])
      graph_output(g, arena_printf(a, "%d", g->outputs.len), image[side->outputs.data[k].node->id], -1);
  return g;
}

static Node *narrow(const Rewrite *r) {
  const Node *old = r->old;
  if (old->op != OP_IF) return NULL;
  Arena *a = r->g->arena;
  Node **parts = ARENA_ARRAY(a, Node *, old->nout + 1);
  double c;
  if (node_splat(r->in[0], &c)) {
    inline_side(r, c != 0 ? old->body : old->other, parts);
    r->parts[old->id] = parts;
    return r->in[0];
  }
  bool *used = ARENA_ARRAY(a, bool, old->nout + 1), *captured = ARENA_ARRAY(a, bool, old->nin + 1);
  for (int i = 0; i < r->from->nodes.len; i++) {
    const Node *n = r->from->nodes.data[i];
    if (n->op == OP_PART && r->uses[i] && n->in[0]->id == old->id) used[n->attr[0]] = true;
  }
  mark_read(old->body, used, captured);
  mark_read(old->other, used, captured);
  Node **in = ARENA_ARRAY(a, Node *, old->nin + 1);
  int n = 1;
  in[0] = r->in[0];
  for (int k = 1; k < old->nin; k++)
    if (captured[k - 1]) in[n++] = r->in[k];
  Node *made =
      graph_if(r->g, in, n, narrowed(a, old->body, used, captured), narrowed(a, old->other, used, captured));
  for (int k = 0, part = 0; k < old->nout; k++)
    if (used[k]) parts[k] = graph_part(r->g, made, part++);
  r->parts[old->id] = parts;
  return made;
}

Graph *pass_branches(Arena *a, const Graph *g) { return rewrite_graph(a, g, narrow); }
