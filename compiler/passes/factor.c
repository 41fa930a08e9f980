// In: a graph. Out: one in which factors that a sum does not run over stand before it, and chains of numbers
// over a tensor are one number:  sum_i x_i s = s sum_i x_i;  (x s) t = x (s t);  (x + s) + t = x + (s + t).
#include "../graph/ops.h"
#include "all.h"

// x is a broadcast that is constant along the axes that `sum` reduces: its value on the axes that stay.
static Node *along_kept(Graph *g, Node *x, const Node *sum) {
  if (x->op != OP_BROADCAST) return NULL;
  int axes[MAX_RANK];
  for (int i = 0; i < x->nattr; i++) {
    int before = 0;
    for (int k = 0; k < sum->nattr; k++) {
      if (sum->attr[k] == x->attr[i]) return NULL;
      before += sum->attr[k] < x->attr[i];
    }
    axes[i] = (int)x->attr[i] - before;
  }
  return graph_broadcast(g, x->in[0], sum->shape, axes);
}

static Node *factor_sum(const Rewrite *r) {
  Node *x = r->in[0], *in[2];
  if (!dtype_is_float(x->dtype)) return NULL;
  if (x->op != OP_MUL && x->op != OP_XMUL && x->op != OP_ZMUL && x->op != OP_DIV) return NULL;
  for (int k = 1; k >= (x->op == OP_DIV ? 1 : 0); k--) {
    if (!(in[k] = along_kept(r->g, x->in[k], r->old))) continue;
    in[1 - k] = graph_rebuild(r->g, r->old, &x->in[1 - k]);
    return graph_binary(r->g, x->op, in[0], in[1]);
  }
  return NULL;
}

// (x op s) op t with numbers s, t.
static Node *merge_numbers(const Rewrite *r) {
  const Op op = r->old->op;
  Node *s, *t;
  for (int k = 0; k < 2; k++) {
    Node *inner = r->in[1 - k];
    if (inner->op != op || !scalar_everywhere(r->g, r->in[k], &t)) continue;
    for (int j = 0; j < 2; j++)
      if (scalar_everywhere(r->g, inner->in[j], &s))
        return graph_binary(r->g, op, inner->in[1 - j], graph_binary(r->g, op, s, t));
  }
  return NULL;
}

static Node *factor(const Rewrite *r) {
  const Op op = r->old->op;
  if (op == OP_SUM) return factor_sum(r);
  if ((op == OP_MUL || op == OP_ADD) && r->old->shape.rank > 0) return merge_numbers(r);
  return NULL;
}

Graph *pass_factor(Arena *a, const Graph *g) { return rewrite_graph(a, g, factor); }
