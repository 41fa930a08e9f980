// In: a graph. Out: one in which factors that a sum does not run over stand before it, and chains of numbers
// over a tensor are one number:  sum_i x_i s = s sum_i x_i;  (x s) t = x (s t);  (x + s) + t = x + (s + t);
// x / s = x (1 / s) where s is repeated, since vector units divide several times more slowly than they
// multiply.
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
  Node *x = r->in[0];
  if (x->dtype != DT_F32 || (x->op != OP_MUL && x->op != OP_DIV)) return NULL;
  for (int k = 1; k >= (x->op == OP_MUL ? 0 : 1); k--) {
    Node *s = along_kept(r->g, x->in[k], r->old);
    Node *rest = x->in[1 - k];
    if (s) return graph_binary(r->g, x->op, graph_rebuild(r->g, r->old, &rest), s);
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

// How many times a value is repeated at least before its reciprocal is worth a division of its own.
enum { RECIPROCAL_FROM = 8 };

static Node *reciprocal(const Rewrite *r) {
  Node *y = r->in[1];
  if (y->dtype != DT_F32 || y->op != OP_BROADCAST) return NULL;
  Node *s = y->in[0];
  if (shape_count(y->shape) < RECIPROCAL_FROM * shape_count(s->shape)) return NULL;
  int axes[MAX_RANK];
  for (int i = 0; i < y->nattr; i++) axes[i] = (int)y->attr[i];
  Node *one = graph_const(r->g, 1, s->shape);
  Node *inverse = graph_binary(r->g, OP_DIV, one, s);
  return graph_binary(r->g, OP_MUL, r->in[0], graph_broadcast(r->g, inverse, y->shape, axes));
}

static Node *factor(const Rewrite *r) {
  const Op op = r->old->op;
  if (op == OP_DIV) return reciprocal(r);
  if (op == OP_SUM) return factor_sum(r);
  if ((op == OP_MUL || op == OP_ADD) && r->old->shape.rank > 0) return merge_numbers(r);
  return NULL;
}

Graph *pass_factor(Arena *a, const Graph *g) { return rewrite_graph(a, g, factor); }
