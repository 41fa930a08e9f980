// Double precision. In: a graph whose floats are f32. Out: the same in f64, outputs too, bodies likewise, and
// inputs, all or those of one kind. Holds: constants keep the digits that f32 would round; draws are those of
// f32.
#include "ops.h"
#include <string.h>

static DType wide(DType t) { return t == DT_F32 ? DT_F64 : t; }

static Node *widened(Graph *g, const Node *n, Node **in) {
  if (n->op == OP_UNIFORM) return graph_cast(g, graph_rebuild(g, n, in), DT_F64);
  if (n->op == OP_CAST) return in[0]->dtype == wide(n->dtype) ? in[0] : graph_cast(g, in[0], wide(n->dtype));
  Node like = *n;
  like.dtype = wide(n->dtype);
  if (n->body) like.body = graph_widen(g->arena, n->body, -1);
  if (n->other) like.other = graph_widen(g->arena, n->other, -1);
  return graph_rebuild(g, &like, in);
}

Graph *graph_widen(Arena *a, const Graph *g, int kind) {
  Graph *out = graph_new(a, g->name);
  Node **image = ARENA_ARRAY(a, Node *, g->nodes.len + 1);
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    const bool stays = kind >= 0 && n->port.kind != kind;
    Node *in = graph_input_like(out, n, stays ? n->dtype : wide(n->dtype));
    image[n->id] = in->dtype == wide(n->dtype) ? in : graph_cast(out, in, wide(n->dtype));
  }
  for (int i = 0; i < g->nodes.len; i++) {
    const Node *n = g->nodes.data[i];
    if (image[i]) continue;
    Node **in = ARENA_ARRAY(a, Node *, n->nin + 1);
    for (int k = 0; k < n->nin; k++) in[k] = image[n->in[k]->id];
    out->origin = n->origin;
    image[i] = widened(out, n, in);
  }
  for (int i = 0; i < g->outputs.len; i++) {
    const GraphOutput *o = &g->outputs.data[i];
    graph_output_port(out, o->port, o->name, image[o->node->id], o->alias);
  }
  return out;
}
