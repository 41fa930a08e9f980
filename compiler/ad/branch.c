// Reverse mode through an IF. In: the node and the adjoints of its results. Out: an IF of the same condition,
// whose bodies compute the side that was taken once more and give what each capture receives from it.
#include "../graph/ops.h"
#include "ad.h"
#include "loop.h"

typedef struct Branch {
  const Node *node;
  Node **operand; // of the new IF: the condition, the captures, then the adjoints
  int noperand;
  int *adjoint; // by result: the position of its adjoint among the inputs of a body; -1
} Branch;

// One side's body with what its inputs receive: x_adj by capture, NULL where nothing arrives.
static Graph *side_of(const Branch *b, Graph *g, const Graph *side, bool guarded, Node **x_adj) {
  const int captures = side->inputs.len, nout = side->outputs.len;
  Graph *s = graph_copy(g->arena, side);
  s->outputs.len = 0;
  Node **ys = ARENA_ARRAY(g->arena, Node *, nout + 1), **seeds = ARENA_ARRAY(g->arena, Node *, nout + 1);
  int n = 0;
  for (int k = captures + 1; k < b->noperand; k++)
    graph_input(s, arena_printf(g->arena, "%d", k - 1), b->operand[k]->dtype, b->operand[k]->shape);
  for (int k = 0; k < nout; k++) {
    if (b->adjoint[k] < 0) continue;
    ys[n] = s->nodes.data[side->outputs.data[k].node->id];
    seeds[n++] = s->inputs.data[b->adjoint[k]];
  }
  ad_vjp_all(s, ys, seeds, n, guarded, s->inputs.data, captures, x_adj);
  return s;
}

static void add_output(const Graph *g, Graph *s, int k, Node *adj, const Node *like) {
  if (!adj) adj = graph_const_typed(s, 0, like->dtype, like->shape);
  graph_output(s, arena_printf(g->arena, "%d", k), adj, -1);
}

void if_vjp(Graph *g, Node *node, Node *const *part_adj, bool guarded, Node **out) {
  const int captures = node->nin - 1;
  Branch b = {.node = node,
              .operand = ARENA_ARRAY(g->arena, Node *, node->nin + node->nout + 1),
              .noperand = node->nin,
              .adjoint = ARENA_ARRAY(g->arena, int, node->nout + 1)};
  for (int k = 0; k < node->nin; k++) b.operand[k] = node->in[k];
  for (int k = 0; k < node->nout; k++) {
    b.adjoint[k] = part_adj[k] ? b.noperand - 1 : -1;
    if (part_adj[k]) b.operand[b.noperand++] = part_adj[k];
  }
  Node **x_adj = ARENA_ARRAY(g->arena, Node *, captures + 1),
       **y_adj = ARENA_ARRAY(g->arena, Node *, captures + 1);
  Graph *body = side_of(&b, g, node->body, guarded, x_adj),
        *other = side_of(&b, g, node->other, guarded, y_adj);
  for (int k = 0; k < captures; k++) {
    if (!x_adj[k] && !y_adj[k]) continue;
    add_output(g, body, k, x_adj[k], node->in[k + 1]);
    add_output(g, other, k, y_adj[k], node->in[k + 1]);
  }
  if (!body->outputs.len) return;
  Node *back = graph_if(g, b.operand, b.noperand, body, other);
  for (int k = 0, part = 0; k < captures; k++)
    if (x_adj[k] || y_adj[k]) out[k + 1] = graph_part(g, back, part++);
}
