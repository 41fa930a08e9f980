// Rebuilding. In: nodes and what to put in their place. Out: the same expressions over other operands. Holds:
// operation and attributes stay; so do types and shapes, except where a rebuilt operand's shape changes its
// users' by the shape rules.
#include "ops.h"
#include <string.h>

Node *graph_rebuild(Graph *g, const Node *like, Node *const *in) {
  if (like->op == OP_INPUT) return graph_input_like(g, like, like->dtype);
  if (like->nin == 2 && op_commutes(like->op)) return graph_binary(g, like->op, in[0], in[1]);
  Node proto = *like;
  proto.in = (Node **)in;
  return node_build(g, &proto);
}

void graph_fill(Graph *g, const Graph *from, Node **image) {
  const Span origin = g->origin;
  for (int i = 0; i < from->nodes.len; i++) {
    const Node *n = from->nodes.data[i];
    if (image[i] || n->op == OP_INPUT) continue;
    Node **in = ARENA_ARRAY(g->arena, Node *, n->nin + 1);
    bool known = true;
    for (int k = 0; k < n->nin; k++) known = known && (in[k] = image[n->in[k]->id]);
    g->origin = n->origin;
    if (known) image[i] = graph_rebuild(g, n, in);
  }
  g->origin = origin;
}

bool graph_depends(const Graph *g, const Node *root, const Node *on) {
  if (on->id > root->id) return false;
  Arena *scratch = arena_new();
  bool *depends = ARENA_ARRAY(scratch, bool, root->id + 1);
  depends[on->id] = true;
  for (int i = on->id + 1; i <= root->id; i++)
    for (int k = 0; k < g->nodes.data[i]->nin; k++)
      depends[i] = depends[i] || depends[g->nodes.data[i]->in[k]->id];
  bool result = depends[root->id];
  arena_free(scratch);
  return result;
}

bool graph_reaches(const Graph *g, const Node *root, Node *const *on, int n, bool *reached) {
  Arena *scratch = arena_new();
  bool *below = ARENA_ARRAY(scratch, bool, root->id + 1), found = false;
  below[root->id] = true;
  for (int i = root->id; i >= 0; i--) {
    const Node *node = g->nodes.data[i];
    for (int k = 0; below[i] && node->op != OP_STOP && k < node->nin; k++) below[node->in[k]->id] = true;
  }
  for (int i = 0; i < n; i++) {
    const bool hit = on[i]->id <= root->id && below[on[i]->id];
    if (reached) reached[i] = hit;
    found |= hit;
  }
  arena_free(scratch);
  return found;
}

bool graph_made_from(const Graph *g, const Node *root, Node *const *on, int n) {
  return graph_reaches(g, root, on, n, NULL);
}

// needed[i]: node i is `root` or below it.
static bool *below(Arena *scratch, const Graph *g, const Node *root) {
  bool *needed = ARENA_ARRAY(scratch, bool, root->id + 1);
  needed[root->id] = true;
  for (int i = root->id; i >= 0; i--)
    for (int k = 0; needed[i] && k < g->nodes.data[i]->nin; k++) needed[g->nodes.data[i]->in[k]->id] = true;
  return needed;
}

bool graph_uses(const Graph *g, const Node *root, Op op) {
  Arena *scratch = arena_new();
  const bool *needed = below(scratch, g, root);
  bool found = false;
  for (int i = 0; i <= root->id && !found; i++) found = needed[i] && g->nodes.data[i]->op == op;
  arena_free(scratch);
  return found;
}

Node *graph_substitute(Graph *g, Node *root, Node *const *from, Node *const *to, int n) {
  Arena *scratch = arena_new();
  const int count = root->id + 1;
  bool *needed = below(scratch, g, root);
  Node **image = ARENA_ARRAY(scratch, Node *, count);
  for (int i = 0; i < n; i++)
    if (from[i]->id < count) image[from[i]->id] = to[i];
  Span origin = g->origin;
  for (int i = 0; i < count; i++) {
    Node *node = g->nodes.data[i];
    if (!needed[i] || image[i]) continue;
    bool changed = false;
    Node **in = ARENA_ARRAY(scratch, Node *, node->nin ? node->nin : 1);
    for (int k = 0; k < node->nin; k++) {
      in[k] = image[node->in[k]->id];
      changed = changed || in[k] != node->in[k];
    }
    g->origin = node->origin;
    image[i] = changed ? graph_rebuild(g, node, in) : node;
  }
  g->origin = origin;
  Node *result = image[root->id];
  arena_free(scratch);
  return result;
}
