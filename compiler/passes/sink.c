// In: a graph. Out: one in which pointwise operations come before the broadcasts of their operands, on the
// small tensors: f(broadcast x, broadcast y, c) = broadcast f(x, y, c). So a schedule, which is a number,
// costs nothing in an inner loop.
#include "../graph/ops.h"
#include "all.h"

// The operand whose source has most axes; NULL where an operand is full.
static const Node *widest(const Rewrite *r) {
  const Node *wide = NULL;
  double c;
  for (int k = 0; k < r->old->nin; k++) {
    const Node *x = r->in[k];
    if (node_splat(x, &c)) continue;
    if (x->op != OP_BROADCAST) return NULL;
    if (!wide || x->nattr > wide->nattr) wide = x;
  }
  return wide;
}

// Operand x on the axes of `wide`'s source: x's axes must be among them.
static Node *narrow(Graph *g, Node *x, const Node *wide) {
  const Shape s = wide->in[0]->shape;
  double c;
  if (node_splat(x, &c)) return graph_const_typed(g, c, x->dtype, s);
  int axes[MAX_RANK];
  for (int i = 0, j = 0; i < x->nattr; i++) {
    while (j < wide->nattr && wide->attr[j] < x->attr[i]) j++;
    if (j == wide->nattr || wide->attr[j] != x->attr[i]) return NULL;
    axes[i] = j;
  }
  return graph_broadcast(g, x->in[0], s, axes);
}

static Node *sink(const Rewrite *r) {
  OpClass class = op_info[r->old->op].class;
  if (class != CLASS_POINTWISE && class != CLASS_COMPARE) return NULL;
  const Node *wide = widest(r);
  if (!wide) return NULL;
  Node *in[3];
  int axes[MAX_RANK];
  for (int k = 0; k < r->old->nin; k++)
    if (!(in[k] = narrow(r->g, r->in[k], wide))) return NULL;
  for (int i = 0; i < wide->nattr; i++) axes[i] = (int)wide->attr[i];
  Node small = *r->old;
  small.in = in;
  small.shape = wide->in[0]->shape;
  return graph_broadcast(r->g, graph_rebuild(r->g, &small, in), r->old->shape, axes);
}

Graph *pass_sink(Arena *a, const Graph *g) { return rewrite_graph(a, g, sink); }
