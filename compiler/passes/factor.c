// In: a graph. Out: one in which factors that a sum does not run over stand before it, and chains of numbers
// over a tensor are one number:  sum_i x_i s = s sum_i x_i;  (x s) t = x (s t);  (x + s) + t = x + (s + t);
// and sums of squares scaled by a choice are a choice of sums.
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

// The sum of x, of which a factor is taken out; NULL where it has none.
static Node *factored(const Rewrite *r, Node *x) {
  Node *in[2];
  if (x->op != OP_MUL && x->op != OP_XMUL && x->op != OP_ZMUL && x->op != OP_DIV) return NULL;
  for (int k = 1; k >= (x->op == OP_DIV ? 1 : 0); k--) {
    if (!(in[k] = along_kept(r->g, x->in[k], r->old))) continue;
    in[1 - k] = graph_rebuild(r->g, r->old, &x->in[1 - k]);
    return graph_binary(r->g, x->op, in[0], in[1]);
  }
  return NULL;
}

// The sum of (x s)^2, s a choice between numbers: as many sums side by side, so that x is read once and
// nothing waits for the choice. Those that are not chosen may overflow.
static Node *sum_of_each(const Rewrite *r, Node *x, Node *s) {
  if (s->op == OP_SELECT) {
    Node *one = sum_of_each(r, x, s->in[1]), *other = one ? sum_of_each(r, x, s->in[2]) : NULL;
    return other ? graph_select(r->g, s->in[0], one, other) : NULL;
  }
  double number;
  if (!node_splat(s, &number)) return NULL;
  Node *scaled = graph_binary(r->g, OP_MUL, x, graph_const_typed(r->g, number, x->dtype, x->shape));
  Node *square = graph_binary(r->g, OP_MUL, scaled, scaled);
  return graph_rebuild(r->g, r->old, &square);
}

static Node *sum_of_squares(const Rewrite *r, const Node *x) {
  if (x->op != OP_MUL || x->in[0] != x->in[1] || x->in[0]->op != OP_MUL) return NULL;
  const Node *root = x->in[0];
  Node *scale = along_kept(r->g, root->in[1], r->old);
  return scale && scale->op == OP_SELECT ? sum_of_each(r, root->in[0], scale) : NULL;
}

// Of x + y, where both have one: the sums of what stays are often there already, and need no pass of their
// own.
static Node *factor_sum(const Rewrite *r) {
  Node *x = r->in[0];
  if (!dtype_is_float(x->dtype)) return NULL;
  Node *squares = sum_of_squares(r, x);
  if (squares) return squares;
  if (x->op != OP_ADD) return factored(r, x);
  Node *left = factored(r, x->in[0]), *right = left ? factored(r, x->in[1]) : NULL;
  return right ? graph_binary(r->g, OP_ADD, left, right) : NULL;
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

// A reduction over windows that overlap, and over axes besides: those first, once for what windows share.
static Node *reduce_first(const Rewrite *r) {
  const Node *n = r->old;
  const Node *x = r->in[0], *b = x->op == OP_SLIDE ? x->in[0] : NULL;
  if (!b || b->op != OP_BROADCAST || b->nattr != b->shape.rank - 1) return NULL;
  const int axis = (int)x->attr[0];
  int first[MAX_RANK], nfirst = 0, moved = 0, kept[MAX_RANK];
  bool within = false;
  for (int k = 0; k < n->nattr; k++) {
    const int a = (int)n->attr[k];
    if (a == axis) return NULL;
    within |= a == axis + 1;
    moved += a < axis;
    if (a != axis + 1) first[nfirst++] = a - (a > axis);
  }
  if (!within || nfirst == 0 || x->attr[1] >= x->shape.dim[axis + 1]) return NULL;
  for (int i = 0; i < b->nattr; i++)
    if (b->attr[i] != i + (i > axis)) return NULL;
  Node *small = graph_reduce(r->g, n->op, b->in[0], first, nfirst);
  const int at = axis - moved + 1;
  Shape wide = {.rank = small->shape.rank + 1};
  for (int i = 0; i < small->shape.rank; i++)
    kept[i] = i + (i >= at), wide.dim[kept[i]] = small->shape.dim[i];
  wide.dim[at] = x->shape.dim[axis + 1];
  Node *slid = graph_slide(r->g, graph_broadcast(r->g, small, wide, kept), at - 1, x->attr[1], x->attr[2]);
  return graph_reduce(r->g, n->op, slid, &at, 1);
}

// A sum over many rows of many numbers each that keeps the last axis: each row first, so that they are read
// once and in pieces. The simplifier leaves such sums apart (`sum_by_rows`).
static Node *rows_first(const Rewrite *r) {
  const Node *n = r->old;
  if (n->op != OP_SUM || !sum_by_rows(r->in[0]->shape, n)) return NULL;
  int rest[MAX_RANK];
  for (int k = 1; k < n->nattr; k++) rest[k - 1] = (int)n->attr[k];
  Node *rows = graph_reduce(r->g, OP_SUM, r->in[0], rest, n->nattr - 1);
  return graph_reduce(r->g, OP_SUM, rows, (int[]){0}, 1);
}

static Node *factor(const Rewrite *r) {
  const Op op = r->old->op;
  if (op == OP_SUM || op == OP_RMAX) {
    Node *first = reduce_first(r);
    if (!first && op == OP_SUM) first = factor_sum(r);
    return first ? first : rows_first(r);
  }
  if ((op == OP_MUL || op == OP_ADD) && r->old->shape.rank > 0) return merge_numbers(r);
  return NULL;
}

Graph *pass_factor(Arena *a, const Graph *g) { return rewrite_graph(a, g, factor); }
